import { type Family, familyNumber, familyOf, ipv4Number } from './address';
import { FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { integer, mustBe, oneOf, optionalInteger, string, unknownMember } from './options';
import { IPPROTO_DCCP, portKind, protocolName, protocolNumber } from './protocol';
import { type RecordWriter, singleRecord, type TupleWriter } from './record-writer';

/** The addresses of one direction, as they identify a flow. */
export interface TupleKey {
  src: string;
  dst: string;
  /** Of TCP, UDP, UDP-Lite, SCTP and DCCP. */
  sport?: number | undefined;
  dport?: number | undefined;
  /** Of ICMP and ICMPv6. */
  icmpType?: number | undefined;
  icmpCode?: number | undefined;
  icmpId?: number | undefined;
  /** Of GRE. */
  srckey?: number | undefined;
  dstkey?: number | undefined;
  /** A zone of this direction alone. */
  zone?: number | undefined;
}

/**
 * What identifies a flow: its protocol, its zone, and one direction's tuple. A `Flow` is such a key; of
 * one that has both directions the original one is used.
 */
export interface FlowKey {
  family?: Family | undefined;
  /** Name or number as text; or `protonum`. */
  protocol?: string | undefined;
  protonum?: number | undefined;
  orig?: TupleKey | TupleLike | undefined;
  /** A reply that alone has a zone is used before `orig`. */
  reply?: TupleKey | TupleLike | undefined;
  zone?: number | undefined;
  /**
   * Its id, as listed: a delete then leaves a flow alone that has taken the place of the listed one. For
   * everything else it means nothing.
   */
  id?: number | undefined;
}

/** A Tuple of a Flow, whose addresses may be absent by their type. */
export type TupleLike = { [Name in keyof TupleKey]?: TupleKey[Name] | undefined };

const U8 = 0xff;
const U16 = 0xffff;

/** The members of a new flow, of a `Flow` and of its JSON: what is meant for the one may be had from another. */
export const FLOW_MEMBERS: ReadonlySet<string> = new Set([
  'family', 'protocol', 'protonum', 'orig', 'reply', 'zone', 'id', 'timeout', 'status', 'statusFlags', 'mark',
  'secmark', 'secctx', 'labels', 'helper', 'helperInfo', 'master', 'nat', 'state', 'tcp', 'sctp', 'dccp',
  'seqAdjust', 'synproxy', 'timestamps', 'use',
]); // prettier-ignore
const FAMILIES = ['ipv4', 'ipv6'] as const;

type Member = 'sport' | 'dport' | 'srckey' | 'dstkey' | 'icmpType' | 'icmpCode' | 'icmpId';
type Kind = ReturnType<typeof portKind>;

const NUMBERS: Readonly<Record<Kind, readonly Member[]>> = {
  ports: ['sport', 'dport'],
  gre: ['srckey', 'dstkey'],
  icmp: ['icmpType', 'icmpCode', 'icmpId'],
  none: [],
};
const OF_EVERY_TUPLE = ['src', 'dst', 'zone', 'packets', 'bytes'];
const TUPLE_MEMBERS = new Set([...OF_EVERY_TUPLE, ...Object.values(NUMBERS).flat()]);
const membersOf = (kind: Kind): ReadonlySet<string> =>
  new Set([...OF_EVERY_TUPLE, ...NUMBERS[kind]]);
const MEMBERS: Readonly<Record<Kind, ReadonlySet<string>>> = {
  ports: membersOf('ports'),
  gre: membersOf('gre'),
  icmp: membersOf('icmp'),
  none: membersOf('none'),
};

/**
 * Refuses members that are not known. A loop over names, since this is done for every one of many flows; what it
 * does not see is hidden, and is no misspelling.
 */
export function refuseStrangers(name: string, value: object, known: ReadonlySet<string>): void {
  if (Array.isArray(value)) throw mustBe(name, 'an object', value);
  for (const key in value) {
    if (!known.has(key) || !Object.hasOwn(value, key)) throw unknownMember(name, key, known);
  }
}

/** As refuseStrangers(), and refuses what tells flows of another protocol apart. */
function refuseForeign(
  name: string,
  tuple: TupleLike,
  protonum: number,
  also: readonly string[] | undefined,
): void {
  if (Array.isArray(tuple)) throw mustBe(name, 'an object', tuple);
  const known = MEMBERS[portKind(protonum)];
  for (const key in tuple) {
    if (known.has(key) || also?.includes(key)) continue;
    if (!TUPLE_MEMBERS.has(key)) throw unknownMember(name, key, TUPLE_MEMBERS);
    if (tuple[key as Member] === undefined) continue;
    throw new TypeError(`${name}.${key} does not go with the protocol ${protocolName(protonum)}`);
  }
}

function writeAddress(
  writer: TupleWriter,
  name: string,
  member: 'src' | 'dst',
  value: unknown,
  family: Family | undefined,
): Family {
  const text = string(`${name}.${member}`, value);
  const number = ipv4Number(text);
  const own = number < 0 ? familyOf(text) : 'ipv4';
  if (own === undefined) throw mustBe(`${name}.${member}`, 'an IPv4 or IPv6 address', value);
  if (family !== undefined && own !== family) {
    throw new TypeError(
      `${name}.${member} must be an ${family} address as the rest of the key is, not ${text}`,
    );
  }
  if (own === 'ipv4') writer.ipv4(TupleOffset[member], TupleHas[member], number);
  else writer.address(TupleOffset[member], TupleHas[member], text);
  return own;
}

/** What tells flows between the same addresses apart: all of it. */
function writeNumbers(writer: TupleWriter, name: string, tuple: TupleLike, protonum: number): void {
  const kind = portKind(protonum);
  const number = (member: Member, max: number): number => {
    const value = tuple[member];
    if (value !== undefined) return integer(`${name}.${member}`, value, 0, max);
    const protocol = protocolName(protonum);
    throw new TypeError(`${name}.${member} is missing: it identifies a flow of ${protocol}`);
  };
  if (kind === 'ports' || kind === 'gre') {
    const [source, destination] = kind === 'gre' ? GRE_KEYS : PORTS;
    // Since Linux 6.17 the kernel tracks DCCP without its ports, and ignores those of a key.
    const portless = tuple[source] === undefined && tuple[destination] === undefined;
    if (protonum === IPPROTO_DCCP && portless) return;
    writer.u16(TupleOffset.sport, TupleHas.sport, number(source, U16));
    writer.u16(TupleOffset.dport, TupleHas.dport, number(destination, U16));
  } else if (kind === 'icmp') {
    writer.u8(TupleOffset.icmpType, TupleHas.icmpType, number('icmpType', U8));
    writer.u8(TupleOffset.icmpCode, TupleHas.icmpCode, number('icmpCode', U8));
    writer.u16(TupleOffset.icmpId, TupleHas.icmpId, number('icmpId', U16));
  }
}

const PORTS = ['sport', 'dport'] as const;
const GRE_KEYS = ['srckey', 'dstkey'] as const;

/** Writes one direction's tuple, all of it; its family. `also` names members that it may have and that are not written. */
export function writeTuple(
  writer: TupleWriter,
  name: string,
  tuple: TupleLike,
  protonum: number,
  wantedFamily: Family | undefined,
  also?: readonly string[],
): Family {
  if (typeof tuple !== 'object' || (tuple as unknown) === null)
    throw mustBe(name, 'an object', tuple);
  refuseForeign(name, tuple, protonum, also);
  const family = writeAddress(writer, name, 'src', tuple.src, wantedFamily);
  writeAddress(writer, name, 'dst', tuple.dst, family);
  writer.family(familyNumber(family));
  writer.u8(TupleOffset.protonum, TupleHas.protonum, protonum);
  writeNumbers(writer, name, tuple, protonum);
  const { zone } = tuple;
  if (zone !== undefined) {
    writer.u16(TupleOffset.zone, TupleHas.zone, integer(`${name}.zone`, zone, 0, U16));
  }
  return family;
}

/** Which protocol, by name or number, from the members of an object. */
export function protocolOf(
  name: string,
  given: { protocol?: unknown; protonum?: unknown },
): number {
  const { protocol, protonum } = given;
  const named =
    protocol === undefined ? undefined : protocolNumber(string(`${name}.protocol`, protocol));
  if (protocol !== undefined && named === undefined) {
    throw mustBe(`${name}.protocol`, "a protocol's name or number", protocol);
  }
  const number = optionalInteger(`${name}.protonum`, protonum, 0, U8);
  if (named !== undefined && number !== undefined && named !== number) {
    throw new TypeError(
      `${name}.protocol is ${String(protocol)}, but ${name}.protonum is ${number}`,
    );
  }
  const found = named ?? number;
  if (found === undefined) throw new TypeError(`${name}.protocol is missing`);
  return found;
}

/** A key's protocol and family, once it is written. */
export interface WrittenKey {
  readonly protonum: number;
  readonly family: Family;
}

/** Writes the zone that a key names; zone 0 is the default, which the kernel does not want to hear. */
export function writeZone(record: RecordWriter, name: string, zone: unknown): void {
  const number = optionalInteger(`${name}.zone`, zone, 0, U16);
  if (number === undefined || number === 0) return;
  record.u16(FlowOffset.zone, number);
  record.has(FlowHas.zone);
}

type Side = 'orig' | 'reply';

/**
 * The direction that names the flow. Of two the original one, but for a flow whose reply alone has a zone: what
 * the original is called without a zone, another flow's reply may be called too.
 */
function sideOf(name: string, { orig, reply }: FlowKey): Side {
  if (orig === undefined && reply === undefined)
    throw new TypeError(`${name}.orig or ${name}.reply is missing`);
  if (orig === undefined) return 'reply';
  // What is no object is refused where it is written.
  const zones = [orig, reply].map((tuple) => (tuple as TupleLike | null | undefined)?.zone);
  return zones[0] === undefined && zones[1] !== undefined ? 'reply' : 'orig';
}

/**
 * Writes what identifies a flow, by the tuple of `wanted` or the one that names it best; throws a TypeError or
 * RangeError that names what is wrong in it.
 */
export function writeKey(
  record: RecordWriter,
  name: string,
  key: FlowKey,
  wanted?: Side,
): WrittenKey {
  if (typeof key !== 'object' || (key as unknown) === null) throw mustBe(name, 'an object', key);
  refuseStrangers(name, key, FLOW_MEMBERS);
  const { family, zone } = key;
  const side = wanted ?? sideOf(name, key);
  const tuple = key[side];
  if (tuple === undefined) throw new TypeError(`${name}.${side} is missing`);
  const protonum = protocolOf(name, key);
  const said = family === undefined ? undefined : oneOf(`${name}.family`, family, FAMILIES);
  const found = writeTuple(
    record.tuple(FlowOffset[side]),
    `${name}.${side}`,
    tuple,
    protonum,
    said,
  );
  record.u8(FlowOffset.family, familyNumber(found));
  record.has(FlowHas[side]);
  writeZone(record, name, zone);
  return { protonum, family: found };
}

/** The FlowRecord that asks for `key`. */
export function encodeKey(key: FlowKey): Uint8Array {
  return singleRecord((record) => {
    writeKey(record, 'key', key);
  });
}
