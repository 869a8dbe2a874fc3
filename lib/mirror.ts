import { BatchReader } from './batch-reader';
import type { Control, Mirrored } from './control';
import { check, closedError, type ConntrackError, errorOf } from './errors';
import { bufferOptions, queueOption } from './event-stream';
import { type Filter, isEverything } from './filter';
import { parseFilter } from './filter-parse';
import { compileFilter } from './filter-program';
import { Flow } from './flow';
import type { FlowKey } from './key';
import { FLOW_SIZE } from './layout';
import { ChangeBatch, type ChangesOptions, MirrorChanges } from './mirror-changes';
import { MirrorFlows } from './mirror-flows';
import { KeyBuffer } from './mirror-key';
import { MIRROR_DEFAULTS, mirrorPlan, scopeOf } from './mirror-scope';
import { native } from './native';
import { integer, optionalBoolean, options, optionalSignal } from './options';
import { milliseconds } from './record';
import type { Records } from './records';

export interface MirrorOptions {
  /**
   * How many flows it may hold, about 150 bytes each; default 4,194,304. Those are counted that match the
   * filter by what of a flow never changes (its addresses, ports, protocol, zones, id). Beyond that the mirror
   * ends with an error (`ENOSPC`), at the start or later.
   */
  maxFlows?: number;
  /** As of events; default 64 MiB. */
  receiveBuffer?: number;
  /** As of events; default 256 MiB, or `receiveBuffer` where that is given. */
  maxReceiveBuffer?: number;
  /** As of events: no event is lost, at a price. */
  reliable?: boolean;
  /**
   * ms between two listings of the table that nothing asks for; default 60,000, 0 is none. They find flows
   * that never announce themselves (made while nobody listened, `nf_conntrack_events=2`), and renew counters
   * and timeouts.
   */
  resyncInterval?: number;
  /** Ends it; what waits for changes throws the signal's reason. */
  signal?: AbortSignal;
}

/** Counted since the mirror began. */
export interface MirrorStatistics {
  /** Flows in it. */
  flows: number;
  /** Flows kept for them: also those that would match if what may change of them did. */
  kept: number;
  /** Bytes of memory that they take. */
  bytes: number;
  /** Events read from the kernel; together with `kernelDrops` all that it sent. */
  received: number;
  /** Of these, of flows that can never match. */
  filtered: number;
  /** Not understood. */
  malformed: number;
  /** Events that the kernel dropped, since the receive buffer was full. */
  kernelDrops: number;
  /** How often events were lost. */
  gaps: number;
  /** Listings that were made, the first one included, and those of them that failed. */
  dumps: number;
  failedDumps: number;
  /** Changes that no event announced. */
  synthetic: number;
  /** Flows that the kernel was asked for, since their events came in an odd order. */
  asked: number;
  /** When the last listing began, in ms since the epoch. */
  lastDump: number;
  /** Whether one is under way. */
  dumping: boolean;
  /** Bytes of receive buffer granted by the kernel. */
  receiveBuffer: number;
  reliable: boolean;
}

const MOST_FLOWS = 2 ** 28;
const MAX_INT = 2 ** 31 - 1;
const ANSWER_SIZE = 4096;
const ENDED = -1;

/** Buffer's own fast path to a one-byte string, which its types leave out. */
interface Latin1Source {
  latin1Slice(start: number, end: number): string;
}

/**
 * The kernel's table, or the part of it that a filter matches, held in native memory and kept up to date by
 * events. Where events were lost the table is listed again and compared; `consistent` is false until then.
 *
 * State, status, mark, labels and helper are as the last event or listing told them; timeouts and counters
 * age, `flow.knownSince` and `flow.countersKnownSince` say since when. It does not keep the process alive,
 * waiting for its changes does.
 */
export class Mirror {
  readonly #mirrored: Mirrored;
  readonly #signal: AbortSignal | undefined;
  readonly #key = new KeyBuffer();
  #answer!: Latin1Source & { readonly length: number };

  private constructor(mirrored: Mirrored, signal: AbortSignal | undefined) {
    this.#mirrored = mirrored;
    this.#signal = signal;
    this.#makeRoom(ANSWER_SIZE);
  }

  /** @internal */
  static async start(
    control: Control,
    filter: Filter | undefined,
    given: MirrorOptions | undefined,
  ): Promise<Mirror> {
    const known = options('options', given, [
      'maxFlows',
      'receiveBuffer',
      'maxReceiveBuffer',
      'reliable',
      'resyncInterval',
      'signal',
    ]);
    const tree = parseFilter(filter);
    const { maxFlows = MIRROR_DEFAULTS.maxFlows, resyncInterval = MIRROR_DEFAULTS.resyncInterval } =
      known;
    const signal = optionalSignal('options.signal', known.signal);
    const mirrored = await control.mirror({
      ...mirrorPlan(scopeOf(tree)),
      filter: isEverything(tree) ? undefined : compileFilter(tree),
      ...bufferOptions(known),
      reliable: optionalBoolean('options.reliable', known.reliable) ?? false,
      maxFlows: integer('options.maxFlows', maxFlows, 1, MOST_FLOWS),
      resyncInterval: integer('options.resyncInterval', resyncInterval, 0, MAX_INT),
      signal,
    });
    return new Mirror(mirrored, signal);
  }

  /** How many flows it holds. */
  get size(): number {
    const size = this.#mirrored.native.size();
    if (size === ENDED) throw this.#ended();
    return size;
  }

  /**
   * No events are known to be missing: what it holds is what the events that were sent until a moment ago
   * make of the table. False from a loss until the table has been compared.
   */
  get consistent(): boolean {
    return this.#mirrored.native.consistent();
  }

  /**
   * Looks one flow up by its original or its reply tuple, in its zone, as `ct.get()` does, but at once and
   * without asking the kernel.
   */
  get(key: FlowKey): Flow | undefined {
    this.#key.write(key);
    let size = this.#mirrored.native.find();
    if (size > this.#answer.length) {
      this.#makeRoom(2 * size);
      size = this.#mirrored.native.find();
    }
    if (size === 0) return undefined;
    if (size === ENDED) throw this.#ended();
    return new Flow(this.#answer.latin1Slice(0, size));
  }

  /** The flows that `filter` matches, or all. */
  where(filter?: Filter): MirrorFlows {
    const tree = parseFilter(filter);
    const program = isEverything(tree) ? undefined : compileFilter(tree);
    return new MirrorFlows((part) => {
      const { native: mirror } = this.#mirrored;
      if (mirror.size() === ENDED) throw this.#ended();
      return mirror.list(part, program);
    });
  }

  [Symbol.iterator](): IterableIterator<Flow> {
    return this.where()[Symbol.iterator]();
  }

  /** What changes from now on; several may be read, each at its own pace. */
  changes(given?: ChangesOptions): MirrorChanges {
    const known = options('options', given, ['queue', 'signal']);
    const queue = queueOption(known.queue);
    const own = optionalSignal('options.signal', known.signal);
    const signal =
      own && this.#signal ? AbortSignal.any([own, this.#signal]) : (own ?? this.#signal);
    signal?.throwIfAborted();
    const { native: mirror, context } = this.#mirrored;
    if (mirror.size() === ENDED) throw this.#ended();
    const changes = new (native().MirrorChanges)();
    check(changes.start(mirror, queue, 0, undefined), context);
    const reader = new BatchReader(changes, context, signal);
    return new MirrorChanges(reader, changes, (records) => this.#changesOf(records));
  }

  statistics(): MirrorStatistics {
    const at = this.#mirrored.native.statistics();
    const number = (index: number): number => at[index] ?? 0;
    return {
      flows: number(0),
      kept: number(1),
      bytes: number(2),
      received: number(3),
      filtered: number(4),
      malformed: number(5),
      kernelDrops: number(6),
      gaps: number(7),
      dumps: number(8),
      failedDumps: number(9),
      synthetic: number(10),
      asked: number(11),
      lastDump: milliseconds(number(12)),
      receiveBuffer: number(13),
      reliable: number(14) !== 0,
      dumping: number(15) !== 0,
    };
  }

  /** Ends it: loops over its changes end, its thread is joined, its memory is given back. */
  close(): Promise<void> {
    this.#mirrored.reader.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** As a method: a loop over changes that is waiting holds the mirror. */
  #changesOf(records: Records): ChangeBatch {
    return new ChangeBatch(records);
  }

  #makeRoom(size: number): void {
    const answer = new Uint8Array(new ArrayBuffer(Math.max(size, FLOW_SIZE)));
    this.#mirrored.native.buffers(this.#key.bytes, answer);
    this.#answer = Buffer.from(answer.buffer) as unknown as Latin1Source & { length: number };
  }

  /** Why it has ended. */
  #ended(): ConntrackError {
    const { reader, native: mirror, context } = this.#mirrored;
    if (!reader.ended && mirror.take() === null) {
      const outcome = mirror.outcome();
      if (outcome[0] !== 0) return errorOf(outcome, context);
    }
    return closedError('mirror');
  }
}
