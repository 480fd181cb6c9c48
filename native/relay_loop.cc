// Empty where there is no epoll.
#ifdef __linux__
#include "relay_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "signals_blocked.h"

namespace gssocks {
namespace {

constexpr int kEvents = 256;

Descriptor Checked(int fd, const char* call) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), call);
  return Descriptor(fd);
}

}  // namespace

RelayLoop::RelayLoop(bool bulk, Ended ended, Changed changed)
    : bulk_(bulk),
      ended_(std::move(ended)),
      changed_(std::move(changed)),
      epoll_(Checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(Checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event woken{};
  woken.events = EPOLLIN;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &woken) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { Run(); });
  }
  pthread_setname_np(thread_.native_handle(), "gssocks-relay");
}

void RelayLoop::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

void RelayLoop::Add(std::shared_ptr<RelaySession> session) {
  load_.fetch_add(1, std::memory_order_relaxed);
  session->loop = this;
  bool told;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    told = !added_.empty();
    added_.push_back(std::move(session));
  }
  if (!told) Wake();
}

void RelayLoop::Abort(const std::shared_ptr<RelaySession>& session) {
  session->aborting = true;
  RelayLoop* loop = session->loop;
  {
    const std::lock_guard<std::mutex> lock(loop->mutex_);
    loop->aborted_.push_back(session);
  }
  loop->Wake();
}

void RelayLoop::Wake() {
  const uint64_t one = 1;
  // It fails only where the thread has been woken already.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void RelayLoop::Run() {
  epoll_event events[kEvents];
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events, kEvents, Timeout());
    bool woken = false;
    for (int i = 0; i < count; i++) {
      auto* side = static_cast<RelaySession::Side*>(events[i].data.ptr);
      if (side == nullptr) {
        woken = true;
        continue;
      }
      side->session->Notice(side, events[i].events);
      Queue(side->session);
    }
    // Only now: sessions that end are no longer there for events of the same call.
    if (woken) {
      uint64_t times;
      [[maybe_unused]] const ssize_t got = read(wake_.get(), &times, sizeof times);
      TakeOrders();
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) break;
    }
    WakeDue();
    WorkOff();
    chunks_.Trim(MonotonicMicros());
  }
  sessions_.clear();
}

void RelayLoop::TakeOrders() {
  std::vector<std::shared_ptr<RelaySession>> added, aborted;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    added.swap(added_);
    aborted.swap(aborted_);
  }
  for (auto& session : added) Join(std::move(session));
  for (auto& session : aborted) {
    // One that has left for another loop is aborted when it arrives there.
    if (sessions_.count(session.get()) == 0) continue;
    session->Abort();
    Queue(session.get());
  }
}

void RelayLoop::Join(std::shared_ptr<RelaySession> session) {
  RelaySession* joined = session.get();
  sessions_.emplace(joined, std::move(session));
  joined->Start(epoll_.get());
  Queue(joined);
}

void RelayLoop::Queue(RelaySession* session) {
  if (session->queued) return;
  session->queued = true;
  queue_.push_back(session);
}

/// One turn for each session that has something to do.
void RelayLoop::WorkOff() {
  const int64_t now = MonotonicMicros();
  turn_.swap(queue_);
  for (RelaySession* session : turn_) {
    session->queued = false;
    if (session->Runnable(now)) session->Work(&chunks_, now);
    if (session->over()) {
      auto owner = Leave(session);
      owner->Close();
      ended_(std::move(owner));
    } else if (session->bulk != bulk_) {
      changed_(Leave(session));
    } else {
      WakeAt(session, session->WakeTime(now));
      if (session->Runnable(now)) Queue(session);
    }
  }
  turn_.clear();
}

void RelayLoop::WakeAt(RelaySession* session, int64_t time) {
  if (session->wakes == time) return;
  if (session->wakes != 0) waiting_.erase({session->wakes, session});
  session->wakes = time;
  if (time != 0) waiting_.insert({time, session});
}

void RelayLoop::WakeDue() {
  if (waiting_.empty()) return;
  const int64_t now = MonotonicMicros();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    RelaySession* session = waiting_.begin()->second;
    WakeAt(session, 0);
    Queue(session);
  }
}

int RelayLoop::Timeout() const {
  if (!queue_.empty()) return 0;
  if (waiting_.empty()) return chunks_.TrimsEach();
  const int64_t left = waiting_.begin()->first - MonotonicMicros();
  return left <= 0 ? 0 : static_cast<int>(std::min<int64_t>(left / 1000 + 1, INT_MAX));
}

std::shared_ptr<RelaySession> RelayLoop::Leave(RelaySession* session) {
  auto found = sessions_.find(session);
  std::shared_ptr<RelaySession> owner = std::move(found->second);
  sessions_.erase(found);
  WakeAt(session, 0);
  session->Leave();
  load_.fetch_sub(1, std::memory_order_relaxed);
  return owner;
}

}  // namespace gssocks

#endif
