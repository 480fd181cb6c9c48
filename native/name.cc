// Names: RFC 2744 §5.3, 5.4, 5.10, 5.13, 5.14, 5.16; gss_localname.
#include "arguments.h"
#include "async_call.h"
#include "chapters.h"
#include "gss_raii.h"
#include "handle.h"

namespace gssocks {
namespace {

gss_name_t NameArgument(const Napi::Value& value, const char* what) {
  return NameHandle::From(value, what)->name.get();
}

Napi::Value ImportName(const Napi::CallbackInfo& info) {
  gss_buffer_desc text = OctetsArgument(info[0], "name").desc();
  Oid type = OptionalOidArgument(info[1], "nameType");
  Name name;
  OM_uint32 minor;
  const OM_uint32 major = gss_import_name(&minor, &text, type.get(), name.address());
  ThrowIfError(info.Env(), "gss_import_name", major, minor);
  return NewNameHandle(info.Env(), std::move(name));
}

Napi::Value DisplayName(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Buffer text;
  gss_OID type = GSS_C_NO_OID;
  OM_uint32 minor;
  const OM_uint32 major = gss_display_name(&minor, NameArgument(info[0], "name"), text.address(), &type);
  ThrowIfError(env, "gss_display_name", major, minor);
  auto result = Napi::Object::New(env);
  result.Set("text", Napi::Buffer<char>::Copy(env, text.data(), text.length()));
  if (type != GSS_C_NO_OID) result.Set("nameType", OidText(type));
  return result;
}

class CanonicalizeCall : public AsyncCall {
 public:
  CanonicalizeCall(std::shared_ptr<NameResource> name, Oid mechanism)
      : name_(std::move(name)), mechanism_(std::move(mechanism)) {}

 private:
  void Execute() override {
    OM_uint32 minor;
    const OM_uint32 major =
        gss_canonicalize_name(&minor, name_->name.get(), mechanism_.get(), output_.address());
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_canonicalize_name", major, minor, mechanism_.get()));
  }
  Napi::Value Result(Napi::Env env) override { return NewNameHandle(env, std::move(output_)); }

  std::shared_ptr<NameResource> name_;
  Oid mechanism_;
  Name output_;
};

Napi::Value CanonicalizeName(const Napi::CallbackInfo& info) {
  return AsyncCall::Start(info.Env(), std::make_unique<CanonicalizeCall>(NameHandle::From(info[0], "name"),
                                                                         OidArgument(info[1], "mechanism")));
}

Napi::Value CompareName(const Napi::CallbackInfo& info) {
  int equal = 0;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_compare_name(&minor, NameArgument(info[0], "name"), NameArgument(info[1], "name"), &equal);
  ThrowIfError(info.Env(), "gss_compare_name", major, minor);
  return Napi::Boolean::New(info.Env(), equal != 0);
}

Napi::Value DuplicateName(const Napi::CallbackInfo& info) {
  Name copy;
  OM_uint32 minor;
  const OM_uint32 major = gss_duplicate_name(&minor, NameArgument(info[0], "name"), copy.address());
  ThrowIfError(info.Env(), "gss_duplicate_name", major, minor);
  return NewNameHandle(info.Env(), std::move(copy));
}

Napi::Value ExportName(const Napi::CallbackInfo& info) {
  Buffer exported;
  OM_uint32 minor;
  const OM_uint32 major = gss_export_name(&minor, NameArgument(info[0], "name"), exported.address());
  ThrowIfError(info.Env(), "gss_export_name", major, minor);
  return Napi::Buffer<char>::Copy(info.Env(), exported.data(), exported.length());
}

class LocalnameCall : public AsyncCall {
 public:
  LocalnameCall(std::shared_ptr<NameResource> name, Oid mechanism)
      : name_(std::move(name)), mechanism_(std::move(mechanism)) {}

 private:
  void Execute() override {
    OM_uint32 minor;
    const OM_uint32 major = gss_localname(&minor, name_->name.get(), mechanism_.get(), local_.address());
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_localname", major, minor, mechanism_.get()));
  }
  Napi::Value Result(Napi::Env env) override {
    return Napi::String::New(env, local_.data() == nullptr ? "" : local_.data(), local_.length());
  }

  std::shared_ptr<NameResource> name_;
  Oid mechanism_;
  Buffer local_;
};

Napi::Value Localname(const Napi::CallbackInfo& info) {
  return AsyncCall::Start(info.Env(),
                          std::make_unique<LocalnameCall>(NameHandle::From(info[0], "name"),
                                                          OptionalOidArgument(info[1], "mechanism")));
}

}  // namespace

void DefineNames(Napi::Env, Napi::Object exports) {
  Export<ImportName>(exports, "importName");
  Export<DisplayName>(exports, "displayName");
  Export<CanonicalizeName>(exports, "canonicalizeName");
  Export<CompareName>(exports, "compareName");
  Export<DuplicateName>(exports, "duplicateName");
  Export<ExportName>(exports, "exportName");
  Export<Localname>(exports, "localname");
}

}  // namespace gssocks
