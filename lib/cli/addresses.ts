/** Addresses as the original reads them: inet_aton(3) and inet_pton(3), networks, and addresses of NAT. */
import { isIPv6 } from 'node:net';

import { addressBytes, type Family } from '../address';
import { atol, plain } from './c-numbers';
import { usage } from './failure';

export interface Address {
  readonly family: Family;
  readonly text: string;
}

export interface Network extends Address {
  /** Bits of the network; undefined: it is one address. */
  readonly prefix: number | undefined;
  /** A prefix was announced with a slash, and did not follow. */
  readonly emptyPrefix: boolean;
}

export interface NatAddress {
  readonly address: Address | undefined;
  readonly port: number | undefined;
}

/** INET6_ADDRSTRLEN - 1: more is cut off. */
const LONGEST = 45;
const ADDRESS_BITS = { ipv4: 32, ipv6: 128 } as const;
const PART = /^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/;

function partValue(text: string): number {
  return /^0[0-7]/.test(text) ? parseInt(text, 8) : Number(text);
}

/** The parts of an IPv4 address, up to four numbers in C's notation; undefined: it is none. */
function parts(text: string): number[] | undefined {
  const values: number[] = [];
  for (let rest = text; ;) {
    const [digits] = PART.exec(rest) ?? [];
    if (digits === undefined) return undefined;
    values.push(partValue(digits));
    rest = rest.slice(digits.length);
    // What stands behind a blank is not looked at.
    if (rest === '' || /^[ \t\n\v\f\r]/.test(rest)) return values;
    if (!rest.startsWith('.') || values.length === 4) return undefined;
    rest = rest.slice(1);
  }
}

/** inet_aton(3): `1.2.3`, `0x01020304` and `16909060` are addresses. */
function ipv4(text: string): string | undefined {
  const values = parts(text);
  if (values === undefined) return undefined;
  const last = values.pop() ?? 0;
  if (values.some((value) => value > 0xff) || last >= 2 ** (8 * (4 - values.length))) {
    return undefined;
  }
  const word = values.reduce((sum, value, index) => sum + value * 2 ** (8 * (3 - index)), last);
  return [24, 16, 8, 0].map((shift) => Math.floor(word / 2 ** shift) % 256).join('.');
}

/** `shown` is what a message calls it. */
export function parseAddress(word: string, shown = word): Address {
  const text = word.slice(0, LONGEST);
  const short = ipv4(text);
  if (short !== undefined) return { family: 'ipv4', text: short };
  if (isIPv6(text) && !text.includes('%')) return { family: 'ipv6', text };
  throw usage(`Invalid IP address \`${shown}'`);
}

function prefixLength(text: string, family: Family): number {
  const whole = /^[ \t\n\v\f\r]*[+-]?\d*$/.test(text);
  const length = whole ? Number(atol(text)) : -1;
  if (length < 0 || length > ADDRESS_BITS[family]) throw usage('Invalid netmask');
  return length;
}

/** An address, with a `/length` perhaps. */
export function parseNetwork(word: string): Network {
  const slash = word.indexOf('/');
  if (slash < 0) return { ...parseAddress(word), prefix: undefined, emptyPrefix: false };
  const address = parseAddress(word.slice(0, slash), word);
  const text = word.slice(slash + 1);
  const length = prefixLength(text, address.family);
  const prefix = length === ADDRESS_BITS[address.family] ? undefined : length;
  return { ...address, prefix, emptyPrefix: text === '' };
}

/** An address for an option of this name, which takes no network. */
export function parsePlainAddress(option: string, word: string): Address {
  if (word.includes('/')) throw usage(`CIDR notation unavailable for \`--${option}'`);
  return parseAddress(word);
}

function natPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === '') throw usage("No port specified after `:'");
  const port = plain(text, 0xffff);
  if (port === undefined) throw usage(`Invalid port \`${text}'`);
  return port;
}

/** `[address]:port`; without a port it is no address. */
function bracketed(word: string): { address: string; port: string | undefined } {
  const close = word.indexOf(']');
  if (close < 0) throw usage("No closing ']' around IPv6 address");
  const address = word.slice(1, close);
  if (address === '') throw usage('No IPv6 address specified');
  const behind = word.slice(close + 1);
  if (!behind.startsWith(':')) return { address: word, port: undefined };
  return { address, port: behind.slice(1) };
}

function splitPort(word: string): { address: string; port: string | undefined } {
  if (word.startsWith('[')) return bracketed(word);
  const colon = word.indexOf(':');
  // Of several colons it is an IPv6 address.
  if (colon < 0 || colon !== word.lastIndexOf(':')) return { address: word, port: undefined };
  return { address: word.slice(0, colon), port: word.slice(colon + 1) };
}

/** `ip`, `ip:port`, `[ip]:port`; nothing is asked of NAT but that it was done. */
export function parseNatAddress(option: string, word: string | undefined): NatAddress {
  if (word === undefined) return { address: undefined, port: undefined };
  const { address, port } = splitPort(word);
  const number = natPort(port);
  return { address: parsePlainAddress(option, address), port: number };
}

/** The networks that have the bits of `address` where `mask` has ones; undefined: there are too many. */
export function maskedNetworks(address: Address, mask: Address): string[] | undefined {
  const bits = ADDRESS_BITS[address.family];
  const maskBits = toBigint(addressBytes(mask.text));
  const fixed = toBigint(addressBytes(address.text)) & maskBits;
  const zeros = trailingZeros(maskBits, bits);
  const free: bigint[] = [];
  for (let bit = zeros; bit < bits; bit++) {
    if ((maskBits & (1n << BigInt(bit))) === 0n) free.push(1n << BigInt(bit));
  }
  if (free.length > MOST_FREE_BITS) return undefined;
  return Array.from({ length: 2 ** free.length }, (_, choice) => {
    const chosen = free.filter((_bit, index) => (choice & (1 << index)) !== 0);
    const value = chosen.reduce((sum, bit) => sum | bit, fixed);
    return `${toText(value, address.family)}/${bits - zeros}`;
  });
}

/** Bits that are free above the lowest one that is compared: so many give 1024 networks. */
const MOST_FREE_BITS = 10;

function trailingZeros(value: bigint, bits: number): number {
  let count = 0;
  while (count < bits && (value & (1n << BigInt(count))) === 0n) count += 1;
  return count;
}

function toBigint(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function toText(value: bigint, family: Family): string {
  if (family === 'ipv4') {
    return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  }
  const groups = Array.from(
    { length: 8 },
    (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn,
  );
  return groups.map((group) => group.toString(16)).join(':');
}
