/** A mirror is the kernel's table: found by both tuples, filtered, followed, refused beyond its limit. */
import { setTimeout as sleep } from 'node:timers/promises';

import type {
  Conntrack,
  Filter,
  Flow,
  Mirror,
  MirrorChange,
  MirrorChanges,
  MirrorOptions,
} from '../../lib';
import { contentOf, differences, Replay } from '../chaos/content';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';

const KEY = {
  protocol: 'tcp',
  orig: { src: '10.0.0.1', dst: '10.0.0.2', sport: 1000, dport: 80 },
};

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  ct = await openIn(namespace);
});
afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

/** A mirror without listings that nothing asks for. */
function mirrorOf(filter?: Filter, options: MirrorOptions = {}): Promise<Mirror> {
  return ct.mirror(filter, { resyncInterval: 0, ...options });
}

function fill(count: number, first = 0): void {
  expect(namespace.run(() => testing.fill({ count, first }))).toBe(count);
}

async function reaches(mirror: Mirror, size: number): Promise<void> {
  await waitFor(`${size} flows`, () => mirror.size === size);
}

async function expectEqual(mirror: Mirror, filter?: Filter): Promise<void> {
  const expected = contentOf(await ct.flows(filter).toArray());
  expect(differences(expected, contentOf(mirror.where()))).toEqual([]);
  expect(mirror.size).toBe(expected.size);
}

/** The next `count` changes, as short lines. */
async function next(changes: AsyncIterator<MirrorChange>, count: number): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < count) {
    const { value, done } = await changes.next();
    if (done === true) throw new Error(`ended after ${lines.join()}`);
    const { type, flow, before, synthetic } = value;
    const marks = [before?.mark, flow.mark].filter((mark) => mark !== undefined).join('>');
    lines.push(`${type} ${flow.orig.sport} ${marks}${synthetic ? ' synthetic' : ''}`);
  }
  return lines;
}

describe('finds', () => {
  test('every flow by its original and by its reply tuple', async () => {
    fill(5000);
    namespace.run(() => testing.fill({ count: 500, family: 6, proto: 17 }));
    const mirror = await mirrorOf();
    expect(mirror.consistent).toBe(true);
    const flows = await ct.flows().toArray();
    expect(flows).toHaveLength(5500);
    for (const flow of flows) {
      const { src = '', dst = '', sport, dport } = flow.orig;
      const { protocol } = flow;
      const reply = { src: dst, dst: src, sport: dport, dport: sport };
      expect(mirror.get({ protocol, orig: { src, dst, sport, dport } })?.id).toBe(flow.id);
      expect(mirror.get({ protocol, reply })?.id).toBe(flow.id);
      expect(mirror.get(flow)?.id).toBe(flow.id);
    }
    await expectEqual(mirror);
  });

  test('nothing where the kernel finds nothing, and refuses what ct.get() refuses', async () => {
    const mirror = await mirrorOf();
    expect(mirror.get(KEY)).toBeUndefined();
    const wrong = [
      {},
      { protocol: 'tcp' },
      { protocol: 'tcp', orig: { src: '1.2.3', dst: '1.2.3.4', sport: 1, dport: 2 } },
      { protocol: 'tcp', orig: { src: '1.2.3.04', dst: '1.2.3.4', sport: 1, dport: 2 } },
      { protocol: 'tcp', orig: { src: '1.2.3.4', dst: '1.2.3.4', sport: 65536, dport: 2 } },
      { protocol: 'tcp', orig: { src: '1.2.3.4', dst: '1.2.3.4', sport: 1 } },
      { protocol: 'tcp', orig: null, reply: KEY.orig },
    ];
    for (const key of wrong) {
      const refusal = await ct.get(key as never).then(
        () => undefined,
        (error: unknown) => String(error),
      );
      expect(refusal).toMatch(/^(Type|Range)Error/);
      expect(() => mirror.get(key as never)).toThrow(refusal?.replace(/^\w+: /, ''));
    }
  });

  test('flows by their zone, of both directions or of one', async () => {
    const tuple = KEY.orig;
    await ct.create({ ...KEY, timeout: 600, mark: 1 });
    await ct.create({ ...KEY, timeout: 600, mark: 2, zone: 7 });
    await ct.create({
      ...KEY,
      orig: { ...tuple, zone: 9 },
      reply: { ...back(tuple), sport: 81 },
      timeout: 600,
      mark: 3,
    });
    const mirror = await mirrorOf();
    const keys = [
      KEY,
      { ...KEY, zone: 7 },
      { ...KEY, orig: { ...tuple, zone: 9 } },
      { ...KEY, zone: 8 },
      { ...KEY, zone: 9 },
      { protocol: 'tcp', reply: back(tuple) },
      { protocol: 'tcp', reply: back(tuple), zone: 7 },
      { protocol: 'tcp', reply: { ...back(tuple), sport: 81 } },
      { protocol: 'tcp', reply: { ...back(tuple), sport: 81 }, zone: 9 },
      // The kernel looks in both directions, whatever the key calls them.
      { protocol: 'tcp', orig: back(tuple) },
    ];
    for (const key of keys) {
      expect([key, mirror.get(key)?.mark]).toEqual([key, (await ct.get(key))?.mark]);
    }
    expect(keys.slice(0, 3).map((key) => mirror.get(key)?.mark)).toEqual([1, 2, 3]);
  });

  test('flows with ICMP ids, GRE keys, labels, helpers and times', async () => {
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.sysctl('nf_conntrack_timestamp', 1);
    const icmp = { src: '10.0.0.1', dst: '10.0.0.2', icmpType: 8, icmpCode: 0, icmpId: 77 };
    await ct.create({ protocol: 'icmp', orig: icmp, timeout: 600 });
    await ct.create({ ...KEY, timeout: 600 });
    const mirror = await mirrorOf();
    expect(mirror.get({ protocol: 'icmp', orig: icmp })?.orig.icmpId).toBe(77);
    const flow = mirror.get(KEY);
    expect(flow?.orig.packets).toBe(0);
    expect(flow?.timestamps?.start).toBeGreaterThan(1e12);
    expect(flow?.knownSince).toBeGreaterThan(1e12);
    expect(flow?.countersKnownSince).toBe(flow?.knownSince);
    // An event renews the rest, and not the counters.
    await ct.update(KEY, { mark: 5 });
    await waitFor('the mark', () => mirror.get(KEY)?.mark === 5);
    const updated = mirror.get(KEY);
    expect(updated?.countersKnownSince).toBe(flow?.countersKnownSince);
    expect(updated?.knownSince).toBeGreaterThan(flow?.knownSince ?? Infinity);
    expect(updated?.timestamps).toEqual(flow?.timestamps);
  });
});

function back({ src, dst, sport, dport }: typeof KEY.orig): typeof KEY.orig {
  return { src: dst, dst: src, sport: dport, dport: sport };
}

describe('follows', () => {
  test('flows that come, change and go', async () => {
    const mirror = await mirrorOf();
    const changes = mirror.changes();
    await ct.create({ ...KEY, timeout: 600 });
    await ct.update(KEY, { mark: 7 });
    await ct.delete(KEY);
    expect(await next(changes, 3)).toEqual(['add 1000 0', 'change 1000 0>7', 'remove 1000 7']);
    expect(mirror.size).toBe(0);
  });

  test('a mark that is taken away', async () => {
    await ct.create({ ...KEY, timeout: 600, mark: 3 });
    const mirror = await mirrorOf();
    const changes = mirror.changes();
    await ct.update(KEY, { mark: 0 });
    expect(await next(changes, 1)).toEqual(['change 1000 3>0']);
    await expectEqual(mirror);
  });

  test('a flow that enters and leaves what the filter matches', async () => {
    const mirror = await mirrorOf({ mark: 1 });
    const changes = mirror.changes();
    await ct.create({ ...KEY, timeout: 600, mark: 2 });
    await ct.update(KEY, { mark: 1 });
    expect(await next(changes, 1)).toEqual(['add 1000 1']);
    expect(mirror.get(KEY)?.mark).toBe(1);
    await ct.update(KEY, { mark: 4 });
    // With the state that it left for.
    expect(await next(changes, 1)).toEqual(['remove 1000 4']);
    expect(mirror.get(KEY)).toBeUndefined();
    expect(mirror.statistics()).toMatchObject({ flows: 0, kept: 1 });
  });

  test('only flows that may come to match are kept', async () => {
    fill(100);
    namespace.run(() => testing.fill({ count: 50, proto: 17 }));
    const mirror = await mirrorOf({ protocol: 'udp', mark: 1 });
    expect(mirror.statistics()).toMatchObject({ flows: 0, kept: 50 });
    expect((await ct.updateWhere({ orig: { dport: 80 } }, { mark: 1 })).matched).toBe(150);
    await reaches(mirror, 50);
    await expectEqual(mirror, { protocol: 'udp', mark: 1 });
  });

  test('several streams of changes, each from its own beginning', async () => {
    const mirror = await mirrorOf();
    const first = mirror.changes();
    fill(10);
    await reaches(mirror, 10);
    const second = mirror.changes();
    fill(5, 10);
    await reaches(mirror, 15);
    const numbers = (lines: string[]): string[] => lines.map((line) => line.split(' ')[1]!);
    expect(numbers(await next(first, 15))).toEqual(
      Array.from({ length: 15 }, (_, i) => `${1024 + i}`),
    );
    expect(numbers(await next(second, 5))).toEqual(
      Array.from({ length: 5 }, (_, i) => `${1034 + i}`),
    );
  });

  test('what does not fit a queue is put together, and replays to the same', async () => {
    const mirror = await mirrorOf();
    const changes = mirror.changes({ queue: 5 });
    const replay = new Replay();
    fill(2000);
    namespace.run(() => testing.unfill({ count: 500 }));
    await reaches(mirror, 1500);
    expect(changes.statistics().coalesced).toBeGreaterThan(0);
    await replayAll(changes, replay);
    expect(replay.misfits).toEqual([]);
    expect(differences(contentOf(mirror.where()), replay.content)).toEqual([]);
  });

  test('a table that is flushed, told with the last counters', async () => {
    namespace.sysctl('nf_conntrack_acct', 1);
    fill(3000);
    const mirror = await mirrorOf();
    const changes = mirror.changes();
    namespace.run(testing.flush);
    const lines = await next(changes, 3000);
    expect(new Set(lines.map((line) => line.replace(/ \d+ /, ' ')))).toEqual(new Set(['remove 0']));
    expect(mirror.size).toBe(0);
  });
});

describe('after a loss', () => {
  test('is inconsistent, compares, and tells what is missing', async () => {
    fill(20_000);
    const mirror = await mirrorOf(undefined, { receiveBuffer: 4096 });
    const changes = mirror.changes();
    const replay = new Replay();
    for (const flow of mirror.where()) replay.content.set(...entryOf(flow));
    namespace.run(() => testing.unfill({ count: 15_000 }));
    fill(5000, 20_000);
    await waitFor('consistency', () => mirror.consistent && mirror.statistics().gaps > 0);
    await expectEqual(mirror);
    await replayAll(changes, replay);
    expect(differences(contentOf(mirror.where()), replay.content)).toEqual([]);
    expect(replay.misfits).toEqual([]);
    expect(replay.synthetic).toBeGreaterThan(0);
    const { received, kernelDrops, dumps } = mirror.statistics();
    expect(received + kernelDrops).toBe(20_000);
    expect(dumps).toBeGreaterThan(1);
  });

  test('grows the receive buffer, as far as it may', async () => {
    const limit = 64 * 4096;
    const mirror = await mirrorOf(undefined, { receiveBuffer: 4096, maxReceiveBuffer: limit });
    for (let first = 0; first < 40_000; first += 4000) {
      fill(4000, first);
      await waitFor('consistency', () => mirror.consistent);
    }
    expect(mirror.statistics().receiveBuffer).toBeGreaterThan(4096);
    expect(mirror.statistics().receiveBuffer).toBeLessThanOrEqual(limit);
  });
});

/** Applies what there is, at rest. */
async function replayAll(changes: MirrorChanges, replay: Replay): Promise<void> {
  for await (const batch of changes.batches()) {
    for (const change of batch) replay.apply(change);
    if (changes.statistics().queued === 0) break;
  }
}

function entryOf(flow: Flow): [string, string] {
  return [...contentOf([flow])][0]!;
}

describe('flows that never announce themselves', () => {
  test('are found, and found gone, by a listing that nothing asks for', async () => {
    namespace.sysctl('nf_conntrack_events', 0);
    const mirror = await mirrorOf(undefined, { resyncInterval: 20 });
    const changes = mirror.changes();
    await ct.create({ ...KEY, timeout: 600, mark: 1 });
    expect(await next(changes, 1)).toEqual(['add 1000 1 synthetic']);
    await ct.update(KEY, { mark: 2 });
    expect(await next(changes, 1)).toEqual(['change 1000 1>2 synthetic']);
    await ct.delete(KEY);
    expect(await next(changes, 1)).toEqual(['remove 1000 2 synthetic']);
    expect(mirror.statistics()).toMatchObject({ gaps: 0, synthetic: 3, received: 0 });
    expect(mirror.consistent).toBe(true);
  });

  test('have counters that are renewed, and no change is told of them', async () => {
    namespace.sysctl('nf_conntrack_acct', 1);
    fill(10);
    const mirror = await mirrorOf(undefined, { resyncInterval: 10 });
    const changes = mirror.changes();
    const [flow] = mirror.where().toArray();
    await waitFor('newer counters', () => {
      const now = flow && mirror.get(flow);
      return (now?.countersKnownSince ?? 0) > (flow?.countersKnownSince ?? Infinity);
    });
    expect(changes.statistics()).toMatchObject({ received: 0, queued: 0 });
  });
});

describe('its limit', () => {
  test('refuses a table that is too large to begin with', async () => {
    fill(101);
    await expect(mirrorOf(undefined, { maxFlows: 100 })).rejects.toMatchObject({
      name: 'ConntrackError',
      code: 'ENOSPC',
      hint: expect.stringContaining('maxFlows') as string,
    });
    const mirror = await mirrorOf(undefined, { maxFlows: 101 });
    expect(mirror.size).toBe(101);
  });

  test('ends a mirror whose table outgrows it, with a reason', async () => {
    const mirror = await mirrorOf(undefined, { maxFlows: 100 });
    const changes = mirror.changes();
    fill(101);
    await expect(next(changes, 200)).rejects.toMatchObject({ code: 'ENOSPC' });
    // The stream ends a moment before the mirror can say why it did.
    for (let tries = 0; tries < 100 && !whyEnded(mirror).includes('maxFlows'); tries += 1)
      await sleep(10);
    expect(() => mirror.get(KEY)).toThrow(/maxFlows/);
    expect(() => mirror.size).toThrow(/maxFlows/);
    expect(() => mirror.where().toArray()).toThrow(/maxFlows/);
    expect(mirror.consistent).toBe(false);
  });

  test('does not count what the filter leaves out for ever', async () => {
    fill(500);
    const mirror = await mirrorOf({ protocol: 'udp' }, { maxFlows: 10 });
    expect(mirror.size).toBe(0);
  });
});

function whyEnded(mirror: Mirror): string {
  try {
    return String(mirror.size);
  } catch (error) {
    return (error as Error).message;
  }
}

describe('its end', () => {
  test.each(['close', 'asyncDispose', 'ct.close', 'signal', 'return'] as const)(
    'by %s',
    async (how) => {
      const abort = new AbortController();
      const mirror = await mirrorOf(undefined, { signal: abort.signal });
      const changes = mirror.changes();
      const waiting = changes.next();
      await sleep(5);
      if (how === 'close') await mirror.close();
      if (how === 'asyncDispose') await mirror[Symbol.asyncDispose]();
      if (how === 'ct.close') await ct.close();
      if (how === 'return') await changes.return();
      if (how === 'signal') {
        abort.abort(new Error('enough'));
        await expect(waiting).rejects.toThrow('enough');
      } else {
        expect(await waiting).toMatchObject({ done: true });
      }
      if (how === 'return') {
        expect(mirror.size).toBe(0);
      } else {
        expect(() => mirror.size).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
        expect(() => mirror.changes()).toThrow();
        expect(mirror.statistics().flows).toBe(0);
      }
    },
  );

  test('refuses a signal that is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(mirrorOf(undefined, { signal })).rejects.toThrow('too late');
  });
});

test.each([4, 6] as const)(
  'takes less than 200 bytes a flow of IPv%d, with counters and times',
  async (family) => {
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.sysctl('nf_conntrack_timestamp', 1);
    const count = 20_000;
    namespace.run(() => testing.fill({ count, family }));
    const mirror = await mirrorOf();
    expect(mirror.statistics().kept).toBe(count);
    expect(mirror.statistics().bytes / count).toBeLessThan(200);
    namespace.run(testing.flush);
    await reaches(mirror, 0);
    // What is not needed any more is given back, but for the index.
    expect(mirror.statistics().bytes / count).toBeLessThan(20);
  },
);

test.each([
  [{ maxFlows: 0 }, /options\.maxFlows/],
  [{ maxFlows: '5' }, /options\.maxFlows/],
  [{ resyncInterval: -1 }, /options\.resyncInterval/],
  [{ receiveBuffer: 1 }, /options\.receiveBuffer/],
  [{ receiveBuffer: 8192, maxReceiveBuffer: 4096 }, /options\.maxReceiveBuffer/],
  [{ reliable: 1 }, /options\.reliable/],
  [{ signal: {} }, /options\.signal/],
  [{ maxflows: 5 }, /options\.maxflows/],
])('refuses %j', async (options, message) => {
  await expect(ct.mirror(undefined, options as never)).rejects.toThrow(message);
});

test('where() gives what its filter matches, exactly once, while the table changes', async () => {
  fill(20_000);
  const mirror = await mirrorOf();
  const seen = new Map<number, number>();
  let batches = 0;
  for (const batch of mirror.where({ protocol: 'tcp' }).batches()) {
    batches += 1;
    for (const flow of batch) seen.set(flow.id, (seen.get(flow.id) ?? 0) + 1);
    // Changed, and others made, in the middle of the loop.
    if (batches === 5) fill(10_000, 20_000);
  }
  expect(batches).toBeGreaterThan(5);
  const there = await ct.flows().toArray();
  const numbers = there
    .filter((flow) => (flow.orig.sport ?? 0) < 21_024)
    .map(({ id }) => seen.get(id));
  expect(new Set(numbers)).toEqual(new Set([1]));
  expect(mirror.where({ orig: { sport: 1024 } }).toArray()).toHaveLength(1);
  expect(mirror.where({ protocol: 'udp' }).count()).toBe(0);
});
