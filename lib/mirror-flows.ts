import { FlowBatch } from './batch';
import type { Flow } from './flow';
import { Records } from './records';

/** Reads the parts of the table from one on: the next part, or -1, and flows. */
export type ListParts = (part: number) => [next: number, bytes: Uint8Array];

/**
 * Flows of a mirror, read as they are looped over; each loop starts anew. Between two batches of about a
 * thousand the table may change: a flow that is there all the time comes exactly once, as it is when its
 * batch is read.
 */
export class MirrorFlows implements Iterable<Flow> {
  readonly #list: ListParts;

  /** @internal */
  constructor(list: ListParts) {
    this.#list = list;
  }

  /** The cheapest way to read many of them. */
  *batches(): IterableIterator<FlowBatch> {
    let part = 0;
    while (part >= 0) {
      const [next, bytes] = this.#list(part);
      part = next;
      const batch = new FlowBatch(new Records(bytes));
      if (batch.length > 0) yield batch;
    }
  }

  *[Symbol.iterator](): IterableIterator<Flow> {
    for (const batch of this.batches()) yield* batch;
  }

  toArray(): Flow[] {
    return [...this];
  }

  count(): number {
    let count = 0;
    for (const batch of this.batches()) count += batch.length;
    return count;
  }
}
