import type { Batch } from './batch';
import type { BatchReader } from './batch-reader';
import { BatchIterator, ItemIterator, type MakeBatch } from './iterators';
import type { NativeSubscription } from './native';
import { integer, mustBe, oneOf, optionalSignal } from './options';

/** How a subscription is to be fed and ended. */
export interface StreamOptions {
  /**
   * Bytes of messages that the kernel may queue for us; default 64 MiB. The kernel charges about 1,280 bytes
   * an event, so that this is 52,000 events. Without CAP_NET_ADMIN in the initial user namespace it is
   * limited to twice net.core.rmem_max; `statistics().receiveBuffer` tells what was granted.
   */
  receiveBuffer?: number;
  /**
   * How far the receive buffer may grow: it is doubled after each overrun, until then. Default: 256 MiB, or
   * `receiveBuffer` where that is given.
   */
  maxReceiveBuffer?: number;
  /**
   * Events that may wait for the consumer, about 256 bytes each; default 524,288. Memory is taken as they
   * come.
   */
  queue?: number;
  /** Ends the stream; what waits for it throws the signal's reason. */
  signal?: AbortSignal;
}

/** @internal Where the events come from. */
export interface EventSource {
  readonly reader: BatchReader;
  readonly native: Pick<NativeSubscription, 'statistics'>;
  /** How many events were put into the stream by comparing, if that is done. */
  readonly synthetic?: () => number;
}

/** Counted since the subscription began. */
export interface EventsStatistics {
  /** Read from the kernel; together with `kernelDrops` all that it sent. */
  received: number;
  /** Received, but not wanted by the filter; what the kernel left out itself is not counted. */
  filtered: number;
  /** Handed to the consumer; with `resync`, synthetic events too. */
  delivered: number;
  /** Dropped by the kernel, since the receive buffer was full. */
  kernelDrops: number;
  /** Dropped by us, since the queue was full. */
  queueDrops: number;
  /** Not understood. */
  malformed: number;
  /** Gap records put into the stream. */
  gaps: number;
  /** Waiting for the consumer now, gap records included. */
  queued: number;
  /** Bytes of receive buffer granted by the kernel; it may grow, see `maxReceiveBuffer`. */
  receiveBuffer: number;
  /** Where it was asked for: whether the reliable mode still holds. */
  reliable?: boolean;
  /** With `resync`: events put into the stream that the kernel did not announce. */
  synthetic?: number;
}

/** @internal */
export const DEFAULT_RECEIVE_BUFFER = 64 * 2 ** 20;
/** @internal */
export const DEFAULT_MAX_RECEIVE_BUFFER = 256 * 2 ** 20;
/** @internal */
export const DEFAULT_QUEUE = 2 ** 19;
/** The kernel's own limits: SOCK_MIN_RCVBUF, and an int. */
const MIN_RECEIVE_BUFFER = 4096;
const MAX_INT = 2 ** 31 - 1;
const MAX_QUEUE = 2 ** 31;

/** @internal Checked, with defaults. */
export function bufferOptions(given: Pick<StreamOptions, 'receiveBuffer' | 'maxReceiveBuffer'>): {
  receiveBuffer: number;
  maxReceiveBuffer: number;
} {
  const { receiveBuffer = DEFAULT_RECEIVE_BUFFER } = given;
  const most = given.receiveBuffer === undefined ? DEFAULT_MAX_RECEIVE_BUFFER : receiveBuffer;
  const { maxReceiveBuffer = most } = given;
  integer('options.receiveBuffer', receiveBuffer, MIN_RECEIVE_BUFFER, MAX_INT);
  integer('options.maxReceiveBuffer', maxReceiveBuffer, receiveBuffer, MAX_INT);
  return { receiveBuffer, maxReceiveBuffer };
}

/** @internal Checked. */
export function queueOption(queue: number = DEFAULT_QUEUE): number {
  return integer('options.queue', queue, 1, MAX_QUEUE);
}

/** @internal Checked, with defaults. */
export function streamOptions(given: StreamOptions): {
  receiveBuffer: number;
  maxReceiveBuffer: number;
  queue: number;
  signal: AbortSignal | undefined;
} {
  return {
    ...bufferOptions(given),
    queue: queueOption(given.queue),
    signal: optionalSignal('options.signal', given.signal),
  };
}

/** @internal Bit n for the multicast group n of each wanted type; of all types if none are named. */
export function groupsOf<Type extends string>(
  types: readonly Type[] | undefined,
  groups: Readonly<Record<Type, number>>,
): number {
  const known = Object.keys(groups) as Type[];
  if (types === undefined) return groupsOf(known, groups);
  if (!Array.isArray(types)) throw mustBe('options.types', 'an array', types);
  if (types.length === 0) throw new TypeError('options.types must not be empty');
  // A hole becomes undefined, which is refused like any other.
  return Array.from(types as readonly unknown[])
    .map((type, index) => oneOf(`options.types[${index}]`, type, known))
    .reduce((bits, type) => bits | (1 << groups[type]), 0);
}

/**
 * Announcements of the kernel, in its order. Where it lost some a `gap` stands in their place; the stream
 * goes on behind it.
 *
 * Read it in one way: per event, in batches, or by a callback. A subscription keeps the process alive
 * while it is read (see `unref()`), and ends when its loop is left, at `close()`, by its signal, or with the
 * worker it lives in.
 */
export abstract class EventStream<Event, B extends Batch<Event>> implements AsyncIterable<Event> {
  readonly #subscribed: EventSource;
  readonly #make: MakeBatch<B>;
  #delivered = 0;
  // The mode may have been left.
  readonly #isReliable: boolean;
  #consumed = false;

  /** @internal */
  protected constructor(subscribed: EventSource, make: MakeBatch<B>) {
    this.#subscribed = subscribed;
    this.#isReliable = subscribed.native.statistics()[8] !== 0;
    this.#make = make;
  }

  /** Batches of up to about a thousand events and gaps. */
  batches(): AsyncIterableIterator<B> {
    return this.#iterate();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Event> {
    return new ItemIterator(this.#iterate());
  }

  /**
   * Calls `callback` with each batch until the stream ends. What it throws is an uncaught exception; so is
   * a failure of the subscription.
   */
  onBatch(callback: (batch: B) => void): void {
    if (typeof callback !== 'function') throw mustBe('callback', 'a function', callback);
    void this.#pump(this.#iterate(), callback);
  }

  statistics(): EventsStatistics {
    const counts = this.#subscribed.native.statistics();
    const [received, filtered, kernelDrops, queueDrops, malformed, gaps, queued] = counts;
    const [receiveBuffer, reliable] = [counts[7], counts[8] !== 0];
    return {
      received,
      filtered,
      delivered: this.#delivered,
      kernelDrops,
      queueDrops,
      malformed,
      gaps,
      queued,
      receiveBuffer,
      ...(this.#isReliable && { reliable }),
      ...(this.#subscribed.synthetic && { synthetic: this.#subscribed.synthetic() }),
    };
  }

  /** Ends the subscription: loops over it end, its thread is joined, what is queued is discarded. */
  close(): void {
    this.#subscribed.reader.close();
  }

  /** Waiting for events keeps the process alive (the default). */
  ref(): this {
    this.#subscribed.reader.setKeepAlive(true);
    return this;
  }

  /** Waiting for events does not keep the process alive. */
  unref(): this {
    this.#subscribed.reader.setKeepAlive(false);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #iterate(): BatchIterator<B> {
    if (this.#consumed) {
      throw new TypeError('these events are being read already; subscribe once for each reader');
    }
    this.#consumed = true;
    return new BatchIterator(this.#subscribed.reader, (records) => {
      this.#delivered += records.length - records.gaps;
      return this.#make(records);
    });
  }

  async #pump(batches: AsyncIterableIterator<B>, callback: (batch: B) => void): Promise<void> {
    for (;;) {
      try {
        const result = await batches.next();
        if (result.done === true) return;
        callback(result.value);
      } catch (error) {
        // Outside of the promise, where it would be an unhandled rejection.
        setImmediate(() => {
          throw error;
        });
        if (this.#subscribed.reader.ended) return;
      }
    }
  }
}
