/** A subscription that keeps all it has been told, as plain data. */
import type {
  Conntrack,
  ConntrackEvent,
  Events,
  EventType,
  Explanation,
  Filter,
  FlowData,
  GapEvent,
} from '../../lib/index';
import { waitFor } from './wait';

/** An event without its time, which is when each subscription has read it. */
export interface Told {
  type: EventType;
  flow: FlowData;
  portid?: number;
}

export class Listener {
  readonly told: Told[] = [];
  readonly gaps: GapEvent[] = [];

  private constructor(
    readonly filter: Filter | undefined,
    private readonly events: Events,
  ) {
    events.onBatch((batch) => {
      for (const event of batch) this.#take(event);
    });
  }

  /** Hears what is sent from now on; of all changes unless said. */
  static async open(ct: Conntrack, filter?: Filter, types?: EventType[]): Promise<Listener> {
    const options = types === undefined ? {} : { types };
    return new Listener(filter, await ct.events(filter, { receiveBuffer: 2 ** 24, ...options }));
  }

  #take(event: ConntrackEvent): void {
    if (event.type === 'gap') {
      this.gaps.push(event);
      return;
    }
    const { type, flow, portid } = event;
    this.told.push({ type, flow: flow.toJSON(), ...(portid === undefined ? {} : { portid }) });
  }

  get explain(): Explanation {
    return this.events.explain();
  }

  /** All that was received is told or filtered, and is at least so much. */
  hasSettled(least: number): boolean {
    const { received, filtered } = this.events.statistics();
    return this.told.length >= least && filtered + this.told.length === received;
  }

  /** Waits for what is to come; if it never does, what has come says more than the time that is over. */
  async settle(least: () => number): Promise<void> {
    const settled = waitFor('all events', () => this.hasSettled(least()), { timeout: 30_000 });
    await settled.catch(() => undefined);
  }

  close(): void {
    this.events.close();
  }
}
