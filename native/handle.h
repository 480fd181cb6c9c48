// Handles: JavaScript objects that own one GSS-API object, and the state of one environment.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "arguments.h"
#include "gss_raii.h"
#include "rate.h"
#include "sequence_window.h"
#include "wrap_tokens.h"

namespace gssocks {

/// What a handle owns. Calls on the pool hold a shared_ptr of their own, so that a handle that is closed or
/// collected while a call is pending is released when that call is done.
struct NameResource {
  static constexpr const char* kClass = "Name";
  static constexpr napi_type_tag kTag = {0x5f3a1c0b7d294e61, 0x9b0e64d2a1f7c835};
  Name name;
};

struct CredentialResource {
  static constexpr const char* kClass = "Credential";
  static constexpr napi_type_tag kTag = {0x5f3a1c0b7d294e61, 0x9b0e64d2a1f7c836};
  Credential credential;
  /// Pending calls that use it; counted and read on the environment's thread only.
  int pending = 0;
};

struct ContextResource {
  static constexpr const char* kClass = "Context";
  static constexpr napi_type_tag kTag = {0x5f3a1c0b7d294e61, 0x9b0e64d2a1f7c837};
  Context context;
  /// A call is pending. Set and cleared on the environment's thread only, like `pending` above.
  bool busy = false;
  /// MIT refuses a STREAM buffer in a context with GSS_C_DCE_STYLE.
  bool dce_style = false;
  /// Of the tokens that were opened, for a FastContext to go on from.
  SequenceHistory received;
};

struct FastContextResource {
  static constexpr const char* kClass = "FastContext";
  static constexpr napi_type_tag kTag = {0x5f3a1c0b7d294e61, 0x9b0e64d2a1f7c838};
  WrapTokens tokens;
  /// A relay's thread uses it (relay_session.h): nobody else may any more.
  bool lent = false;

  explicit FastContextResource(const WrapTokens::Options& options) : tokens(options) {}
};

struct RateResource {
  static constexpr const char* kClass = "Rate";
  static constexpr napi_type_tag kTag = {0x5f3a1c0b7d294e61, 0x9b0e64d2a1f7c839};
  Rate rate;

  RateResource(double octets_per_second, std::atomic<int64_t>* shared) : rate(octets_per_second, shared) {}
};

/// Per environment: nothing is shared between the main thread and workers.
struct AddonData {
  Napi::FunctionReference name;
  Napi::FunctionReference credential;
  Napi::FunctionReference context;
  Napi::FunctionReference fast_context;
  Napi::FunctionReference rate;
  /// Made when the first relay starts (relays.cc).
  std::shared_ptr<void> relays;
  /// Made when it has its first call.
  std::shared_ptr<class CallThread> calls;
  /// What the handle that is being constructed shall own: set only inside Handle::New.
  void* constructing = nullptr;
};

template <typename Resource>
class Handle : public Napi::ObjectWrap<Handle<Resource>> {
 public:
  static Napi::FunctionReference Define(Napi::Env env) {
    return Napi::Persistent(Handle::DefineClass(
        env, Resource::kClass, {Handle::InstanceMethod("close", &Handle::Close, napi_default_method)}));
  }

  static Napi::Object New(Napi::Env env, std::shared_ptr<Resource> resource) {
    auto* data = env.GetInstanceData<AddonData>();
    data->constructing = &resource;
    try {
      Napi::Object object = Constructor(*data).New({});
      data->constructing = nullptr;
      return object;
    } catch (...) {
      data->constructing = nullptr;
      throw;
    }
  }

  /// The open resource of a handle of this kind and this environment; throws for anything else.
  static const std::shared_ptr<Resource>& From(const Napi::Value& value, const char* what) {
    const Napi::Env env = value.Env();
    bool tagged = false;
    if (!value.IsObject() || napi_check_object_type_tag(env, value, &Resource::kTag, &tagged) != napi_ok ||
        !tagged) {
      throw CodedTypeError(env, "ERR_GSSOCKS_HANDLE",
                           std::string(what) + " must be a " + Resource::kClass + " handle");
    }
    Handle* handle = Handle::Unwrap(value.As<Napi::Object>());
    if (!handle->resource_) throw CodedTypeError(env, "ERR_GSSOCKS_CLOSED", std::string(what) + " is closed");
    return handle->resource_;
  }

  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Handle<Resource>>(info) {
    auto* data = info.Env().GetInstanceData<AddonData>();
    if (data->constructing == nullptr) {
      throw CodedTypeError(info.Env(), "ERR_GSSOCKS_HANDLE",
                           "handles are made by the addon's functions only");
    }
    resource_ =
        std::move(*static_cast<std::shared_ptr<Resource>*>(std::exchange(data->constructing, nullptr)));
    info.This().As<Napi::Object>().TypeTag(&Resource::kTag);
  }

 private:
  void Close(const Napi::CallbackInfo&) { resource_.reset(); }

  static Napi::FunctionReference& Constructor(AddonData& data) {
    if constexpr (std::is_same_v<Resource, NameResource>)
      return data.name;
    else if constexpr (std::is_same_v<Resource, CredentialResource>)
      return data.credential;
    else if constexpr (std::is_same_v<Resource, FastContextResource>)
      return data.fast_context;
    else if constexpr (std::is_same_v<Resource, RateResource>)
      return data.rate;
    else
      return data.context;
  }

  std::shared_ptr<Resource> resource_;
};

using NameHandle = Handle<NameResource>;
using CredentialHandle = Handle<CredentialResource>;
using ContextHandle = Handle<ContextResource>;
using FastContextHandle = Handle<FastContextResource>;
using RateHandle = Handle<RateResource>;

Napi::Object NewNameHandle(Napi::Env env, Name name);
Napi::Object NewCredentialHandle(Napi::Env env, Credential credential);

/// The open fast context that is not lent; throws ERR_GSSOCKS_BUSY otherwise.
const std::shared_ptr<FastContextResource>& IdleFastContext(const Napi::Value& value);

/// The context of an open handle on which no call is pending; throws ERR_GSSOCKS_BUSY otherwise. Before its
/// first step `call` fails with GSS_S_NO_CONTEXT, as RFC 2744 has it: not every library looks (Heimdal
/// crashes).
ContextResource& IdleContext(const Napi::Value& value, const char* call);

/// Keeps a context for one pending call: busy from construction to destruction, both on the environment's
/// thread.
class ContextLease {
 public:
  explicit ContextLease(const Napi::Value& value);
  ~ContextLease() { resource_->busy = false; }
  ContextLease(const ContextLease&) = delete;
  ContextLease& operator=(const ContextLease&) = delete;

  gss_ctx_id_t* address() { return resource_->context.address(); }
  ContextResource& resource() { return *resource_; }

 private:
  std::shared_ptr<ContextResource> resource_;
};

/// Keeps a credential (or none) for one pending call. Several calls may read one credential at once.
class CredentialLease {
 public:
  /// `value` null or undefined is GSS_C_NO_CREDENTIAL.
  explicit CredentialLease(const Napi::Value& value);
  ~CredentialLease() {
    if (resource_) resource_->pending--;
  }
  CredentialLease(const CredentialLease&) = delete;
  CredentialLease& operator=(const CredentialLease&) = delete;

  gss_cred_id_t get() const { return resource_ ? resource_->credential.get() : GSS_C_NO_CREDENTIAL; }

 private:
  std::shared_ptr<CredentialResource> resource_;
};

}  // namespace gssocks
