import { check, type FailureContext } from './errors';
import type { NativeReader } from './native';
import { Records } from './records';

/** Listens for the signal without keeping the reader from being collected; how to stop that. */
function whenAborted(reader: BatchReader, signal: AbortSignal | undefined): () => void {
  const weak = new WeakRef(reader);
  const abort = (): void => {
    weak.deref()?.close(signal?.reason);
  };
  signal?.addEventListener('abort', abort, { once: true });
  return () => {
    signal?.removeEventListener('abort', abort);
  };
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Pulls batches out of a native reader, one at a time.
 *
 * Between two batches that are both there already it lets the event loop turn: a consumer that awaits
 * nothing else would otherwise keep timers and sockets waiting for as long as the table is long.
 */
export class BatchReader {
  readonly #native: NativeReader;
  readonly #context: FailureContext;
  readonly #stopListening: () => void;
  #keepAlive = true;
  #waiting = false;
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #mustYield = false;

  constructor(native: NativeReader, context: FailureContext, signal: AbortSignal | undefined) {
    this.#native = native;
    this.#context = context;
    native.onWake = () => {
      this.#wake?.();
    };
    this.#stopListening = whenAborted(this, signal);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The next batch; undefined at the end. Throws what ended the reader, once. Not to be called twice at a time. */
  async next(): Promise<Records | undefined> {
    if (this.#mustYield) await turnOfTheLoop();
    this.#mustYield = true;
    for (;;) {
      if (this.#ended) {
        this.#end();
        return;
      }
      const bytes = this.#native.take();
      if (bytes === null) {
        this.#finish();
        return;
      }
      if (bytes !== undefined) return new Records(bytes);
      await this.woken();
      this.#mustYield = false;
    }
  }

  /** Resolves at the next wake-up, or when the reader is ended. */
  async woken(): Promise<void> {
    this.#setWaiting(true);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.#setWaiting(false);
  }

  /** Whether waiting for a batch keeps the process alive. */
  setKeepAlive(keepAlive: boolean): void {
    this.#keepAlive = keepAlive;
    if (this.#waiting) this.#native.wait(true, keepAlive);
  }

  /** Ends it: the thread is joined, and who waits gets the end (or throws `reason`). */
  close(reason?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = reason;
    this.#stopListening();
    this.#native.close();
    this.#wake?.();
  }

  #setWaiting(waiting: boolean): void {
    this.#waiting = waiting;
    this.#native.wait(waiting, this.#keepAlive);
  }

  #end(): undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- a signal's reason may be anything
    if (failure !== undefined) throw failure;
    return undefined;
  }

  #finish(): undefined {
    const outcome = this.#native.outcome();
    this.close();
    check(outcome, this.#context);
    return undefined;
  }
}
