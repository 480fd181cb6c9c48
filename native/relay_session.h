// A session whose handshake is over: its two sockets, and what passes between them. Belongs to one thread
// (relay_loop.h) from the first call of Start() on; the counters may be read by others.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "descriptor.h"
#include "handle.h"
#include "rate.h"

namespace gssocks {

/// Octets taken from a socket at a time. Others have their turn behind each: what a thread works on stays in
/// the cache of its core, and nobody waits for more than one such piece of each other session.
constexpr size_t kRelayRead = 131072;

/// The same of sealed bulk that comes from the client: long tokens, of which 128 KiB has one or two, are
/// opened side by side.
constexpr size_t kRelayWideRead = 524288;

/// So many octets in so many ms, and a session is one that carries bulk; quiet for so many, and it is no
/// more.
constexpr size_t kBulkOctets = 1 << 20;
constexpr uint64_t kBulkWindow = 100;
constexpr uint64_t kBulkQuiet = 1000;

/// Memory for one read, what was left of the one before, and the frames that come of it.
class Chunk {
 public:
  static constexpr size_t kSize = 4 * 65536 + 4096 + kRelayRead;
  explicit Chunk(size_t longest = kRelayRead)
      : longest_read(longest), data(new uint8_t[kSize - kRelayRead + longest]) {
    if (Wide()) wide_++;
  }
  ~Chunk() {
    if (Wide()) wide_--;
  }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  bool Wide() const { return longest_read > kRelayRead; }
  /// How many wide ones there are, of all threads.
  static size_t wide() { return wide_; }

  const size_t longest_read;
  const std::unique_ptr<uint8_t[]> data;

 private:
  inline static std::atomic<size_t> wide_{0};
};

/// Chunks that no session holds at the moment; of one thread.
class Chunks {
 public:
  /// A wide one only where there may be one more: those that slow readers hold are few.
  std::unique_ptr<Chunk> Take(bool wide) {
    return Get(wide && (!wide_.free.empty() || Chunk::wide() < kMostWide));
  }
  void Give(std::unique_ptr<Chunk> chunk) {
    const bool wide = chunk->Wide();
    auto& free = Of(wide).free;
    if (free.size() < (wide ? kKeptWide : kKept)) free.push_back(std::move(chunk));
  }
  /// Lets go of those that nobody has taken since it last did so. `now` is of MonotonicMicros().
  void Trim(int64_t now) {
    if (now < trims_) return;
    trims_ = now + kTrim;
    for (Kind* kind : {&normal_, &wide_}) {
      kind->free.resize(kind->free.size() - kind->unused);
      kind->unused = kind->free.size();
    }
  }
  /// When there is something to trim, or -1; in ms.
  int TrimsEach() const { return normal_.free.empty() && wide_.free.empty() ? -1 : kTrim / 1000; }

 private:
  static constexpr size_t kKept = 64;
  static constexpr size_t kKeptWide = 1;
  /// Of all threads together.
  static constexpr size_t kMostWide = 16;
  static constexpr int kTrim = 5'000'000;

  struct Kind {
    std::vector<std::unique_ptr<Chunk>> free{};
    /// Of those, the fewest there were since the last Trim.
    size_t unused = 0;
  };

  Kind& Of(bool wide) { return wide ? wide_ : normal_; }
  std::unique_ptr<Chunk> Get(bool wide) {
    Kind& kind = Of(wide);
    if (kind.free.empty()) return std::unique_ptr<Chunk>(new Chunk(wide ? kRelayWideRead : kRelayRead));
    auto chunk = std::move(kind.free.back());
    kind.free.pop_back();
    kind.unused = std::min(kind.unused, kind.free.size());
    return chunk;
  }

  Kind normal_;
  Kind wide_;
  int64_t trims_ = 0;
};

/// Octets that are there before the first read.
using Held = std::vector<uint8_t>;

struct RelayOptions {
  Descriptor client;
  Descriptor destination;
  /// Where what goes to the destination is written, if not there: a program has two descriptors for its input
  /// and output.
  Descriptor output{};
  /// Between us and the client; null: the octets pass as they are.
  std::shared_ptr<FastContextResource> protection;
  bool conf;
  bool conf_required;
  /// To be written first, as they are. None of the four is longer than Chunk::kSize - kRelayRead.
  Held to_client;
  Held to_destination;
  /// As read, to be looked at before the first read.
  Held from_client;
  Held from_destination;
  /// Each bounds what comes from the client, or from the destination.
  std::vector<std::shared_ptr<Rate>> up_rates;
  std::vector<std::shared_ptr<Rate>> down_rates;
};

enum class RelayEnd {
  kRunning,
  /// Both sides, in good order.
  kEnded,
  kAborted,
  /// `side`'s connection broke, `detail` is errno.
  kBroken,
  /// The client ended inside a frame.
  kTruncated,
  /// `detail` is the first two octets of what is no frame, big-endian; 0x10000 and the octet where there is
  /// one only.
  kBadFrame,
  /// `detail` is the major status.
  kBadToken,
  kNotConfidential,
  /// `text` tells: no memory, or a cryptographic library failed.
  kFault,
};

struct RelayOutcome {
  RelayEnd end = RelayEnd::kRunning;
  /// 0 the client, 1 the destination.
  int side = 0;
  uint32_t detail = 0;
  std::string text;
};

class RelayLoop;

class RelaySession {
 public:
  struct Counters {
    /// Plain octets.
    std::atomic<uint64_t> up{0};
    std::atomic<uint64_t> down{0};
    /// Octets of frames.
    std::atomic<uint64_t> sealed_up{0};
    std::atomic<uint64_t> sealed_down{0};
    /// CLOCK_MONOTONIC in ms, of when an octet was last carried.
    std::atomic<uint64_t> active{0};
  };

  struct Side {
    RelaySession* session;
    Descriptor input;
    /// None where it is the same as `input`, a TCP socket.
    Descriptor separate_output{};
    bool readable = false;
    bool writable = false;
    /// A read that gave less than was asked for may not have been the last: the peer has sent its end, or
    /// urgent data, before which a read stops.
    bool read_on = false;
    /// A file or a device, which never blocks for long and which epoll does not take.
    bool always = false;
    /// The loop's, which watches both descriptors.
    int epoll = -1;

    int in() const { return input.get(); }
    int out() const { return separate_output ? separate_output.get() : input.get(); }
  };

  RelaySession(uint32_t id, RelayOptions options);
  ~RelaySession() { Close(); }
  RelaySession(const RelaySession&) = delete;
  RelaySession& operator=(const RelaySession&) = delete;

  const uint32_t id;
  Counters counters;
  Side client;
  Side destination;
  /// Stands in the loop's queue.
  bool queued = false;
  /// In the loop's list of those that wait; 0 where it is not.
  int64_t wakes = 0;
  /// Belongs among those that carry bulk, where it does not keep others waiting.
  bool bulk = false;
  /// The loop that has it, or is about to; set before `aborting` is looked at, and read after that was set.
  std::atomic<RelayLoop*> loop{nullptr};
  std::atomic<bool> aborting{false};

  /// On the thread that calls all others from now on, which watches both sides with `epoll`.
  void Start(int epoll);
  /// Out of that `epoll`; Start() on another follows.
  void Leave();
  /// What epoll told of one side.
  void Notice(Side* side, uint32_t events);
  /// A call of Work would get something done. `now` is of MonotonicMicros().
  bool Runnable(int64_t now) const;
  /// At most one read of each side and what comes of it.
  void Work(Chunks* chunks, int64_t now);
  /// When something may be read that waits for its rate; 0 where nothing does.
  int64_t WakeTime(int64_t now) const;
  void Abort() { Finish(RelayEnd::kAborted); }
  void Fail(const char* text) { Finish(RelayEnd::kFault, nullptr, 0, text); }
  /// Closes both sides: one that has not had its end is reset.
  void Close();

  const RelayOutcome& outcome() const { return outcome_; }
  bool over() const { return outcome_.end != RelayEnd::kRunning; }

 private:
  struct Flow {
    Side* from;
    Side* to;
    bool up;
    /// Read, but no whole frame yet, or not looked at yet (`fresh`).
    Held kept{};
    bool fresh = false;
    /// Converted, to be written.
    std::unique_ptr<Chunk> pending{};
    size_t at = 0;
    size_t end = 0;
    bool ended = false;
    bool done = false;
    std::vector<std::shared_ptr<Rate>> rates{};
    /// By the last read.
    size_t taken = 0;
    /// Of one read at most, for its rates' sake.
    size_t piece = kRelayWideRead;
    /// Not to be read from before, for its rates' sake.
    int64_t not_before = 0;
  };

  void Watch(Side* side, int fd);
  static void Begin(Flow* flow, Held received, const Held& written, std::vector<std::shared_ptr<Rate>> rates);
  bool Runnable(const Flow& flow, int64_t now) const;
  void Advance(Flow* flow, Chunks* chunks, int64_t now);
  /// Octets of `flow` at the beginning of `chunk`, those kept before included; 0 where there are none at the
  /// moment.
  size_t Read(Flow* flow, Chunk* chunk);
  void Convert(Flow* flow, std::unique_ptr<Chunk> input, size_t length, Chunks* chunks);
  void Open(Flow* flow, std::unique_ptr<Chunk> input, size_t length, Chunks* chunks);
  /// Whether all that was pending is written.
  bool Flush(Flow* flow, Chunks* chunks);
  void End(Flow* flow);
  void Count(size_t octets);
  void Finish(RelayEnd end, const Side* side = nullptr, uint32_t detail = 0, const char* text = "");

  std::shared_ptr<FastContextResource> protection_;
  bool conf_;
  bool conf_required_;
  Flow up_;
  Flow down_;
  RelayOutcome outcome_;
  uint64_t window_began_ = 0;
  size_t window_octets_ = 0;
};

}  // namespace gssocks
