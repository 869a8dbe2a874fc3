// Generated from native/core/layout.txt by scripts/generate-layout.mjs. Do not edit.

export const LAYOUT_VERSION = '79e51ca9b33e1a5d';

export const Kind = {
  flow: 0,
  new: 1,
  update: 2,
  destroy: 3,
  gap: 4,
  expectation: 5,
  expectationNew: 6,
  expectationDestroy: 7,
} as const;

export const Protoinfo = {
  none: 0,
  tcp: 1,
  dccp: 2,
  sctp: 3,
} as const;

export const GapReason = {
  overrun: 1,
  queue: 2,
  malformed: 4,
} as const;

export const TailType = {
  master: 1,
  helper: 2,
  helperInfo: 3,
  labels: 4,
  labelsMask: 5,
  secctx: 6,
  origSeqAdjust: 7,
  replySeqAdjust: 8,
  synproxy: 9,
  dccpHandshakeSeq: 10,
  expectFn: 11,
  natSrc: 12,
  natDst: 13,
  markMask: 14,
  countersTime: 15,
  before: 16,
} as const;

export const FilterOp = {
  all: 0,
  any: 1,
  not: 2,
  number: 3,
  wide: 4,
  mask: 5,
  ipv4: 6,
  ipv6: 7,
  state: 8,
  labels: 9,
  helper: 10,
} as const;

export const FilterPlace = {
  origSrc: 1,
  origDst: 2,
  replySrc: 4,
  replyDst: 8,
} as const;

export const FilterField = {
  family: 0,
  protonum: 1,
  status: 2,
  timeout: 3,
  mark: 4,
  id: 5,
  zone: 6,
  use: 7,
  origSport: 8,
  origDport: 9,
  origIcmpType: 10,
  origIcmpCode: 11,
  origIcmpId: 12,
  origZone: 13,
  replySport: 14,
  replyDport: 15,
  replyIcmpType: 16,
  replyIcmpCode: 17,
  replyIcmpId: 18,
  replyZone: 19,
  origSrckey: 20,
  origDstkey: 21,
  replySrckey: 22,
  replyDstkey: 23,
  anyPort: 24,
  origPackets: 25,
  origBytes: 26,
  replyPackets: 27,
  replyBytes: 28,
  packets: 29,
  bytes: 30,
} as const;

/** Offsets in bytes of TupleRecord's members. */
export const TupleOffset = {
  src: 0,
  dst: 16,
  sport: 32,
  dport: 34,
  icmpId: 36,
  zone: 38,
  icmpType: 40,
  icmpCode: 41,
  protonum: 42,
  family: 43,
  presence: 44,
} as const;

export const TUPLE_SIZE = 48;

/** Bits of TupleRecord's `presence`. */
export const TupleHas = {
  src: 0x1,
  dst: 0x2,
  sport: 0x4,
  dport: 0x8,
  icmpId: 0x10,
  zone: 0x20,
  icmpType: 0x40,
  icmpCode: 0x80,
  protonum: 0x100,
} as const;

/** Offsets in bytes of FlowRecord's members. */
export const FlowOffset = {
  kind: 0,
  family: 1,
  protoinfo: 2,
  state: 3,
  presence: 4,
  portid: 8,
  tailOffset: 12,
  tailLength: 16,
  status: 20,
  timeout: 24,
  mark: 28,
  use: 32,
  id: 36,
  secmark: 40,
  zone: 44,
  origWindowScale: 46,
  replyWindowScale: 47,
  time: 48,
  timestampStart: 56,
  timestampStop: 64,
  timestampEvent: 72,
  origPackets: 80,
  origBytes: 88,
  replyPackets: 96,
  replyBytes: 104,
  orig: 112,
  reply: 160,
  origTcpFlags: 208,
  origTcpFlagsMask: 209,
  replyTcpFlags: 210,
  replyTcpFlagsMask: 211,
  dccpRole: 212,
  synthetic: 213,
  reserved: 214,
  origVtag: 216,
  replyVtag: 220,
} as const;

export const FLOW_SIZE = 224;

/** Bits of FlowRecord's `presence`. */
export const FlowHas = {
  state: 0x1,
  status: 0x2,
  timeout: 0x4,
  mark: 0x8,
  use: 0x10,
  id: 0x20,
  secmark: 0x40,
  zone: 0x80,
  origWindowScale: 0x100,
  replyWindowScale: 0x200,
  time: 0x400,
  timestampStart: 0x800,
  timestampStop: 0x1000,
  timestampEvent: 0x2000,
  origPackets: 0x4000,
  origBytes: 0x8000,
  replyPackets: 0x10000,
  replyBytes: 0x20000,
  orig: 0x40000,
  reply: 0x80000,
  origTcpFlags: 0x100000,
  replyTcpFlags: 0x200000,
  dccpRole: 0x400000,
  origVtag: 0x800000,
  replyVtag: 0x1000000,
} as const;

/** Offsets in bytes of NatRecord's members. */
export const NatOffset = {
  minAddress: 0,
  maxAddress: 16,
  minPort: 32,
  maxPort: 34,
  presence: 36,
} as const;

export const NAT_SIZE = 40;

/** Bits of NatRecord's `presence`. */
export const NatHas = {
  minAddress: 0x1,
  maxAddress: 0x2,
  minPort: 0x4,
  maxPort: 0x8,
} as const;

/** Offsets in bytes of ExpectationRecord's members. */
export const ExpectationOffset = {
  kind: 0,
  family: 1,
  reserved: 2,
  presence: 4,
  portid: 8,
  tailOffset: 12,
  tailLength: 16,
  timeout: 20,
  id: 24,
  flags: 28,
  class: 32,
  natDir: 36,
  zone: 40,
  padding: 42,
  time: 48,
  tuple: 56,
  mask: 104,
  master: 152,
  nat: 200,
} as const;

export const EXPECTATION_SIZE = 248;

/** Bits of ExpectationRecord's `presence`. */
export const ExpectationHas = {
  timeout: 0x1,
  id: 0x2,
  flags: 0x4,
  class: 0x8,
  natDir: 0x10,
  zone: 0x20,
  time: 0x40,
  tuple: 0x80,
  mask: 0x100,
  master: 0x200,
  nat: 0x400,
} as const;

/** Offsets in bytes of GapRecord's members. */
export const GapOffset = {
  kind: 0,
  reasons: 1,
  reserved: 2,
  kernelDrops: 8,
  queueDrops: 16,
  malformed: 24,
  since: 32,
  until: 40,
  unused: 48,
} as const;

export const GAP_SIZE = 224;

/** Offsets in bytes of BatchRecord's members. */
export const BatchOffset = {
  length: 0,
  stride: 4,
  tailStart: 8,
  tailLength: 12,
  gaps: 16,
  reserved: 20,
} as const;

export const BATCH_SIZE = 24;
