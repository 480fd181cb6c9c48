#include "ciphers.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gssocks {
namespace {

/// From how many messages on lanes are faster than one message after the other (docs/decisions).
constexpr size_t kLanesToEncrypt = 2;
constexpr size_t kLanesToDecrypt = 1;

size_t LanesToHash(Hash hash) {
  switch (hash) {
    case Hash::kSha1:
      return 4;
    case Hash::kSha256:
      return 7;
    default:
      return 2;
  }
}

void Check(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string(what) + " failed");
}

}  // namespace

CipherKey::CipherKey(const uint8_t* key, size_t length) : length_(length) { std::memcpy(key_, key, length); }

CipherKey::~CipherKey() {
  OpenSsl::Get().OPENSSL_cleanse(key_, sizeof key_);
  if (lanes_) OpenSsl::Get().OPENSSL_cleanse(lanes_.get(), sizeof *lanes_);
}

OpenSsl::CipherContext* CipherKey::Made(Context* context, bool encrypt, bool chained) {
  if (*context) return context->get();
  const OpenSsl& openssl = OpenSsl::Get();
  static const uint8_t zero[kAesBlock] = {};
  Context made(openssl.EVP_CIPHER_CTX_new());
  Check(made != nullptr, "EVP_CIPHER_CTX_new");
  const OpenSsl::Cipher* cipher = length_ == 16
                                      ? (chained ? openssl.EVP_aes_128_cbc() : openssl.EVP_aes_128_ecb())
                                      : (chained ? openssl.EVP_aes_256_cbc() : openssl.EVP_aes_256_ecb());
  Check(openssl.EVP_CipherInit_ex(made.get(), cipher, nullptr, key_, chained ? zero : nullptr,
                                  encrypt ? 1 : 0) == 1,
        "EVP_CipherInit_ex");
  Check(openssl.EVP_CIPHER_CTX_set_padding(made.get(), 0) == 1, "EVP_CIPHER_CTX_set_padding");
  *context = std::move(made);
  return context->get();
}

void CipherKey::Cbc(bool encrypt, const Span* spans, size_t count, Lanes* lanes) {
  if (lanes != nullptr && count >= (encrypt ? kLanesToEncrypt : kLanesToDecrypt)) {
    if (!lanes_) {
      lanes_ = std::make_unique<LaneCipherKey>();
      lanes->ExpandKey(key_, length_, lanes_.get());
    }
    for (size_t at = 0; at < count; at += Lanes::kMost) {
      Check(lanes->Cbc(*lanes_, encrypt, spans + at, std::min(count - at, Lanes::kMost)), "AES-CBC in lanes");
    }
    return;
  }
  const OpenSsl& openssl = OpenSsl::Get();
  static const uint8_t zero[kAesBlock] = {};
  OpenSsl::CipherContext* context = Made(encrypt ? &encrypt_ : &decrypt_, encrypt, true);
  for (size_t i = 0; i < count; i++) {
    int written = 0;
    const int length = static_cast<int>(spans[i].length);
    Check(openssl.EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, zero, -1) == 1, "EVP_CipherInit_ex");
    Check(openssl.EVP_CipherUpdate(context, spans[i].data, &written, spans[i].data, length) == 1 &&
              written == length,
          "EVP_CipherUpdate");
  }
}

void CipherKey::DecryptBlock(const uint8_t* in, uint8_t* out) {
  int written = 0;
  Check(OpenSsl::Get().EVP_CipherUpdate(Made(&decrypt_block_, false, false), out, &written, in, kAesBlock) ==
                1 &&
            written == kAesBlock,
        "EVP_CipherUpdate");
}

MacKey::MacKey(Hash hash, size_t tag_length, const uint8_t* key, size_t length)
    : hash_(hash), tag_length_(tag_length), length_(length) {
  std::memcpy(key_, key, length);
}

MacKey::~MacKey() {
  OpenSsl::Get().OPENSSL_cleanse(key_, sizeof key_);
  if (lanes_) OpenSsl::Get().OPENSSL_cleanse(lanes_.get(), sizeof *lanes_);
}

/// RFC 2104 §2: ipad is 0x36, opad 0x5c.
size_t MacKey::Pad(uint8_t mask, uint8_t* block) const {
  const size_t size = hash_ == Hash::kSha384 ? 128 : 64;
  std::memset(block, mask, size);
  for (size_t i = 0; i < length_; i++) block[i] = static_cast<uint8_t>(block[i] ^ key_[i]);
  return size;
}

MacKey::Context MacKey::Begun(uint8_t mask) const {
  const OpenSsl& openssl = OpenSsl::Get();
  const OpenSsl::Digest* digest = hash_ == Hash::kSha1     ? openssl.EVP_sha1()
                                  : hash_ == Hash::kSha256 ? openssl.EVP_sha256()
                                                           : openssl.EVP_sha384();
  Context context(openssl.EVP_MD_CTX_new());
  Check(context != nullptr, "EVP_MD_CTX_new");
  uint8_t block[128];
  const size_t size = Pad(mask, block);
  const bool done = openssl.EVP_DigestInit_ex(context.get(), digest, nullptr) == 1 &&
                    openssl.EVP_DigestUpdate(context.get(), block, size) == 1;
  openssl.OPENSSL_cleanse(block, sizeof block);
  Check(done, "EVP_DigestInit_ex");
  return context;
}

void MacKey::Compute(const Span* spans, size_t count, Digest* digests, Lanes* lanes) {
  if (lanes == nullptr || count < LanesToHash(hash_)) {
    for (size_t i = 0; i < count; i++) ComputeOne(spans[i], digests[i]);
    return;
  }
  if (!lanes_) {
    uint8_t inner[128], outer[128];
    Pad(0x36, inner);
    Pad(0x5c, outer);
    lanes_ = std::make_unique<LaneMacKey>();
    lanes->PrepareMac(hash_, tag_length_, inner, outer, lanes_.get());
    OpenSsl::Get().OPENSSL_cleanse(inner, sizeof inner);
    OpenSsl::Get().OPENSSL_cleanse(outer, sizeof outer);
  }
  for (size_t at = 0; at < count; at += Lanes::kMost) {
    Check(lanes->Hmac(*lanes_, spans + at, std::min(count - at, Lanes::kMost), digests + at),
          "HMAC in lanes");
  }
}

void MacKey::ComputeOne(const Span& span, uint8_t* digest) {
  const OpenSsl& openssl = OpenSsl::Get();
  if (!work_) {
    inner_ = Begun(0x36);
    outer_ = Begun(0x5c);
    work_.reset(openssl.EVP_MD_CTX_new());
    Check(work_ != nullptr, "EVP_MD_CTX_new");
  }
  unsigned int length = 0;
  Check(openssl.EVP_MD_CTX_copy_ex(work_.get(), inner_.get()) == 1 &&
            openssl.EVP_DigestUpdate(work_.get(), span.data, span.length) == 1 &&
            openssl.EVP_DigestFinal_ex(work_.get(), digest, &length) == 1 && length <= kMaxDigest &&
            openssl.EVP_MD_CTX_copy_ex(work_.get(), outer_.get()) == 1 &&
            openssl.EVP_DigestUpdate(work_.get(), digest, length) == 1 &&
            openssl.EVP_DigestFinal_ex(work_.get(), digest, &length) == 1,
        "HMAC");
}

}  // namespace gssocks
