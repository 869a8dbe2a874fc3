/** What identifies an expectation and the flow it belongs to, written as records. */
import { type Family, familyNumber, familyOf } from './address';
import { type FlowKey, protocolOf, type TupleLike, writeTuple } from './key';
import { ExpectationHas, ExpectationOffset } from './layout';
import { integer, mustBe, oneOf, optionalInteger, options, refuseUnknown, string } from './options';
import { type PortKind, portKind } from './protocol';
import { EXPECTATION, type RecordWriter, singleRecord } from './record-writer';

/** The addresses of an expected flow. What is left out of its source (`src`, `sport`) is 0. */
export type ExpectedTuple = TupleLike;

/**
 * What identifies an expectation: the tuple that it expects, compared under its own mask, and its master's
 * zone. An `Expectation`, or its JSON, is such a key.
 */
export interface ExpectationKey {
  family?: Family | undefined;
  /** Name or number as text; or `protonum`. */
  protocol?: string | undefined;
  protonum?: number | undefined;
  tuple: ExpectedTuple;
  /** The zone of its master; default: 0. */
  zone?: number | undefined;
  /** Its id, as listed: one that has taken its place since is then left alone. */
  id?: number | undefined;
}

/** The original tuple of a flow that expects, with the flow's protocol. */
export interface MasterTuple extends TupleLike {
  protocol?: string | undefined;
  protonum?: number | undefined;
}

/** A flow that expects: a `Flow`, its key, or its original tuple. */
export type MasterKey = FlowKey | MasterTuple;

export interface ExpectationsOptions {
  family?: Family;
  /** Only the expectations of this flow. */
  master?: MasterKey;
  /** The zone of `master`, if that does not say it. */
  zone?: number;
}

const U16 = 0xffff;
const U32 = 0xffff_ffff;
const FAMILIES = ['ipv4', 'ipv6'] as const;

const TUPLE = [
  'src', 'dst', 'sport', 'dport', 'icmpType', 'icmpCode', 'icmpId', 'srckey', 'dstkey',
] as const; // prettier-ignore
/** The members of a key; the others of an Expectation and its JSON mean nothing in it. */
const KEY = ['family', 'protocol', 'protonum', 'tuple', 'zone', 'id'] as const;
const OF_AN_EXPECTATION = [
  'mask', 'master', 'timeout', 'flags', 'flagNames', 'class', 'helper', 'fn', 'nat',
] as const; // prettier-ignore

export const EXPECTATION_MEMBERS = [...KEY, ...OF_AN_EXPECTATION];

const NO_ADDRESS = { ipv4: '0.0.0.0', ipv6: '::' } as const;

/** The member that tells a source's flows apart, where the protocol has one (`tuple.src.u` in the kernel). */
export const SOURCE_PORT: Readonly<Record<PortKind, 'sport' | 'srckey' | 'icmpId' | undefined>> = {
  ports: 'sport',
  gre: 'srckey',
  icmp: 'icmpId',
  none: undefined,
};

/** The members of a tuple, each read once; its zone is not among them. */
export function tupleMembers(tuple: TupleLike): TupleLike {
  return Object.fromEntries(TUPLE.map((member) => [member, tuple[member]]));
}

/** As tupleMembers(), of a tuple that must have no others: an expectation's zone is its master's. */
export function expectedMembers(name: string, tuple: TupleLike | undefined): TupleLike {
  if (typeof tuple !== 'object' || (tuple as unknown) === null)
    throw mustBe(name, 'an object', tuple);
  refuseUnknown(name, tuple, [...TUPLE, 'zone']);
  if (tuple.zone !== undefined) {
    throw new TypeError(`${name}.zone does not go with an expectation, whose zone is its master's`);
  }
  return tupleMembers(tuple);
}

/** An expected tuple as it was given, and as it is written. */
export interface Expected {
  readonly given: TupleLike;
  readonly whole: TupleLike;
  readonly protonum: number;
  readonly family: Family;
}

export function expectedOf(name: string, key: ExpectationKey): Expected {
  const given = expectedMembers(`${name}.tuple`, key.tuple);
  const protonum = protocolOf(name, key);
  const dst = string(`${name}.tuple.dst`, given.dst);
  const family = familyOf(dst);
  if (family === undefined) throw mustBe(`${name}.tuple.dst`, 'an IPv4 or IPv6 address', dst);
  if (key.family !== undefined && oneOf(`${name}.family`, key.family, FAMILIES) !== family) {
    throw new TypeError(`${name}.tuple.dst must be an ${key.family} address, not ${dst}`);
  }
  const port = SOURCE_PORT[portKind(protonum)];
  const source = port === undefined ? {} : { [port]: given[port] ?? 0 };
  const whole = { ...given, src: given.src ?? NO_ADDRESS[family], ...source };
  return { given, whole, protonum, family };
}

export function writeExpected(record: RecordWriter, name: string, expected: Expected): void {
  const { whole, protonum, family } = expected;
  writeTuple(record.tuple(ExpectationOffset.tuple), `${name}.tuple`, whole, protonum, family);
  record.u8(ExpectationOffset.family, familyNumber(family));
  record.has(ExpectationHas.tuple);
}

function writeZone(record: RecordWriter, zone: number | undefined): void {
  record.u16(ExpectationOffset.zone, zone ?? 0);
  record.has(ExpectationHas.zone);
}

/** The ExpectationRecord that asks for `key`. */
export function encodeExpectationKey(key: ExpectationKey): Uint8Array {
  if (typeof key !== 'object' || (key as unknown) === null) throw mustBe('key', 'an object', key);
  refuseUnknown('key', key, EXPECTATION_MEMBERS);
  const { id } = key;
  return singleRecord((record) => {
    writeExpected(record, 'key', expectedOf('key', key));
    writeZone(record, optionalInteger('key.zone', key.zone, 0, U16));
    if (id === undefined) return;
    record.optionalU32(ExpectationOffset.id, ExpectationHas.id, integer('key.id', id, 0, U32));
  }, EXPECTATION);
}

/** A master, as far as it is the same for all ways to name one. */
interface NamedMaster {
  readonly name: string;
  readonly side: 'orig' | 'reply';
  readonly tuple: TupleLike;
  readonly protonum: number;
  readonly zone: number | undefined;
}

export function isFlowKey(master: MasterKey): master is FlowKey {
  return 'orig' in master || 'reply' in master;
}

function masterOfKey(name: string, key: FlowKey): NamedMaster {
  const side = key.orig === undefined ? 'reply' : 'orig';
  const tuple = key[side];
  if (typeof tuple !== 'object' || (tuple as unknown) === null) {
    throw mustBe(`${name}.${side}`, 'an object', tuple);
  }
  // A zone of one direction is what the kernel looks for when it is asked with that direction's tuple.
  const zone =
    optionalInteger(`${name}.${side}.zone`, tuple.zone, 0, U16) ??
    optionalInteger(`${name}.zone`, key.zone, 0, U16);
  return { name: `${name}.${side}`, side, tuple, protonum: protocolOf(name, key), zone };
}

function masterOf(name: string, master: MasterKey, protonum: number | undefined): NamedMaster {
  if (typeof master !== 'object' || (master as unknown) === null) {
    throw mustBe(name, 'a flow, its key, or its original tuple', master);
  }
  if (isFlowKey(master)) return masterOfKey(name, master);
  const tuple: MasterTuple = master;
  const said = tuple.protocol !== undefined || tuple.protonum !== undefined;
  const own = said || protonum === undefined ? protocolOf(name, tuple) : protonum;
  const zone = optionalInteger(`${name}.zone`, tuple.zone, 0, U16);
  return { name, side: 'orig', tuple, protonum: own, zone };
}

/** The zone that is said beside a master and of it, in one of the two places or the same in both. */
function zoneOf(name: string, zone: unknown, own: number | undefined): number | undefined {
  const said = optionalInteger(`${name}.zone`, zone, 0, U16);
  if (said !== undefined && own !== undefined && said !== own) {
    throw new TypeError(`${name}.zone is ${said}, but ${name}.master is in zone ${own}`);
  }
  return said ?? own;
}

/** A master's key, once it is written. */
export interface WrittenMaster {
  readonly key: FlowKey;
  readonly family: Family;
}

/** Writes `given.master` and its zone; `protonum` and `family` are the expected flow's, where there is one. */
export function writeMaster(
  record: RecordWriter,
  name: string,
  given: { readonly master: MasterKey; readonly zone?: unknown },
  protonum: number | undefined,
  family: Family | undefined,
): WrittenMaster {
  const master = masterOf(`${name}.master`, given.master, protonum);
  const members = tupleMembers(master.tuple);
  const place = record.tuple(ExpectationOffset.master);
  const found = writeTuple(place, master.name, members, master.protonum, family);
  const zone = zoneOf(name, given.zone, master.zone);
  record.has(ExpectationHas.master);
  writeZone(record, zone);
  const key = { protonum: master.protonum, [master.side]: members, zone };
  return { key, family: found };
}

/** The ExpectationRecord that asks for a listing. */
export function encodeWanted(given: ExpectationsOptions | undefined): Uint8Array {
  const { family, master, zone } = options('options', given, ['family', 'master', 'zone']);
  const wanted = family === undefined ? undefined : oneOf('options.family', family, FAMILIES);
  if (master === undefined && zone !== undefined) {
    throw new TypeError(
      'options.zone goes with options.master: the kernel does not say which zone an expectation is of',
    );
  }
  return singleRecord((record) => {
    const found =
      master === undefined
        ? wanted
        : writeMaster(record, 'options', { master, zone }, undefined, wanted).family;
    if (found !== undefined) record.u8(ExpectationOffset.family, familyNumber(found));
  }, EXPECTATION);
}
