/**
 * The event loop turns while the library works on a table of 200,000 flows. How long a turn takes depends on
 * the machine, and is printed; what is asserted is that there are many, and that none of them is a large
 * part of the work. Both are of the thread's own CPU time: it may also have to wait for a CPU.
 */
import { readFileSync } from 'node:fs';

import type { Conntrack, NewFlow } from '../../lib';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { syntheticTuple, testing } from '../support/testing';

const TABLE = 200_000;
const PART = 50_000;
/** A part of the work that no single turn should do. */
const LARGE = 0.5;
/** Flows in a batch of a listing, and in a slice of createMany(). */
const BATCH = 1024;

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
  namespace.run(() => testing.fill({ count: PART, mark: 1 }));
  namespace.run(() => testing.fill({ first: PART, count: TABLE - PART }));
});

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

/** CPU time of this thread, in ms. */
function cpuTime(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
}

/** Turns of the event loop; the next one is asked for in each. */
class Turns {
  count = 0;
  /** The longest of them, in ms of CPU time. */
  longest = 0;
  readonly #began = cpuTime();
  #last = this.#began;
  #turning = true;

  constructor() {
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    if (!this.#turning) return;
    this.#measure();
    this.count += 1;
    setImmediate(this.#turn);
  };

  #measure(): void {
    const now = cpuTime();
    this.longest = Math.max(this.longest, now - this.#last);
    this.#last = now;
  }

  /** Ends it; the CPU time of all turns, in ms. */
  stop(): number {
    this.#turning = false;
    this.#measure();
    return this.#last - this.#began;
  }
}

interface Turned {
  turns: number;
  /** The longest turn's part of the CPU time of all, from 0 to 1. */
  longest: number;
}

async function turnsDuring(what: string, call: () => Promise<unknown>): Promise<Turned> {
  const turns = new Turns();
  let all: number;
  try {
    await call();
  } finally {
    // The chain would keep the process alive.
    all = turns.stop();
  }
  const { count, longest } = turns;
  process.stdout.write(
    `${what}: ${count} turns in ${all.toFixed(0)} ms, the longest ${longest.toFixed(1)} ms\n`,
  );
  return { turns: count, longest: longest / all };
}

const numbered = (index: number): NewFlow => ({
  protocol: 'udp',
  orig: syntheticTuple(index),
  timeout: 1000,
});
const part = (): NewFlow[] => Array.from({ length: PART }, (_, index) => numbered(index));

/** At least one turn for each batch of so many. */
const batches = (count: number): number => Math.floor(count / BATCH) - 1;

test('a listing of all', async () => {
  let length = 0;
  const { turns, longest } = await turnsDuring('flows().toArray()', async () => {
    ({ length } = await ct.flows().toArray());
  });
  expect(length).toBe(TABLE);
  expect(turns).toBeGreaterThanOrEqual(batches(TABLE));
  expect(longest).toBeLessThan(LARGE);
});

test('a loop over all that awaits nothing else', async () => {
  let length = 0;
  const { turns, longest } = await turnsDuring('for await of flows()', async () => {
    for await (const flow of ct.flows()) length += flow.id >= 0 ? 1 : 0;
  });
  expect(length).toBe(TABLE);
  expect(turns).toBeGreaterThanOrEqual(batches(TABLE));
  expect(longest).toBeLessThan(LARGE);
});

test('a listing of few', async () => {
  const { turns } = await turnsDuring('flows({ mark }).count()', async () => {
    expect(await ct.flows({ mark: 7 }).count()).toBe(0);
  });
  expect(turns).toBeGreaterThan(20);
});

test('deleteWhere()', async () => {
  const { turns, longest } = await turnsDuring('deleteWhere() of 50,000', async () => {
    expect(await ct.deleteWhere({ mark: 1 })).toMatchObject({ deleted: PART });
  });
  expect(turns).toBeGreaterThan(20);
  expect(longest).toBeLessThan(LARGE);
});

test('deleteWhere() with receipts', async () => {
  const { turns, longest } = await turnsDuring(
    'deleteWhere() of 50,000 with receipts',
    async () => {
      const { flows } = await ct.deleteWhere({ mark: 1 }, { receipts: true });
      expect(flows).toHaveLength(PART);
    },
  );
  expect(turns).toBeGreaterThanOrEqual(batches(PART));
  expect(longest).toBeLessThan(LARGE);
});

test('deleteWhere() that is stopped', async () => {
  const controller = new AbortController();
  const { turns } = await turnsDuring('deleteWhere() that is stopped', async () => {
    const attempt = ct.deleteWhere({ not: { mark: 7 } }, { signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 100);
    await expect(attempt).rejects.toMatchObject({ name: 'AbortError' });
  });
  expect(turns).toBeGreaterThan(20);
});

test('updateWhere()', async () => {
  const { turns, longest } = await turnsDuring('updateWhere() of 50,000', async () => {
    const result = await ct.updateWhere({ mark: 1 }, { mark: 2, timeout: 9000 });
    expect(result).toMatchObject({ updated: PART });
  });
  expect(turns).toBeGreaterThan(20);
  expect(longest).toBeLessThan(LARGE);
});

test('createMany()', async () => {
  const flows = part();
  const { turns, longest } = await turnsDuring('createMany() of 50,000', async () => {
    expect(await ct.createMany(flows)).toMatchObject({ done: PART, gone: 0, failed: [] });
  });
  // One for each slice that is written, and one for each that is sent.
  expect(turns).toBeGreaterThanOrEqual(2 * batches(PART));
  expect(longest).toBeLessThan(LARGE);
});

test('createMany() of which all are refused', async () => {
  // A state that there is not; a helper that there is not would send the kernel looking for its module.
  const flows = part().map((flow) => ({ ...flow, protocol: 'tcp', state: '200' }));
  const { turns, longest } = await turnsDuring(
    'createMany() of 50,000 that are refused',
    async () => {
      expect((await ct.createMany(flows)).failed).toHaveLength(PART);
    },
  );
  expect(turns).toBeGreaterThanOrEqual(2 * batches(PART));
  expect(longest).toBeLessThan(LARGE);
});

test('deleteMany() of listed flows', async () => {
  const flows = await ct.flows({ mark: 1 }).toArray();
  const { turns, longest } = await turnsDuring('deleteMany() of 50,000', async () => {
    expect(await ct.deleteMany(flows)).toMatchObject({ done: PART, gone: 0, failed: [] });
  });
  expect(turns).toBeGreaterThanOrEqual(2 * batches(PART));
  expect(longest).toBeLessThan(LARGE);
});

test('flush() of a mark, and of everything', async () => {
  const some = await turnsDuring('flush({ mark })', () => ct.flush({ mark: 1 }));
  const all = await turnsDuring('flush()', () => ct.flush());
  for (const { turns, longest } of [some, all]) {
    expect(turns).toBeGreaterThan(20);
    expect(longest).toBeLessThan(LARGE);
  }
});

test('other calls are answered while a long one is under way', async () => {
  const state = { ended: false };
  const deleting = ct.deleteWhere({ protocol: 'tcp' }).finally(() => (state.ended = true));
  const creating = ct.createMany(part());
  let answers = 0;
  const key = { protocol: 'tcp', orig: syntheticTuple(0, 6) };
  for (; !state.ended; answers += 1) expect(await ct.get(key)).toBeUndefined();
  expect((await deleting).deleted).toBe(TABLE);
  expect((await creating).done).toBe(PART);
  expect(answers).toBeGreaterThan(5);
});
