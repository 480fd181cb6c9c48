// Keys of the AES enctypes, derived from a protocol key for one usage: RFC 3961 §5.1, 5.3, RFC 3962, RFC 8009
// §3, 5.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ciphers.h"

namespace gssocks {

struct Enctype {
  uint32_t number;
  const char* name;
  size_t key_length;
  Hash hash;
  /// Of HMAC, on the wire.
  size_t mac_length;
  /// Of Ki and Kc.
  size_t mac_key_length;
  /// RFC 8009: the HMAC is over the ciphertext, and keys come from HMAC. Otherwise RFC 3962.
  bool encrypt_then_mac;

  /// Null for others than the four AES enctypes.
  static const Enctype* Find(uint32_t number);
};

/// A key's octets; zeroed when they are let go of.
class Secret {
 public:
  Secret() = default;
  Secret(const uint8_t* data, size_t length);
  ~Secret();
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  uint8_t data[32] = {};
  size_t length = 0;
};

/// What RFC 3961 §5.3 derives a key for.
enum class KeyPurpose : uint8_t { kEncryption = 0xaa, kIntegrity = 0x55, kChecksum = 0x99 };

/// Ke, Ki or Kc of `base` for `usage`.
void DeriveKey(const Enctype& enctype, const Secret& base, uint32_t usage, KeyPurpose purpose,
               Secret* derived);

/// All keys of one usage, each made when first needed.
class UsageKeys {
 public:
  UsageKeys(const Enctype& enctype, const uint8_t* base, uint32_t usage);

  const Enctype& enctype() const { return enctype_; }
  CipherKey& encryption();
  MacKey& integrity() { return Mac(&integrity_, KeyPurpose::kIntegrity); }
  MacKey& checksum() { return Mac(&checksum_, KeyPurpose::kChecksum); }

 private:
  MacKey& Mac(std::optional<MacKey>* key, KeyPurpose purpose);

  const Enctype& enctype_;
  Secret base_;
  uint32_t usage_;
  std::optional<CipherKey> encryption_;
  std::optional<MacKey> integrity_;
  std::optional<MacKey> checksum_;
};

}  // namespace gssocks
