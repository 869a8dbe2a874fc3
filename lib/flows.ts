import { FlowBatch } from './batch';
import type { BatchReader } from './batch-reader';
import type { Control } from './control';
import { type Filter, isEverything, type Node } from './filter';
import { parseFilter } from './filter-parse';
import { compileFilter } from './filter-program';
import type { Flow } from './flow';
import { BatchIterator, ItemIterator } from './iterators';
import { type Explanation, nativePlanOf, type Plan, planOf } from './plan';
import { FlowOffset } from './layout';
import type { Records } from './records';
import { oneOf, optionalBoolean, options, optionalSignal } from './options';

/**
 * A table of the kernel: the flows; those destroyed whose DESTROY event a reliable listener has not taken
 * yet; those whose first packet is still under way (always empty since Linux 5.19).
 */
export type Table = 'conntrack' | 'dying' | 'unconfirmed';

export interface FlowsOptions {
  /**
   * Sets every listed flow's counters to zero as they are read (IPCTNL_MSG_CT_GET_CTRZERO). Whoever else
   * reads them misses what was counted, and a listing that is left early has zeroed more than it gave.
   * Only of the table `conntrack`.
   */
  zeroCounters?: boolean;
  /** Default: `'conntrack'`. */
  table?: Table;
  /** Ends the listing; what waits for it throws the signal's reason. */
  signal?: AbortSignal;
}

const TABLES = ['conntrack', 'dying', 'unconfirmed'] as const;

/** ctnetlink's commands (enum cntl_msg_types). */
const COMMANDS: Readonly<Record<Table, number>> = { conntrack: 1, dying: 6, unconfirmed: 7 };
const GET_CTRZERO = 3;

function command(table: Table, zeroCounters: boolean): number {
  if (!zeroCounters) return COMMANDS[table];
  if (table !== 'conntrack') {
    throw new TypeError(
      `options.zeroCounters goes with the table 'conntrack' only, not '${table}'`,
    );
  }
  return GET_CTRZERO;
}

/** A zeroing listing zeroes what the kernel lists, whether or not we then leave it out. */
function refuseSurplusZeroing(tree: Node, { kernel, whole }: Plan): void {
  const onlyFamily =
    whole && kernel.pattern.every((byte, at) => byte === 0 || at === FlowOffset.family);
  if (isEverything(tree) || onlyFamily) return;
  throw new TypeError(
    'options.zeroCounters goes with no filter but one of a family: it would zero flows that the filter does not match',
  );
}

const toFlowBatch = (records: Records): FlowBatch => new FlowBatch(records);

/**
 * A listing of the kernel's flows, which starts anew with each loop over it and ends with it.
 *
 * It reads on a thread of its own, holds a few thousand flows at a time however long the table is, and
 * lets the event loop turn between batches. The kernel takes no snapshot: flows that come or go meanwhile
 * may be there or not; one that is there all the time comes exactly once (with `zeroCounters`, rarely
 * twice, each time with what was counted since).
 */
export class Flows implements AsyncIterable<Flow> {
  readonly #control: Control;
  readonly #command: number;
  readonly #tree: Node;
  readonly #plan: Plan;
  readonly #signal: AbortSignal | undefined;

  /** @internal */
  constructor(control: Control, filter: Filter | undefined, given: FlowsOptions | undefined) {
    const known = options('options', given, ['zeroCounters', 'table', 'signal']);
    const table =
      known.table === undefined ? 'conntrack' : oneOf('options.table', known.table, TABLES);
    const zero = optionalBoolean('options.zeroCounters', known.zeroCounters) ?? false;
    const tree = parseFilter(filter);
    this.#control = control;
    this.#command = command(table, zero);
    this.#plan =
      table === 'conntrack'
        ? planOf(tree)
        : nativePlanOf(tree, `the kernel does not filter the table '${table}'`);
    this.#tree = tree;
    if (zero) refuseSurplusZeroing(tree, this.#plan);
    this.#signal = optionalSignal('options.signal', known.signal);
  }

  /** The listing in batches of about a thousand: the cheapest way to read many flows. */
  batches(): AsyncIterableIterator<FlowBatch> {
    return this.#iterate();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Flow> {
    return new ItemIterator(this.#iterate());
  }

  /** All of them at once, at about 300 bytes each. */
  async toArray(): Promise<Flow[]> {
    const flows: Flow[] = [];
    for await (const batch of this.batches()) flows.push(...batch);
    return flows;
  }

  /** How many there are, by counting them; `Conntrack.count()` asks the kernel for its own count. */
  async count(): Promise<number> {
    let count = 0;
    for await (const batch of this.batches()) count += batch.length;
    return count;
  }

  /** Where the filter is evaluated: what the kernel leaves out, what is matched natively, and why. */
  explain(): Explanation {
    const { kernel, native, reasons } = this.#plan.explanation;
    return { kernel: [...kernel], native: [...native], reasons: [...reasons] };
  }

  #start(): BatchReader {
    return this.#control.dump({
      command: this.#command,
      kernel: this.#plan.kernel,
      filter: isEverything(this.#tree) ? undefined : compileFilter(this.#tree),
      signal: this.#signal,
    });
  }

  #iterate(): BatchIterator<FlowBatch> {
    return new BatchIterator(() => this.#start(), toFlowBatch);
  }
}
