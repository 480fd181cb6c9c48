// Credentials: RFC 2744 §5.2, 5.21; gss_acquire_cred_from, gss_acquire_cred_with_password,
// gss_acquire_cred_impersonate_name, gss_store_cred_into, gss_set_neg_mechs.
#include <cstring>

#include "arguments.h"
#include "async_call.h"
#include "chapters.h"
#include "gss_raii.h"
#include "handle.h"

namespace gssocks {
namespace {

constexpr uint32_t kMaxStoreElements = 16;

Napi::Array StringArray(Napi::Env env, const std::vector<std::string>& texts) {
  auto array = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); i++) array.Set(i, texts[i]);
  return array;
}

/// GSS_C_BOTH is 0, GSS_C_INITIATE 1, GSS_C_ACCEPT 2.
gss_cred_usage_t UsageArgument(const Napi::Value& value) {
  return static_cast<gss_cred_usage_t>(Uint32Argument(value, "usage", GSS_C_ACCEPT));
}

std::shared_ptr<NameResource> OptionalName(const Napi::Value& value) {
  return IsAbsent(value) ? nullptr : NameHandle::From(value, "name");
}

/// A gss_key_value_set_desc with its strings.
class Store {
 public:
  Store() = default;
  explicit Store(const Napi::Value& value) {
    if (IsAbsent(value)) return;
    const Napi::Env env = value.Env();
    if (!value.IsArray()) throw CodedTypeError(env, "ERR_INVALID_ARG_TYPE", "store must be an array or null");
    const auto rows = value.As<Napi::Array>();
    if (rows.Length() > kMaxStoreElements) throw CodedRangeError(env, "store has more than 16 elements");
    for (uint32_t i = 0; i < rows.Length(); i++) {
      const Napi::Value row = rows[i];
      if (!row.IsArray())
        throw CodedTypeError(env, "ERR_INVALID_ARG_TYPE", "store must hold [key, value] pairs");
      const auto pair = row.As<Napi::Array>();
      strings_.emplace_back(StringArgument(pair[0u], "store key"), StringArgument(pair[1u], "store value"));
    }
    present_ = true;
  }

  gss_const_key_value_set_t get() {
    if (!present_) return nullptr;
    elements_.clear();
    for (const auto& [key, text] : strings_) elements_.push_back({key.c_str(), text.c_str()});
    set_ = {static_cast<OM_uint32>(elements_.size()), elements_.data()};
    return &set_;
  }

 private:
  bool present_ = false;
  std::vector<std::pair<std::string, std::string>> strings_;
  std::vector<gss_key_value_element_desc> elements_;
  gss_key_value_set_desc set_{0, nullptr};
};

/// All ways to acquire, which differ in the C function alone.
class AcquireCall : public AsyncCall {
 protected:
  AcquireCall(std::shared_ptr<NameResource> name, uint32_t lifetime, OidList mechanisms,
              gss_cred_usage_t usage)
      : name_(std::move(name)), lifetime_(lifetime), mechanisms_(std::move(mechanisms)), usage_(usage) {}

  gss_name_t name() const { return name_ ? name_->name.get() : GSS_C_NO_NAME; }

  Napi::Value Result(Napi::Env env) override {
    auto result = Napi::Object::New(env);
    result.Set("credential", NewCredentialHandle(env, std::move(credential_)));
    result.Set("mechanisms", StringArray(env, OidTexts(actual_.get())));
    result.Set("lifetime", acquired_lifetime_);
    return result;
  }

  std::shared_ptr<NameResource> name_;
  uint32_t lifetime_;
  OidList mechanisms_;
  gss_cred_usage_t usage_;
  Credential credential_;
  OwnedOidSet actual_;
  OM_uint32 acquired_lifetime_ = 0;
};

class AcquireFromCall : public AcquireCall {
 public:
  AcquireFromCall(std::shared_ptr<NameResource> name, uint32_t lifetime, OidList mechanisms,
                  gss_cred_usage_t usage, Store store)
      : AcquireCall(std::move(name), lifetime, std::move(mechanisms), usage), store_(std::move(store)) {}

 private:
  void Execute() override {
    OM_uint32 minor;
    const OM_uint32 major =
        gss_acquire_cred_from(&minor, name(), lifetime_, mechanisms_.get(), usage_, store_.get(),
                              credential_.address(), actual_.address(), &acquired_lifetime_);
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_acquire_cred_from", major, minor));
  }

  Store store_;
};

Napi::Value AcquireCredFrom(const Napi::CallbackInfo& info) {
  return AsyncCall::Start(info.Env(), std::make_unique<AcquireFromCall>(
                                          OptionalName(info[0]), Uint32Argument(info[1], "lifetime"),
                                          OptionalOidListArgument(info[2], "mechanisms"),
                                          UsageArgument(info[3]), Store(info[4])));
}

class AcquireWithPasswordCall : public AcquireCall {
 public:
  AcquireWithPasswordCall(std::shared_ptr<NameResource> name, std::vector<uint8_t> password,
                          uint32_t lifetime, OidList mechanisms, gss_cred_usage_t usage)
      : AcquireCall(std::move(name), lifetime, std::move(mechanisms), usage),
        password_(std::move(password)) {}
  ~AcquireWithPasswordCall() override { Wipe(); }

 private:
  void Wipe() {
    // Through a volatile pointer, so that the stores stay although nobody reads them.
    volatile uint8_t* octets = password_.data();
    for (size_t i = 0; i < password_.size(); i++) octets[i] = 0;
  }

  void Execute() override {
    gss_buffer_desc password = Octets{password_.data(), password_.size()}.desc();
    OM_uint32 minor;
    const OM_uint32 major =
        gss_acquire_cred_with_password(&minor, name(), &password, lifetime_, mechanisms_.get(), usage_,
                                       credential_.address(), actual_.address(), &acquired_lifetime_);
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_acquire_cred_with_password", major, minor));
    Wipe();
  }

  std::vector<uint8_t> password_;
};

Napi::Value AcquireCredWithPassword(const Napi::CallbackInfo& info) {
  std::shared_ptr<NameResource> name = NameHandle::From(info[0], "name");
  std::vector<uint8_t> password = OctetsArgument(info[1], "password").copy();
  const uint32_t lifetime = Uint32Argument(info[2], "lifetime");
  OidList mechanisms = OptionalOidListArgument(info[3], "mechanisms");
  const gss_cred_usage_t usage = UsageArgument(info[4]);
  return AsyncCall::Start(
      info.Env(), std::make_unique<AcquireWithPasswordCall>(std::move(name), std::move(password), lifetime,
                                                            std::move(mechanisms), usage));
}

class ImpersonateCall : public AcquireCall {
 public:
  ImpersonateCall(const Napi::Value& impersonator, std::shared_ptr<NameResource> name, uint32_t lifetime,
                  OidList mechanisms, gss_cred_usage_t usage)
      : AcquireCall(std::move(name), lifetime, std::move(mechanisms), usage), impersonator_(impersonator) {}

 private:
  void Execute() override {
    OM_uint32 minor;
    const OM_uint32 major = gss_acquire_cred_impersonate_name(
        &minor, impersonator_.get(), this->name(), lifetime_, mechanisms_.get(), usage_,
        credential_.address(), actual_.address(), &acquired_lifetime_);
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_acquire_cred_impersonate_name", major, minor));
  }

  CredentialLease impersonator_;
};

Napi::Value AcquireCredImpersonateName(const Napi::CallbackInfo& info) {
  CredentialHandle::From(info[0], "impersonator");
  std::shared_ptr<NameResource> name = NameHandle::From(info[1], "name");
  const uint32_t lifetime = Uint32Argument(info[2], "lifetime");
  OidList mechanisms = OptionalOidListArgument(info[3], "mechanisms");
  const gss_cred_usage_t usage = UsageArgument(info[4]);
  return AsyncCall::Start(info.Env(), std::make_unique<ImpersonateCall>(info[0], std::move(name), lifetime,
                                                                        std::move(mechanisms), usage));
}

class StoreCall : public AsyncCall {
 public:
  explicit StoreCall(const Napi::CallbackInfo& info)
      : credential_(info[0]),
        usage_(UsageArgument(info[1])),
        mechanism_(OptionalOidArgument(info[2], "mechanism")),
        overwrite_(BooleanArgument(info[3], "overwrite")),
        as_default_(BooleanArgument(info[4], "asDefault")),
        store_(info[5]) {}

 private:
  void Execute() override {
    OM_uint32 minor;
    const OM_uint32 major =
        gss_store_cred_into(&minor, credential_.get(), usage_, mechanism_.get(), overwrite_ ? 1 : 0,
                            as_default_ ? 1 : 0, store_.get(), nullptr, nullptr);
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_store_cred_into", major, minor, mechanism_.get()));
  }

  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }

  CredentialLease credential_;
  gss_cred_usage_t usage_;
  Oid mechanism_;
  bool overwrite_;
  bool as_default_;
  Store store_;
};

Napi::Value StoreCredInto(const Napi::CallbackInfo& info) {
  CredentialHandle::From(info[0], "credential");
  return AsyncCall::Start(info.Env(), std::make_unique<StoreCall>(info));
}

class InquireCredCall : public AsyncCall {
 public:
  explicit InquireCredCall(const Napi::Value& credential) : credential_(credential) {}

 private:
  void Execute() override {
    OM_uint32 minor;
    const OM_uint32 major = gss_inquire_cred(&minor, credential_.get(), name_.address(), &lifetime_, &usage_,
                                             mechanisms_.address());
    if (GSS_ERROR(major)) Fail(MakeFailure("gss_inquire_cred", major, minor));
  }

  Napi::Value Result(Napi::Env env) override {
    auto result = Napi::Object::New(env);
    if (name_) result.Set("name", NewNameHandle(env, std::move(name_)));
    result.Set("lifetime", lifetime_);
    result.Set("usage", usage_);
    result.Set("mechanisms", StringArray(env, OidTexts(mechanisms_.get())));
    return result;
  }

  CredentialLease credential_;
  Name name_;
  OM_uint32 lifetime_ = 0;
  gss_cred_usage_t usage_ = GSS_C_BOTH;
  OwnedOidSet mechanisms_;
};

Napi::Value InquireCred(const Napi::CallbackInfo& info) {
  CredentialHandle::From(info[0], "credential");
  return AsyncCall::Start(info.Env(), std::make_unique<InquireCredCall>(info[0]));
}

Napi::Value SetNegMechs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (IsAbsent(info[1]))
    throw CodedTypeError(env, "ERR_INVALID_ARG_TYPE", "mechanisms must be an array of OIDs");
  // Before the handle is looked at: an element may be a getter, which may close it.
  OidList mechanisms = OptionalOidListArgument(info[1], "mechanisms");
  CredentialResource& resource = *CredentialHandle::From(info[0], "credential");
  // SPNEGO's list has no lock: a pending call may be reading it.
  if (resource.pending > 0) {
    auto error = Napi::Error::New(env, "a call with this credential is pending");
    error.Set("code", "ERR_GSSOCKS_BUSY");
    throw error;
  }
  OM_uint32 minor;
  const OM_uint32 major = gss_set_neg_mechs(&minor, resource.credential.get(), mechanisms.get());
  ThrowIfError(env, "gss_set_neg_mechs", major, minor);
  return env.Undefined();
}

}  // namespace

void DefineCredentials(Napi::Env, Napi::Object exports) {
  Export<AcquireCredFrom>(exports, "acquireCredFrom");
  Export<AcquireCredWithPassword>(exports, "acquireCredWithPassword");
  Export<AcquireCredImpersonateName>(exports, "acquireCredImpersonateName");
  Export<StoreCredInto>(exports, "storeCredInto");
  Export<InquireCred>(exports, "inquireCred");
  Export<SetNegMechs>(exports, "setNegMechs");
}

}  // namespace gssocks
