/** Subscriptions that lose nothing, that tell what was lost, or that make room; and who caused an event. */
import type { Conntrack, ConntrackEvent, Events, EventsOptions, FlowEvent } from '../../lib';
import { differences, Heard, idsOf } from '../chaos/content';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  ct = await openIn(namespace);
});
afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

function fill(count: number, first = 0): void {
  expect(namespace.run(() => testing.fill({ count, first }))).toBe(count);
}

function destroys(options: EventsOptions): Promise<Events> {
  return ct.events(undefined, { types: ['destroy'], ...options });
}

async function take(
  events: Events,
  until: (event: ConntrackEvent) => boolean,
): Promise<ConntrackEvent[]> {
  const taken: ConntrackEvent[] = [];
  for await (const event of events) {
    taken.push(event);
    if (until(event)) break;
  }
  return taken;
}

describe('a reliable subscription', () => {
  test('gets every DESTROY event, with the smallest buffer and a queue that nobody empties', async () => {
    const count = 400;
    fill(count);
    const events = await destroys({ receiveBuffer: 4096, queue: 100, reliable: true });
    namespace.run(testing.flush);
    await waitFor('a full queue', () => events.statistics().queued === 100);
    // The kernel keeps what is left.
    await waitFor(
      'flows that wait',
      async () => (await ct.flows(undefined, { table: 'dying' }).count()) > 0,
    );
    expect(await ct.flows().count()).toBe(0);
    const seen = new Set<string>();
    const taken = await take(events, (event) => {
      if (event.type !== 'gap') seen.add(event.flow.orig.src ?? '');
      return seen.size === count;
    });
    expect(taken.filter((event) => event.type === 'gap')).toEqual([]);
    expect(events.statistics()).toMatchObject({ kernelDrops: 0, queueDrops: 0, reliable: true });
  });

  test('leaves the mode before it can fill the table, and says so', async () => {
    const { max } = await ct.limits();
    const count = Math.floor(0.78 * max);
    fill(count);
    const events = await destroys({ receiveBuffer: 4096, queue: 10, reliable: true });
    namespace.run(() => testing.unfill({ count: 20_000 }));
    await waitFor('the end of the mode', () => events.statistics().reliable === false);
    // What waited in the kernel is told of or counted as lost, and takes no room any more.
    await waitFor('room', async () => (await ct.limits()).entries <= count - 20_000);
    const { kernelDrops, queueDrops } = events.statistics();
    expect(kernelDrops + queueDrops).toBeGreaterThan(0);
    // There is the gap, for who reads on.
    const taken = await take(events, ({ type }) => type === 'gap');
    expect(taken.at(-1)).toMatchObject({ type: 'gap' });
  }, 90_000);

  test('is not what others are', async () => {
    const events = await destroys({});
    expect(events.statistics()).not.toHaveProperty('reliable');
    await expect(destroys({ reliable: 'yes' as never })).rejects.toThrow(/options\.reliable/);
  });

  test('makes a mirror that loses nothing', async () => {
    fill(3000);
    const mirror = await ct.mirror(undefined, { receiveBuffer: 65_536, reliable: true });
    namespace.run(testing.flush);
    await waitFor('an empty mirror', () => mirror.size === 0);
    expect(mirror.statistics()).toMatchObject({
      kernelDrops: 0,
      gaps: 0,
      reliable: true,
      synthetic: 0,
    });
  });
});

describe('the receive buffer', () => {
  const overrun = async (options: EventsOptions): Promise<Events> => {
    const events = await destroys({ receiveBuffer: 4096, ...options });
    for (let time = 0; time < 6; time++) {
      const { gaps } = events.statistics();
      fill(3000);
      namespace.run(testing.flush);
      await waitFor('every event', () => {
        const { received, kernelDrops } = events.statistics();
        return received + kernelDrops === 3000 * (time + 1) ? { gaps } : undefined;
      });
    }
    return events;
  };

  test('grows after overruns, up to its limit', async () => {
    const events = await overrun({ maxReceiveBuffer: 16_384 });
    expect(events.statistics().receiveBuffer).toBeGreaterThan(4096);
    expect(events.statistics().receiveBuffer).toBeLessThanOrEqual(16_384);
  });

  test('stays what was asked for, if nothing else was', async () => {
    const events = await overrun({});
    expect(events.statistics().receiveBuffer).toBeLessThanOrEqual(4608);
    expect(events.statistics().kernelDrops).toBeGreaterThan(0);
  });
});

describe('a subscription that resyncs', () => {
  test('tells behind a gap what is missing', async () => {
    fill(5000);
    const events = await ct.events(undefined, { receiveBuffer: 4096, resync: true });
    const heard = new Heard();
    for (const [key, id] of idsOf(await ct.flows().toArray())) heard.content.set(key, id);
    namespace.run(() => testing.unfill({ count: 4000 }));
    fill(3000, 5000);
    const synthetic: FlowEvent[] = [];
    let gaps = 0;
    for await (const event of events) {
      if (event.type === 'gap') {
        gaps += 1;
        continue;
      }
      // Nothing is made up before something is lost.
      if (event.synthetic === true) expect(gaps).toBeGreaterThan(0);
      if (event.synthetic === true) synthetic.push(event);
      heard.apply(event);
      if (heard.content.size === 4000) {
        if (differences(idsOf(await ct.flows().toArray()), heard.content).length === 0) break;
      }
    }
    expect(gaps).toBeGreaterThan(0);
    expect(new Set(synthetic.map(({ type }) => type))).toEqual(new Set(['destroy', 'new']));
    expect(events.statistics().synthetic).toBeGreaterThanOrEqual(synthetic.length);
  });

  test('tells of its types and of what its filter matches only', async () => {
    fill(2000);
    namespace.run(() => testing.fill({ count: 2000, proto: 17 }));
    const options = { types: ['destroy'], receiveBuffer: 4096, resync: true } as const;
    const events = await ct.events({ protocol: 'udp' }, options);
    fill(500, 2000);
    namespace.run(testing.flush);
    let count = 0;
    const taken = await take(events, (event) => event.type !== 'gap' && ++count === 2000);
    const kinds = taken.filter((event) => event.type !== 'gap');
    expect(new Set(kinds.map(({ type, flow }) => `${type} ${flow.protocol}`))).toEqual(
      new Set(['destroy udp']),
    );
    expect(new Set(kinds.map(({ flow }) => flow.orig.src)).size).toBe(2000);
  });

  test('makes nothing up where nothing is lost', async () => {
    const events = await ct.events(undefined, { resync: true });
    fill(1000);
    namespace.run(testing.flush);
    let count = 0;
    const taken = await take(events, () => ++count === 2000);
    expect(taken.filter((event) => event.type === 'gap' || event.synthetic === true)).toEqual([]);
    expect(events.statistics()).toMatchObject({ received: 2000, gaps: 0, synthetic: 0 });
  });

  test('puts together what its queue has no room for', async () => {
    const events = await ct.events(undefined, { queue: 10, resync: true });
    const heard = new Heard();
    fill(2000);
    namespace.run(() => testing.unfill({ count: 500 }));
    await waitFor('every event', () => events.statistics().received === 2500);
    let told = 0;
    for await (const batch of events.batches()) {
      for (const event of batch) {
        if (event.type === 'gap') told += event.queueDrops;
        else heard.apply(event);
      }
      if (heard.content.size === 1500 && events.statistics().queued === 0) break;
    }
    expect(told).toBe(events.statistics().queueDrops);
    expect(told).toBeGreaterThan(0);
    expect(differences(idsOf(await ct.flows().toArray()), heard.content)).toEqual([]);
  });

  test('ends its mirror with itself', async () => {
    const events = await ct.events(undefined, { resync: true });
    events.close();
    await expect(ct.events(undefined, { resync: 1 as never })).rejects.toThrow(/options\.resync/);
  });
});

describe('own changes', () => {
  test('are told from those of others and of packets', async () => {
    const events = await ct.events();
    const other = await openIn(namespace);
    const key = { protocol: 'udp', orig: { src: '10.0.0.1', dst: '10.0.0.2', sport: 1, dport: 2 } };
    await ct.create({ ...key, timeout: 60 });
    await other.update(key, { mark: 1 });
    await ct.updateWhere({ mark: 1 }, { mark: 2 });
    await ct.deleteWhere({ mark: 2 });
    fill(1);
    let count = 0;
    const taken = (await take(events, () => ++count === 5)) as FlowEvent[];
    expect(taken.map((event) => [event.type, ct.isOwn(event), other.isOwn(event)])).toEqual([
      ['new', true, false],
      ['update', false, true],
      ['update', true, false],
      ['destroy', true, false],
      ['new', false, false],
    ]);
    expect(taken[0]?.portid).toBe(ct.portid);
    expect(taken[1]?.portid).toBe(other.portid);
    expect(ct.isOwn({})).toBe(false);
  });
});
