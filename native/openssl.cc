#include "openssl.h"

#include <dlfcn.h>

namespace gssocks {
namespace {

template <typename Function>
bool Look(const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  return *function != nullptr;
}

bool LookAll(OpenSsl* openssl) {
#define LOOK(name) Look(#name, &openssl->name)
  return LOOK(EVP_CIPHER_CTX_new) && LOOK(EVP_CIPHER_CTX_free) && LOOK(EVP_CIPHER_CTX_set_padding) &&
         LOOK(EVP_CipherInit_ex) && LOOK(EVP_CipherUpdate) && LOOK(EVP_aes_128_cbc) &&
         LOOK(EVP_aes_256_cbc) && LOOK(EVP_aes_128_ecb) && LOOK(EVP_aes_256_ecb) && LOOK(EVP_MD_CTX_new) &&
         LOOK(EVP_MD_CTX_free) && LOOK(EVP_MD_CTX_copy_ex) && LOOK(EVP_DigestInit_ex) &&
         LOOK(EVP_DigestUpdate) && LOOK(EVP_DigestFinal_ex) && LOOK(EVP_sha1) && LOOK(EVP_sha256) &&
         LOOK(EVP_sha384) && LOOK(CRYPTO_memcmp) && LOOK(OPENSSL_cleanse);
#undef LOOK
}

}  // namespace

const OpenSsl* OpenSsl::Find() {
  static OpenSsl openssl;
  static const bool found = LookAll(&openssl);
  return found ? &openssl : nullptr;
}

}  // namespace gssocks
