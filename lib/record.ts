/**
 * Reading a record that is kept as a string of its bytes, one character a byte.
 *
 * A flow is such a string: it costs one allocation, is collected like any other string, and keeps nothing
 * alive but itself. A view into its batch would be cheaper to make, but one flow that is kept would
 * hold a batch of a thousand.
 */
import { endianness } from 'node:os';

const LITTLE = endianness() === 'LE';
const TWO_32 = 2 ** 32;

export function u8(record: string, offset: number): number {
  return record.charCodeAt(offset);
}

export function u16(record: string, offset: number): number {
  const a = record.charCodeAt(offset);
  const b = record.charCodeAt(offset + 1);
  return LITTLE ? a | (b << 8) : (a << 8) | b;
}

export function i32(record: string, offset: number): number {
  const a = u16(record, offset);
  const b = u16(record, offset + 2);
  return LITTLE ? a | (b << 16) : (a << 16) | b;
}

export function u32(record: string, offset: number): number {
  return i32(record, offset) >>> 0;
}

/** The u64 whose two words lie in this order in memory; exact to 2^53-1. */
export function joinWords(first: number, second: number): number {
  return LITTLE ? first + second * TWO_32 : first * TWO_32 + second;
}

export function u64(record: string, offset: number): number {
  return joinWords(u32(record, offset), u32(record, offset + 4));
}

/** A time in ns since the epoch as ms, which a number holds to the quarter of a microsecond. */
export function milliseconds(ns: number): number {
  return ns / 1e6;
}

/** The bytes from `start` on, as a Buffer of its own. */
export function bytes(record: string, start: number, length: number): Buffer {
  return Buffer.from(record.slice(start, start + length), 'latin1');
}

/** Text that the kernel holds as bytes, taken as UTF-8. */
export function text(record: string, start: number, length: number): string {
  return bytes(record, start, length).toString('utf8');
}
