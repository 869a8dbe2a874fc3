/** Writing records for native code: fields with their presence bits, and the tail behind them. */
import { addressBytes } from './address';
import {
  BATCH_SIZE,
  BatchOffset,
  EXPECTATION_SIZE,
  ExpectationOffset,
  FLOW_SIZE,
  FlowOffset,
  TUPLE_SIZE,
  TupleHas,
  TupleOffset,
} from './layout';

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const TAIL_HEAD = 4;
const ADDRESS_SIZE = 16;

/** Bytes that grow as they are written. */
class Tail {
  #bytes = Buffer.alloc(256);
  length = 0;

  /** Room for an entry of `size` bytes; where its payload starts. */
  add(type: number, size: number): DataView {
    const padded = (size + 3) & ~3;
    this.#grow(TAIL_HEAD + padded);
    const { buffer, byteOffset } = this.#bytes;
    const head = new DataView(buffer, byteOffset + this.length, TAIL_HEAD + padded);
    head.setUint16(0, type, LITTLE);
    head.setUint16(2, size, LITTLE);
    this.length += TAIL_HEAD + padded;
    return new DataView(buffer, head.byteOffset + TAIL_HEAD, padded);
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #grow(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = Buffer.alloc(2 * (this.length + more));
    this.#bytes.copy(grown);
    this.#bytes = grown;
  }
}

/** Where a kind of record keeps what all kinds have. */
export interface RecordShape {
  readonly size: number;
  readonly presence: number;
  readonly tailOffset: number;
  readonly tailLength: number;
}

const FLOW: RecordShape = { ...FlowOffset, size: FLOW_SIZE };
export const EXPECTATION: RecordShape = { ...ExpectationOffset, size: EXPECTATION_SIZE };

/** A batch of records that is being written, of a number that is known before; of flows unless said. */
export class BatchWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #tail = new Tail();
  readonly #capacity: number;
  readonly #shape: RecordShape;
  #length = 0;

  constructor(capacity: number, shape: RecordShape = FLOW) {
    this.#capacity = capacity;
    this.#shape = shape;
    this.#bytes = new Uint8Array(BATCH_SIZE + capacity * shape.size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** The next record, of zeros. */
  next(): RecordWriter {
    if (this.#length === this.#capacity) throw new RangeError('the batch is full');
    const at = BATCH_SIZE + this.#length * this.#shape.size;
    this.#length += 1;
    return new RecordWriter(this.#view, at, this.#tail, this.#shape);
  }

  /** The first record, without what is around it. */
  firstRecord(): Uint8Array {
    return this.#bytes.slice(BATCH_SIZE, BATCH_SIZE + this.#shape.size);
  }

  /** The batch, whose records must all have been written. */
  finish(): Uint8Array {
    const records = BATCH_SIZE + this.#length * this.#shape.size;
    const header = new Uint32Array(this.#bytes.buffer, 0, BATCH_SIZE >> 2);
    header[BatchOffset.length >> 2] = this.#length;
    header[BatchOffset.stride >> 2] = this.#shape.size;
    header[BatchOffset.tailStart >> 2] = records;
    header[BatchOffset.tailLength >> 2] = this.#tail.length;
    if (this.#tail.length === 0) return this.#bytes.subarray(0, records);
    return Buffer.concat([this.#bytes.subarray(0, records), this.#tail.written]);
  }
}

export class RecordWriter {
  readonly #view: DataView;
  readonly #at: number;
  readonly #tail: Tail;
  readonly #shape: RecordShape;

  constructor(view: DataView, at: number, tail: Tail, shape: RecordShape) {
    this.#view = view;
    this.#at = at;
    this.#tail = tail;
    this.#shape = shape;
    this.u32(shape.tailOffset, tail.length);
  }

  u8(offset: number, value: number): void {
    this.#view.setUint8(this.#at + offset, value);
  }

  u16(offset: number, value: number): void {
    this.#view.setUint16(this.#at + offset, value, LITTLE);
  }

  u32(offset: number, value: number): void {
    this.#view.setUint32(this.#at + offset, value, LITTLE);
  }

  /** Sets a bit of the record's own presence. */
  has(flag: number): void {
    this.flag(this.#shape.presence, flag);
  }

  flag(offset: number, flag: number): void {
    const flags = this.#view.getUint32(this.#at + offset, LITTLE);
    this.u32(offset, flags | flag);
  }

  /** A number that is left out if it is undefined. */
  optionalU8(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.u8(offset, value);
    this.has(flag);
  }

  optionalU32(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.u32(offset, value);
    this.has(flag);
  }

  /** The tuple at `offset` of the record. */
  tuple(offset: number): TupleWriter {
    return new TupleWriter(this.#view, this.#at + offset);
  }

  /** Writes the tuple at `from` the other way round to `to`, without a zone. */
  reverseTuple(from: number, to: number): void {
    const bytes = new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#at);
    const move = (source: number, target: number, length: number): void => {
      bytes.copyWithin(to + target, from + source, from + source + length);
    };
    move(0, 0, TUPLE_SIZE);
    move(TupleOffset.src, TupleOffset.dst, ADDRESS_SIZE);
    move(TupleOffset.dst, TupleOffset.src, ADDRESS_SIZE);
    move(TupleOffset.sport, TupleOffset.dport, 2);
    move(TupleOffset.dport, TupleOffset.sport, 2);
    const presence = this.#view.getUint32(this.#at + to + TupleOffset.presence, LITTLE);
    this.u32(to + TupleOffset.presence, presence & ~TupleHas.zone);
  }

  /** Adds an entry of `size` bytes to the record's tail, to be filled in. */
  tail(type: number, size: number): DataView {
    const payload = this.#tail.add(type, size);
    const start = this.#view.getUint32(this.#at + this.#shape.tailOffset, LITTLE);
    this.u32(this.#shape.tailLength, this.#tail.length - start);
    return payload;
  }

  tailBytes(type: number, bytes: Uint8Array): void {
    const payload = this.tail(type, bytes.length);
    new Uint8Array(payload.buffer, payload.byteOffset).set(bytes);
  }

  tailWords(type: number, words: readonly number[]): void {
    const payload = this.tail(type, 4 * words.length);
    words.forEach((word, index) => {
      payload.setUint32(4 * index, word >>> 0, LITTLE);
    });
  }

  /** One u64; exact to 2^53-1. */
  tailU64(type: number, value: number): void {
    this.tail(type, 8).setBigUint64(0, BigInt(value), LITTLE);
  }
}

/** A tuple, or what has the same kind of presence, somewhere in a record or a tail. */
export class TupleWriter {
  readonly #view: DataView;
  readonly #at: number;
  readonly #presence: number;

  constructor(view: DataView, at: number, presence: number = TupleOffset.presence) {
    this.#view = view;
    this.#at = at;
    this.#presence = presence;
  }

  address(offset: number, flag: number, address: string): void {
    addressBytes(address).forEach((value, index) => {
      this.#view.setUint8(this.#at + offset + index, value);
    });
    this.#flag(flag);
  }

  /** An IPv4 address as a number. */
  ipv4(offset: number, flag: number, value: number): void {
    this.#view.setUint32(this.#at + offset, value);
    this.#flag(flag);
  }

  /** An IPv6 address as a number. */
  ipv6(offset: number, flag: number, value: bigint): void {
    this.#view.setBigUint64(this.#at + offset, value >> 64n);
    this.#view.setBigUint64(this.#at + offset + 8, value & 0xffff_ffff_ffff_ffffn);
    this.#flag(flag);
  }

  u16(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#view.setUint16(this.#at + offset, value, LITTLE);
    this.#flag(flag);
  }

  u8(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#view.setUint8(this.#at + offset, value);
    this.#flag(flag);
  }

  family(family: number): void {
    this.#view.setUint8(this.#at + TupleOffset.family, family);
  }

  #flag(flag: number): void {
    const at = this.#at + this.#presence;
    this.#view.setUint32(at, this.#view.getUint32(at, LITTLE) | flag, LITTLE);
  }
}

/** One record alone, without a batch around it. */
export function singleRecord(
  write: (record: RecordWriter) => void,
  shape: RecordShape = FLOW,
): Uint8Array {
  const batch = new BatchWriter(1, shape);
  write(batch.next());
  return batch.firstRecord();
}
