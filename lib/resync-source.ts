/**
 * Events that come with what was missing: a stream of a mirror of its own, which knows what is not said.
 */
import { BatchReader } from './batch-reader';
import type { Control, MirrorRequest } from './control';
import { check, type Outcome } from './errors';
import type { EventSource } from './event-stream';
import {
  native,
  type NativeMirror,
  type NativeMirrorChanges,
  type NativeReader,
  type NativeSubscription,
} from './native';

/** A stream, and the mirror that ends with it. */
class ResyncReader implements NativeReader {
  onWake?: () => void;
  readonly #changes: NativeMirrorChanges;
  readonly #mirror: BatchReader;

  constructor(changes: NativeMirrorChanges, mirror: BatchReader) {
    this.#changes = changes;
    this.#mirror = mirror;
    changes.onWake = () => this.onWake?.();
  }

  take(): Uint8Array | undefined | null {
    return this.#changes.take();
  }

  outcome(): Outcome {
    return this.#changes.outcome();
  }

  wait(waiting: boolean, keepAlive: boolean): void {
    this.#changes.wait(waiting, keepAlive);
  }

  close(): void {
    this.#changes.close();
    this.#mirror.close();
  }
}

/** What a subscription counts, of both. */
function statisticsOf(
  mirror: NativeMirror,
  changes: NativeMirrorChanges,
): ReturnType<NativeSubscription['statistics']> {
  const ofMirror = mirror.statistics();
  const of = (index: number): number => ofMirror[index] ?? 0;
  const [, filtered, , , queueDrops, gaps, queued] = changes.statistics();
  const [received, unwanted, malformed, kernelDrops] = [of(3), of(4), of(5), of(6)];
  const [receiveBuffer, reliable] = [of(13), of(14)];
  return [
    received,
    unwanted + filtered,
    kernelDrops,
    queueDrops,
    malformed,
    gaps,
    queued,
    receiveBuffer,
    reliable,
  ];
}

export interface ResyncRequest {
  readonly mirror: MirrorRequest;
  readonly queue: number;
  /** Bit n: Kind n. */
  readonly kinds: number;
  readonly filter: Uint32Array | undefined;
}

export interface ResyncSource extends EventSource {
  /** Events put into the stream by comparing. */
  synthetic(): number;
}

export async function resyncSource(
  control: Control,
  { mirror, queue, kinds, filter }: ResyncRequest,
): Promise<ResyncSource> {
  const mirrored = await control.mirror(mirror);
  const changes = new (native().MirrorChanges)();
  check(changes.start(mirrored.native, queue, kinds, filter), mirrored.context);
  const both = new ResyncReader(changes, mirrored.reader);
  return {
    reader: new BatchReader(both, mirrored.context, mirror.signal),
    native: { statistics: () => statisticsOf(mirrored.native, changes) },
    synthetic: () => changes.statistics()[2],
  };
}
