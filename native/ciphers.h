// The two primitives of the AES enctypes, on one message with OpenSSL or on many side by side in lanes.
#pragma once

#include <memory>

#include "lanes.h"
#include "openssl.h"

namespace gssocks {

/// AES-CBC under one key, from a zero IV, in place. Throws std::runtime_error where the library fails.
class CipherKey {
 public:
  /// `length` 16 or 32.
  CipherKey(const uint8_t* key, size_t length);
  ~CipherKey();
  CipherKey(const CipherKey&) = delete;
  CipherKey& operator=(const CipherKey&) = delete;

  /// Lengths are whole blocks. `lanes` null: one after the other.
  void Encrypt(const Span* spans, size_t count, Lanes* lanes) { Cbc(true, spans, count, lanes); }
  void Decrypt(const Span* spans, size_t count, Lanes* lanes) { Cbc(false, spans, count, lanes); }
  /// One block, without chaining.
  void DecryptBlock(const uint8_t* in, uint8_t* out);

 private:
  struct FreeContext {
    void operator()(OpenSsl::CipherContext* context) const { OpenSsl::Get().EVP_CIPHER_CTX_free(context); }
  };
  using Context = std::unique_ptr<OpenSsl::CipherContext, FreeContext>;

  void Cbc(bool encrypt, const Span* spans, size_t count, Lanes* lanes);
  /// Made when first needed: a direction uses one or the other.
  OpenSsl::CipherContext* Made(Context* context, bool encrypt, bool chained);

  uint8_t key_[32];
  size_t length_;
  Context encrypt_;
  Context decrypt_;
  Context decrypt_block_;
  std::unique_ptr<LaneCipherKey> lanes_;
};

/// HMAC (RFC 2104) under one key.
class MacKey {
 public:
  /// `tag_length`: octets of the HMAC that are wanted. `length` at most one block of the hash.
  MacKey(Hash hash, size_t tag_length, const uint8_t* key, size_t length);
  ~MacKey();
  MacKey(const MacKey&) = delete;
  MacKey& operator=(const MacKey&) = delete;

  size_t tag_length() const { return tag_length_; }
  /// The first octets of each digest are the tags. `lanes` null: one after the other.
  void Compute(const Span* spans, size_t count, Digest* digests, Lanes* lanes);

 private:
  struct FreeContext {
    void operator()(OpenSsl::DigestContext* context) const { OpenSsl::Get().EVP_MD_CTX_free(context); }
  };
  using Context = std::unique_ptr<OpenSsl::DigestContext, FreeContext>;

  size_t Pad(uint8_t mask, uint8_t* block) const;
  Context Begun(uint8_t mask) const;
  void ComputeOne(const Span& span, uint8_t* digest);

  Hash hash_;
  size_t tag_length_;
  uint8_t key_[32];
  size_t length_;
  Context inner_;
  Context outer_;
  Context work_;
  std::unique_ptr<LaneMacKey> lanes_;
};

}  // namespace gssocks
