// Security contexts: RFC 2744 §5.1, 5.19, 5.20, 5.21, 5.34.
#include "arguments.h"
#include "async_call.h"
#include "chapters.h"
#include "gss_raii.h"
#include "handle.h"
#include "impersonation.h"

namespace gssocks {
namespace {

/// struct gss_channel_bindings_struct (RFC 2744 §3.11) with its octets.
class ChannelBindings {
 public:
  explicit ChannelBindings(const Napi::Value& value) {
    if (IsAbsent(value)) return;
    if (!value.IsObject()) {
      throw CodedTypeError(value.Env(), "ERR_INVALID_ARG_TYPE", "bindings must be an object or null");
    }
    const auto object = value.As<Napi::Object>();
    initiator_type_ = Uint32Argument(object.Get("initiatorAddrtype"), "initiatorAddrtype");
    initiator_ = OctetsArgument(object.Get("initiatorAddress"), "initiatorAddress").copy();
    acceptor_type_ = Uint32Argument(object.Get("acceptorAddrtype"), "acceptorAddrtype");
    acceptor_ = OctetsArgument(object.Get("acceptorAddress"), "acceptorAddress").copy();
    data_ = OctetsArgument(object.Get("applicationData"), "applicationData").copy();
    present_ = true;
  }

  gss_channel_bindings_t get() {
    if (!present_) return GSS_C_NO_CHANNEL_BINDINGS;
    bindings_ = {initiator_type_,
                 {initiator_.size(), initiator_.data()},
                 acceptor_type_,
                 {acceptor_.size(), acceptor_.data()},
                 {data_.size(), data_.data()}};
    return &bindings_;
  }

 private:
  bool present_ = false;
  uint32_t initiator_type_ = 0;
  std::vector<uint8_t> initiator_;
  uint32_t acceptor_type_ = 0;
  std::vector<uint8_t> acceptor_;
  std::vector<uint8_t> data_;
  gss_channel_bindings_struct bindings_{};
};

/// One step of context establishment, on either side.
class EstablishCall : public AsyncCall {
 protected:
  EstablishCall(const Napi::Value& context, const Napi::Value& credential, const Napi::Value& bindings,
                std::vector<uint8_t> token)
      : context_(context), credential_(credential), bindings_(bindings), token_(std::move(token)) {}

  gss_buffer_desc input() { return Octets{token_.data(), token_.size()}.desc(); }

  void Finish(const char* call, OM_uint32 major, OM_uint32 minor, gss_OID mechanism) {
    major_ = major;
    mechanism_ = OidText(mechanism);
    if (!GSS_ERROR(major)) return;
    Failure failure = MakeFailure(call, major, minor, mechanism);
    failure.output_token.assign(output_.data(), output_.data() + output_.length());
    Fail(std::move(failure));
  }

  Napi::Value Result(Napi::Env env) override {
    context_.resource().dce_style = (flags_ & GSS_C_DCE_STYLE) != 0;
    auto result = Napi::Object::New(env);
    result.Set("major", major_);
    if (output_.length() > 0)
      result.Set("token", Napi::Buffer<char>::Copy(env, output_.data(), output_.length()));
    result.Set("flags", flags_);
    result.Set("lifetime", lifetime_);
    if (!mechanism_.empty()) result.Set("mechanism", mechanism_);
    return result;
  }

  ContextLease context_;
  CredentialLease credential_;
  ChannelBindings bindings_;
  Buffer output_;
  OM_uint32 flags_ = 0;
  OM_uint32 lifetime_ = 0;

 private:
  std::vector<uint8_t> token_;
  OM_uint32 major_ = 0;
  std::string mechanism_;
};

class InitCall : public EstablishCall {
 public:
  explicit InitCall(const Napi::CallbackInfo& info)
      : EstablishCall(info[0], info[1], info[6], OptionalToken(info[7])),
        target_(NameHandle::From(info[2], "target")),
        mechanism_(OptionalOidArgument(info[3], "mechanism")),
        request_flags_(Uint32Argument(info[4], "flags")),
        request_lifetime_(Uint32Argument(info[5], "lifetime")),
        has_token_(!IsAbsent(info[7])) {}

 private:
  static std::vector<uint8_t> OptionalToken(const Napi::Value& value) {
    return IsAbsent(value) ? std::vector<uint8_t>() : OctetsArgument(value, "token").copy();
  }

  void Execute() override {
    gss_buffer_desc token = input();
    gss_OID actual = GSS_C_NO_OID;
    OM_uint32 minor;
    const OM_uint32 major = gss_init_sec_context(
        &minor, credential_.get(), context_.address(), target_->name.get(), mechanism_.get(), request_flags_,
        request_lifetime_, bindings_.get(), has_token_ ? &token : GSS_C_NO_BUFFER, &actual, output_.address(),
        &flags_, &lifetime_);
    Finish("gss_init_sec_context", major, minor, actual != GSS_C_NO_OID ? actual : mechanism_.get());
  }

  std::shared_ptr<NameResource> target_;
  Oid mechanism_;
  uint32_t request_flags_;
  uint32_t request_lifetime_;
  bool has_token_;
};

Napi::Value InitSecContext(const Napi::CallbackInfo& info) {
  return AsyncCall::Start(info.Env(), std::make_unique<InitCall>(info));
}

/// What gss_inquire_context tells, with the names as texts. Asked on any thread.
class ContextInfo {
 public:
  std::optional<Failure> Inquire(gss_ctx_id_t context) {
    gss_OID mechanism = GSS_C_NO_OID;
    OM_uint32 minor;
    // Without names first: where the context has expired, MIT would make them and not give them to us.
    OM_uint32 major = gss_inquire_context(&minor, context, nullptr, nullptr, &lifetime_, &mechanism, &flags_,
                                          &local_, &open_);
    if (GSS_ERROR(major)) return MakeFailure("gss_inquire_context", major, minor);
    mechanism_ = OidText(mechanism);
    // gss-ntlmssp 1.2 crashes over the acceptor's name on the acceptor's side, where it has none.
    const bool has_acceptor = local_ != 0 || mechanism_ != "1.3.6.1.4.1.311.2.2.10";
    Name initiator;
    Name acceptor;
    major =
        gss_inquire_context(&minor, context, initiator.address(), has_acceptor ? acceptor.address() : nullptr,
                            nullptr, nullptr, nullptr, nullptr, nullptr);
    if (GSS_ERROR(major)) return MakeFailure("gss_inquire_context", major, minor);
    auto failure = initiator_.Display(initiator.get());
    return failure ? std::move(failure) : acceptor_.Display(acceptor.get());
  }

  Napi::Object ToObject(Napi::Env env) const {
    auto result = Napi::Object::New(env);
    if (initiator_.present) result.Set("initiator", initiator_.text);
    if (!initiator_.type.empty()) result.Set("initiatorType", initiator_.type);
    if (acceptor_.present) result.Set("acceptor", acceptor_.text);
    result.Set("lifetime", lifetime_);
    if (!mechanism_.empty()) result.Set("mechanism", mechanism_);
    result.Set("flags", flags_);
    result.Set("locallyInitiated", local_ != 0);
    result.Set("open", open_ != 0);
    return result;
  }

 private:
  struct Displayed {
    bool present = false;
    std::string text;
    std::string type;

    std::optional<Failure> Display(gss_name_t name) {
      if (name == GSS_C_NO_NAME) return std::nullopt;
      Buffer buffer;
      gss_OID name_type = GSS_C_NO_OID;
      OM_uint32 minor;
      const OM_uint32 major = gss_display_name(&minor, name, buffer.address(), &name_type);
      if (GSS_ERROR(major)) return MakeFailure("gss_display_name", major, minor);
      present = true;
      text.assign(buffer.data() == nullptr ? "" : buffer.data(), buffer.length());
      // gss-ntlmssp counts the NUL behind its names.
      if (!text.empty() && text.back() == '\0') text.pop_back();
      type = OidText(name_type);
      return std::nullopt;
    }
  };

  Displayed initiator_;
  Displayed acceptor_;
  OM_uint32 lifetime_ = 0;
  std::string mechanism_;
  OM_uint32 flags_ = 0;
  int local_ = 0;
  int open_ = 0;
};

class AcceptCall : public EstablishCall {
 public:
  explicit AcceptCall(const Napi::CallbackInfo& info)
      : EstablishCall(info[0], info[1], info[2], OctetsArgument(info[3], "token").copy()) {}

 private:
  void Execute() override {
    gss_buffer_desc token = input();
    gss_OID mechanism = GSS_C_NO_OID;
    OM_uint32 minor;
    const OM_uint32 major = gss_accept_sec_context(&minor, context_.address(), credential_.get(), &token,
                                                   bindings_.get(), nullptr, &mechanism, output_.address(),
                                                   &flags_, &lifetime_, delegated_.address());
    Finish("gss_accept_sec_context", major, minor, mechanism);
    if (GSS_ERROR(major) || (major & GSS_S_CONTINUE_NEEDED) != 0) return;
    // Each name costs MIT a library context or two: here that keeps no event loop waiting.
    info_.emplace();
    auto failure = info_->Inquire(*context_.address());
    if (!failure && delegated_)
      failure = InquireImpersonation(delegated_.get(), *context_.address(), &impersonation_);
    if (failure) Fail(std::move(*failure));
  }

  Napi::Value Result(Napi::Env env) override {
    auto result = EstablishCall::Result(env).As<Napi::Object>();
    if (info_) result.Set("info", info_->ToObject(env));
    if (delegated_) result.Set("delegated", NewCredentialHandle(env, std::move(delegated_)));
    if (!impersonation_.impersonator.empty()) {
      result.Set("impersonator", impersonation_.impersonator);
      result.Set("forwardable", impersonation_.forwardable);
    }
    return result;
  }

  std::optional<ContextInfo> info_;
  Credential delegated_;
  Impersonation impersonation_;
};

Napi::Value AcceptSecContext(const Napi::CallbackInfo& info) {
  const bool in_turn = !IsAbsent(info[4]) && BooleanArgument(info[4], "inTurn");
  auto call = std::make_unique<AcceptCall>(info);
  return in_turn ? AsyncCall::StartInTurn(info.Env(), std::move(call))
                 : AsyncCall::Start(info.Env(), std::move(call));
}

Napi::Value NewContext(const Napi::CallbackInfo& info) {
  return ContextHandle::New(info.Env(), std::make_shared<ContextResource>());
}

Napi::Value InquireContext(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ContextInfo context;
  const auto failure = context.Inquire(IdleContext(info[0], "gss_inquire_context").context.get());
  if (failure) throw FailureError(env, *failure);
  return context.ToObject(env);
}

Napi::Value ContextTime(const Napi::CallbackInfo& info) {
  ContextResource& resource = IdleContext(info[0], "gss_context_time");
  OM_uint32 seconds = 0;
  OM_uint32 minor;
  const OM_uint32 major = gss_context_time(&minor, resource.context.get(), &seconds);
  ThrowIfError(info.Env(), "gss_context_time", major, minor);
  return Napi::Number::New(info.Env(), seconds);
}

Napi::Value WrapSizeLimit(const Napi::CallbackInfo& info) {
  ContextResource& resource = IdleContext(info[0], "gss_wrap_size_limit");
  const bool conf_req = BooleanArgument(info[1], "confReq");
  const uint32_t qop = Uint32Argument(info[2], "qop");
  const uint32_t max_output = Uint32Argument(info[3], "maxOutput");
  OM_uint32 max_input = 0;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_wrap_size_limit(&minor, resource.context.get(), conf_req ? 1 : 0, qop, max_output, &max_input);
  ThrowIfError(info.Env(), "gss_wrap_size_limit", major, minor);
  return Napi::Number::New(info.Env(), max_input);
}

}  // namespace

void DefineContexts(Napi::Env, Napi::Object exports) {
  Export<NewContext>(exports, "newContext");
  Export<InitSecContext>(exports, "initSecContext");
  Export<AcceptSecContext>(exports, "acceptSecContext");
  Export<InquireContext>(exports, "inquireContext");
  Export<ContextTime>(exports, "contextTime");
  Export<WrapSizeLimit>(exports, "wrapSizeLimit");
}

}  // namespace gssocks
