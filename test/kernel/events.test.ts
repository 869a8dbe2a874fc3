/** Subscriptions: what comes, in which order, how it is read, and how it ends. */
import { getEventListeners } from 'node:events';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import {
  type Conntrack,
  type ConntrackEvent,
  EventBatch,
  type Events,
  type EventsOptions,
  type EventType,
  type FlowEvent,
} from '../../lib';
import { Program } from '../support/child';
import { TestNamespace } from '../support/netns';
import { numberOf } from '../support/numbered';
import { beyond, descriptorsOf, threadsOf } from '../support/observe';
import { closeOpened, openIn } from '../support/opened';
import { syntheticTuple, testing } from '../support/testing';
import { TcpConnection, UdpExchange } from '../support/traffic';
import { waitFor } from '../support/wait';

const HOME = '127.0.0.1';
/** Where nlmsghdr has the port. */
const NLMSG_PID = 12;
const DONE = { done: true, value: undefined };

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  ct = await openIn(namespace);
});
afterEach(async () => {
  await closeOpened();
  Program.endAll();
  TestNamespace.closeAll();
});

function fill(count: number, first = 0): void {
  expect(namespace.run(() => testing.fill({ count, first }))).toBe(count);
}

/** Puts a mark on the first flow, of which there is no more than one update. */
function mark(value: number): void {
  const { src, dst, sport, dport } = syntheticTuple(0);
  const key = ['--src', src, '--dst', dst, '--sport', sport, '--dport', dport].map(String);
  namespace.exec('conntrack', ['-U', '-p', 'tcp', ...key, '--mark', String(value)]);
}

/** Everything that comes until there are `count` events. */
async function take(events: Events, count: number): Promise<ConntrackEvent[]> {
  const taken: ConntrackEvent[] = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

function flowEvents(events: readonly ConntrackEvent[]): FlowEvent[] {
  return events.map((event) => {
    if (event.type === 'gap') throw new Error(`a gap: ${JSON.stringify(event)}`);
    return event;
  });
}

async function batchOf(reader: AsyncIterator<EventBatch>): Promise<EventBatch> {
  return (await reader.next()).value as EventBatch;
}

/** Subscribes, lets the reader take `count` events, and leaves them queued. */
async function queued(count: number, options?: EventsOptions): Promise<Events> {
  const events = await ct.events(undefined, options);
  fill(count);
  await waitFor('the events', () => events.statistics().received === count);
  return events;
}

describe('the types option', () => {
  const CASES: [readonly EventType[] | undefined, Record<string, number>][] = [
    [undefined, { new: 10, update: 1, destroy: 10 }],
    [['new'], { new: 10 }],
    [['update'], { update: 1 }],
    [['destroy'], { destroy: 10 }],
    [['destroy', 'new', 'new'], { new: 10, destroy: 10 }],
  ];

  test.each(CASES)('%j gives these and no others', async (types, expected) => {
    const events = await ct.events(undefined, types === undefined ? {} : { types });
    // The last change is told to all, so that what came before it has come.
    const last = await ct.events();
    fill(10);
    mark(5);
    namespace.run(testing.flush);
    await take(last, 21);
    const sum = Object.values(expected).reduce((a, b) => a + b);
    await waitFor('the events', () => events.statistics().received >= sum);
    const counts: Record<string, number> = {};
    for (const { type } of await take(events, sum)) counts[type] = (counts[type] ?? 0) + 1;
    expect(counts).toEqual(expected);
    expect(events.statistics().received).toBe(sum);
  });
});

describe('events of traffic', () => {
  test('come in the order of each connection, without a port', async () => {
    namespace.track();
    const events = await ct.events();
    const end = { client: namespace, server: namespace, address: HOME };
    for (let round = 0; round < 5; round++) {
      const tcp = await TcpConnection.open(end);
      await tcp.exchange();
      await tcp.close();
    }
    const udp = await UdpExchange.open(end);
    await udp.request();
    udp.close();
    namespace.run(testing.flush);
    const byFlow = new Map<string, FlowEvent[]>();
    let destroyed = 0;
    for await (const event of events) {
      const [flowEvent] = flowEvents([event]);
      const { protocol, orig } = flowEvent!.flow;
      const name = `${protocol} ${orig.sport}`;
      byFlow.set(name, [...(byFlow.get(name) ?? []), flowEvent!]);
      destroyed += event.type === 'destroy' ? 1 : 0;
      if (destroyed === 6) break;
    }
    expect(byFlow.size).toBe(6);
    for (const [name, history] of byFlow) {
      const types = history.map(({ type }) => type);
      expect(types[0]).toBe('new');
      expect(types.at(-1)).toBe('destroy');
      expect(types.slice(1, -1)).toEqual(new Array(types.length - 2).fill('update'));
      expect(new Set(history.map(({ flow }) => flow.id)).size).toBe(1);
      const states = history.slice(0, -1).map(({ flow }) => flow.state);
      if (name.startsWith('tcp')) {
        const whole = ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'LAST_ACK', 'TIME_WAIT'];
        expect(states.filter((state) => whole.includes(state!))).toEqual(whole);
      }
      // The flush was asked for over netlink, the rest came of packets.
      expect(history.slice(0, -1).some((event) => 'portid' in event)).toBe(false);
      expect(history.at(-1)!.portid).toBeGreaterThan(0);
    }
  });

  test('carry the port of the socket that caused them', async () => {
    const capture = namespace.run(() => new testing.NetlinkCapture([1]));
    const events = await ct.events(undefined, { types: ['new'] });
    for (let number = 0; number < 3; number++) fill(1, number);
    const ports = flowEvents(await take(events, 3)).map(({ portid }) => portid);
    const sent = capture.drain(1000).map((octets) => octets.readUInt32LE(NLMSG_PID));
    capture.close();
    expect(ports).toEqual(sent);
    // Each fill() has a socket of its own.
    expect(new Set(ports).size).toBe(3);
    expect(ports).not.toContain(0);
  });

  test('are of one namespace', async () => {
    const other = TestNamespace.create();
    const events = await ct.events();
    other.run(() => testing.fill({ count: 5, first: 100 }));
    fill(1);
    const [event] = flowEvents(await take(events, 1));
    expect(numberOf(event!.flow)).toBe(0);
    expect(events.statistics().received).toBe(1);
  });
});

describe('reading', () => {
  test('in batches', async () => {
    const events = await queued(3000);
    const numbers: (number | undefined)[] = [];
    for await (const batch of events.batches()) {
      expect(batch).toBeInstanceOf(EventBatch);
      expect(batch.length).toBeLessThanOrEqual(1024);
      expect(batch.gaps).toBe(0);
      const items = flowEvents([...batch]);
      numbers.push(...items.map(({ flow }) => numberOf(flow)));
      const { columns } = batch;
      expect([...columns.kind]).toEqual(items.map(() => 1));
      expect([...columns.portid]).toEqual(items.map(({ portid }) => portid));
      expect([...columns.id]).toEqual(items.map(({ flow }) => flow.id));
      expect(batch.at(batch.length - 1)).toMatchObject({ type: 'new', time: items.at(-1)!.time });
      if (numbers.length === 3000) break;
    }
    expect(numbers).toEqual(Array.from({ length: 3000 }, (_, index) => index));
  });

  test('one by one', async () => {
    const events = await queued(3000);
    const taken = flowEvents(await take(events, 3000));
    expect(taken.map(({ flow }) => numberOf(flow))).toEqual(
      Array.from({ length: 3000 }, (_, index) => index),
    );
  });

  test('as they come', async () => {
    const events = await ct.events();
    const reader = events[Symbol.asyncIterator]();
    for (let number = 0; number < 50; number++) {
      const next = reader.next();
      fill(1, number);
      const { value } = await next;
      expect(numberOf(flowEvents([value!])[0]!.flow)).toBe(number);
    }
    await reader.return!();
  });

  test('with calls of next() that overlap', async () => {
    const events = await ct.events();
    const reader = events[Symbol.asyncIterator]();
    const waiting = Array.from({ length: 100 }, () => reader.next());
    fill(100);
    const results = await Promise.all(waiting);
    const values = results.map(({ value }) => value as ConntrackEvent);
    expect(flowEvents(values).map(({ flow }) => numberOf(flow))).toEqual(
      Array.from({ length: 100 }, (_, index) => index),
    );
    await reader.return!();
  });

  test('by a callback', async () => {
    const events = await ct.events();
    const numbers: (number | undefined)[] = [];
    events.onBatch((batch) => {
      for (const { flow } of flowEvents([...batch])) numbers.push(numberOf(flow));
    });
    fill(2000);
    await waitFor('the events', () => numbers.length === 2000);
    expect(numbers).toEqual(Array.from({ length: 2000 }, (_, index) => index));
    events.close();
    fill(10, 2000);
    await turn();
    expect(numbers).toHaveLength(2000);
  });

  test('by a callback that throws: an uncaught exception each time, and it goes on', async () => {
    const program = new Program('on-batch-throws.mjs', { namespace });
    await program.said('reads');
    const feeding = setInterval(() => namespace.run(() => testing.fill({ count: 1 })), 20);
    const emptying = setInterval(() => namespace.run(testing.flush), 30);
    try {
      await program.said('caught 3 of 3');
      const { code, stderr } = await program.ended;
      // Without a handler it ends the process, as any other exception does.
      expect(code).toBe(1);
      expect(stderr).toContain('Error: thrown on purpose');
      expect(stderr).not.toMatch(/Warning|DEP\d/);
    } finally {
      clearInterval(feeding);
      clearInterval(emptying);
    }
  });

  test('takes one reader', async () => {
    const readers: [string, (events: Events) => unknown][] = [
      ['batches()', (events) => events.batches()],
      ['the iterator', (events) => events[Symbol.asyncIterator]()],
      ['onBatch()', (events) => events.onBatch(() => undefined)],
    ];
    for (const [, first] of readers) {
      for (const [, second] of readers) {
        const events = await ct.events();
        first(events);
        expect(() => second(events)).toThrow(TypeError);
        expect(() => second(events)).toThrow('being read already');
        events.close();
      }
    }
  });

  test('twice at once takes two subscriptions', async () => {
    const all = [await ct.events(), await ct.events(), await (await openIn(namespace)).events()];
    fill(1500);
    for (const events of all) {
      const taken = flowEvents(await take(events, 1500));
      expect(taken.map(({ type }) => type)).toEqual(new Array(1500).fill('new'));
    }
  });

  test('gives the time that the kernel sent, where it sent one', async () => {
    namespace.sysctl('nf_conntrack_timestamp', 1);
    const events = await queued(5);
    const batch = await batchOf(events.batches());
    const { columns } = batch;
    const sent = columns.present('timestampEvent')[0] === 1;
    const times = sent ? columns.timestampEvent : columns.time;
    const told = flowEvents([...batch]).map(({ time }) => time);
    expect(told).toEqual(Array.from(times, (ns) => Number(ns) / 1e6));
  });
});

describe('statistics', () => {
  test('add up at any time', async () => {
    const events = await queued(5000);
    expect(events.statistics()).toMatchObject({ received: 5000, delivered: 0, queued: 5000 });
    const reader = events.batches();
    let delivered = 0;
    while (delivered < 5000) {
      delivered += (await batchOf(reader)).length;
      const statistics = events.statistics();
      expect(statistics.delivered).toBe(delivered);
      expect(statistics.queued).toBe(5000 - delivered);
    }
    expect(events.statistics()).toEqual({
      received: 5000,
      filtered: 0,
      delivered: 5000,
      kernelDrops: 0,
      queueDrops: 0,
      malformed: 0,
      gaps: 0,
      queued: 0,
      receiveBuffer: events.statistics().receiveBuffer,
    });
  });

  test('add up with a queue that is full', async () => {
    const events = await queued(5000, { queue: 100 });
    const statistics = events.statistics();
    expect(statistics).toMatchObject({ delivered: 0, queued: 100, queueDrops: 4900, gaps: 0 });
    const taken = await take(events, 101);
    expect(taken.at(-1)).toMatchObject({ type: 'gap', reason: 'queue', queueDrops: 4900 });
    expect(events.statistics()).toMatchObject({ delivered: 100, queued: 0, gaps: 1 });
  });

  test.each([4096, 100_000, 2 ** 20])('tell the buffer that was granted of %i', async (wanted) => {
    const { receiveBuffer } = (await ct.events(undefined, { receiveBuffer: wanted })).statistics();
    expect(receiveBuffer).toBe(wanted);
  });

  test('can be read after the end', async () => {
    const events = await queued(100);
    events.close();
    expect(events.statistics()).toMatchObject({ received: 100, delivered: 0, queued: 100 });
  });
});

describe('the end', () => {
  let threads: string[];
  let descriptors: string[];

  beforeEach(() => {
    [threads, descriptors] = [threadsOf(), descriptorsOf()];
  });

  function expectNothingLeft(): void {
    expect(threadsOf()).toEqual(threads);
    expect(beyond(descriptors, descriptorsOf())).toEqual([]);
  }

  test('is a thread less', async () => {
    const events = await ct.events();
    expect(threadsOf()).toEqual([...threads, 'nfct-events'].sort());
    events.close();
    expectNothingLeft();
    events.close();
    expect(await events.batches().next()).toEqual(DONE);
  });

  test('by close() ends a loop that waits', async () => {
    const events = await ct.events();
    const loop = take(events, 1);
    await turn();
    events.close();
    expect(await loop).toEqual([]);
    expectNothingLeft();
  });

  test('by close() of the Conntrack ends a loop that waits', async () => {
    const events = await ct.events();
    const loop = take(events, 1);
    await turn();
    await ct.close();
    expect(await loop).toEqual([]);
    expect(threadsOf()).toEqual([]);
  });

  test('by `using`', async () => {
    {
      using events = await ct.events();
      expect(events.statistics().received).toBe(0);
      expect(threadsOf()).not.toEqual(threads);
    }
    expectNothingLeft();
  });

  test('by break', async () => {
    const events = await queued(10);
    await take(events, 1);
    expectNothingLeft();
  });

  test('by an exception in the loop', async () => {
    const events = await queued(10);
    const loop = (async () => {
      for await (const batch of events.batches()) throw new Error(`after ${batch.length}`);
    })();
    await expect(loop).rejects.toThrow('after 10');
    expectNothingLeft();
  });

  test('discards what is queued', async () => {
    const events = await queued(5000);
    const reader = events.batches();
    expect((await reader.next()).done).toBe(false);
    events.close();
    expect(await reader.next()).toEqual(DONE);
    expectNothingLeft();
  });

  test('by close() within the loop is at once, event by event too', async () => {
    const events = await queued(500);
    let seen = 0;
    for await (const event of events) {
      expect(event.type).toBe('new');
      seen += 1;
      if (seen === 5) events.close();
    }
    expect(seen).toBe(5);
  });

  test('comes under load as well', async () => {
    const churning = namespace.run(() => new testing.Churn());
    try {
      for (let round = 0; round < 20; round++) {
        const events = await ct.events();
        await take(events, 100);
        const second = await ct.events();
        second.onBatch(() => undefined);
        await waitFor('events', () => second.statistics().delivered > 100);
        second.close();
      }
    } finally {
      churning.stop();
    }
    expectNothingLeft();
  });

  test('of a callback is told to nobody', async () => {
    const events = await ct.events();
    let batches = 0;
    events.onBatch(() => {
      batches += 1;
      events.close();
    });
    fill(1);
    await waitFor('the batch', () => batches === 1);
    fill(1, 1);
    await turn();
    expect(batches).toBe(1);
    expectNothingLeft();
  });

  describe('by a signal', () => {
    const why = new Error('enough');

    test('that was aborted before', async () => {
      const signal = AbortSignal.abort(why);
      await expect(ct.events(undefined, { signal })).rejects.toBe(why);
      expectNothingLeft();
    });

    test('while it subscribes', async () => {
      const controller = new AbortController();
      const subscribing = ct.events(undefined, { signal: controller.signal });
      controller.abort(why);
      await expect(subscribing).rejects.toBe(why);
      expectNothingLeft();
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    });

    test('while a loop waits', async () => {
      const controller = new AbortController();
      const events = await ct.events(undefined, { signal: controller.signal });
      const loop = take(events, 1);
      await turn();
      controller.abort(why);
      await expect(loop).rejects.toBe(why);
      expectNothingLeft();
    });

    test('before it is read', async () => {
      const controller = new AbortController();
      const events = await ct.events(undefined, { signal: controller.signal });
      controller.abort(why);
      expectNothingLeft();
      await expect(events.batches().next()).rejects.toBe(why);
    });

    test('that stays behind takes nothing along', async () => {
      const { signal } = new AbortController();
      const events = await ct.events(undefined, { signal });
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      events.close();
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });
});

describe('a process that waits for events', () => {
  test.each(['unref first', 'unref later', 'unread'])('ends by itself: %s', async (mode) => {
    const program = new Program('waiting.mjs', { namespace, args: [mode] });
    expect(await program.ended).toEqual({
      code: 0,
      signal: null,
      stdout: 'waits\nnothing keeps it\n',
      stderr: '',
    });
  });

  test.each(['ref', 'ref again'])('stays until one comes: %s', async (mode) => {
    const program = new Program('waiting.mjs', { namespace, args: [mode] });
    await program.said('waits');
    // Time enough to end, if nothing kept it.
    expect(await Promise.race([program.ended, sleep(500, 'alive')])).toBe('alive');
    fill(1);
    expect(await program.ended).toEqual({
      code: 0,
      signal: null,
      stdout: 'waits\nan event\nnothing keeps it\n',
      stderr: '',
    });
  });
});
