/** Expectations that are made and go, as the kernel announces them. */
import {
  type Conntrack,
  type ExpectationChange,
  type ExpectationEvent,
  type ExpectationEvents,
  type ExpectationEventsOptions,
  type GapEvent,
  type NewFlow,
} from '../../lib';
import { attachHelper, FTP_PORT, FtpDialogue } from '../support/ftp';
import { CLIENT, createMaster, masterFlow, SERVER } from '../support/master';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { TcpConnection } from '../support/traffic';
import { waitFor } from '../support/wait';
import { without } from '../support/without';

const DATA_PORT = 50_000;
const ADDRESS = '127.0.0.1';

async function quiet(): Promise<Conntrack> {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  return openIn(namespace);
}

function expecting(ct: Conntrack, master: NewFlow, dport: number): Promise<void> {
  const tuple = { src: SERVER.ipv4, dst: CLIENT.ipv4, dport };
  return ct.expectations.create({ protocol: 'tcp', tuple, master });
}

/** What comes through a stream. */
class Collected {
  readonly items: ExpectationEvent[] = [];

  constructor(readonly stream: ExpectationEvents) {
    stream.onBatch((batch) => {
      expect(batch.gaps).toBe([...batch].filter(({ type }) => type === 'gap').length);
      this.items.push(...batch);
    });
  }

  static async of(ct: Conntrack, options?: ExpectationEventsOptions): Promise<Collected> {
    return new Collected(await ct.expectations.events(options));
  }

  get changes(): ExpectationChange[] {
    return this.items.filter((item) => item.type !== 'gap');
  }

  get gaps(): GapEvent[] {
    return this.items.filter((item) => item.type === 'gap');
  }

  /** Waits until so many have come, and gives what they are. */
  async some(count: number): Promise<[type: string, dport: number | undefined][]> {
    await waitFor(`${count} events`, () => this.items.length >= count);
    return this.changes.map(({ type, expectation }) => [type, expectation.tuple.dport]);
  }
}

afterEach(async () => {
  FtpDialogue.closeAll();
  await closeOpened();
  TestNamespace.closeAll();
});

test('what traffic makes and meets is announced, with its master and as it is listed', async () => {
  const namespace = TestNamespace.create();
  namespace.track();
  namespace.sysctl('nf_conntrack_events', 1);
  attachHelper(namespace, 'ftp', 'tcp', FTP_PORT);
  const ct = await openIn(namespace);
  const collected = await Collected.of(ct);
  const route = { client: namespace, server: namespace, address: ADDRESS };
  const dialogue = await FtpDialogue.open(route);
  await dialogue.passive(DATA_PORT);
  const [listed] = await ct.expectations.list();
  const data = await TcpConnection.open({ ...route, port: DATA_PORT });
  await data.close();
  await waitFor('the last event', () => {
    const { type, expectation } = collected.changes.at(-1) ?? {};
    return type === 'destroy' && expectation?.id === listed!.id;
  });
  const [made, gone] = collected.changes.filter(({ expectation }) => expectation.id === listed!.id);
  expect([made!.type, gone!.type]).toEqual(['new', 'destroy']);
  for (const { expectation, time, ...others } of [made!, gone!]) {
    // Packets make these, and no request.
    expect(others).not.toHaveProperty('portid');
    expect(new Date(time).getFullYear()).toBeGreaterThan(2020);
    expect(expectation.toJSON()).toMatchObject(without(listed!.toJSON(), 'timeout'));
    expect(expectation.master.toJSON()).toEqual({ protocol: 'tcp', ...dialogue.tuple });
  }
  expect(collected.gaps).toEqual([]);
});

test('they come in order, with the port of who asked for them', async () => {
  const ct = await quiet();
  const collected = await Collected.of(ct);
  const master = await createMaster(ct, { helper: 'irc', dport: 6667 });
  await expecting(ct, master, 1);
  await expecting(ct, master, 2);
  await ct.expectations.delete(
    (await ct.expectations.list()).find(({ tuple }) => tuple.dport === 1)!,
  );
  await expecting(ct, master, 3);
  await ct.delete({ protocol: 'tcp', orig: master.orig });
  const seen = await collected.some(6);
  expect(seen.slice(0, 4)).toEqual([
    ['new', 1],
    ['new', 2],
    ['destroy', 1],
    ['new', 3],
  ]);
  // Those that go with their master go in an order of the kernel's own, and at nobody's request.
  expect(new Set(seen.slice(4).map(String))).toEqual(new Set(['destroy,2', 'destroy,3']));
  const asked = collected.changes.slice(0, 4).map(({ portid }) => portid);
  expect(asked).toEqual(new Array(4).fill(asked[0]));
  expect(asked[0]).toBeGreaterThan(0);
});

test.each([
  [
    ['new'] as const,
    [
      ['new', 1],
      ['new', 2],
    ],
  ],
  [
    ['destroy'] as const,
    [
      ['destroy', 1],
      ['destroy', 2],
    ],
  ],
])('only %s', async (types, wanted) => {
  const ct = await quiet();
  const collected = await Collected.of(ct, { types });
  const master = await createMaster(ct);
  await expecting(ct, master, 1);
  await ct.expectations.flush();
  await expecting(ct, master, 2);
  await ct.expectations.flush();
  expect(await collected.some(2)).toEqual(wanted);
  expect(collected.stream.statistics()).toMatchObject({ received: 2, delivered: 2 });
});

test('flows are not announced here, nor expectations among the flows', async () => {
  const ct = await quiet();
  const flows = await ct.events();
  const collected = await Collected.of(ct);
  const master = await createMaster(ct);
  await expecting(ct, master, 1);
  await ct.expectations.flush();
  await ct.delete({ protocol: 'tcp', orig: master.orig });
  expect(await collected.some(2)).toEqual([
    ['new', 1],
    ['destroy', 1],
  ]);
  await waitFor('the flow', () => flows.statistics().received >= 2);
  expect(flows.statistics()).toMatchObject({ received: 2, malformed: 0 });
  expect(collected.stream.statistics()).toMatchObject({ received: 2, malformed: 0 });
});

test('a gap stands where the queue was full, and the stream goes on behind it', async () => {
  const ct = await quiet();
  const stream = await ct.expectations.events({ queue: 3 });
  const master = await createMaster(ct, { helper: 'irc', dport: 6667 });
  for (let dport = 1; dport <= 8; dport += 1) await expecting(ct, master, dport);
  await waitFor('the events', () => stream.statistics().received === 8);
  const collected = new Collected(stream);
  await waitFor('the gap', () => collected.gaps.length > 0);
  await ct.expectations.flush();
  await waitFor('the rest', () => {
    const { received, queued } = stream.statistics();
    return received === 16 && queued === 0 && collected.items.length > 4;
  });
  const [first, second, third, gap] = collected.items;
  const made = [first, second, third].map(
    (item) => item?.type === 'new' && item.expectation.tuple.dport,
  );
  expect(made).toEqual([1, 2, 3]);
  expect(gap).toMatchObject({ type: 'gap', reason: 'queue', queueDrops: 5, kernelDrops: 0 });
  const { since, until } = collected.gaps[0]!;
  expect(since).toBeLessThanOrEqual(until);
  const { delivered, queueDrops, gaps } = stream.statistics();
  expect(delivered + queueDrops).toBe(16);
  expect(gaps).toBe(collected.gaps.length);
});

test('what the kernel drops is counted to the last event', async () => {
  const COUNT = 1000;
  const ct = await quiet();
  const masters = Array.from({ length: COUNT }, (_, index) => masterFlow({ sport: 2000 + index }));
  await ct.createMany(masters);
  const collected = await Collected.of(ct, { receiveBuffer: 4096 });
  let sent = 0;
  // A flush announces all of them at once; the buffer has room for a few.
  for (let round = 0; round < 10 && collected.gaps.length === 0; round += 1) {
    for (const [index, master] of masters.entries()) await expecting(ct, master, 10_000 + index);
    await ct.expectations.flush();
    sent += 2 * COUNT;
    await waitFor('all of it', () => {
      const { received, kernelDrops, queued } = collected.stream.statistics();
      return queued === 0 && received + kernelDrops === sent;
    });
  }
  await waitFor('the gaps', () => {
    return collected.gaps.length === collected.stream.statistics().gaps;
  });
  expect(collected.gaps.length).toBeGreaterThan(0);
  const dropped = collected.gaps.reduce((all, { kernelDrops }) => all + kernelDrops, 0);
  expect(dropped).toBe(collected.stream.statistics().kernelDrops);
  expect(collected.changes.length + dropped).toBe(sent);
  expect(new Set(collected.gaps.map(({ reason }) => reason))).toEqual(new Set(['overrun']));
});

test('one by one, and the loop ends it', async () => {
  const ct = await quiet();
  const stream = await ct.expectations.events();
  const master = await createMaster(ct);
  await expecting(ct, master, 7);
  for await (const event of stream) {
    expect(event).toMatchObject({ type: 'new', expectation: { tuple: { dport: 7 } } });
    break;
  }
  expect(() => stream.batches()).toThrow(TypeError);
  await expecting(ct, master, 8);
  expect(stream.statistics().received).toBe(1);
});

test('in batches, until it is closed', async () => {
  const ct = await quiet();
  const stream = await ct.expectations.events();
  const master = await createMaster(ct);
  await expecting(ct, master, 7);
  const seen: ExpectationEvent[] = [];
  for await (const batch of stream.batches()) {
    seen.push(...batch);
    expect(batch.at(0)).toEqual(batch.item(0));
    expect(() => batch.at(batch.length)).toThrow(RangeError);
    stream.close();
  }
  expect(seen).toHaveLength(1);
});

test('a signal ends it with its reason', async () => {
  const ct = await quiet();
  const abort = new AbortController();
  const stream = await ct.expectations.events({ signal: abort.signal });
  const waiting = stream.batches().next();
  const reason = new Error('enough');
  abort.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(ct.expectations.events({ signal: abort.signal })).rejects.toBe(reason);
});

test('closing the Conntrack ends it', async () => {
  const ct = await quiet();
  const stream = await ct.expectations.events();
  const waiting = stream.batches().next();
  await ct.close();
  expect(await waiting).toEqual({ done: true, value: undefined });
  await expect(ct.expectations.list()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});
