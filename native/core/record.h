// Generated from native/core/layout.txt by scripts/generate-layout.mjs. Do not edit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nfconntrack {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

inline constexpr char kLayoutVersion[] = "79e51ca9b33e1a5d";

namespace Kind {
inline constexpr u8 kFlow = 0;
inline constexpr u8 kNew = 1;
inline constexpr u8 kUpdate = 2;
inline constexpr u8 kDestroy = 3;
inline constexpr u8 kGap = 4;
inline constexpr u8 kExpectation = 5;
inline constexpr u8 kExpectationNew = 6;
inline constexpr u8 kExpectationDestroy = 7;
}  // namespace Kind

namespace Protoinfo {
inline constexpr u8 kNone = 0;
inline constexpr u8 kTcp = 1;
inline constexpr u8 kDccp = 2;
inline constexpr u8 kSctp = 3;
}  // namespace Protoinfo

namespace GapReason {
inline constexpr u8 kOverrun = 1;
inline constexpr u8 kQueue = 2;
inline constexpr u8 kMalformed = 4;
}  // namespace GapReason

namespace TailType {
inline constexpr u8 kMaster = 1;
inline constexpr u8 kHelper = 2;
inline constexpr u8 kHelperInfo = 3;
inline constexpr u8 kLabels = 4;
inline constexpr u8 kLabelsMask = 5;
inline constexpr u8 kSecctx = 6;
inline constexpr u8 kOrigSeqAdjust = 7;
inline constexpr u8 kReplySeqAdjust = 8;
inline constexpr u8 kSynproxy = 9;
inline constexpr u8 kDccpHandshakeSeq = 10;
inline constexpr u8 kExpectFn = 11;
inline constexpr u8 kNatSrc = 12;
inline constexpr u8 kNatDst = 13;
inline constexpr u8 kMarkMask = 14;
inline constexpr u8 kCountersTime = 15;
inline constexpr u8 kBefore = 16;
}  // namespace TailType

namespace FilterOp {
inline constexpr u8 kAll = 0;
inline constexpr u8 kAny = 1;
inline constexpr u8 kNot = 2;
inline constexpr u8 kNumber = 3;
inline constexpr u8 kWide = 4;
inline constexpr u8 kMask = 5;
inline constexpr u8 kIpv4 = 6;
inline constexpr u8 kIpv6 = 7;
inline constexpr u8 kState = 8;
inline constexpr u8 kLabels = 9;
inline constexpr u8 kHelper = 10;
}  // namespace FilterOp

namespace FilterPlace {
inline constexpr u8 kOrigSrc = 1;
inline constexpr u8 kOrigDst = 2;
inline constexpr u8 kReplySrc = 4;
inline constexpr u8 kReplyDst = 8;
}  // namespace FilterPlace

namespace FilterField {
inline constexpr u8 kFamily = 0;
inline constexpr u8 kProtonum = 1;
inline constexpr u8 kStatus = 2;
inline constexpr u8 kTimeout = 3;
inline constexpr u8 kMark = 4;
inline constexpr u8 kId = 5;
inline constexpr u8 kZone = 6;
inline constexpr u8 kUse = 7;
inline constexpr u8 kOrigSport = 8;
inline constexpr u8 kOrigDport = 9;
inline constexpr u8 kOrigIcmpType = 10;
inline constexpr u8 kOrigIcmpCode = 11;
inline constexpr u8 kOrigIcmpId = 12;
inline constexpr u8 kOrigZone = 13;
inline constexpr u8 kReplySport = 14;
inline constexpr u8 kReplyDport = 15;
inline constexpr u8 kReplyIcmpType = 16;
inline constexpr u8 kReplyIcmpCode = 17;
inline constexpr u8 kReplyIcmpId = 18;
inline constexpr u8 kReplyZone = 19;
inline constexpr u8 kOrigSrckey = 20;
inline constexpr u8 kOrigDstkey = 21;
inline constexpr u8 kReplySrckey = 22;
inline constexpr u8 kReplyDstkey = 23;
inline constexpr u8 kAnyPort = 24;
inline constexpr u8 kOrigPackets = 25;
inline constexpr u8 kOrigBytes = 26;
inline constexpr u8 kReplyPackets = 27;
inline constexpr u8 kReplyBytes = 28;
inline constexpr u8 kPackets = 29;
inline constexpr u8 kBytes = 30;
}  // namespace FilterField

struct TupleRecord {
  static constexpr u32 kHasSrc = 1U << 0;
  static constexpr u32 kHasDst = 1U << 1;
  static constexpr u32 kHasSport = 1U << 2;
  static constexpr u32 kHasDport = 1U << 3;
  static constexpr u32 kHasIcmpId = 1U << 4;
  static constexpr u32 kHasZone = 1U << 5;
  static constexpr u32 kHasIcmpType = 1U << 6;
  static constexpr u32 kHasIcmpCode = 1U << 7;
  static constexpr u32 kHasProtonum = 1U << 8;
  u8 src[16];
  u8 dst[16];
  u16 sport;
  u16 dport;
  u16 icmpId;
  u16 zone;
  u8 icmpType;
  u8 icmpCode;
  u8 protonum;
  u8 family;
  u32 presence;
};
static_assert(sizeof(TupleRecord) == 48);
static_assert(offsetof(TupleRecord, src) == 0);
static_assert(offsetof(TupleRecord, dst) == 16);
static_assert(offsetof(TupleRecord, sport) == 32);
static_assert(offsetof(TupleRecord, dport) == 34);
static_assert(offsetof(TupleRecord, icmpId) == 36);
static_assert(offsetof(TupleRecord, zone) == 38);
static_assert(offsetof(TupleRecord, icmpType) == 40);
static_assert(offsetof(TupleRecord, icmpCode) == 41);
static_assert(offsetof(TupleRecord, protonum) == 42);
static_assert(offsetof(TupleRecord, family) == 43);
static_assert(offsetof(TupleRecord, presence) == 44);

struct FlowRecord {
  static constexpr u32 kHasState = 1U << 0;
  static constexpr u32 kHasStatus = 1U << 1;
  static constexpr u32 kHasTimeout = 1U << 2;
  static constexpr u32 kHasMark = 1U << 3;
  static constexpr u32 kHasUse = 1U << 4;
  static constexpr u32 kHasId = 1U << 5;
  static constexpr u32 kHasSecmark = 1U << 6;
  static constexpr u32 kHasZone = 1U << 7;
  static constexpr u32 kHasOrigWindowScale = 1U << 8;
  static constexpr u32 kHasReplyWindowScale = 1U << 9;
  static constexpr u32 kHasTime = 1U << 10;
  static constexpr u32 kHasTimestampStart = 1U << 11;
  static constexpr u32 kHasTimestampStop = 1U << 12;
  static constexpr u32 kHasTimestampEvent = 1U << 13;
  static constexpr u32 kHasOrigPackets = 1U << 14;
  static constexpr u32 kHasOrigBytes = 1U << 15;
  static constexpr u32 kHasReplyPackets = 1U << 16;
  static constexpr u32 kHasReplyBytes = 1U << 17;
  static constexpr u32 kHasOrig = 1U << 18;
  static constexpr u32 kHasReply = 1U << 19;
  static constexpr u32 kHasOrigTcpFlags = 1U << 20;
  static constexpr u32 kHasReplyTcpFlags = 1U << 21;
  static constexpr u32 kHasDccpRole = 1U << 22;
  static constexpr u32 kHasOrigVtag = 1U << 23;
  static constexpr u32 kHasReplyVtag = 1U << 24;
  u8 kind;
  u8 family;
  u8 protoinfo;
  u8 state;
  u32 presence;
  u32 portid;
  u32 tailOffset;
  u32 tailLength;
  u32 status;
  u32 timeout;
  u32 mark;
  u32 use;
  u32 id;
  u32 secmark;
  u16 zone;
  u8 origWindowScale;
  u8 replyWindowScale;
  u64 time;
  u64 timestampStart;
  u64 timestampStop;
  u64 timestampEvent;
  u64 origPackets;
  u64 origBytes;
  u64 replyPackets;
  u64 replyBytes;
  TupleRecord orig;
  TupleRecord reply;
  u8 origTcpFlags;
  u8 origTcpFlagsMask;
  u8 replyTcpFlags;
  u8 replyTcpFlagsMask;
  u8 dccpRole;
  u8 synthetic;
  u8 reserved[2];
  u32 origVtag;
  u32 replyVtag;
};
static_assert(sizeof(FlowRecord) == 224);
static_assert(offsetof(FlowRecord, kind) == 0);
static_assert(offsetof(FlowRecord, family) == 1);
static_assert(offsetof(FlowRecord, protoinfo) == 2);
static_assert(offsetof(FlowRecord, state) == 3);
static_assert(offsetof(FlowRecord, presence) == 4);
static_assert(offsetof(FlowRecord, portid) == 8);
static_assert(offsetof(FlowRecord, tailOffset) == 12);
static_assert(offsetof(FlowRecord, tailLength) == 16);
static_assert(offsetof(FlowRecord, status) == 20);
static_assert(offsetof(FlowRecord, timeout) == 24);
static_assert(offsetof(FlowRecord, mark) == 28);
static_assert(offsetof(FlowRecord, use) == 32);
static_assert(offsetof(FlowRecord, id) == 36);
static_assert(offsetof(FlowRecord, secmark) == 40);
static_assert(offsetof(FlowRecord, zone) == 44);
static_assert(offsetof(FlowRecord, origWindowScale) == 46);
static_assert(offsetof(FlowRecord, replyWindowScale) == 47);
static_assert(offsetof(FlowRecord, time) == 48);
static_assert(offsetof(FlowRecord, timestampStart) == 56);
static_assert(offsetof(FlowRecord, timestampStop) == 64);
static_assert(offsetof(FlowRecord, timestampEvent) == 72);
static_assert(offsetof(FlowRecord, origPackets) == 80);
static_assert(offsetof(FlowRecord, origBytes) == 88);
static_assert(offsetof(FlowRecord, replyPackets) == 96);
static_assert(offsetof(FlowRecord, replyBytes) == 104);
static_assert(offsetof(FlowRecord, orig) == 112);
static_assert(offsetof(FlowRecord, reply) == 160);
static_assert(offsetof(FlowRecord, origTcpFlags) == 208);
static_assert(offsetof(FlowRecord, origTcpFlagsMask) == 209);
static_assert(offsetof(FlowRecord, replyTcpFlags) == 210);
static_assert(offsetof(FlowRecord, replyTcpFlagsMask) == 211);
static_assert(offsetof(FlowRecord, dccpRole) == 212);
static_assert(offsetof(FlowRecord, synthetic) == 213);
static_assert(offsetof(FlowRecord, reserved) == 214);
static_assert(offsetof(FlowRecord, origVtag) == 216);
static_assert(offsetof(FlowRecord, replyVtag) == 220);

struct NatRecord {
  static constexpr u32 kHasMinAddress = 1U << 0;
  static constexpr u32 kHasMaxAddress = 1U << 1;
  static constexpr u32 kHasMinPort = 1U << 2;
  static constexpr u32 kHasMaxPort = 1U << 3;
  u8 minAddress[16];
  u8 maxAddress[16];
  u16 minPort;
  u16 maxPort;
  u32 presence;
};
static_assert(sizeof(NatRecord) == 40);
static_assert(offsetof(NatRecord, minAddress) == 0);
static_assert(offsetof(NatRecord, maxAddress) == 16);
static_assert(offsetof(NatRecord, minPort) == 32);
static_assert(offsetof(NatRecord, maxPort) == 34);
static_assert(offsetof(NatRecord, presence) == 36);

struct ExpectationRecord {
  static constexpr u32 kHasTimeout = 1U << 0;
  static constexpr u32 kHasId = 1U << 1;
  static constexpr u32 kHasFlags = 1U << 2;
  static constexpr u32 kHasClass = 1U << 3;
  static constexpr u32 kHasNatDir = 1U << 4;
  static constexpr u32 kHasZone = 1U << 5;
  static constexpr u32 kHasTime = 1U << 6;
  static constexpr u32 kHasTuple = 1U << 7;
  static constexpr u32 kHasMask = 1U << 8;
  static constexpr u32 kHasMaster = 1U << 9;
  static constexpr u32 kHasNat = 1U << 10;
  u8 kind;
  u8 family;
  u8 reserved[2];
  u32 presence;
  u32 portid;
  u32 tailOffset;
  u32 tailLength;
  u32 timeout;
  u32 id;
  u32 flags;
  u32 class_;
  u32 natDir;
  u16 zone;
  u8 padding[6];
  u64 time;
  TupleRecord tuple;
  TupleRecord mask;
  TupleRecord master;
  TupleRecord nat;
};
static_assert(sizeof(ExpectationRecord) == 248);
static_assert(offsetof(ExpectationRecord, kind) == 0);
static_assert(offsetof(ExpectationRecord, family) == 1);
static_assert(offsetof(ExpectationRecord, reserved) == 2);
static_assert(offsetof(ExpectationRecord, presence) == 4);
static_assert(offsetof(ExpectationRecord, portid) == 8);
static_assert(offsetof(ExpectationRecord, tailOffset) == 12);
static_assert(offsetof(ExpectationRecord, tailLength) == 16);
static_assert(offsetof(ExpectationRecord, timeout) == 20);
static_assert(offsetof(ExpectationRecord, id) == 24);
static_assert(offsetof(ExpectationRecord, flags) == 28);
static_assert(offsetof(ExpectationRecord, class_) == 32);
static_assert(offsetof(ExpectationRecord, natDir) == 36);
static_assert(offsetof(ExpectationRecord, zone) == 40);
static_assert(offsetof(ExpectationRecord, padding) == 42);
static_assert(offsetof(ExpectationRecord, time) == 48);
static_assert(offsetof(ExpectationRecord, tuple) == 56);
static_assert(offsetof(ExpectationRecord, mask) == 104);
static_assert(offsetof(ExpectationRecord, master) == 152);
static_assert(offsetof(ExpectationRecord, nat) == 200);

struct GapRecord {
  u8 kind;
  u8 reasons;
  u8 reserved[6];
  u64 kernelDrops;
  u64 queueDrops;
  u64 malformed;
  u64 since;
  u64 until;
  u8 unused[176];
};
static_assert(sizeof(GapRecord) == 224);
static_assert(offsetof(GapRecord, kind) == 0);
static_assert(offsetof(GapRecord, reasons) == 1);
static_assert(offsetof(GapRecord, reserved) == 2);
static_assert(offsetof(GapRecord, kernelDrops) == 8);
static_assert(offsetof(GapRecord, queueDrops) == 16);
static_assert(offsetof(GapRecord, malformed) == 24);
static_assert(offsetof(GapRecord, since) == 32);
static_assert(offsetof(GapRecord, until) == 40);
static_assert(offsetof(GapRecord, unused) == 48);

struct BatchRecord {
  u32 length;
  u32 stride;
  u32 tailStart;
  u32 tailLength;
  u32 gaps;
  u32 reserved;
};
static_assert(sizeof(BatchRecord) == 24);
static_assert(offsetof(BatchRecord, length) == 0);
static_assert(offsetof(BatchRecord, stride) == 4);
static_assert(offsetof(BatchRecord, tailStart) == 8);
static_assert(offsetof(BatchRecord, tailLength) == 12);
static_assert(offsetof(BatchRecord, gaps) == 16);
static_assert(offsetof(BatchRecord, reserved) == 20);

}  // namespace nfconntrack
