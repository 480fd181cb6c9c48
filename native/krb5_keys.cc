#include "krb5_keys.h"

#include <cstring>

namespace gssocks {
namespace {

constexpr Enctype kEnctypes[] = {
    {17, "aes128-cts-hmac-sha1-96", 16, Hash::kSha1, 12, 16, false},
    {18, "aes256-cts-hmac-sha1-96", 32, Hash::kSha1, 12, 32, false},
    {19, "aes128-cts-hmac-sha256-128", 16, Hash::kSha256, 16, 16, true},
    {20, "aes256-cts-hmac-sha384-192", 32, Hash::kSha384, 24, 24, true},
};

constexpr size_t kConstantLength = 5;

/// RFC 3961 §5.1: n-fold of the five octets of a constant to one block. Each copy of the input is the one
/// before, rotated right by 13 bits; they are added in ones' complement, 16 octets at a time. lcm(5, 16)
/// is 80: 16 copies.
void Fold(const uint8_t* constant, uint8_t* folded) {
  constexpr unsigned kBits = kConstantLength * 8;
  uint64_t copy = 0;
  for (size_t i = 0; i < kConstantLength; i++) copy = copy << 8 | constant[i];
  uint32_t sums[kAesBlock] = {};
  for (size_t at = 0; at < kConstantLength * kAesBlock; at += kConstantLength) {
    for (size_t i = 0; i < kConstantLength; i++)
      sums[(at + i) % kAesBlock] += copy >> (kBits - 8 * (i + 1)) & 0xff;
    copy = (copy >> 13 | copy << (kBits - 13)) & ((uint64_t{1} << kBits) - 1);
  }
  // The carry out of the first octet comes in again at the last; three rounds settle it.
  uint32_t carry = 0;
  for (int round = 0; round < 3; round++) {
    for (size_t i = kAesBlock; i-- > 0;) {
      carry += sums[i];
      sums[i] = carry & 0xff;
      carry >>= 8;
    }
  }
  for (size_t i = 0; i < kAesBlock; i++) folded[i] = static_cast<uint8_t>(sums[i]);
}

/// RFC 3961 §5.1: DR, with AES, whose random-to-key is the identity (RFC 3962 §6).
void DeriveByCipher(const Secret& base, const uint8_t* constant, Secret* derived) {
  CipherKey cipher(base.data, base.length);
  uint8_t block[kAesBlock];
  Fold(constant, block);
  for (size_t at = 0; at < derived->length; at += kAesBlock) {
    const Span span{block, kAesBlock};
    cipher.Encrypt(&span, 1, nullptr);
    std::memcpy(derived->data + at, block, kAesBlock);
  }
  OpenSsl::Get().OPENSSL_cleanse(block, sizeof block);
}

/// RFC 8009 §3: KDF-HMAC-SHA2(key, label, k) is the first k bits of HMAC(key, 00000001 | label | 00 | k).
void DeriveByHmac(const Enctype& enctype, const Secret& base, const uint8_t* constant, Secret* derived) {
  uint8_t input[4 + kConstantLength + 1 + 4] = {0, 0, 0, 1};
  std::memcpy(input + 4, constant, kConstantLength);
  const size_t bits = derived->length * 8;
  input[sizeof input - 2] = static_cast<uint8_t>(bits >> 8);
  input[sizeof input - 1] = static_cast<uint8_t>(bits);
  MacKey mac(enctype.hash, derived->length, base.data, base.length);
  Digest digest;
  const Span span{input, sizeof input};
  mac.Compute(&span, 1, &digest, nullptr);
  std::memcpy(derived->data, digest, derived->length);
  OpenSsl::Get().OPENSSL_cleanse(digest, sizeof digest);
}

}  // namespace

const Enctype* Enctype::Find(uint32_t number) {
  for (const Enctype& enctype : kEnctypes) {
    if (enctype.number == number) return &enctype;
  }
  return nullptr;
}

Secret::Secret(const uint8_t* from, size_t octets) : length(octets) { std::memcpy(data, from, octets); }

Secret::~Secret() { OpenSsl::Get().OPENSSL_cleanse(data, sizeof data); }

void DeriveKey(const Enctype& enctype, const Secret& base, uint32_t usage, KeyPurpose purpose,
               Secret* derived) {
  const uint8_t constant[kConstantLength] = {
      static_cast<uint8_t>(usage >> 24), static_cast<uint8_t>(usage >> 16), static_cast<uint8_t>(usage >> 8),
      static_cast<uint8_t>(usage), static_cast<uint8_t>(purpose)};
  derived->length = purpose == KeyPurpose::kEncryption ? enctype.key_length : enctype.mac_key_length;
  if (enctype.encrypt_then_mac)
    DeriveByHmac(enctype, base, constant, derived);
  else
    DeriveByCipher(base, constant, derived);
}

UsageKeys::UsageKeys(const Enctype& enctype, const uint8_t* base, uint32_t usage)
    : enctype_(enctype), base_(base, enctype.key_length), usage_(usage) {}

CipherKey& UsageKeys::encryption() {
  if (!encryption_) {
    Secret key;
    DeriveKey(enctype_, base_, usage_, KeyPurpose::kEncryption, &key);
    encryption_.emplace(key.data, key.length);
  }
  return *encryption_;
}

MacKey& UsageKeys::Mac(std::optional<MacKey>* key, KeyPurpose purpose) {
  if (!*key) {
    Secret secret;
    DeriveKey(enctype_, base_, usage_, purpose, &secret);
    key->emplace(enctype_.hash, enctype_.mac_length, secret.data, secret.length);
  }
  return **key;
}

}  // namespace gssocks
