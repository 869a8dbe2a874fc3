/** Listings: complete, bounded, interruptible, and the same whichever way they are read. */
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Conntrack, Flow, FlowBatch, OptionalColumn } from '../../lib';
import { countByCli } from '../support/cli';
import { answerOf, Program } from '../support/child';
import { addressBytes } from '../support/ctnetlink';
import { TestNamespace } from '../support/netns';
import { COMPLETE, numberOf, numbersIn, Tally } from '../support/numbered';
import { beyond, descriptorsOf, threadsOf } from '../support/observe';
import { closeOpened, openIn } from '../support/opened';
import { greV0, Protonum, sctpChunk, sctpPacket } from '../support/packets';
import { churn, syntheticTuple, testing } from '../support/testing';
import { ping, sendPacket, TcpConnection, UdpExchange } from '../support/traffic';
import { waitFor } from '../support/wait';

const HOME = '127.0.0.1';
/** Of the host; a table of any namespace may grow so far, churn included. */
const MAX = Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'));
const STABLE = Math.min(200_000, MAX - 20_000);
const IPV4 = 0.75 * STABLE;

function filled(count: number): TestNamespace {
  const namespace = TestNamespace.create();
  expect(namespace.run(() => testing.fill({ count }))).toBe(count);
  return namespace;
}

afterEach(async () => {
  await closeOpened();
  Program.endAll();
});
afterAll(() => {
  TestNamespace.closeAll();
});

describe(`a table of ${STABLE} flows`, () => {
  let namespace: TestNamespace;
  let ct: Conntrack;

  beforeAll(() => {
    namespace = filled(IPV4);
    const rest = STABLE - IPV4;
    expect(namespace.run(() => testing.fill({ first: IPV4, count: rest, family: 6 }))).toBe(rest);
  });
  beforeEach(async () => {
    ct = await openIn(namespace);
  });
  afterAll(() => {
    // The kernel takes longer over it when it is left to the namespace's end.
    namespace.run(testing.flush);
  });

  /** Runs `list` while other flows come and go, and says how many did meanwhile. */
  async function beside(list: () => Promise<void>): Promise<number> {
    const others = namespace.run(() => churn());
    try {
      await waitFor('other flows', () => others.operations > 10_000);
      const before = others.operations;
      await list();
      return others.operations - before;
    } finally {
      others.stop();
    }
  }

  test.each([1, 2, 3])('is listed whole in batches beside a churn, time %i', async () => {
    const tally = new Tally(STABLE);
    const changes = await beside(async () => {
      for await (const batch of ct.flows().batches()) {
        for (const number of numbersIn(batch)) tally.add(number);
      }
    });
    expect(tally.deviations).toEqual(COMPLETE);
    expect(changes).toBeGreaterThan(1000);
  });

  test.each([1, 2])('is listed whole flow by flow beside a churn, time %i', async () => {
    const tally = new Tally(STABLE);
    const changes = await beside(async () => {
      for await (const flow of ct.flows()) {
        const number = numberOf(flow);
        if (number !== undefined) tally.add(number);
      }
    });
    expect(tally.deviations).toEqual(COMPLETE);
    expect(changes).toBeGreaterThan(1000);
  });

  test('comes as an array and as a number', async () => {
    expect(await ct.flows().count()).toBe(STABLE);
    const flows = await ct.flows().toArray();
    expect(flows).toHaveLength(STABLE);
    expect(new Set(flows.map(numberOf)).size).toBe(STABLE);
    expect(await ct.count()).toBe(STABLE);
    expect(countByCli(namespace)).toBe(STABLE);
  });

  test('is listed several times at once', async () => {
    const flows = ct.flows();
    const counts = [flows.count(), flows.count(), ct.flows().count(), ct.flows().count()];
    expect(await Promise.all(counts)).toEqual([STABLE, STABLE, STABLE, STABLE]);
  });

  test('lets timers and sockets have their turns', async () => {
    let batches = 0;
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    for await (const batch of ct.flows().batches()) batches += batch.length > 0 ? 1 : 0;
    clearImmediate(immediate);
    expect(batches).toBeGreaterThanOrEqual(Math.floor(STABLE / 1024));
    expect(turns).toBeGreaterThanOrEqual(batches - 1);
  });

  test('is not read ahead of a consumer that stalls', async () => {
    const added = 5_000;
    const addition = { family: 6, first: STABLE, count: added } as const;
    const batches = ct.flows().batches();
    let late = 0;
    const count = (batch: FlowBatch): void => {
      late += numbersIn(batch).filter((number) => number >= STABLE).length;
    };
    try {
      count((await batches.next()).value);
      // Long enough for the whole table, were there no limit.
      await sleep(1000);
      expect(namespace.run(() => testing.fill(addition))).toBe(added);
      for await (const batch of batches) count(batch);
    } finally {
      namespace.run(() => testing.unfill(addition));
    }
    // New flows fall into buckets all over the table: those into what was read before are missing.
    expect(late).toBeGreaterThan(0.8 * added);
  });

  test('is as good as not begun while nothing is asked of it', async () => {
    const before = threadsOf();
    const flows = ct.flows();
    const batches = flows.batches();
    expect(threadsOf()).toEqual(before);
    expect((await batches.next()).done).toBe(false);
    expect(threadsOf()).toEqual([...before, 'nfct-dump'].sort());
    await batches.return!();
    expect(threadsOf()).toEqual(before);
  });

  test('starts anew with each loop', async () => {
    const flows = ct.flows();
    const firsts: number[] = [];
    for (let round = 0; round < 2; round++) {
      for await (const batch of flows.batches()) {
        firsts.push(numbersIn(batch)[0]!);
        break;
      }
    }
    expect(firsts[1]).toBe(firsts[0]);
  });

  test('is left in the middle, and nothing of it stays', async () => {
    const [threads, descriptors] = [threadsOf(), descriptorsOf()];
    let seen = 0;
    for await (const flow of ct.flows()) {
      expect(flow.protocol).toBe('tcp');
      seen += 1;
      if (seen === 1500) break;
    }
    expect(threadsOf()).toEqual(threads);
    expect(beyond(descriptors, descriptorsOf())).toEqual([]);
    const failing = (async () => {
      for await (const batch of ct.flows().batches()) throw new Error(`after ${batch.length}`);
    })();
    await expect(failing).rejects.toThrow('after');
    expect(threadsOf()).toEqual(threads);
    expect(beyond(descriptors, descriptorsOf())).toEqual([]);
  });

  test('ends with its loop: what is asked later is done', async () => {
    const batches = ct.flows().batches();
    await batches.next();
    expect(await batches.return!()).toEqual({ done: true, value: undefined });
    expect(await batches.next()).toEqual({ done: true, value: undefined });
    expect(await batches.return!()).toEqual({ done: true, value: undefined });
    const flows = ct.flows()[Symbol.asyncIterator]();
    await flows.next();
    expect(await flows.return!()).toEqual({ done: true, value: undefined });
    expect(await flows.next()).toEqual({ done: true, value: undefined });
  });

  test('answers calls of next() that overlap, each flow once', async () => {
    const flows = ct.flows()[Symbol.asyncIterator]();
    const results = await Promise.all(Array.from({ length: 5000 }, () => flows.next()));
    await flows.return!();
    expect(new Set(results.map(({ value }) => numberOf(value))).size).toBe(5000);
  });

  describe('under a signal', () => {
    const why = new Error('enough');

    test('is not begun when that was aborted before', async () => {
      const threads = threadsOf();
      const signal = AbortSignal.abort(why);
      const flows = ct.flows(undefined, { signal });
      await expect(flows.toArray()).rejects.toBe(why);
      await expect(flows.count()).rejects.toBe(why);
      await expect(flows.batches().next()).rejects.toBe(why);
      expect(threadsOf()).toEqual(threads);
    });

    test('ends in the middle with its reason, once', async () => {
      const threads = threadsOf();
      const controller = new AbortController();
      const batches = ct.flows(undefined, { signal: controller.signal }).batches();
      await batches.next();
      controller.abort(why);
      expect(threadsOf()).toEqual(threads);
      await expect(batches.next()).rejects.toBe(why);
      expect(await batches.next()).toEqual({ done: true, value: undefined });
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    });

    test('ends at the next flow, batch or no batch', async () => {
      const controller = new AbortController();
      let seen = 0;
      const loop = (async () => {
        for await (const flow of ct.flows(undefined, { signal: controller.signal })) {
          seen += flow.protonum === 6 ? 1 : 0;
          if (seen === 5) controller.abort(why);
        }
      })();
      await expect(loop).rejects.toBe(why);
      expect(seen).toBe(5);
    });

    test('ends while it is waited for, with the usual reason', async () => {
      const controller = new AbortController();
      const waiting = ct.flows(undefined, { signal: controller.signal }).toArray();
      setImmediate(() => controller.abort());
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError', code: 20 });
    });

    test('leaves nothing at the signal when it ended by itself', async () => {
      const { signal } = new AbortController();
      expect(await ct.flows(undefined, { signal }).count()).toBe(STABLE);
      for await (const flow of ct.flows(undefined, { signal })) {
        expect(flow).toBeDefined();
        break;
      }
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });

  test('is cut by close(), which its loop does not take for the end', async () => {
    const batches = ct.flows().batches();
    await batches.next();
    await ct.close();
    await expect(batches.next()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(await batches.next()).toEqual({ done: true, value: undefined });
    expect(threadsOf()).toEqual([]);
  });

  test('has flows that stay, without their batches', async () => {
    interface Memory {
      before: object[];
      after: object[];
      batchesKept: number;
      flowsKept: number;
    }
    const told = await answerOf<Memory>('memory.mjs', { namespace, node: ['--expose-gc'] });
    expect(told.before).toHaveLength(Math.floor(STABLE / 1000));
    expect(told.after).toEqual(told.before);
    // 224 bytes a flow, while the batches are there.
    expect(told.batchesKept).toBeGreaterThan(200 * STABLE);
    expect(told.flowsKept).toBeLessThan(0.05 * told.batchesKept);
  });
});

describe('an iterator that was never begun', () => {
  const DONE = { done: true, value: undefined };

  test('ends without a question to the kernel', async () => {
    const ct = await openIn(filled(10));
    const [batches, flows] = [ct.flows().batches(), ct.flows()[Symbol.asyncIterator]()];
    expect(await batches.return!()).toEqual(DONE);
    expect(await flows.return!()).toEqual(DONE);
    expect(await batches.next()).toEqual(DONE);
    expect(await flows.next()).toEqual(DONE);
  });

  test('ends even when its Conntrack is closed or its signal aborted', async () => {
    const ct = await openIn(filled(10));
    const aborted = ct.flows(undefined, { signal: AbortSignal.abort(new Error('enough')) });
    const [batches, flows] = [aborted.batches(), ct.flows()[Symbol.asyncIterator]()];
    expect(await batches.return!()).toEqual(DONE);
    await ct.close();
    expect(await flows.return!()).toEqual(DONE);
  });
});

describe('a mixed table', () => {
  /** In the kernel's order (enum sctp_conntrack, enum tcp_conntrack). */
  const SCTP_STATES = ['NONE', 'CLOSED', 'COOKIE_WAIT', 'COOKIE_ECHOED', 'ESTABLISHED'];
  const TCP_STATES = ['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT'];
  let namespace: TestNamespace;
  let opened: TcpConnection[] = [];

  beforeAll(async () => {
    namespace = TestNamespace.create();
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.sysctl('nf_conntrack_timestamp', 1);
    namespace.nft(`
      table inet mixed {
        chain raw { type filter hook output priority raw;
          udp dport 7000 ct zone set 7; udp dport 7001 ct original zone set 8; }
        chain out { type filter hook output priority 0; tcp dport 5001 ct mark set 0xfffffffe; }
      }`);
    namespace.track();
    const end = { client: namespace, server: namespace };
    opened = [
      await TcpConnection.open({ ...end, address: HOME, port: 5001 }),
      await TcpConnection.open({ ...end, address: '::1' }),
    ];
    await opened[0]!.exchange(1000);
    for (const [address, port] of [
      [HOME, 7000],
      [HOME, 7001],
      ['::1', 7002],
    ] as const) {
      const udp = await UdpExchange.open({ ...end, address, port });
      await udp.send('lost');
      udp.close();
    }
    ping(namespace, HOME, HOME, 0x1234);
    ping(namespace, '::1', '::1', 0);
    sendPacket(namespace, Protonum.gre, HOME, greV0());
    sendPacket(
      namespace,
      Protonum.sctp,
      HOME,
      sctpPacket({ sport: 1, dport: 2, vtag: 0, chunks: [sctpChunk.init(99)] }),
    );
    namespace.run(() => testing.fill({ count: 100, mark: 0, zone: 65_535 }));
    namespace.run(() => testing.fill({ count: 100, family: 6, proto: 17, status: 0, mark: 5 }));
  });
  afterAll(() => {
    for (const connection of opened) connection[Symbol.dispose]();
  });

  type Value = (flow: Flow) => number | bigint | undefined;
  const FAMILIES = { ipv4: 2, ipv6: 10 };
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
  const withFlows = (batch: FlowBatch) => ({ columns: batch.columns, flows: [...batch] });
  const asWide = (value: number | undefined): bigint | undefined =>
    value === undefined ? undefined : BigInt(value);

  /**
   * Columns that a flow may lack, and the property that has the same value; but for `zone` and
   * `timestampStart`, which are not so easily compared.
   */
  const OPTIONAL: Record<Exclude<OptionalColumn, 'zone' | 'timestampStart'>, Value> = {
    status: ({ status }) => status,
    timeout: ({ timeout }) => timeout,
    mark: ({ mark }) => mark,
    use: ({ use }) => use,
    id: ({ id }) => id,
    state: ({ tcp, state }) => {
      if (state === undefined) return undefined;
      return (tcp === undefined ? SCTP_STATES : TCP_STATES).indexOf(state);
    },
    origPackets: ({ orig }) => asWide(orig.packets),
    origBytes: ({ orig }) => asWide(orig.bytes),
    replyPackets: ({ reply }) => asWide(reply.packets),
    replyBytes: ({ reply }) => asWide(reply.bytes),
    timestampStop: () => undefined,
    timestampEvent: () => undefined,
    origSport: ({ orig }) => orig.sport ?? orig.srckey,
    origDport: ({ orig }) => orig.dport ?? orig.dstkey,
    replySport: ({ reply }) => reply.sport ?? reply.srckey,
    replyDport: ({ reply }) => reply.dport ?? reply.dstkey,
    origIcmpType: ({ orig }) => orig.icmpType,
    origIcmpCode: ({ orig }) => orig.icmpCode,
    origIcmpId: ({ orig }) => orig.icmpId,
    origZone: ({ orig }) => orig.zone,
    replyZone: ({ reply }) => reply.zone,
  };

  let batches: FlowBatch[];
  let flows: Flow[];

  beforeEach(async () => {
    const ct = await openIn(namespace);
    batches = [];
    // A sparse table comes in several.
    for await (const batch of ct.flows().batches()) batches.push(batch);
    flows = batches.flatMap((batch) => [...batch]);
  });

  test('has what it takes to test columns', () => {
    expect(flows.length).toBeGreaterThanOrEqual(209);
    expect(new Set(flows.map(({ family }) => family))).toEqual(new Set(['ipv4', 'ipv6']));
    const protocols = new Set(flows.map(({ protocol }) => protocol));
    expect([...protocols].sort()).toEqual(['gre', 'icmp', 'icmpv6', 'sctp', 'tcp', 'udp']);
    expect(flows.filter(({ sctp }) => sctp !== undefined)).toHaveLength(1);
    expect(flows.filter(({ orig }) => orig.zone === 8)).toHaveLength(1);
    expect(flows.filter(({ zone }) => zone === 65_535)).toHaveLength(100);
    expect(flows.filter(({ mark }) => mark === 0xfffffffe)).toHaveLength(1);
    expect(flows.some(({ orig }) => (orig.bytes ?? 0) > 1000)).toBe(true);
  });

  test.each(Object.keys(OPTIONAL) as (keyof typeof OPTIONAL)[])(
    'agrees with its flows on %s',
    (name) => {
      for (const batch of batches) {
        const column = batch.columns[name];
        const present = batch.columns.present(name);
        expect([column.length, present.length]).toEqual([batch.length, batch.length]);
        const read = [...column].map((each, i) => (present[i] === 1 ? each : undefined));
        expect(read).toEqual([...batch].map(OPTIONAL[name]));
        const absent = [...column].map(Number).filter((_, i) => present[i] === 0);
        expect(absent).toEqual(absent.map(() => 0));
      }
    },
  );

  test('agrees with its flows on what each of them has', () => {
    for (const { columns, ...batch } of batches.map(withFlows)) {
      expect([...columns.kind]).toEqual(batch.flows.map(() => 0));
      expect([...columns.family]).toEqual(batch.flows.map(({ family }) => FAMILIES[family]));
      expect([...columns.protonum]).toEqual(batch.flows.map(({ protonum }) => protonum));
      // A zone of 0 is not sent, and reads 0 either way.
      expect([...columns.zone]).toEqual(batch.flows.map(({ zone }) => zone));
      expect([...columns.present('zone')]).toEqual(batch.flows.map(({ zone }) => +(zone !== 0)));
      expect([...columns.time]).toEqual(batch.flows.map(() => 0n));
    }
  });

  test('agrees with its flows on times, to the precision of a number', () => {
    for (const { columns, ...batch } of batches.map(withFlows)) {
      expect([...columns.present('timestampStart')]).toEqual(batch.flows.map(() => 1));
      const start = Array.from(columns.timestampStart, (ns) => Number(ns) / 1e6);
      expect(start).toEqual(batch.flows.map(({ timestamps }) => timestamps!.start));
    }
  });

  test.each(['origSrc', 'origDst', 'replySrc', 'replyDst'] as const)(
    'agrees with its flows on %s',
    (name) => {
      const direction = name.startsWith('orig') ? 'orig' : 'reply';
      const side = name.endsWith('Src') ? 'src' : 'dst';
      for (const batch of batches) {
        const read = [...batch].map((_, i) => batch.columns[name].subarray(16 * i, 16 * i + 16));
        const expected = [...batch].map((flow) => addressBytes(flow[direction][side]!));
        expect(read.map(hex)).toEqual(expected.map((octets) => hex(octets).padEnd(32, '0')));
      }
    },
  );

  test('has the same flows by at() and by the iterator, and gathers a column once', () => {
    for (const batch of batches) {
      const each = Array.from({ length: batch.length }, (_, i) => batch.at(i).toJSON());
      expect(each).toEqual([...batch].map((flow) => flow.toJSON()));
      expect(batch.columns.id).toBe(batch.columns.id);
    }
  });

  test('has neither dying nor unconfirmed flows', async () => {
    const ct = await openIn(namespace);
    expect(await ct.flows(undefined, { table: 'conntrack' }).count()).toBeGreaterThan(200);
    expect(await ct.flows(undefined, { table: 'dying' }).toArray()).toEqual([]);
    expect(await ct.flows(undefined, { table: 'unconfirmed' }).toArray()).toEqual([]);
  });
});

describe('zeroCounters', () => {
  test('gives what was counted and sets it to zero', async () => {
    const namespace = TestNamespace.create();
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.track();
    const ct = await openIn(namespace);
    const end = { client: namespace, server: namespace, address: HOME };
    const udp = await UdpExchange.open(end);
    try {
      const listing = async (zeroCounters: boolean): Promise<unknown[]> => {
        const flows = await ct.flows(undefined, { zeroCounters }).toArray();
        return flows.flatMap(({ orig, reply }) =>
          [orig, reply].map(({ packets, bytes }) => [packets, bytes]),
        );
      };
      await udp.request('ping');
      const counted = [1, 28 + 4];
      expect(await listing(false)).toEqual([counted, counted]);
      expect(await listing(true)).toEqual([counted, counted]);
      expect(await listing(false)).toEqual([
        [0, 0],
        [0, 0],
      ]);
      await udp.request('ping');
      expect(await listing(true)).toEqual([counted, counted]);
    } finally {
      udp.close();
    }
  });

  test('lists as many flows as without', async () => {
    const namespace = TestNamespace.create();
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.run(() => testing.fill({ count: 20_000 }));
    const ct = await openIn(namespace);
    const tally = new Tally(20_000);
    for await (const batch of ct.flows(undefined, { zeroCounters: true }).batches()) {
      for (const number of numbersIn(batch)) tally.add(number);
    }
    expect(tally.deviations).toEqual(COMPLETE);
  });
});

test('an empty table has no flow, and no batch', async () => {
  const ct = await openIn(TestNamespace.create());
  expect(await ct.flows().toArray()).toEqual([]);
  expect(await ct.flows().count()).toBe(0);
  expect(await ct.flows().batches().next()).toEqual({ done: true, value: undefined });
});

test('each namespace has its own listing', async () => {
  const [first, second] = [filled(3), TestNamespace.create()];
  second.run(() => testing.fill({ first: 100, count: 2 }));
  const [one, two] = [await openIn(first), await openIn(second)];
  const [ofOne, ofTwo] = await Promise.all([one.flows().toArray(), two.flows().toArray()]);
  const sources = (flows: Flow[]): string[] => flows.map(({ orig }) => orig.src!).sort();
  expect(sources(ofOne)).toEqual([0, 1, 2].map((index) => syntheticTuple(index).src));
  expect(sources(ofTwo)).toEqual([100, 101].map((index) => syntheticTuple(index).src));
});
