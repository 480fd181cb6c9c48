// Many messages at once in the lanes of wide registers: Intel's libipsec-mb, where it was there at build time
// and is at run time. It is opened when first asked for, so that the addon loads without it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gssocks {

enum class Hash { kSha1, kSha256, kSha384 };

/// Memory that a primitive works on.
struct Span {
  uint8_t* data;
  size_t length;
};

constexpr size_t kAesBlock = 16;
/// Of the longest hash, SHA-384.
constexpr size_t kMaxDigest = 48;

using Digest = uint8_t[kMaxDigest];

/// Of AES, expanded both ways.
struct alignas(64) LaneCipherKey {
  uint32_t encrypt[60];
  uint32_t decrypt[60];
  size_t key_length;
};

/// Of HMAC: the states of the hash behind the inner and the outer padded key.
struct alignas(64) LaneMacKey {
  uint8_t inner[64];
  uint8_t outer[64];
  Hash hash;
  size_t tag_length;
};

/// Of one thread. All calls are done when they return.
class Lanes {
 public:
  /// At most this many spans in one call.
  static constexpr size_t kMost = 32;

  /// Null where there is no library, or it can't be used on this processor.
  static Lanes* OfThisThread();
  /// As "libipsec-mb 1.3.0"; null as above.
  static const char* Version();

  void ExpandKey(const uint8_t* key, size_t length, LaneCipherKey* expanded);
  /// `inner` and `outer` are one block of the hash each: the key padded, and masked (RFC 2104).
  void PrepareMac(Hash hash, size_t tag_length, const uint8_t* inner, const uint8_t* outer, LaneMacKey* key);

  /// AES-CBC from a zero IV, in place; lengths are whole blocks. False where that failed.
  bool Cbc(const LaneCipherKey& key, bool encrypt, const Span* spans, size_t count);
  /// The first `key.tag_length` octets of each HMAC.
  bool Hmac(const LaneMacKey& key, const Span* spans, size_t count, Digest* digests);

  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

 private:
  explicit Lanes(void* manager) : manager_(manager) {}

  void* manager_;
};

}  // namespace gssocks
