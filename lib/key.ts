import { addressBytes, AF_INET, AF_INET6, type Family, familyOf } from './address';
import { FLOW_SIZE, FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { integer, mustBe, oneOf, optionalInteger, string } from './options';
import { IPPROTO_DCCP, portKind, protocolName, protocolNumber } from './protocol';

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
}

/** A Tuple of a Flow, whose addresses may be absent by their type. */
export type TupleLike = { [Name in keyof TupleKey]?: TupleKey[Name] | undefined };

const U8 = 0xff;
const U16 = 0xffff;

/** A record that is written field by field, with its presence bits. */
class RecordWriter {
  readonly bytes = new Uint8Array(FLOW_SIZE);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

  u8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little);
  }

  flag(at: number, flag: number): void {
    const flags = this.#view.getUint32(at, this.#little);
    this.#view.setUint32(at, flags | flag, this.#little);
  }
}

class TupleWriter {
  readonly #record: RecordWriter;
  readonly #at: number;

  constructor(record: RecordWriter, at: number) {
    this.#record = record;
    this.#at = at;
  }

  address(offset: number, flag: number, address: string): void {
    addressBytes(address).forEach((value, index) => {
      this.#record.u8(this.#at + offset + index, value);
    });
    this.#flag(flag);
  }

  u16(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#record.u16(this.#at + offset, value);
    this.#flag(flag);
  }

  u8(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#record.u8(this.#at + offset, value);
    this.#flag(flag);
  }

  family(family: Family): void {
    this.#record.u8(this.#at + TupleOffset.family, family === 'ipv6' ? AF_INET6 : AF_INET);
  }

  #flag(flag: number): void {
    this.#record.flag(this.#at + TupleOffset.presence, flag);
  }
}

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

function protonumOf(key: FlowKey): number {
  const named =
    key.protocol === undefined ? undefined : protocolNumber(string('key.protocol', key.protocol));
  if (key.protocol !== undefined && named === undefined) {
    throw mustBe('key.protocol', "a protocol's name or number", key.protocol);
  }
  const number = optionalInteger('key.protonum', key.protonum, 0, U8);
  if (named !== undefined && number !== undefined && named !== number) {
    throw new TypeError(`key.protocol is ${key.protocol ?? ''}, but key.protonum is ${number}`);
  }
  const protonum = named ?? number;
  if (protonum === undefined) throw new TypeError('key.protocol is missing');
  return protonum;
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

function writeTuple(
  writer: TupleWriter,
  name: string,
  tuple: TupleLike,
  protonum: number,
  wantedFamily: Family | undefined,
): Family {
  const [src, family] = address(`${name}.src`, tuple.src, wantedFamily);
  const [dst] = address(`${name}.dst`, tuple.dst, family);
  const values = memberValues(name, tuple, protonum);
  writer.family(family);
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

/** The FlowRecord that asks for `key`; throws a TypeError or RangeError that names what is wrong in it. */
export function encodeKey(key: FlowKey): Uint8Array {
  if (typeof key !== 'object' || (key as unknown) === null) throw mustBe('key', 'an object', key);
  const direction = key.orig === undefined ? 'reply' : 'orig';
  const tuple = key[direction];
  if (tuple === undefined) throw new TypeError('key.orig or key.reply is missing');
  if (typeof tuple !== 'object' || (tuple as unknown) === null) {
    throw mustBe(`key.${direction}`, 'an object', tuple);
  }
  const family =
    key.family === undefined ? undefined : oneOf('key.family', key.family, ['ipv4', 'ipv6']);
  const record = new RecordWriter();
  const writer = new TupleWriter(record, FlowOffset[direction]);
  const found = writeTuple(writer, `key.${direction}`, tuple, protonumOf(key), family);
  record.u8(FlowOffset.family, found === 'ipv6' ? AF_INET6 : AF_INET);
  record.flag(FlowOffset.presence, FlowHas[direction]);
  const zone = optionalInteger('key.zone', key.zone, 0, U16);
  if (zone !== undefined && zone !== 0) {
    record.u16(FlowOffset.zone, zone);
    record.flag(FlowOffset.presence, FlowHas.zone);
  }
  return record.bytes;
}
