/** Only the kernel's own messages count, whoever else writes to the library's sockets. */
import type { ConntrackEvent, ExpectationEvent, FlowBatch } from '../../lib';
import { FLOW_SIZE } from '../../lib/layout';
import { native, type NativeControl, type NativeSweep } from '../../lib/native';
import { forge, FORGED, netlinkPorts } from '../support/hostile';
import { CLIENT, createMaster, SERVER } from '../support/master';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { isRealRoot, NOBODY } from '../support/privilege';
import { syntheticTuple, testing } from '../support/testing';
import { waitFor } from '../support/wait';

/** More than a reader's queue takes, so that it stands still with its socket open. */
const MANY = 60_000;
const EVERYTHING = Uint32Array.of(0, 2);

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

function namespaceOf(count: number): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => testing.fill({ count }));
  return namespace;
}

/** Forgeries that wait in every socket when its next answer is read. */
async function forgeWaiting(namespace: TestNamespace): Promise<void> {
  expect(netlinkPorts(namespace).length).toBeGreaterThan(0);
  expect(forge(namespace)).toBe(0);
  await waitFor('forgeries that wait', () =>
    netlinkPorts(namespace).every(({ queued }) => queued > 0),
  );
}

test('no answer to a question is taken from them', async () => {
  const namespace = namespaceOf(1);
  const ct = await openIn(namespace);
  const key = { protocol: 'tcp', orig: syntheticTuple(0) };
  const other = { protocol: 'udp', orig: { src: '10.0.0.1', dst: '10.0.0.2', sport: 1, dport: 2 } };
  const questions: [string, () => Promise<unknown>, unknown][] = [
    ['get', async () => (await ct.get(key))?.orig.src, key.orig.src],
    ['get of none', () => ct.get(other), undefined],
    ['create', () => ct.create({ ...other, timeout: 60 }), undefined],
    ['update', () => ct.update(other, { mark: 5 }), undefined],
    ['get of what was made', async () => (await ct.get(other))?.mark, 5],
    ['deleteMany', async () => (await ct.deleteMany([other, other])).done, 1],
    ['count', () => ct.count(), 1],
    ['stats', async () => (await ct.stats()).length > 0, true],
    ['expectations', () => ct.expectations.list(), []],
  ];
  for (const [name, ask, expected] of questions) {
    await forgeWaiting(namespace);
    expect([name, await ask()]).toEqual([name, expected]);
  }
});

test('no flow of a listing, nor its end', async () => {
  const namespace = namespaceOf(MANY);
  const ct = await openIn(namespace);
  const batches = ct.flows().batches();
  let count = 0;
  const take = (batch: FlowBatch): void => {
    count += batch.length;
    expect(batch.at(0).orig.src).not.toBe(FORGED.src);
  };
  const first = await batches.next();
  if (first.done !== true) take(first.value);
  expect(netlinkPorts(namespace)).toHaveLength(2);
  expect(forge(namespace)).toBe(0);
  for await (const batch of batches) take(batch);
  expect(count).toBe(MANY);
});

/** Takes what there is until the end, and gives how many flows that were. */
async function drained(sweep: NativeSweep): Promise<number> {
  let count = 0;
  await waitFor('the end of the sweep', () => {
    for (;;) {
      const batch = sweep.take();
      if (batch === null) return true;
      if (batch === undefined) return false;
      count += new Uint32Array(batch.buffer, 0, 1)[0]!;
    }
  });
  return count;
}

test('no flow that a sweep is to delete, nor what became of one', async () => {
  const namespace = namespaceOf(MANY);
  const control: NativeControl = new (native().Control)();
  control.start(namespace.path, false);
  const sweep = new (native().FlowSweep)();
  try {
    const none = new Uint8Array();
    const pattern = new Uint8Array(FLOW_SIZE);
    // Receipts that nobody takes hold it up.
    sweep.start(control, pattern, 0, 0, EVERYTHING, 1, 0, true, none, 0, 0);
    await waitFor('a sweep that stands still', () => netlinkPorts(namespace).length === 3);
    expect(forge(namespace)).toBe(0);
    expect(await drained(sweep)).toBe(MANY);
    expect(sweep.outcome()[0]).toBe(0);
    expect(sweep.progress()).toEqual([MANY, MANY, MANY, 0, 0]);
    expect(sweep.failures()).toEqual([]);
  } finally {
    sweep.close();
    control.close();
  }
});

test('no event, of flows or of expectations', async () => {
  const namespace = namespaceOf(0);
  const ct = await openIn(namespace);
  const [events, expectations] = [await ct.events(), await ct.expectations.events()];
  const told: (ConntrackEvent | ExpectationEvent)[] = [];
  events.onBatch((batch) => told.push(...batch));
  expectations.onBatch((batch) => told.push(...batch));
  expect(netlinkPorts(namespace)).toHaveLength(3);

  for (let turn = 0; turn < 3; turn += 1) expect(forge(namespace)).toBe(0);
  const master = await createMaster(ct);
  expect(forge(namespace)).toBe(0);
  await ct.expectations.create({
    protocol: 'tcp',
    tuple: { src: SERVER.ipv4, dst: CLIENT.ipv4, dport: 50_000 },
    master,
  });
  await waitFor('the events that are true', () => told.length >= 2);
  expect(told.map((event) => event.type)).toEqual(['new', 'new']);
  expect(JSON.stringify(told)).not.toContain(FORGED.src);
  for (const statistics of [events.statistics(), expectations.statistics()]) {
    expect(statistics).toMatchObject({ received: 1, kernelDrops: 0, gaps: 0 });
  }
});

(isRealRoot ? test : test.skip)(
  'who does not administer the namespace cannot even try',
  async () => {
    const namespace = namespaceOf(0);
    await openIn(namespace);
    expect(forge(namespace, NOBODY)).not.toBe(0);
    expect(netlinkPorts(namespace).map(({ queued }) => queued)).toEqual([0]);
  },
);
