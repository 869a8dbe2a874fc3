// Asking the kernel for its expectations, making them, and taking them away.
#pragma once

#include <string_view>
#include <vector>

#include "batch_view.h"
#include "exchange.h"
#include "record_batch.h"
#include "statistic.h"

namespace nfconntrack {

// Lists the expectations of `wanted`'s family (0: of both) or, where it has a master, of that flow
// in its zone, each of them once. ENOENT: there is no such master.
Failure list_expectations(NetlinkSocket& socket, const ExpectationRecord& wanted,
                          ExpectationBatch& batch);

// Looks up the expectation that expects `key`'s tuple in `key`'s zone, and appends it to `batch`.
// The kernel compares under the expectation's mask, and, where `key` has an id, that too. ENOENT:
// there is none.
Failure get_expectation(NetlinkSocket& socket, const ExpectationRecord& key,
                        ExpectationBatch& batch);

// Makes the only expectation of `batch`. ENOENT: there is no such master; EEXIST: something expects
// the tuple already.
Failure create_expectation(NetlinkSocket& socket, const ExpectationBatchView& batch);

// Takes away what get_expectation() would find.
Failure delete_expectation(NetlinkSocket& socket, const ExpectationRecord& key);

// Takes away the expectations of all flows that have the helper.
Failure delete_expectations_of(NetlinkSocket& socket, std::string_view helper);

Failure flush_expectations(NetlinkSocket& socket);

// IPCTNL_MSG_EXP_GET_STATS_CPU: ctnetlink::ExpectationStatsAttribute of every CPU.
Failure get_expectation_stats(NetlinkSocket& socket, std::vector<Statistic>& stats);

}  // namespace nfconntrack
