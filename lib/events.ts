import type { Control, Subscribed } from './control';
import { type ConntrackEvent, EventBatch, type EventType } from './event';
import { type Filter, isEverything } from './filter';
import { parseFilter } from './filter-parse';
import { compileFilter } from './filter-program';
import { BatchIterator, ItemIterator } from './iterators';
import { integer, mustBe, oneOf, options, optionalSignal } from './options';
import type { Explanation } from './plan';
import type { Records } from './records';
import { socketFilter } from './socket-filter';

export interface EventsOptions {
  /** Which changes to follow; default: all three. */
  types?: readonly EventType[];
  /**
   * Bytes of messages that the kernel may queue for us; default 64 MiB. The kernel charges about 1,280 bytes
   * an event, so that this is 52,000 events. Without CAP_NET_ADMIN in the initial user namespace it is
   * limited to twice net.core.rmem_max; `statistics().receiveBuffer` tells what was granted.
   */
  receiveBuffer?: number;
  /**
   * Events that may wait for the consumer, 224 bytes each or a little more; default 524,288. Memory is
   * taken as they come.
   */
  queue?: number;
  /** Ends the stream; what waits for it throws the signal's reason. */
  signal?: AbortSignal;
}

/** Counted since the subscription began. */
export interface EventsStatistics {
  /** Read from the kernel; together with `kernelDrops` all that it sent. */
  received: number;
  /** Received, but not wanted by the filter; what the kernel left out itself is not counted. */
  filtered: number;
  /** Handed to the consumer. */
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
  /** Bytes of receive buffer granted by the kernel. */
  receiveBuffer: number;
}

const TYPES = ['new', 'update', 'destroy'] as const;
/** Multicast groups (enum nfnetlink_groups). */
const GROUPS: Readonly<Record<EventType, number>> = { new: 1, update: 2, destroy: 3 };

const DEFAULT_RECEIVE_BUFFER = 64 * 2 ** 20;
const DEFAULT_QUEUE = 2 ** 19;
/** The kernel's own limits: SOCK_MIN_RCVBUF, and an int. */
const MIN_RECEIVE_BUFFER = 4096;
const MAX_INT = 2 ** 31 - 1;
const MAX_QUEUE = 2 ** 31;

function groupsOf(types: readonly EventType[] | undefined): number {
  if (types === undefined) return groupsOf(TYPES);
  if (!Array.isArray(types)) throw mustBe('options.types', 'an array', types);
  if (types.length === 0) throw new TypeError('options.types must not be empty');
  const known = (types as readonly unknown[]).map((type, index) =>
    oneOf(`options.types[${index}]`, type, TYPES),
  );
  return known.reduce((bits, type) => bits | (1 << GROUPS[type]), 0);
}

const toEventBatch = (records: Records): EventBatch => new EventBatch(records);

/**
 * The kernel's announcements of new, changed and destroyed flows, in its order. Where it lost some a `gap`
 * stands in their place; the stream goes on behind it.
 *
 * Read it in one way: per event, in batches, or by a callback. A subscription keeps the process alive
 * while it is read (see `unref()`), and ends when its loop is left, at `close()`, by its signal, or with the
 * worker it lives in.
 */
export class Events implements AsyncIterable<ConntrackEvent> {
  readonly #subscribed: Subscribed;
  readonly #explanation: Explanation;
  #delivered = 0;
  #consumed = false;

  private constructor(subscribed: Subscribed, explanation: Explanation) {
    this.#subscribed = subscribed;
    this.#explanation = explanation;
  }

  /** @internal */
  static async subscribe(
    control: Control,
    filter: Filter | undefined,
    given: EventsOptions | undefined,
  ): Promise<Events> {
    const known = options('options', given, ['types', 'receiveBuffer', 'queue', 'signal']);
    const { receiveBuffer = DEFAULT_RECEIVE_BUFFER, queue = DEFAULT_QUEUE } = known;
    const tree = parseFilter(filter);
    const { program, explanation } = socketFilter(tree);
    const subscribed = await control.subscribe({
      filter: isEverything(tree) ? undefined : compileFilter(tree),
      socketFilter: program,
      groups: groupsOf(known.types),
      receiveBuffer: integer('options.receiveBuffer', receiveBuffer, MIN_RECEIVE_BUFFER, MAX_INT),
      queue: integer('options.queue', queue, 1, MAX_QUEUE),
      signal: optionalSignal('options.signal', known.signal),
    });
    return new Events(subscribed, explanation);
  }

  /** Batches of up to about a thousand events and gaps. */
  batches(): AsyncIterableIterator<EventBatch> {
    return this.#iterate();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConntrackEvent> {
    return new ItemIterator(this.#iterate());
  }

  /**
   * Calls `callback` with each batch until the stream ends. What it throws is an uncaught exception; so is
   * a failure of the subscription.
   */
  onBatch(callback: (batch: EventBatch) => void): void {
    if (typeof callback !== 'function') throw mustBe('callback', 'a function', callback);
    void this.#pump(this.#iterate(), callback);
  }

  statistics(): EventsStatistics {
    const [received, filtered, kernelDrops, queueDrops, malformed, gaps, queued, receiveBuffer] =
      this.#subscribed.native.statistics();
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
    };
  }

  /** Where the filter is evaluated: what the kernel does not even queue, what is matched natively, and why. */
  explain(): Explanation {
    const { kernel, native, reasons } = this.#explanation;
    return { kernel: [...kernel], native: [...native], reasons: [...reasons] };
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

  #iterate(): BatchIterator<EventBatch> {
    if (this.#consumed) {
      throw new TypeError('these events are being read already; subscribe once for each reader');
    }
    this.#consumed = true;
    return new BatchIterator(
      () => this.#subscribed.reader,
      (records) => {
        const batch = toEventBatch(records);
        this.#delivered += batch.length - batch.gaps;
        return batch;
      },
    );
  }

  async #pump(
    batches: AsyncIterableIterator<EventBatch>,
    callback: (batch: EventBatch) => void,
  ): Promise<void> {
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
