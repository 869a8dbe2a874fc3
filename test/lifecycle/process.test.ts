/** The end of a process, at any stage of its life: no crash, no hang, no complaint. */
import { Program, type Ended } from '../support/child';
import { TestNamespace } from '../support/netns';
import { churn, testing, type Churn } from '../support/testing';

const STAGES = [
  'opened',
  'asking',
  'listing',
  'waiting',
  'loaded',
  'overrun',
  'unread',
  'mirroring',
  'closing',
] as const;

/** Endings race with threads: each is tried so many times, several at once. */
const TIMES = 3;

let namespace: TestNamespace;
let others: Churn;

beforeAll(() => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => testing.fill({ count: 20_000 }));
});
beforeEach(() => {
  others = namespace.run(() => churn({ live: 1000 }));
});
afterEach(() => {
  others.stop();
  Program.endAll();
});
afterAll(() => {
  namespace.run(testing.flush);
  TestNamespace.closeAll();
});

function live(stage: string, ending: string): Promise<Ended[]> {
  const lives = Array.from({ length: TIMES }, async () => {
    const program = new Program('process.mjs', { namespace, args: [stage, ending] });
    await program.said('reached');
    if (ending.startsWith('SIG')) program.kill(ending as NodeJS.Signals);
    return program.ended;
  });
  return Promise.all(lives);
}

describe.each(STAGES)('%s', (stage) => {
  test('ends with process.exit()', async () => {
    for (const ended of await live(stage, 'exit')) {
      expect(ended).toEqual({ code: 7, signal: null, stdout: 'reached\n', stderr: '' });
    }
  });

  test('ends with an uncaught exception', async () => {
    for (const { stderr, ...ended } of await live(stage, 'throw')) {
      expect(ended).toEqual({ code: 1, signal: null, stdout: 'reached\n' });
      // Node's own report of it, and nothing else.
      expect(stderr).toMatch(/^file:.*process\.mjs:\d+\n(.*\n)+\nError: thrown on purpose\n/);
      expect(stderr).toMatch(/\n\nNode\.js v[\d.]+\n$/);
    }
  });

  test.each(['SIGTERM', 'SIGINT'])('ends with %s', async (signal) => {
    for (const ended of await live(stage, signal)) {
      expect(ended).toEqual({ code: null, signal, stdout: 'reached\n', stderr: '' });
    }
  });

  test('ends when there is nothing left to do', async () => {
    for (const ended of await live(stage, 'natural')) {
      expect(ended).toEqual({ code: 0, signal: null, stdout: 'reached\n', stderr: '' });
    }
  });
});
