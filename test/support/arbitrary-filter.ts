/**
 * Random filters of every member and shape, whose values come mostly from given flows: values out of thin
 * air would match nothing, and a test with them would find nothing.
 */
import fc from 'fast-check';

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

const SIDES = ['orig', 'reply'] as const;
type Side = (typeof SIDES)[number];
type Range = readonly [from: number, to: number];

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const BEYOND_EXACT = 2n ** 60n;

function weighted<T>(...choices: [weight: number, arbitrary: fc.Arbitrary<T>][]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}

/** One of `seen`, if there is any; else, and now and then, `any`. */
function oneSeen<T>(seen: readonly (T | undefined)[], any: fc.Arbitrary<T>): fc.Arbitrary<T> {
  const found = [...new Set(seen.filter(isThere))];
  return found.length === 0 ? any : weighted([6, fc.constantFrom(...found)], [1, any]);
}

// --- numbers ---

function clipped(value: number, max: number): number {
  return Math.min(Math.max(value, 0), max);
}

/** Ranges whose ends are at, before or behind a seen value, or have no upper limit. */
function ranges(one: fc.Arbitrary<number>, max: number): fc.Arbitrary<Range> {
  const around = fc
    .tuple(one, fc.integer({ min: -2, max: 300 }), fc.integer({ min: -2, max: 300 }))
    .map(([value, before, behind]): Range => {
      const ends = [clipped(value - before, max), clipped(value + behind, max)];
      return [Math.min(...ends), Math.max(...ends)];
    });
  return weighted(
    [4, around],
    [1, one.map((value): Range => [value, Infinity])],
    [1, one.map((value): Range => [0, value])],
  );
}

/** Two numbers in an array would be a range. */
function listOf(items: readonly (number | Range)[]): readonly (number | Range)[] {
  const looksLikeRange = items.length === 2 && items.every((item) => typeof item === 'number');
  return looksLikeRange ? items.map((item): Range => [item, item]) : items;
}

/** A list whose items touch, overlap or leave one out, in no order. */
function neighbours(one: fc.Arbitrary<number>, max: number): fc.Arbitrary<Numbers> {
  return fc
    .tuple(one, fc.array(fc.tuple(fc.nat(6), fc.nat(3)), { minLength: 3, maxLength: 6 }))
    .map(([value, items]) =>
      items.map(([before, width]): Range => {
        const from = clipped(value - before, max);
        return [from, clipped(from + width, max)];
      }),
    );
}

function numbers(seen: readonly (number | undefined)[], max: number): fc.Arbitrary<Numbers> {
  const one = oneSeen(seen, fc.integer({ min: 0, max }));
  const range = ranges(one, max);
  return weighted<Numbers>(
    [4, one],
    [3, range],
    [1, neighbours(one, max)],
    [2, fc.array(fc.oneof(one, range), { maxLength: 6 }).map(listOf)],
  );
}

function wide(seen: readonly (number | undefined)[]): fc.Arbitrary<WideNumbers> {
  const small = numbers(seen, Number.MAX_SAFE_INTEGER);
  const one = oneSeen(seen, fc.nat()).map(BigInt);
  return weighted<WideNumbers>(
    [4, small],
    [1, one],
    [1, one.map((value) => [value, BEYOND_EXACT])],
    [1, one.map((value) => [[value, BEYOND_EXACT], 0])],
  );
}

// --- addresses ---

const ADDRESS = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((address) => !address.includes('%')),
);

function networks(seen: readonly (string | undefined)[]): fc.Arbitrary<Addresses> {
  const address = oneSeen(seen, ADDRESS);
  const network = fc
    .tuple(address, fc.nat(128))
    .map(([base, length]) => `${base}/${base.includes(':') ? length : length % 33}`);
  const one = weighted([3, address], [3, network]);
  return weighted<Addresses>([3, one], [1, fc.array(one, { maxLength: 8 })]);
}

// --- the other leaves ---

const FLAGS = [
  ...['seenReply', 'assured', 'fixedTimeout', 'confirmed', 'srcNat', 'dstNat', 'helper'],
  ...['SEEN_REPLY', 'ASSURED', 'FIXED_TIMEOUT', 'SRC_NAT', 'DST_NAT', 'SRC_NAT_DONE', 'OFFLOAD'],
] as Extract<StatusFlags, string>[];

const STATUS_FLAGS: fc.Arbitrary<StatusFlags> = weighted<StatusFlags>(
  [3, fc.constantFrom(...FLAGS)],
  [3, fc.subarray(FLAGS, { minLength: 1, maxLength: 3 })],
  [1, fc.constantFrom(0, 2, 4, 6, 8, 0x400, 0x18, 0x30)],
  [1, fc.nat(U16)],
  [1, fc.constant(U32)],
);

/** Members that are there or not, but not none. */
function some<T extends object>(
  model: { [Name in keyof T]-?: fc.Arbitrary<NonNullable<T[Name]>> },
  most: number,
): fc.Arbitrary<Partial<T>> {
  const names = Object.keys(model) as (keyof T)[];
  return fc
    .subarray(names, { minLength: 1, maxLength: most })
    .chain((chosen) =>
      fc.record(Object.fromEntries(chosen.map((name) => [name, model[name]])) as typeof model),
    );
}

const STATUS = some<NonNullable<Filter['status']>>(
  { all: STATUS_FLAGS, none: STATUS_FLAGS, any: STATUS_FLAGS },
  2,
);

function marks(seen: readonly (number | undefined)[]): fc.Arbitrary<NonNullable<Filter['mark']>> {
  const one = oneSeen(seen, fc.nat(U32));
  const mask = weighted([3, fc.constantFrom(0, 1, 0xf0, 0xff, 0x8000_0000, U32)], [1, fc.nat(U32)]);
  const masked = fc
    .tuple(one, mask)
    .map(([value, bits]) => ({ value: Number(BigInt(value) & BigInt(bits)), mask: bits }));
  return weighted<NonNullable<Filter['mark']>>([1, one], [1, masked]);
}

function labels(flows: readonly FlowData[]): fc.Arbitrary<NonNullable<Filter['labels']>> {
  const sets = flows.map((flow) => flow.labels).filter(isThere);
  const any = fc.nat(127);
  const one = oneSeen(sets.flat(), any);
  const subset =
    sets.length === 0
      ? fc.array(any, { minLength: 1, maxLength: 3 })
      : fc.constantFrom(...sets).chain((set) => fc.subarray(set, { minLength: 1 }));
  return weighted<NonNullable<Filter['labels']>>(
    [3, one],
    [3, subset],
    [1, fc.array(one, { minLength: 1, maxLength: 4 })],
  );
}

const NAMES = ['tcp', 'udp', 'sctp', 'UDPLITE', 'gre', 'icmp', 'ICMPv6', 'dccp', '6', '253', '017'];

function protocols(flows: readonly FlowData[]): fc.Arbitrary<NonNullable<Filter['protocol']>> {
  const one = weighted<string | number>(
    [
      3,
      oneSeen(
        flows.map((flow) => flow.protocol),
        fc.constantFrom(...NAMES),
      ),
    ],
    [
      2,
      oneSeen(
        flows.map((flow) => flow.protonum),
        fc.nat(U8),
      ),
    ],
    [
      1,
      oneSeen(
        flows.map((flow) => String(flow.protonum)),
        fc.constantFrom(...NAMES),
      ),
    ],
  );
  return weighted<NonNullable<Filter['protocol']>>([4, one], [1, fc.array(one, { maxLength: 4 })]);
}

type States = NonNullable<Filter['state']>;
type OneState = Extract<States, string>;
const STATES = [
  'ESTABLISHED',
  'none',
  'SYN_SENT',
  'time_wait',
  'COOKIE_WAIT',
  'PARTOPEN',
] as OneState[];

function states(flows: readonly FlowData[]): fc.Arbitrary<States> {
  const one = oneSeen<OneState>(
    flows.map((flow) => flow.state),
    fc.constantFrom(...STATES),
  );
  return weighted<States>([3, one], [1, fc.array(one, { maxLength: 4 })]);
}

function helpers(flows: readonly FlowData[]): fc.Arbitrary<NonNullable<Filter['helper']>> {
  const any = fc.constantFrom(
    'ftp',
    'sip',
    'tft',
    'tftpd',
    'FTP',
    'a-name-beyond-the-kernels-limit',
  );
  const one = oneSeen(
    flows.map((flow) => flow.helper),
    any,
  );
  return weighted<NonNullable<Filter['helper']>>([3, one], [1, fc.array(one, { maxLength: 3 })]);
}

// --- filters ---

type Member = keyof DirectionFilter & keyof DirectionData;
type DirectionArbitraries = { [Name in Member]: fc.Arbitrary<NonNullable<DirectionFilter[Name]>> };

/** Those of a direction; `there` leaves out what none of the flows has. */
function directionMembers(
  flows: readonly FlowData[],
  side: Side,
  there: boolean,
): DirectionArbitraries {
  const seen = <Name extends Member>(name: Name): DirectionData[Name][] =>
    flows.map((flow) => flow[side][name]);
  const u16 = (name: Exclude<Member, 'src' | 'dst'>): fc.Arbitrary<Numbers> =>
    numbers(seen(name), U16);
  const u8 = (name: Exclude<Member, 'src' | 'dst'>): fc.Arbitrary<Numbers> =>
    numbers(seen(name), U8);
  const members: DirectionArbitraries = {
    src: networks(seen('src')),
    dst: networks(seen('dst')),
    sport: u16('sport'),
    dport: u16('dport'),
    icmpType: u8('icmpType'),
    icmpCode: u8('icmpCode'),
    icmpId: u16('icmpId'),
    srckey: u16('srckey'),
    dstkey: u16('dstkey'),
    zone: u16('zone'),
    packets: wide(seen('packets')),
    bytes: wide(seen('bytes')),
  };
  if (!there) return members;
  const found = Object.entries(members).filter(([name]) => seen(name as Member).some(isThere));
  return Object.fromEntries(found) as DirectionArbitraries;
}

function directions(flows: readonly FlowData[], side: Side): fc.Arbitrary<DirectionFilter> {
  return weighted<DirectionFilter>(
    [4, some<DirectionFilter>(directionMembers(flows, side, true), 2)],
    [1, some<DirectionFilter>(directionMembers(flows, side, false), 2)],
  );
}

function sums(flows: readonly FlowData[], counter: 'packets' | 'bytes'): (number | undefined)[] {
  return flows.map(({ orig, reply }) => {
    const [there, back] = [orig[counter], reply[counter]];
    return there === undefined || back === undefined ? undefined : there + back;
  });
}

type Leaves = Required<Omit<Filter, 'and' | 'or' | 'not'>>;
type LeafArbitraries = { [Name in keyof Leaves]: fc.Arbitrary<Leaves[Name]> };

function leaves(flows: readonly FlowData[]): LeafArbitraries {
  const ends = flows.flatMap(({ orig, reply }) => [orig, reply]);
  return {
    family: oneSeen(
      flows.map((flow) => flow.family),
      fc.constantFrom('ipv4', 'ipv6'),
    ),
    protocol: protocols(flows),
    orig: directions(flows, 'orig'),
    reply: directions(flows, 'reply'),
    address: networks(ends.flatMap(({ src, dst }) => [src, dst])),
    port: numbers(
      ends.flatMap(({ sport, dport }) => [sport, dport]),
      U16,
    ),
    state: states(flows),
    status: STATUS,
    mark: marks(flows.map((flow) => flow.mark)),
    zone: numbers(
      flows.map((flow) => flow.zone),
      U16,
    ),
    labels: labels(flows),
    nat: fc.constantFrom('src', 'dst', 'any', 'none'),
    helper: helpers(flows),
    id: numbers(
      flows.map((flow) => flow.id),
      U32,
    ),
    timeout: numbers(
      flows.map((flow) => flow.timeout),
      U32,
    ),
    packets: wide(sums(flows, 'packets')),
    bytes: wide(sums(flows, 'bytes')),
  };
}

/** One leaf, any of them as often as any other. */
function single(flows: readonly FlowData[]): fc.Arbitrary<Filter> {
  const whole = Object.entries(leaves(flows))
    .filter(([name]) => name !== 'orig' && name !== 'reply')
    .map(([name, values]) => (values as fc.Arbitrary<unknown>).map((value) => ({ [name]: value })));
  const ofSides = SIDES.flatMap((side) =>
    Object.entries(directionMembers(flows, side, true)).map(([name, values]) =>
      (values as fc.Arbitrary<unknown>).map((value) => ({ [side]: { [name]: value } })),
    ),
  );
  return fc.oneof(...whole, ...ofSides);
}

const COMPARED_BY_KERNEL = [
  'src',
  'dst',
  'sport',
  'dport',
  'icmpType',
  'icmpCode',
  'icmpId',
] as const;

function exactDirection(direction: DirectionData): fc.Arbitrary<DirectionFilter> {
  const names = COMPARED_BY_KERNEL.filter((name) => direction[name] !== undefined);
  return fc
    .subarray(names, { minLength: 1 })
    .map((chosen) => Object.fromEntries(chosen.map((name) => [name, direction[name]])));
}

/** The shape that the kernel can do most of: exact values, the family and the protocol among them. */
function exactly(flow: FlowData): fc.Arbitrary<Filter> {
  const { family, protocol, zone, status, mark = 0 } = flow;
  const whole = Object.entries({ family, protocol, zone, mark, status: { all: status } });
  return fc
    .tuple(
      fc.subarray(whole, { minLength: 1 }),
      fc.option(exactDirection(flow.orig)),
      fc.option(exactDirection(flow.reply)),
    )
    .map(([chosen, orig, reply]): Filter => ({
      ...Object.fromEntries(chosen),
      ...(orig === null ? {} : { orig }),
      ...(reply === null ? {} : { reply }),
    }));
}

function filtersOf(flows: readonly FlowData[], depth: number): fc.Arbitrary<Filter> {
  const members = leaves(flows);
  if (depth === 0) return some<Leaves>(members, 3);
  const inner = filtersOf(flows, depth - 1);
  const several = fc.array(inner, { maxLength: 3 });
  return weighted<Filter>(
    [3, some<Leaves>(members, 3)],
    [1, inner.map((not) => ({ not }))],
    [1, several.map((and) => ({ and }))],
    [1, several.map((or) => ({ or }))],
    [2, some<Filter>({ ...members, and: several, or: several, not: inner }, 3)],
  );
}

/** Filters about `flows`, of which there must be one: nested at most three deep. */
export function arbitraryFilter(flows: readonly FlowData[]): fc.Arbitrary<Filter> {
  const one = fc.constantFrom(...flows);
  return weighted<Filter>(
    [4, single(flows)],
    [2, filtersOf(flows, 0)],
    [2, filtersOf(flows, 2)],
    // All values of one flow: that one is matched, unless something says otherwise.
    [3, one.chain((flow) => filtersOf([flow], 1))],
    [2, one.chain(exactly)],
  );
}

/** The leaves of a filter by name, `orig.src` and the like. */
export function leafNames(filter: Filter): string[] {
  return Object.entries(filter).flatMap(([name, value]) => {
    if (name === 'and' || name === 'or') return (value as Filter[]).flatMap(leafNames);
    if (name === 'not') return leafNames(value as Filter);
    if (name !== 'orig' && name !== 'reply') return [name];
    return Object.keys(value as DirectionFilter).map((member) => `${name}.${member}`);
  });
}
