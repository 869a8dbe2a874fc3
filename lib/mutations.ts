/** Creating, changing and deleting flows: from what users give to native batches, and back to errors. */
import type { BatchReader } from './batch-reader';
import { flowAt } from './batch';
import { changedStatus, type FlowChanges, type StatusDelta, writeChanges } from './changes';
import type { Control } from './control';
import { ConntrackError, errorOf, type Outcome } from './errors';
import { type Filter, matchesAll, type Node } from './filter';
import { parseFilter } from './filter-parse';
import { compileFilter } from './filter-program';
import type { Flow } from './flow';
import { type FlowKey, writeKey } from './key';
import { FlowHas, FlowOffset } from './layout';
import type { NativeSweep } from './native';
import { type NewFlow, writeNewFlow } from './new-flow';
import {
  integer,
  mustBe,
  optionalBoolean,
  optionalFunction,
  options,
  optionalSignal,
} from './options';
import { planOf } from './plan';
import { BatchWriter, type RecordWriter } from './record-writer';

/** What became of many. */
export interface ManyResult {
  /** Entries that the kernel has carried out. */
  done: number;
  /** Of deleteMany(): flows that were not there. */
  gone: number;
  /** Their places. */
  missing: number[];
  /** The entries that failed, by their place; the others are not touched by it. */
  failed: { index: number; error: ConntrackError }[];
}

export interface ManyOptions {
  /** Called between slices of some hundred entries. */
  progress?: (progress: { done: number; total: number }) => void;
  /** Stops between slices, and throws its reason; what was done stays done. */
  signal?: AbortSignal;
}

export interface SweepProgress {
  scanned: number;
  matched: number;
  done: number;
}

interface SweepOptions {
  /** Counts what matches and changes nothing. */
  dryRun?: boolean;
  /** Ends after so many matches. */
  limit?: number;
  /** Called about ten times a second. */
  progress?: (progress: SweepProgress) => void;
  /** Stops, and throws its reason; what was done stays done. */
  signal?: AbortSignal;
}

export interface DeleteWhereOptions extends SweepOptions {
  /**
   * Returns the deleted flows, with their last counters (NLM_F_ECHO); with `dryRun` those that would go. A
   * flow that lacks the kernel's event extension (nf_conntrack_events=2 and nobody listening when it was
   * made) is returned as it was listed.
   */
  receipts?: boolean;
}

export type UpdateWhereOptions = SweepOptions;

interface SweepResult {
  /** Flows looked at: those in the table when the kernel left some out itself. */
  scanned: number;
  matched: number;
  /** Matched, but no longer there when their turn came. */
  gone: number;
  failed: number;
  /** Why flows failed: the first few. */
  errors: ConntrackError[];
  ms: number;
}

export interface DeleteWhereResult extends SweepResult {
  deleted: number;
  flows?: Flow[];
}

export interface UpdateWhereResult extends SweepResult {
  updated: number;
}

export interface FlushOptions {
  family?: 'ipv4' | 'ipv6';
  zone?: number;
  mark?: number | { value: number; mask: number };
}

/** native/core/flow_change.h, Change. */
const Change = { create: 0, add: 1, update: 2, delete: 3 } as const;
type Change = keyof typeof Change;

/** native/core/sweep.h, SweepAction. */
const Action = { count: 0, delete: 1, update: 2 } as const;

const SLICE = 256;
const PROGRESS_MS = 100;
const ENOENT = 2;
const EBUSY = 16;
const EOPNOTSUPP = 95;
const NO_BYTES = new Uint8Array(0);

const ATTEMPTS: Readonly<Record<Change, string>> = {
  create: 'create the flow',
  add: 'add the flow',
  update: 'update the flow',
  delete: 'delete the flow',
};

/** What the kernel means by its refusals of changes, where the errno alone does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC:
    'the kernel keeps room for labels only where a rule uses them: add one such as `ct label set 1`',
  EBUSY:
    "these status bits are not for change: SEEN_REPLY and ASSURED can be set but not cleared, the others are the kernel's own; nor is the helper of a flow that has another one",
  EOPNOTSUPP:
    'NAT, master and helper are given when a flow is made, not later, and tcp, sctp and dccp go with flows of their protocol; or the kernel lacks the helper or NAT',
  EPERM:
    'the timeout of this flow is fixed (FIXED_TIMEOUT), or CAP_NET_ADMIN over the namespace is missing',
  EEXIST: 'a flow with this tuple is there already: add() or update() changes it',
  ENOMEM: 'the table may be full: see limits() and the sysctl nf_conntrack_max',
  ENOENT: 'there is no such flow in this zone, or one with another id',
  EINVAL:
    'the kernel wants the tuple, the timeout and the state to fit the protocol, and at most one zone: of the flow or of one direction',
  ERANGE: 'the protocol has no such state',
};

/** A flow that is made may only lack its master. */
const HINTS_OF_MAKING = { ...HINTS, ENOENT: 'its master is not in the table, in the same zone' };

function changeError(change: Change, outcome: Outcome, where: string): ConntrackError {
  const hints = change === 'create' || change === 'add' ? HINTS_OF_MAKING : HINTS;
  return errorOf(outcome, { attempt: `${ATTEMPTS[change]}${where}`, hints });
}

interface Refusal {
  readonly index: number;
  readonly outcome: Outcome;
}

/** Native code's {u32 index, errno, text length; text padded to 4}... */
function refusals(bytes: Uint8Array): Refusal[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const found: Refusal[] = [];
  for (let at = 0; at + 2 < words.length;) {
    const [index = 0, errno = 0, length = 0] = words.subarray(at, at + 3);
    const start = 4 * (at + 3);
    const detail = Buffer.from(bytes.subarray(start, start + length)).toString();
    found.push({ index, outcome: [errno, 'netlink', detail] });
    at += 3 + ((length + 3) >> 2);
  }
  return found;
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Refuses a filter that would match every flow: most likely one that a mistake made empty. */
function refuseEverything(tree: Node, call: string): void {
  if (!matchesAll(tree)) return;
  throw new TypeError(
    `filter matches every flow, which ${call}() refuses; flush() empties a table`,
  );
}

export class Mutations {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  async create(flow: NewFlow): Promise<void> {
    const batch = new BatchWriter(1);
    writeNewFlow(batch.next(), 'flow', flow);
    await this.#changeOne('create', batch);
  }

  async add(flow: NewFlow): Promise<void> {
    const [refusal] = await this.#send(
      'add',
      writeSlice([flow], () => 'flow', writeAdded),
    );
    if (refusal !== undefined) throw changeError('add', refusal.outcome, '');
  }

  /** `statusOf` looks up the status that changes of the status start from. */
  async update(
    key: FlowKey,
    changes: FlowChanges,
    statusOf: (key: FlowKey) => Promise<number | undefined>,
  ): Promise<void> {
    const batch = new BatchWriter(1);
    const record = batch.next();
    const { protonum } = writeKey(record, 'key', key);
    const delta = writeChanges(record, 'changes', changes, protonum);
    if (delta !== undefined) {
      const status = await statusOf(key);
      if (status === undefined) throw changeError('update', [ENOENT, 'netlink', ''], '');
      const changed = changedStatus(status, delta);
      if (changed === undefined) throw changeError('update', [EBUSY, 'netlink', ''], '');
      record.optionalU32(FlowOffset.status, FlowHas.status, changed);
    }
    await this.#changeOne('update', batch);
  }

  async delete(key: FlowKey): Promise<boolean> {
    const batch = new BatchWriter(1);
    writeDoomed(batch.next(), 'key', key);
    const [refusal] = await this.#change('delete', batch.finish());
    if (refusal === undefined) return true;
    if (refusal.outcome[0] === ENOENT) return false;
    throw changeError('delete', refusal.outcome, '');
  }

  createMany(flows: Iterable<NewFlow>, given?: ManyOptions): Promise<ManyResult> {
    return this.#many('create', 'flows', flows, writeCreated, given);
  }

  addMany(flows: Iterable<NewFlow>, given?: ManyOptions): Promise<ManyResult> {
    return this.#many('add', 'flows', flows, writeAdded, given);
  }

  deleteMany(keys: Iterable<FlowKey>, given?: ManyOptions): Promise<ManyResult> {
    return this.#many('delete', 'keys', keys, writeDoomed, given);
  }

  async deleteWhere(filter: Filter, given?: DeleteWhereOptions): Promise<DeleteWhereResult> {
    const known = options('options', given, ['dryRun', 'limit', 'progress', 'signal', 'receipts']);
    const receipts = optionalBoolean('options.receipts', known.receipts) ?? false;
    const tree = wantedTree(filter);
    refuseEverything(tree, 'deleteWhere');
    return this.#deleteTree(tree, known, receipts);
  }

  async updateWhere(
    filter: Filter,
    changes: FlowChanges,
    given?: UpdateWhereOptions,
  ): Promise<UpdateWhereResult> {
    const known = options('options', given, ['dryRun', 'limit', 'progress', 'signal']);
    const tree = wantedTree(filter);
    refuseEverything(tree, 'updateWhere');
    const batch = new BatchWriter(1);
    const delta = writeChanges(batch.next(), 'changes', changes);
    const sweep = await this.#sweep(tree, known, Action.update, false, batch.finish(), delta);
    const { done, ...result } = sweep.result;
    return { ...result, updated: done };
  }

  async flush(given?: FlushOptions): Promise<void> {
    const known = options('options', given, ['family', 'zone', 'mark']);
    // An option that is there but undefined was meant to narrow the flush.
    for (const name of ['family', 'zone', 'mark'] as const) {
      const value: unknown = known[name];
      if (!Object.hasOwn(known, name)) continue;
      if (value === undefined)
        throw new TypeError(`options.${name} is undefined: leave it out, or give it a value`);
    }
    if (Reflect.ownKeys(known).length === 0) {
      await this.#control.ask('flush the table', (answer) => {
        this.#control.native.flush(answer);
      });
      return;
    }
    // The kernel ignores each of these in some of its versions, and then flushes more than was asked.
    const tree = parseFilter(known, 'options');
    const { errors, failed } = await this.#deleteTree(tree, {}, false);
    if (failed > 0)
      throw (
        errors[0] ??
        new ConntrackError(`${failed} flows could not be deleted`, { code: 'ERR_FLUSH' })
      );
  }

  async #deleteTree(
    tree: Node,
    given: SweepOptions,
    receipts: boolean,
  ): Promise<DeleteWhereResult> {
    const sweep = await this.#sweep(tree, given, Action.delete, receipts, NO_BYTES, undefined);
    const { done, ...result } = sweep.result;
    return receipts
      ? { ...result, deleted: done, flows: sweep.flows }
      : { ...result, deleted: done };
  }

  async #sweep(
    tree: Node,
    given: SweepOptions,
    action: number,
    receipts: boolean,
    changes: Uint8Array,
    delta: StatusDelta | undefined,
  ): Promise<{
    result: Omit<DeleteWhereResult, 'deleted' | 'flows'> & { done: number };
    flows: Flow[];
  }> {
    const dryRun = optionalBoolean('options.dryRun', given.dryRun) ?? false;
    const limit =
      given.limit === undefined
        ? 0
        : integer('options.limit', given.limit, 1, Number.MAX_SAFE_INTEGER);
    const progress = optionalFunction('options.progress', given.progress);
    const began = performance.now();
    const { kernel } = planOf(tree);
    const sweep = await this.#control.sweep({
      kernel,
      filter: compileFilter(tree),
      action: dryRun ? Action.count : action,
      limit,
      receipts,
      changes,
      status: delta ?? { set: 0, clear: 0 },
      signal: optionalSignal('options.signal', given.signal),
    });
    const flows = await collect(sweep.reader, sweep.native, progress);
    const [scanned, matched, done, gone, failed] = sweep.native.progress();
    const change: Change = action === Action.delete ? 'delete' : 'update';
    const errors = sweep.native.failures().map((outcome) => changeError(change, outcome, ''));
    const ms = performance.now() - began;
    return { result: { scanned, matched, done, gone, failed, errors, ms }, flows };
  }

  async #changeOne(change: Change, batch: BatchWriter): Promise<void> {
    const [refusal] = await this.#change(change, batch.finish());
    if (refusal !== undefined) throw changeError(change, refusal.outcome, '');
  }

  /** Sends a slice; what the kernel still refuses of it. */
  async #send(change: Change, slice: Slice): Promise<Refusal[]> {
    const left: Refusal[] = [];
    for (const refusal of await this.#change(change, slice.batch)) {
      const instead = refusal.outcome[0] === EOPNOTSUPP && slice.instead.get(refusal.index);
      if (!instead) {
        left.push(refusal);
        continue;
      }
      const [again] = await this.#change('update', instead);
      if (again !== undefined) left.push({ index: refusal.index, outcome: again.outcome });
    }
    return left;
  }

  async #change(change: Change, batch: Uint8Array): Promise<Refusal[]> {
    const bytes = await this.#control.ask(ATTEMPTS[change], (answer) => {
      this.#control.native.change(Change[change], batch, answer);
    });
    return refusals(bytes);
  }

  /** Everything is checked and written before the first of it is sent. */
  async #many<Entry>(
    change: Change,
    name: string,
    entries: Iterable<Entry>,
    write: Write<Entry>,
    given: ManyOptions | undefined,
  ): Promise<ManyResult> {
    const known = options('options', given, ['progress', 'signal']);
    const signal = optionalSignal('options.signal', known.signal);
    const progress = optionalFunction('options.progress', known.progress);
    const list = listOf(name, entries);
    const slices = await writeSlices(name, list, write, signal);
    const result: ManyResult = { done: 0, gone: 0, missing: [], failed: [] };
    for (const [number, slice] of slices.entries()) {
      signal?.throwIfAborted();
      const first = number * SLICE;
      const count = Math.min(SLICE, list.length - first);
      gather(result, change, name, first, count, await this.#send(change, slice));
      progress?.({ done: first + count, total: list.length });
    }
    return result;
  }
}

function listOf<Entry>(name: string, entries: Iterable<Entry>): readonly Entry[] {
  const iterable: unknown = entries;
  if (typeof iterable !== 'object' || iterable === null || !(Symbol.iterator in iterable)) {
    throw mustBe(name, 'an iterable', entries);
  }
  return [...entries];
}

/** Writes an entry; the result is what is sent if the kernel refuses it with EOPNOTSUPP. */
type Write<Entry> = (record: RecordWriter, name: string, entry: Entry) => Uint8Array | undefined;

/** Entries that are sent together, and what is sent instead of some, by their place. */
interface Slice {
  readonly batch: Uint8Array;
  readonly instead: ReadonlyMap<number, Uint8Array>;
}

function writeCreated(record: RecordWriter, name: string, flow: NewFlow): undefined {
  writeNewFlow(record, name, flow);
}

/** A listed flow brings its NAT, which the kernel takes of a flow that it makes, not of one that is there. */
function writeAdded(record: RecordWriter, name: string, flow: NewFlow): Uint8Array | undefined {
  if (!writeNewFlow(record, name, flow)) return undefined;
  const batch = new BatchWriter(1);
  writeNewFlow(batch.next(), name, flow, 'leave');
  return batch.finish();
}

/** A key of a flow that is to go; its id, where it has one, goes with it. */
function writeDoomed(record: RecordWriter, name: string, key: FlowKey): undefined {
  writeKey(record, name, key);
  const { id } = key;
  if (id === undefined) return;
  record.optionalU32(FlowOffset.id, FlowHas.id, integer(`${name}.id`, id, 0, 0xffff_ffff));
}

function writeSlice<Entry>(
  entries: readonly Entry[],
  nameOf: (index: number) => string,
  write: Write<Entry>,
): Slice {
  const batch = new BatchWriter(entries.length);
  const instead = new Map<number, Uint8Array>();
  for (const [index, entry] of entries.entries()) {
    const other = write(batch.next(), nameOf(index), entry);
    if (other !== undefined) instead.set(index, other);
  }
  return { batch: batch.finish(), instead };
}

async function writeSlices<Entry>(
  name: string,
  list: readonly Entry[],
  write: Write<Entry>,
  signal: AbortSignal | undefined,
): Promise<Slice[]> {
  const slices: Slice[] = [];
  for (let first = 0; first < list.length; first += SLICE) {
    signal?.throwIfAborted();
    const entries = list.slice(first, first + SLICE);
    slices.push(writeSlice(entries, (index) => `${name}[${first + index}]`, write));
    await turnOfTheLoop();
  }
  return slices;
}

function gather(
  result: ManyResult,
  change: Change,
  name: string,
  first: number,
  count: number,
  refused: readonly Refusal[],
): void {
  result.done += count - refused.length;
  withoutStacks(() => {
    for (const { index, outcome } of refused) {
      const at = first + index;
      if (change === 'delete' && outcome[0] === ENOENT) {
        result.gone += 1;
        result.missing.push(at);
        continue;
      }
      result.failed.push({ index: at, error: changeError(change, outcome, ` (${name}[${at}])`) });
    }
  });
}

/** The stacks of many errors would all say the same, and take longer than everything else about them. */
function withoutStacks(make: () => void): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function wantedTree(filter: unknown): Node {
  if (filter === undefined) throw new TypeError('filter is missing; flush() empties a table');
  return parseFilter(filter as Filter);
}

/** The receipts of a sweep, telling of its progress meanwhile. */
async function collect(
  reader: BatchReader,
  sweep: NativeSweep,
  progress: SweepOptions['progress'],
): Promise<Flow[]> {
  const flows: Flow[] = [];
  const tell = (): void => {
    const [scanned, matched, done] = sweep.progress();
    progress?.({ scanned, matched, done });
  };
  let thrown: { readonly error: unknown } | undefined;
  const tellOrEnd = (): void => {
    try {
      tell();
    } catch (error) {
      thrown = { error };
      reader.close();
    }
  };
  const timer = progress === undefined ? undefined : setInterval(tellOrEnd, PROGRESS_MS);
  try {
    for (let records = await reader.next(); records !== undefined; records = await reader.next()) {
      for (let index = 0; index < records.length; index += 1) flows.push(flowAt(records, index));
    }
  } finally {
    clearInterval(timer);
    reader.close();
  }
  if (thrown !== undefined) throw thrown.error;
  tell();
  return flows;
}
