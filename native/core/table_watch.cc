#include "table_watch.h"

#include "clock.h"
#include "ctnetlink.h"
#include "flow_request.h"

namespace nfconntrack {
namespace {

constexpr u64 kPause = 100;  // ms

}  // namespace

bool TableWatch::is_filling() {
  const u64 now = monotonic_ms();
  if (now < due_) return false;
  due_ = now + kPause;
  std::vector<Statistic> statistics;
  // Who cannot ask must not go on trusting that there is room.
  if (!get_global_stats(socket_, statistics).ok()) return true;
  u64 entries = 0;
  u64 most = 0;
  for (const Statistic& each : statistics) {
    if (each.type == ctnetlink::kStatsGlobalEntries) entries = each.value;
    if (each.type == ctnetlink::kStatsGlobalMaxEntries) most = each.value;
  }
  // 0 is no limit, and so is a kernel that does not tell one (before Linux 4.18).
  return most != 0 && 4 * entries >= 3 * most;
}

}  // namespace nfconntrack
