// A thread in a network namespace that runs jobs one after the other, on one control socket.
//
// Lifetime rules
// 1. stop() runs no further job, waits for the one that runs, and joins; the destructor does the
// same.
// 2. Jobs that never ran are destroyed on the thread that calls stop().
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "netlink_socket.h"
#include "netns.h"
#include "thread.h"

namespace nfconntrack {

class Worker {
 public:
  // `failure` tells why there is no socket to work with; the job then has only to pass it on.
  using Job = std::function<void(NetlinkSocket& socket, const Failure& failure)>;

  explicit Worker(std::shared_ptr<const Netns> netns) : netns_(std::move(netns)) {}
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Failure start();
  void stop();
  void post(Job job);
  // The port of its socket; 0 until there is one. On any thread.
  [[nodiscard]] u32 portid() const { return portid_; }

 private:
  void run();
  Failure prepare();
  bool next(Job& job);

  const std::shared_ptr<const Netns> netns_;
  NetlinkSocket socket_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::atomic<u32> portid_ = 0;
  Thread thread_;
};

}  // namespace nfconntrack
