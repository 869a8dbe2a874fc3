/** Worker threads that end at any stage of their life leave nothing, and the process goes on. */
import { Program } from '../support/child';
import { TestNamespace } from '../support/netns';
import { beyond, descriptorsOf, threadsOf } from '../support/observe';
import { churn, testing, type Churn } from '../support/testing';

let namespace: TestNamespace;
let others: Churn;

beforeAll(() => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => testing.fill({ count: 20_000 }));
  others = namespace.run(() => churn({ live: 1000, seconds: 120 }));
});
afterEach(() => {
  Program.endAll();
});
afterAll(() => {
  others.stop();
  namespace.run(testing.flush);
  TestNamespace.closeAll();
});

test.each([
  'opened',
  'asking',
  'listing',
  'waiting',
  'loaded',
  'overrun',
  'unread',
  'mirroring',
  'closing',
])('%s', async (stage) => {
  const program = new Program('workers.mjs', { namespace, args: [stage] });
  await program.said('warm');
  const [threads, descriptors] = [threadsOf(program.pid), descriptorsOf(program.pid)];
  expect(threads).toEqual(['nfct-control']);
  program.tell('on');
  for (const step of ['natural', 'exit', 'throw', 'terminate', 'together', 'mixed']) {
    await program.said(step);
    expect([step, threadsOf(program.pid)]).toEqual([step, threads]);
    expect([step, beyond(descriptors, descriptorsOf(program.pid))]).toEqual([step, []]);
    program.tell('on');
  }
  const ended = await program.ended;
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'lists true\n', stderr: '' });
});
