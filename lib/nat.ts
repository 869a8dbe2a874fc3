/** Network address translation of a new flow (CTA_NAT_SRC, CTA_NAT_DST). */
import { addressBytes, type Family, familyOf } from './address';
import type { TupleLike } from './key';
import { NAT_SIZE, NatHas, NatOffset, TailType } from './layout';
import { integer, mustBe, options, string } from './options';
import { type RecordWriter, TupleWriter } from './record-writer';
import { Status } from './status';

/** Where NAT may take an address and a port from; a single one, or a range `[first, last]`. */
export interface NatRange {
  address?: string | readonly [string, string];
  /** A port, an id of ICMP, or a key of GRE. */
  port?: number | readonly [number, number];
}

export interface Nat {
  src?: NatRange;
  dst?: NatRange;
}

const U16 = 0xffff;

function pair(name: string, wanted: string, value: unknown): readonly [unknown, unknown] {
  if (!Array.isArray(value)) return [value, value];
  if (value.length !== 2) throw mustBe(name, `${wanted}, or two of them`, value);
  return value as unknown as readonly [unknown, unknown];
}

function writeAddresses(writer: TupleWriter, name: string, value: unknown, family: Family): void {
  const wanted = `an ${family} address`;
  const [first, last] = pair(name, wanted, value).map((item) => {
    const text = string(name, item);
    if (familyOf(text) !== family) throw mustBe(name, `${wanted} or two of them`, text);
    return text;
  }) as [string, string];
  if (Buffer.compare(Buffer.from(addressBytes(first)), Buffer.from(addressBytes(last))) > 0) {
    throw new RangeError(`${name} must not end (${last}) before it begins (${first})`);
  }
  writer.address(NatOffset.minAddress, NatHas.minAddress, first);
  writer.address(NatOffset.maxAddress, NatHas.maxAddress, last);
}

function writePorts(writer: TupleWriter, name: string, value: unknown): void {
  const [begin, end] = pair(name, 'a port', value);
  const first = integer(name, begin, 0, U16);
  writer.u16(NatOffset.minPort, NatHas.minPort, first);
  writer.u16(NatOffset.maxPort, NatHas.maxPort, integer(name, end, first, U16));
}

function writeRange(
  record: RecordWriter,
  type: number,
  name: string,
  range: NatRange,
  family: Family,
): void {
  const { address, port } = options(name, range, ['address', 'port']);
  if (address === undefined && port === undefined)
    throw new TypeError(`${name} must have an address or a port`);
  const writer = new TupleWriter(record.tail(type, NAT_SIZE), 0, NatOffset.presence);
  if (address !== undefined) writeAddresses(writer, `${name}.address`, address, family);
  if (port !== undefined) writePorts(writer, `${name}.port`, port);
}

export function writeNat(record: RecordWriter, name: string, nat: Nat, family: Family): void {
  const { src, dst } = options(name, nat, ['src', 'dst']);
  if (src === undefined && dst === undefined) throw new TypeError(`${name} must have src or dst`);
  if (src !== undefined) writeRange(record, TailType.natSrc, `${name}.src`, src, family);
  if (dst !== undefined) writeRange(record, TailType.natDst, `${name}.dst`, dst, family);
}

function rangeTo(address: string, port: number | undefined): NatRange {
  return port === undefined ? { address } : { address, port };
}

/** The NAT that a flow was listed with: its reply goes back to where the original was translated to. */
export function natOf(status: number, reply: TupleLike): Nat | undefined {
  const { src, dst } = reply;
  const nat: Nat = {};
  if ((status & (Status.srcNat | Status.srcNatDone)) !== 0 && dst !== undefined) {
    nat.src = rangeTo(dst, reply.dport ?? reply.dstkey ?? reply.icmpId);
  }
  if ((status & (Status.dstNat | Status.dstNatDone)) !== 0 && src !== undefined) {
    // The id of ICMP is one number for both directions, which its source brings.
    nat.dst = rangeTo(src, reply.sport ?? reply.srckey);
  }
  return nat.src === undefined && nat.dst === undefined ? undefined : nat;
}
