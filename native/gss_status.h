// A status of the library as a C++ value (any thread) and as a JavaScript error (the environment's thread).
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "gssapi_headers.h"

namespace gssocks {

/// A failed call. Made on the thread that failed: MIT keeps the minor status's text per thread.
struct Failure {
  const char* call;
  OM_uint32 major;
  std::string major_text;
  OM_uint32 minor;
  std::string minor_text;
  std::string mechanism;
  /// A token for the peer in spite of the failure (RFC 2744 §5.1, §5.19); empty for none.
  std::vector<uint8_t> output_token;
};

/// Takes both texts. `mechanism` may be GSS_C_NO_OID.
Failure MakeFailure(const char* call, OM_uint32 major, OM_uint32 minor, gss_OID mechanism = GSS_C_NO_OID);

/// gss_display_status (RFC 2744 §5.11) of one code, all of its messages joined by ". ".
std::string StatusText(OM_uint32 code, int type, gss_OID mechanism);

/// The error that the declaration of the addon calls NativeFailure.
Napi::Error FailureError(Napi::Env env, const Failure& failure);

/// Throws on the environment's thread where `major` holds a calling or routine error.
void ThrowIfError(Napi::Env env, const char* call, OM_uint32 major, OM_uint32 minor,
                  gss_OID mechanism = GSS_C_NO_OID);

}  // namespace gssocks
