// Teardown: a cleanup hook, registered after the thread-safe function and so run before that goes, waits for
// the call at work and ends the thread; nobody can see the promises of the others any more.
#include "call_thread.h"

#include "signals_blocked.h"

namespace gssocks {

CallThread::CallThread(Napi::Env env) : env_(env) {
  const napi_value name = Napi::String::New(env, "gssocks call");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, Deliver,
                                      &done_function_) != napi_ok)
    throw Napi::Error::New(env, "napi_create_threadsafe_function failed");
  napi_unref_threadsafe_function(env, done_function_);
  try {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { Run(); });
  } catch (...) {
    napi_release_threadsafe_function(done_function_, napi_tsfn_abort);
    throw;
  }
  napi_add_env_cleanup_hook(env, Stop, this);
}

void CallThread::Add(std::unique_ptr<AsyncCall> call) {
  // The process lives as long as somebody waits.
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, done_function_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(call));
  }
  pthread_cond_signal(&wake_);
}

void CallThread::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (!stopping_ && waiting_.empty()) pthread_cond_wait(&wake_, mutex_.native_handle());
    if (stopping_) return;
    std::unique_ptr<AsyncCall> call = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    call->Work();
    lock.lock();
    done_.push_back(std::move(call));
    if (done_.size() == 1) napi_call_threadsafe_function(done_function_, nullptr, napi_tsfn_nonblocking);
  }
}

void CallThread::Deliver(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  auto* thread = static_cast<CallThread*>(context);
  Calls done;
  {
    const std::lock_guard<std::mutex> lock(thread->mutex_);
    done.swap(thread->done_);
  }
  for (const auto& call : done) call->Finish(env);
  thread->pending_ -= done.size();
  if (thread->pending_ == 0) napi_unref_threadsafe_function(env, thread->done_function_);
}

void CallThread::Stop(void* data) {
  auto* thread = static_cast<CallThread*>(data);
  {
    const std::lock_guard<std::mutex> lock(thread->mutex_);
    thread->stopping_ = true;
  }
  pthread_cond_signal(&thread->wake_);
  thread->thread_.join();
  thread->waiting_.clear();
  thread->done_.clear();
  napi_release_threadsafe_function(thread->done_function_, napi_tsfn_abort);
}

}  // namespace gssocks
