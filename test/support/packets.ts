/** What follows the IP header in packets that no ordinary socket would send. */
import { addressBytes } from './ctnetlink';

export const Protonum = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
  /** For experiments (RFC 3692); nothing knows it. */
  unknown: 253,
} as const;

/** Ends of a packet, as far as its checksum needs them. */
export interface Ends {
  src: string;
  dst: string;
}

export interface Ports {
  sport: number;
  dport: number;
}

const NOTHING = Buffer.alloc(0);

// Checksums ---------------------------------------------------------------------------------------

/** The internet checksum (RFC 1071). */
export function checksum(...parts: Uint8Array[]): number {
  const octets = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i + 1 < octets.length; i += 2) sum += octets.readUInt16BE(i);
  if (octets.length % 2 === 1) sum += (octets.at(-1) ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function pseudoHeader({ src, dst }: Ends, protonum: number, length: number): Buffer {
  const addresses = [addressBytes(src), addressBytes(dst)];
  const rest = Buffer.alloc(src.includes(':') ? 8 : 4);
  if (rest.length === 8) {
    rest.writeUInt32BE(length, 0);
    rest.writeUInt8(protonum, 7);
  } else {
    rest.writeUInt8(protonum, 1);
    rest.writeUInt16BE(length, 2);
  }
  return Buffer.concat([...addresses, rest]);
}

const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78;
  return crc;
});

/** CRC-32C (Castagnoli), as SCTP uses it (RFC 9260, appendix A). */
export function crc32c(octets: Uint8Array): number {
  let crc = 0xffffffff;
  for (const octet of octets) crc = (CRC32C[(crc ^ octet) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

// TCP ---------------------------------------------------------------------------------------------

const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

export type TcpFlag = keyof typeof TCP_FLAGS;

export interface TcpSegment extends Ends, Ports {
  flags: readonly TcpFlag[];
  seq?: number;
  ack?: number;
  window?: number;
  /** Encoded options; padded to four bytes. */
  options?: Uint8Array;
  payload?: Uint8Array;
}

export function tcpSegment(segment: TcpSegment): Buffer {
  const options = segment.options ?? NOTHING;
  const size = 20 + ((options.length + 3) & ~3);
  const header = Buffer.alloc(size);
  header.writeUInt16BE(segment.sport, 0);
  header.writeUInt16BE(segment.dport, 2);
  header.writeUInt32BE((segment.seq ?? 0) >>> 0, 4);
  header.writeUInt32BE((segment.ack ?? 0) >>> 0, 8);
  header.writeUInt8((size / 4) << 4, 12);
  header.writeUInt8(
    segment.flags.reduce((bits, flag) => bits | TCP_FLAGS[flag], 0),
    13,
  );
  header.writeUInt16BE(segment.window ?? 65_535, 14);
  header.set(options, 20);
  const octets = Buffer.concat([header, segment.payload ?? NOTHING]);
  const pseudo = pseudoHeader(segment, Protonum.tcp, octets.length);
  octets.writeUInt16BE(checksum(pseudo, octets), 16);
  return octets;
}

// UDP and UDP-Lite --------------------------------------------------------------------------------

export interface UdpDatagram extends Ends, Ports {
  payload?: Uint8Array;
}

/** In UDP, a checksum of 0 means that there is none. */
function nonZero(sum: number): number {
  return sum === 0 ? 0xffff : sum;
}

function udpHeader(ports: Ports, third: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(ports.sport, 0);
  header.writeUInt16BE(ports.dport, 2);
  header.writeUInt16BE(third, 4);
  return header;
}

export function udpDatagram(datagram: UdpDatagram): Buffer {
  const body = datagram.payload ?? NOTHING;
  const octets = Buffer.concat([udpHeader(datagram, 8 + body.length), body]);
  const pseudo = pseudoHeader(datagram, Protonum.udp, octets.length);
  octets.writeUInt16BE(nonZero(checksum(pseudo, octets)), 6);
  return octets;
}

/** RFC 3828; the checksum covers all of it, which a coverage of 0 says. */
export function udpLiteDatagram(datagram: UdpDatagram): Buffer {
  const octets = Buffer.concat([udpHeader(datagram, 0), datagram.payload ?? NOTHING]);
  const pseudo = pseudoHeader(datagram, Protonum.udplite, octets.length);
  octets.writeUInt16BE(nonZero(checksum(pseudo, octets)), 6);
  return octets;
}

// ICMP --------------------------------------------------------------------------------------------

export interface IcmpQuery {
  id: number;
  /** A request unless said. */
  kind?: 'request' | 'reply';
  seq?: number;
  payload?: Uint8Array;
}

function icmpQuery(type: number, query: IcmpQuery, body: Uint8Array): Buffer {
  const octets = Buffer.concat([Buffer.alloc(8), body]);
  octets.writeUInt8(type, 0);
  octets.writeUInt16BE(query.id, 4);
  octets.writeUInt16BE(query.seq ?? 1, 6);
  return octets;
}

function icmpMessage(type: number, query: IcmpQuery, body: Uint8Array): Buffer {
  const octets = icmpQuery(type, query, body);
  octets.writeUInt16BE(checksum(octets), 2);
  return octets;
}

export function icmpEcho(query: IcmpQuery): Buffer {
  return icmpMessage(query.kind === 'reply' ? 0 : 8, query, query.payload ?? NOTHING);
}

/** Carries three timestamps in place of a payload. */
export function icmpTimestamp(query: IcmpQuery): Buffer {
  return icmpMessage(query.kind === 'reply' ? 14 : 13, query, Buffer.alloc(12));
}

export function icmpv6Echo(query: IcmpQuery & Ends): Buffer {
  const type = query.kind === 'reply' ? 129 : 128;
  const octets = icmpQuery(type, query, query.payload ?? NOTHING);
  octets.writeUInt16BE(checksum(pseudoHeader(query, Protonum.icmpv6, octets.length), octets), 2);
  return octets;
}

// SCTP --------------------------------------------------------------------------------------------

export interface SctpPacket extends Ports {
  /** The tag that the receiver chose in its INIT or INIT ACK; 0 in an INIT. */
  vtag: number;
  chunks: readonly Uint8Array[];
}

export function sctpPacket(packet: SctpPacket): Buffer {
  const octets = Buffer.concat([Buffer.alloc(12), ...packet.chunks]);
  octets.writeUInt16BE(packet.sport, 0);
  octets.writeUInt16BE(packet.dport, 2);
  octets.writeUInt32BE(packet.vtag >>> 0, 4);
  octets.writeUInt32LE(crc32c(octets), 8);
  return octets;
}

function chunk(type: number, body: Uint8Array = NOTHING, flags = 0): Buffer {
  const octets = Buffer.alloc((4 + body.length + 3) & ~3);
  octets.writeUInt8(type, 0);
  octets.writeUInt8(flags, 1);
  octets.writeUInt16BE(4 + body.length, 2);
  octets.set(body, 4);
  return octets;
}

/** A parameter of an INIT or of a HEARTBEAT. */
function parameter(type: number, body: Uint8Array): Buffer {
  const octets = Buffer.alloc((4 + body.length + 3) & ~3);
  octets.writeUInt16BE(type, 0);
  octets.writeUInt16BE(4 + body.length, 2);
  octets.set(body, 4);
  return octets;
}

function initBody(tag: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32BE(tag >>> 0, 0);
  body.writeUInt32BE(65_536, 4); // window
  body.writeUInt16BE(1, 8); // streams out
  body.writeUInt16BE(1, 10); // streams in
  body.writeUInt32BE(1, 12); // first sequence number
  return body;
}

function dataBody(payload: Uint8Array): Buffer {
  const body = Buffer.alloc(12 + payload.length);
  body.writeUInt32BE(1, 0); // sequence number
  body.set(payload, 12);
  return body;
}

const HEARTBEAT_INFO = parameter(1, Buffer.alloc(8));

/** Chunks of RFC 9260. `tag` is the tag that the other side has to use from then on. */
export const sctpChunk = {
  data: (payload: Uint8Array = Buffer.from('data')) => chunk(0, dataBody(payload), 3),
  init: (tag: number) => chunk(1, initBody(tag)),
  initAck: (tag: number) => chunk(2, Buffer.concat([initBody(tag), parameter(7, Buffer.alloc(8))])),
  sack: () => chunk(3, Buffer.alloc(12)),
  heartbeat: () => chunk(4, HEARTBEAT_INFO),
  heartbeatAck: () => chunk(5, HEARTBEAT_INFO),
  abort: () => chunk(6),
  shutdown: () => chunk(7, Buffer.alloc(4)),
  shutdownAck: () => chunk(8),
  cookieEcho: () => chunk(10, Buffer.alloc(8)),
  cookieAck: () => chunk(11),
  shutdownComplete: () => chunk(14),
} as const;

// GRE ---------------------------------------------------------------------------------------------

/** Version 0 (RFC 2784): no key, so the kernel's tuple has none either. */
export function greV0(payload: Uint8Array = NOTHING): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(0x0800, 2); // carries IPv4
  return Buffer.concat([header, payload]);
}

/** Version 1, the "enhanced GRE" of PPTP (RFC 2637): the call id is the kernel's key. */
export function grePptp(callId: number, payload: Uint8Array = Buffer.alloc(4)): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x3001, 0); // key and sequence number present, version 1
  header.writeUInt16BE(0x880b, 2); // carries PPP
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt16BE(callId, 6);
  return Buffer.concat([header, payload]);
}

// DCCP --------------------------------------------------------------------------------------------

const DCCP_TYPES = { request: 0, response: 1, data: 2, ack: 3, close: 6, reset: 7 } as const;

export interface DccpPacket extends Ends, Ports {
  type: keyof typeof DCCP_TYPES;
  seq?: number;
  ack?: number;
}

/** Bytes between the generic header and the end, by type (RFC 4340, section 5). */
const DCCP_REST = { request: 4, response: 12, data: 0, ack: 8, close: 8, reset: 12 } as const;

/** With sequence numbers of 48 bits. Linux tracks DCCP until 6.16; later it is an unknown protocol. */
export function dccpPacket(packet: DccpPacket): Buffer {
  const octets = Buffer.alloc(16 + DCCP_REST[packet.type]);
  octets.writeUInt16BE(packet.sport, 0);
  octets.writeUInt16BE(packet.dport, 2);
  octets.writeUInt8(octets.length / 4, 4);
  octets.writeUInt8((DCCP_TYPES[packet.type] << 1) | 1, 8);
  octets.writeUIntBE(packet.seq ?? 1, 10, 6);
  if (DCCP_REST[packet.type] >= 8) octets.writeUIntBE(packet.ack ?? 1, 18, 6);
  const pseudo = pseudoHeader(packet, Protonum.dccp, octets.length);
  octets.writeUInt16BE(checksum(pseudo, octets), 6);
  return octets;
}
