/** The rare attributes of a record, which lie behind it. */
import { bytes, i32, text, u16, u32, u64 } from './record';

const HEAD = 4;

/** Where an entry of the tail lies. */
export interface TailEntry {
  readonly start: number;
  readonly length: number;
}

/** The first entry of a type in `record` from `from` on. */
export function findTail(record: string, from: number, type: number): TailEntry | undefined {
  let at = from;
  while (at + HEAD <= record.length) {
    const length = u16(record, at + 2);
    if (u16(record, at) === type) return { start: at + HEAD, length };
    at += HEAD + ((length + 3) & ~3);
  }
  return undefined;
}

export function tailText(record: string, entry: TailEntry): string {
  return text(record, entry.start, entry.length);
}

export function tailBytes(record: string, entry: TailEntry): Buffer {
  return bytes(record, entry.start, entry.length);
}

/** Numbers of the bits that are set in a run of u32 words. */
export function tailBits(record: string, entry: TailEntry): number[] {
  const bits: number[] = [];
  for (let word = 0; word < entry.length >> 2; word += 1) {
    const value = u32(record, entry.start + 4 * word);
    for (let bit = 0; bit < 32; bit += 1) {
      if ((value >>> bit) & 1) bits.push(32 * word + bit);
    }
  }
  return bits;
}

/** The `index`th u32 of an entry. */
export function tailU32(record: string, entry: TailEntry, index: number): number {
  return u32(record, entry.start + 4 * index);
}

export function tailI32(record: string, entry: TailEntry, index: number): number {
  return i32(record, entry.start + 4 * index);
}

export function tailU64(record: string, entry: TailEntry): number {
  return u64(record, entry.start);
}
