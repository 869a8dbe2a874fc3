/** A flow that is to be made. */
import type { Family } from './address';
import {
  labelWords,
  type StatusBits,
  statusBits,
  writeHelper,
  writeSeqAdjust,
  writeSynproxy,
} from './attributes';
import { Flow, type SeqAdjust, type Synproxy } from './flow';
import {
  FLOW_MEMBERS,
  protocolOf,
  refuseStrangers,
  type TupleKey,
  type TupleLike,
  writeKey,
  writeTuple,
} from './key';
import { FlowHas, FlowOffset, TailType, TUPLE_SIZE, TupleHas, TupleOffset } from './layout';
import { type Nat, natOf, writeNat } from './nat';
import { integer, mustBe } from './options';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from './protocol';
import { type ProtocolDetails, writeProtoinfo } from './protoinfo';
import { type RecordWriter, TupleWriter } from './record-writer';
import { Status, UNCHANGEABLE } from './status';

/** A flow to be made. A `Flow` that was listed, or its JSON, is one. */
export interface NewFlow extends ProtocolDetails {
  family?: Family | undefined;
  /** Name or number as text; or `protonum`. */
  protocol?: string | undefined;
  protonum?: number | undefined;
  orig: TupleKey | TupleLike;
  /** Default: `orig` the other way round. */
  reply?: TupleKey | TupleLike | undefined;
  zone?: number | undefined;
  /** Seconds until it expires. */
  timeout?: number | undefined;
  /** SEEN_REPLY, ASSURED and FIXED_TIMEOUT; CONFIRMED is always added, NAT's own bits come from `nat`. */
  status?: StatusBits | undefined;
  mark?: number | undefined;
  /** Numbers of label bits; a rule of the namespace must use labels. */
  labels?: readonly number[] | undefined;
  helper?: string | undefined;
  /** The original tuple of the flow it belongs to. */
  master?:
    | ((TupleKey | TupleLike) & { protocol?: string | undefined; protonum?: number | undefined })
    | undefined;
  /**
   * Default: that of a listed flow, which its status and its reply tell. Its reply is then the original the
   * other way round, from which the kernel translates.
   */
  nat?: Nat | undefined;
  seqAdjust?: SeqAdjust | undefined;
  synproxy?: Synproxy | undefined;
}

const U32 = 0xffff_ffff;

/** Types of ICMP and ICMPv6 queries and of their replies (RFC 792, RFC 950, RFC 4443, RFC 4620). */
const ICMP_REPLY: Readonly<Record<number, number>> = {
  8: 0,
  0: 8,
  13: 14,
  14: 13,
  15: 16,
  16: 15,
  17: 18,
  18: 17,
};
const ICMPV6_REPLY: Readonly<Record<number, number>> = { 128: 129, 129: 128, 139: 140, 140: 139 };

/** The type of the message that answers one of this type; throws a RangeError where there is none. */
export function replyIcmpType(name: string, type: number, protonum: number): number {
  const reply = (protonum === IPPROTO_ICMPV6 ? ICMPV6_REPLY : ICMP_REPLY)[type];
  if (reply === undefined) {
    throw new RangeError(`${name}.icmpType must be that of a query or its reply, not ${type}`);
  }
  return reply;
}

/** Writes the original, which is written, the other way round; the kernel takes a zone of one side only. */
function writeReversed(
  record: RecordWriter,
  name: string,
  orig: TupleLike,
  protonum: number,
): void {
  record.reverseTuple(FlowOffset.orig, FlowOffset.reply);
  if (protonum !== IPPROTO_ICMP && protonum !== IPPROTO_ICMPV6) return;
  const { icmpType = 0 } = orig;
  record.u8(FlowOffset.reply + TupleOffset.icmpType, replyIcmpType(name, icmpType, protonum));
}

function writeMaster(
  record: RecordWriter,
  name: string,
  master: NonNullable<NewFlow['master']>,
  protonum: number,
  family: Family,
): void {
  if (typeof master !== 'object' || (master as unknown) === null)
    throw mustBe(name, 'an object', master);
  const { protocol, protonum: number } = master;
  const own = protocol === undefined && number === undefined ? protonum : protocolOf(name, master);
  const payload = record.tail(TailType.master, TUPLE_SIZE);
  writeTuple(new TupleWriter(payload, 0), name, master, own, family, ['protocol', 'protonum']);
}

/** Writes the reply that a flow is made with, from which the kernel's NAT goes on. */
function writeReply(
  record: RecordWriter,
  name: string,
  { orig, reply }: NewFlow,
  protonum: number,
  family: Family,
  derived: boolean,
): void {
  record.has(FlowHas.reply);
  const writer = record.tuple(FlowOffset.reply);
  if (reply !== undefined && !derived) {
    writeTuple(writer, `${name}.reply`, reply, protonum, family);
    return;
  }
  writeReversed(record, `${name}.orig`, orig, protonum);
  writer.u16(TupleOffset.zone, TupleHas.zone, reply?.zone);
}

/** What writeNewFlow() does about NAT that is told by the status alone. */
export type ListedNat = 'make' | 'leave';

function listedNat(flow: NewFlow, status: number, listed: ListedNat): Nat | undefined {
  const { nat, reply } = flow;
  // A null is no tuple, and refused where tuples are.
  if (nat !== undefined || !reply || listed === 'leave') return undefined;
  return natOf(status, reply);
}

/**
 * Writes a flow that is to be made; throws a TypeError or RangeError that names what is wrong in it. The result
 * is whether its NAT was told by its status alone.
 */
export function writeNewFlow(
  record: RecordWriter,
  name: string,
  flow: NewFlow,
  listed: ListedNat = 'make',
): boolean {
  if (typeof flow !== 'object' || (flow as unknown) === null) throw mustBe(name, 'an object', flow);
  if (!(flow instanceof Flow)) refuseStrangers(name, flow, FLOW_MEMBERS);
  if ((flow.orig as unknown) === undefined) throw new TypeError(`${name}.orig is missing`);
  const { timeout, mark, labels, helper, master, seqAdjust, synproxy, status: given = 0 } = flow;
  const status = statusBits(`${name}.status`, given);
  const { protonum, family } = writeKey(record, name, flow, 'orig');
  const derived = listedNat(flow, status, listed);
  writeReply(record, name, flow, protonum, family, derived !== undefined);
  if (timeout === undefined)
    throw new TypeError(`${name}.timeout is missing: seconds until it expires`);
  const seconds = integer(`${name}.timeout`, timeout, 0, U32);
  record.optionalU32(FlowOffset.timeout, FlowHas.timeout, seconds);
  const bits = ((status & ~UNCHANGEABLE) | Status.confirmed) >>> 0;
  record.optionalU32(FlowOffset.status, FlowHas.status, bits);
  if (mark !== undefined) {
    record.optionalU32(FlowOffset.mark, FlowHas.mark, integer(`${name}.mark`, mark, 0, U32));
  }
  writeLabels(record, `${name}.labels`, labels);
  if (helper !== undefined) writeHelper(record, `${name}.helper`, helper);
  const nat = derived ?? flow.nat;
  if (nat !== undefined) writeNat(record, `${name}.nat`, nat, family);
  if (master !== undefined) writeMaster(record, `${name}.master`, master, protonum, family);
  writeProtoinfo(record, name, flow, protonum, 'create');
  if (seqAdjust !== undefined) writeSeqAdjust(record, `${name}.seqAdjust`, seqAdjust);
  if (synproxy !== undefined) writeSynproxy(record, `${name}.synproxy`, synproxy);
  return derived !== undefined;
}

/** No labels are none to be set, for which the kernel would want room. */
function writeLabels(record: RecordWriter, name: string, labels: NewFlow['labels']): void {
  if (labels === undefined) return;
  const words = labelWords(name, labels);
  if (words.some((word) => word !== 0)) record.tailWords(TailType.labels, words);
}
