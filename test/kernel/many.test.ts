/** createMany(), addMany() and deleteMany(), against the same entries one by one. */
import {
  type Conntrack,
  ConntrackError,
  type FlowKey,
  type ManyResult,
  type NewFlow,
} from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { anySeed, below, pick, type Random, randomOf } from '../support/random';
import { replace } from '../support/replaced';
import { useLabels } from '../support/shown';
import { syntheticTuple, testing } from '../support/testing';

const MANY = 50_000;
const TIMEOUT = 1000;

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

const numbered = (index: number, more: Partial<NewFlow> = {}): NewFlow => ({
  protocol: 'tcp',
  orig: syntheticTuple(index, index % 2 === 0 ? 4 : 6),
  timeout: TIMEOUT,
  state: 'ESTABLISHED',
  ...more,
});

function range(count: number, make: (index: number) => NewFlow = numbered): NewFlow[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** What the kernel makes of one entry: 'done', 'gone', or the error's code. */
type Outcome = string;

/** The outcomes that a result tells of, by the entry's place; an entry that is not named is 'done'. */
function outcomesOf(result: ManyResult, count: number): Outcome[] {
  const outcomes = new Array<Outcome>(count).fill('done');
  for (const { index, error } of result.failed) outcomes[index] = error.code;
  return outcomes;
}

async function outcomeOf(attempt: Promise<unknown>): Promise<Outcome> {
  return attempt.then(
    (answer) => (answer === false ? 'gone' : 'done'),
    (error: unknown) => {
      if (error instanceof ConntrackError) return error.code;
      throw error;
    },
  );
}

/** One after the other: the requests of one Conntrack are answered in their order. */
async function oneByOne<Entry>(
  entries: readonly Entry[],
  attempt: (entry: Entry) => Promise<unknown>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let first = 0; first < entries.length; first += 1000) {
    const slice = entries.slice(first, first + 1000);
    outcomes.push(...(await Promise.all(slice.map((entry) => outcomeOf(attempt(entry))))));
  }
  return outcomes;
}

/** The whole table, as it has to be again in another namespace. */
async function tableOf(table: Conntrack): Promise<string[]> {
  const flows: string[] = [];
  for await (const { family, protonum, orig, zone, mark, state, status } of table.flows()) {
    const { src, sport, dport } = orig;
    flows.push([family, protonum, src, sport, dport, zone, mark, state, status].join(' '));
  }
  return flows.sort();
}

function tally(outcomes: readonly Outcome[]): Record<Outcome, number> {
  const counts: Record<Outcome, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** Entries of which the kernel refuses some, in random places, for several reasons. */
function mixed(random: Random, count: number): NewFlow[] {
  const nobody = { src: '203.0.113.1', dst: '203.0.113.2', sport: 1, dport: 2 };
  return range(count, (index) => {
    if (random() < 0.7) return numbered(index, { mark: index });
    const reasons: (() => NewFlow)[] = [
      // A tuple that an earlier entry has, or a later one wants.
      () => numbered(below(random, count), { status: pick(random, [[], ['ASSURED']]) }),
      () => numbered(index, { helper: index % 50 === 0 ? 'no-such-helper' : 'ftp' }),
      () => numbered(index, { state: '200' }),
      // Made and taken away again, so that nobody else is to want its tuple meanwhile.
      () => numbered(index, { labels: [1], zone: 60_000 }),
      () => numbered(index, { orig: syntheticTuple(index), master: nobody }),
      () => numbered(index, { zone: below(random, 3) }),
    ];
    return pick(random, reasons)();
  });
}

async function twin(): Promise<Conntrack> {
  return openIn(TestNamespace.create());
}

describe('fifty thousand entries, some of which the kernel refuses', () => {
  test.each([
    ['createMany', 'create'],
    ['addMany', 'add'],
  ] as const)('%s() does what as many %s() do', async (many, one) => {
    const seed = anySeed();
    const entries = mixed(randomOf(seed), MANY);
    const other = await twin();
    const wanted = await oneByOne(entries, (entry) => other[one](entry));
    const result = await ct[many](entries);
    const counts = tally(wanted);
    const got = outcomesOf(result, MANY);
    const wrong = got.flatMap((outcome, index) =>
      outcome === wanted[index] ? [] : [{ index, outcome, wanted: wanted[index] }],
    );
    expect({ seed, wrong: wrong.slice(0, 5) }).toEqual({ seed, wrong: [] });
    expect(result.done).toBe(counts['done']);
    expect(result.gone).toBe(0);
    expect(result.done + result.failed.length).toBe(MANY);
    const places = result.failed.map(({ index }) => index);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    for (const { index, error } of result.failed) {
      expect(error).toBeInstanceOf(ConntrackError);
      expect(error.message).toContain(`(flows[${index}])`);
    }
    // Without several reasons, thousands of times, nothing is shown.
    const reasons = Object.values(counts).filter((count) => count > 500);
    expect({ seed, reasons: reasons.length >= 4 }).toEqual({ seed, reasons: true });
    expect(await tableOf(ct)).toEqual(await tableOf(other));
    expect(countByCli(namespace)).toBe(await ct.count());
  });

  test('deleteMany() does what as many delete() do', async () => {
    const seed = anySeed();
    const random = randomOf(seed);
    const other = await twin();
    for (const table of [ct, other]) {
      expect((await table.createMany(range(MANY))).done).toBe(MANY);
    }
    const keys: FlowKey[] = range(MANY).map(() => {
      // Some twice, some that are not there, some by the reply, some with a wrong id.
      const { protocol, orig } = numbered(below(random, 1.2 * MANY));
      const reply = { src: orig.dst!, dst: orig.src!, sport: orig.dport, dport: orig.sport };
      const wrong: FlowKey = { protocol: protocol!, orig, id: 1 };
      const right: FlowKey[] = [
        { protocol: protocol!, orig },
        { protocol: protocol!, reply },
      ];
      return random() < 0.05 ? wrong : pick(random, right);
    });
    const wanted = await oneByOne(keys, (key) => other.delete(key));
    const result = await ct.deleteMany(keys);
    const counts = tally(wanted);
    expect({ seed, ...result }).toEqual({
      ...{ seed, done: counts['done'], gone: counts['gone'], failed: [] },
      missing: wanted.flatMap((what, index) => (what === 'gone' ? [index] : [])),
    });
    expect(counts['gone']).toBeGreaterThan(1000);
    expect(counts['done']).toBeGreaterThan(1000);
    expect(await tableOf(ct)).toEqual(await tableOf(other));
  });

  test('all of them good: made, listed by conntrack, and deleted as they were listed', async () => {
    expect(await ct.createMany(range(MANY))).toMatchObject({ done: MANY, gone: 0, failed: [] });
    expect(countByCli(namespace)).toBe(MANY);
    const listed = await ct.flows().toArray();
    expect(await ct.deleteMany(listed)).toMatchObject({ done: MANY, gone: 0, failed: [] });
    expect(countByCli(namespace)).toBe(0);
    expect(await ct.deleteMany(listed)).toMatchObject({ done: 0, gone: MANY, failed: [] });
  });

  test('all of them refused', async () => {
    const entries = range(3000, (index) => numbered(index, { state: '200' }));
    const { done, failed } = await ct.createMany(entries);
    expect(done).toBe(0);
    expect(failed.map(({ index }) => index)).toEqual(entries.map((_, index) => index));
    expect(countByCli(namespace)).toBe(0);
  });
});

describe('an entry that is refused leaves the others alone', () => {
  test('and its error is that of the single call', async () => {
    await ct.create(numbered(1));
    const single = await ct.create(numbered(1)).catch((error: unknown) => error);
    const { failed } = await ct.createMany([numbered(0), numbered(1), numbered(2)]);
    expect(failed).toHaveLength(1);
    const [{ index, error }] = failed as [ManyResult['failed'][number]];
    const { code, errno, syscall, hint } = single as ConntrackError;
    expect(index).toBe(1);
    expect(error).toMatchObject({ code, errno, syscall, hint });
    expect(code).toBe('EEXIST');
    expect(countByCli(namespace)).toBe(3);
  });

  test('with labels, for which the first of two has no room', async () => {
    // Made, found to have no room, and taken away: the second is not to meet it meanwhile.
    const entries = [numbered(0, { labels: [1] }), numbered(0, { mark: 2 })];
    const { done, failed } = await ct.createMany(entries);
    expect(failed.map(({ index, error }) => [index, error.code])).toEqual([[0, 'ENOSPC']]);
    expect(done).toBe(1);
    expect(listByCli(namespace)).toMatchObject([{ mark: 2 }]);
  });

  test('with labels, and room for them', async () => {
    useLabels(namespace);
    const entries = range(3000, (index) => numbered(index, { labels: [index % 128] }));
    expect((await ct.createMany(entries)).done).toBe(3000);
    for await (const flow of ct.flows()) {
      const { src } = flow.orig;
      const index = entries.findIndex((entry) => entry.orig.src === src);
      expect(flow.labels).toEqual([index % 128]);
    }
    expect((await ct.addMany(entries)).done).toBe(3000);
  });
});

describe('one wrong entry', () => {
  const port = numbered(0, { orig: { ...syntheticTuple(0), dport: 65536 } });
  const wrong: [unknown, RegExp][] = [
    [null, /must be an object, not null$/],
    [undefined, /must be an object, not undefined$/],
    [port, /\.orig\.dport must be an integer from 0 to 65535/],
    [{ ...numbered(0), timeout: undefined }, /\.timeout is missing/],
    [{ ...numbered(0), makr: 1 }, /\.makr is not known/],
  ];

  test.each([0, 1023, 1024, MANY - 1])('at %i keeps all from being made', async (at) => {
    for (const [entry, message] of wrong) {
      const entries: unknown[] = range(Math.max(2000, at + 1));
      entries[at] = entry;
      const attempt = ct.createMany(entries as NewFlow[]);
      await expect(attempt).rejects.toThrow(new RegExp(`^flows\\[${at}\\]`));
      await expect(attempt).rejects.toThrow(message);
    }
    expect(countByCli(namespace)).toBe(0);
  });

  test('of deleteMany() keeps all from being deleted', async () => {
    await ct.createMany(range(3000));
    const keys = range(3000).map(({ protocol, orig }) => ({ protocol, orig })) as FlowKey[];
    const missing = { protocol: 'tcp', orig: { src: '10.0.0.1', dst: '10.0.0.2', sport: 1 } };
    await expect(ct.deleteMany([...keys, missing as FlowKey])).rejects.toThrow(
      /^keys\[3000\]\.orig\.dport is missing/,
    );
    expect(countByCli(namespace)).toBe(3000);
  });

  test('that is a hole in the array', async () => {
    const entries = range(10);
    Reflect.deleteProperty(entries, 4);
    await expect(ct.createMany(entries)).rejects.toThrow(/^flows\[4\] must be an object/);
    expect(countByCli(namespace)).toBe(0);
  });
});

describe('iterables', () => {
  function* generated(count: number): Generator<NewFlow> {
    for (let index = 0; index < count; index += 1) yield numbered(index);
  }

  test.each<[string, () => Iterable<NewFlow>]>([
    ['an array', () => range(2500)],
    ['a frozen array', () => Object.freeze(range(2500))],
    ['a set', () => new Set(range(2500))],
    ['the values of a map', () => new Map(range(2500).map((flow, i) => [i, flow])).values()],
    ['a generator', () => generated(2500)],
    ['an iterable of its own', () => ({ [Symbol.iterator]: () => generated(2500) })],
  ])('%s', async (_, entries) => {
    expect(await ct.createMany(entries())).toMatchObject({ done: 2500, gone: 0, failed: [] });
    expect(countByCli(namespace)).toBe(2500);
    expect(await ct.deleteMany(entries() as Iterable<FlowKey>)).toMatchObject({ done: 2500 });
  });

  test('none at all', async () => {
    const progress = jest.fn();
    for (const entries of [[], new Set<NewFlow>(), generated(0)]) {
      expect(await ct.createMany(entries, { progress })).toMatchObject({
        done: 0,
        gone: 0,
        failed: [],
      });
    }
    expect(progress).not.toHaveBeenCalled();
  });

  test('the batches of a listing', async () => {
    await ct.createMany(range(5000));
    let done = 0;
    for await (const batch of ct.flows({ family: 'ipv6' }).batches()) {
      done += (await ct.deleteMany(batch)).done;
    }
    expect(done).toBe(2500);
    expect(await ct.flows({ family: 'ipv6' }).count()).toBe(0);
    expect(countByCli(namespace)).toBe(2500);
  });

  test('one that throws half-way', async () => {
    function* broken(): Generator<NewFlow> {
      yield* generated(5000);
      throw new Error('out of flows');
    }
    await expect(ct.createMany(broken())).rejects.toThrow('out of flows');
    expect(countByCli(namespace)).toBe(0);
  });

  test('an array that is emptied or filled meanwhile is taken as it was', async () => {
    const entries = range(5000);
    const emptied = ct.createMany(entries);
    entries.length = 0;
    expect(await emptied).toMatchObject({ done: 5000, gone: 0, failed: [] });
    const more = range(3000, (index) => numbered(index, { zone: 1 }));
    const filled = ct.createMany(more);
    more.push(...range(3000, (index) => numbered(index, { zone: 2 })));
    expect(await filled).toMatchObject({ done: 3000, gone: 0, failed: [] });
    expect(countByCli(namespace)).toBe(8000);
  });
});

describe('progress', () => {
  test.each(['createMany', 'addMany', 'deleteMany'] as const)('of %s()', async (many) => {
    if (many === 'deleteMany') await ct.createMany(range(MANY));
    const told: { done: number; total: number }[] = [];
    const progress = (now: { done: number; total: number }): unknown => told.push({ ...now });
    const entries = range(MANY) as (NewFlow & FlowKey)[];
    await ct[many](entries, { progress });
    expect(told.length).toBeGreaterThan(MANY / 2000);
    expect(told.at(-1)).toEqual({ done: MANY, total: MANY });
    for (const [index, { done, total }] of told.entries()) {
      expect(total).toBe(MANY);
      expect(done).toBeGreaterThan(told[index - 1]?.done ?? 0);
    }
  });

  test('that throws ends it, and what is done stays done', async () => {
    const broken = new Error('nobody listens');
    let done = 0;
    const progress = (now: { done: number }): void => {
      done = now.done;
      if (done > 5000) throw broken;
    };
    await expect(ct.createMany(range(MANY), { progress })).rejects.toBe(broken);
    expect(done).toBeLessThan(MANY);
    expect(countByCli(namespace)).toBe(done);
  });
});

describe('a signal', () => {
  test.each(['createMany', 'addMany', 'deleteMany'] as const)(
    'ends %s() between two slices, and what is done stays done',
    async (many) => {
      if (many === 'deleteMany') await ct.createMany(range(MANY));
      const controller = new AbortController();
      let done = 0;
      const progress = (now: { done: number }): void => {
        done = now.done;
        if (done > 10_000) controller.abort(new Error('enough'));
      };
      const { signal } = controller;
      const entries = range(MANY) as (NewFlow & FlowKey)[];
      await expect(ct[many](entries, { progress, signal })).rejects.toThrow('enough');
      expect(done).toBeGreaterThan(10_000);
      expect(done).toBeLessThan(12_500);
      expect(countByCli(namespace)).toBe(many === 'deleteMany' ? MANY - done : done);
    },
  );

  test('that is aborted already, or before anything is sent', async () => {
    const reason = { just: 'because' };
    const already = AbortSignal.abort(reason);
    await expect(ct.createMany(range(10), { signal: already })).rejects.toBe(reason);
    const controller = new AbortController();
    const attempt = ct.createMany(range(MANY), { signal: controller.signal });
    controller.abort();
    await expect(attempt).rejects.toMatchObject({ name: 'AbortError' });
    expect(countByCli(namespace)).toBe(0);
  });

  test('of another call does not matter', async () => {
    const controller = new AbortController();
    const [stopped, other] = await Promise.allSettled([
      ct.createMany(range(MANY), {
        signal: controller.signal,
        progress: () => {
          controller.abort();
        },
      }),
      ct.createMany(range(20_000, (index) => numbered(index, { zone: 1 }))),
    ]);
    expect(stopped).toMatchObject({ status: 'rejected', reason: { name: 'AbortError' } });
    expect(other).toMatchObject({ status: 'fulfilled', value: { done: 20_000, failed: [] } });
    expect(await ct.flows({ zone: 1 }).count()).toBe(20_000);
  });
});

test('several at a time, and single calls between them', async () => {
  const zones = [1, 2, 3, 4];
  const made = zones.map((zone) =>
    ct.createMany(range(10_000, (index) => numbered(index, { zone }))),
  );
  await ct.create(numbered(0));
  expect(await ct.delete(numbered(0) as FlowKey)).toBe(true);
  for (const result of await Promise.all(made)) {
    expect(result).toMatchObject({ done: 10_000, gone: 0, failed: [] });
  }
  for (const zone of zones) expect(await ct.flows({ zone }).count()).toBe(10_000);
  expect(countByCli(namespace)).toBe(40_000);
});

test('close() meanwhile ends it with an error, and no slice is done by halves', async () => {
  let done = 0;
  let closing: Promise<void> | undefined;
  const progress = (now: { done: number }): void => {
    done = now.done;
    if (done > 5000) closing ??= ct.close();
  };
  await expect(ct.createMany(range(MANY), { progress })).rejects.toMatchObject({
    code: 'ERR_CLOSED',
  });
  await closing;
  expect(countByCli(namespace)).toBe(done);
});

test('deleteMany() leaves alone what has taken the place of a listed flow', async () => {
  await ct.createMany(range(2000));
  const listed = await ct.flows().toArray();
  const replaced = listed[1234]!;
  const made: NewFlow = { ...numbered(0), orig: replaced.orig, mark: 9 };
  await replace(ct, replaced, made);
  const decoys = await ct.flows({ zone: 60_000 }).count();
  expect(await ct.deleteMany(listed)).toEqual({
    ...{ done: 1999, gone: 1, missing: [1234], failed: [] },
  });
  expect(listByCli(namespace)).toHaveLength(1 + decoys);
  expect(await ct.flows({ mark: 9 }).count()).toBe(1);
});

test('what is in the table already', async () => {
  namespace.run(() => testing.fill({ count: 3000 }));
  const entries = range(6000, (index) => numbered(index, { orig: syntheticTuple(index) }));
  const { done, failed } = await ct.createMany(entries);
  expect(done).toBe(3000);
  expect(failed.map(({ index, error }) => [index, error.code])).toEqual(
    Array.from({ length: 3000 }, (_, index) => [index, 'EEXIST']),
  );
});
