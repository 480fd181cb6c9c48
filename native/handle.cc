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

static void CheckIdle(const Napi::Value& value, const ContextResource& resource) {
  if (!resource.busy) return;
  auto error = Napi::Error::New(value.Env(), "a call on this context is pending");
  error.Set("code", "ERR_GSSOCKS_BUSY");
  throw error;
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
