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

}  // namespace nfconntrack
