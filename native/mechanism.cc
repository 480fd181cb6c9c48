// Mechanisms and status: RFC 2744 §5.11, 5.17, 5.24; RFC 5587; RFC 5801.
#include "arguments.h"
#include "chapters.h"
#include "gss_raii.h"
#include "gss_status.h"

namespace gssocks {
namespace {

Napi::Array TextArray(Napi::Env env, gss_OID_set set) {
  const auto texts = OidTexts(set);
  auto array = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); i++) array.Set(i, texts[i]);
  return array;
}

Napi::Value IndicateMechs(const Napi::CallbackInfo& info) {
  OwnedOidSet mechanisms;
  OM_uint32 minor;
  const OM_uint32 major = gss_indicate_mechs(&minor, mechanisms.address());
  ThrowIfError(info.Env(), "gss_indicate_mechs", major, minor);
  return TextArray(info.Env(), mechanisms.get());
}

Napi::Value InquireAttrsForMech(const Napi::CallbackInfo& info) {
  Oid mechanism = OidArgument(info[0], "mechanism");
  OwnedOidSet attributes;
  OwnedOidSet known;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_inquire_attrs_for_mech(&minor, mechanism.get(), attributes.address(), known.address());
  ThrowIfError(info.Env(), "gss_inquire_attrs_for_mech", major, minor, mechanism.get());
  auto result = Napi::Object::New(info.Env());
  result.Set("attributes", TextArray(info.Env(), attributes.get()));
  result.Set("known", TextArray(info.Env(), known.get()));
  return result;
}

Napi::Value Text(Napi::Env env, const Buffer& buffer) {
  return Napi::String::New(env, buffer.data() == nullptr ? "" : buffer.data(), buffer.length());
}

Napi::Value InquireSaslnameForMech(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Oid mechanism = OidArgument(info[0], "mechanism");
  Buffer sasl_name;
  Buffer name;
  Buffer description;
  OM_uint32 minor;
  const OM_uint32 major = gss_inquire_saslname_for_mech(&minor, mechanism.get(), sasl_name.address(),
                                                        name.address(), description.address());
  ThrowIfError(env, "gss_inquire_saslname_for_mech", major, minor, mechanism.get());
  auto result = Napi::Object::New(env);
  result.Set("saslName", Text(env, sasl_name));
  result.Set("name", Text(env, name));
  result.Set("description", Text(env, description));
  return result;
}

Napi::Value InquireNamesForMech(const Napi::CallbackInfo& info) {
  Oid mechanism = OidArgument(info[0], "mechanism");
  OwnedOidSet types;
  OM_uint32 minor;
  const OM_uint32 major = gss_inquire_names_for_mech(&minor, mechanism.get(), types.address());
  ThrowIfError(info.Env(), "gss_inquire_names_for_mech", major, minor, mechanism.get());
  return TextArray(info.Env(), types.get());
}

Napi::Value DisplayMajorStatus(const Napi::CallbackInfo& info) {
  const uint32_t major = Uint32Argument(info[0], "major");
  return Napi::String::New(info.Env(), StatusText(major, GSS_C_GSS_CODE, GSS_C_NO_OID));
}

}  // namespace

void DefineMechanisms(Napi::Env, Napi::Object exports) {
  Export<IndicateMechs>(exports, "indicateMechs");
  Export<InquireAttrsForMech>(exports, "inquireAttrsForMech");
  Export<InquireSaslnameForMech>(exports, "inquireSaslnameForMech");
  Export<InquireNamesForMech>(exports, "inquireNamesForMech");
  Export<DisplayMajorStatus>(exports, "displayMajorStatus");
}

}  // namespace gssocks
