// Object identifiers: dotted text for JavaScript, DER contents (X.690 §8.19) for the library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gssapi_headers.h"

namespace gssocks {

/// An OID with memory of its own. The empty one is GSS_C_NO_OID.
class Oid {
 public:
  Oid() = default;
  Oid(Oid&&) = default;
  Oid& operator=(Oid&&) = default;
  Oid(const Oid&) = delete;
  Oid& operator=(const Oid&) = delete;

  /// "1.2.840.113554.1.2.2"; nothing where the text is no OID.
  static std::optional<Oid> Parse(std::string_view dotted);

  /// Valid while this object lives; moving it keeps the bytes where they are.
  gss_OID get() { return bytes_.empty() ? GSS_C_NO_OID : &desc_; }
  gss_OID_desc desc() const { return desc_; }

 private:
  std::vector<uint8_t> bytes_;
  gss_OID_desc desc_{0, nullptr};
};

/// Several OIDs as a gss_OID_set; `get()` is GSS_C_NO_OID_SET where there is none (null in JavaScript).
class OidList {
 public:
  OidList() = default;
  explicit OidList(std::vector<Oid> oids);
  OidList(OidList&&) = default;
  OidList& operator=(OidList&&) = default;

  gss_OID_set get();

 private:
  bool present_ = false;
  std::vector<Oid> oids_;
  std::vector<gss_OID_desc> descs_;
  gss_OID_set_desc set_{0, nullptr};
};

/// Dotted text of what the library returned; empty for GSS_C_NO_OID and for malformed bytes.
std::string OidText(const gss_OID_desc* oid);
std::vector<std::string> OidTexts(gss_OID_set set);

}  // namespace gssocks
