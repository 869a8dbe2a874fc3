/** Building and taking apart ctnetlink messages, for requests and for messages that no kernel sends. */
import { isIPv6 } from 'node:net';

export const NLMSGHDR_SIZE = 16;
export const NFGENMSG_SIZE = 4;

/** nlmsg_type: subsystem << 8 | command. */
export const MessageType = {
  ctNew: 0x100,
  ctGet: 0x101,
  ctDelete: 0x102,
  ctGetZero: 0x103,
  ctGetStatsCpu: 0x104,
  ctGetStats: 0x105,
  ctGetDying: 0x106,
  ctGetUnconfirmed: 0x107,
  expNew: 0x200,
  expGet: 0x201,
  expDelete: 0x202,
  expGetStatsCpu: 0x203,
} as const;

/** Multicast groups. */
export const Group = {
  new: 1,
  update: 2,
  destroy: 3,
  expNew: 4,
  expUpdate: 5,
  expDestroy: 6,
} as const;

/** Every group of flows. */
export const FLOW_GROUPS = [Group.new, Group.update, Group.destroy] as const;

/** nlmsg_flags; those of dumps and those of changes share their bits. */
export const Flag = {
  request: 0x1,
  ack: 0x4,
  echo: 0x8,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
} as const;

/** Top-level attributes of a flow, CTA_*. */
export const Cta = {
  tupleOrig: 1,
  tupleReply: 2,
  status: 3,
  protoinfo: 4,
  help: 5,
  natSrc: 6,
  timeout: 7,
  mark: 8,
  countersOrig: 9,
  countersReply: 10,
  use: 11,
  id: 12,
  natDst: 13,
  tupleMaster: 14,
  seqAdjOrig: 15,
  seqAdjReply: 16,
  secmark: 17,
  zone: 18,
  secctx: 19,
  timestamp: 20,
  markMask: 21,
  labels: 22,
  labelsMask: 23,
  synproxy: 24,
  filter: 25,
  statusMask: 26,
  timestampEvent: 27,
} as const;

export const Family = { any: 0, ipv4: 2, ipv6: 10 } as const;

/** NLA_F_NESTED; the kernel's policies ask for it. */
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

function padded(length: number): number {
  return (length + 3) & ~3;
}

/** An attribute, padded to four bytes. */
export function attribute(type: number, payload: Uint8Array): Buffer {
  const octets = Buffer.alloc(padded(4 + payload.length));
  octets.writeUInt16LE(4 + payload.length, 0);
  octets.writeUInt16LE(type, 2);
  octets.set(payload, 4);
  return octets;
}

export function nest(type: number, ...members: Uint8Array[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(members));
}

export function u8(type: number, value: number): Buffer {
  return attribute(type, Buffer.of(value));
}

export function be16(type: number, value: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(value);
  return attribute(type, payload);
}

export function be32(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value >>> 0);
  return attribute(type, payload);
}

export function be64(type: number, value: bigint): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeBigUInt64BE(value);
  return attribute(type, payload);
}

export function text(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`));
}

/** The bytes of an address literal: 4 or 16 of them, in network order. */
export function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail);
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  const octets = Buffer.alloc(16);
  for (const [i, group] of [...before, ...zeros, ...after].entries()) {
    octets.writeUInt16BE(group, 2 * i);
  }
  return octets;
}

function groupsOf(part: string): number[] {
  return part === '' ? [] : part.split(':').map((group) => parseInt(group, 16));
}

export interface TupleFields {
  src: string;
  dst: string;
  protonum: number;
  sport?: number;
  dport?: number;
  icmpId?: number;
  icmpType?: number;
  icmpCode?: number;
  zone?: number;
}

function optional<T>(value: T | undefined, build: (value: T) => Buffer): Buffer[] {
  return value === undefined ? [] : [build(value)];
}

/** CTA_TUPLE_IP, _PROTO and _ZONE under attribute `type`. */
export function tuple(type: number, fields: TupleFields): Buffer {
  const ipv6 = isIPv6(fields.src);
  const icmp = ipv6 ? 7 : 4;
  const ip = nest(
    1,
    attribute(ipv6 ? 3 : 1, addressBytes(fields.src)),
    attribute(ipv6 ? 4 : 2, addressBytes(fields.dst)),
  );
  const proto = nest(
    2,
    u8(1, fields.protonum),
    ...optional(fields.sport, (value) => be16(2, value)),
    ...optional(fields.dport, (value) => be16(3, value)),
    ...optional(fields.icmpId, (value) => be16(icmp, value)),
    ...optional(fields.icmpType, (value) => u8(icmp + 1, value)),
    ...optional(fields.icmpCode, (value) => u8(icmp + 2, value)),
  );
  return nest(type, ip, proto, ...optional(fields.zone, (value) => be16(3, value)));
}

/** The payload of a message: an nfgenmsg and attributes. */
export function payload(family: number, ...attributes: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(family, 0, 0, 0), ...attributes]);
}

export interface MessageOptions {
  type?: number;
  flags?: number;
  sequence?: number;
  portid?: number;
}

/** A whole message with its nlmsghdr; CT_NEW, as the kernel sends it, unless said. */
export function message(body: Uint8Array, options: MessageOptions = {}): Buffer {
  const octets = Buffer.alloc(NLMSGHDR_SIZE + body.length);
  octets.writeUInt32LE(octets.length, 0);
  octets.writeUInt16LE(options.type ?? MessageType.ctNew, 4);
  octets.writeUInt16LE(options.flags ?? 0, 6);
  octets.writeUInt32LE(options.sequence ?? 0, 8);
  octets.writeUInt32LE(options.portid ?? 0, 12);
  octets.set(body, NLMSGHDR_SIZE);
  return octets;
}

export interface ParsedAttribute {
  type: number;
  /** Where its header stands in the buffer that was walked. */
  offset: number;
  payload: Buffer;
}

/** The attributes of a run; it ends at the first whose length lies. */
export function attributesOf(octets: Buffer, start = 0): ParsedAttribute[] {
  const found: ParsedAttribute[] = [];
  for (let offset = start; offset + 4 <= octets.length;) {
    const length = octets.readUInt16LE(offset);
    if (length < 4 || offset + length > octets.length) break;
    found.push({
      type: octets.readUInt16LE(offset + 2) & TYPE_MASK,
      offset,
      payload: octets.subarray(offset + 4, offset + length),
    });
    offset += padded(length);
  }
  return found;
}

/** The top-level attributes of a whole message. */
export function attributesOfMessage(octets: Buffer): ParsedAttribute[] {
  return attributesOf(octets, NLMSGHDR_SIZE + NFGENMSG_SIZE);
}

export function messageType(octets: Buffer): number {
  return octets.readUInt16LE(4);
}

export function messageFlags(octets: Buffer): number {
  return octets.readUInt16LE(6);
}

/** 'new' or 'update' by the flags that the kernel sets, 'destroy' by the message's type. */
export function eventKind(octets: Buffer): 'new' | 'update' | 'destroy' {
  if (messageType(octets) === MessageType.ctDelete) return 'destroy';
  return (messageFlags(octets) & (Flag.create | Flag.exclusive)) === 0 ? 'update' : 'new';
}
