// A thread of one environment for calls that never wait for anybody else, one after the other. Against
// libuv's pool it saves a wake-up for most of them: a pool wakes another of its threads for each.
#pragma once

#include <napi.h>
#include <pthread.h>

#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "async_call.h"

namespace gssocks {

class CallThread {
 public:
  /// @throws std::system_error where there is no thread to be had
  explicit CallThread(Napi::Env env);
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  void Add(std::unique_ptr<AsyncCall> call);

 private:
  using Calls = std::deque<std::unique_ptr<AsyncCall>>;

  void Run();
  static void Deliver(napi_env env, napi_value, void* context, void*);
  static void Stop(void* data);

  napi_env env_;
  napi_threadsafe_function done_function_ = nullptr;
  /// Not delivered yet.
  size_t pending_ = 0;
  std::mutex mutex_;
  /// Not std::condition_variable: from GCC 12 on, that one waits with a newer libstdc++ alone (prebuild.sh).
  pthread_cond_t wake_ = PTHREAD_COND_INITIALIZER;
  bool stopping_ = false;
  Calls waiting_;
  Calls done_;
  std::thread thread_;
};

}  // namespace gssocks
