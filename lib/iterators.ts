import type { Batch } from './batch';
import type { BatchReader } from './batch-reader';
import type { Records } from './records';

/** Makes the batch class that fits the reader's records. */
export type MakeBatch<B> = (records: Records) => B;

const DONE = { done: true, value: undefined } as const;

/** Batches of a reader. Leaving the loop ends the reader. */
export class BatchIterator<B> implements AsyncIterableIterator<B> {
  // What is to be read, or how to begin it; nothing once it was left before it began.
  #source: BatchReader | (() => BatchReader) | undefined;
  readonly #make: MakeBatch<B>;
  // Calls of next() that overlap are answered in their order.
  #last: Promise<unknown> = Promise.resolve();

  /** `source` is a reader, or begins one at the first step. */
  constructor(source: BatchReader | (() => BatchReader), make: MakeBatch<B>) {
    this.#source = source;
    this.#make = make;
  }

  /** Whether the reader was ended: by its end, by close(), or by a signal. */
  get ended(): boolean {
    return typeof this.#source === 'object' && this.#source.ended;
  }

  next(): Promise<IteratorResult<B, undefined>> {
    const result = this.#last.then(() => this.#step());
    this.#last = result.catch(() => undefined);
    return result;
  }

  return(): Promise<IteratorResult<B, undefined>> {
    if (typeof this.#source === 'object') this.#source.close();
    else this.#source = undefined;
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #step(): Promise<IteratorResult<B, undefined>> {
    if (typeof this.#source === 'function') this.#source = this.#source();
    const records = await this.#source?.next();
    return records === undefined ? DONE : { done: false, value: this.#make(records) };
  }
}

/**
 * Items of a reader, one at a time. Written out instead of as an async generator, which costs three times
 * as much for each item.
 */
export class ItemIterator<Item> implements AsyncIterableIterator<Item> {
  readonly #batches: BatchIterator<Batch<Item>>;
  #batch: Batch<Item> | undefined;
  #index = 0;
  #refill: Promise<void> | undefined;

  constructor(batches: BatchIterator<Batch<Item>>) {
    this.#batches = batches;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    const batch = this.#batch;
    // What is left of a batch is not given after the end.
    if (batch !== undefined && this.#index < batch.length && !this.#batches.ended) {
      const value = batch.item(this.#index);
      this.#index += 1;
      return Promise.resolve({ done: false, value });
    }
    return this.#nextAfterRefill();
  }

  return(): Promise<IteratorResult<Item, undefined>> {
    this.#batch = undefined;
    return this.#batches.return().then(() => DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #nextAfterRefill(): Promise<IteratorResult<Item, undefined>> {
    this.#refill ??= this.#takeBatch();
    await this.#refill;
    return this.#batch === undefined ? DONE : this.next();
  }

  async #takeBatch(): Promise<void> {
    try {
      const result = await this.#batches.next();
      this.#batch = result.done === true ? undefined : result.value;
      this.#index = 0;
    } finally {
      this.#refill = undefined;
    }
  }
}
