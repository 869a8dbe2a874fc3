/** Real traffic in one namespace, followed by everything that can be asked about it. */
import { Conntrack, type Events, type Flow, type FlowEvent } from '../../lib';
import { listByCli } from './cli';
import { attributesOfMessage, Cta, eventKind, FLOW_GROUPS, MessageType } from './ctnetlink';
import type { TestNamespace } from './netns';
import { differences, flowOf, tableDifferences } from './oracle';
import { printDifferences } from './oracle-print';
import { testing, type NetlinkCapture } from './testing';
import { waitFor } from './wait';

export interface ScenarioOptions {
  /** nf_conntrack_acct; on unless said. */
  acct?: boolean;
  /** nf_conntrack_timestamp; on unless said. */
  timestamp?: boolean;
}

const open = new Set<Scenario>();

/**
 * Opened before the traffic: it turns counters, times and events on, follows the events through the
 * library, and captures the same messages for the oracle. `Scenario.closeAll()` after each test.
 */
export class Scenario {
  /** What came through `ct.events()` until now. */
  readonly events: FlowEvent[] = [];
  readonly ct: Conntrack;
  readonly namespace: TestNamespace;
  readonly #stream: Events;
  readonly #capture: NetlinkCapture;
  readonly #messages: Buffer[] = [];

  private constructor(namespace: TestNamespace, ct: Conntrack, stream: Events) {
    this.namespace = namespace;
    this.ct = ct;
    this.#stream = stream;
    this.#capture = namespace.run(() => new testing.NetlinkCapture(FLOW_GROUPS));
    open.add(this);
    stream.onBatch((batch) => {
      for (const event of batch) {
        if (event.type === 'gap') throw new Error(`events were lost: ${JSON.stringify(event)}`);
        this.events.push(event);
      }
    });
  }

  static async open(namespace: TestNamespace, options: ScenarioOptions = {}): Promise<Scenario> {
    namespace.sysctl('nf_conntrack_events', 1);
    namespace.sysctl('nf_conntrack_acct', options.acct === false ? 0 : 1);
    namespace.sysctl('nf_conntrack_timestamp', options.timestamp === false ? 0 : 1);
    const ct = await Conntrack.open({ netns: namespace.path });
    return new Scenario(namespace, ct, await ct.events());
  }

  static async closeAll(): Promise<void> {
    await Promise.all([...open].map((scenario) => scenario.close()));
  }

  async close(): Promise<void> {
    open.delete(this);
    this.#capture.close();
    this.#stream.close();
    await this.ct.close();
  }

  /** The flows of a protocol in the table, in the order of their original source port. */
  async flows(protonum: number): Promise<Flow[]> {
    const flows = (await this.ct.flows().toArray()).filter((flow) => flow.protonum === protonum);
    return flows.sort((a, b) => (a.orig.sport ?? 0) - (b.orig.sport ?? 0));
  }

  /** The only flow of a protocol in the table. */
  async flow(protonum: number): Promise<Flow> {
    const flows = await this.flows(protonum);
    if (flows.length === 1) return flows[0]!;
    throw new Error(`${flows.length} flows of protocol ${protonum}: ${JSON.stringify(flows)}`);
  }

  /** What was announced of a flow until now. */
  eventsOf(flow: { id: number }): FlowEvent[] {
    return this.events.filter((event) => event.flow.id === flow.id);
  }

  /** Waits for an event; gives the first that fits. */
  async event(what: string, fits: (event: FlowEvent) => boolean): Promise<FlowEvent> {
    return waitFor(`the event of ${what}`, () => this.events.find(fits));
  }

  /**
   * Waits until all flows have come and gone. Listing it destroys what has timed out, which the kernel's own
   * collector may leave for a minute.
   */
  async emptied(): Promise<void> {
    await waitFor('an empty table', async () => (await this.ct.flows().count()) === 0);
    await waitFor('the last DESTROY event', () => this.#destroyed());
  }

  /**
   * Everything in which the library differs from the oracle, on each message captured and on the table as
   * it is now, in what it reads and in what it prints, and from conntrack(8) on that table; any event that came through the library other than it
   * was captured; and any flow that a look-up does not find. Throws if nothing was captured, since that
   * would prove nothing.
   */
  async differences(): Promise<string[]> {
    await this.#caughtUp();
    if (this.#messages.length === 0) throw new Error('no event was captured');
    const dumped = this.#capture.dump(MessageType.ctGet);
    return [
      ...[...this.#messages, ...dumped].flatMap((message) => [
        ...differences(message),
        ...printDifferences(message),
      ]),
      ...this.#eventDifferences(),
      ...(await this.#tableDifferences()),
      ...(await this.#lookupDifferences()),
    ];
  }

  #destroyed(): boolean {
    const count = (type: FlowEvent['type']): number =>
      this.events.filter((event) => event.type === type).length;
    return count('new') > 0 && count('new') === count('destroy');
  }

  async #caughtUp(): Promise<void> {
    await waitFor('as many events as were captured', () => {
      this.#messages.push(...this.#capture.drain());
      return this.#messages.length === this.events.length;
    });
  }

  #eventDifferences(): string[] {
    const timed = this.#messages.some((message) => kernelTime(message) !== undefined);
    const captured = this.#messages.map(capturedEvent).sort();
    const streamed = this.events.map((event) => streamedEvent(event, timed)).sort();
    return captured.flatMap((text, index) =>
      text === streamed[index] ? [] : [`captured ${text}, streamed ${String(streamed[index])}`],
    );
  }

  async #tableDifferences(): Promise<string[]> {
    return waitFor('a table that is the same before and after conntrack(8)', async () => {
      const before = await this.ct.flows().toArray();
      const lines = listByCli(this.namespace);
      const after = await this.ct.flows().toArray();
      return isQuiet(before, after) && tableDifferences(before, lines, after);
    });
  }

  /** Each flow of the table is found by either of its tuples. */
  async #lookupDifferences(): Promise<string[]> {
    const found: string[] = [];
    for (const flow of await this.ct.flows().toArray()) {
      for (const side of ['orig', 'reply'] as const)
        found.push(...(await this.#lookup(flow, side)));
    }
    return found;
  }

  async #lookup(flow: Flow, side: 'orig' | 'reply'): Promise<string[]> {
    const { protonum, zone, id } = flow;
    const key = { protonum, zone, [side]: flow[side] };
    const outcome = await this.ct.get(key).catch((error: unknown) => String(error));
    if (typeof outcome === 'object' && outcome.id === id) return [];
    return [`get(${JSON.stringify(key)}): ${JSON.stringify(outcome)}`];
  }
}

/** No packet has come meanwhile: even a delayed acknowledgement is counted. */
function isQuiet(before: readonly Flow[], after: readonly Flow[]): boolean {
  const lasting = (flows: readonly Flow[]): string[] =>
    flows.map((flow) => JSON.stringify({ ...flow.toJSON(), timeout: 0, use: 0 })).sort();
  return JSON.stringify(lasting(before)) === JSON.stringify(lasting(after));
}

/** When the kernel says that it happened (Linux 6.14, with nf_conntrack_timestamp), in ms. */
function kernelTime(message: Buffer): number | undefined {
  const found = attributesOfMessage(message).find(({ type }) => type === Cta.timestampEvent);
  return found && Number(found.payload.readBigUInt64BE()) / 1e6;
}

function capturedEvent(message: Buffer): string {
  const portid = message.readUInt32LE(12);
  return JSON.stringify({
    type: eventKind(message),
    portid: portid === 0 ? undefined : portid,
    time: kernelTime(message),
    flow: flowOf(message),
  });
}

/** Without the kernel's time two readers have times of their own, which are not to be compared. */
function streamedEvent({ type, portid, time, flow }: FlowEvent, timed: boolean): string {
  return JSON.stringify({ type, portid, time: timed ? time : undefined, flow });
}
