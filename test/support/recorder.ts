/** A subscription to numbered flows, written down in the order of its stream. */
import type { EventBatch, Events, GapEvent } from '../../lib';
import { numberOf } from './numbered';
import { waitFor } from './wait';

/** Where the stream does not say what is missing between two numbers. */
export interface Misplacement {
  /** The number before, -1 at the beginning; and the number behind, or the end's. */
  after: number;
  before: number;
  /** How many numbers lie between the two, and how many the gaps between them tell of. */
  missing: number;
  told: number;
}

export const NOWHERE = { places: 0, first: [] };

export class Recorder {
  readonly gaps: GapEvent[] = [];
  /** The number of each event, and null for each gap. */
  readonly #stream: (number | null)[] = [];
  readonly #ended: Promise<void>;

  /** Reads `events`, which are of flows that `fill()` made. */
  constructor(readonly events: Events) {
    this.#ended = this.#read();
  }

  get eventCount(): number {
    return this.#stream.length - this.gaps.length;
  }

  get kernelDrops(): number {
    return this.gaps.reduce((sum, gap) => sum + gap.kernelDrops, 0);
  }

  get queueDrops(): number {
    return this.gaps.reduce((sum, gap) => sum + gap.queueDrops, 0);
  }

  /** Events, and those that gaps tell of. */
  get total(): number {
    return this.eventCount + this.kernelDrops + this.queueDrops;
  }

  /** Resolves when as many were told of as were sent. */
  async complete(sent: number): Promise<void> {
    try {
      await waitFor('all events', () => this.total >= sent);
    } catch {
      const statistics = JSON.stringify(this.events.statistics());
      throw new Error(`${this.total} of ${sent} events were told of: ${statistics}`);
    }
  }

  async close(): Promise<void> {
    this.events.close();
    await this.#ended;
  }

  /**
   * Where the gaps do not tell what is missing of the numbers 0 to `count` - 1: how many such places,
   * and the first of them. Unless `exact`, only that something is missing has to be told, not how much.
   */
  misplacements(count: number, exact = true): { places: number; first: Misplacement[] } {
    const found: Misplacement[] = [];
    let after = -1;
    let told = 0;
    let gaps = 0;
    const look = (before: number): void => {
      const missing = before - after - 1;
      const isTold = exact ? missing === told : missing > 0 ? gaps > 0 : told === 0;
      if (!isTold) found.push({ after, before, missing, told });
      [after, told, gaps] = [before, 0, 0];
    };
    let next = 0;
    for (const number of this.#stream) {
      if (number !== null) {
        look(number);
        continue;
      }
      const gap = this.gaps[next++]!;
      told += gap.kernelDrops + gap.queueDrops;
      gaps += 1;
    }
    look(count);
    return { places: found.length, first: found.slice(0, 5) };
  }

  async #read(): Promise<void> {
    for await (const batch of this.events.batches()) this.#record(batch);
  }

  #record(batch: EventBatch): void {
    for (const event of batch) {
      if (event.type === 'gap') {
        this.gaps.push(event);
        this.#stream.push(null);
      } else {
        this.#stream.push(numberOf(event.flow)!);
      }
    }
  }
}
