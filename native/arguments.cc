#include "arguments.h"

#include <cmath>

namespace gssocks {
namespace {

constexpr size_t kMaxStringOctets = 64 * 1024;
constexpr uint32_t kMaxOids = 64;

}  // namespace

gss_buffer_desc Octets::desc() const {
  static uint8_t nothing = 0;
  return {length, data == nullptr ? &nothing : data};
}

Napi::Error CodedTypeError(Napi::Env env, const char* code, const std::string& message) {
  auto error = Napi::TypeError::New(env, message);
  error.Set("code", code);
  return error;
}

Napi::Error CodedRangeError(Napi::Env env, const std::string& message) {
  auto error = Napi::RangeError::New(env, message);
  error.Set("code", "ERR_OUT_OF_RANGE");
  return error;
}

static Napi::Error WrongType(const Napi::Value& value, const char* what, const char* expected) {
  return CodedTypeError(value.Env(), "ERR_INVALID_ARG_TYPE", std::string(what) + " must be " + expected);
}

Octets OctetsArgument(const Napi::Value& value, const char* what) {
  const Napi::Env env = value.Env();
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array)
    throw WrongType(value, what, "a Uint8Array");

  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_value memory;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, &memory, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    throw WrongType(value, what, "a Uint8Array");
  }
  bool is_private = false;
  if (napi_is_arraybuffer(env, memory, &is_private) != napi_ok || !is_private) {
    throw WrongType(value, what, "a Uint8Array that is not over a SharedArrayBuffer");
  }
  if (length > kMaxOctets)
    throw CodedRangeError(env, std::string(what) + " is longer than 2147418112 octets");
  return {static_cast<uint8_t*>(data), length};
}

uint32_t Uint32Argument(const Napi::Value& value, const char* what, uint32_t max) {
  double number = 0;
  if (napi_get_value_double(value.Env(), value, &number) != napi_ok) throw WrongType(value, what, "a number");
  if (!(number >= 0 && number <= max) || number != std::floor(number)) {
    throw CodedRangeError(value.Env(),
                          std::string(what) + " must be an integer from 0 to " + std::to_string(max));
  }
  return static_cast<uint32_t>(number);
}

Octets RangeArgument(const Octets& octets, const Napi::Value& start_value, const Napi::Value& end_value,
                     const char* what) {
  const auto limit = static_cast<uint32_t>(octets.length);
  const uint32_t end = Uint32Argument(end_value, what, limit);
  const uint32_t start = Uint32Argument(start_value, what, end);
  return {octets.data + start, end - start};
}

void CheckRoom(Napi::Env env, size_t needed, const Octets& room, const Octets& input) {
  if (needed > room.length) {
    throw CodedRangeError(env, "a token of " + std::to_string(needed) + " octets does not fit into " +
                                   std::to_string(room.length));
  }
  const auto out = reinterpret_cast<uintptr_t>(room.data);
  const auto in = reinterpret_cast<uintptr_t>(input.data);
  if (input.length > 0 && out < in + input.length && in < out + needed) {
    throw CodedRangeError(env, "input and token overlap");
  }
}

bool BooleanArgument(const Napi::Value& value, const char* what) {
  bool boolean = false;
  if (napi_get_value_bool(value.Env(), value, &boolean) != napi_ok) throw WrongType(value, what, "a boolean");
  return boolean;
}

std::string StringArgument(const Napi::Value& value, const char* what) {
  if (!value.IsString()) throw WrongType(value, what, "a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.size() > kMaxStringOctets)
    throw CodedRangeError(value.Env(), std::string(what) + " is longer than 65536 octets");
  if (text.find('\0') != std::string::npos) throw WrongType(value, what, "a string without NUL");
  return text;
}

Oid OidArgument(const Napi::Value& value, const char* what) {
  auto oid = Oid::Parse(StringArgument(value, what));
  if (!oid) throw WrongType(value, what, "an OID in dots, as 1.2.840.113554.1.2.2");
  return std::move(*oid);
}

Oid OptionalOidArgument(const Napi::Value& value, const char* what) {
  return IsAbsent(value) ? Oid() : OidArgument(value, what);
}

OidList OptionalOidListArgument(const Napi::Value& value, const char* what) {
  if (IsAbsent(value)) return OidList();
  if (!value.IsArray()) throw WrongType(value, what, "an array of OIDs, or null");
  const auto array = value.As<Napi::Array>();
  if (array.Length() > kMaxOids)
    throw CodedRangeError(value.Env(), std::string(what) + " has more than 64 elements");
  std::vector<Oid> oids;
  for (uint32_t i = 0; i < array.Length(); i++) oids.push_back(OidArgument(array[i], what));
  return OidList(std::move(oids));
}

int32_t* Int32ArrayArgument(const Napi::Value& value, const char* what, size_t count) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  bool is_array = false;
  if (napi_is_typedarray(value.Env(), value, &is_array) != napi_ok || !is_array ||
      napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || length < count) {
    throw CodedTypeError(value.Env(), "ERR_INVALID_ARG_TYPE",
                         std::string(what) + " must be an Int32Array of " + std::to_string(count));
  }
  return static_cast<int32_t*>(data);
}

}  // namespace gssocks
