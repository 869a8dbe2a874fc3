// The kernel's connection tracking over netlink: messages and attributes, as
// <linux/netfilter/nfnetlink_conntrack.h> of Linux 6.18 has them. They are spelled out here because
// the headers of a build machine may be older than the kernel it runs on, and because
// libnetfilter_conntrack's header of the same name shares the kernel header's include guard.
#pragma once

#include <cstdint>

namespace nfconntrack::ctnetlink {

// <linux/netfilter/nfnetlink.h>
inline constexpr int kSubsystemFlow = 1;
inline constexpr int kSubsystemExpectation = 2;

// struct nfgenmsg
struct Header {
  std::uint8_t family;
  std::uint8_t version;
  std::uint16_t res_id;  // big endian
};
static_assert(sizeof(Header) == 4);

constexpr std::uint16_t message_type(int subsystem, int command) {
  return static_cast<std::uint16_t>(subsystem << 8 | command);
}

enum Command : int {
  kNew = 0,
  kGet = 1,
  kDelete = 2,
  kGetZero = 3,  // IPCTNL_MSG_CT_GET_CTRZERO
  kGetStatsCpu = 4,
  kGetStats = 5,
  kGetDying = 6,
  kGetUnconfirmed = 7,
};

enum ExpectationCommand : int { kExpNew = 0, kExpGet = 1, kExpDelete = 2, kExpGetStatsCpu = 3 };

// Multicast groups (enum nfnetlink_groups).
enum Group : int {
  kGroupNew = 1,
  kGroupUpdate = 2,
  kGroupDestroy = 3,
  kGroupExpNew = 4,
  kGroupExpUpdate = 5,
  kGroupExpDestroy = 6,
};

// Bits of CTA_STATUS (enum ip_conntrack_status).
inline constexpr std::uint32_t kStatusDying = 1U << 9;
inline constexpr std::uint32_t kStatusOffload = 1U << 14;

enum FlowAttribute : std::uint16_t {
  kTupleOrig = 1,
  kTupleReply = 2,
  kStatus = 3,
  kProtoinfo = 4,
  kHelp = 5,
  kNatSrc = 6,
  kTimeout = 7,
  kMark = 8,
  kCountersOrig = 9,
  kCountersReply = 10,
  kUse = 11,
  kId = 12,
  kNatDst = 13,
  kTupleMaster = 14,
  kSeqAdjOrig = 15,
  kSeqAdjReply = 16,
  kSecmark = 17,
  kZone = 18,
  kSecctx = 19,
  kTimestamp = 20,
  kMarkMask = 21,
  kLabels = 22,
  kLabelsMask = 23,
  kSynproxy = 24,
  kFilter = 25,
  kStatusMask = 26,
  kTimestampEvent = 27,  // Linux 6.14; in no header before
};

enum TupleAttribute : std::uint16_t { kTupleIp = 1, kTupleProto = 2, kTupleZone = 3 };
enum IpAttribute : std::uint16_t { kIpV4Src = 1, kIpV4Dst = 2, kIpV6Src = 3, kIpV6Dst = 4 };
enum ProtoAttribute : std::uint16_t {
  kProtoNum = 1,
  kProtoSrcPort = 2,
  kProtoDstPort = 3,
  kProtoIcmpId = 4,
  kProtoIcmpType = 5,
  kProtoIcmpCode = 6,
  kProtoIcmpv6Id = 7,
  kProtoIcmpv6Type = 8,
  kProtoIcmpv6Code = 9,
};

enum NatAttribute : std::uint16_t {
  kNatV4Min = 1,
  kNatV4Max = 2,
  kNatProto = 3,
  kNatV6Min = 4,  // Linux 3.7
  kNatV6Max = 5,
};
enum NatProtoAttribute : std::uint16_t { kNatPortMin = 1, kNatPortMax = 2 };

enum ProtoinfoAttribute : std::uint16_t {
  kProtoinfoTcp = 1,
  kProtoinfoDccp = 2,
  kProtoinfoSctp = 3,
};
enum TcpAttribute : std::uint16_t {
  kTcpState = 1,
  kTcpWscaleOrig = 2,
  kTcpWscaleReply = 3,
  kTcpFlagsOrig = 4,
  kTcpFlagsReply = 5,
};
enum DccpAttribute : std::uint16_t { kDccpState = 1, kDccpRole = 2, kDccpHandshakeSeq = 3 };
enum SctpAttribute : std::uint16_t { kSctpState = 1, kSctpVtagOrig = 2, kSctpVtagReply = 3 };

enum CounterAttribute : std::uint16_t {
  kCounterPackets = 1,
  kCounterBytes = 2,
  kCounter32Packets = 3,  // until Linux 2.6.38
  kCounter32Bytes = 4,
};
enum TimestampAttribute : std::uint16_t { kTimestampStart = 1, kTimestampStop = 2 };
enum HelpAttribute : std::uint16_t { kHelpName = 1, kHelpInfo = 2 };
enum SecctxAttribute : std::uint16_t { kSecctxName = 1 };
enum SeqAdjAttribute : std::uint16_t {
  kSeqAdjPosition = 1,
  kSeqAdjOffsetBefore = 2,
  kSeqAdjOffsetAfter = 3,
};
enum SynproxyAttribute : std::uint16_t { kSynproxyIsn = 1, kSynproxyIts = 2, kSynproxyTsoff = 3 };

enum ExpectAttribute : std::uint16_t {
  kExpectMaster = 1,
  kExpectTuple = 2,
  kExpectMask = 3,
  kExpectTimeout = 4,
  kExpectId = 5,
  kExpectHelpName = 6,
  kExpectZone = 7,
  kExpectFlags = 8,
  kExpectClass = 9,
  kExpectNat = 10,
  kExpectFn = 11,
};
enum ExpectNatAttribute : std::uint16_t { kExpectNatDir = 1, kExpectNatTuple = 2 };

enum StatsAttribute : std::uint16_t {  // CTA_STATS_*, one message a CPU, be32 each
  kStatsSearched = 1,                  // no longer sent
  kStatsFound = 2,
  kStatsNew = 3,  // no longer sent
  kStatsInvalid = 4,
  kStatsIgnore = 5,      // no longer sent
  kStatsDelete = 6,      // no longer sent
  kStatsDeleteList = 7,  // no longer sent
  kStatsInsert = 8,
  kStatsInsertFailed = 9,
  kStatsDrop = 10,
  kStatsEarlyDrop = 11,
  kStatsError = 12,
  kStatsSearchRestart = 13,
  kStatsClashResolve = 14,  // Linux 5.9
  kStatsChainToolong = 15,  // Linux 5.15
};
enum ExpectationStatsAttribute : std::uint16_t {  // CTA_STATS_EXP_*, one message a CPU, be32 each
  kStatsExpNew = 1,
  kStatsExpCreate = 2,
  kStatsExpDelete = 3,
};
enum GlobalStatsAttribute : std::uint16_t {
  kStatsGlobalEntries = 1,
  kStatsGlobalMaxEntries = 2,  // Linux 4.18
};

}  // namespace nfconntrack::ctnetlink
