/** What may be given to a new flow, and what may be changed of one. */
import { type Family, familyOf } from './address';
import type { DccpInfo, SctpInfo, SeqAdjust, Synproxy, TcpFlags, TcpInfo } from './flow';
import { Flow } from './flow';
import {
  type FlowKey,
  protocolOf,
  type TupleKey,
  type TupleLike,
  writeKey,
  writeTuple,
  writeZone,
} from './key';
import {
  FlowHas,
  FlowOffset,
  NAT_SIZE,
  NatHas,
  NatOffset,
  Protoinfo,
  TailType,
  TUPLE_SIZE,
} from './layout';
import { integer, mustBe, options, string } from './options';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, protocolName } from './protocol';
import { type RecordWriter, TupleWriter } from './record-writer';
import { stateCodes } from './state';
import { Status, statusBit, type StatusFlag } from './status';

/** Bits of Status, or flags by name. */
export type StatusBits = number | readonly StatusFlag[];

/** Where NAT may take an address and a port from; a single one, or a range `[first, last]`. */
export interface NatRange {
  address?: string | readonly [string, string];
  port?: number | readonly [number, number];
}

/** A flow to be made. A `Flow` that was listed, or its JSON, is one. */
export interface NewFlow {
  family?: Family;
  /** Name or number as text; or `protonum`. */
  protocol?: string;
  protonum?: number;
  orig: TupleKey | TupleLike;
  /** Default: `orig` the other way round. */
  reply?: TupleKey | TupleLike | undefined;
  zone?: number;
  /** Seconds until it expires. */
  timeout?: number | undefined;
  /** SEEN_REPLY, ASSURED and FIXED_TIMEOUT; CONFIRMED is always added, NAT's own bits come from `nat`. */
  status?: StatusBits;
  mark?: number | undefined;
  /** Numbers of label bits; a rule of the namespace must use labels. */
  labels?: readonly number[] | undefined;
  helper?: string | undefined;
  /** The original tuple of the flow it belongs to. */
  master?: ((TupleKey | TupleLike) & { protocol?: string }) | undefined;
  nat?: { src?: NatRange; dst?: NatRange } | undefined;
  state?: string | undefined;
  tcp?: TcpInfo | undefined;
  sctp?: SctpInfo | undefined;
  dccp?: DccpInfo | undefined;
  seqAdjust?: SeqAdjust | undefined;
  synproxy?: Synproxy | undefined;
}

/** What is to become of a flow. What is left out stays as it is. */
export interface FlowChanges {
  /** Seconds. */
  timeout?: number;
  /** With a mask only its bits change. */
  mark?: number | { value: number; mask: number };
  /** Flags to set (the kernel clears neither SEEN_REPLY nor ASSURED), or to set and to clear. */
  status?: StatusBits | { set?: StatusBits; clear?: StatusBits };
  /** All the labels it is to have, or those to set and to clear. */
  labels?: readonly number[] | { set?: readonly number[]; clear?: readonly number[] };
  /** `''` takes the helper away. */
  helper?: string;
  tcp?: TcpInfo;
  sctp?: SctpInfo;
  dccp?: DccpInfo;
  seqAdjust?: SeqAdjust;
  synproxy?: Synproxy;
}

/** Bits to set and to clear in a status that is not known yet. */
export interface StatusDelta {
  readonly set: number;
  readonly clear: number;
}

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const U48 = 2 ** 48 - 1;
const MAX_LABEL = 127;
const LABEL_WORDS = 4;
/** NF_CT_HELPER_NAME_LEN, without its NUL. */
const MAX_HELPER = 15;
const MAX_WINDOW_SCALE = 14;

const NEW_FLOW = [
  'family', 'protocol', 'protonum', 'orig', 'reply', 'zone', 'timeout', 'status', 'mark', 'labels', 'helper',
  'master', 'nat', 'state', 'tcp', 'sctp', 'dccp', 'seqAdjust', 'synproxy',
] as const; // prettier-ignore
/** Members of a Flow that the kernel decides itself. */
const OF_THE_KERNEL = [
  'id',
  'statusFlags',
  'use',
  'secmark',
  'secctx',
  'helperInfo',
  'timestamps',
] as const;
const KNOWN = [...NEW_FLOW, ...OF_THE_KERNEL];
const CHANGES = [
  'timeout', 'mark', 'status', 'labels', 'helper', 'tcp', 'sctp', 'dccp', 'seqAdjust', 'synproxy',
] as const; // prettier-ignore

// --- pieces that new flows and changes share ---

export function statusBits(name: string, value: unknown): number {
  if (typeof value === 'number') return integer(name, value, 0, U32);
  if (!Array.isArray(value)) throw mustBe(name, 'bits, or an array of status flags', value);
  return value.reduce<number>((bits, item: unknown, index) => {
    const bit = statusBit(string(`${name}[${index}]`, item));
    if (bit === undefined) throw mustBe(`${name}[${index}]`, 'the name of a status flag', item);
    return bits | bit;
  }, 0);
}

function labelWords(name: string, value: unknown): number[] {
  if (!Array.isArray(value)) throw mustBe(name, 'an array of label numbers', value);
  const words = new Array<number>(LABEL_WORDS).fill(0);
  value.forEach((item: unknown, index) => {
    const bit = integer(`${name}[${index}]`, item, 0, MAX_LABEL);
    words[bit >> 5] = (words[bit >> 5] ?? 0) | (1 << (bit & 31));
  });
  return words;
}

function writeHelper(record: RecordWriter, name: string, value: unknown): void {
  const bytes = Buffer.from(string(name, value));
  if (bytes.length > MAX_HELPER || bytes.includes(0)) {
    throw new RangeError(`${name} must have at most ${MAX_HELPER} bytes, and no NUL`);
  }
  record.tailBytes(TailType.helper, bytes);
}

function stateNumber(name: string, value: unknown, protoinfo: number): number {
  const text = string(name, value).toUpperCase();
  const number = stateCodes(text).find((code) => code.protoinfo === protoinfo)?.state;
  if (number !== undefined) return number;
  if (/^\d{1,3}$/.test(text)) return integer(name, Number(text), 0, U8);
  throw mustBe(name, 'a state of this protocol', value);
}

function optionalState(name: string, value: unknown, protoinfo: number): number | undefined {
  return value === undefined ? undefined : stateNumber(name, value, protoinfo);
}

function optionalInteger(name: string, value: unknown, max: number): number | undefined {
  return value === undefined ? undefined : integer(name, value, 0, max);
}

function writeTcpFlags(
  record: RecordWriter,
  name: string,
  value: TcpFlags | undefined,
  offset: number,
  flag: number,
): void {
  if (value === undefined) return;
  const { value: flags, mask } = options(name, value, ['value', 'mask']);
  record.u8(offset, integer(`${name}.value`, flags, 0, U8));
  record.u8(offset + 1, integer(`${name}.mask`, mask, 0, U8));
  record.has(flag);
}

function writeTcp(record: RecordWriter, name: string, tcp: TcpInfo): void {
  const known = options(name, tcp, [
    'state',
    'origWindowScale',
    'replyWindowScale',
    'origFlags',
    'replyFlags',
  ]);
  const scale = (member: 'origWindowScale' | 'replyWindowScale'): number | undefined =>
    optionalInteger(`${name}.${member}`, known[member], MAX_WINDOW_SCALE);
  record.u8(FlowOffset.protoinfo, Protoinfo.tcp);
  record.optionalU8(
    FlowOffset.state,
    FlowHas.state,
    optionalState(`${name}.state`, known.state, Protoinfo.tcp),
  );
  record.optionalU8(FlowOffset.origWindowScale, FlowHas.origWindowScale, scale('origWindowScale'));
  record.optionalU8(
    FlowOffset.replyWindowScale,
    FlowHas.replyWindowScale,
    scale('replyWindowScale'),
  );
  writeTcpFlags(
    record,
    `${name}.origFlags`,
    known.origFlags,
    FlowOffset.origTcpFlags,
    FlowHas.origTcpFlags,
  );
  writeTcpFlags(
    record,
    `${name}.replyFlags`,
    known.replyFlags,
    FlowOffset.replyTcpFlags,
    FlowHas.replyTcpFlags,
  );
}

/** The kernel takes the three together only (nlattr_to_sctp()), so that none can be left as it is. */
function writeSctp(record: RecordWriter, name: string, sctp: SctpInfo): void {
  const known = options(name, sctp, ['state', 'origVtag', 'replyVtag']);
  for (const member of ['state', 'origVtag', 'replyVtag'] as const) {
    if (known[member] !== undefined) continue;
    throw new TypeError(
      `${name}.${member} is missing: the kernel takes state and both vtags together`,
    );
  }
  const state = optionalState(`${name}.state`, known.state, Protoinfo.sctp);
  const origVtag = optionalInteger(`${name}.origVtag`, known.origVtag, U32);
  const replyVtag = optionalInteger(`${name}.replyVtag`, known.replyVtag, U32);
  record.u8(FlowOffset.protoinfo, Protoinfo.sctp);
  record.optionalU8(FlowOffset.state, FlowHas.state, state);
  record.optionalU32(FlowOffset.origVtag, FlowHas.origVtag, origVtag);
  record.optionalU32(FlowOffset.replyVtag, FlowHas.replyVtag, replyVtag);
}

function writeDccp(record: RecordWriter, name: string, dccp: DccpInfo): void {
  const known = options(name, dccp, ['state', 'role', 'handshakeSeq']);
  record.u8(FlowOffset.protoinfo, Protoinfo.dccp);
  record.optionalU8(
    FlowOffset.state,
    FlowHas.state,
    optionalState(`${name}.state`, known.state, Protoinfo.dccp),
  );
  record.optionalU8(
    FlowOffset.dccpRole,
    FlowHas.dccpRole,
    optionalInteger(`${name}.role`, known.role, 1),
  );
  const sequence = optionalInteger(`${name}.handshakeSeq`, known.handshakeSeq, U48);
  if (sequence !== undefined) record.tailU64(TailType.dccpHandshakeSeq, sequence);
}

function writeSeqAdjust(record: RecordWriter, name: string, value: SeqAdjust): void {
  const known = options(name, value, ['orig', 'reply']);
  for (const side of ['orig', 'reply'] as const) {
    const adjustment = known[side];
    if (adjustment === undefined) continue;
    const at = `${name}.${side}`;
    const { position, offsetBefore, offsetAfter } = options(at, adjustment, [
      'position',
      'offsetBefore',
      'offsetAfter',
    ]);
    record.tailWords(side === 'orig' ? TailType.origSeqAdjust : TailType.replySeqAdjust, [
      integer(`${at}.position`, position, 0, U32),
      integer(`${at}.offsetBefore`, offsetBefore, -(2 ** 31), 2 ** 31 - 1),
      integer(`${at}.offsetAfter`, offsetAfter, -(2 ** 31), 2 ** 31 - 1),
    ]);
  }
}

function writeSynproxy(record: RecordWriter, name: string, value: Synproxy): void {
  const { isn, its, tsoff } = options(name, value, ['isn', 'its', 'tsoff']);
  record.tailWords(TailType.synproxy, [
    integer(`${name}.isn`, isn, 0, U32),
    integer(`${name}.its`, its, 0, U32),
    integer(`${name}.tsoff`, tsoff, 0, U32),
  ]);
}

type Details = Pick<NewFlow, 'tcp' | 'sctp' | 'dccp' | 'seqAdjust' | 'synproxy'>;

function writeDetails(record: RecordWriter, name: string, details: Details): void {
  const { tcp, sctp, dccp, seqAdjust, synproxy } = details;
  const given = [tcp, sctp, dccp].filter((info) => info !== undefined);
  if (given.length > 1)
    throw new TypeError(`${name} must have one of tcp, sctp and dccp, not several`);
  if (tcp !== undefined) writeTcp(record, `${name}.tcp`, tcp);
  if (sctp !== undefined) writeSctp(record, `${name}.sctp`, sctp);
  if (dccp !== undefined) writeDccp(record, `${name}.dccp`, dccp);
  if (seqAdjust !== undefined) writeSeqAdjust(record, `${name}.seqAdjust`, seqAdjust);
  if (synproxy !== undefined) writeSynproxy(record, `${name}.synproxy`, synproxy);
}

// --- new flows ---

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

function replyIcmpType(
  name: string,
  type: number | undefined,
  protonum: number,
): number | undefined {
  if (type === undefined) return undefined;
  const reply = (protonum === IPPROTO_ICMPV6 ? ICMPV6_REPLY : ICMP_REPLY)[type];
  if (reply === undefined) {
    throw new RangeError(`${name}.icmpType must be that of a query or its reply, not ${type}`);
  }
  return reply;
}

/** A tuple the other way round; the kernel takes a zone of its own on one side only. */
function reversed(name: string, tuple: TupleLike, protonum: number): TupleLike {
  const { src, dst, sport, dport, icmpType, icmpCode, icmpId, srckey, dstkey } = tuple;
  const icmp = protonum === IPPROTO_ICMP || protonum === IPPROTO_ICMPV6;
  return {
    src: dst,
    dst: src,
    sport: dport,
    dport: sport,
    icmpType: icmp ? replyIcmpType(name, icmpType, protonum) : icmpType,
    icmpCode,
    icmpId,
    srckey: dstkey,
    dstkey: srckey,
  };
}

const PROTOINFO: Readonly<Record<number, number>> = {
  6: Protoinfo.tcp,
  33: Protoinfo.dccp,
  132: Protoinfo.sctp,
};

/** `state` is short for the state of `tcp`, `sctp` or `dccp`. */
function writeState(record: RecordWriter, name: string, flow: NewFlow, protonum: number): void {
  if (flow.state === undefined) return;
  const protoinfo = PROTOINFO[protonum];
  if (protoinfo === undefined) {
    throw new TypeError(`${name}.state does not go with the protocol ${protocolName(protonum)}`);
  }
  record.u8(FlowOffset.protoinfo, protoinfo);
  record.optionalU8(
    FlowOffset.state,
    FlowHas.state,
    stateNumber(`${name}.state`, flow.state, protoinfo),
  );
  if (protoinfo !== Protoinfo.sctp || flow.sctp !== undefined) return;
  record.optionalU32(FlowOffset.origVtag, FlowHas.origVtag, 0);
  record.optionalU32(FlowOffset.replyVtag, FlowHas.replyVtag, 0);
}

function pair<T>(value: T | readonly [T, T]): readonly [T, T] {
  return Array.isArray(value) ? (value as unknown as readonly [T, T]) : [value as T, value as T];
}

function writeNatRange(
  record: RecordWriter,
  type: number,
  name: string,
  range: NatRange,
  family: Family,
): void {
  const { address, port } = options(name, range, ['address', 'port']);
  if (address === undefined && port === undefined)
    throw new TypeError(`${name} must have an address or a port`);
  const payload = record.tail(type, NAT_SIZE);
  const writer = new TupleWriter(payload, 0, NatOffset.presence);
  if (address !== undefined) {
    const [first, last] = pair(address);
    for (const [text, member] of [
      [first, 'minAddress'],
      [last, 'maxAddress'],
    ] as const) {
      if (familyOf(string(`${name}.address`, text)) !== family) {
        throw mustBe(`${name}.address`, `an ${family} address or two of them`, text);
      }
      writer.address(NatOffset[member], NatHas[member], text);
    }
  }
  if (port === undefined) return;
  const [first, last] = pair(port);
  writer.u16(NatOffset.minPort, NatHas.minPort, integer(`${name}.port`, first, 0, U16));
  writer.u16(NatOffset.maxPort, NatHas.maxPort, integer(`${name}.port`, last, first, U16));
}

function writeNat(
  record: RecordWriter,
  name: string,
  nat: NonNullable<NewFlow['nat']>,
  family: Family,
): void {
  const { src, dst } = options(name, nat, ['src', 'dst']);
  if (src !== undefined) writeNatRange(record, TailType.natSrc, `${name}.src`, src, family);
  if (dst !== undefined) writeNatRange(record, TailType.natDst, `${name}.dst`, dst, family);
}

function writeMaster(
  record: RecordWriter,
  name: string,
  flow: NewFlow,
  protonum: number,
  family: Family,
): void {
  const { master } = flow;
  if (master === undefined) return;
  const own =
    master.protocol === undefined ? protonum : protocolOf(name, { protocol: master.protocol });
  const payload = record.tail(TailType.master, TUPLE_SIZE);
  writeTuple(new TupleWriter(payload, 0), name, master, own, family);
}

/** Writes a flow that is to be made; throws a TypeError or RangeError that names what is wrong in it. */
export function writeNewFlow(record: RecordWriter, name: string, flow: NewFlow): void {
  if (!(flow instanceof Flow)) options<object>(name, flow, KNOWN as unknown as readonly never[]);
  if ((flow.orig as unknown) === undefined) throw new TypeError(`${name}.orig is missing`);
  const { orig, reply, zone, timeout, mark, labels, helper, nat, status = 0 } = flow;
  const key: FlowKey = {
    family: flow.family,
    protocol: flow.protocol,
    protonum: flow.protonum,
    orig,
  };
  const { protonum, family } = writeKey(record, name, key);
  writeTuple(
    record.tuple(FlowOffset.reply),
    `${name}.reply`,
    reply ?? reversed(`${name}.orig`, orig, protonum),
    protonum,
    family,
  );
  record.has(FlowHas.reply);
  writeZone(record, name, zone);
  if (timeout === undefined)
    throw new TypeError(`${name}.timeout is missing: seconds until it expires`);
  record.optionalU32(
    FlowOffset.timeout,
    FlowHas.timeout,
    integer(`${name}.timeout`, timeout, 0, U32),
  );
  record.optionalU32(
    FlowOffset.status,
    FlowHas.status,
    ((statusBits(`${name}.status`, status) & ~UNSETTABLE) | Status.confirmed) >>> 0,
  );
  record.optionalU32(FlowOffset.mark, FlowHas.mark, optionalInteger(`${name}.mark`, mark, U32));
  if (labels !== undefined && labels.length > 0)
    record.tailWords(TailType.labels, labelWords(`${name}.labels`, labels));
  if (helper !== undefined) writeHelper(record, `${name}.helper`, helper);
  if (nat !== undefined) writeNat(record, `${name}.nat`, nat, family);
  writeMaster(record, `${name}.master`, flow, protonum, family);
  writeDetails(record, name, flow);
  writeState(record, name, flow, protonum);
}

/** Bits that the kernel sets itself, which a listed flow may have (IPS_UNCHANGEABLE_MASK). */
const UNSETTABLE =
  Status.srcNat | Status.dstNat | Status.srcNatDone | Status.dstNatDone | Status.seqAdjust | Status.dying |
  Status.expected | Status.template | Status.untracked | Status.offload | Status.hwOffload; // prettier-ignore

// --- changes ---

function writeMark(record: RecordWriter, name: string, mark: FlowChanges['mark']): void {
  if (mark === undefined) return;
  if (typeof mark === 'number') {
    record.optionalU32(FlowOffset.mark, FlowHas.mark, integer(name, mark, 0, U32));
    return;
  }
  const known = options(name, mark, ['value', 'mask']);
  const mask = integer(`${name}.mask`, known.mask, 0, U32);
  const value = integer(`${name}.value`, known.value, 0, U32);
  // The kernel takes (old & ~mask) ^ value: bits outside of the mask would flip.
  if ((value & ~mask) !== 0) {
    throw new RangeError(`${name}.value (${value}) has bits that ${name}.mask (${mask}) has not`);
  }
  record.optionalU32(FlowOffset.mark, FlowHas.mark, value);
  record.tailWords(TailType.markMask, [mask]);
}

function writeLabels(record: RecordWriter, name: string, labels: FlowChanges['labels']): void {
  if (labels === undefined) return;
  if (Array.isArray(labels)) {
    record.tailWords(TailType.labels, labelWords(name, labels));
    return;
  }
  const known = options(name, labels as { set?: readonly number[]; clear?: readonly number[] }, [
    'set',
    'clear',
  ]);
  const set = labelWords(`${name}.set`, known.set ?? []);
  const clear = labelWords(`${name}.clear`, known.clear ?? []);
  if (set.some((word, index) => (word & (clear[index] ?? 0)) !== 0)) {
    throw new TypeError(`${name} must not set and clear the same label`);
  }
  record.tailWords(TailType.labels, set);
  record.tailWords(
    TailType.labelsMask,
    set.map((word, index) => word | (clear[index] ?? 0)),
  );
}

function statusDelta(name: string, status: FlowChanges['status']): StatusDelta | undefined {
  if (status === undefined) return undefined;
  if (typeof status === 'number' || Array.isArray(status))
    return { set: statusBits(name, status), clear: 0 };
  const known = options(name, status as { set?: StatusBits; clear?: StatusBits }, ['set', 'clear']);
  const set = statusBits(`${name}.set`, known.set ?? 0);
  const clear = statusBits(`${name}.clear`, known.clear ?? 0);
  if ((set & clear) !== 0) throw new TypeError(`${name} must not set and clear the same flag`);
  return { set, clear };
}

/**
 * Writes changes, but for those of the status, which depend on the status a flow has: it returns them.
 */
export function writeChanges(
  record: RecordWriter,
  name: string,
  changes: FlowChanges,
): StatusDelta | undefined {
  const known = options(name, changes, CHANGES);
  if (Object.values(known).every((value: unknown) => value === undefined))
    throw new TypeError(`${name} must not be empty`);
  record.optionalU32(
    FlowOffset.timeout,
    FlowHas.timeout,
    optionalInteger(`${name}.timeout`, known.timeout, U32),
  );
  writeMark(record, `${name}.mark`, known.mark);
  writeLabels(record, `${name}.labels`, known.labels);
  if (known.helper !== undefined) writeHelper(record, `${name}.helper`, known.helper);
  writeDetails(record, name, known);
  return statusDelta(`${name}.status`, known.status);
}
