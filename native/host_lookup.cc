// getaddrinfo(3), each call on a thread of its own. It can't be cancelled, and a DNS server that does not
// answer holds its thread for half a minute: libuv's pool would have no thread left for others, and a process
// that ends joins it.
#include <arpa/inet.h>
#include <napi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "arguments.h"
#include "chapters.h"

namespace gssocks {

namespace {

/// Modules of NSS are written for the stack of a program's first thread, and make do with less.
constexpr size_t kStackSize = size_t{1} << 20;

const char* ErrorName(int status) {
  switch (status) {
    case EAI_NONAME:
      return "EAI_NONAME";
#ifdef EAI_NODATA
    case EAI_NODATA:
      return "EAI_NODATA";
#endif
    case EAI_AGAIN:
      return "EAI_AGAIN";
    case EAI_FAIL:
      return "EAI_FAIL";
    case EAI_MEMORY:
      return "EAI_MEMORY";
    case EAI_SYSTEM:
      return "EAI_SYSTEM";
    default:
      return "EAI_OTHER";
  }
}

/// Shared by the environment, whose end does not wait, and the thread, which may outlive it.
class HostLookup : public std::enable_shared_from_this<HostLookup> {
 public:
  explicit HostLookup(std::string name) : name_(std::move(name)) {}

  Napi::Promise Start(Napi::Env env) {
    napi_value promise;
    const auto label = Napi::String::New(env, "gssocks lookup");
    if (napi_create_promise(env, &deferred_, &promise) != napi_ok) throw Napi::Error::New(env);
    auto* self = new std::shared_ptr<HostLookup>(shared_from_this());
    if (napi_create_threadsafe_function(env, nullptr, nullptr, label, 0, 1, nullptr, OnEnd, self, OnAnswer,
                                        &answered_) != napi_ok) {
      delete self;
      throw Napi::Error::New(env);
    }
    // Who waits for the answer keeps the process, not who has given up.
    napi_unref_threadsafe_function(env, answered_);
    if (const int error = StartThread(); error != 0) {
      status_ = EAI_SYSTEM;
      errno_ = error;
      Settle(env);
      napi_release_threadsafe_function(answered_, napi_tsfn_release);
    }
    return Napi::Promise(env, promise);
  }

 private:
  /// errno, or 0.
  int StartThread() {
    auto self = std::make_unique<std::shared_ptr<HostLookup>>(shared_from_this());
    pthread_attr_t attributes;
    if (const int error = pthread_attr_init(&attributes); error != 0) return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, kStackSize);
    // Signals are Node's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, Run, self.get());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (error == 0) self.release();
    return error;
  }

  static void* Run(void* data) {
    const std::unique_ptr<std::shared_ptr<HostLookup>> self(static_cast<std::shared_ptr<HostLookup>*>(data));
    try {
      (*self)->LookUp();
    } catch (const std::bad_alloc&) {
      (*self)->status_ = EAI_MEMORY;
    }
    (*self)->Tell();
    return nullptr;
  }

  void LookUp() {
    addrinfo hints{};
    // One entry an address, not one for each kind of socket.
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    status_ = getaddrinfo(name_.c_str(), nullptr, &hints, &found);
    errno_ = errno;
    if (status_ != 0) return;
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
      char text[INET6_ADDRSTRLEN];
      const void* address = nullptr;
      if (each->ai_family == AF_INET) address = &reinterpret_cast<sockaddr_in*>(each->ai_addr)->sin_addr;
      if (each->ai_family == AF_INET6) address = &reinterpret_cast<sockaddr_in6*>(each->ai_addr)->sin6_addr;
      if (address != nullptr && inet_ntop(each->ai_family, address, text, sizeof text) != nullptr)
        addresses_.emplace_back(text);
    }
  }

  /// Under the lock, as OnEnd: behind that, the function is not there any more.
  void Tell() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) return;
    // That it is closing takes our hold on it as well.
    if (napi_call_threadsafe_function(answered_, nullptr, napi_tsfn_nonblocking) != napi_closing)
      napi_release_threadsafe_function(answered_, napi_tsfn_release);
  }

  static void OnEnd(napi_env, void*, void* context) {
    const std::unique_ptr<std::shared_ptr<HostLookup>> self(
        static_cast<std::shared_ptr<HostLookup>*>(context));
    const std::lock_guard<std::mutex> lock((*self)->mutex_);
    (*self)->ended_ = true;
  }

  /// `env` is null where the environment ends.
  static void OnAnswer(napi_env env, napi_value, void* context, void*) {
    if (env == nullptr) return;
    try {
      (*static_cast<std::shared_ptr<HostLookup>*>(context))->Settle(env);
    } catch (...) {
      // JavaScript can't run any more (a worker that is being terminated).
    }
  }

  void Settle(Napi::Env env) {
    const Napi::HandleScope scope(env);
    if (status_ != 0) {
      const char* text = status_ == EAI_SYSTEM ? strerror(errno_) : gai_strerror(status_);
      auto error = Napi::Error::New(env, text);
      error.Set("code", ErrorName(status_));
      napi_reject_deferred(env, deferred_, error.Value());
      return;
    }
    auto addresses = Napi::Array::New(env, addresses_.size());
    for (uint32_t i = 0; i < addresses_.size(); i++) addresses.Set(i, addresses_[i]);
    napi_resolve_deferred(env, deferred_, addresses);
  }

  const std::string name_;
  napi_deferred deferred_ = nullptr;
  napi_threadsafe_function answered_ = nullptr;
  std::mutex mutex_;
  bool ended_ = false;
  /// The thread's, until it tells.
  int status_ = 0;
  int errno_ = 0;
  std::vector<std::string> addresses_;
};

Napi::Value LookUpHost(const Napi::CallbackInfo& info) {
  return std::make_shared<HostLookup>(StringArgument(info[0], "name"))->Start(info.Env());
}

}  // namespace

void DefineHostLookup(Napi::Env, Napi::Object exports) { Export<LookUpHost>(exports, "lookUpHost"); }

}  // namespace gssocks
