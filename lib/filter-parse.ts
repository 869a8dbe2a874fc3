/** From what users write to a tree; every mistake is a TypeError or RangeError that names its place. */
import { AF_INET, AF_INET6, addressBytes, familyOf } from './address';
import {
  allOf,
  anyOf,
  EVERYTHING,
  type Filter,
  type Leaf,
  type Node,
  notOf,
  type NumberField,
  type Place,
  type WideField,
} from './filter';
import { mustBe, oneOf, plainObject, string, unknownMember } from './options';
import { protocolNumber } from './protocol';
import { stateCodes } from './state';
import { Status, statusBit } from './status';

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const U64 = 2n ** 64n - 1n;
const MAX_DEPTH = 32;
const MAX_LABEL = 127;

type Range<T> = readonly [from: T, to: T];
type Parse = (name: string, value: unknown) => Node;

/**
 * The own members of an object, each read once, and none of them unknown, undefined, or hidden: what a copy of
 * the filter would lack is most likely not meant.
 */
function membersOf(
  name: string,
  value: unknown,
  known: ReadonlyMap<string, unknown>,
): [string, unknown][] {
  const given = plainObject(name, value) as Record<string, unknown>;
  return Reflect.ownKeys(given)
    .map(String)
    .map((key) => {
      if (!known.has(key)) {
        throw unknownMember(name, key, known.keys());
      }
      if (!Object.prototype.propertyIsEnumerable.call(given, key)) {
        throw new TypeError(`${name}.${key} is not enumerable`);
      }
      const member = given[key];
      if (member === undefined) {
        throw new TypeError(`${name}.${key} is undefined: leave it out, or give it a value`);
      }
      return [key, member];
    });
}

function object(parsers: Readonly<Record<string, Parse>>): Parse {
  const known = new Map(Object.entries(parsers));
  return (name, value) =>
    allOf(
      membersOf(name, value, known).map(([key, member]) => {
        const parse = known.get(key);
        return parse === undefined ? EVERYTHING : parse(`${name}.${key}`, member);
      }),
    );
}

function list(value: unknown): readonly unknown[] {
  // A hole becomes undefined, which is refused like any other.
  return Array.isArray(value) ? Array.from(value as unknown[]) : [value];
}

/** Sorted, and those that touch made one. */
export function mergeRanges(ranges: readonly Range<bigint>[]): Range<bigint>[] {
  const sorted = ranges.toSorted((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const merged: [bigint, bigint][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1n) last[1] = to > last[1] ? to : last[1];
    else merged.push([from, to]);
  }
  return merged;
}

// --- numbers ---

function wholeNumber(name: string, value: unknown, max: bigint): bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw mustBe(name, 'a number', value);
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!whole || value < 0 || BigInt(value) > max) {
    throw new RangeError(`${name} must be an integer from 0 to ${max}, not ${value}`);
  }
  return BigInt(value);
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function range(name: string, value: readonly unknown[], max: bigint): Range<bigint> {
  if (value.length !== 2) throw mustBe(name, 'a range [from, to]', value);
  const from = wholeNumber(`${name}[0]`, value[0], max);
  const to = value[1] === Infinity ? max : wholeNumber(`${name}[1]`, value[1], max);
  if (from > to) throw new RangeError(`${name} must not end (${to}) before it begins (${from})`);
  return [from, to];
}

function isRange(value: unknown): value is [unknown, unknown] {
  return Array.isArray(value) && value.length === 2 && value.every(isNumber);
}

function ranges(name: string, value: unknown, max: bigint): Range<bigint>[] {
  if (isRange(value)) return [range(name, value, max)];
  if (!Array.isArray(value)) {
    const number = wholeNumber(name, value, max);
    return [[number, number]];
  }
  const items = list(value).map((item, index): Range<bigint> => {
    const at = `${name}[${index}]`;
    if (Array.isArray(item)) return range(at, item, max);
    const number = wholeNumber(at, item, max);
    return [number, number];
  });
  return mergeRanges(items);
}

function rangesText(found: readonly Range<bigint>[]): string {
  const texts = found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return texts.length === 1 ? ` = ${texts[0] ?? ''}` : ` in (${texts.join(', ')})`;
}

function shortName(name: string): string {
  return name.replace(/^\w+\.(?:(?:and|or)\[\d+\]\.|not\.)*/, '');
}

function numbers(field: NumberField, max: number): Parse {
  return (name, value) => {
    const found = ranges(name, value, BigInt(max));
    if (found.length === 0) return anyOf([]);
    return {
      kind: 'number',
      field,
      ranges: found.map(([from, to]) => [Number(from), Number(to)]),
      text: shortName(name) + rangesText(found),
    };
  };
}

function wide(field: WideField): Parse {
  return (name, value) => {
    const found = ranges(name, value, U64);
    if (found.length === 0) return anyOf([]);
    return { kind: 'wide', field, ranges: found, text: shortName(name) + rangesText(found) };
  };
}

// --- addresses ---

interface Network {
  readonly family: 'ipv4' | 'ipv6';
  readonly range: Range<bigint>;
  readonly text: string;
}

function bigintOf(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function network(name: string, value: unknown): Network {
  const text = string(name, value);
  const [address = '', prefix, ...rest] = text.split('/');
  const family = familyOf(address);
  if (family === undefined || rest.length > 0) {
    throw mustBe(name, 'an IPv4 or IPv6 address or network', value);
  }
  const width = family === 'ipv4' ? 32 : 128;
  const length = prefix === undefined ? width : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  if (!(length <= width)) {
    throw new RangeError(
      `${name}: the prefix length must be from 0 to ${width}, not ${prefix ?? ''}`,
    );
  }
  const host = (1n << BigInt(width - length)) - 1n;
  const first = bigintOf(addressBytes(address)) & ~host;
  return { family, range: [first, first | host], text };
}

function addresses(places: readonly Place[]): Parse {
  return (name, value) => {
    const networks = list(value).map((item, index) =>
      network(Array.isArray(value) ? `${name}[${index}]` : name, item),
    );
    const leaves = (['ipv4', 'ipv6'] as const).flatMap((family): Leaf[] => {
      const own = networks.filter((item) => item.family === family);
      if (own.length === 0) return [];
      const texts = own.map((item) => item.text).join(', ');
      return [
        {
          kind: family,
          places,
          ranges: mergeRanges(own.map((item) => item.range)),
          text: `${shortName(name)} ${own.length === 1 ? texts : `in (${texts})`}`,
        },
      ];
    });
    return anyOf(leaves);
  };
}

// --- the rest ---

function family(name: string, value: unknown): Node {
  const number = oneOf(name, value, ['ipv4', 'ipv6']) === 'ipv6' ? AF_INET6 : AF_INET;
  return {
    kind: 'number',
    field: 'family',
    ranges: [[number, number]],
    text: `family ${String(value)}`,
  };
}

function protonum(name: string, value: unknown): bigint {
  const number = typeof value === 'string' ? protocolNumber(value) : value;
  if (!isNumber(number)) throw mustBe(name, "a protocol's name or number", value);
  return wholeNumber(name, number, BigInt(U8));
}

function protocol(name: string, value: unknown): Node {
  const items = list(value);
  const numbers = items.map((item, index) =>
    protonum(Array.isArray(value) ? `${name}[${index}]` : name, item),
  );
  if (numbers.length === 0) return anyOf([]);
  return {
    kind: 'number',
    field: 'protonum',
    ranges: mergeRanges(numbers.map((number) => [number, number])).map(([from, to]) => [
      Number(from),
      Number(to),
    ]),
    text: `protocol ${items.map(String).join(',')}`,
  };
}

function each(parse: Parse): Parse {
  return (name, value) =>
    anyOf(
      Array.isArray(value)
        ? list(value).map((item, index) => parse(`${name}[${index}]`, item))
        : [parse(name, value)],
    );
}

function state(name: string, value: unknown): Node {
  const states = stateCodes(string(name, value).toUpperCase());
  if (states.length === 0) throw mustBe(name, 'the name of a state of TCP, SCTP or DCCP', value);
  return { kind: 'state', states, text: `state ${String(value).toUpperCase()}` };
}

function bitsOf(name: string, value: unknown): number {
  if (typeof value === 'number') return Number(wholeNumber(name, value, BigInt(U32)));
  return list(value).reduce<number>((bits, item, index) => {
    const at = Array.isArray(value) ? `${name}[${index}]` : name;
    const bit = statusBit(string(at, item));
    if (bit === undefined) throw mustBe(at, 'the name of a status flag', item);
    return bits | bit;
  }, 0);
}

function statusMask(wanted: 'all' | 'none'): Parse {
  return (name, value) => {
    const bits = bitsOf(name, value);
    // A list that came out empty by mistake would match everything; bits that are 0 were meant.
    if (Array.isArray(value) && value.length === 0)
      throw new TypeError(`${name} must not be empty`);
    if (bits === 0) return EVERYTHING;
    const text = `${shortName(name)} ${statusText(value)}`;
    return { kind: 'mask', field: 'status', value: wanted === 'all' ? bits : 0, mask: bits, text };
  };
}

function statusText(value: unknown): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : list(value).join(',');
}

function statusAny(name: string, value: unknown): Node {
  const bits = bitsOf(name, value);
  const single = Array.from({ length: 32 }, (_, index) => 2 ** index).filter(
    (bit) => (bits & bit) !== 0,
  );
  return anyOf(
    single.map((bit) => ({
      kind: 'mask',
      field: 'status',
      value: bit,
      mask: bit,
      text: `status 0x${bit.toString(16)}`,
    })),
  );
}

function mark(name: string, value: unknown): Node {
  if (typeof value !== 'object' || value === null) {
    const exact = Number(wholeNumber(name, value, BigInt(U32)));
    return { kind: 'mask', field: 'mark', value: exact, mask: U32, text: `mark = ${exact}` };
  }
  const members = new Map(
    membersOf(
      name,
      value,
      new Map([
        ['value', 0],
        ['mask', 0],
      ]),
    ),
  );
  const masked = Number(wholeNumber(`${name}.value`, members.get('value'), BigInt(U32)));
  const mask = Number(wholeNumber(`${name}.mask`, members.get('mask'), BigInt(U32)));
  if ((masked & ~mask) !== 0) {
    throw new RangeError(`${name}.value (${masked}) has bits that ${name}.mask (${mask}) has not`);
  }
  const text = `mark = 0x${masked.toString(16)}/0x${mask.toString(16)}`;
  return { kind: 'mask', field: 'mark', value: masked, mask, text };
}

function labels(name: string, value: unknown): Node {
  const bits = list(value).map((item, index) =>
    Number(wholeNumber(Array.isArray(value) ? `${name}[${index}]` : name, item, BigInt(MAX_LABEL))),
  );
  // No label at all is no condition, and a list that came out empty by mistake would match everything.
  if (bits.length === 0) throw new TypeError(`${name} must not be empty`);
  const distinct = [...new Set(bits)];
  return { kind: 'labels', bits: distinct, text: `labels ${distinct.join(',')}` };
}

function helper(name: string, value: unknown): Node {
  const text = string(name, value);
  return { kind: 'helper', name: text, text: `helper ${text}` };
}

function nat(name: string, value: unknown): Node {
  const leaf = (mask: number, wanted: number, text: string): Leaf => ({
    kind: 'mask',
    field: 'status',
    value: wanted,
    mask,
    text: `nat ${text}`,
  });
  const src = leaf(Status.srcNat, Status.srcNat, 'src');
  const dst = leaf(Status.dstNat, Status.dstNat, 'dst');
  switch (oneOf(name, value, ['src', 'dst', 'any', 'none'])) {
    case 'src':
      return src;
    case 'dst':
      return dst;
    case 'any':
      return anyOf([src, dst]);
    case 'none':
      return leaf(Status.srcNat | Status.dstNat, 0, 'none');
  }
}

function direction(side: 'orig' | 'reply'): Parse {
  return object({
    src: addresses([`${side}Src`]),
    dst: addresses([`${side}Dst`]),
    sport: numbers(`${side}Sport`, U16),
    dport: numbers(`${side}Dport`, U16),
    icmpType: numbers(`${side}IcmpType`, U8),
    icmpCode: numbers(`${side}IcmpCode`, U8),
    icmpId: numbers(`${side}IcmpId`, U16),
    srckey: numbers(`${side}Srckey`, U16),
    dstkey: numbers(`${side}Dstkey`, U16),
    zone: numbers(`${side}Zone`, U16),
    packets: wide(`${side}Packets`),
    bytes: wide(`${side}Bytes`),
  });
}

function filters(combine: (nodes: readonly Node[]) => Node): Parse {
  return (name, value) => {
    if (!Array.isArray(value)) throw mustBe(name, 'an array of filters', value);
    return combine(list(value).map((item, index) => parse(`${name}[${index}]`, item)));
  };
}

const MEMBERS = object({
  family,
  protocol,
  orig: direction('orig'),
  reply: direction('reply'),
  address: addresses(['origSrc', 'origDst', 'replySrc', 'replyDst']),
  port: numbers('anyPort', U16),
  state: each(state),
  status: object({ all: statusMask('all'), none: statusMask('none'), any: statusAny }),
  mark,
  zone: numbers('zone', U16),
  labels,
  nat,
  helper: each(helper),
  id: numbers('id', U32),
  timeout: numbers('timeout', U32),
  packets: wide('packets'),
  bytes: wide('bytes'),
  and: filters(allOf),
  or: filters(anyOf),
  not: (name, value) => notOf(parse(name, value)),
});

let depth = 0;

function parse(name: string, value: unknown): Node {
  if (depth >= MAX_DEPTH) throw new RangeError(`${name}: filters nest at most ${MAX_DEPTH} deep`);
  depth += 1;
  try {
    return MEMBERS(name, value);
  } finally {
    depth -= 1;
  }
}

/** The tree of a filter; one that is left out is everything. `name` is what errors call it. */
export function parseFilter(filter: Filter | undefined, name = 'filter'): Node {
  return filter === undefined ? EVERYTHING : parse(name, filter);
}
