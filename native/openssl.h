// The OpenSSL that this process has already: Node exports its own to addons (Node's documentation, "C++
// addons", "Linking to libraries included with Node.js"), so that none is linked or loaded beside it.
#pragma once

#include <cstddef>

namespace gssocks {

/// Declared here and not by OpenSSL's headers, whose version need not be Node's: these have been the same
/// since 1.1.1.
struct OpenSsl {
  struct Cipher;
  struct CipherContext;
  struct Digest;
  struct DigestContext;
  struct Engine;

  CipherContext* (*EVP_CIPHER_CTX_new)();
  void (*EVP_CIPHER_CTX_free)(CipherContext*);
  int (*EVP_CIPHER_CTX_set_padding)(CipherContext*, int);
  int (*EVP_CipherInit_ex)(CipherContext*, const Cipher*, Engine*, const unsigned char* key,
                           const unsigned char* iv, int encrypt);
  int (*EVP_CipherUpdate)(CipherContext*, unsigned char* out, int* out_length, const unsigned char* in,
                          int in_length);
  const Cipher* (*EVP_aes_128_cbc)();
  const Cipher* (*EVP_aes_256_cbc)();
  const Cipher* (*EVP_aes_128_ecb)();
  const Cipher* (*EVP_aes_256_ecb)();

  DigestContext* (*EVP_MD_CTX_new)();
  void (*EVP_MD_CTX_free)(DigestContext*);
  int (*EVP_MD_CTX_copy_ex)(DigestContext* out, const DigestContext* in);
  int (*EVP_DigestInit_ex)(DigestContext*, const Digest*, Engine*);
  int (*EVP_DigestUpdate)(DigestContext*, const void* data, size_t length);
  int (*EVP_DigestFinal_ex)(DigestContext*, unsigned char* digest, unsigned int* length);
  const Digest* (*EVP_sha1)();
  const Digest* (*EVP_sha256)();
  const Digest* (*EVP_sha384)();

  int (*CRYPTO_memcmp)(const void* a, const void* b, size_t length);
  void (*OPENSSL_cleanse)(void* memory, size_t length);

  /// Null where this process has none, or one that lacks any of these.
  static const OpenSsl* Find();
  /// The same, known to be there.
  static const OpenSsl& Get() { return *Find(); }
};

}  // namespace gssocks
