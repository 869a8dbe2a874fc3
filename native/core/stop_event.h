// How a thread that waits for a socket is told to end: never by closing the socket under it.
#pragma once

#include <atomic>

#include "failure.h"
#include "fd.h"

namespace nfconntrack {

class StopEvent {
 public:
  // Makes the eventfd; call it before the thread that waits is started.
  Failure open();
  void set();
  [[nodiscard]] bool is_set() const { return set_.load(std::memory_order_relaxed); }

  // Sleeps until `fd` is readable or in error (true), or the event is set (false).
  [[nodiscard]] bool wait_readable(int fd) const;
  // The same for at most `timeout` ms; true also when they have passed.
  [[nodiscard]] bool wait_readable(int fd, int timeout) const;
  // Sleeps for `timeout` ms; false as soon as the event is set.
  [[nodiscard]] bool wait(int timeout) const { return wait_readable(-1, timeout); }

 private:
  Fd fd_;
  std::atomic<bool> set_ = false;
};

}  // namespace nfconntrack
