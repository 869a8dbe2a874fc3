/** What nf_conntrack_acct and nf_conntrack_timestamp add to flows and events. */
import { readFileSync } from 'node:fs';

import type { Flow } from '../../lib';
import { listByCli } from '../support/cli';
import { Conversation, PORTS, REVERSED } from '../support/conversation';
import { TestNamespace } from '../support/netns';
import { Protonum, udpDatagram } from '../support/packets';
import { Scenario, type ScenarioOptions } from '../support/scenario';
import { TcpConnection } from '../support/traffic';

const IPV4_AND_UDP = 20 + 8;

/** A namespace that counts or keeps times, and two hosts that are not there. */
class Counting {
  readonly talk: Conversation;

  private constructor(readonly scenario: Scenario) {
    this.talk = new Conversation(scenario.namespace, 'ipv4', Protonum.udp);
  }

  static async open(options: ScenarioOptions): Promise<Counting> {
    const namespace = TestNamespace.create();
    namespace.track();
    return new Counting(await Scenario.open(namespace, options));
  }

  /** A datagram of so many bytes, IP header and all. */
  send(size: number, ports = PORTS): void {
    const payload = Buffer.alloc(size - IPV4_AND_UDP);
    this.talk.send(udpDatagram({ ...this.talk.there, ...ports, payload }));
  }

  answer(size: number): void {
    const payload = Buffer.alloc(size - IPV4_AND_UDP);
    this.talk.answer(udpDatagram({ ...this.talk.back, ...REVERSED, payload }));
  }

  /** Deletes all flows; the one that was announced first. */
  async end(): Promise<Flow> {
    this.scenario.namespace.exec('conntrack', ['-D']);
    const { flow } = await this.scenario.event('the end', ({ type }) => type === 'destroy');
    return flow;
  }
}

function counters({ orig, reply }: Flow): (number | undefined)[] {
  return [orig.packets, orig.bytes, reply.packets, reply.bytes];
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe('counters', () => {
  test('are of the packets and bytes of each direction, IP headers included', async () => {
    const counting = await Counting.open({ acct: true });
    const { scenario } = counting;
    counting.send(100);
    expect(counters(await scenario.flow(Protonum.udp))).toEqual([1, 100, 0, 0]);
    counting.send(1400);
    for (const size of [28, 29, 30]) counting.answer(size);
    expect(counters(await scenario.flow(Protonum.udp))).toEqual([2, 1500, 3, 87]);
    expect(await scenario.differences()).toEqual([]);
    const destroyed = await counting.end();
    expect(counters(destroyed)).toEqual([2, 1500, 3, 87]);
    // No other event has any.
    const [made, answered] = scenario.events;
    expect(counters(made!.flow)).toEqual([undefined, undefined, undefined, undefined]);
    expect(counters(answered!.flow)).toEqual([undefined, undefined, undefined, undefined]);
    expect(await scenario.differences()).toEqual([]);
  });

  test('are absent, not zero, where nothing is counted', async () => {
    const counting = await Counting.open({ acct: false });
    const { scenario } = counting;
    counting.send(100);
    const flow = await scenario.flow(Protonum.udp);
    expect(counters(flow)).toEqual([undefined, undefined, undefined, undefined]);
    expect(flow.toJSON().orig).toEqual({ ...counting.talk.there, ...PORTS });
    expect(await scenario.differences()).toEqual([]);
    expect(counters(await counting.end())).toEqual([undefined, undefined, undefined, undefined]);
    expect(await scenario.differences()).toEqual([]);
  });

  test('belong to the flow: one made before they were turned on has none', async () => {
    const counting = await Counting.open({ acct: false });
    const { scenario } = counting;
    counting.send(100);
    scenario.namespace.sysctl('nf_conntrack_acct', 1);
    counting.send(200, { ...PORTS, sport: 3333 });
    counting.send(100);
    const flows = await scenario.flows(Protonum.udp);
    expect(flows.map(({ orig }) => [orig.sport, orig.bytes])).toEqual([
      [1111, undefined],
      [3333, 200],
    ]);
    const present: number[] = [];
    const bytes: bigint[] = [];
    for await (const { columns } of scenario.ct.flows().batches()) {
      present.push(...columns.present('origBytes'));
      bytes.push(...columns.origBytes);
    }
    expect([present.sort(), bytes.sort()]).toEqual([
      [0, 1],
      [0n, 200n],
    ]);
    expect(await scenario.differences()).toEqual([]);
  });

  test('count what a TCP connection carried', async () => {
    const namespace = TestNamespace.create();
    namespace.track();
    const scenario = await Scenario.open(namespace);
    const route = { client: namespace, server: namespace, address: '127.0.0.1' };
    using connection = await TcpConnection.open(route);
    await connection.exchange(100_000);
    const { orig, reply } = await scenario.flow(Protonum.tcp);
    const header = 20 + 20;
    for (const { packets, bytes } of [orig, reply]) {
      expect(bytes! - packets! * header).toBeGreaterThanOrEqual(100_000);
    }
    expect(await scenario.differences()).toEqual([]);
  });
});

describe('a listing that zeroes counters', () => {
  const zeroed = async (scenario: Scenario): Promise<(number | undefined)[]> => {
    const flows = await scenario.ct.flows(undefined, { zeroCounters: true }).toArray();
    expect(flows).toHaveLength(1);
    return counters(flows[0]!);
  };

  test('gives what was counted since the last one', async () => {
    const counting = await Counting.open({ acct: true });
    const { scenario } = counting;
    counting.send(100);
    counting.answer(50);
    expect(await zeroed(scenario)).toEqual([1, 100, 1, 50]);
    expect(counters(await scenario.flow(Protonum.udp))).toEqual([0, 0, 0, 0]);
    counting.send(200);
    expect(counters(await scenario.flow(Protonum.udp))).toEqual([1, 200, 0, 0]);
    expect(await zeroed(scenario)).toEqual([1, 200, 0, 0]);
    expect(await zeroed(scenario)).toEqual([0, 0, 0, 0]);
    counting.send(300);
    expect(counters(await counting.end())).toEqual([1, 300, 0, 0]);
    expect(await scenario.differences()).toEqual([]);
  });

  test('and an ordinary one zeroes nothing', async () => {
    const counting = await Counting.open({ acct: true });
    const { scenario } = counting;
    counting.send(100);
    const usual = await scenario.ct.flows(undefined, { zeroCounters: false }).toArray();
    expect(counters(usual[0]!)).toEqual([1, 100, 0, 0]);
    expect(await zeroed(scenario)).toEqual([1, 100, 0, 0]);
  });
});

describe('timestamps', () => {
  /** As conntrack(8) prints them: whole seconds. */
  const second = (ms: number): number => Math.floor(ms / 1000) * 1000;

  test('say when a flow began and ended, and no event is before its flow', async () => {
    const counting = await Counting.open({ timestamp: true });
    const { scenario } = counting;
    const before = Date.now();
    counting.send(100);
    counting.answer(100);
    const { timestamps } = await scenario.flow(Protonum.udp);
    expect(timestamps).toEqual({ start: expect.any(Number) });
    const { start } = timestamps as { start: number };
    expect(start).toBeGreaterThanOrEqual(before);
    expect(start).toBeLessThan(Date.now() + 1);
    const [line] = listByCli(scenario.namespace);
    expect(line).toMatchObject({ start: second(start) });
    expect(await scenario.differences()).toEqual([]);

    const destroyed = await counting.end();
    expect(destroyed.timestamps!.start).toBe(start);
    expect(destroyed.timestamps!.stop).toBeGreaterThanOrEqual(start);
    expect(await scenario.differences()).toEqual([]);
    const times = scenario.events.map(({ time }) => time);
    expect([start, ...times]).toEqual([start, ...times].sort((a, b) => a - b));
    expect(scenario.events.slice(0, 2).map(({ flow }) => flow.timestamps)).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('are absent where none are kept, and events have the time of their reading', async () => {
    const counting = await Counting.open({ timestamp: false });
    const { scenario } = counting;
    const before = Date.now();
    counting.send(100);
    expect((await scenario.flow(Protonum.udp)).timestamps).toBeUndefined();
    expect((await counting.end()).timestamps).toBeUndefined();
    for (const { time } of scenario.events) {
      expect(time).toBeGreaterThanOrEqual(before);
      expect(time).toBeLessThan(Date.now() + 1);
    }
    expect(await scenario.differences()).toEqual([]);
  });

  /** CTA_TIMESTAMP_EVENT. */
  const eventTime = linuxIs(6, 14);

  test.each([true, false])(
    "are the kernel's own for events: nf_conntrack_timestamp %s",
    async (timestamp) => {
      const counting = await Counting.open({ timestamp });
      const { scenario } = counting;
      const events = await scenario.ct.events();
      counting.send(100);
      for await (const batch of events.batches()) {
        const { columns } = batch;
        const sent = timestamp && eventTime;
        expect(columns.present('timestampEvent')[0]).toBe(sent ? 1 : 0);
        const exact = sent ? columns.timestampEvent[0]! : columns.time[0]!;
        expect(batch.at(0)).toMatchObject({ type: 'new', time: Number(exact) / 1e6 });
        expect(columns.timestampEvent[0]).toBeLessThanOrEqual(columns.time[0]!);
        break;
      }
      expect(await scenario.differences()).toEqual([]);
    },
  );
});

function linuxIs(major: number, minor: number): boolean {
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8');
  const [first = 0, second = 0] = release.split('.').map(Number);
  return first > major || (first === major && second >= minor);
}
