/** Counts and statistics, against conntrack(8) and the kernel's own files. */
import { readFileSync } from 'node:fs';

import type { Conntrack, CpuStats } from '../../lib';
import { countByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { Protonum } from '../support/packets';
import { testing } from '../support/testing';
import { ping, sendPacket } from '../support/traffic';

const HOME = '127.0.0.1';

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

/** conntrack(8) writes names with underscores. */
const NAMES: Record<string, keyof CpuStats> = {
  cpu: 'cpu',
  found: 'found',
  invalid: 'invalid',
  insert: 'insert',
  insert_failed: 'insertFailed',
  drop: 'drop',
  early_drop: 'earlyDrop',
  error: 'error',
  search_restart: 'searchRestart',
  clash_resolve: 'clashResolve',
  clash_resolved: 'clashResolve',
  chaintoolong: 'chainTooLong',
};

/** `conntrack -S`: one line a CPU; what it does not know by name it leaves out. */
function statsByCli(): CpuStats[] {
  const lines = namespace.exec('conntrack', ['-S']).trim().split('\n');
  return lines.map((line) => {
    const words = line
      .trim()
      .split(/\s+/)
      .map((word) => word.split('='));
    const known = words.filter(([name = '']) => name in NAMES);
    return Object.fromEntries(known.map(([name, value]) => [NAMES[name!], Number(value)])) as never;
  });
}

const sum = (stats: CpuStats[], name: keyof CpuStats): number =>
  stats.reduce((total, cpu) => total + (cpu[name] ?? 0), 0);

test('count() is the number of flows', async () => {
  expect(await ct.count()).toBe(0);
  namespace.run(() => testing.fill({ count: 1234 }));
  expect(await ct.count()).toBe(1234);
  expect(countByCli(namespace)).toBe(1234);
  namespace.run(() => testing.unfill({ count: 234 }));
  expect(await ct.count()).toBe(1000);
});

test('limits() are the table and the sysctl', async () => {
  namespace.run(() => testing.fill({ count: 10 }));
  const max = Number(namespace.sysctl('nf_conntrack_max'));
  expect(max).toBeGreaterThan(0);
  expect(await ct.limits()).toEqual({ entries: 10, max });
});

test('they are of one namespace', async () => {
  const other = TestNamespace.create();
  other.run(() => testing.fill({ count: 5 }));
  expect(await ct.count()).toBe(0);
  expect(await (await openIn(other)).count()).toBe(5);
});

describe('stats()', () => {
  test('has a line for each processor', async () => {
    const possible = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
    const last = Number(possible.split(/[-,]/).at(-1));
    const cpus = (await ct.stats()).map(({ cpu }) => cpu);
    expect(cpus.length).toBeGreaterThan(0);
    expect(new Set(cpus).size).toBe(cpus.length);
    expect(Math.max(...cpus)).toBeLessThanOrEqual(last);
  });

  test('agrees with conntrack -S after traffic of all kinds', async () => {
    namespace.track();
    for (let id = 1; id <= 50; id++) ping(namespace, HOME, HOME, id);
    // No connection begins with a reset: it is invalid, as is a packet cut short.
    for (let round = 0; round < 20; round++) {
      sendPacket(namespace, Protonum.tcp, HOME, Buffer.alloc(10));
    }
    namespace.run(() => testing.fill({ count: 100 }));
    namespace.run(() => testing.fill({ count: 100 }));
    const stats = await ct.stats();
    expect(sum(stats, 'invalid')).toBeGreaterThanOrEqual(20);
    expect(sum(stats, 'insert')).toBeGreaterThanOrEqual(100);
    const byCli = statsByCli();
    expect(byCli.length).toBe(stats.length);
    for (const [index, cpu] of byCli.entries()) {
      expect(stats[index]).toMatchObject(cpu);
      expect(Object.keys(cpu).length).toBeGreaterThanOrEqual(9);
    }
  });

  test('gives numbers, or nothing where the kernel sends nothing', async () => {
    for (const cpu of await ct.stats()) {
      for (const value of Object.values(cpu)) expect(value).toEqual(expect.any(Number));
      expect(cpu).toMatchObject({ found: expect.any(Number), insert: expect.any(Number) });
    }
  });
});

test('questions that are asked at once are answered each', async () => {
  namespace.run(() => testing.fill({ count: 100 }));
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => Promise.all([ct.count(), ct.limits(), ct.stats()])),
  );
  for (const [count, limits, stats] of answers) {
    expect(count).toBe(100);
    expect(limits.entries).toBe(100);
    expect(stats.length).toBeGreaterThan(0);
  }
});

test('close() lets what was asked before be answered', async () => {
  namespace.run(() => testing.fill({ count: 100 }));
  const asked = [ct.count(), ct.count(), ct.count()];
  await ct.close();
  expect(await Promise.all(asked)).toEqual([100, 100, 100]);
});
