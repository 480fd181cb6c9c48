// The relays of one environment: their threads, and how JavaScript learns of a relay's end.
//
// Teardown: a cleanup hook, registered after the thread-safe function and so run before that goes, ends the
// threads; nothing calls it any more then.
#include "chapters.h"

#ifdef __linux__
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <system_error>

#include "relay_loop.h"
#endif

namespace gssocks {
namespace {

#ifdef __linux__

/// Threads of one environment at most.
constexpr uint32_t kMostThreads = 64;
/// What a relay may be given to begin with.
constexpr size_t kMostHeld = Chunk::kSize - kRelayRead;

constexpr int kPipeRoom = 4 * kRelayRead;

class Relays {
 public:
  Relays(Napi::Env env, const Napi::Function& ended, uint32_t threads) : env_(env) {
    // Half as many for those that carry little: a thread that is awake already takes the next session for
    // less.
    Open(&light_, (threads + 1) / 2, false);
    Open(&bulk_, threads, true);
    const napi_value name = Napi::String::New(env, "gssocks relay");
    if (napi_create_threadsafe_function(env, ended, nullptr, name, 0, 1, nullptr, nullptr, this, Deliver,
                                        &function_) != napi_ok)
      throw Napi::Error::New(env, "napi_create_threadsafe_function failed");
    napi_unref_threadsafe_function(env, function_);
    napi_add_env_cleanup_hook(env, Stop, this);
  }

  uint32_t Start(RelayOptions options) {
    do next_ = next_ == UINT32_MAX ? 1 : next_ + 1;
    while (running_.count(next_) != 0);
    auto session = std::make_shared<RelaySession>(next_, std::move(options));
    // The process lives as long as it carries something.
    if (running_.empty()) napi_ref_threadsafe_function(env_, function_);
    running_.emplace(next_, session);
    Place(std::move(session));
    return next_;
  }

  /// As relayCounts() gives them.
  static void Fill(const RelaySession::Counters& counters, double* counts) {
    counts[0] = static_cast<double>(counters.up.load(std::memory_order_relaxed));
    counts[1] = static_cast<double>(counters.down.load(std::memory_order_relaxed));
    counts[2] = static_cast<double>(counters.sealed_up.load(std::memory_order_relaxed));
    counts[3] = static_cast<double>(counters.sealed_down.load(std::memory_order_relaxed));
    counts[4] = static_cast<double>(counters.active.load(std::memory_order_relaxed));
  }

  /// Null where it has ended.
  const RelaySession* Find(uint32_t id) const {
    const auto found = running_.find(id);
    return found == running_.end() ? nullptr : found->second.get();
  }

  void Abort(uint32_t id) {
    const auto found = running_.find(id);
    if (found != running_.end()) RelayLoop::Abort(found->second);
  }

 private:
  using Loops = std::vector<std::unique_ptr<RelayLoop>>;

  void Open(Loops* loops, uint32_t threads, bool bulk) {
    while (loops->size() < threads) {
      loops->push_back(std::make_unique<RelayLoop>(
          bulk, [this](std::shared_ptr<RelaySession> session) { Ended(std::move(session)); },
          [this](std::shared_ptr<RelaySession> session) { Place(std::move(session)); }));
    }
  }

  /// On any thread.
  void Place(std::shared_ptr<RelaySession> session) {
    const Loops& loops = session->bulk ? bulk_ : light_;
    RelayLoop* least = loops.front().get();
    for (const auto& loop : loops) {
      if (loop->load() < least->load()) least = loop.get();
    }
    least->Add(std::move(session));
  }

  static void Stop(void* data) {
    auto* relays = static_cast<Relays*>(data);
    // A session that moves between them meanwhile is let go of unheard.
    for (auto& loop : relays->light_) loop->Stop();
    for (auto& loop : relays->bulk_) loop->Stop();
    napi_release_threadsafe_function(relays->function_, napi_tsfn_abort);
  }

  /// On a relay's thread.
  void Ended(std::shared_ptr<RelaySession> session) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_.push_back(std::move(session));
    if (ended_.size() == 1) napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
  }

  static void Deliver(napi_env env, napi_value function, void* context, void*) {
    if (env == nullptr) return;
    auto* relays = static_cast<Relays*>(context);
    std::deque<std::shared_ptr<RelaySession>> ended;
    {
      const std::lock_guard<std::mutex> lock(relays->mutex_);
      ended.swap(relays->ended_);
    }
    for (const auto& session : ended) {
      relays->running_.erase(session->id);
      if (relays->running_.empty()) napi_unref_threadsafe_function(env, relays->function_);
      try {
        Tell(Napi::Function(env, function), *session);
      } catch (const Napi::Error& error) {
        napi_fatal_exception(env, error.Value());
      }
    }
  }

  static void Tell(const Napi::Function& function, const RelaySession& session) {
    const Napi::Env env = function.Env();
    Napi::HandleScope scope(env);
    const RelayOutcome& outcome = session.outcome();
    auto counts = Napi::Float64Array::New(env, 5);
    Fill(session.counters, counts.Data());
    function.Call({Napi::Number::New(env, session.id), Napi::Number::New(env, static_cast<int>(outcome.end)),
                   Napi::Number::New(env, outcome.side), Napi::Number::New(env, outcome.detail),
                   Napi::String::New(env, outcome.text), counts});
  }

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  std::unordered_map<uint32_t, std::shared_ptr<RelaySession>> running_;
  uint32_t next_ = 0;
  std::mutex mutex_;
  std::deque<std::shared_ptr<RelaySession>> ended_;
  /// Those that carry little do not wait behind those that carry much.
  Loops light_;
  Loops bulk_;
};

Relays* Opened(Napi::Env env) { return static_cast<Relays*>(env.GetInstanceData<AddonData>()->relays.get()); }

Napi::Value OpenRelays(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t threads = Uint32Argument(info[0], "threads", kMostThreads);
  if (!info[1].IsFunction()) throw CodedTypeError(env, "ERR_INVALID_ARG_TYPE", "ended must be a function");
  if (Opened(env) != nullptr) throw Napi::Error::New(env, "the relays of this environment are open");
  try {
    env.GetInstanceData<AddonData>()->relays =
        std::make_shared<Relays>(env, info[1].As<Napi::Function>(), threads == 0 ? 1 : threads);
  } catch (const std::system_error&) {
    return Napi::Boolean::New(env, false);
  }
  return Napi::Boolean::New(env, true);
}

Held HeldArgument(const Napi::Value& value, const char* what) {
  const Octets octets = OctetsArgument(value, what);
  if (octets.length > kMostHeld) throw CodedRangeError(value.Env(), std::string(what) + " is too long");
  return octets.copy();
}

std::vector<std::shared_ptr<Rate>> RatesArgument(const Napi::Value& value, const char* what) {
  std::vector<std::shared_ptr<Rate>> rates;
  if (!value.IsArray())
    throw CodedTypeError(value.Env(), "ERR_INVALID_ARG_TYPE", std::string(what) + " must be an array");
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const auto& resource = RateHandle::From(array.Get(i), what);
    rates.emplace_back(resource, &resource->rate);
  }
  return rates;
}

Napi::Value StartRelay(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Relays* relays = Opened(env);
  if (relays == nullptr) throw Napi::Error::New(env, "the relays of this environment are not open");
  RelayOptions options;
  const auto client = static_cast<int>(Uint32Argument(info[0], "client", INT32_MAX));
  const auto destination = static_cast<int>(Uint32Argument(info[1], "destination", INT32_MAX));
  if (!IsAbsent(info[2])) options.protection = IdleFastContext(info[2]);
  options.conf = BooleanArgument(info[3], "conf");
  options.conf_required = BooleanArgument(info[4], "confRequired");
  options.to_client = HeldArgument(info[5], "toClient");
  options.to_destination = HeldArgument(info[6], "toDestination");
  options.from_client = HeldArgument(info[7], "fromClient");
  options.from_destination = HeldArgument(info[8], "fromDestination");
  options.up_rates = RatesArgument(info[10], "upRates");
  options.down_rates = RatesArgument(info[11], "downRates");
  const auto output = static_cast<int>(Uint32Argument(info[9], "output", INT32_MAX));
  options.client = Descriptor::CopyOf(client);
  options.destination = Descriptor::CopyOf(destination);
  if (output != destination) options.output = Descriptor::CopyOf(output);
  if (!options.client || !options.destination || (output != destination && !options.output))
    return Napi::Number::New(env, 0);
  if (options.output) {
    // The reader sees the end when the relay closes it: no other may be left.
    const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null || dup2(null.get(), output) < 0) return Napi::Number::New(env, 0);
    for (const int fd : {options.destination.get(), options.output.get()}) {
      fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
      // Of pipes: room for more than one read, if the system lets us.
      fcntl(fd, F_SETPIPE_SZ, kPipeRoom);
    }
  }
  if (options.protection) options.protection->lent = true;
  return Napi::Number::New(env, relays->Start(std::move(options)));
}

Napi::Value AbortRelay(const Napi::CallbackInfo& info) {
  Relays* relays = Opened(info.Env());
  if (relays != nullptr) relays->Abort(Uint32Argument(info[0], "id"));
  return info.Env().Undefined();
}

Napi::Value RelayCounts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Relays* relays = Opened(env);
  const RelaySession* session = relays == nullptr ? nullptr : relays->Find(Uint32Argument(info[0], "id"));
  if (session == nullptr) return env.Null();
  auto counts = Napi::Float64Array::New(env, 5);
  Relays::Fill(session->counters, counts.Data());
  return counts;
}

#endif

}  // namespace

void DefineRelays(Napi::Env, Napi::Object exports) {
#ifdef __linux__
  Export<OpenRelays>(exports, "openRelays");
  Export<StartRelay>(exports, "startRelay");
  Export<AbortRelay>(exports, "abortRelay");
  Export<RelayCounts>(exports, "relayCounts");
#else
  static_cast<void>(exports);
#endif
}

}  // namespace gssocks
