// So many octets a second, shared by all that hold it, on any thread.
#pragma once

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gssocks {

/// CLOCK_MONOTONIC in µs.
inline int64_t MonotonicMicros() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

/// A token bucket, kept as the time at which all that was taken has been paid for (GCRA). Whoever takes
/// octets waits behind what the others took before: those that share it have the same part of it, whatever
/// each would like.
class Rate {
 public:
  /// Octets that nobody waits for, in time.
  static constexpr int64_t kBurst = 100000;

  explicit Rate(double octets_per_second) : Rate(octets_per_second, nullptr) {}
  /// `shared` is where other processes keep the time that has been paid for; null for nowhere.
  Rate(double octets_per_second, std::atomic<int64_t>* shared)
      : octets_per_micro_(octets_per_second / 1e6), paid_(shared == nullptr ? &own_ : shared) {}
  Rate(const Rate&) = delete;
  Rate& operator=(const Rate&) = delete;

  /// After `octets` were carried: when the next may be.
  int64_t Charge(size_t octets, int64_t now) {
    const auto cost = static_cast<int64_t>(static_cast<double>(octets) / octets_per_micro_);
    int64_t paid = paid_->load(std::memory_order_relaxed);
    int64_t next;
    do next = std::max(paid, now - kBurst) + cost;
    while (!paid_->compare_exchange_weak(paid, next, std::memory_order_relaxed));
    return next;
  }

  /// Octets to be taken at a time, so that nobody waits long for one piece of another.
  size_t Piece() const {
    return std::max<size_t>(1024, static_cast<size_t>(octets_per_micro_ * static_cast<double>(kBurst / 8)));
  }

 private:
  const double octets_per_micro_;
  std::atomic<int64_t> own_{0};
  std::atomic<int64_t>* const paid_;
};

}  // namespace gssocks
