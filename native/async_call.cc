#include "async_call.h"

#include <system_error>

#include "call_thread.h"
#include "handle.h"

namespace gssocks {

Napi::Promise AsyncCall::Start(Napi::Env env, std::unique_ptr<AsyncCall> call) {
  napi_value promise;
  napi_value name = Napi::String::New(env, "gssocks");
  if (napi_create_promise(env, &call->deferred_, &promise) != napi_ok ||
      napi_create_async_work(env, nullptr, name, OnExecute, OnComplete, call.get(), &call->work_) !=
          napi_ok) {
    throw Napi::Error::New(env);
  }
  if (napi_queue_async_work(env, call->work_) != napi_ok) {
    auto error = Napi::Error::New(env);
    napi_delete_async_work(env, call->work_);
    throw error;
  }
  call.release();
  return Napi::Promise(env, promise);
}

Napi::Promise AsyncCall::StartInTurn(Napi::Env env, std::unique_ptr<AsyncCall> call) {
  auto& thread = env.GetInstanceData<AddonData>()->calls;
  try {
    if (!thread) thread = std::make_shared<CallThread>(env);
  } catch (const std::system_error&) {
    return Start(env, std::move(call));
  }
  napi_value promise;
  if (napi_create_promise(env, &call->deferred_, &promise) != napi_ok) throw Napi::Error::New(env);
  thread->Add(std::move(call));
  return Napi::Promise(env, promise);
}

void AsyncCall::OnExecute(napi_env, void* data) { static_cast<AsyncCall*>(data)->Work(); }

void AsyncCall::Work() {
  try {
    Execute();
  } catch (const std::exception& exception) {
    exception_ = exception.what();
  } catch (...) {
    exception_ = "unknown C++ exception";
  }
}

void AsyncCall::OnComplete(napi_env env, napi_status status, void* data) {
  std::unique_ptr<AsyncCall> call(static_cast<AsyncCall*>(data));
  napi_delete_async_work(env, call->work_);
  // Cancelled: the environment is ending and nobody can see the promise any more.
  if (status != napi_cancelled) call->Finish(env);
}

void AsyncCall::Finish(Napi::Env env) {
  try {
    Settle(env);
  } catch (...) {
    // JavaScript can't run any more (a worker that is being terminated): the destructor releases what the
    // call made.
  }
}

void AsyncCall::Settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  if (failure_) {
    napi_reject_deferred(env, deferred_, FailureError(env, *failure_).Value());
    return;
  }
  if (!exception_.empty()) {
    napi_reject_deferred(env, deferred_, Napi::Error::New(env, exception_).Value());
    return;
  }
  try {
    napi_resolve_deferred(env, deferred_, Result(env));
  } catch (const Napi::Error& error) {
    napi_reject_deferred(env, deferred_, error.Value());
  }
}

}  // namespace gssocks
