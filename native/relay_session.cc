// Empty where there is no epoll.
#ifdef __linux__
#include "relay_session.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

namespace gssocks {
namespace {

uint64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

void Add(std::atomic<uint64_t>* counter, size_t count) {
  counter->fetch_add(count, std::memory_order_relaxed);
}

void ResetWhenClosed(const RelaySession::Side& side, bool reset) {
  const linger how{reset ? 1 : 0, 0};
  setsockopt(side.out(), SOL_SOCKET, SO_LINGER, &how, sizeof how);
}

bool Blocked(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

RelaySession::RelaySession(uint32_t number, RelayOptions options)
    : id(number),
      client{this, std::move(options.client)},
      destination{this, std::move(options.destination), std::move(options.output)},
      protection_(std::move(options.protection)),
      conf_(options.conf),
      conf_required_(options.conf_required),
      up_{&client, &destination, true},
      down_{&destination, &client, false} {
  counters.active = Now();
  // From now on, so that it is so whatever ends this process. RFC 1961 has no end mark of its own: a plain
  // close would pass for the whole transfer.
  for (const Side* side : {&client, &destination}) ResetWhenClosed(*side, true);
  Begin(&up_, std::move(options.from_client), options.to_destination, std::move(options.up_rates));
  Begin(&down_, std::move(options.from_destination), options.to_client, std::move(options.down_rates));
  Add(&counters.up, options.to_destination.size());
}

void RelaySession::Begin(Flow* flow, Held received, const Held& written,
                         std::vector<std::shared_ptr<Rate>> rates) {
  flow->fresh = !received.empty();
  flow->kept = std::move(received);
  flow->rates = std::move(rates);
  for (const auto& rate : flow->rates) flow->piece = std::min(flow->piece, rate->Piece());
  if (written.empty()) return;
  flow->pending.reset(new Chunk);
  flow->end = written.size();
  std::memcpy(flow->pending->data.get(), written.data(), written.size());
}

void RelaySession::Start(int epoll) {
  if (aborting) return Abort();
  if (protection_) protection_->tokens.MoveToThisThread();
  for (Side* side : {&client, &destination}) {
    side->epoll = epoll;
    Watch(side, side->in());
    if (side->separate_output) Watch(side, side->out());
  }
}

void RelaySession::Watch(Side* side, int fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = side;
  if (epoll_ctl(side->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return;
  if (errno == EPERM)
    side->always = side->readable = side->writable = true;
  else
    Fail("epoll_ctl failed: there are too many watches (fs.epoll.max_user_watches)");
}

void RelaySession::Leave() {
  // Closing does not do it where a child process that was just forked still has the descriptors.
  for (const Side* side : {&client, &destination}) {
    epoll_ctl(side->epoll, EPOLL_CTL_DEL, side->in(), nullptr);
    if (side->separate_output) epoll_ctl(side->epoll, EPOLL_CTL_DEL, side->out(), nullptr);
  }
}

void RelaySession::Notice(Side* side, uint32_t events) {
  if ((events & EPOLLERR) != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(side->in(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Finish(RelayEnd::kBroken, side, static_cast<uint32_t>(error));
  }
  if (bulk && Now() - counters.active.load(std::memory_order_relaxed) > kBulkQuiet) bulk = false;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) side->readable = true;
  if ((events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP)) != 0) side->read_on = true;
  // A full pipe whose reader is gone says EPOLLERR alone: writing tells why.
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) side->writable = true;
}

bool RelaySession::Runnable(const Flow& flow, int64_t now) const {
  if (flow.done) return false;
  if (flow.pending) return flow.to->writable;
  if (flow.ended) return true;
  return (flow.fresh || flow.from->readable) && flow.not_before <= now;
}

bool RelaySession::Runnable(int64_t now) const {
  return !over() && (Runnable(up_, now) || Runnable(down_, now));
}

int64_t RelaySession::WakeTime(int64_t now) const {
  int64_t earliest = 0;
  for (const Flow* flow : {&up_, &down_}) {
    if (flow->done || flow->pending || flow->not_before <= now) continue;
    if (earliest == 0 || flow->not_before < earliest) earliest = flow->not_before;
  }
  return earliest;
}

void RelaySession::Work(Chunks* chunks, int64_t now) {
  try {
    if (Runnable(up_, now)) Advance(&up_, chunks, now);
    if (!over() && Runnable(down_, now)) Advance(&down_, chunks, now);
  } catch (const std::exception& failure) {
    Fail(failure.what());
  }
  if (up_.done && down_.done) Finish(RelayEnd::kEnded);
}

void RelaySession::Advance(Flow* flow, Chunks* chunks, int64_t now) {
  if (flow->pending && !Flush(flow, chunks)) return;
  if (flow->ended) return End(flow);
  if (flow->not_before > now) return;
  auto input = chunks->Take(bulk && flow->up && protection_);
  const size_t length = Read(flow, input.get());
  if (length == 0) {
    chunks->Give(std::move(input));
    if (flow->ended && !over()) End(flow);
    return;
  }
  flow->not_before = 0;
  for (const auto& rate : flow->rates) {
    const int64_t next = rate->Charge(flow->taken, now);
    if (next > now) flow->not_before = std::max(flow->not_before, next);
  }
  Count(flow->taken);
  Convert(flow, std::move(input), length, chunks);
  if (!over() && flow->pending) Flush(flow, chunks);
}

void RelaySession::Count(size_t octets) {
  const uint64_t now = Now();
  counters.active.store(now, std::memory_order_relaxed);
  if (now - window_began_ > kBulkWindow) {
    window_began_ = now;
    window_octets_ = 0;
  }
  window_octets_ += octets;
  if (window_octets_ > kBulkOctets) bulk = true;
}

size_t RelaySession::Read(Flow* flow, Chunk* chunk) {
  const size_t kept = flow->kept.size();
  size_t count = 0;
  if (!flow->fresh) {
    Side* from = flow->from;
    const size_t piece = std::min(flow->piece, chunk->longest_read);
    const ssize_t got = read(from->in(), chunk->data.get() + kept, piece);
    if (got < 0) {
      if (Blocked(errno))
        from->readable = false;
      else if (errno != EINTR)
        Finish(RelayEnd::kBroken, from, static_cast<uint32_t>(errno));
      return 0;
    }
    if (got == 0) {
      flow->ended = true;
      if (kept > 0) Finish(RelayEnd::kTruncated, from);
      return 0;
    }
    count = static_cast<size_t>(got);
    // Edge-triggered: less than was asked for is all there is, and what comes later is told.
    if (count < piece && !from->read_on && !from->always) from->readable = false;
    if (flow->up && protection_) Add(&counters.sealed_up, count);
  }
  if (kept > 0) std::memcpy(chunk->data.get(), flow->kept.data(), kept);
  // What was read before it came here has not been counted either.
  flow->taken = flow->fresh ? kept : count;
  flow->kept = {};
  flow->fresh = false;
  return kept + count;
}

void RelaySession::Convert(Flow* flow, std::unique_ptr<Chunk> input, size_t length, Chunks* chunks) {
  if (flow->up && protection_) return Open(flow, std::move(input), length, chunks);
  Add(flow->up ? &counters.up : &counters.down, length);
  flow->at = 0;
  if (!protection_) {
    flow->end = length;
    flow->pending = std::move(input);
    return;
  }
  auto output = chunks->Take(false);
  flow->end = protection_->tokens.Seal(conf_, input->data.get(), length, output->data.get());
  Add(&counters.sealed_down, flow->end);
  flow->pending = std::move(output);
  chunks->Give(std::move(input));
}

void RelaySession::Open(Flow* flow, std::unique_ptr<Chunk> input, size_t length, Chunks* chunks) {
  uint8_t* data = input->data.get();
  const WrapTokens::Opened opened = protection_->tokens.Open(conf_required_, data, length);
  if (opened.major != GSS_S_COMPLETE) return Finish(RelayEnd::kBadToken, &client, opened.major);
  if (conf_required_ && !opened.conf_state) return Finish(RelayEnd::kNotConfidential, &client);
  const size_t left = length - opened.end;
  const uint8_t* rest = data + opened.end;
  if ((left > 0 && rest[0] != 0x01) || (left > 1 && rest[1] != 0x03)) {
    return Finish(RelayEnd::kBadFrame, &client,
                  left == 1 ? 0x10000u | rest[0] : static_cast<uint32_t>(rest[0] << 8 | rest[1]));
  }
  if (left > 0) flow->kept.assign(rest, rest + left);
  Add(&counters.up, opened.length);
  if (opened.length == 0) return chunks->Give(std::move(input));
  flow->at = opened.offset;
  flow->end = opened.offset + opened.length;
  flow->pending = std::move(input);
}

bool RelaySession::Flush(Flow* flow, Chunks* chunks) {
  Side* to = flow->to;
  while (flow->at < flow->end) {
    const size_t left = flow->end - flow->at;
    const ssize_t put = write(to->out(), flow->pending->data.get() + flow->at, left);
    if (put < 0) {
      if (errno == EINTR) continue;
      if (Blocked(errno))
        to->writable = false;
      else
        Finish(RelayEnd::kBroken, to, static_cast<uint32_t>(errno));
      return false;
    }
    counters.active.store(Now(), std::memory_order_relaxed);
    flow->at += static_cast<size_t>(put);
    if (flow->at < flow->end && !to->always) {
      to->writable = false;
      return false;
    }
  }
  chunks->Give(std::move(flow->pending));
  return true;
}

/// Half-close: an end on one side is an end on the other.
void RelaySession::End(Flow* flow) {
  Side* to = flow->to;
  // A reset could lose octets of it that were not read yet.
  ResetWhenClosed(*to, false);
  shutdown(to->out(), SHUT_WR);
  if (to->separate_output) epoll_ctl(to->epoll, EPOLL_CTL_DEL, to->out(), nullptr);
  to->separate_output.reset();
  flow->done = true;
}

void RelaySession::Finish(RelayEnd end, const Side* side, uint32_t detail, const char* text) {
  if (over()) return;
  outcome_ = {end, side == &destination ? 1 : 0, detail, text};
}

void RelaySession::Close() {
  for (Side* side : {&client, &destination}) {
    side->separate_output.reset();
    side->input.reset();
  }
}

}  // namespace gssocks

#endif
