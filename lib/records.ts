import { BATCH_SIZE, BatchOffset } from './layout';
import { joinWords } from './record';

/** Buffer's own fast path to a one-byte string, which its types leave out. */
interface Latin1Source {
  latin1Slice(start: number, end: number): string;
}

/**
 * A run of records as native code hands it over: a header, records of one size, and their tail. The
 * three views are of the same memory, in host byte order.
 */
export class Records {
  readonly length: number;
  readonly stride: number;
  /** How many of the records are gaps. */
  readonly gaps: number;
  readonly bytes: Uint8Array;
  readonly #text: Latin1Source;
  readonly words: Uint32Array;
  readonly #tailStart: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#text = Buffer.from(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    ) as unknown as Latin1Source;
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    this.length = this.u32(BatchOffset.length);
    this.stride = this.u32(BatchOffset.stride);
    this.gaps = this.u32(BatchOffset.gaps);
    this.#tailStart = this.u32(BatchOffset.tailStart);
  }

  get halfWords(): Uint16Array {
    return new Uint16Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength >> 1);
  }

  /** Where record `index` starts. */
  at(index: number): number {
    return BATCH_SIZE + index * this.stride;
  }

  u8(offset: number): number {
    return this.bytes[offset] ?? 0;
  }

  u32(offset: number): number {
    return this.words[offset >> 2] ?? 0;
  }

  /** Exact to 2^53-1. */
  u64(offset: number): number {
    return joinWords(this.u32(offset), this.u32(offset + 4));
  }

  /**
   * Record `index` and, behind it, its tail as a string of their bytes; the offsets say where the record
   * keeps the place and the length of its tail.
   */
  string(index: number, tailOffset: number, tailLength: number): string {
    const start = this.at(index);
    const record = this.#text.latin1Slice(start, start + this.stride);
    const length = this.u32(start + tailLength);
    if (length === 0) return record;
    const tail = this.#tailStart + this.u32(start + tailOffset);
    return record + this.#text.latin1Slice(tail, tail + length);
  }
}
