// A thread of ours: named, deaf to signals, joined by its owner.
#pragma once

#include <functional>
#include <thread>

#include "failure.h"

namespace nfconntrack {

class Thread {
 public:
  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() { join(); }

  // `name` (at most 15 characters) is what `top -H` shows. All signals are blocked in the new
  // thread: they belong to the program, and its handlers must not run on a stack of ours.
  Failure start(const char* name, std::function<void()> body);
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace nfconntrack
