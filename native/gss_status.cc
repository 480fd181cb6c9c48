#include "gss_status.h"

#include "gss_raii.h"
#include "oid.h"

namespace gssocks {

std::string StatusText(OM_uint32 code, int type, gss_OID mechanism) {
  // More messages than calling error + routine error + supplementary bits can't be meant.
  constexpr int kMaxMessages = 8;
  std::string text;
  OM_uint32 message_context = 0;
  for (int i = 0; i < kMaxMessages; i++) {
    OM_uint32 minor;
    Buffer message;
    const OM_uint32 major =
        gss_display_status(&minor, code, type, mechanism, &message_context, message.address());
    if (GSS_ERROR(major)) break;
    if (!text.empty()) text += ". ";
    text.append(message.data() == nullptr ? "" : message.data(), message.length());
    if (message_context == 0) break;
  }
  return text;
}

Failure MakeFailure(const char* call, OM_uint32 major, OM_uint32 minor, gss_OID mechanism) {
  Failure failure{call, major, {}, minor, {}, OidText(mechanism), {}};
  // The minor text first: MIT's display of a major status may replace it.
  failure.minor_text = StatusText(minor, GSS_C_MECH_CODE, mechanism);
  failure.major_text = StatusText(major, GSS_C_GSS_CODE, GSS_C_NO_OID);
  return failure;
}

Napi::Error FailureError(Napi::Env env, const Failure& failure) {
  auto error = Napi::Error::New(
      env, std::string(failure.call) + ": " + failure.major_text + " (" + failure.minor_text + ")");
  Napi::Object object = error.Value();
  object.Set("code", "ERR_GSS");
  object.Set("call", failure.call);
  object.Set("major", failure.major);
  object.Set("majorText", failure.major_text);
  object.Set("minor", failure.minor);
  object.Set("minorText", failure.minor_text);
  if (!failure.mechanism.empty()) object.Set("mechanism", failure.mechanism);
  if (!failure.output_token.empty()) {
    object.Set("outputToken",
               Napi::Buffer<uint8_t>::Copy(env, failure.output_token.data(), failure.output_token.size()));
  }
  return error;
}

void ThrowIfError(Napi::Env env, const char* call, OM_uint32 major, OM_uint32 minor, gss_OID mechanism) {
  if (GSS_ERROR(major)) throw FailureError(env, MakeFailure(call, major, minor, mechanism));
}

}  // namespace gssocks
