// Per-message calls: RFC 2744 §5.15, 5.31, 5.32, 5.33; gss_wrap_iov and gss_unwrap_iov.
//
// A token as gss_wrap makes it, which is also how wrapInto lays the IOVs out (RFC 4121 §4.2.4 with RRC 0):
//
//   +--------+---------------------+---------+---------+
//   | HEADER | DATA (the message)  | PADDING | TRAILER |
//   +--------+---------------------+---------+---------+
#include <cstring>

#include "arguments.h"
#include "chapters.h"
#include "gss_raii.h"
#include "gss_status.h"
#include "handle.h"

namespace gssocks {
namespace {

Napi::Value Wrap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextResource& resource = IdleContext(info[0], "gss_wrap");
  const bool conf_req = BooleanArgument(info[1], "confReq");
  const uint32_t qop = Uint32Argument(info[2], "qop");
  gss_buffer_desc message = OctetsArgument(info[3], "message").desc();
  Buffer token;
  int conf_state = 0;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_wrap(&minor, resource.context.get(), conf_req ? 1 : 0, qop, &message, &conf_state, token.address());
  ThrowIfError(env, "gss_wrap", major, minor);
  auto result = Napi::Object::New(env);
  result.Set("token", Napi::Buffer<char>::Copy(env, token.data(), token.length()));
  result.Set("confState", conf_state != 0);
  return result;
}

Napi::Value Unwrap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextResource& resource = IdleContext(info[0], "gss_unwrap");
  // A copy: MIT writes into the token while it checks it, and leaves it so where the check fails.
  std::vector<uint8_t> copy = OctetsArgument(info[1], "token").copy();
  gss_buffer_desc token = Octets{copy.data(), copy.size()}.desc();
  const auto number = SequenceHistory::NumberOf(copy.data(), copy.size());
  Buffer message;
  int conf_state = 0;
  gss_qop_t qop = 0;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_unwrap(&minor, resource.context.get(), &token, message.address(), &conf_state, &qop);
  ThrowIfError(env, "gss_unwrap", major, minor);
  resource.received.Add(number);
  auto result = Napi::Object::New(env);
  result.Set("message", Napi::Buffer<char>::Copy(env, message.data(), message.length()));
  result.Set("confState", conf_state != 0);
  result.Set("qop", qop);
  result.Set("major", major);
  return result;
}

Napi::Value GetMic(const Napi::CallbackInfo& info) {
  ContextResource& resource = IdleContext(info[0], "gss_get_mic");
  const uint32_t qop = Uint32Argument(info[1], "qop");
  gss_buffer_desc message = OctetsArgument(info[2], "message").desc();
  Buffer mic;
  OM_uint32 minor;
  const OM_uint32 major = gss_get_mic(&minor, resource.context.get(), qop, &message, mic.address());
  ThrowIfError(info.Env(), "gss_get_mic", major, minor);
  return Napi::Buffer<char>::Copy(info.Env(), mic.data(), mic.length());
}

Napi::Value VerifyMic(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextResource& resource = IdleContext(info[0], "gss_verify_mic");
  gss_buffer_desc message = OctetsArgument(info[1], "message").desc();
  gss_buffer_desc mic = OctetsArgument(info[2], "mic").desc();
  const auto number = SequenceHistory::NumberOf(static_cast<const uint8_t*>(mic.value), mic.length);
  gss_qop_t qop = 0;
  OM_uint32 minor;
  const OM_uint32 major = gss_verify_mic(&minor, resource.context.get(), &message, &mic, &qop);
  ThrowIfError(env, "gss_verify_mic", major, minor);
  resource.received.Add(number);
  auto result = Napi::Object::New(env);
  result.Set("major", major);
  result.Set("qop", qop);
  return result;
}

/// What the caller reads instead of a result object, which the hot calls do without.
class PerMessageResult {
 public:
  explicit PerMessageResult(const Napi::Value& value) : fields_(Int32ArrayArgument(value, "result", 4)) {}

  /// Every value fits: offsets and lengths are bounded by kMaxOctets, and no error bit of `major` is set.
  void Fill(size_t offset, size_t length, int conf_state, OM_uint32 major) {
    fields_[0] = static_cast<int32_t>(offset);
    fields_[1] = static_cast<int32_t>(length);
    fields_[2] = conf_state != 0 ? 1 : 0;
    fields_[3] = static_cast<int32_t>(major);
  }

 private:
  int32_t* fields_;
};

#ifdef GSSOCKS_HEIMDAL
/// It takes no GSS_IOV_BUFFER_TYPE_STREAM, and no IOV in DCE style.
constexpr bool kHasIov = false;
#else
constexpr bool kHasIov = true;
#endif

/// For mechanisms without gss_wrap_iov.
size_t WrapWithCopy(Napi::Env env, gss_ctx_id_t context, bool conf_req, const Octets& input,
                    const Octets& room, int* conf_state) {
  gss_buffer_desc message = input.desc();
  Buffer token;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_wrap(&minor, context, conf_req ? 1 : 0, GSS_C_QOP_DEFAULT, &message, conf_state, token.address());
  ThrowIfError(env, "gss_wrap", major, minor);
  CheckRoom(env, token.length(), room, input);
  if (token.length() > 0) std::memcpy(room.data, token.data(), token.length());
  return token.length();
}

size_t WrapWithIov(Napi::Env env, gss_ctx_id_t context, bool conf_req, const Octets& input,
                   const Octets& room, int* conf_state) {
  gss_iov_buffer_desc iov[4] = {};
  iov[0].type = GSS_IOV_BUFFER_TYPE_HEADER;
  iov[1].type = GSS_IOV_BUFFER_TYPE_DATA;
  iov[1].buffer = input.desc();
  iov[2].type = GSS_IOV_BUFFER_TYPE_PADDING;
  iov[3].type = GSS_IOV_BUFFER_TYPE_TRAILER;

  OM_uint32 minor;
  OM_uint32 major =
      gss_wrap_iov_length(&minor, context, conf_req ? 1 : 0, GSS_C_QOP_DEFAULT, conf_state, iov, 4);
  if (GSS_ROUTINE_ERROR(major) == GSS_S_UNAVAILABLE) {
    return WrapWithCopy(env, context, conf_req, input, room, conf_state);
  }
  ThrowIfError(env, "gss_wrap_iov_length", major, minor);

  size_t length = 0;
  for (const auto& part : iov) length += part.buffer.length;
  CheckRoom(env, length, room, input);
  uint8_t* at = room.data;
  for (auto& part : iov) {
    part.buffer.value = at;
    at += part.buffer.length;
  }
  if (input.length > 0) std::memcpy(iov[1].buffer.value, input.data, input.length);

  major = gss_wrap_iov(&minor, context, conf_req ? 1 : 0, GSS_C_QOP_DEFAULT, conf_state, iov, 4);
  if (GSS_ERROR(major)) {
    // The plaintext is there already, where a caller expects what may be sent.
    std::memset(room.data, 0, length);
    throw FailureError(env, MakeFailure("gss_wrap_iov", major, minor));
  }
  return length;
}

Napi::Value WrapInto(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextResource& resource = IdleContext(info[0], "gss_wrap_iov");
  const bool conf_req = BooleanArgument(info[1], "confReq");
  const Octets input = RangeArgument(OctetsArgument(info[2], "input"), info[3], info[4], "input range");
  const Octets output = OctetsArgument(info[5], "output");
  const Octets room = RangeArgument(output, info[6], info[7], "output range");
  PerMessageResult result(info[8]);

  int conf_state = 0;
  const auto wrap = kHasIov ? WrapWithIov : WrapWithCopy;
  const size_t length = wrap(env, resource.context.get(), conf_req, input, room, &conf_state);
  result.Fill(static_cast<size_t>(room.data - output.data), length, conf_state, GSS_S_COMPLETE);
  return Napi::Number::New(env, static_cast<double>(length));
}

/// Where the message lies after the call, relative to the token's first octet.
struct Opened {
  size_t offset;
  size_t length;
  int conf_state;
  OM_uint32 major;
};

/// For mechanisms without gss_unwrap_iov and contexts in which it takes no stream.
Opened UnwrapWithCopy(Napi::Env env, gss_ctx_id_t context, const Octets& token) {
  gss_buffer_desc input = token.desc();
  Buffer message;
  Opened opened{};
  OM_uint32 minor;
  opened.major = gss_unwrap(&minor, context, &input, message.address(), &opened.conf_state, nullptr);
  ThrowIfError(env, "gss_unwrap", opened.major, minor);
  opened.length = message.length();
  if (opened.length > token.length)
    throw Napi::Error::New(env, "gss_unwrap: the message is longer than its token");
  if (opened.length > 0) std::memcpy(token.data, message.data(), opened.length);
  return opened;
}

Opened UnwrapWithIov(Napi::Env env, gss_ctx_id_t context, const Octets& token) {
  gss_iov_buffer_desc iov[2] = {};
  iov[0].type = GSS_IOV_BUFFER_TYPE_STREAM;
  iov[0].buffer = token.desc();
  iov[1].type = GSS_IOV_BUFFER_TYPE_DATA;

  Opened opened{};
  OM_uint32 minor;
  opened.major = gss_unwrap_iov(&minor, context, &opened.conf_state, nullptr, iov, 2);
  if (GSS_ROUTINE_ERROR(opened.major) == GSS_S_UNAVAILABLE) return UnwrapWithCopy(env, context, token);
  ThrowIfError(env, "gss_unwrap_iov", opened.major, minor);

  opened.length = iov[1].buffer.length;
  if (opened.length == 0) return opened;
  const auto begin = reinterpret_cast<uintptr_t>(token.data);
  const auto message = reinterpret_cast<uintptr_t>(iov[1].buffer.value);
  if (message < begin || message - begin > token.length || opened.length > token.length - (message - begin)) {
    throw Napi::Error::New(env, "gss_unwrap_iov: the message lies outside of its token");
  }
  opened.offset = message - begin;
  return opened;
}

Napi::Value UnwrapInPlace(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextResource& resource = IdleContext(info[0], "gss_unwrap_iov");
  const Octets buffer = OctetsArgument(info[1], "buffer");
  const Octets token = RangeArgument(buffer, info[2], info[3], "token range");
  PerMessageResult result(info[4]);

  const auto unwrap = kHasIov && !resource.dce_style ? UnwrapWithIov : UnwrapWithCopy;
  const auto number = SequenceHistory::NumberOf(token.data, token.length);
  const Opened opened = unwrap(env, resource.context.get(), token);
  resource.received.Add(number);
  const auto start = static_cast<size_t>(token.data - buffer.data);
  result.Fill(start + opened.offset, opened.length, opened.conf_state, opened.major);
  return Napi::Number::New(env, static_cast<double>(opened.length));
}

}  // namespace

void DefineMessages(Napi::Env, Napi::Object exports) {
  Export<Wrap>(exports, "wrap");
  Export<Unwrap>(exports, "unwrap");
  Export<GetMic>(exports, "getMic");
  Export<VerifyMic>(exports, "verifyMic");
  Export<WrapInto>(exports, "wrapInto");
  Export<UnwrapInPlace>(exports, "unwrapInPlace");
}

}  // namespace gssocks
