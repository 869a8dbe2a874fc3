import { BatchReader } from './batch-reader';
import { check, closedError, errorOf, type FailureContext, type Outcome } from './errors';
import {
  type Answer,
  native,
  type NativeControl,
  type NativeMirror,
  type NativeReader,
  type NativeSubscription,
  type NativeSweep,
} from './native';
import type { KernelPart } from './plan';

export interface SubscribeRequest {
  readonly of: 'flows' | 'expectations';
  /** Bit n: multicast group n. */
  readonly groups: number;
  /** Bytes. */
  readonly receiveBuffer: number;
  readonly maxReceiveBuffer: number;
  readonly reliable: boolean;
  /** Events. */
  readonly queue: number;
  readonly filter: Uint32Array | undefined;
  /** An array of struct sock_filter, or nothing. */
  readonly socketFilter: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

export interface DumpRequest {
  /** One of ctnetlink's. */
  readonly command: number;
  readonly kernel: KernelPart;
  readonly filter: Uint32Array | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface SweepRequest {
  readonly kernel: KernelPart;
  readonly filter: Uint32Array;
  /** As NativeSweep.start() has them. */
  readonly action: number;
  readonly limit: number;
  readonly receipts: boolean;
  readonly changes: Uint8Array;
  readonly status: { readonly set: number; readonly clear: number };
  readonly signal: AbortSignal | undefined;
}

export interface Swept {
  readonly reader: BatchReader;
  readonly native: NativeSweep;
}

/** A subscription that has started: its events, and the native object that counts them. */
export interface Subscribed {
  readonly reader: BatchReader;
  readonly native: NativeSubscription;
}

export interface MirrorRequest {
  /** As NativeMirror.start() has them. */
  readonly kernel: KernelPart;
  readonly scope: Uint32Array | undefined;
  readonly filter: Uint32Array | undefined;
  readonly socketFilter: Uint8Array;
  readonly receiveBuffer: number;
  readonly maxReceiveBuffer: number;
  readonly reliable: boolean;
  readonly maxFlows: number;
  readonly resyncInterval: number;
  readonly signal: AbortSignal | undefined;
}

/** A mirror whose first dump is in it. */
export interface Mirrored {
  readonly reader: BatchReader;
  readonly native: NativeMirror;
  readonly context: FailureContext;
}

type Question = (answer: Answer) => void;
type Hints = FailureContext['hints'];

const ENOENT = 2;

/** The native objects of one namespace, behind promises and errors. */
export class Control {
  readonly #native: NativeControl;
  readonly #netns: string | undefined;
  // Weakly, so that a loop that is given up half-way can be collected, and its thread with it.
  readonly #dumps = new Set<WeakRef<BatchReader>>();
  readonly #subscriptions = new Set<WeakRef<BatchReader>>();
  // Ports that changes came from: a sweep's is known only once it has begun.
  readonly #portids = new Set<number>();
  readonly #sweeps = new Set<NativeSweep>();
  #closing: Promise<void> | undefined;

  private constructor(control: NativeControl, netns: string | undefined) {
    this.#native = control;
    this.#netns = netns;
  }

  /** `path` is the namespace's file ('' is the caller's own), `netns` what the user called it. */
  static open(path: string, netns: string | undefined): Promise<Control> {
    return Control.#open('open connection tracking', path, netns, false);
  }

  /** In a namespace that is made for it, and goes with it. */
  static openFresh(): Promise<Control> {
    return Control.#open('make a network namespace', '', undefined, true);
  }

  static async #open(
    attempt: string,
    path: string,
    netns: string | undefined,
    fresh: boolean,
  ): Promise<Control> {
    const opened = new Control(new (native().Control)(), netns);
    check(opened.#native.start(path, fresh), opened.#context(attempt));
    try {
      await opened.ask(attempt, (answer) => {
        opened.#native.probe(answer);
      });
    } catch (error) {
      opened.#native.close();
      throw error;
    }
    return opened;
  }

  get native(): NativeControl {
    if (this.#closing !== undefined) throw closedError('Conntrack');
    return this.#native;
  }

  /** The port that requests come from. */
  get portid(): number {
    return this.native.portid();
  }

  /** Whether a request of ours came from this port. */
  isOwn(portid: number): boolean {
    for (const sweep of this.#sweeps) {
      const own = sweep.portid();
      if (own === 0) continue;
      this.#portids.add(own);
      this.#sweeps.delete(sweep);
    }
    return this.#portids.has(portid) || this.#native.portid() === portid;
  }

  /** Asks on the namespace's thread; rejects with what `attempt` failed of. `hints` are as FailureContext has them. */
  async ask(attempt: string, question: Question, hints?: Hints): Promise<Uint8Array> {
    const [outcome, bytes] = await this.exchange(question);
    check(outcome, { ...this.#context(attempt), hints });
    return bytes;
  }

  /** As ask(); undefined where the kernel says that there is no such thing. */
  async find(attempt: string, question: Question): Promise<Uint8Array | undefined> {
    const [outcome, bytes] = await this.exchange(question);
    if (outcome[0] === ENOENT && outcome[1] === 'netlink') return undefined;
    check(outcome, this.#context(attempt));
    return bytes;
  }

  /** As ask(), for a caller who judges the outcome. */
  exchange(question: Question): Promise<[Outcome, Uint8Array]> {
    return new Promise((resolve) => {
      question((outcome, bytes) => {
        resolve([outcome, bytes]);
      });
    });
  }

  /** Starts a dump. */
  dump({ command, kernel, filter, signal }: DumpRequest): BatchReader {
    signal?.throwIfAborted();
    const dump = new (native().FlowDump)();
    const context = this.#context('list the flows');
    const { pattern, markMask, statusMask } = kernel;
    check(dump.start(this.native, command, pattern, markMask, statusMask, filter), context);
    return this.#read(this.#dumps, dump, context, signal);
  }

  /** Starts a sweep, whose reader gives its receipts. */
  async sweep(request: SweepRequest): Promise<Swept> {
    request.signal?.throwIfAborted();
    const sweep = new (native().FlowSweep)();
    const context = this.#context('go through the flows');
    const { kernel, filter, action, limit, receipts, changes, status } = request;
    const outcome = sweep.start(
      this.native,
      kernel.pattern,
      kernel.markMask,
      kernel.statusMask,
      filter,
      action,
      limit,
      receipts,
      changes,
      status.set,
      status.clear,
    );
    check(outcome, context);
    this.#sweeps.add(sweep);
    return { reader: this.#read(this.#dumps, sweep, context, request.signal), native: sweep };
  }

  /** Resolves when the kernel delivers the events of `request`. */
  async subscribe(request: SubscribeRequest): Promise<Subscribed> {
    request.signal?.throwIfAborted();
    const { FlowSubscription, ExpectationSubscription } = native();
    const subscription =
      request.of === 'flows' ? new FlowSubscription() : new ExpectationSubscription();
    const context = this.#context('follow the events');
    const { groups, receiveBuffer, queue, filter, socketFilter } = request;
    const { maxReceiveBuffer, reliable } = request;
    const begun = subscription.start(
      this.native,
      groups,
      receiveBuffer,
      queue,
      filter,
      socketFilter,
      maxReceiveBuffer,
      reliable,
    );
    check(begun, context);
    const reader = this.#read(this.#subscriptions, subscription, context, request.signal);
    await this.#whenStarted(subscription, reader, context);
    return { reader, native: subscription };
  }

  /** Resolves when the first dump is in the mirror. */
  async mirror(request: MirrorRequest): Promise<Mirrored> {
    request.signal?.throwIfAborted();
    const mirror = new (native().FlowMirror)();
    const context: FailureContext = {
      ...this.#context('mirror the flows'),
      hints: {
        ENOSPC: `there are more flows than options.maxFlows (${request.maxFlows}): allow more, or narrow the filter`,
      },
    };
    const { pattern, markMask, statusMask } = request.kernel;
    const begun = mirror.start(
      this.native,
      pattern,
      markMask,
      statusMask,
      request.scope,
      request.filter,
      request.socketFilter,
      request.receiveBuffer,
      request.maxReceiveBuffer,
      request.reliable,
      request.maxFlows,
      request.resyncInterval,
    );
    check(begun, context);
    const reader = this.#read(this.#subscriptions, mirror, context, request.signal);
    await this.#whenStarted(mirror, reader, context);
    return { reader, native: mirror, context };
  }

  /** Ends what reads, lets pending requests finish, and joins the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // A listing that stops here is incomplete and must not look like a whole one.
    for (const dump of this.#dumps) dump.deref()?.close(closedError('Conntrack'));
    for (const subscription of this.#subscriptions) subscription.deref()?.close();
    await this.exchange((answer) => {
      this.#native.probe(answer);
    });
    this.#native.close();
  }

  async #whenStarted(
    starting: NativeSubscription | NativeMirror,
    reader: BatchReader,
    context: FailureContext,
  ): Promise<void> {
    const outcome = await this.#started(starting, reader);
    // Ended by its signal meanwhile: this throws the reason.
    if (reader.ended) await reader.next();
    if (outcome[0] === 0) return;
    reader.close();
    throw errorOf(outcome, context);
  }

  async #started(
    starting: NativeSubscription | NativeMirror,
    reader: BatchReader,
  ): Promise<Outcome> {
    for (;;) {
      const outcome = starting.started();
      if (outcome !== undefined) return outcome;
      await reader.woken();
      // Ended by a signal or by close(): this throws the reason, if there is one.
      if (reader.ended && (await reader.next()) === undefined) throw closedError('Conntrack');
    }
  }

  #read(
    readers: Set<WeakRef<BatchReader>>,
    reader: NativeReader,
    context: FailureContext,
    signal: AbortSignal | undefined,
  ): BatchReader {
    for (const ref of readers) {
      if (ref.deref()?.ended !== false) readers.delete(ref);
    }
    const made = new BatchReader(reader, context, signal);
    readers.add(new WeakRef(made));
    return made;
  }

  #context(attempt: string): FailureContext {
    return { attempt, netns: this.#netns };
  }
}
