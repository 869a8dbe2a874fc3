// Asking the kernel for single flows and for its statistics.
#pragma once

#include "exchange.h"
#include "record_batch.h"
#include "statistic.h"

namespace nfconntrack {

// Looks up one flow by `key`'s original tuple, or by its reply tuple if it has no original one, in
// `key`'s zone, and appends it to `batch`. ENOENT: there is none.
Failure get_flow(NetlinkSocket& socket, const FlowRecord& key, FlowBatch& batch);

// IPCTNL_MSG_CT_GET_STATS_CPU: ctnetlink::StatsAttribute of every CPU.
Failure get_cpu_stats(NetlinkSocket& socket, std::vector<Statistic>& stats);
// IPCTNL_MSG_CT_GET_STATS: ctnetlink::GlobalStatsAttribute.
Failure get_global_stats(NetlinkSocket& socket, std::vector<Statistic>& stats);

}  // namespace nfconntrack
