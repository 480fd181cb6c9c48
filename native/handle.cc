#include "handle.h"

#include "gss_status.h"

namespace gssocks {

Napi::Object NewNameHandle(Napi::Env env, Name name) {
  auto resource = std::make_shared<NameResource>();
  resource->name = std::move(name);
  return NameHandle::New(env, std::move(resource));
}

Napi::Object NewCredentialHandle(Napi::Env env, Credential credential) {
  auto resource = std::make_shared<CredentialResource>();
  resource->credential = std::move(credential);
  return CredentialHandle::New(env, std::move(resource));
}

static Napi::Error Busy(Napi::Env env, const char* message) {
  auto error = Napi::Error::New(env, message);
  error.Set("code", "ERR_GSSOCKS_BUSY");
  return error;
}

static void CheckIdle(const Napi::Value& value, const ContextResource& resource) {
  if (resource.busy) throw Busy(value.Env(), "a call on this context is pending");
}

const std::shared_ptr<FastContextResource>& IdleFastContext(const Napi::Value& value) {
  const auto& resource = FastContextHandle::From(value, "context");
  if (resource->lent) throw Busy(value.Env(), "this context is a relay's");
  return resource;
}

ContextResource& IdleContext(const Napi::Value& value, const char* call) {
  ContextResource& resource = *ContextHandle::From(value, "context");
  CheckIdle(value, resource);
  if (!resource.context) ThrowIfError(value.Env(), call, GSS_S_NO_CONTEXT, 0);
  return resource;
}

ContextLease::ContextLease(const Napi::Value& value) : resource_(ContextHandle::From(value, "context")) {
  CheckIdle(value, *resource_);
  resource_->busy = true;
}

CredentialLease::CredentialLease(const Napi::Value& value) {
  if (IsAbsent(value)) return;
  resource_ = CredentialHandle::From(value, "credential");
  resource_->pending++;
}

}  // namespace gssocks
