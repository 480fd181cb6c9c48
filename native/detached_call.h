// Work on a thread of its own: it can't be cancelled, and may last half a minute (a DNS server that does not
// answer). libuv's pool would have no thread left for others, and a process that ends joins it.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace gssocks {

/// Shared by the environment, whose end does not wait, and the thread, which may outlive it.
class DetachedCall : public std::enable_shared_from_this<DetachedCall> {
 public:
  virtual ~DetachedCall() = default;
  DetachedCall(const DetachedCall&) = delete;
  DetachedCall& operator=(const DetachedCall&) = delete;

  Napi::Promise Start(Napi::Env env);

 protected:
  DetachedCall() = default;

  /// On the thread. Touches nothing of Node-API.
  virtual void Execute() = 0;
  /// On the environment's thread, after a call that did not fail.
  virtual Napi::Value Result(Napi::Env env) = 0;

  /// The Error's `code` and text.
  void Fail(const char* code, std::string text) { failure_.emplace(Failed{code, std::move(text)}); }

 private:
  struct Failed {
    const char* code;
    std::string text;
  };

  int StartThread();
  static void* Run(void* data);
  void Tell();
  static void OnEnd(napi_env env, void* data, void* context);
  static void OnAnswer(napi_env env, napi_value callback, void* context, void* data);
  void Settle(Napi::Env env);

  napi_deferred deferred_ = nullptr;
  napi_threadsafe_function answered_ = nullptr;
  std::mutex mutex_;
  bool ended_ = false;
  /// The thread's, until it tells.
  std::optional<Failed> failure_;
};

}  // namespace gssocks
