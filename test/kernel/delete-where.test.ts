/** deleteWhere(): exactly the flows that a filter says, and what it tells of them. */
import type { Conntrack, DeleteWhereOptions, Filter, Flow, NewFlow } from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { attributesOf, attributesOfMessage, Cta, Group } from '../support/ctnetlink';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { anySeed, randomOf } from '../support/random';
import { anyFlow, anySaid, identitiesOf, identityOf } from '../support/said';
import { syntheticTuple, testing, type NetlinkCapture } from '../support/testing';
import { UdpExchange } from '../support/traffic';
import { waitFor } from '../support/wait';

const TIMEOUT = 1000;

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

/** Deletes, and expects exactly the flows of which `holds` is true to be gone. */
async function expectDeleted(
  filter: Filter,
  holds: (flow: Flow) => boolean,
  options?: DeleteWhereOptions,
): Promise<{ matched: number; of: number }> {
  const before = await ct.flows().toArray();
  const wanted = before.filter(holds);
  const result = await ct.deleteWhere(filter, options);
  const after = await ct.flows().toArray();
  const where = JSON.stringify(filter);
  expect({ where, left: identitiesOf(after) }).toEqual({
    where,
    left: identitiesOf(before.filter((flow) => !holds(flow))),
  });
  expect({ where, ...result }).toMatchObject({
    ...{ where, matched: wanted.length, deleted: wanted.length, gone: 0, failed: 0, errors: [] },
  });
  expect(result.scanned).toBeGreaterThanOrEqual(wanted.length);
  expect(result.scanned).toBeLessThanOrEqual(before.length);
  expect(result.ms).toBeGreaterThan(0);
  if (options?.receipts === true) {
    expect(identitiesOf(result.flows!)).toEqual(identitiesOf(wanted));
  } else {
    expect(result).not.toHaveProperty('flows');
  }
  return { matched: wanted.length, of: before.length };
}

describe('random tables and filters', () => {
  const TABLES = 36;
  const FILTERS = 3;
  const FLOWS = 150;

  test('exactly what the filter says is gone', async () => {
    const seed = anySeed();
    const random = randomOf(seed);
    const cases: { matched: number; of: number }[] = [];
    try {
      for (let table = 0; table < TABLES; table += 1) {
        namespace.run(testing.flush);
        await ct.createMany(Array.from({ length: FLOWS }, () => anyFlow(random)));
        expect(await ct.count()).toBeGreaterThan(FLOWS / 2);
        for (let number = 0; number < FILTERS; number += 1) {
          const { filter, holds } = anySaid(random);
          cases.push(await expectDeleted(filter, holds, { receipts: random() < 0.5 }));
        }
        expect(countByCli(namespace)).toBe(await ct.flows().count());
      }
    } catch (error) {
      throw new Error(`with the seed ${seed}`, { cause: error });
    }
    // Cases that delete all or nothing prove less.
    const telling = cases.filter(({ matched, of }) => matched > 0 && matched < of);
    expect({ seed, share: telling.length / cases.length > 0.3 }).toEqual({ seed, share: true });
  });
});

describe('where the kernel compares wrongly or not at all', () => {
  const made = (flow: Omit<NewFlow, 'timeout'>): NewFlow => ({ timeout: TIMEOUT, ...flow });
  const six = (host: number, more: Partial<NewFlow> = {}): NewFlow =>
    made({
      protocol: 'udp',
      orig: { src: `fd00::${host}`, dst: 'fd00::9', sport: host, dport: 53 },
      ...more,
    });

  test('an address of IPv6, of which the kernel finds all others', async () => {
    await ct.createMany([1, 2, 3, 4, 5].map((host) => six(host)));
    await expectDeleted({ orig: { src: 'fd00::3' } }, (flow) => flow.orig.src === 'fd00::3');
    await expectDeleted({ reply: { dst: 'fd00::1' } }, (flow) => flow.reply.dst === 'fd00::1');
    await expectDeleted(
      { family: 'ipv6', protocol: 'udp', orig: { src: 'fd00::2', dst: 'fd00::9', sport: 2 } },
      (flow) => flow.orig.src === 'fd00::2',
    );
    await expectDeleted({ orig: { dst: 'fd00::8' } }, () => false);
    expect(countByCli(namespace)).toBe(2);
  });

  test.each(['sctp', 'udplite'])('ports of %s', async (protocol) => {
    const flows = [1, 2, 3].map((sport) =>
      made({ protocol, orig: { src: '10.0.0.1', dst: '10.0.0.2', sport, dport: 10 + sport } }),
    );
    await ct.createMany(flows);
    await expectDeleted({ protocol, orig: { dport: 12 } }, (flow) => flow.orig.dport === 12);
    await expectDeleted({ protocol, orig: { src: '10.0.0.1', sport: 9 } }, () => false);
    await expectDeleted({ protocol, reply: { dport: 1 } }, (flow) => flow.orig.sport === 1);
    expect(countByCli(namespace)).toBe(1);
  });

  test('a port without a protocol, which the kernel refuses', async () => {
    for (const protocol of ['tcp', 'udp', 'sctp', 'udplite']) {
      for (const dport of [53, 80]) {
        await ct.create(
          made({ protocol, orig: { src: '10.0.0.1', dst: '10.0.0.2', sport: 1, dport } }),
        );
        await ct.create(
          six(1, { protocol, orig: { src: 'fd00::1', dst: 'fd00::2', sport: 1, dport } }),
        );
      }
    }
    await expectDeleted({ orig: { dport: 53 } }, (flow) => flow.orig.dport === 53);
    await expectDeleted({ port: 80, family: 'ipv6' }, (flow) => flow.family === 'ipv6');
  });

  const ENDS = { src: '10.0.0.1', dst: '10.0.0.2', sport: 1, dport: 2 };
  const BACK = { src: '10.0.0.2', dst: '10.0.0.1', sport: 2, dport: 1 };

  async function makeZones(): Promise<void> {
    for (const zone of [0, 1, 7, 65535])
      await ct.create(made({ protocol: 'udp', orig: ENDS, zone }));
    const orig = { ...ENDS, sport: 3 };
    const reply = { ...BACK, dport: 3 };
    await ct.create(made({ protocol: 'udp', orig: { ...orig, zone: 7 }, reply }));
    const [there, back] = [
      { ...ENDS, sport: 4 },
      { ...BACK, dport: 4 },
    ];
    await ct.create(made({ protocol: 'udp', orig: there, reply: { ...back, zone: 7 } }));
  }

  test.each<[string, Filter, (flow: Flow) => boolean, number]>([
    ['of both directions', { zone: 7 }, (flow) => flow.zone === 7, 1],
    ['none', { zone: 0 }, (flow) => flow.zone === 0, 3],
    ['of the original direction', { orig: { zone: 7 } }, (flow) => flow.orig.zone === 7, 1],
    ['of the reply', { reply: { zone: 7 } }, (flow) => flow.reply.zone === 7, 1],
    ['any other', { not: { zone: 7 } }, (flow) => flow.zone !== 7, 5],
    ['of a range', { zone: [1, 65535] }, (flow) => flow.zone > 0, 3],
    ['that there is not', { zone: 8 }, () => false, 0],
  ])('a zone: %s', async (_, filter, holds, count) => {
    await makeZones();
    expect(await expectDeleted(filter, holds)).toEqual({ matched: count, of: 6 });
  });

  test('no status, which the kernel takes for no filter', async () => {
    await ct.create(made({ protocol: 'udp', orig: ENDS, status: ['ASSURED'] }));
    await ct.create(made({ protocol: 'udp', orig: { ...ENDS, sport: 9 } }));
    await expectDeleted({ status: { none: ['ASSURED'] } }, (flow) => !flow.assured);
    await expectDeleted({ status: { all: ['SEEN_REPLY'] } }, () => false);
  });

  test('a mark of 0, and bits of one', async () => {
    for (const mark of [0, 1, 0x10, 0x11]) {
      await ct.create(made({ protocol: 'udp', orig: { ...ENDS, sport: mark }, mark }));
    }
    await expectDeleted({ mark: { value: 0, mask: 1 }, zone: 0 }, (flow) => flow.mark! % 2 === 0);
    await expectDeleted({ mark: 0 }, () => false);
    expect(
      listByCli(namespace)
        .map(({ mark }) => mark)
        .sort(),
    ).toEqual([1, 17]);
  });
});

describe('what conntrack -L finds is what goes', () => {
  const CASES: Record<string, [string[], Filter]> = {
    'a source of IPv4': [['-s', '10.0.0.1'], { orig: { src: '10.0.0.1' } }],
    'a source of IPv6': [['-s', 'fd00::1'], { orig: { src: 'fd00::1' } }],
    'a network': [['-s', '10.0.0.0/16'], { orig: { src: '10.0.0.0/16' } }],
    'a network of IPv6': [['-d', 'fd00::/64'], { orig: { dst: 'fd00::/64' } }],
    'a destination of the reply': [['-q', '10.0.0.2'], { reply: { dst: '10.0.0.2' } }],
    'a protocol': [['-p', 'sctp'], { protocol: 'sctp' }],
    'a port of TCP': [['-p', 'tcp', '--dport', '80'], { protocol: 'tcp', orig: { dport: 80 } }],
    'a port of SCTP': [['-p', 'sctp', '--dport', '80'], { protocol: 'sctp', orig: { dport: 80 } }],
    'a family': [['-f', 'ipv6'], { family: 'ipv6' }],
    'a mark': [['-m', '17'], { mark: 17 }],
    'bits of the mark': [['-m', '0x10/0x10'], { mark: { value: 0x10, mask: 0x10 } }],
    'a status': [['-u', 'ASSURED'], { status: { all: ['ASSURED'] } }],
    'a state': [['-p', 'tcp', '--state', 'ESTABLISHED'], { protocol: 'tcp', state: 'ESTABLISHED' }],
    'a zone': [['-w', '7'], { zone: 7 }],
    'source NAT': [['--src-nat'], { nat: 'src' }],
  };

  test.each(Object.entries(CASES))('%s', async (_, [args, filter]) => {
    const seed = anySeed();
    const random = randomOf(seed);
    await ct.createMany(Array.from({ length: 800 }, () => anyFlow(random)));
    const all = listByCli(namespace);
    const found = new Set(listByCli(namespace, args).map(({ id }) => id));
    expect({ seed, some: found.size > 0 && found.size < all.length }).toEqual({ seed, some: true });
    const { deleted } = await ct.deleteWhere(filter);
    expect({ seed, deleted }).toEqual({ seed, deleted: found.size });
    const left = listByCli(namespace).map(({ id }) => id);
    const wanted = all.map(({ id }) => id).filter((id) => !found.has(id));
    expect(left.sort()).toEqual(wanted.sort());
  });
});

describe('limit', () => {
  test.each([1, 2, 1023, 1024, 1025, 2999])('%i of three thousand', async (limit) => {
    namespace.run(() => testing.fill({ count: 3000 }));
    namespace.run(() => testing.fill({ count: 100, family: 6 }));
    const result = await ct.deleteWhere({ family: 'ipv4' }, { limit, receipts: true });
    expect(result).toMatchObject({ matched: limit, deleted: limit, gone: 0, failed: 0 });
    expect(new Set(identitiesOf(result.flows!)).size).toBe(limit);
    expect(countByCli(namespace)).toBe(3100 - limit);
    for (const flow of result.flows!) expect(await ct.get(flow)).toBeUndefined();
  });

  test('of more than there are, or of what is not there', async () => {
    namespace.run(() => testing.fill({ count: 100 }));
    expect(await ct.deleteWhere({ mark: 1 }, { limit: 1 })).toMatchObject({ deleted: 0 });
    expect(await ct.deleteWhere({ mark: 0 }, { limit: 5000 })).toMatchObject({ deleted: 100 });
  });

  test('ends the listing too', async () => {
    namespace.run(() => testing.fill({ count: 50_000 }));
    const { scanned } = await ct.deleteWhere({ protocol: 'tcp' }, { limit: 10 });
    expect(scanned).toBeLessThan(10_000);
    expect(countByCli(namespace)).toBe(49_990);
  });
});

describe('dryRun', () => {
  async function whole(): Promise<string[]> {
    const flows = await ct.flows().toArray();
    return flows
      .map(({ id, mark, status, orig }) => JSON.stringify([id, mark, status, orig]))
      .sort();
  }

  test('tells what would go, and leaves everything as it is', async () => {
    namespace.run(() => testing.fill({ count: 2500 }));
    namespace.run(() => testing.fill({ count: 500, family: 6, mark: 5 }));
    const before = await whole();
    expect(await ct.deleteWhere({ family: 'ipv4' }, { dryRun: true })).toMatchObject({
      ...{ matched: 2500, deleted: 0, gone: 0, failed: 0, errors: [] },
    });
    const receipts = await ct.deleteWhere({ mark: 5 }, { dryRun: true, receipts: true });
    expect(receipts).toMatchObject({ matched: 500, deleted: 0 });
    expect(identitiesOf(receipts.flows!)).toEqual(
      identitiesOf(await ct.flows({ mark: 5 }).toArray()),
    );
    const limited = await ct.deleteWhere({ mark: 0 }, { dryRun: true, receipts: true, limit: 7 });
    expect(limited).toMatchObject({ matched: 7, deleted: 0 });
    expect(limited.flows).toHaveLength(7);
    expect(await whole()).toEqual(before);
  });
});

describe('receipts', () => {
  beforeEach(() => {
    namespace.sysctl('nf_conntrack_events', 1);
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.sysctl('nf_conntrack_timestamp', 1);
  });

  /** Flows that were destroyed, with their packets, as the kernel announced it to everybody. */
  function destroyed(capture: NetlinkCapture): string[] {
    return capture.drain().map((message) => {
      const peek = testing.oraclePeek(message);
      const packets = `${peek.orig_counter_packets!} ${peek.repl_counter_packets!}`;
      return `${peek.id!} ${peek.orig_port_src!}: ${packets}`;
    });
  }

  test('carry the last counters, of packets that came after the listing too', async () => {
    namespace.track();
    const exchanges = await Promise.all(
      Array.from({ length: 40 }, () =>
        UdpExchange.open({ client: namespace, server: namespace, address: '127.0.0.1' }),
      ),
    );
    const capture = namespace.run(() => new testing.NetlinkCapture([Group.destroy]));
    try {
      for (const exchange of exchanges) await exchange.request();
      namespace.run(() => testing.fill({ count: 4000, proto: 17 }));
      const listed = await ct.flows({ address: '127.0.0.1' }).toArray();
      expect(listed).toHaveLength(40);
      const deleting = ct.deleteWhere({ protocol: 'udp' }, { receipts: true });
      // Both go on at the same time: each packet comes before the flow's end, or makes a flow of its own.
      for (let round = 0; round < 20; round += 1) {
        for (const exchange of exchanges) await exchange.request('x');
      }
      const { flows = [], deleted } = await deleting;
      expect(flows).toHaveLength(deleted);
      const receipts = flows.filter(({ orig }) => orig.dst === '127.0.0.1');
      expect(receipts.length).toBeGreaterThanOrEqual(40);
      const ends = new Set(destroyed(capture));
      for (const { id, orig, reply, timestamps } of receipts) {
        expect(ends).toContain(`${id} ${orig.sport!}: ${orig.packets!} ${reply.packets!}`);
        // Only the message of the end has the time of the end.
        expect(timestamps!.stop).toBeGreaterThanOrEqual(timestamps!.start!);
      }
    } finally {
      capture.close();
      for (const exchange of exchanges) exchange.close();
    }
  });

  test('of flows of all kinds are of the end, each once', async () => {
    const random = randomOf(anySeed());
    await ct.createMany(Array.from({ length: 3000 }, () => anyFlow(random)));
    const wanted = (await ct.flows().toArray()).filter((flow) => flow.family === 'ipv6');
    const { flows = [] } = await ct.deleteWhere({ family: 'ipv6' }, { receipts: true });
    expect(identitiesOf(flows)).toEqual(identitiesOf(wanted));
    for (const { timestamps } of flows) expect(timestamps?.stop).toBeDefined();
    const marks = new Map(wanted.map((flow) => [identityOf(flow), flow.mark]));
    for (const flow of flows) expect(flow.mark ?? 0).toBe(marks.get(identityOf(flow)));
  });

  test('of flows without events are as they were listed', async () => {
    // Without its event extension a flow has no voice: neither an event nor an echo tells of its end.
    namespace.sysctl('nf_conntrack_events', 0);
    namespace.run(() => testing.fill({ count: 2000, mark: 1 }));
    namespace.sysctl('nf_conntrack_events', 1);
    namespace.run(() => testing.fill({ count: 2000, first: 2000, mark: 1 }));
    namespace.sysctl('nf_conntrack_events', 2);
    namespace.run(() => testing.fill({ count: 100, family: 6, mark: 2 }));
    const wanted = await ct.flows({ mark: 1 }).toArray();
    const { flows = [], deleted } = await ct.deleteWhere({ mark: 1 }, { receipts: true });
    expect(deleted).toBe(4000);
    expect(identitiesOf(flows)).toEqual(identitiesOf(wanted));
    const ended = flows.filter(({ timestamps }) => timestamps?.stop !== undefined);
    expect(ended).toHaveLength(2000);
    const mute = flows.filter(({ timestamps }) => timestamps?.stop === undefined);
    for (const flow of mute) expect(flow.timeout).toBeGreaterThan(0);
    expect(countByCli(namespace)).toBe(100);
  });

  test('are there for fifty thousand flows, each once', async () => {
    namespace.run(() => testing.fill({ count: 50_000 }));
    namespace.run(() => testing.fill({ count: 1000, family: 6 }));
    const { flows = [], ...rest } = await ct.deleteWhere({ family: 'ipv4' }, { receipts: true });
    expect(rest).toMatchObject({ matched: 50_000, deleted: 50_000, gone: 0, failed: 0 });
    const sources = new Set(flows.map(({ orig }) => orig.src));
    expect(flows).toHaveLength(50_000);
    expect(sources.size).toBe(50_000);
    expect(flows.every(({ timestamps }) => timestamps?.stop !== undefined)).toBe(true);
    expect(countByCli(namespace)).toBe(1000);
  });
});

describe('a flow that has taken the place of the matched one', () => {
  interface End {
    id: number;
    mark: number;
    /** In hexadecimal. */
    src: string;
  }

  /** What a DESTROY event says of one of fill()'s flows, without the cost of its other attributes. */
  function endOf(message: Buffer): End {
    const attributes = attributesOfMessage(message);
    const find = (type: number): Buffer | undefined =>
      attributes.find((attribute) => attribute.type === type)?.payload;
    const ip = attributesOf(find(Cta.tupleOrig)!).find(({ type }) => type === 1)!.payload;
    const src = attributesOf(ip)
      .find(({ type }) => type === 1)!
      .payload.toString('hex');
    const id = find(Cta.id)!.readUInt32BE();
    return { id, mark: find(Cta.mark)?.readUInt32BE() ?? 0, src };
  }

  const COUNT = 20_000;
  const STEP = 100;

  /** Deletes the flows of mark 1 while each is replaced by one of mark 2; all that came to an end meanwhile. */
  async function race(capture: NetlinkCapture): Promise<{ gone: number; ends: End[] }> {
    const ends: End[] = [];
    const deleting = ct.deleteWhere({ mark: 1 });
    for (let first = 0; first < COUNT; first += STEP) {
      // The old one goes, others take its memory and with it its id, and the new one comes.
      namespace.run(() => testing.unfill({ first, count: STEP }));
      namespace.run(() => testing.fill({ first, count: STEP, mark: 3, zone: 1 }));
      namespace.run(() => testing.fill({ first, count: STEP, mark: 2 }));
      ends.push(...capture.drain().map(endOf));
    }
    const { gone, failed } = await deleting;
    expect(failed).toBe(0);
    ends.push(...capture.drain().map(endOf));
    expect(capture.drops()).toBe(0);
    return { gone, ends };
  }

  test('stays, whenever it came', async () => {
    namespace.sysctl('nf_conntrack_events', 1);
    let met = 0;
    let kept = 0;
    // Until the deletes have met flows that were no longer the listed ones, several times over.
    for (let round = 0; round < 40 && met < 100; round += 1) {
      namespace.run(testing.flush);
      namespace.run(() => testing.fill({ count: COUNT, mark: 1 }));
      const capture = namespace.run(() => new testing.NetlinkCapture([Group.destroy]));
      const { gone, ends } = await race(capture).finally(() => capture.close());
      met += gone;
      // Nothing in the kernel tells one from its forerunner that has the same id.
      const ids = new Map(ends.filter(({ mark }) => mark === 1).map(({ src, id }) => [src, id]));
      const lost = ends.filter(({ mark, src, id }) => mark === 2 && ids.get(src) !== id);
      expect(lost).toEqual([]);
      kept += await ct.flows({ mark: 2 }).count();
      expect(await ct.flows({ mark: 3 }).count()).toBe(COUNT);
    }
    expect(met).toBeGreaterThanOrEqual(100);
    expect(kept).toBeGreaterThan(COUNT / 2);
  });

  test('and flows that come and go beside are no trouble', async () => {
    namespace.run(() => testing.fill({ count: 20_000, family: 6 }));
    const running = namespace.run(() => new testing.Churn({ live: 4096, mark: 9 }));
    try {
      await waitFor('flows of the churn', () => running.operations > 10_000);
      const result = await ct.deleteWhere({ or: [{ family: 'ipv6' }, { mark: 9 }] });
      expect(result.failed).toBe(0);
      expect(result.deleted + result.gone).toBe(result.matched);
      expect(result.deleted).toBeGreaterThanOrEqual(20_000);
    } finally {
      running.stop();
    }
    expect(countByCli(namespace)).toBe(0);
  });
});

describe('a signal', () => {
  test('that is aborted already', async () => {
    namespace.run(() => testing.fill({ count: 100 }));
    const signal = AbortSignal.abort(new Error('never mind'));
    await expect(ct.deleteWhere({ mark: 0 }, { signal })).rejects.toThrow('never mind');
    expect(countByCli(namespace)).toBe(100);
  });

  test('ends it on the way, what is done stays done, and nothing more is done', async () => {
    const COUNT = 100_000;
    for (let round = 0; round < 20; round += 1) {
      namespace.run(testing.flush);
      namespace.run(() => testing.fill({ count: COUNT }));
      const controller = new AbortController();
      const deleting = ct.deleteWhere({ mark: 0 }, { signal: controller.signal });
      const ended = expect(deleting).rejects.toThrow('enough');
      await waitFor('the first deletes', async () => (await ct.count()) < COUNT, { interval: 1 });
      controller.abort(new Error('enough'));
      // Nothing was under way any more when the promise was settled.
      await ended;
      const left = await ct.count();
      expect(left).toBeLessThan(COUNT);
      expect(await ct.flows().count()).toBe(left);
      expect(await ct.count()).toBe(left);
      if (left > 0) return;
    }
    throw new Error('it never ended on the way');
  });
});

describe('progress', () => {
  test('is told at the end, of all there was', async () => {
    namespace.run(() => testing.fill({ count: 3000 }));
    const told: object[] = [];
    await ct.deleteWhere({ mark: 0 }, { progress: (now) => told.push(now) });
    expect(told.at(-1)).toEqual({ scanned: 3000, matched: 3000, done: 3000 });
    const dry: object[] = [];
    await ct.deleteWhere({ mark: 0 }, { dryRun: true, progress: (now) => dry.push(now) });
    expect(dry.at(-1)).toEqual({ scanned: 0, matched: 0, done: 0 });
  });

  test('never goes back', async () => {
    namespace.run(() => testing.fill({ count: 200_000 }));
    const told: { scanned: number; matched: number; done: number }[] = [];
    await ct.deleteWhere({ protocol: 'tcp' }, { progress: (now) => told.push(now) });
    for (const [index, now] of told.entries()) {
      const last = told[index - 1] ?? { scanned: 0, matched: 0, done: 0 };
      expect(now.scanned).toBeGreaterThanOrEqual(last.scanned);
      expect(now.matched).toBeGreaterThanOrEqual(last.matched);
      expect(now.done).toBeGreaterThanOrEqual(last.done);
      expect(now.done).toBeLessThanOrEqual(now.matched);
      expect(now.matched).toBeLessThanOrEqual(now.scanned);
    }
    expect(told.at(-1)).toEqual({ scanned: 200_000, matched: 200_000, done: 200_000 });
  });

  test('that throws is the call that fails, and not the process', async () => {
    namespace.run(() => testing.fill({ count: 200_000 }));
    const broken = new Error('nobody listens');
    const progress = (): void => {
      throw broken;
    };
    const uncaught = jest.fn();
    process.on('uncaughtException', uncaught);
    try {
      await expect(ct.deleteWhere({ protocol: 'tcp' }, { progress })).rejects.toBe(broken);
    } finally {
      process.off('uncaughtException', uncaught);
    }
    expect(uncaught).not.toHaveBeenCalled();
  });
});

describe('a filter that says nothing', () => {
  class Getter {
    readonly #mark = 1;

    get mark(): number {
      return this.#mark;
    }
  }
  const nested = (depth: number): unknown => (depth === 0 ? {} : { and: [nested(depth - 1)] });

  const EMPTY: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    ['an empty array', []],
    ['an array of filters', [{ mark: 1 }]],
    ['an empty string', ''],
    ['text', 'tcp'],
    ['0', 0],
    ['true', true],
    ['a symbol', Symbol('mark')],
    ['a bigint', 1n],
    ['a function', (flow: Flow) => flow.mark === 1],
    ['a regular expression', /tcp/],
    ['a date', new Date(0)],
    ['a Map', new Map([['mark', 1]])],
    ['a Set', new Set(['mark'])],
    ['a Buffer', Buffer.alloc(0)],
    ['an object whose members are inherited', Object.create({ mark: 1 })],
    ['an object whose members are getters of its class', new Getter()],
    ['an object whose members are hidden', Object.defineProperty({}, 'mark', { value: 1 })],
    ['a member that is a symbol', { [Symbol('mark')]: 1 }],
    ['a member that is undefined', { mark: undefined }],
    ['another that is undefined', { protocol: undefined }],
    ['orig that says nothing', { orig: {} }],
    ['reply that says nothing', { reply: {} }],
    ['orig and reply that say nothing', { orig: {}, reply: {} }],
    ['orig with a member that is undefined', { orig: { src: undefined } }],
    ['orig that is a Map', { orig: new Map([['src', '10.0.0.1']]) }],
    ['orig whose members are inherited', { orig: Object.create({ src: '10.0.0.1' }) }],
    ['"and" of none', { and: [] }],
    ['"and" of one that says nothing', { and: [{}] }],
    ['"and" of several that say nothing', { and: [{}, { orig: {} }, { status: {} }] }],
    ['"or" of one that says nothing', { or: [{}] }],
    ['"or" with one that says nothing', { or: [{ mark: 1 }, {}] }],
    ['"or" with one deep down that says nothing', { or: [{ mark: 1 }, { and: [{ orig: {} }] }] }],
    ['not "or" of none', { not: { or: [] } }],
    ['not not nothing', { not: { not: {} } }],
    ['not no protocol', { not: { protocol: [] } }],
    ['not no address', { not: { address: [] } }],
    ['not no source', { not: { orig: { src: [] } } }],
    ['not no port', { not: { port: [] } }],
    ['not no state', { not: { state: [] } }],
    ['not no helper', { not: { helper: [] } }],
    ['not no id', { not: { id: [] } }],
    ['not no zone', { not: { zone: [] } }],
    ['not no status', { not: { status: { any: [] } } }],
    ['"and" of not no protocol', { and: [{ not: { protocol: [] } }, { orig: {} }] }],
    ['status that says nothing', { status: {} }],
    ['status with no flags that must be set', { status: { all: [] } }],
    ['status with no bits that must be set', { status: { all: 0 } }],
    ['status with no flags that must not be set', { status: { none: [] } }],
    ['status with no bits that must not be set', { status: { none: 0 } }],
    ['no bits of the mark', { mark: { value: 0, mask: 0 } }],
    ['"and" of no bits of the mark', { and: [{ mark: { value: 0, mask: 0 } }, {}] }],
    ['no labels', { labels: [] }],
    ['thirty levels of nothing', nested(30)],
    ['a misspelt member', { sport: 1 }],
    ['__proto__ from JSON', JSON.parse('{"__proto__": {"mark": 1}}')],
    ['constructor', { constructor: { mark: 1 } }],
  ];

  beforeEach(() => {
    namespace.run(() => testing.fill({ count: 50, mark: 1 }));
    namespace.run(() => testing.fill({ count: 50, family: 6 }));
  });

  test.each(EMPTY)('is refused: %s', async (_, filter) => {
    for (const options of [undefined, { dryRun: true }, { limit: 1 }, { receipts: true }]) {
      await expect(ct.deleteWhere(filter as Filter, options)).rejects.toBeInstanceOf(TypeError);
    }
    await expect(ct.updateWhere(filter as Filter, { mark: 9 })).rejects.toBeInstanceOf(TypeError);
    expect(countByCli(namespace)).toBe(100);
    expect(await ct.flows({ mark: 9 }).count()).toBe(0);
  });

  // Beside a member that does say something these would make it say more than it seems to.
  test.each<[string, unknown]>([
    ['orig that is a Map', { mark: 1, orig: new Map([['src', '10.0.0.1']]) }],
    ['orig whose members are inherited', { mark: 1, orig: Object.create({ src: '10.0.0.1' }) }],
    ['not of what is inherited', { mark: 1, not: Object.create({ family: 'ipv4' }) }],
    ['"and" of what is inherited', { mark: 1, and: [Object.create({ family: 'ipv6' })] }],
    ['"and" of a Map', { mark: 1, and: [new Map([['family', 'ipv6']])] }],
    ['status that is a Set', { mark: 1, status: new Set(['ASSURED']) }],
    ['a hole in "and"', { mark: 1, and: [, { family: 'ipv4' }] }], // eslint-disable-line no-sparse-arrays
    ['a hole in the flags', { mark: 1, status: { all: new Array<string>(2) } }],
  ])('is refused in part: %s', async (_, filter) => {
    await expect(ct.deleteWhere(filter as Filter)).rejects.toBeInstanceOf(TypeError);
    expect(countByCli(namespace)).toBe(100);
  });

  test('and one that says "none" deletes none', async () => {
    const none: Filter[] = [
      { or: [] },
      { protocol: [] },
      { not: {} },
      { orig: { sport: [] } },
      { status: { any: [] } },
      { and: [{ or: [] }, { mark: 1 }] },
    ];
    for (const filter of none) {
      expect(await ct.deleteWhere(filter)).toMatchObject({ matched: 0, deleted: 0 });
    }
    expect(countByCli(namespace)).toBe(100);
  });
});

test('synthetic flows are told apart by filters of each kind', async () => {
  namespace.run(() => testing.fill({ count: 2000 }));
  const { src, sport } = syntheticTuple(77);
  expect(await ct.deleteWhere({ orig: { src, sport } })).toMatchObject({ deleted: 1 });
  expect(await ct.deleteWhere({ orig: { sport: [1024, 1123] } })).toMatchObject({ deleted: 99 });
  expect(countByCli(namespace)).toBe(1900);
});
