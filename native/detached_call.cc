#include "detached_call.h"

#include <pthread.h>

#include <cstring>
#include <new>

#include "signals_blocked.h"

namespace gssocks {
namespace {

/// Modules of NSS are written for the stack of a program's first thread, and make do with less.
constexpr size_t kStackSize = size_t{1} << 20;

}  // namespace

Napi::Promise DetachedCall::Start(Napi::Env env) {
  napi_value promise;
  const auto label = Napi::String::New(env, "gssocks lookup");
  if (napi_create_promise(env, &deferred_, &promise) != napi_ok) throw Napi::Error::New(env);
  auto* self = new std::shared_ptr<DetachedCall>(shared_from_this());
  if (napi_create_threadsafe_function(env, nullptr, nullptr, label, 0, 1, nullptr, OnEnd, self, OnAnswer,
                                      &answered_) != napi_ok) {
    delete self;
    throw Napi::Error::New(env);
  }
  // Who waits for the answer keeps the process, not who has given up.
  napi_unref_threadsafe_function(env, answered_);
  if (const int error = StartThread(); error != 0) {
    Fail("EAI_SYSTEM", strerror(error));
    Settle(env);
    napi_release_threadsafe_function(answered_, napi_tsfn_release);
  }
  return Napi::Promise(env, promise);
}

/// errno, or 0.
int DetachedCall::StartThread() {
  auto self = std::make_unique<std::shared_ptr<DetachedCall>>(shared_from_this());
  pthread_attr_t attributes;
  if (const int error = pthread_attr_init(&attributes); error != 0) return error;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_t thread;
  const int error = [&] {
    const SignalsBlocked blocked;
    return pthread_create(&thread, &attributes, Run, self.get());
  }();
  pthread_attr_destroy(&attributes);
  if (error == 0) self.release();
  return error;
}

void* DetachedCall::Run(void* data) {
  const std::unique_ptr<std::shared_ptr<DetachedCall>> self(
      static_cast<std::shared_ptr<DetachedCall>*>(data));
  try {
    (*self)->Execute();
  } catch (const std::bad_alloc&) {
    (*self)->Fail("EAI_MEMORY", "no memory");
  }
  (*self)->Tell();
  return nullptr;
}

/// Under the lock, as OnEnd: behind that, the function is not there any more.
void DetachedCall::Tell() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ended_) return;
  // That it is closing takes our hold on it as well.
  if (napi_call_threadsafe_function(answered_, nullptr, napi_tsfn_nonblocking) != napi_closing)
    napi_release_threadsafe_function(answered_, napi_tsfn_release);
}

void DetachedCall::OnEnd(napi_env, void*, void* context) {
  const std::unique_ptr<std::shared_ptr<DetachedCall>> self(
      static_cast<std::shared_ptr<DetachedCall>*>(context));
  const std::lock_guard<std::mutex> lock((*self)->mutex_);
  (*self)->ended_ = true;
}

/// `env` is null where the environment ends.
void DetachedCall::OnAnswer(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  try {
    (*static_cast<std::shared_ptr<DetachedCall>*>(context))->Settle(env);
  } catch (...) {
    // JavaScript can't run any more (a worker that is being terminated).
  }
}

void DetachedCall::Settle(Napi::Env env) {
  const Napi::HandleScope scope(env);
  if (failure_) {
    auto error = Napi::Error::New(env, failure_->text);
    error.Set("code", failure_->code);
    napi_reject_deferred(env, deferred_, error.Value());
    return;
  }
  napi_resolve_deferred(env, deferred_, Result(env));
}

}  // namespace gssocks
