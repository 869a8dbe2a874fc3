/** Nothing is left of what was closed, nor of what was forgotten. */
import { answerOf, Program } from '../support/child';
import { TestNamespace } from '../support/netns';
import { beyond, descriptorsOf, threadsOf } from '../support/observe';
import { openIn } from '../support/opened';
import { churn, testing } from '../support/testing';
import { waitFor } from '../support/wait';

/** What Node's own heap may grow by, in bytes. */
const LEAST_LEAK = 12 * 2 ** 20;

interface Held {
  rss: number;
  threads: number;
  descriptors: number;
}

let namespace: TestNamespace;

beforeAll(() => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => testing.fill({ count: 20_000 }));
});
afterEach(() => {
  Program.endAll();
});
afterAll(() => {
  namespace.run(testing.flush);
  TestNamespace.closeAll();
});

describe('what is forgotten is collected with its threads and descriptors', () => {
  test.each([
    'listings',
    'listings flow by flow',
    'listings under a signal',
    'subscriptions',
    'subscriptions under a signal',
    'loops over events',
    'mirrors',
    'changes of mirrors',
    'subscriptions that resync',
    'namespaces',
  ])('%s', async (kind) => {
    const others = namespace.run(() => churn({ live: 1000 }));
    try {
      const program = new Program('abandoned.mjs', {
        namespace,
        args: [kind],
        node: ['--expose-gc'],
      });
      await program.said('opened');
      const [threads, descriptors] = [threadsOf(program.pid), descriptorsOf(program.pid)];
      program.tell('make');
      await program.said('made');
      expect(threadsOf(program.pid).length).toBeGreaterThanOrEqual(threads.length + 8);
      program.tell('forget');
      await program.said('forgets');
      await waitFor('the collection of its threads and descriptors', () => {
        const left = beyond(descriptors, descriptorsOf(program.pid));
        return threadsOf(program.pid).length === threads.length && left.length === 0;
      });
      program.kill('SIGTERM');
      expect(await program.ended).toMatchObject({ signal: 'SIGTERM', stderr: '' });
    } finally {
      others.stop();
    }
  });
});

test('close() leaves neither a thread nor a descriptor', async () => {
  const [threads, descriptors] = [threadsOf(), descriptorsOf()];
  const ct = await openIn(namespace);
  const events = await ct.events();
  expect(await ct.flows().count()).toBe(20_000);
  expect(threadsOf()).toHaveLength(threads.length + 2);
  await ct.close();
  expect(threadsOf()).toEqual(threads);
  expect(beyond(descriptors, descriptorsOf())).toEqual([]);
  expect(events.statistics().received).toBe(0);
});

test('200 times open, list, subscribe and close end where they began', async () => {
  const program = new Program('cycles.mjs', { namespace });
  await program.said('warm');
  const [threads, descriptors] = [threadsOf(program.pid), descriptorsOf(program.pid)];
  expect(threads).toEqual([]);
  program.tell('on');
  await program.said('done');
  expect(threadsOf(program.pid)).toEqual([]);
  expect(beyond(descriptors, descriptorsOf(program.pid))).toEqual([]);
  program.tell('end');
  expect(await program.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
});

test('300 times open, list, mirror, subscribe and close take no more memory', async () => {
  const small = TestNamespace.create();
  small.sysctl('nf_conntrack_events', 1);
  small.run(() => testing.fill({ count: 100 }));
  const { warm, end } = await answerOf<{ warm: Held; end: Held }>('leaks.mjs', {
    namespace: small,
    args: ['300'],
    node: ['--expose-gc'],
    // Else glibc keeps what was freed in large pieces, and the process seems to hold it.
    env: { MALLOC_MMAP_THRESHOLD_: '65536' },
  });
  expect([end.threads, end.descriptors]).toEqual([warm.threads, warm.descriptors]);
  expect(end.rss - warm.rss).toBeLessThan(LEAST_LEAK);
});
