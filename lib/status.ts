/**
 * The bits of a flow's status (`enum ip_conntrack_status`, IPS_* of <linux/netfilter/nf_conntrack_common.h>).
 */
export const Status = {
  /** It was expected, by a helper or by hand. */
  expected: 1 << 0,
  /** Packets were seen in both directions. */
  seenReply: 1 << 1,
  /** It is not dropped early when the table is full. */
  assured: 1 << 2,
  /** Its first packet has left this host. */
  confirmed: 1 << 3,
  srcNat: 1 << 4,
  dstNat: 1 << 5,
  /** Sequence numbers are adjusted. */
  seqAdjust: 1 << 6,
  srcNatDone: 1 << 7,
  dstNatDone: 1 << 8,
  dying: 1 << 9,
  fixedTimeout: 1 << 10,
  template: 1 << 11,
  untracked: 1 << 12,
  /** Its helper was attached by a rule or over netlink. */
  helper: 1 << 13,
  /** A flow table forwards its packets (Linux 4.16). */
  offload: 1 << 14,
  /** Hardware forwards its packets (Linux 5.8). */
  hwOffload: 1 << 15,
} as const;

/** @internal Bits that only the kernel sets (IPS_UNCHANGEABLE_MASK, and those of its own older versions). */
export const UNCHANGEABLE =
  Status.srcNat | Status.dstNat | Status.srcNatDone | Status.dstNatDone | Status.seqAdjust | Status.dying |
  Status.expected | Status.template | Status.untracked | Status.offload | Status.hwOffload; // prettier-ignore

/** The kernel's names of the bits, in their order. */
const FLAGS = [
  [Status.expected, 'EXPECTED'],
  [Status.seenReply, 'SEEN_REPLY'],
  [Status.assured, 'ASSURED'],
  [Status.confirmed, 'CONFIRMED'],
  [Status.srcNat, 'SRC_NAT'],
  [Status.dstNat, 'DST_NAT'],
  [Status.seqAdjust, 'SEQ_ADJUST'],
  [Status.srcNatDone, 'SRC_NAT_DONE'],
  [Status.dstNatDone, 'DST_NAT_DONE'],
  [Status.dying, 'DYING'],
  [Status.fixedTimeout, 'FIXED_TIMEOUT'],
  [Status.template, 'TEMPLATE'],
  [Status.untracked, 'UNTRACKED'],
  [Status.helper, 'HELPER'],
  [Status.offload, 'OFFLOAD'],
  [Status.hwOffload, 'HW_OFFLOAD'],
] as const;

/** A flag by the kernel's name, or by its name in Status. */
export type StatusFlag = (typeof FLAGS)[number][1] | keyof typeof Status;

const BITS = new Map<string, number>([
  ...FLAGS.map(([bit, name]) => [name, bit] as const),
  ...Object.entries(Status),
]);

/** The bit of a flag's name; undefined if it is none. */
export function statusBit(name: string): number | undefined {
  return BITS.get(name);
}

export function statusFlags(status: number): string[] {
  return FLAGS.filter(([bit]) => (status & bit) !== 0).map(([, name]) => name);
}
