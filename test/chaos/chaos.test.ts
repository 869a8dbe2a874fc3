/**
 * Creates, changes, deletes, flushes and real packets at random, with forced overruns: at rest every mirror
 * is the kernel's table, every stream of changes replays to it, and what each stream received and was told
 * to have lost is what was sent. `npm run test:chaos -- --seconds N --seed S` goes on for longer.
 */
import { writeFileSync } from 'node:fs';

import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { anySeed } from '../support/random';
import { chaos, noFigures, type Extent, type Place } from './chaos';

const { NFCONNTRACK_CHAOS_SECONDS, NFCONNTRACK_CHAOS_SEED, NFCONNTRACK_CHAOS_FIGURES } =
  process.env;
const SECONDS =
  NFCONNTRACK_CHAOS_SECONDS === undefined ? undefined : Number(NFCONNTRACK_CHAOS_SECONDS);
const FIRST_SEED =
  NFCONNTRACK_CHAOS_SEED === undefined ? anySeed() : Number(NFCONNTRACK_CHAOS_SEED);
const QUICK: Extent = { actions: 10, burst: 100, mirrors: 1 };
const LONG: Extent = { actions: 120, burst: 3000, mirrors: 2 };
const SEEDS = 100;

let place: Place;

beforeAll(async () => {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.track();
  place = { namespace, ct: await openIn(namespace) };
});
afterAll(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

async function run(seed: number, extent: Extent, figures = noFigures()): Promise<void> {
  const wrong = await chaos(seed, place, extent, figures).catch((error: unknown) => [
    String(error),
  ]);
  // The seed that repeats it.
  expect({ seed, wrong }).toEqual({ seed, wrong: [] });
}

if (SECONDS === undefined) {
  test(`${SEEDS} seeds from ${FIRST_SEED}`, async () => {
    const figures = noFigures();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await run(seed, QUICK, figures);
    expect(figures.seeds).toBe(SEEDS);
    // Without losses it would be no chaos.
    expect(figures.kernelDrops).toBeGreaterThan(0);
    expect(figures.queueDrops).toBeGreaterThan(0);
    expect(figures.synthetic).toBeGreaterThan(0);
    expect(figures.coalesced).toBeGreaterThan(0);
  }, 300_000);
} else {
  test(
    `${SECONDS} seconds from seed ${FIRST_SEED}`,
    async () => {
      const figures = noFigures();
      const end = performance.now() + 1000 * SECONDS;
      for (let seed = FIRST_SEED; performance.now() < end; seed++) await run(seed, LONG, figures);
      if (NFCONNTRACK_CHAOS_FIGURES !== undefined) {
        writeFileSync(NFCONNTRACK_CHAOS_FIGURES, JSON.stringify(figures));
      }
    },
    1000 * SECONDS + 120_000,
  );
}
