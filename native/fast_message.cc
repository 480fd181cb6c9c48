// Per-message protection without the library's calls: its keys, in RFC 4121's tokens (wrap_tokens.h).
#include <cstring>
#include <exception>

#include "arguments.h"
#include "chapters.h"
#include "gss_status.h"
#include "handle.h"

#ifndef GSSOCKS_HEIMDAL
extern "C" {
#include <gssapi/gssapi_krb5.h>
}
#endif

namespace gssocks {
namespace {

#ifdef GSSOCKS_HEIMDAL

/// Its lucid context has another shape, and is for test builds only.
std::shared_ptr<FastContextResource> ExportIfKnown(Napi::Env, ContextResource&, Lanes*) { return nullptr; }

#else

/// 1.2.840.113554.1.2.2, krb5; with 4 and an enctype behind it the OID of that enctype's session key.
constexpr uint8_t kKrb5[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};

struct ContextFacts {
  bool krb5 = false;
  OM_uint32 flags = 0;
};

ContextFacts Inquire(gss_ctx_id_t context) {
  ContextFacts facts;
  OM_uint32 minor;
  gss_OID mechanism = GSS_C_NO_OID;
  int open = 0;
  const OM_uint32 major = gss_inquire_context(&minor, context, nullptr, nullptr, nullptr, &mechanism,
                                              &facts.flags, nullptr, &open);
  facts.krb5 = !GSS_ERROR(major) && open != 0 && mechanism != GSS_C_NO_OID &&
               mechanism->length == sizeof kKrb5 &&
               std::memcmp(mechanism->elements, kKrb5, sizeof kKrb5) == 0;
  return facts;
}

/// Of the key that messages are sent with; null where the mechanism does not tell or we do not know it.
const Enctype* EnctypeOf(gss_ctx_id_t context) {
  OM_uint32 minor;
  gss_buffer_set_t data = GSS_C_NO_BUFFER_SET;
  const OM_uint32 major = gss_inquire_sec_context_by_oid(&minor, context, GSS_C_INQ_SSPI_SESSION_KEY, &data);
  const Enctype* enctype = nullptr;
  if (!GSS_ERROR(major) && data != GSS_C_NO_BUFFER_SET && data->count == 2) {
    OpenSsl::Get().OPENSSL_cleanse(data->elements[0].value, data->elements[0].length);
    const gss_buffer_desc& oid = data->elements[1];
    const auto* octets = static_cast<const uint8_t*>(oid.value);
    if (oid.length == sizeof kKrb5 + 2 && std::memcmp(octets, kKrb5, sizeof kKrb5) == 0 &&
        octets[sizeof kKrb5] == 4)
      enctype = Enctype::Find(octets[sizeof kKrb5 + 1]);
  }
  if (data != GSS_C_NO_BUFFER_SET) gss_release_buffer_set(&minor, &data);
  return enctype;
}

struct FreeLucid {
  void operator()(gss_krb5_lucid_context_v1_t* lucid) const {
    OM_uint32 minor;
    // It zeroes the keys.
    gss_krb5_free_lucid_sec_context(&minor, lucid);
  }
};

ContextKey KeyOf(const gss_krb5_lucid_key_t& key) {
  const Enctype* enctype = Enctype::Find(key.type);
  if (enctype != nullptr && key.length != enctype->key_length) enctype = nullptr;
  return {enctype, static_cast<const uint8_t*>(key.data)};
}

/// Null, and the context as it was, where its tokens are not ones that we know how to make.
std::shared_ptr<FastContextResource> ExportIfKnown(Napi::Env env, ContextResource& resource, Lanes* lanes) {
  if (OpenSsl::Find() == nullptr || resource.dce_style || !resource.received.whole()) return nullptr;
  const ContextFacts facts = Inquire(resource.context.get());
  if (!facts.krb5 || EnctypeOf(resource.context.get()) == nullptr) return nullptr;

  OM_uint32 minor;
  void* exported = nullptr;
  const OM_uint32 major = gss_krb5_export_lucid_sec_context(&minor, resource.context.address(), 1, &exported);
  if (GSS_ERROR(major) && resource.context) return nullptr;
  ThrowIfError(env, "gss_krb5_export_lucid_sec_context", major, minor);
  const std::unique_ptr<gss_krb5_lucid_context_v1_t, FreeLucid> lucid(
      static_cast<gss_krb5_lucid_context_v1_t*>(exported));
  const gss_krb5_cfx_keydata_t& keys = lucid->cfx_kd;
  const bool subkey = keys.have_acceptor_subkey != 0;
  const ContextKey key = KeyOf(keys.ctx_key);
  const ContextKey acceptor_subkey = subkey ? KeyOf(keys.acceptor_subkey) : key;
  if (lucid->version != 1 || lucid->protocol != 1 || acceptor_subkey.enctype == nullptr) {
    throw Napi::Error::New(env, "gss_krb5_export_lucid_sec_context: not the context that was inquired");
  }
  // recv_seq is the first number that the peer may have sent, however many have come since.
  return std::make_shared<FastContextResource>(WrapTokens::Options{
      lanes, lucid->initiate != 0, key, subkey ? std::optional<ContextKey>(acceptor_subkey) : std::nullopt,
      lucid->send_seq, SequenceWindow(lucid->recv_seq, facts.flags, resource.received)});
}

#endif

Napi::Value ExportFastContext(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextResource& resource = IdleContext(info[0], "gss_krb5_export_lucid_sec_context");
  const bool lanes = BooleanArgument(info[1], "lanes");
  auto fast = ExportIfKnown(env, resource, lanes ? Lanes::OfThisThread() : nullptr);
  if (!fast) return env.Null();
  return FastContextHandle::New(env, std::move(fast));
}

WrapTokens& TokensArgument(const Napi::Value& value) { return IdleFastContext(value)->tokens; }

/// An Int32Array of 5: offset and length of the messages, where the call ended, major status, conf_state.
int32_t* ResultArgument(const Napi::Value& value) { return Int32ArrayArgument(value, "result", 5); }

Napi::Value SealFrames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  WrapTokens& tokens = TokensArgument(info[0]);
  const bool conf = BooleanArgument(info[1], "conf");
  const Octets input = RangeArgument(OctetsArgument(info[2], "input"), info[3], info[4], "input range");
  const Octets output = RangeArgument(OctetsArgument(info[5], "output"), info[6], info[7], "output range");
  CheckRoom(env, tokens.Room(conf, input.length), output, input);
  try {
    const size_t length = tokens.Seal(conf, input.data, input.length, output.data);
    return Napi::Number::New(env, static_cast<double>(length));
  } catch (const std::exception& failure) {
    // The plaintext may be there already, where a caller expects what may be sent.
    std::memset(output.data, 0, output.length);
    throw Napi::Error::New(env, failure.what());
  }
}

Napi::Value OpenFrames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  WrapTokens& tokens = TokensArgument(info[0]);
  const bool conf_required = BooleanArgument(info[1], "confRequired");
  const Octets buffer = OctetsArgument(info[2], "buffer");
  const Octets frames = RangeArgument(buffer, info[3], info[4], "range of frames");
  int32_t* result = ResultArgument(info[5]);
  try {
    const WrapTokens::Opened opened = tokens.Open(conf_required, frames.data, frames.length);
    const auto start = static_cast<size_t>(frames.data - buffer.data);
    result[0] = static_cast<int32_t>(start + opened.offset);
    result[1] = static_cast<int32_t>(opened.length);
    result[2] = static_cast<int32_t>(start + opened.end);
    result[3] = static_cast<int32_t>(opened.major);
    result[4] = opened.conf_state ? 1 : 0;
  } catch (const std::exception& failure) {
    throw Napi::Error::New(env, failure.what());
  }
  return env.Undefined();
}

Napi::Value FastPathEngines(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto engines = Napi::Array::New(env);
  if (OpenSsl::Find() == nullptr) return engines;
  if (Lanes::Version() != nullptr) engines.Set(engines.Length(), Lanes::Version());
  engines.Set(engines.Length(), "OpenSSL");
  return engines;
}

}  // namespace

void DefineFastMessages(Napi::Env, Napi::Object exports) {
  Export<ExportFastContext>(exports, "exportFastContext");
  Export<SealFrames>(exports, "sealFrames");
  Export<OpenFrames>(exports, "openFrames");
  Export<FastPathEngines>(exports, "fastPathEngines");
}

}  // namespace gssocks
