import { Batch } from './batch';
import type { BatchReader } from './batch-reader';
import { Flow } from './flow';
import { BatchIterator, ItemIterator } from './iterators';
import { FLOW_SIZE, FlowOffset, Kind, TailType } from './layout';
import type { NativeMirrorChanges } from './native';
import type { Records } from './records';
import { findTail } from './tail';

export type ChangeType = 'add' | 'change' | 'remove';

/** What became of a flow in a mirror. */
export interface MirrorChange {
  readonly type: ChangeType;
  /** As it is now, or, of one that is gone, as it was last; a DESTROY event's counters are the final ones. */
  readonly flow: Flow;
  /** As it was before; of a `change` only. */
  readonly before?: Flow;
  /**
   * No event announced it: it was lost, or never sent, or there was no room for it in the stream, and the
   * change was found by comparing. Several that followed each other may then be one.
   */
  readonly synthetic: boolean;
}

export interface ChangesOptions {
  /**
   * Changes that may wait for the consumer, about 512 bytes each; default 524,288. Beyond that they are put
   * together flow by flow, and none is lost.
   */
  queue?: number;
  /** Ends the stream; what waits for it throws the signal's reason. */
  signal?: AbortSignal;
}

/** Counted since the stream began. */
export interface ChangesStatistics {
  /** What changed in the mirror. */
  received: number;
  /** Put into the stream without an event that announced it. */
  synthetic: number;
  /** Put together with others, since the queue was full. */
  coalesced: number;
  /** Handed to the consumer. */
  delivered: number;
  /** Waiting for the consumer now, those put together included. */
  queued: number;
}

const TYPES: Readonly<Record<number, ChangeType>> = {
  [Kind.new]: 'add',
  [Kind.update]: 'change',
  [Kind.destroy]: 'remove',
};
const HEAD = 4;

/** Changes in their order. */
export class ChangeBatch extends Batch<MirrorChange> {
  /** @internal */
  override item(index: number): MirrorChange {
    const { records } = this;
    const start = records.at(index);
    const whole = records.string(index, FlowOffset.tailOffset, FlowOffset.tailLength);
    const type = TYPES[records.u8(start + FlowOffset.kind)] ?? 'change';
    const synthetic = records.u8(start + FlowOffset.synthetic) !== 0;
    const before = findTail(whole, FLOW_SIZE, TailType.before);
    if (before === undefined) return { type, flow: new Flow(whole), synthetic };
    return {
      type,
      // It is the last entry of the tail.
      flow: new Flow(whole.slice(0, before.start - HEAD)),
      before: new Flow(whole.slice(before.start, before.start + before.length)),
      synthetic,
    };
  }
}

/**
 * What changes in a mirror from the call of `changes()` on, in order. Applied to what the mirror held then, or
 * at any moment since, each change sets a flow as it says, and the outcome is what the mirror holds.
 *
 * Waiting for a change keeps the process alive (see `unref()`). It ends when its loop is left, at `close()`, with
 * the mirror, and by a signal.
 */
export class MirrorChanges implements AsyncIterableIterator<MirrorChange> {
  readonly #reader: BatchReader;
  readonly #native: NativeMirrorChanges;
  readonly #batches: BatchIterator<ChangeBatch>;
  readonly #items: ItemIterator<MirrorChange>;
  #delivered = 0;

  /** @internal `make` makes a batch, and keeps the mirror from being collected. */
  constructor(
    reader: BatchReader,
    native: NativeMirrorChanges,
    make: (records: Records) => ChangeBatch,
  ) {
    this.#reader = reader;
    this.#native = native;
    this.#batches = new BatchIterator(reader, (records) => {
      this.#delivered += records.length;
      return make(records);
    });
    this.#items = new ItemIterator(this.#batches);
  }

  next(): Promise<IteratorResult<MirrorChange, undefined>> {
    return this.#items.next();
  }

  return(): Promise<IteratorResult<MirrorChange, undefined>> {
    return this.#items.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Batches of up to about a thousand changes; instead of reading them one by one. */
  batches(): AsyncIterableIterator<ChangeBatch> {
    return this.#batches;
  }

  statistics(): ChangesStatistics {
    const [received, , synthetic, coalesced, , , queued] = this.#native.statistics();
    return { received, synthetic, coalesced, delivered: this.#delivered, queued };
  }

  close(): void {
    this.#reader.close();
  }

  /** Waiting for changes keeps the process alive (the default). */
  ref(): this {
    this.#reader.setKeepAlive(true);
    return this;
  }

  /** Waiting for changes does not keep the process alive. */
  unref(): this {
    this.#reader.setKeepAlive(false);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
