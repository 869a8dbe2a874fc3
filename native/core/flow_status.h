// Bits of a flow's status: enum ip_conntrack_status, IPS_* of
// <linux/netfilter/nf_conntrack_common.h>.
#pragma once

#include "record.h"

namespace nfconntrack::FlowStatus {

inline constexpr u32 kExpected = 1U << 0;
inline constexpr u32 kSeenReply = 1U << 1;
inline constexpr u32 kAssured = 1U << 2;
inline constexpr u32 kConfirmed = 1U << 3;
inline constexpr u32 kSrcNat = 1U << 4;
inline constexpr u32 kDstNat = 1U << 5;
inline constexpr u32 kSeqAdjust = 1U << 6;
inline constexpr u32 kSrcNatDone = 1U << 7;
inline constexpr u32 kDstNatDone = 1U << 8;
inline constexpr u32 kDying = 1U << 9;
inline constexpr u32 kFixedTimeout = 1U << 10;
inline constexpr u32 kTemplate = 1U << 11;
inline constexpr u32 kUntracked = 1U << 12;
inline constexpr u32 kHelper = 1U << 13;
inline constexpr u32 kOffload = 1U << 14;
inline constexpr u32 kHwOffload = 1U << 15;

}  // namespace nfconntrack::FlowStatus
