#include "oid.h"

#include <limits>

namespace gssocks {
namespace {

constexpr size_t kMaxEncoded = 128;

void AppendArc(std::vector<uint8_t>& out, uint64_t arc) {
  int groups = 1;
  for (uint64_t rest = arc >> 7; rest != 0; rest >>= 7) groups++;
  while (groups-- > 0) {
    const auto bits = static_cast<uint8_t>((arc >> (7 * groups)) & 0x7f);
    out.push_back(static_cast<uint8_t>(bits | (groups > 0 ? 0x80 : 0)));
  }
}

/// One decimal arc without leading zeros, taken off the front of `text` together with its dot.
std::optional<uint64_t> TakeArc(std::string_view& text) {
  uint64_t arc = 0;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (arc > std::numeric_limits<uint64_t>::max() / 16) return std::nullopt;
    arc = arc * 10 + static_cast<uint64_t>(text[digits] - '0');
    digits++;
  }
  if (digits == 0 || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  if (text.empty()) return arc;
  if (text[0] != '.' || text.size() == 1) return std::nullopt;
  text.remove_prefix(1);
  return arc;
}

}  // namespace

std::optional<Oid> Oid::Parse(std::string_view dotted) {
  const auto first = TakeArc(dotted);
  if (!first || *first > 2 || dotted.empty()) return std::nullopt;
  const auto second = TakeArc(dotted);
  if (!second || (*first < 2 && *second > 39)) return std::nullopt;

  Oid oid;
  AppendArc(oid.bytes_, *first * 40 + *second);
  while (!dotted.empty()) {
    const auto arc = TakeArc(dotted);
    if (!arc || oid.bytes_.size() > kMaxEncoded) return std::nullopt;
    AppendArc(oid.bytes_, *arc);
  }
  oid.desc_ = {static_cast<OM_uint32>(oid.bytes_.size()), oid.bytes_.data()};
  return oid;
}

OidList::OidList(std::vector<Oid> oids) : present_(true), oids_(std::move(oids)) {
  for (const Oid& oid : oids_) descs_.push_back(oid.desc());
}

gss_OID_set OidList::get() {
  if (!present_) return GSS_C_NO_OID_SET;
  set_ = {descs_.size(), descs_.data()};
  return &set_;
}

std::string OidText(const gss_OID_desc* oid) {
  if (oid == nullptr || oid->elements == nullptr || oid->length == 0) return {};
  const auto* bytes = static_cast<const uint8_t*>(oid->elements);
  std::string text;
  uint64_t arc = 0;
  for (OM_uint32 i = 0; i < oid->length; i++) {
    if (arc > std::numeric_limits<uint64_t>::max() >> 7) return {};
    arc = arc << 7 | (bytes[i] & 0x7f);
    if ((bytes[i] & 0x80) != 0) continue;
    if (text.empty()) {
      const uint64_t first = arc < 80 ? arc / 40 : 2;
      text = std::to_string(first) + '.' + std::to_string(arc - first * 40);
    } else {
      text += '.' + std::to_string(arc);
    }
    arc = 0;
  }
  return (bytes[oid->length - 1] & 0x80) != 0 ? std::string() : text;
}

std::vector<std::string> OidTexts(gss_OID_set set) {
  std::vector<std::string> texts;
  if (set == GSS_C_NO_OID_SET) return texts;
  texts.reserve(set->count);
  for (size_t i = 0; i < set->count; i++) texts.push_back(OidText(&set->elements[i]));
  return texts;
}

}  // namespace gssocks
