/**
 * Random tables, and random filters each with a predicate in plain JavaScript that says the same: the
 * two are made side by side, and neither is made from the other.
 */
import { isIPv6 } from 'node:net';

import type { Direction, Filter, Flow, NewFlow } from '../../lib';
import { addressBytes } from './ctnetlink';
import { below, pick, type Random } from './random';
import { without } from './without';

/** A filter, and what it says. */
export interface Said {
  filter: Filter;
  holds: (flow: Flow) => boolean;
}

const V4 = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.128.0.1', '192.0.2.7', '0.0.0.0'];
const V6 = ['fd00::1', 'fd00::2', 'fd00:0:0:1::1', '2001:db8::7', 'fe80::1', '::1'];
const PORTS = [0, 1, 80, 443, 1024, 65535];
const MARKS = [0, 1, 2, 0x11, 0xf0, 0x80000000, 0xffffffff];
const ZONES = [0, 1, 7, 65535];
const TIMEOUTS = [1000, 5000, 100_000];
const TCP_STATES = ['SYN_SENT', 'ESTABLISHED', 'TIME_WAIT', 'CLOSE'] as const;
const SCTP_STATES = ['COOKIE_WAIT', 'ESTABLISHED', 'CLOSED'] as const;
const FLAGS = ['SEEN_REPLY', 'ASSURED', 'FIXED_TIMEOUT'] as const;
const WITH_PORTS = ['tcp', 'udp', 'udplite', 'sctp'];

/** Some of `items`, at least one. */
function some<T>(random: Random, items: readonly T[]): T[] {
  const taken = items.filter(() => random() < 0.4);
  return taken.length > 0 ? taken : [pick(random, items)];
}

// --- tables ---

type Tuple = NewFlow['orig'];

function tupleOf(random: Random, protocol: string, ends: { src: string; dst: string }): Tuple {
  const port = (): number => pick(random, PORTS);
  if (WITH_PORTS.includes(protocol)) return { ...ends, sport: port(), dport: port() };
  if (protocol === 'gre') return { ...ends, srckey: port(), dstkey: port() };
  const icmpId = port();
  if (protocol === 'icmp') return { ...ends, icmpType: pick(random, [8, 13]), icmpCode: 0, icmpId };
  if (protocol === 'icmpv6') {
    return { ...ends, icmpType: pick(random, [128, 139]), icmpCode: 0, icmpId };
  }
  return ends;
}

/** The way back, for a flow whose directions are in different zones. */
function backOf(tuple: Tuple, ends: { src: string; dst: string }): Tuple {
  return { ...ends, src: ends.dst, dst: ends.src, sport: tuple.dport, dport: tuple.sport };
}

/** Ends of flows with a zone in one direction alone: no other flow's tuple is the way back of theirs. */
const ZONED = {
  4: { src: '10.55.0.1', dst: '10.66.0.1' },
  6: { src: 'fd55::1', dst: 'fd66::1' },
} as const;

function zonesOf(random: Random, protocol: string, six: boolean): Partial<NewFlow> {
  const zone = pick(random, ZONES);
  if (!WITH_PORTS.includes(protocol) || random() < 0.7) return { zone };
  const ends = ZONED[six ? 6 : 4];
  const orig = tupleOf(random, protocol, ends);
  const reply = backOf(orig, ends);
  const own = { zone: 1 + Math.floor(zone / 2) };
  return random() < 0.5
    ? { orig: { ...orig, ...own }, reply }
    : { orig, reply: { ...reply, ...own } };
}

function natOf(random: Random, protocol: string, six: boolean): Partial<NewFlow> {
  if (!['tcp', 'udp'].includes(protocol) || random() < 0.8) return {};
  const address = six ? '2001:db8::99' : '192.0.2.99';
  return { nat: random() < 0.5 ? { src: { address } } : { dst: { address } } };
}

function stateOf(random: Random, protocol: string): Partial<NewFlow> {
  if (protocol === 'tcp') return { state: pick(random, TCP_STATES) };
  return protocol === 'sctp' ? { state: pick(random, SCTP_STATES) } : {};
}

/** A flow of any kind, often like another one. */
export function anyFlow(random: Random): NewFlow {
  const six = random() < 0.5;
  const ends = { src: pick(random, six ? V6 : V4), dst: pick(random, six ? V6 : V4) };
  const protocols = [...WITH_PORTS, ...WITH_PORTS, six ? 'icmpv6' : 'icmp', 'gre', '253'];
  const protocol = pick(random, protocols);
  const orig = tupleOf(random, protocol, ends);
  const zones = zonesOf(random, protocol, six);
  return {
    protocol,
    orig,
    timeout: pick(random, TIMEOUTS),
    mark: pick(random, MARKS),
    status: FLAGS.filter(() => random() < 0.4),
    ...stateOf(random, protocol),
    ...(zones.reply === undefined ? natOf(random, protocol, six) : {}),
    ...zones,
  };
}

// --- filters ---

function numberOf(address: string): bigint {
  return BigInt(`0x${addressBytes(address).toString('hex')}`);
}

/** Whether an address is in a network of its own family. */
function isIn(address: string | undefined, network: string): boolean {
  const [base = '', prefix] = network.split('/');
  if (address === undefined || isIPv6(address) !== isIPv6(base)) return false;
  const width = isIPv6(base) ? 128 : 32;
  const shift = BigInt(width - Number(prefix ?? width));
  return numberOf(address) >> shift === numberOf(base) >> shift;
}

function networkOf(random: Random): string {
  const { 4: four, 6: six } = ZONED;
  const address = pick(
    random,
    random() < 0.5 ? [...V4, four.src, four.dst] : [...V6, six.src, six.dst],
  );
  if (random() < 0.5) return address;
  return `${address}/${1 + below(random, isIPv6(address) ? 128 : 32)}`;
}

type Numbers = number | [number, number] | (number | [number, number])[];

interface SaidOf<Value, Wanted> {
  wanted: Wanted;
  holds: (value: Value | undefined) => boolean;
}

/** A number, a range, or a list of both, from values that occur. */
function numbers(random: Random, values: readonly number[]): SaidOf<number, Numbers> {
  const range = (): [number, number] => {
    const [a, b] = [pick(random, values), pick(random, values)];
    return a < b ? [a, b] : [b, a];
  };
  const one = (): number | [number, number] => (random() < 0.6 ? pick(random, values) : range());
  const within = (value: number, item: number | [number, number]): boolean =>
    typeof item === 'number' ? value === item : value >= item[0] && value <= item[1];
  const single = one();
  if (random() < 0.6) {
    return { wanted: single, holds: (value) => value !== undefined && within(value, single) };
  }
  // Of three, so that it is not taken for a range.
  const list = [single, one(), one()];
  return {
    wanted: list,
    holds: (value) => value !== undefined && list.some((item) => within(value, item)),
  };
}

function addresses(random: Random): SaidOf<string, string | string[]> {
  const networks = Array.from({ length: 1 + below(random, 3) }, () => networkOf(random));
  const holds = (value: string | undefined): boolean =>
    networks.some((network) => isIn(value, network));
  return { wanted: networks.length === 1 ? networks[0]! : networks, holds };
}

const NUMBER_MEMBERS = {
  sport: PORTS,
  dport: PORTS,
  srckey: PORTS,
  dstkey: PORTS,
  icmpType: [0, 8, 13, 14, 128, 129, 139, 140],
  icmpId: PORTS,
  zone: [1, 3, 4, 32768],
} as const;
type NumberMember = keyof typeof NUMBER_MEMBERS;

/** Something about one direction. */
function sideSaid(random: Random): Said {
  const side = pick(random, ['orig', 'reply'] as const);
  if (random() < 0.5) {
    const end = pick(random, ['src', 'dst'] as const);
    const { wanted, holds } = addresses(random);
    return { filter: { [side]: { [end]: wanted } }, holds: (flow) => holds(flow[side][end]) };
  }
  const member = pick(random, Object.keys(NUMBER_MEMBERS) as NumberMember[]);
  const { wanted, holds } = numbers(random, NUMBER_MEMBERS[member]);
  return { filter: { [side]: { [member]: wanted } }, holds: (flow) => holds(flow[side][member]) };
}

function bothSides(flow: Flow): Direction[] {
  return [flow.orig, flow.reply];
}

function statusSaid(random: Random): Said {
  const names = some(random, FLAGS);
  const has = (flow: Flow, name: string): boolean => flow.statusFlags.includes(name);
  switch (pick(random, ['all', 'none', 'any'] as const)) {
    case 'all':
      return { filter: { status: { all: names } }, holds: (f) => names.every((n) => has(f, n)) };
    case 'none':
      return { filter: { status: { none: names } }, holds: (f) => !names.some((n) => has(f, n)) };
    case 'any':
      return { filter: { status: { any: names } }, holds: (f) => names.some((n) => has(f, n)) };
  }
}

function markSaid(random: Random): Said {
  const mark = pick(random, MARKS);
  if (random() < 0.5) return { filter: { mark }, holds: (flow) => flow.mark === mark };
  const mask = pick(random, [1, 0x0f, 0x80000001, 0xffffffff]);
  const value = (mark & mask) >>> 0;
  return {
    filter: { mark: { value, mask } },
    holds: (flow) => flow.mark !== undefined && (flow.mark & mask) >>> 0 === value,
  };
}

function natSaid(random: Random): Said {
  const nat = pick(random, ['src', 'dst', 'any', 'none'] as const);
  const holds = {
    src: (flow: Flow) => flow.srcNat,
    dst: (flow: Flow) => flow.dstNat,
    any: (flow: Flow) => flow.srcNat || flow.dstNat,
    none: (flow: Flow) => !flow.srcNat && !flow.dstNat,
  }[nat];
  return { filter: { nat }, holds };
}

function addressSaid(random: Random): Said {
  const { wanted, holds } = addresses(random);
  return {
    filter: { address: wanted },
    holds: (flow) => bothSides(flow).some(({ src, dst }) => holds(src) || holds(dst)),
  };
}

function portSaid(random: Random): Said {
  const { wanted, holds } = numbers(random, PORTS);
  return {
    filter: { port: wanted },
    holds: (flow) => bothSides(flow).some(({ sport, dport }) => holds(sport) || holds(dport)),
  };
}

/** Something that a single member of a filter says. */
function leafSaid(random: Random): Said {
  const leaves: (() => Said)[] = [
    () => {
      const family = pick(random, ['ipv4', 'ipv6'] as const);
      return { filter: { family }, holds: (flow) => flow.family === family };
    },
    () => {
      const protocol = some(random, [...WITH_PORTS, 'icmp', 'icmpv6', 'gre', '253']);
      return { filter: { protocol }, holds: (flow) => protocol.includes(flow.protocol) };
    },
    () => {
      const state = some(random, [...TCP_STATES, ...SCTP_STATES]);
      return { filter: { state }, holds: ({ state: has }) => (state as unknown[]).includes(has) };
    },
    () => {
      const { wanted, holds } = numbers(random, ZONES);
      return { filter: { zone: wanted }, holds: (flow) => holds(flow.zone) };
    },
    () => {
      // Timeouts run while the test does: ranges that none of them leaves meanwhile.
      const timeout = pick(random, [
        [0, 2500],
        [2500, 50_000],
        [50_000, 4e9],
      ] as [number, number][]);
      const [from, to] = timeout;
      return { filter: { timeout }, holds: (f) => f.timeout! >= from && f.timeout! <= to };
    },
    () => sideSaid(random),
    () => sideSaid(random),
    () => statusSaid(random),
    () => markSaid(random),
    () => natSaid(random),
    () => addressSaid(random),
    () => portSaid(random),
  ];
  return pick(random, leaves)();
}

/** Members of both in one filter; what both have is the second's. */
function together(a: Said, b: Said): Said {
  const clash = Object.keys(a.filter).some((key) => key in b.filter);
  const filter: Filter = clash ? { and: [a.filter, b.filter] } : { ...a.filter, ...b.filter };
  return { filter, holds: (flow) => a.holds(flow) && b.holds(flow) };
}

/** A filter of up to `depth` levels. */
export function anySaid(random: Random, depth = 3): Said {
  const kind = random();
  if (depth === 0 || kind < 0.4) return leafSaid(random);
  if (kind < 0.6) return together(leafSaid(random), anySaid(random, depth - 1));
  const inner = Array.from({ length: 1 + below(random, 3) }, () => anySaid(random, depth - 1));
  const parts = inner.map(({ filter }) => filter);
  if (kind < 0.7) {
    const [{ filter, holds }] = inner as [Said];
    return { filter: { not: filter }, holds: (flow) => !holds(flow) };
  }
  if (kind < 0.85) {
    return { filter: { or: parts }, holds: (flow) => inner.some(({ holds }) => holds(flow)) };
  }
  return { filter: { and: parts }, holds: (flow) => inner.every(({ holds }) => holds(flow)) };
}

/** What tells one flow from all others of the table, and from those before and after it. */
export function identityOf({ zone, protonum, id, orig }: Flow): string {
  return JSON.stringify([zone, protonum, id, without(orig.toJSON(), 'packets', 'bytes')]);
}

export function identitiesOf(flows: readonly Flow[]): string[] {
  return flows.map(identityOf).sort();
}
