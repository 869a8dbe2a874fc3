/**
 * Two other opinions on what the library reads: libnetfilter_conntrack's parser on the same message,
 * and conntrack(8) on the same table.
 */
import { SocketAddress } from 'node:net';

import type { Flow, FlowColumns, OptionalColumn } from '../../lib';
import { FlowBatch } from '../../lib/batch';
import { FLOW_SIZE, FlowOffset, TailType, TupleHas, TupleOffset } from '../../lib/layout';
import { u32, u8 } from '../../lib/record';
import { Records } from '../../lib/records';
import { findTail } from '../../lib/tail';
import type { CliFlow, CliTuple } from './cli';
import { attributesOfMessage, Cta } from './ctnetlink';
import { Protonum } from './packets';
import { testing, type OraclePeek } from './testing';

const AF_INET = 2;
const AF_INET6 = 10;

/** By number, as the kernel's own tables name them in /proc/net/nf_conntrack. */
const TCP_STATES = [
  ...['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT'],
  ...['CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE', 'SYN_SENT2'],
];
const SCTP_STATES = [
  ...['NONE', 'CLOSED', 'COOKIE_WAIT', 'COOKIE_ECHOED', 'ESTABLISHED', 'SHUTDOWN_SENT'],
  ...['SHUTDOWN_RECD', 'SHUTDOWN_ACK_SENT', 'HEARTBEAT_SENT', 'HEARTBEAT_ACKED'],
];
const DCCP_STATES = [
  ...['NONE', 'REQUEST', 'RESPOND', 'PARTOPEN', 'OPEN', 'CLOSEREQ'],
  ...['CLOSING', 'TIMEWAIT', 'IGNORE', 'INVALID'],
];

// One message -------------------------------------------------------------------------------------

export type Attribute = Exclude<keyof OraclePeek, 'abi'>;
type Value = string | number | bigint | boolean | readonly number[] | undefined;
type Side = 'orig' | 'reply';

/** One message in the library's reading: as a Flow, as columns, and what neither of them shows. */
class Reading {
  readonly complete: boolean;
  readonly flow: Flow;
  readonly columns: FlowColumns;
  readonly #record: string;

  constructor(message: Buffer) {
    const { complete, batch } = testing.decode(message);
    const records = new Records(batch);
    const flows = new FlowBatch(records);
    this.complete = complete;
    this.flow = flows.at(0);
    this.columns = flows.columns;
    this.#record = records.string(0, FlowOffset.tailOffset, FlowOffset.tailLength);
  }

  column(name: OptionalColumn): number | bigint | undefined {
    return this.columns.present(name)[0] === 1 ? this.columns[name][0] : undefined;
  }

  /** An address as Flow and columns have it, if it is of this family. */
  address(side: Side, end: 'src' | 'dst', family: Flow['family']): Value[] {
    const text = this.flow[side][end];
    if (text === undefined || this.flow.family !== family) return [undefined];
    const column = this.columns[`${side}${end === 'src' ? 'Src' : 'Dst'}`];
    return [text, addressText(column.subarray(0, family === 'ipv4' ? 4 : 16))];
  }

  /** A port; GRE's keys come as ports, but only Flow tells them apart. */
  port(side: Side, end: 'src' | 'dst'): Value[] {
    const tuple = this.flow[side];
    const flow = end === 'src' ? (tuple.sport ?? tuple.srckey) : (tuple.dport ?? tuple.dstkey);
    return [flow, this.column(`${side}${end === 'src' ? 'Sport' : 'Dport'}`)];
  }

  /** CTA_PROTO_NUM, which the library shows of the original direction only. */
  protonum(side: Side): number | undefined {
    return this.#protonum(FlowOffset[side]);
  }

  get masterProtonum(): number | undefined {
    const master = findTail(this.#record, FLOW_SIZE, TailType.master);
    return master && this.#protonum(master.start);
  }

  #protonum(tuple: number): number | undefined {
    const flags = u32(this.#record, tuple + TupleOffset.presence);
    if ((flags & TupleHas.protonum) === 0) return undefined;
    return u8(this.#record, tuple + TupleOffset.protonum);
  }
}

function familyOf(address: string | undefined): number | undefined {
  if (address === undefined) return undefined;
  return address.includes(':') ? AF_INET6 : AF_INET;
}

function ofFamily(address: string | undefined, family: number): string | undefined {
  return familyOf(address) === family ? address : undefined;
}

/** The number of a state's name; the number itself of one without a name. */
function stateNumber(names: readonly string[], state: string | undefined): number | undefined {
  if (state === undefined) return undefined;
  return names.includes(state) ? names.indexOf(state) : Number(state);
}

function unsigned(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value >>> 0;
}

/**
 * Every attribute that libnetfilter_conntrack 1.0.9 knows, and all that the library has for it: each of
 * these values has to be the oracle's, or to be absent as the oracle's is.
 */
const OURS: Readonly<Record<Attribute, (our: Reading) => readonly Value[]>> = {
  orig_ipv4_src: (our) => our.address('orig', 'src', 'ipv4'),
  orig_ipv4_dst: (our) => our.address('orig', 'dst', 'ipv4'),
  repl_ipv4_src: (our) => our.address('reply', 'src', 'ipv4'),
  repl_ipv4_dst: (our) => our.address('reply', 'dst', 'ipv4'),
  orig_ipv6_src: (our) => our.address('orig', 'src', 'ipv6'),
  orig_ipv6_dst: (our) => our.address('orig', 'dst', 'ipv6'),
  repl_ipv6_src: (our) => our.address('reply', 'src', 'ipv6'),
  repl_ipv6_dst: (our) => our.address('reply', 'dst', 'ipv6'),
  orig_port_src: (our) => our.port('orig', 'src'),
  orig_port_dst: (our) => our.port('orig', 'dst'),
  repl_port_src: (our) => our.port('reply', 'src'),
  repl_port_dst: (our) => our.port('reply', 'dst'),
  icmp_type: (our) => [our.flow.orig.icmpType, our.column('origIcmpType')],
  icmp_code: (our) => [our.flow.orig.icmpCode, our.column('origIcmpCode')],
  icmp_id: (our) => [our.flow.orig.icmpId, our.column('origIcmpId')],
  orig_l3proto: ({ flow }) => [familyOf(flow.orig.src)],
  repl_l3proto: ({ flow }) => [familyOf(flow.reply.src)],
  orig_l4proto: (our) => [our.protonum('orig')],
  repl_l4proto: (our) => [our.protonum('reply')],
  orig_zone: (our) => [our.flow.orig.zone, our.column('origZone')],
  repl_zone: (our) => [our.flow.reply.zone, our.column('replyZone')],

  tcp_state: ({ flow }) => [stateNumber(TCP_STATES, flow.tcp?.state)],
  tcp_flags_orig: ({ flow }) => [flow.tcp?.origFlags?.value],
  tcp_flags_repl: ({ flow }) => [flow.tcp?.replyFlags?.value],
  tcp_mask_orig: ({ flow }) => [flow.tcp?.origFlags?.mask],
  tcp_mask_repl: ({ flow }) => [flow.tcp?.replyFlags?.mask],
  tcp_wscale_orig: ({ flow }) => [flow.tcp?.origWindowScale],
  tcp_wscale_repl: ({ flow }) => [flow.tcp?.replyWindowScale],
  sctp_state: ({ flow }) => [stateNumber(SCTP_STATES, flow.sctp?.state)],
  sctp_vtag_orig: ({ flow }) => [flow.sctp?.origVtag],
  sctp_vtag_repl: ({ flow }) => [flow.sctp?.replyVtag],
  dccp_state: ({ flow }) => [stateNumber(DCCP_STATES, flow.dccp?.state)],
  dccp_role: ({ flow }) => [flow.dccp?.role],
  dccp_handshake_seq: ({ flow }) => [optionalBigint(flow.dccp?.handshakeSeq)],

  status: (our) => [our.column('status')],
  timeout: (our) => [our.flow.timeout, our.column('timeout')],
  mark: (our) => [our.flow.mark, our.column('mark')],
  secmark: ({ flow }) => [flow.secmark],
  secctx: ({ flow }) => [flow.secctx],
  use: (our) => [our.flow.use, our.column('use')],
  id: (our) => [our.column('id')],
  zone: (our) => [our.column('zone')],
  connlabels: ({ flow }) => [flow.labels],
  helper_name: ({ flow }) => [flow.helper],
  helper_info: ({ flow }) => [flow.helperInfo && true],

  // Flow has counters to 2^53 - 1 and times in ms; what is exact is the column.
  orig_counter_packets: (our) => [our.column('origPackets')],
  orig_counter_bytes: (our) => [our.column('origBytes')],
  repl_counter_packets: (our) => [our.column('replyPackets')],
  repl_counter_bytes: (our) => [our.column('replyBytes')],
  timestamp_start: (our) => [our.column('timestampStart')],
  timestamp_stop: (our) => [our.column('timestampStop')],

  master_ipv4_src: ({ flow }) => [ofFamily(flow.master?.src, AF_INET)],
  master_ipv4_dst: ({ flow }) => [ofFamily(flow.master?.dst, AF_INET)],
  master_ipv6_src: ({ flow }) => [ofFamily(flow.master?.src, AF_INET6)],
  master_ipv6_dst: ({ flow }) => [ofFamily(flow.master?.dst, AF_INET6)],
  master_port_src: ({ flow }) => [flow.master?.sport ?? flow.master?.srckey],
  master_port_dst: ({ flow }) => [flow.master?.dport ?? flow.master?.dstkey],
  master_l3proto: ({ flow }) => [familyOf(flow.master?.src)],
  master_l4proto: (our) => [our.masterProtonum],

  orig_nat_seq_correction_pos: ({ flow }) => [flow.seqAdjust?.orig?.position],
  orig_nat_seq_offset_before: ({ flow }) => [unsigned(flow.seqAdjust?.orig?.offsetBefore)],
  orig_nat_seq_offset_after: ({ flow }) => [unsigned(flow.seqAdjust?.orig?.offsetAfter)],
  repl_nat_seq_correction_pos: ({ flow }) => [flow.seqAdjust?.reply?.position],
  repl_nat_seq_offset_before: ({ flow }) => [unsigned(flow.seqAdjust?.reply?.offsetBefore)],
  repl_nat_seq_offset_after: ({ flow }) => [unsigned(flow.seqAdjust?.reply?.offsetAfter)],
  synproxy_isn: ({ flow }) => [flow.synproxy?.isn],
  synproxy_its: ({ flow }) => [flow.synproxy?.its],
  synproxy_tsoff: ({ flow }) => [flow.synproxy?.tsoff],

  // Of requests only (CTA_NAT_SRC, CTA_NAT_DST, CTA_LABELS_MASK): the kernel never sends them, and the
  // oracle does not read them.
  connlabels_mask: () => [undefined],
  snat_ipv4: () => [undefined],
  dnat_ipv4: () => [undefined],
  snat_port: () => [undefined],
  dnat_port: () => [undefined],
  snat_ipv6: () => [undefined],
  dnat_ipv6: () => [undefined],
};

/**
 * What the library has and the oracle has not, held against the bytes themselves. Left to the tests that
 * make them: the reply's ICMP members and the content of helperInfo, which the oracle does not show.
 */
const BEYOND: Readonly<Record<string, (our: Reading, message: Buffer) => [Value, Value]>> = {
  // Newer than 1.0.9, which skips it (Linux 6.14).
  timestamp_event: (our, message) => {
    const found = attributesOfMessage(message).find(({ type }) => type === Cta.timestampEvent);
    return [our.column('timestampEvent'), found?.payload.readBigUInt64BE()];
  },
  // A Flow's own numbers are the nearest to the exact ones.
  orig_packets: ({ flow, columns }) => [flow.orig.packets, nearest(columns, 'origPackets')],
  orig_bytes: ({ flow, columns }) => [flow.orig.bytes, nearest(columns, 'origBytes')],
  reply_packets: ({ flow, columns }) => [flow.reply.packets, nearest(columns, 'replyPackets')],
  reply_bytes: ({ flow, columns }) => [flow.reply.bytes, nearest(columns, 'replyBytes')],
  start: ({ flow, columns }) => [flow.timestamps?.start, nearest(columns, 'timestampStart', 1e6)],
  stop: ({ flow, columns }) => [flow.timestamps?.stop, nearest(columns, 'timestampStop', 1e6)],
  // What Flow shows as 0 where nothing came.
  id: (our) => [our.flow.id, our.column('id') ?? 0],
  status: (our) => [our.flow.status, our.column('status') ?? 0],
  zone: (our) => [our.flow.zone, our.column('zone') ?? 0],
  portid: (our, message) => [our.columns.portid[0], message.readUInt32LE(12)],
  family: (our, message) => [our.columns.family[0], message.readUInt8(16)],
};

type WideColumn = Extract<OptionalColumn, `${string}${'Packets' | 'Bytes' | 'Start' | 'Stop'}`>;

function nearest(columns: FlowColumns, name: WideColumn, unit = 1): number | undefined {
  const value = columns.present(name)[0] === 1 ? columns[name][0] : undefined;
  return value === undefined ? undefined : Number(value) / unit;
}

function optionalBigint(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

/** By Node's inet_ntop(). */
function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  const hex = Buffer.from(octets).toString('hex');
  const groups = hex.match(/.{4}/g)?.join(':') ?? '';
  return new SocketAddress({ address: groups, family: 'ipv6' }).address;
}

function comparable(value: OraclePeek[Attribute]): Value {
  return value instanceof Uint8Array ? addressText(value) : value;
}

/** 5 and 5n are the same: columns of 32 bits are numbers. */
function shown(value: Value): string {
  return value === undefined ? 'nothing' : String(value);
}

function difference(name: string, ours: Value, theirs: Value): string[] {
  const [mine, other] = [shown(ours), shown(theirs)];
  return mine === other ? [] : [`${name}: ours is ${mine}, the oracle's ${other}`];
}

/** The names of the oracle's attributes, all of them compared. */
export const ORACLE_ATTRIBUTES = Object.keys(OURS) as readonly Attribute[];

/** Where the library and libnetfilter_conntrack do not agree on a message about a flow; mostly []. */
export function differences(message: Buffer, peek = testing.oraclePeek(message)): string[] {
  if (peek.abi === true) return ['the oracle does not read this message'];
  const our = new Reading(message);
  const found = our.complete ? [] : ['ours is incomplete'];
  for (const [name, read] of Object.entries(OURS)) {
    const theirs = comparable(peek[name as Attribute]);
    found.push(...read(our).flatMap((value) => difference(name, value, theirs)));
  }
  for (const [name, read] of Object.entries(BEYOND)) {
    found.push(...difference(name, ...read(our, message)));
  }
  const unknown = Object.keys(peek).filter((name) => !Object.hasOwn(OURS, name));
  return [...found, ...unknown.map((name) => `${name}: not in the table`)];
}

/** A message in the library's reading. */
export function flowOf(message: Buffer): Flow {
  return new Reading(message).flow;
}

// A whole table -----------------------------------------------------------------------------------

const CLI_NAMES = new Set(['tcp', 'udp', 'icmp', 'icmpv6', 'gre', 'sctp', 'dccp', 'udplite']);

/** One direction as the command prints it. */
function cliTuple(flow: Flow, side: Side): CliTuple {
  const { packets, bytes, ...tuple } = flow[side].toJSON();
  return {
    // It prints ports of DCCP even where the kernel has none (since Linux 6.17).
    ...(flow.protonum === Protonum.dccp ? { sport: 0, dport: 0 } : {}),
    ...(tuple as CliTuple),
    ...(packets === undefined ? {} : { packets: BigInt(packets) }),
    ...(bytes === undefined ? {} : { bytes: BigInt(bytes) }),
  };
}

function cliFlags(flow: Flow): string[] {
  const flags = flow.seenReply ? [] : ['UNREPLIED'];
  if (flow.hwOffload) return [...flags, 'HW_OFFLOAD'];
  if (flow.offload) return [...flags, 'OFFLOAD'];
  return flow.assured ? [...flags, 'ASSURED'] : flags;
}

/** What conntrack(8) has to print of a flow, apart from what changes with the time. */
type Lasting = Omit<CliFlow, 'timeout' | 'deltaTime' | 'labels' | 'line' | 'use'>;

function cliFlow(flow: Flow): Lasting {
  const { state, mark, secmark, secctx, helper, timestamps } = flow;
  const optional = { state, mark, secmark, secctx, helper };
  const second = (ms: number | undefined): number | undefined =>
    ms === undefined ? undefined : Math.floor(ms / 1000) * 1000;
  const times = { start: second(timestamps?.start), stop: second(timestamps?.stop) };
  const given = Object.entries({ ...optional, ...times }).filter(
    ([, value]) => value !== undefined,
  );
  return {
    family: flow.family,
    l3num: flow.family === 'ipv4' ? AF_INET : AF_INET6,
    protocol: CLI_NAMES.has(flow.protocol) ? flow.protocol : 'unknown',
    protonum: flow.protonum,
    orig: cliTuple(flow, 'orig'),
    reply: cliTuple(flow, 'reply'),
    flags: cliFlags(flow),
    id: flow.id,
    ...(flow.zone === 0 ? {} : { zone: flow.zone }),
    ...Object.fromEntries(given),
  };
}

/** What does change, or is compared elsewhere, left out of a line. */
function lasting(line: CliFlow): object {
  const changing = { timeout: undefined, deltaTime: undefined, use: undefined };
  return { ...line, ...changing, labels: undefined, line: undefined };
}

/** Members in one order and without undefined ones, so that equal objects have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member === 'bigint') return String(member);
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function keyOf(flow: Lasting): string {
  const { src, dst, sport, dport, icmpId, zone } = flow.orig;
  return [flow.id, flow.protonum, flow.zone, src, dst, sport, dport, icmpId, zone].join(' ');
}

/** Times only run down, and references vary: what the command shows lies between two listings. */
function between(name: 'timeout' | 'use', line: CliFlow, before: Flow, after: Flow): string[] {
  const values = [before[name], after[name]].filter((value) => value !== undefined);
  const value = line[name];
  if (value === undefined) return values.length === 0 ? [] : [`${name}: not in the line`];
  const inside = Math.min(...values) <= value && value <= Math.max(...values);
  return inside ? [] : [`${name}: ${values.join(' or ')}, in the line ${value}`];
}

function lineDifferences(line: CliFlow, before: Flow, after: Flow): string[] {
  const [ours, theirs] = [canonical(cliFlow(before)), canonical(lasting(line))];
  const found = ours === theirs ? [] : [`ours is ${ours}, conntrack's ${theirs}`];
  if ((before.timestamps === undefined) !== (line.deltaTime === undefined)) {
    found.push('delta-time: only one of both knows when the flow began');
  }
  return [
    ...found,
    ...between('timeout', line, before, after),
    ...between('use', line, before, after),
  ];
}

/**
 * Where `conntrack -L -o extended,id,ktimestamp,labels` shows another table than the library. The table
 * is to be quiet; `before` and `after` were listed on either side of the command.
 */
export function tableDifferences(
  before: readonly Flow[],
  lines: readonly CliFlow[],
  after: readonly Flow[],
): string[] {
  const index = (flows: readonly Flow[]): Map<string, Flow> =>
    new Map(flows.map((flow) => [keyOf(cliFlow(flow)), flow]));
  const [first, last] = [index(before), index(after)];
  const found = lines.flatMap((line) => {
    const [ours, later] = [first.get(keyOf(line)), last.get(keyOf(line))];
    if (ours === undefined || later === undefined) return [`only conntrack has: ${line.line}`];
    return lineDifferences(line, ours, later);
  });
  const theirs = new Set(lines.map(keyOf));
  const missing = [...first].filter(([key]) => !theirs.has(key));
  return [...found, ...missing.map(([, flow]) => `only we have: ${JSON.stringify(flow)}`)];
}
