import { type Family, familyNumber, familyOf } from './address';
import { FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { integer, mustBe, oneOf, optionalInteger, refuseUnknown, string } from './options';
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
export const FLOW_MEMBERS = [
  'family', 'protocol', 'protonum', 'orig', 'reply', 'zone', 'id', 'timeout', 'status', 'statusFlags', 'mark',
  'secmark', 'secctx', 'labels', 'helper', 'helperInfo', 'master', 'nat', 'state', 'tcp', 'sctp', 'dccp',
  'seqAdjust', 'synproxy', 'timestamps', 'use',
]; // prettier-ignore
const TUPLE_MEMBERS = [
  'src', 'dst', 'sport', 'dport', 'icmpType', 'icmpCode', 'icmpId', 'srckey', 'dstkey', 'zone', 'packets',
  'bytes',
]; // prettier-ignore
export const MASTER_MEMBERS = [...TUPLE_MEMBERS, 'protocol', 'protonum'];
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
  known: readonly string[] = TUPLE_MEMBERS,
): Family {
  if (typeof tuple !== 'object' || (tuple as unknown) === null)
    throw mustBe(name, 'an object', tuple);
  refuseUnknown(name, tuple, known);
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
  refuseUnknown(name, key, FLOW_MEMBERS);
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
