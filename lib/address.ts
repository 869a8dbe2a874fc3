import { isIPv4, isIPv6 } from 'node:net';

import { u8 } from './record';

export type Family = 'ipv4' | 'ipv6';

/** AF_* of <sys/socket.h> on Linux. */
export const AF_INET = 2;
export const AF_INET6 = 10;

export function familyName(family: number): Family {
  return family === AF_INET6 ? 'ipv6' : 'ipv4';
}

export function familyNumber(family: Family): number {
  return family === 'ipv6' ? AF_INET6 : AF_INET;
}

const OCTETS = Array.from({ length: 256 }, (_, value) => String(value));

function octet(record: string, offset: number): string {
  return OCTETS[u8(record, offset)] ?? '';
}

export function ipv4Text(record: string, at: number): string {
  return `${octet(record, at)}.${octet(record, at + 1)}.${octet(record, at + 2)}.${octet(record, at + 3)}`;
}

function group(record: string, at: number, index: number): number {
  const offset = at + 2 * index;
  return (u8(record, offset) << 8) | u8(record, offset + 1);
}

/** The leftmost longest run of at least two zero groups: [first, length]; length 0 if there is none. */
function longestZeroRun(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  groups.forEach((value, index) => {
    if (value !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  });
  return best[1] >= 2 ? best : [0, 0];
}

function hex(groups: readonly number[]): string {
  return groups.map((value) => value.toString(16)).join(':');
}

/** As inet_ntop(3) writes it: RFC 5952, and an embedded IPv4 address in dots. */
export function ipv6Text(record: string, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => group(record, at, index));
  const [start, length] = longestZeroRun(groups);
  const embedsIpv4 = start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff));
  if (embedsIpv4) {
    const prefix = length === 6 ? '::' : '::ffff:';
    return prefix + ipv4Text(record, at + 12);
  }
  if (length === 0) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

const ZERO = 0x30;
const DOT = 0x2e;

/** An IPv4 literal as a number, by hand since every new flow has two; -1 if it is none. */
export function ipv4Number(text: string): number {
  let value = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0) return -1;
      value = value * 256 + octet;
      octet = 0;
      digits = 0;
      dots += 1;
      continue;
    }
    // A leading zero would be octal to some, and is refused as node:net does.
    if (code < ZERO || code > ZERO + 9 || (digits > 0 && octet === 0)) return -1;
    octet = octet * 10 + code - ZERO;
    digits += 1;
    if (octet > 255) return -1;
  }
  return dots === 3 && digits > 0 ? value * 256 + octet : -1;
}

/** The family of an address literal; undefined if it is none. Zone identifiers (%eth0) are none. */
export function familyOf(address: string): Family | undefined {
  if (isIPv4(address)) return 'ipv4';
  return isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined;
}

function ipv4Bytes(address: string): number[] {
  return address.split('.').map(Number);
}

function ipv6Groups(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((word) => {
    if (!word.includes('.')) return [parseInt(word, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(word);
    return [(a << 8) | b, (c << 8) | d];
  });
}

function ipv6Bytes(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const first = ipv6Groups(head);
  const last = ipv6Groups(tail ?? '');
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - first.length - last.length).fill(0);
  return [...first, ...zeros, ...last].flatMap((value) => [value >> 8, value & 0xff]);
}

/** The bytes of a literal that familyOf() has accepted, in network order. */
export function addressBytes(address: string): number[] {
  return familyOf(address) === 'ipv4' ? ipv4Bytes(address) : ipv6Bytes(address);
}

export function addressText(record: string, at: number, family: number): string {
  return family === AF_INET6 ? ipv6Text(record, at) : ipv4Text(record, at);
}
