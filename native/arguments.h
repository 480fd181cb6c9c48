// JavaScript arguments as C++ values: TypeError for the wrong type, RangeError for the wrong size.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gssapi_headers.h"
#include "oid.h"

namespace gssocks {

/// libkrb5 counts octets in 32 bits. The distance to 2^31 leaves room for a token's overhead.
constexpr size_t kMaxOctets = 0x7fff0000;

/// Memory that belongs to JavaScript: valid until the next call into JavaScript.
struct Octets {
  uint8_t* data;
  size_t length;

  /// Never a null pointer, which some mechanisms take for a missing argument.
  gss_buffer_desc desc() const;
  std::vector<uint8_t> copy() const { return std::vector<uint8_t>(data, data + length); }
};

Napi::Error CodedTypeError(Napi::Env env, const char* code, const std::string& message);
Napi::Error CodedRangeError(Napi::Env env, const std::string& message);

/// A Uint8Array over memory that only this thread can change (no SharedArrayBuffer), at most kMaxOctets long.
Octets OctetsArgument(const Napi::Value& value, const char* what);

/// The memory of an Int32Array of at least `count`, for results.
int32_t* Int32ArrayArgument(const Napi::Value& value, const char* what, size_t count);
/// [start, end) of `octets`, both checked.
Octets RangeArgument(const Octets& octets, const Napi::Value& start, const Napi::Value& end,
                     const char* what);
/// Throws RangeError where `room` has less than `needed` octets, or `input` lies on those.
void CheckRoom(Napi::Env env, size_t needed, const Octets& room, const Octets& input);
/// An integer of 0 to `max`.
uint32_t Uint32Argument(const Napi::Value& value, const char* what, uint32_t max = UINT32_MAX);
bool BooleanArgument(const Napi::Value& value, const char* what);
/// A string without NUL: it is handed on as a C string.
std::string StringArgument(const Napi::Value& value, const char* what);
Oid OidArgument(const Napi::Value& value, const char* what);
/// GSS_C_NO_OID where the value is null or undefined.
Oid OptionalOidArgument(const Napi::Value& value, const char* what);
/// GSS_C_NO_OID_SET where the value is null or undefined.
OidList OptionalOidListArgument(const Napi::Value& value, const char* what);

inline bool IsAbsent(const Napi::Value& value) { return value.IsNull() || value.IsUndefined(); }

}  // namespace gssocks
