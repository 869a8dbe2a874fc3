// Wall-clock time, as the kernel's own timestamps of flows have it.
#pragma once

#include <ctime>

#include "record.h"

namespace nfconntrack {

// ns since the epoch.
inline u64 now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  constexpr u64 kNsPerSecond = 1'000'000'000;
  return static_cast<u64>(time.tv_sec) * kNsPerSecond + static_cast<u64>(time.tv_nsec);
}

// ms of a clock that only goes on.
inline u64 monotonic_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<u64>(time.tv_sec) * 1000 + static_cast<u64>(time.tv_nsec) / 1'000'000;
}

}  // namespace nfconntrack
