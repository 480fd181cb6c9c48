#include "lanes.h"

#ifdef GSSOCKS_IPSEC_MB

#include <dlfcn.h>
#include <intel-ipsec-mb.h>

#include <cstring>
#include <memory>
#include <string>

namespace gssocks {
namespace {

/// What is exported by name; all else is behind pointers in IMB_MGR, whose layout goes with the soname.
struct Library {
  IMB_MGR* (*alloc_mb_mgr)(uint64_t flags);
  void (*free_mb_mgr)(IMB_MGR*);
  void (*init_mb_mgr_auto)(IMB_MGR*, IMB_ARCH*);
  std::string version;
};

template <typename Function>
bool Look(void* handle, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(handle, name));
  return *function != nullptr;
}

bool Open(Library* library) {
  const std::string soname = "libIPSec_MB.so." + std::to_string(IMB_VERSION_NUM >> 16);
  void* handle = dlopen(soname.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return false;
  unsigned (*version)() = nullptr;
  const char* (*version_text)() = nullptr;
  // Newer ones of the same soname keep what they had; in older ones something may be missing.
  if (!Look(handle, "imb_get_version", &version) || version() < IMB_VERSION_NUM) return false;
  if (!Look(handle, "imb_get_version_str", &version_text)) return false;
  library->version = std::string("libipsec-mb ") + version_text();
  return Look(handle, "alloc_mb_mgr", &library->alloc_mb_mgr) &&
         Look(handle, "free_mb_mgr", &library->free_mb_mgr) &&
         Look(handle, "init_mb_mgr_auto", &library->init_mb_mgr_auto);
}

const Library* Find() {
  static Library library;
  static const bool found = Open(&library);
  return found ? &library : nullptr;
}

struct FreeManager {
  void operator()(IMB_MGR* manager) const { Find()->free_mb_mgr(manager); }
};

IMB_MGR* NewManager() {
  const Library* library = Find();
  if (library == nullptr) return nullptr;
  std::unique_ptr<IMB_MGR, FreeManager> manager(library->alloc_mb_mgr(0));
  if (!manager) return nullptr;
  IMB_ARCH arch = IMB_ARCH_NONE;
  library->init_mb_mgr_auto(manager.get(), &arch);
  // Below AVX2 the lanes are few, and without AES instructions the library computes with tables or not at
  // all.
  if (arch < IMB_ARCH_AVX2 || (manager->features & IMB_FEATURE_AESNI) == 0) return nullptr;
  return manager.release();
}

IMB_HASH_ALG HmacOf(Hash hash) {
  switch (hash) {
    case Hash::kSha1:
      return IMB_AUTH_HMAC_SHA_1;
    case Hash::kSha256:
      return IMB_AUTH_HMAC_SHA_256;
    default:
      return IMB_AUTH_HMAC_SHA_384;
  }
}

void OneBlock(IMB_MGR* manager, Hash hash, const uint8_t* block, uint8_t* state) {
  switch (hash) {
    case Hash::kSha1:
      return IMB_SHA1_ONE_BLOCK(manager, block, state);
    case Hash::kSha256:
      return IMB_SHA256_ONE_BLOCK(manager, block, state);
    case Hash::kSha384:
      return IMB_SHA384_ONE_BLOCK(manager, block, state);
  }
}

}  // namespace

Lanes* Lanes::OfThisThread() {
  struct Owned {
    std::unique_ptr<IMB_MGR, FreeManager> manager{NewManager()};
    Lanes lanes{manager.get()};
  };
  thread_local Owned owned;
  return owned.manager ? &owned.lanes : nullptr;
}

const char* Lanes::Version() { return OfThisThread() == nullptr ? nullptr : Find()->version.c_str(); }

void Lanes::ExpandKey(const uint8_t* key, size_t length, LaneCipherKey* expanded) {
  auto* manager = static_cast<IMB_MGR*>(manager_);
  expanded->key_length = length;
  if (length == 16)
    IMB_AES_KEYEXP_128(manager, key, expanded->encrypt, expanded->decrypt);
  else
    IMB_AES_KEYEXP_256(manager, key, expanded->encrypt, expanded->decrypt);
}

void Lanes::PrepareMac(Hash hash, size_t tag_length, const uint8_t* inner, const uint8_t* outer,
                       LaneMacKey* key) {
  auto* manager = static_cast<IMB_MGR*>(manager_);
  key->hash = hash;
  key->tag_length = tag_length;
  OneBlock(manager, hash, inner, key->inner);
  OneBlock(manager, hash, outer, key->outer);
}

bool Lanes::Cbc(const LaneCipherKey& key, bool encrypt, const Span* spans, size_t count) {
  static const uint8_t zero[kAesBlock] = {};
  auto* manager = static_cast<IMB_MGR*>(manager_);
  if (count > kMost) return false;
  IMB_JOB jobs[kMost];
  std::memset(static_cast<void*>(jobs), 0, count * sizeof jobs[0]);
  for (size_t i = 0; i < count; i++) {
    jobs[i].enc_keys = key.encrypt;
    jobs[i].dec_keys = key.decrypt;
    jobs[i].key_len_in_bytes = key.key_length;
    jobs[i].src = spans[i].data;
    jobs[i].dst = spans[i].data;
    jobs[i].msg_len_to_cipher_in_bytes = spans[i].length;
    jobs[i].iv = zero;
    jobs[i].iv_len_in_bytes = sizeof zero;
  }
  const auto number = static_cast<uint32_t>(count);
  const auto direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
  const auto size = key.key_length == 16 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES;
  return IMB_SUBMIT_CIPHER_BURST(manager, jobs, number, IMB_CIPHER_CBC, direction, size) == number;
}

bool Lanes::Hmac(const LaneMacKey& key, const Span* spans, size_t count, Digest* digests) {
  auto* manager = static_cast<IMB_MGR*>(manager_);
  if (count > kMost) return false;
  IMB_JOB jobs[kMost];
  std::memset(static_cast<void*>(jobs), 0, count * sizeof jobs[0]);
  for (size_t i = 0; i < count; i++) {
    jobs[i].src = spans[i].data;
    jobs[i].msg_len_to_hash_in_bytes = spans[i].length;
    jobs[i].auth_tag_output = digests[i];
    jobs[i].auth_tag_output_len_in_bytes = key.tag_length;
    jobs[i].u.HMAC._hashed_auth_key_xor_ipad = key.inner;
    jobs[i].u.HMAC._hashed_auth_key_xor_opad = key.outer;
  }
  const auto number = static_cast<uint32_t>(count);
  return IMB_SUBMIT_HASH_BURST(manager, jobs, number, HmacOf(key.hash)) == number;
}

}  // namespace gssocks

#else

namespace gssocks {

Lanes* Lanes::OfThisThread() { return nullptr; }
const char* Lanes::Version() { return nullptr; }
void Lanes::ExpandKey(const uint8_t*, size_t, LaneCipherKey*) {}
void Lanes::PrepareMac(Hash, size_t, const uint8_t*, const uint8_t*, LaneMacKey*) {}
bool Lanes::Cbc(const LaneCipherKey&, bool, const Span*, size_t) { return false; }
bool Lanes::Hmac(const LaneMacKey&, const Span*, size_t, Digest*) { return false; }

}  // namespace gssocks

#endif
