/** What happens to a machine, a process or a table while a mirror follows it: at rest it is the table again. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { contentOf, differences } from '../chaos/content';
import type { Conntrack, Mirror } from '../../lib';
import { answerOf, Program } from '../support/child';
import { TestNamespace } from '../support/netns';
import { beyond, descriptorsOf, threadsOf } from '../support/observe';
import { closeOpened, openIn } from '../support/opened';
import { churn, testing, type Churn } from '../support/testing';
import { waitFor } from '../support/wait';

const ROOT = join(__dirname, '../..');
const KEY = { protocol: 'udp', orig: { src: '10.9.9.1', dst: '10.9.9.2', sport: 1, dport: 2 } };

let namespace: TestNamespace;
let others: Churn | undefined;

beforeEach(() => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
});
afterEach(async () => {
  others?.stop();
  others = undefined;
  Program.endAll();
  await closeOpened();
  TestNamespace.closeAll();
});

function company(): void {
  others = namespace.run(() => churn({ live: 2000 }));
}

function rest(): void {
  others?.stop();
  others = undefined;
}

async function expectEqual(ct: Conntrack, mirror: Mirror): Promise<void> {
  await waitFor('the table', async () => {
    if (!mirror.consistent) return false;
    const there = contentOf(await ct.flows().toArray());
    return differences(there, contentOf(mirror.where())).length === 0;
  });
}

async function mirroring(options = {}): Promise<Program> {
  const program = new Program('mirroring.mjs', { namespace, args: [JSON.stringify(options)] });
  await program.said('mirrors');
  return program;
}

async function endsWell(program: Program): Promise<void> {
  program.tell('end');
  expect(await program.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
}

test('a process that is stopped loses events, and finds its way back', async () => {
  const program = await mirroring({ receiveBuffer: 8192 });
  namespace.run(() => testing.fill({ count: 3000 }));
  program.kill('SIGSTOP');
  namespace.run(() => testing.unfill({ count: 1500 }));
  namespace.run(() => testing.fill({ count: 3000, first: 3000 }));
  program.kill('SIGCONT');
  program.tell('check');
  await program.said('equal');
  program.tell('gaps');
  await program.said('some');
  await endsWell(program);
});

test('a storm of signals interrupts nothing', async () => {
  const program = await mirroring({ receiveBuffer: 16_384, resyncInterval: 1 });
  company();
  for (let count = 0; count < 500; count++) {
    program.kill('SIGUSR2');
    if (count % 10 === 0) await sleep(1);
  }
  rest();
  program.tell('check');
  await program.said('equal');
  program.tell('signals');
  await program.said('heard');
  await endsWell(program);
});

test('a namespace that is given up is followed to the end', async () => {
  const ct = await openIn(namespace);
  const mirror = await ct.mirror();
  const events = await ct.events();
  namespace.close();
  await ct.create({ ...KEY, timeout: 600 });
  await waitFor('the flow', () => mirror.get(KEY));
  expect(events.statistics().received).toBe(1);
  await expectEqual(ct, mirror);
});

test('sysctls that are switched meanwhile', async () => {
  const ct = await openIn(namespace);
  const mirror = await ct.mirror(undefined, { resyncInterval: 10 });
  company();
  for (const value of [0, 1, 2, 1, 0, 1]) {
    namespace.sysctl('nf_conntrack_acct', value === 0 ? 0 : 1);
    namespace.sysctl('nf_conntrack_timestamp', value === 0 ? 0 : 1);
    namespace.sysctl('nf_conntrack_events', value);
    await sleep(20);
  }
  rest();
  await expectEqual(ct, mirror);
});

test('a table that is flushed while it is listed', async () => {
  const ct = await openIn(namespace);
  namespace.run(() => testing.fill({ count: 50_000 }));
  const mirrors = Promise.all([ct.mirror(), ct.mirror(undefined, { receiveBuffer: 4096 })]);
  await sleep(20);
  namespace.run(testing.flush);
  namespace.run(() => testing.fill({ count: 100, first: 60_000 }));
  for (const mirror of await mirrors) await expectEqual(ct, mirror);
});

test('a table that is full', async () => {
  const ct = await openIn(namespace);
  const { max } = await ct.limits();
  namespace.run(() => testing.fill({ count: max, batch: 128 }));
  const mirror = await ct.mirror();
  await expect(ct.create({ ...KEY, timeout: 600 })).rejects.toThrow();
  expect(mirror.size).toBe((await ct.limits()).entries);
  namespace.run(testing.flush);
  await waitFor('an empty mirror', () => mirror.size === 0);
});

test('no memory for the table is an error, and passes', async () => {
  namespace.run(() => testing.fill({ count: 250_000, batch: 128 }));
  const answer = await answerOf<{ refused: { code: string }; size: number }>('pressed.mjs', {
    namespace,
  });
  expect(answer).toMatchObject({ refused: { code: 'ENOMEM' }, size: 250_000 });
});

test('a thousand subscriptions and two hundred mirrors, opened and closed', async () => {
  const ct = await openIn(namespace);
  const [threads, descriptors] = [threadsOf(), descriptorsOf()];
  company();
  for (let round = 0; round < 10; round++) {
    const events = await Promise.all(Array.from({ length: 100 }, () => ct.events()));
    const mirrors = await Promise.all(Array.from({ length: 20 }, () => ct.mirror()));
    for (const each of events) each.close();
    for (const each of mirrors) await each.close();
  }
  rest();
  expect(threadsOf()).toEqual(threads);
  expect(beyond(descriptors, descriptorsOf())).toEqual([]);
});

test('getters and signals that throw leave everything as it was', async () => {
  const ct = await openIn(namespace);
  const mirror = await ct.mirror();
  await ct.create({ ...KEY, timeout: 600 });
  await waitFor('the flow', () => mirror.get(KEY));
  const thrown = new Error('thrown on purpose');
  const getter = {
    get(): never {
      throw thrown;
    },
    enumerable: true,
  };
  for (const name of ['protocol', 'orig', 'zone'] as const) {
    expect(() => mirror.get(Object.defineProperty({ ...KEY }, name, getter))).toThrow(thrown);
  }
  for (const name of ['src', 'sport'] as const) {
    const orig = Object.defineProperty({ ...KEY.orig }, name, getter);
    expect(() => mirror.get({ ...KEY, orig })).toThrow(thrown);
  }
  const filter = Object.defineProperty({}, 'mark', getter);
  expect(() => mirror.where(filter)).toThrow(thrown);
  await expect(ct.mirror(filter)).rejects.toThrow(thrown);
  await expect(ct.mirror(undefined, Object.defineProperty({}, 'maxFlows', getter))).rejects.toThrow(
    thrown,
  );
  expect(() => mirror.changes(Object.defineProperty({}, 'queue', getter))).toThrow(thrown);
  expect(mirror.get(KEY)?.orig.sport).toBe(1);
  await expectEqual(ct, mirror);
});

test('two copies of the package live in one process', async () => {
  const other = mkdtempSync(join(tmpdir(), 'nfconntrack-copy-'));
  try {
    for (const part of ['dist', 'package.json', 'build/Release/nfconntrack.node']) {
      cpSync(join(ROOT, part), join(other, part), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(other, 'node_modules'));
    const answer = await answerOf('copies.mjs', { namespace, args: [other] });
    expect(answer).toEqual({ same: false, seen: ['add', 'add'], sizes: [1, 1], still: 'done' });
  } finally {
    rmSync(other, { recursive: true });
  }
});

test('children that are forked have mirrors of their own, and may be killed', async () => {
  namespace.run(() => testing.fill({ count: 500 }));
  const answer = await answerOf('family.mjs', { namespace });
  expect(answer).toEqual({ sizes: [500, 500, 500], own: 500, listed: 500 });
});
