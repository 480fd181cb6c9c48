// Rates: for relays and for JavaScript, of this process alone or of several.
#include <sys/mman.h>
#include <sys/stat.h>

#include "chapters.h"
#include "handle.h"

namespace gssocks {
namespace {

/// Of the memory that processes share: more by far than rates are in use at a time. Two whose names fall
/// together have half of what is theirs, which hurts nobody else.
constexpr size_t kSlots = 1 << 16;

static_assert(std::atomic<int64_t>::is_always_lock_free, "processes can't share a lock");

/// For the whole process, which never lets go of it.
std::atomic<std::atomic<int64_t>*> shared{nullptr};

Napi::Value ShareRates(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fd = static_cast<int>(Uint32Argument(info[0], "descriptor", INT32_MAX));
  struct stat file;
  if (fstat(fd, &file) != 0 || file.st_size < static_cast<off_t>(kSlots * sizeof(int64_t)))
    throw CodedRangeError(env, "the file of the descriptor is too short");
  void* memory = mmap(nullptr, kSlots * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) throw Napi::Error::New(env, "mmap failed");
  shared = static_cast<std::atomic<int64_t>*>(memory);
  return env.Undefined();
}

/// FNV-1a.
size_t SlotOf(const std::string& name) {
  uint32_t hash = 2166136261u;
  for (const char octet : name) hash = (hash ^ static_cast<uint8_t>(octet)) * 16777619u;
  return (hash >> 16 ^ hash) % kSlots;
}

Napi::Value NewRate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double rate = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(rate >= 1 && rate <= 1e15)) throw CodedRangeError(env, "octetsPerSecond must be from 1 to 1e15");
  std::atomic<int64_t>* slot = nullptr;
  if (!IsAbsent(info[1]) && shared.load() != nullptr)
    slot = shared.load() + SlotOf(StringArgument(info[1], "name"));
  return RateHandle::New(env, std::make_shared<RateResource>(rate, slot));
}

Napi::Value ChargeRate(const Napi::CallbackInfo& info) {
  Rate& rate = RateHandle::From(info[0], "rate")->rate;
  const int64_t now = MonotonicMicros();
  const int64_t next = rate.Charge(Uint32Argument(info[1], "octets"), now);
  return Napi::Number::New(info.Env(), next <= now ? 0 : static_cast<double>(next - now) / 1000);
}

}  // namespace

void DefineRates(Napi::Env, Napi::Object exports) {
  exports.Set("sharedRatesSize", Napi::Number::New(exports.Env(), kSlots * sizeof(int64_t)));
  Export<ShareRates>(exports, "shareRates");
  Export<NewRate>(exports, "newRate");
  Export<ChargeRate>(exports, "chargeRate");
}

}  // namespace gssocks
