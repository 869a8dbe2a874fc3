/** updateWhere(): exactly the flows that a filter says are changed, and nothing else of them. */
import type { Conntrack, Filter, Flow, FlowChanges, NewFlow } from '../../lib';
import { ConntrackError } from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { anySeed, below, randomOf } from '../support/random';
import { anyFlow, anySaid, identityOf } from '../support/said';
import { peeksOf, useLabels } from '../support/shown';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';
import { without } from '../support/without';

const TIMEOUT = 1000;
const ENDS = { src: '10.0.0.1', dst: '10.0.0.2' };

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
});

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

const tcp = (sport: number, more: Partial<NewFlow> = {}): NewFlow => ({
  protocol: 'tcp',
  orig: { ...ENDS, sport, dport: 80 },
  state: 'ESTABLISHED',
  timeout: TIMEOUT,
  mark: 0x55,
  ...more,
});

/** A flow without what changes by itself. */
function settled(flow: Flow): Record<string, unknown> {
  return { ...without(flow.toJSON(), 'timeout', 'use') };
}

async function settledTable(): Promise<Map<string, Record<string, unknown>>> {
  const flows = await ct.flows().toArray();
  return new Map(flows.map((flow) => [identityOf(flow), settled(flow)]));
}

describe('random tables and filters', () => {
  test('the marks of exactly those change, and nothing else does', async () => {
    const seed = anySeed();
    const random = randomOf(seed);
    let telling = 0;
    const CASES = 60;
    try {
      for (let number = 0; number < CASES; number += 1) {
        if (number % 3 === 0) {
          namespace.run(testing.flush);
          await ct.createMany(Array.from({ length: 120 }, () => anyFlow(random)));
        }
        const { filter, holds } = anySaid(random);
        const mask = below(random, 2 ** 32);
        const value = (below(random, 2 ** 32) & mask) >>> 0;
        const flows = await ct.flows().toArray();
        const wanted = new Map<string, unknown>();
        for (const flow of flows) {
          const mark = holds(flow) ? ((flow.mark! & ~mask) | value) >>> 0 : flow.mark;
          wanted.set(identityOf(flow), { ...settled(flow), mark });
        }
        const matched = flows.filter(holds).length;
        if (matched > 0 && matched < flows.length) telling += 1;
        const result = await ct.updateWhere(filter, { mark: { value, mask } });
        const where = JSON.stringify(filter);
        expect({ where, ...result }).toMatchObject({
          ...{ where, matched, updated: matched, gone: 0, failed: 0, errors: [] },
        });
        expect({ where, table: await settledTable() }).toEqual({ where, table: wanted });
      }
    } catch (error) {
      throw new Error(`with the seed ${seed}`, { cause: error });
    }
    expect({ seed, telling: telling / CASES > 0.3 }).toEqual({ seed, telling: true });
  });
});

describe('each change', () => {
  const WINDOW = { value: 1, mask: 1 };
  const CHANGES: Record<string, [FlowChanges, (flow: Flow) => unknown, unknown]> = {
    'the timeout': [{ timeout: 90_000 }, (flow) => flow.timeout! > 80_000, true],
    'the mark': [{ mark: 7 }, (flow) => flow.mark, 7],
    'bits of the mark': [{ mark: { value: 2, mask: 3 } }, (flow) => flow.mark, 0x56],
    'a status flag': [{ status: ['ASSURED'] }, (flow) => flow.assured, true],
    'a status flag that is set': [{ status: { set: ['seenReply'] } }, (f) => f.seenReply, true],
    'the state': [{ tcp: { state: 'CLOSE_WAIT' } }, (flow) => flow.state, 'CLOSE_WAIT'],
    'window scales': [
      { tcp: { origWindowScale: 3, replyWindowScale: 4, origFlags: WINDOW, replyFlags: WINDOW } },
      (flow) => [flow.tcp?.origWindowScale, flow.tcp?.replyWindowScale],
      [3, 4],
    ],
    'sequence numbers': [
      { seqAdjust: { orig: { position: 1, offsetBefore: 2, offsetAfter: -3 } } },
      (flow) => flow.seqAdjust?.orig,
      { position: 1, offsetBefore: 2, offsetAfter: -3 },
    ],
    'what SYNPROXY remembers': [
      { synproxy: { isn: 1, its: 2, tsoff: 3 } },
      (flow) => flow.synproxy,
      { isn: 1, its: 2, tsoff: 3 },
    ],
    labels: [{ labels: [5, 99] }, (flow) => flow.labels, [5, 99]],
    'some labels': [{ labels: { set: [9], clear: [1] } }, (flow) => flow.labels, [2, 9]],
    'several things': [
      { mark: 1, labels: [], tcp: { state: 'CLOSE' } },
      (flow) => [flow.mark, flow.labels, flow.state],
      [1, undefined, 'CLOSE'],
    ],
  };

  test.each(Object.entries(CHANGES))('%s', async (_, [changes, of, wanted]) => {
    useLabels(namespace);
    const flows = Array.from({ length: 20 }, (__, sport) => tcp(sport, { labels: [1, 2] }));
    await ct.createMany(flows);
    await ct.createMany(flows.map((flow) => ({ ...flow, zone: 7 })));
    const before = await settledTable();
    const result = await ct.updateWhere({ zone: 7, orig: { sport: [0, 9] } }, changes);
    expect(result).toMatchObject({ matched: 10, updated: 10, gone: 0, failed: 0, errors: [] });
    for await (const flow of ct.flows({ zone: 7, orig: { sport: [0, 9] } })) {
      expect(of(flow)).toEqual(wanted);
    }
    const others = await ct.flows({ or: [{ zone: 0 }, { orig: { sport: [10, 19] } }] }).toArray();
    expect(others).toHaveLength(30);
    for (const flow of others) expect(settled(flow)).toEqual(before.get(identityOf(flow)));
  });

  test('of labels is seen by libnetfilter_conntrack', async () => {
    useLabels(namespace);
    await ct.createMany([tcp(1, { labels: [3] }), tcp(2)]);
    await ct.updateWhere({ protocol: 'tcp' }, { labels: { set: [127], clear: [3] } });
    for (const peek of peeksOf(namespace)) expect(peek.connlabels).toEqual([127]);
  });

  test('of the helper, to none', async () => {
    await ct.createMany([1, 2, 3].map((sport) => tcp(sport, { helper: 'ftp' })));
    await ct.create(tcp(4, { helper: 'irc' }));
    const result = await ct.updateWhere({ helper: 'ftp' }, { helper: '' });
    expect(result).toMatchObject({ updated: 3 });
    expect(listByCli(namespace).flatMap(({ helper = [] }) => helper)).toEqual(['irc']);
  });

  test('of a status starts from the status that each flow has', async () => {
    await ct.create(tcp(1, { nat: { src: { address: '192.0.2.1' } } }));
    await ct.create(tcp(2, { status: ['FIXED_TIMEOUT'] }));
    await ct.create(tcp(3, { status: ['SEEN_REPLY'], helper: 'ftp' }));
    await ct.create({ protocol: 'udp', orig: { ...ENDS, sport: 4, dport: 4 }, timeout: TIMEOUT });
    const before = new Map((await ct.flows().toArray()).map((flow) => [flow.id, flow.status]));
    const result = await ct.updateWhere({ address: ENDS.src }, { status: ['ASSURED'] });
    expect(result).toMatchObject({ matched: 4, updated: 4 });
    for (const flow of await ct.flows().toArray()) {
      expect(flow.status).toBe(before.get(flow.id)! | 4);
    }
  });

  test('of flows in zones of one direction', async () => {
    const back = { src: ENDS.dst, dst: ENDS.src, sport: 80, dport: 1 };
    await ct.create(tcp(1, { orig: { ...ENDS, sport: 1, dport: 80, zone: 5 }, reply: back }));
    await ct.create(tcp(1, { reply: { ...back, zone: 6 } }));
    await ct.create(tcp(1, { zone: 8 }));
    const change = async (filter: Filter, mark: number): Promise<void> => {
      expect(await ct.updateWhere(filter, { mark })).toMatchObject({ matched: 1, updated: 1 });
    };
    await change({ orig: { zone: 5 } }, 1);
    await change({ reply: { zone: 6 } }, 2);
    await change({ zone: 8 }, 3);
    const shown = listByCli(namespace).map(({ mark, orig, reply, zone }) => ({
      mark,
      zones: [orig.zone, reply.zone, zone],
    }));
    expect(shown).toHaveLength(3);
    expect(shown).toContainEqual({ mark: 1, zones: [5, undefined, undefined] });
    expect(shown).toContainEqual({ mark: 2, zones: [undefined, 6, undefined] });
    expect(shown).toContainEqual({ mark: 3, zones: [undefined, undefined, 8] });
  });

  test('of every kind of flow', async () => {
    const random = randomOf(anySeed());
    await ct.createMany(Array.from({ length: 3000 }, () => anyFlow(random)));
    const count = await ct.count();
    const result = await ct.updateWhere({ not: { mark: 12_345 } }, { mark: 12_345 });
    expect(result).toMatchObject({ matched: count, updated: count, failed: 0 });
    expect(listByCli(namespace).every(({ mark }) => mark === 12_345)).toBe(true);
  });
});

describe('what the kernel refuses', () => {
  test('fails for those flows alone', async () => {
    const flows = Array.from({ length: 100 }, (_, sport) =>
      tcp(sport, { status: sport % 4 === 0 ? ['FIXED_TIMEOUT'] : [] }),
    );
    await ct.createMany(flows);
    const { errors, ...rest } = await ct.updateWhere({ protocol: 'tcp' }, { timeout: 50_000 });
    expect(rest).toMatchObject({ matched: 100, updated: 75, gone: 0, failed: 25 });
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThanOrEqual(25);
    for (const error of errors) {
      expect(error).toBeInstanceOf(ConntrackError);
      expect(error).toMatchObject({ code: 'EPERM', hint: expect.stringMatching(/FIXED_TIMEOUT/) });
    }
    for (const { timeout, orig } of listByCli(namespace)) {
      expect(timeout! > TIMEOUT).toBe(orig.sport! % 4 !== 0);
    }
  });

  test('labels without a rule that uses them', async () => {
    namespace.run(() => testing.fill({ count: 5000 }));
    const { errors, ...rest } = await ct.updateWhere({ protocol: 'tcp' }, { labels: [1] });
    expect(rest).toMatchObject({ matched: 5000, updated: 0, gone: 0, failed: 5000 });
    expect(errors[0]).toMatchObject({ code: 'ENOSPC', hint: expect.stringContaining('ct label') });
    // The first few of so many are enough.
    expect(errors.length).toBeLessThan(100);
  });

  test.each<[string, FlowChanges, string]>([
    ['the state of TCP, of flows of UDP', { tcp: { state: 'CLOSE' } }, 'EOPNOTSUPP'],
    ['a bit that only the kernel sets', { status: { set: ['SRC_NAT'] } }, 'EBUSY'],
    ['a bit that nothing clears', { status: { clear: ['FIXED_TIMEOUT'] } }, 'EBUSY'],
  ])('or would pass over without a word: %s', async (_, changes, code) => {
    await ct.create({
      ...tcp(1, { protocol: 'udp', state: undefined }),
      status: ['FIXED_TIMEOUT'],
    });
    const before = await settledTable();
    const { errors, ...counts } = await ct.updateWhere({ mark: 0x55 }, changes);
    expect(counts).toMatchObject({ matched: 1, updated: 0, failed: 1 });
    expect(errors).toMatchObject([{ code }]);
    expect(await settledTable()).toEqual(before);
  });

  test('clearing ASSURED', async () => {
    await ct.create(tcp(1, { status: ['ASSURED'] }));
    const result = await ct.updateWhere({ protocol: 'tcp' }, { status: { clear: ['ASSURED'] } });
    expect(result).toMatchObject({ matched: 1, updated: 0, failed: 1 });
    expect(result.errors[0]).toMatchObject({ code: 'EBUSY' });
  });
});

describe('options', () => {
  beforeEach(() => {
    namespace.run(() => testing.fill({ count: 3000, mark: 1 }));
    namespace.run(() => testing.fill({ count: 100, family: 6, mark: 1 }));
  });

  const changed = async (): Promise<number> => ct.flows({ mark: 9 }).count();

  test('dryRun changes nothing', async () => {
    const result = await ct.updateWhere({ mark: 1 }, { mark: 9 }, { dryRun: true });
    expect(result).toMatchObject({ scanned: 3100, matched: 3100, updated: 0, failed: 0 });
    expect(await changed()).toBe(0);
  });

  test.each([1, 1024, 1025, 3000])('limit %i', async (limit) => {
    const result = await ct.updateWhere({ family: 'ipv4' }, { mark: 9 }, { limit });
    expect(result).toMatchObject({ matched: limit, updated: limit });
    expect(await changed()).toBe(limit);
  });

  test('progress', async () => {
    const told: object[] = [];
    await ct.updateWhere({ family: 'ipv6' }, { mark: 9 }, { progress: (now) => told.push(now) });
    expect(told.at(-1)).toMatchObject({ matched: 100, done: 100 });
  });

  test('a signal that is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('never mind'));
    const attempt = ct.updateWhere({ mark: 1 }, { mark: 9 }, { signal });
    await expect(attempt).rejects.toThrow('never mind');
    expect(await changed()).toBe(0);
  });

  test('a signal on the way, after which nothing more is changed', async () => {
    const COUNT = 100_000;
    for (let round = 0; round < 20; round += 1) {
      namespace.run(testing.flush);
      namespace.run(() => testing.fill({ count: COUNT, mark: 1 }));
      const controller = new AbortController();
      const { signal } = controller;
      const ended = expect(
        ct.updateWhere({ mark: 1 }, { mark: 9 }, { signal }),
      ).rejects.toMatchObject({ name: 'AbortError' });
      await waitFor(
        'the first changes',
        async () => (await ct.flows({ mark: 9 }, {}).count()) > 0,
        {
          interval: 1,
        },
      );
      controller.abort();
      await ended;
      const done = await changed();
      expect(await changed()).toBe(done);
      expect(await ct.count()).toBe(COUNT);
      if (done < COUNT) return;
    }
    throw new Error('it never ended on the way');
  });
});

test('fifty thousand flows of a table of more', async () => {
  namespace.run(() => testing.fill({ count: 50_000, mark: 1 }));
  namespace.run(() => testing.fill({ count: 20_000, family: 6 }));
  const result = await ct.updateWhere({ mark: 1 }, { mark: { value: 2, mask: 2 }, timeout: 9000 });
  expect(result).toMatchObject({ matched: 50_000, updated: 50_000, gone: 0, failed: 0 });
  expect(await ct.flows({ mark: 3, timeout: [4000, 9000] }).count()).toBe(50_000);
  expect(await ct.flows({ mark: 0, family: 'ipv6' }).count()).toBe(20_000);
});

test('flows that come and go meanwhile are not made anew', async () => {
  namespace.run(() => testing.fill({ count: 20_000 }));
  const running = namespace.run(() => new testing.Churn({ live: 4096, mark: 5 }));
  let gone = 0;
  try {
    await waitFor('flows of the churn', () => running.operations > 10_000);
    for (let round = 0; round < 200 && gone === 0; round += 1) {
      const result = await ct.updateWhere({ mark: [5, 6][round % 2]! }, { timeout: 5000 });
      expect(result.failed).toBe(0);
      expect(result.updated + result.gone).toBe(result.matched);
      gone += result.gone;
    }
  } finally {
    running.stop();
  }
  // What the churn left it has deleted: all that is there now is what was there before.
  expect(countByCli(namespace)).toBe(20_000);
  expect(gone).toBeGreaterThan(0);
});
