/** Random tables: flows of every kind that the kernel takes from user space, and a few made of packets. */
import fc from 'fast-check';

import {
  addressBytes,
  attribute,
  be16,
  be32,
  Cta,
  Family,
  Flag,
  MessageType,
  nest,
  payload,
  text,
  tuple,
  u8,
  type TupleFields,
} from './ctnetlink';
import type { TestNamespace } from './netns';
import { Protonum, udpDatagram } from './packets';
import type { Answer, NetlinkCapture } from './testing';
import { sendPacket } from './traffic';

/** A flow to be made by CT_NEW. */
export interface FlowRequest {
  orig: TupleFields;
  reply: TupleFields;
  /** Seconds. */
  timeout: number;
  /** Of both directions; a zone of one direction is in its tuple, and excludes this one. */
  zone?: number | undefined;
  mark?: number | undefined;
  /** IPS_* bits besides CONFIRMED. */
  status?: number | undefined;
  /** Of TCP or SCTP. */
  state?: number | undefined;
  helper?: string | undefined;
  /** Needs a rule of the namespace that uses labels. */
  labels?: readonly number[] | undefined;
  /** The kernel makes the reply's addresses of them. */
  natSrc?: string | undefined;
  natDst?: string | undefined;
}

/** Datagrams over `lo`, which make a flow with counters of its own. */
export interface Traffic {
  host: number;
  sport: number;
  dport: number;
  /** Octets of each datagram. */
  sizes: readonly number[];
}

export interface TableRequest {
  flows: readonly FlowRequest[];
  /** From this flow on, flows have counters. */
  countedFrom: number;
  traffic: readonly Traffic[];
}

const CONFIRMED = 8;
const LABEL_BYTES = 16;
const NAT_MIN = { ipv4: 1, ipv6: 4 };
const PROTOINFO = { [Protonum.tcp]: 1, [Protonum.sctp]: 3 } as const;

// --- making them ---

function protoinfo(protonum: number, state: number): Buffer[] {
  if (protonum === Protonum.tcp) return [nest(Cta.protoinfo, nest(PROTOINFO[6], u8(1, state)))];
  if (protonum !== Protonum.sctp) return [];
  const sctp = nest(PROTOINFO[132], u8(1, state), be32(2, 1), be32(3, 2));
  return [nest(Cta.protoinfo, sctp)];
}

function labelBytes(labels: readonly number[]): Buffer {
  const octets = Buffer.alloc(LABEL_BYTES);
  // The kernel keeps words in host order, which are octets in order on a little-endian machine.
  for (const label of labels) octets[label >> 3]! |= 1 << (label & 7);
  return octets;
}

function natTo(type: number, address: string): Buffer {
  const min = address.includes(':') ? NAT_MIN.ipv6 : NAT_MIN.ipv4;
  return nest(type, attribute(min, addressBytes(address)));
}

function ifGiven<T>(value: T | undefined, build: (value: T) => Buffer | Buffer[]): Buffer[] {
  return value === undefined ? [] : [build(value)].flat();
}

/** The payload of a CT_NEW that makes it. */
export function encodeFlow(flow: FlowRequest): Buffer {
  const { orig, reply } = flow;
  return payload(
    orig.src.includes(':') ? Family.ipv6 : Family.ipv4,
    tuple(Cta.tupleOrig, orig),
    tuple(Cta.tupleReply, reply),
    be32(Cta.timeout, flow.timeout),
    be32(Cta.status, (flow.status ?? 0) | CONFIRMED),
    ...ifGiven(flow.zone, (zone) => be16(Cta.zone, zone)),
    ...ifGiven(flow.mark, (mark) => be32(Cta.mark, mark)),
    ...ifGiven(flow.state, (state) => protoinfo(orig.protonum, state)),
    ...ifGiven(flow.helper, (helper) => nest(Cta.help, text(1, helper))),
    ...ifGiven(flow.labels, (labels) => attribute(Cta.labels, labelBytes(labels))),
    ...ifGiven(flow.natSrc, (address) => natTo(Cta.natSrc, address)),
    ...ifGiven(flow.natDst, (address) => natTo(Cta.natDst, address)),
  );
}

export function createFlow(capture: NetlinkCapture, flow: FlowRequest): Answer {
  return capture.request(MessageType.ctNew, Flag.create | Flag.exclusive, encodeFlow(flow));
}

/** As createFlow(); throws what the kernel refuses. */
export function mustCreateFlow(capture: NetlinkCapture, flow: FlowRequest): void {
  const { code, extack } = createFlow(capture, flow);
  if (code !== undefined) {
    throw new Error(`${code} ${extack ?? ''}: ${JSON.stringify(flow)}`);
  }
}

/**
 * A namespace that takes random tables: it tracks packets, has labels, and keeps the flows of packets as
 * long as all others.
 */
export function prepareForTables(namespace: TestNamespace): void {
  namespace.track();
  namespace.nft(`
    table inet labels {
      chain never {
        ct label set 1
      }
    }`);
  namespace.sysctl('nf_conntrack_udp_timeout', 3600);
  namespace.sysctl('nf_conntrack_events', 1);
}

function sendTraffic(namespace: TestNamespace, { host, sport, dport, sizes }: Traffic): void {
  const ends = { src: `127.0.0.${host}`, dst: `127.0.1.${host}` };
  for (const size of sizes) {
    const datagram = udpDatagram({ ...ends, sport, dport, payload: Buffer.alloc(size) });
    sendPacket(namespace, Protonum.udp, ends.dst, datagram, { src: ends.src });
  }
}

/**
 * Makes what `table` says, as far as the kernel takes it: a tuple that is there already is no failure, nor
 * is a NAT that has no room. Gives the codes of the other refusals.
 */
export function createTable(
  namespace: TestNamespace,
  capture: NetlinkCapture,
  table: TableRequest,
): string[] {
  const refusals: string[] = [];
  namespace.sysctl('nf_conntrack_acct', 0);
  for (const [index, flow] of table.flows.entries()) {
    if (index === table.countedFrom) namespace.sysctl('nf_conntrack_acct', 1);
    const { code } = createFlow(capture, flow);
    if (code !== undefined && code !== 'EEXIST') refusals.push(code);
  }
  namespace.sysctl('nf_conntrack_acct', 1);
  for (const traffic of table.traffic) sendTraffic(namespace, traffic);
  return refusals;
}

// --- drawing them ---

/** Mostly one of a few, so that flows have something in common; else any. */
function mostly<T>(common: readonly T[], any: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...common) },
    { weight: 1, arbitrary: any },
  );
}

function sometimes<T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight, arbitrary });
}

const U16 = fc.integer({ min: 0, max: 0xffff });
const U32 = fc.integer({ min: 0, max: 0xffff_ffff });

const PORT = mostly([0, 1, 53, 80, 443, 1024, 65535], U16);
const GROUP = mostly([0, 0, 1, 0xffff], U16).map((group) => group.toString(16));
// Neighbours that differ in the first, the last and the middle bits, and across the sign.
const IPV4 = mostly(
  ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.128.0.1', '138.0.0.1', '192.168.1.1', '255.0.0.1'],
  fc.ipV4(),
);
const IPV6 = mostly(
  ['fd00::1', 'fd00::2', 'fd00:0:0:1::1', 'fd00::1:0:0:1', '2001:db8::1', '0:0:0:0:0:ffff:a00:1'],
  fc.array(GROUP, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
);

type Proto = Omit<TupleFields, 'src' | 'dst' | 'zone'>;
interface Pair {
  orig: Proto;
  reply: Proto;
  state?: number | undefined;
  helper?: string | undefined;
}

const WITH_PORTS = [
  ...[Protonum.tcp, Protonum.tcp, Protonum.tcp, Protonum.udp, Protonum.udp],
  ...[Protonum.sctp, Protonum.udplite, Protonum.gre, Protonum.gre],
];
// DCCP is among them since Linux 6.17.
const WITHOUT_PORTS = [0, 2, 50, 51, 89, 253, 255];

const STATES: Partial<Record<number, number>> = { [Protonum.tcp]: 9, [Protonum.sctp]: 8 };
const HELPERS: Partial<Record<number, readonly string[]>> = {
  [Protonum.tcp]: ['ftp', 'sip'],
  [Protonum.udp]: ['tftp', 'amanda', 'sip'],
};

function helperOf(protonum: number): fc.Arbitrary<string | undefined> {
  const helpers = HELPERS[protonum];
  return helpers === undefined ? fc.constant(undefined) : sometimes(fc.constantFrom(...helpers));
}

const PORTS: fc.Arbitrary<Pair> = fc.constantFrom(...WITH_PORTS).chain((protonum) =>
  fc
    .record({
      sport: PORT,
      dport: PORT,
      state: fc.nat(STATES[protonum] ?? 0),
      helper: helperOf(protonum),
    })
    .map(({ sport, dport, state, helper }): Pair => ({
      orig: { protonum, sport, dport },
      reply: { protonum, sport: dport, dport: sport },
      state,
      helper,
    })),
);

// Types that have an answer (RFC 792, RFC 4443, RFC 4620): of others the kernel makes no flow.
const ICMP_TYPES = [8, 0, 13, 14, 15, 16, 17, 18];
const ICMPV6_TYPES = [128, 129, 139, 140];

function icmp(protonum: number, types: readonly number[]): fc.Arbitrary<Pair> {
  return fc
    .record({ index: fc.nat(types.length - 1), icmpCode: fc.nat(3), icmpId: PORT })
    .map(({ index, icmpCode, icmpId }): Pair => ({
      orig: { protonum, icmpType: types[index]!, icmpCode, icmpId },
      reply: { protonum, icmpType: types[index ^ 1]!, icmpCode, icmpId },
    }));
}

const PLAIN: fc.Arbitrary<Pair> = fc
  .constantFrom(...WITHOUT_PORTS)
  .map((protonum) => ({ orig: { protonum }, reply: { protonum } }));

interface Kind {
  pair: Pair;
  src: string;
  dst: string;
  /** For what is not simply the other direction. */
  otherSrc: string;
  otherDst: string;
}

function kinds(address: fc.Arbitrary<string>, ofIcmp: fc.Arbitrary<Pair>): fc.Arbitrary<Kind> {
  return fc.record({
    pair: fc.oneof(
      { weight: 6, arbitrary: PORTS },
      { weight: 1, arbitrary: ofIcmp },
      { weight: 1, arbitrary: PLAIN },
    ),
    src: address,
    dst: address,
    otherSrc: address,
    otherDst: address,
  });
}

const KIND = fc.oneof(
  { weight: 3, arbitrary: kinds(IPV4, icmp(Protonum.icmp, ICMP_TYPES)) },
  { weight: 2, arbitrary: kinds(IPV6, icmp(Protonum.icmpv6, ICMPV6_TYPES)) },
);

interface Zones {
  zone?: number;
  orig?: number;
  reply?: number;
}

const ZONE = fc.constantFrom(0, 1, 5, 0x8000, 0xffff);
const ZONES: fc.Arbitrary<Zones> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: ZONE.map((zone) => ({ zone })) },
  { weight: 2, arbitrary: ZONE.map((orig) => ({ orig })) },
  { weight: 2, arbitrary: ZONE.map((reply) => ({ reply })) },
);

/** SEEN_REPLY, ASSURED, FIXED_TIMEOUT: those that a request may set as it likes. */
const STATUS = fc.subarray([2, 4, 0x400]).map((bits) => bits.reduce((sum, bit) => sum | bit, 0));
const MARK = mostly([0, 1, 0x10, 0xff, 0x8000_0000, 0xffff_ffff], U32);
const LABELS = fc.uniqueArray(mostly([0, 1, 31, 32, 63, 127], fc.nat(127)), {
  minLength: 1,
  maxLength: 6,
});
// Long enough for every test, and below the kernel's limit of INT_MAX jiffies.
const TIMEOUT = mostly([600, 3600, 432_000], fc.integer({ min: 600, max: 2_000_000 }));

/** Which way the reply differs from the other direction, if it does. */
type Turn = 'plain' | 'free' | 'natSrc' | 'natDst' | 'natBoth';
const TURN = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Turn>('plain') },
  { weight: 2, arbitrary: fc.constantFrom<Turn>('free', 'natSrc', 'natDst', 'natBoth') },
);

function natOf(turn: Turn, kind: Kind): Pick<FlowRequest, 'natSrc' | 'natDst'> {
  return {
    ...(turn === 'natSrc' || turn === 'natBoth' ? { natSrc: kind.otherSrc } : {}),
    ...(turn === 'natDst' || turn === 'natBoth' ? { natDst: kind.otherDst } : {}),
  };
}

function tupleZone(zone: number | undefined): { zone?: number } {
  return zone === undefined ? {} : { zone };
}

export const FLOW_REQUEST: fc.Arbitrary<FlowRequest> = fc
  .record({
    kind: KIND,
    zones: ZONES,
    turn: TURN,
    timeout: TIMEOUT,
    status: STATUS,
    mark: sometimes(MARK, 3),
    labels: sometimes(LABELS),
  })
  .map(({ kind, zones, turn, timeout, status, mark, labels }) => {
    const { pair, src, dst, otherSrc, otherDst } = kind;
    const back = turn === 'free' ? { src: otherDst, dst: otherSrc } : { src: dst, dst: src };
    return {
      orig: { ...pair.orig, src, dst, ...tupleZone(zones.orig) },
      reply: { ...pair.reply, ...back, ...tupleZone(zones.reply) },
      zone: zones.zone,
      timeout,
      status,
      mark,
      labels,
      state: pair.state,
      helper: pair.helper,
      ...natOf(turn, kind),
    };
  });

const TRAFFIC: fc.Arbitrary<Traffic> = fc.record({
  host: fc.integer({ min: 1, max: 4 }),
  sport: fc.constantFrom(1000, 1001, 1002),
  dport: fc.constantFrom(53, 80, 443),
  sizes: fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 }),
});

export const TABLE_REQUEST: fc.Arbitrary<TableRequest> = fc
  .record({
    flows: fc.array(FLOW_REQUEST, { minLength: 1, maxLength: 60, size: 'max' }),
    counted: fc.nat(100),
    traffic: fc.array(TRAFFIC, { maxLength: 6 }),
  })
  .map(({ flows, counted, traffic }) => ({
    flows,
    traffic,
    countedFrom: Math.floor((flows.length * counted) / 100),
  }));
