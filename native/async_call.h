// One GSS-API call on another thread, with its promise.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>

#include "gss_status.h"

namespace gssocks {

/// Made, settled and destroyed on the environment's thread; Execute() alone runs on another. An environment
/// that ends waits for calls at work first (of the pool's, Node sees to that), so `this` outlives Execute()
/// whatever happens.
class AsyncCall {
 public:
  virtual ~AsyncCall() = default;
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  /// Queues the call for libuv's pool; the promise settles with Result() or with the failure.
  static Napi::Promise Start(Napi::Env env, std::unique_ptr<AsyncCall> call);
  /// The same, for the environment's own thread (call_thread.h) where there is one.
  static Napi::Promise StartInTurn(Napi::Env env, std::unique_ptr<AsyncCall> call);

 protected:
  AsyncCall() = default;

  /// On the other thread: the call and, where it failed, its status texts through Fail(). Touches nothing of
  /// Node-API.
  virtual void Execute() = 0;
  /// On the environment's thread, after a call that did not fail.
  virtual Napi::Value Result(Napi::Env env) = 0;

  void Fail(Failure failure) { failure_ = std::move(failure); }

 private:
  friend class CallThread;

  static void OnExecute(napi_env env, void* data);
  static void OnComplete(napi_env env, napi_status status, void* data);
  /// Execute(), whatever it throws.
  void Work();
  /// Settles the promise, if JavaScript can still run.
  void Finish(Napi::Env env);
  void Settle(Napi::Env env);

  napi_async_work work_ = nullptr;
  napi_deferred deferred_ = nullptr;
  std::optional<Failure> failure_;
  /// An exception of C++ itself (no memory).
  std::string exception_;
};

}  // namespace gssocks
