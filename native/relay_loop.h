// Threads that carry the octets of sessions, with epoll: JavaScript has no part in it between a session's
// first octet and its end.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "relay_session.h"

namespace gssocks {

/// One thread.
class RelayLoop {
 public:
  /// On the loop's thread; the session is closed.
  using Ended = std::function<void(std::shared_ptr<RelaySession>)>;
  /// On the loop's thread: the session belongs among those that carry bulk, or no more.
  using Changed = std::function<void(std::shared_ptr<RelaySession>)>;

  /// `bulk`: for sessions that carry bulk, or for those that do not.
  /// Throws std::system_error where there are no descriptors or no threads left.
  RelayLoop(bool bulk, Ended ended, Changed changed);
  ~RelayLoop() { Stop(); }
  RelayLoop(const RelayLoop&) = delete;
  RelayLoop& operator=(const RelayLoop&) = delete;

  /// Waits for the thread; sessions that are left are cut off and nobody is told.
  void Stop();
  void Add(std::shared_ptr<RelaySession> session);
  /// Wherever the session is now; nothing where it has ended.
  static void Abort(const std::shared_ptr<RelaySession>& session);
  size_t load() const { return load_.load(std::memory_order_relaxed); }

 private:
  void Run();
  void Wake();
  void TakeOrders();
  void Join(std::shared_ptr<RelaySession> session);
  void Queue(RelaySession* session);
  void WorkOff();
  void WakeAt(RelaySession* session, int64_t time);
  /// Queues those whose time has come.
  void WakeDue();
  /// For epoll_wait.
  int Timeout() const;
  std::shared_ptr<RelaySession> Leave(RelaySession* session);

  const bool bulk_;
  Ended ended_;
  Changed changed_;
  Descriptor epoll_;
  Descriptor wake_;
  std::atomic<size_t> load_{0};

  std::mutex mutex_;
  std::vector<std::shared_ptr<RelaySession>> added_;
  std::vector<std::shared_ptr<RelaySession>> aborted_;
  bool stopping_ = false;

  /// The thread's own.
  std::unordered_map<RelaySession*, std::shared_ptr<RelaySession>> sessions_;
  std::vector<RelaySession*> queue_;
  std::vector<RelaySession*> turn_;
  /// When sessions that wait for their rate go on; at most one entry for each.
  std::set<std::pair<int64_t, RelaySession*>> waiting_;
  Chunks chunks_;

  std::thread thread_;
};

}  // namespace gssocks
