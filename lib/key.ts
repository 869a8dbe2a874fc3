import { type Family, familyNumber, familyOf } from './address';
import { FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { integer, mustBe, oneOf, optionalInteger, string } from './options';
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
const FAMILIES = ['ipv4', 'ipv6'] as const;

function address(name: string, value: unknown, family: Family | undefined): [string, Family] {
  const text = string(name, value);
  const own = familyOf(text);
  if (own === undefined) throw mustBe(name, 'an IPv4 or IPv6 address', value);
  if (family !== undefined && own !== family) {
    throw new TypeError(
      `${name} must be an ${family} address as the rest of the key is, not ${text}`,
    );
  }
  return [text, own];
}

type Member = 'sport' | 'dport' | 'srckey' | 'dstkey' | 'icmpType' | 'icmpCode' | 'icmpId';

const MEMBERS: Readonly<Record<ReturnType<typeof portKind>, readonly Member[]>> = {
  ports: ['sport', 'dport'],
  gre: ['srckey', 'dstkey'],
  icmp: ['icmpType', 'icmpCode', 'icmpId'],
  none: [],
};
const ALL_MEMBERS = Object.values(MEMBERS).flat();

/** The members that tell a protocol's flows apart: all of them, and none of another protocol. */
function memberValues(
  name: string,
  tuple: TupleLike,
  protonum: number,
): Partial<Record<Member, number>> {
  const wanted = MEMBERS[portKind(protonum)];
  const protocol = protocolName(protonum);
  for (const member of ALL_MEMBERS) {
    if (!wanted.includes(member) && tuple[member] !== undefined) {
      throw new TypeError(`${name}.${member} does not go with the protocol ${protocol}`);
    }
  }
  // Since Linux 6.17 the kernel tracks DCCP without its ports, and ignores those of a key.
  if (protonum === IPPROTO_DCCP && wanted.every((member) => tuple[member] === undefined)) return {};
  const values: Partial<Record<Member, number>> = {};
  for (const member of wanted) {
    const max = member === 'icmpType' || member === 'icmpCode' ? U8 : U16;
    if (tuple[member] === undefined) {
      throw new TypeError(`${name}.${member} is missing: it identifies a flow of ${protocol}`);
    }
    values[member] = integer(`${name}.${member}`, tuple[member], 0, max);
  }
  return values;
}

/** Writes one direction's tuple, all of it; its family. */
export function writeTuple(
  writer: TupleWriter,
  name: string,
  tuple: TupleLike,
  protonum: number,
  wantedFamily: Family | undefined,
): Family {
  if (typeof tuple !== 'object' || (tuple as unknown) === null)
    throw mustBe(name, 'an object', tuple);
  const [src, family] = address(`${name}.src`, tuple.src, wantedFamily);
  const [dst] = address(`${name}.dst`, tuple.dst, family);
  const values = memberValues(name, tuple, protonum);
  writer.family(familyNumber(family));
  writer.address(TupleOffset.src, TupleHas.src, src);
  writer.address(TupleOffset.dst, TupleHas.dst, dst);
  writer.u8(TupleOffset.protonum, TupleHas.protonum, protonum);
  writer.u16(TupleOffset.sport, TupleHas.sport, values.sport ?? values.srckey);
  writer.u16(TupleOffset.dport, TupleHas.dport, values.dport ?? values.dstkey);
  writer.u8(TupleOffset.icmpType, TupleHas.icmpType, values.icmpType);
  writer.u8(TupleOffset.icmpCode, TupleHas.icmpCode, values.icmpCode);
  writer.u16(TupleOffset.icmpId, TupleHas.icmpId, values.icmpId);
  const zone = optionalInteger(`${name}.zone`, tuple.zone, 0, U16);
  writer.u16(TupleOffset.zone, TupleHas.zone, zone);
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

/** Writes what identifies a flow; throws a TypeError or RangeError that names what is wrong in it. */
export function writeKey(record: RecordWriter, name: string, key: FlowKey): WrittenKey {
  if (typeof key !== 'object' || (key as unknown) === null) throw mustBe(name, 'an object', key);
  const { orig, reply, family, zone } = key;
  const side = orig === undefined ? 'reply' : 'orig';
  // A null beside a reply is a mistake, not an absence.
  // eslint-disable-next-line @typescript-eslint/prefer-nullish-coalescing
  const tuple = orig === undefined ? reply : orig;
  if (tuple === undefined) throw new TypeError(`${name}.orig or ${name}.reply is missing`);
  const protonum = protocolOf(name, key);
  const wanted = family === undefined ? undefined : oneOf(`${name}.family`, family, FAMILIES);
  const found = writeTuple(
    record.tuple(FlowOffset[side]),
    `${name}.${side}`,
    tuple,
    protonum,
    wanted,
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
