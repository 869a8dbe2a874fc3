/** Which namespace is meant, and that no thread of the program ever leaves its own. */
import { existsSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { Conntrack } from '../../lib';
import { answerOf, Program } from '../support/child';
import { TestNamespace } from '../support/netns';
import { namespacesOf, threadsOf } from '../support/observe';
import { closeOpened, openIn } from '../support/opened';
import { churn, syntheticTuple, testing } from '../support/testing';

interface Failure {
  name: string;
  message: string;
  code: string;
  errno: number;
  syscall: string;
  hint: string;
}

function filled(first: number, count = 1): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => testing.fill({ first, count }));
  return namespace;
}

async function sources(ct: Conntrack): Promise<(string | undefined)[]> {
  return (await ct.flows().toArray()).map(({ orig }) => orig.src).sort();
}

const sourceOf = (index: number): string => syntheticTuple(index).src;
const ownNamespace = (): string => readlinkSync('/proc/thread-self/ns/net');

afterEach(async () => {
  await closeOpened();
  Program.endAll();
  TestNamespace.closeAll();
});

describe('a namespace is meant', () => {
  test('by a path', async () => {
    const [first, second] = [filled(1), filled(2)];
    expect(await sources(await openIn(first))).toEqual([sourceOf(1)]);
    expect(await sources(await openIn(second))).toEqual([sourceOf(2)]);
    const own = await Conntrack.open({ netns: `/proc/self/fd/${first.fd}` });
    expect(await sources(own)).toEqual([sourceOf(1)]);
    await own.close();
  });

  test('by the process in it', async () => {
    const namespace = filled(3);
    const sleeper = namespace.spawn('sleep', ['60']);
    try {
      const ct = await Conntrack.open({ netns: sleeper.pid! });
      expect(await sources(ct)).toEqual([sourceOf(3)]);
      // It stays when the process is gone.
      const ended = new Promise((resolve) => sleeper.once('exit', resolve));
      sleeper.kill('SIGKILL');
      await ended;
      expect(await sources(ct)).toEqual([sourceOf(3)]);
      await ct.close();
    } finally {
      sleeper.kill('SIGKILL');
    }
  });

  test('by nothing: that of the thread which opens', async () => {
    const namespace = filled(4);
    const opening: Promise<Conntrack>[] = [];
    namespace.run(() => {
      opening.push(Conntrack.open());
    });
    const inside = await opening[0]!;
    const outside = await Conntrack.open();
    // All that is asked later is asked there, wherever the thread is by then.
    expect(await sources(inside)).toEqual([sourceOf(4)]);
    expect(await inside.count()).toBe(1);
    expect(await sources(outside)).not.toContain(sourceOf(4));
    const events = await inside.events();
    namespace.run(() => testing.fill({ first: 5, count: 1 }));
    const { value } = await events[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ type: 'new', flow: { orig: { src: sourceOf(5) } } });
    await inside.close();
    await outside.close();
  });

  test('by its name; it stays the same when the name goes to another', async () => {
    interface Named {
      found: Record<string, number[]>;
      after: Record<string, number[]>;
      refused: Record<string, Failure>;
    }
    const under = ['unshare', '--mount', '--propagation', 'private'];
    const { found, after, refused } = await answerOf<Named>('named.mjs', { under });
    expect(found).toEqual({
      alpha: [1001],
      beta: [1002],
      byPath: [1001],
      byLink: [1002],
      own: [],
    });
    expect(after).toEqual({ pinned: [1001], anew: [1003] });
    for (const [which, name] of Object.entries({ gone: 'beta', never: 'gamma' })) {
      expect(refused[which]).toMatchObject({
        name: 'ConntrackError',
        code: 'ENOENT',
        errno: 2,
        syscall: 'open',
        message: expect.stringContaining(`"${name}"`),
        hint: expect.stringContaining(`"${name}"`),
      });
    }
    // What is left of a name when its namespace was unmounted.
    expect(refused['file']).toMatchObject({
      name: 'ConntrackError',
      code: 'EINVAL',
      syscall: 'setns',
      hint: expect.stringContaining('"file" is not a network namespace'),
    });
  });

  test('and kept by what was opened, not by the descriptor it was opened by', async () => {
    const namespace = filled(6);
    const { path } = namespace;
    const ct = await openIn(namespace);
    namespace.close();
    expect(existsSync(path)).toBe(false);
    expect(await sources(ct)).toEqual([sourceOf(6)]);
    const events = await ct.events();
    expect(events.statistics().received).toBe(0);
  });
});

test('no thread of the program changes its namespace', async () => {
  const others = [filled(10, 5000), filled(20_000, 5000), filled(40_000, 5000)];
  const home = ownNamespace();
  const strangers = (): string[] =>
    namespacesOf()
      .filter(({ thread, netns }) => netns !== home && !thread.startsWith('nfct-'))
      .map(({ thread, netns }) => `${thread} is in ${netns}`);
  // libuv's pool takes what is asked of the file system.
  const files = () => Promise.all(Array.from({ length: 16 }, () => readFile('/proc/self/stat')));

  expect(strangers()).toEqual([]);
  const churns = others.map((namespace) => namespace.run(() => churn({ live: 500 })));
  // Their threads are of the tests, and belong where they are.
  const ours = new Set(strangers());
  const found: string[][] = [];
  const look = (): void => {
    found.push(strangers().filter((each) => !ours.has(each)));
  };
  try {
    const opened = await Promise.all(others.map(openIn));
    look();
    for (const ct of opened) (await ct.events()).onBatch(look);
    const inside = new Set(
      namespacesOf().flatMap(({ thread, netns }) => (thread.startsWith('nfct-') ? [netns] : [])),
    );
    expect([...inside].sort()).toEqual(others.map((each) => each.run(ownNamespace)).sort());
    for (let round = 0; round < 5; round++) {
      await Promise.all([files(), ...opened.map((ct) => ct.flows().count())]);
      look();
    }
    await closeOpened();
    look();
  } finally {
    for (const each of churns) each.stop();
  }
  expect(found.length).toBeGreaterThan(10);
  expect(found.flat()).toEqual([]);
  expect(ownNamespace()).toBe(home);
  expect(strangers()).toEqual([]);
  expect(threadsOf()).toEqual([]);
});

test('no descriptor of the library gets to a program that is started', async () => {
  const namespace = filled(50, 20_000);
  const told = await answerOf<{ before: string[]; during: string[] }>('descriptors.mjs', {
    namespace,
  });
  expect(told.before).toContain('socket:[]');
  expect(told.during).toEqual(told.before);
});
