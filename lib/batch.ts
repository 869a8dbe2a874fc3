import { FlowColumns } from './columns';
import { Flow } from './flow';
import { FlowOffset } from './layout';
import type { Records } from './records';

/** @internal Flow `index` of a batch; it does not keep the batch alive. */
export function flowAt(records: Records, index: number): Flow {
  return new Flow(records.string(index, FlowOffset.tailOffset, FlowOffset.tailLength));
}

function checkIndex(index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new RangeError(`index must be an integer from 0 to ${length - 1}, not ${index}`);
  }
}

/** @internal What a batch is made of. */
export let recordsOf: (batch: Batch<unknown>) => Records;

/**
 * A run of items, about a thousand at the most: the unit in which flows and events come, and the cheapest
 * way to read them. It holds its own memory and stays valid.
 */
export abstract class Batch<Item> implements Iterable<Item> {
  readonly length: number;
  /** @internal */
  protected readonly records: Records;

  static {
    recordsOf = (batch) => batch.records;
  }

  /** @internal */
  constructor(records: Records) {
    this.records = records;
    this.length = records.length;
  }

  /** @internal Without a check of the index. */
  abstract item(index: number): Item;

  /** Item `index`, from 0 to length - 1; throws a RangeError beyond. */
  at(index: number): Item {
    checkIndex(index, this.length);
    return this.item(index);
  }

  *[Symbol.iterator](): IterableIterator<Item> {
    for (let index = 0; index < this.length; index += 1) yield this.item(index);
  }
}

export class FlowBatch extends Batch<Flow> {
  /** The flows' fields as typed arrays. */
  readonly columns = new FlowColumns(this.records);

  /** @internal */
  override item(index: number): Flow {
    return flowAt(this.records, index);
  }
}
