/**
 * A filter as its documentation reads, in plain JavaScript: what the library, the kernel and native code
 * make of it together is compared with this. It shares no code with them and knows no shortcuts.
 */
import { isIPv4 } from 'node:net';

import type {
  Addresses,
  DirectionData,
  DirectionFilter,
  Filter,
  FlowData,
  Numbers,
  StatusFlags,
  WideNumbers,
} from '../../lib/index';

type Wide = number | bigint;
type Interval = readonly [from: Wide, to: Wide];

function asList<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** Two numbers in an array are a range; anything else in an array is a list of numbers and ranges. */
function intervals(spec: Numbers | WideNumbers): Interval[] {
  if (!Array.isArray(spec)) return [[spec as Wide, spec as Wide]];
  const items = spec as readonly (Wide | Interval)[];
  const [from, to] = items;
  if (items.length === 2 && !Array.isArray(from) && !Array.isArray(to))
    return [[from, to] as Interval];
  return items.map(
    (item) => (Array.isArray(item) ? (item as unknown as Interval) : [item, item]) as Interval,
  );
}

function numberHolds(value: number | undefined, spec: Numbers | WideNumbers): boolean {
  return value !== undefined && intervals(spec).some(([from, to]) => value >= from && value <= to);
}

/** Lists of thousands of addresses are compared with thousands of flows. */
const known = new Map<string, string>();

/** Every bit of an address as a character, so that a prefix is a prefix. */
function bits(address: string): string {
  const found = known.get(address) ?? (isIPv4(address) ? ipv4Bits(address) : ipv6Bits(address));
  known.set(address, found);
  return found;
}

function binary(value: number, width: number): string {
  return value.toString(2).padStart(width, '0');
}

function ipv4Bits(address: string): string {
  return address
    .split('.')
    .map((octet) => binary(Number(octet), 8))
    .join('');
}

function ipv6Bits(address: string): string {
  const [head = '', tail = ''] = address.split('::').map(groupBits);
  return head + '0'.repeat(128 - head.length - tail.length) + tail;
}

function groupBits(part: string): string {
  if (part === '') return '';
  return part
    .split(':')
    .map((group) => (group.includes('.') ? ipv4Bits(group) : binary(parseInt(group, 16), 16)))
    .join('');
}

function inNetwork(address: string, network: string): boolean {
  const [base = '', prefix] = network.split('/');
  const [own, other] = [bits(address), bits(base)];
  const length = prefix === undefined ? other.length : Number(prefix);
  return own.length === other.length && own.slice(0, length) === other.slice(0, length);
}

function addressHolds(address: string | undefined, networks: Addresses): boolean {
  return address !== undefined && asList(networks).some((network) => inNetwork(address, network));
}

function protocolHolds(flow: FlowData, wanted: string | number): boolean {
  if (typeof wanted === 'number') return flow.protonum === wanted;
  if (/^\d+$/.test(wanted)) return flow.protonum === Number(wanted);
  return flow.protocol === wanted.toLowerCase();
}

/** 'seenReply' and 'SEEN_REPLY' are one flag. */
function kernelName(flag: string): string {
  return flag === flag.toUpperCase() ? flag : flag.replace(/[A-Z]/g, '_$&').toUpperCase();
}

/** Of each wanted flag, whether the flow has it. */
function flagsOf(flow: FlowData, wanted: StatusFlags): boolean[] {
  if (typeof wanted !== 'number') {
    return asList(wanted).map((flag) => flow.statusFlags.includes(kernelName(flag)));
  }
  const places = Array.from({ length: 32 }, (_, place) => 2 ** place);
  const has = (bitset: number, bit: number): boolean => Math.floor(bitset / bit) % 2 === 1;
  return places.filter((bit) => has(wanted, bit)).map((bit) => has(flow.status, bit));
}

function statusHolds(flow: FlowData, status: NonNullable<Filter['status']>): boolean {
  if (status.all !== undefined && flagsOf(flow, status.all).includes(false)) return false;
  if (status.none !== undefined && flagsOf(flow, status.none).includes(true)) return false;
  return status.any === undefined || flagsOf(flow, status.any).includes(true);
}

function markHolds(mark: number | undefined, wanted: NonNullable<Filter['mark']>): boolean {
  if (mark === undefined) return false;
  if (typeof wanted === 'number') return mark === wanted;
  return (BigInt(mark) & BigInt(wanted.mask)) === BigInt(wanted.value);
}

function natHolds(flow: FlowData, wanted: NonNullable<Filter['nat']>): boolean {
  const src = flow.statusFlags.includes('SRC_NAT');
  const dst = flow.statusFlags.includes('DST_NAT');
  return { src, dst, any: src || dst, none: !src && !dst }[wanted];
}

function total(flow: FlowData, counter: 'packets' | 'bytes'): number | undefined {
  const [orig, reply] = [flow.orig[counter], flow.reply[counter]];
  return orig === undefined || reply === undefined ? undefined : orig + reply;
}

const DIRECTION_NUMBERS = [
  'sport',
  'dport',
  'icmpType',
  'icmpCode',
  'icmpId',
  'srckey',
  'dstkey',
  'zone',
  'packets',
  'bytes',
] as const;

function directionHolds(direction: DirectionData, wanted: DirectionFilter): boolean {
  return (
    (wanted.src === undefined || addressHolds(direction.src, wanted.src)) &&
    (wanted.dst === undefined || addressHolds(direction.dst, wanted.dst)) &&
    DIRECTION_NUMBERS.every((name) => {
      const spec = wanted[name];
      return spec === undefined || numberHolds(direction[name], spec);
    })
  );
}

type Rules = {
  [Member in keyof Filter]-?: (flow: FlowData, wanted: NonNullable<Filter[Member]>) => boolean;
};

/** One rule for each member: the compiler says so if one is missing. */
const RULES: Rules = {
  family: (flow, wanted) => flow.family === wanted,
  protocol: (flow, wanted) => asList(wanted).some((one) => protocolHolds(flow, one)),
  orig: (flow, wanted) => directionHolds(flow.orig, wanted),
  reply: (flow, wanted) => directionHolds(flow.reply, wanted),
  address: ({ orig, reply }, wanted) =>
    [orig.src, orig.dst, reply.src, reply.dst].some((address) => addressHolds(address, wanted)),
  port: ({ orig, reply }, wanted) =>
    [orig.sport, orig.dport, reply.sport, reply.dport].some((port) => numberHolds(port, wanted)),
  state: (flow, wanted) => asList(wanted).some((state) => flow.state === state.toUpperCase()),
  status: statusHolds,
  mark: (flow, wanted) => markHolds(flow.mark, wanted),
  zone: (flow, wanted) => numberHolds(flow.zone, wanted),
  labels: (flow, wanted) => asList(wanted).every((label) => flow.labels?.includes(label) === true),
  nat: natHolds,
  helper: (flow, wanted) => asList(wanted).some((helper) => flow.helper === helper),
  id: (flow, wanted) => numberHolds(flow.id, wanted),
  timeout: (flow, wanted) => numberHolds(flow.timeout, wanted),
  packets: (flow, wanted) => numberHolds(total(flow, 'packets'), wanted),
  bytes: (flow, wanted) => numberHolds(total(flow, 'bytes'), wanted),
  and: (flow, wanted) => wanted.every((filter) => matchesReference(flow, filter)),
  or: (flow, wanted) => wanted.some((filter) => matchesReference(flow, filter)),
  not: (flow, wanted) => !matchesReference(flow, wanted),
};

function holds(flow: FlowData, filter: Filter, member: keyof Filter): boolean {
  const wanted = filter[member];
  if (wanted === undefined) throw new TypeError(`filter.${member} is undefined`);
  const rule = RULES[member] as (flow: FlowData, wanted: unknown) => boolean;
  return rule(flow, wanted);
}

/** Whether `filter` means `flow`, which is plain data: `flow.toJSON()` of a listing or an event. */
export function matchesReference(flow: FlowData, filter: Filter): boolean {
  return (Object.keys(filter) as (keyof Filter)[]).every((member) => holds(flow, filter, member));
}
