// What the kernel has counted (CTA_STATS_*).
#pragma once

#include <vector>

#include "message.h"

namespace nfconntrack {

// An attribute of a statistics message.
struct Statistic {
  u32 cpu;  // 0 in global statistics
  u32 type;
  u32 value;
};

// The CPU that a message of statistics per CPU is about.
u32 cpu_of(const Message& message);
void take_statistics(const Message& message, u32 cpu, std::vector<Statistic>& statistics);

}  // namespace nfconntrack
