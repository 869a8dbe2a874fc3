/** Single flows deleted: by each way to name one, and by no other. */
import type { Conntrack, Flow, FlowKey, NewFlow } from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { replace } from '../support/replaced';
import { useLabels } from '../support/shown';
import { testing } from '../support/testing';

const V4 = { src: '10.0.0.1', dst: '10.9.9.9' };
const V6 = { src: 'fd00::1', dst: 'fd00::9' };
const PORTS = { sport: 1000, dport: 80 };
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

const made = (flow: Omit<NewFlow, 'timeout'>): NewFlow => ({ timeout: TIMEOUT, ...flow });
const udp = (more: Partial<NewFlow> = {}): NewFlow =>
  made({ protocol: 'udp', orig: { ...V4, ...PORTS }, ...more });

/** One of each kind; no two of them are the same flow. */
const KINDS: Record<string, NewFlow> = {
  TCP: made({ protocol: 'tcp', orig: { ...V4, ...PORTS }, state: 'ESTABLISHED' }),
  'TCP over IPv6': made({ protocol: 'tcp', orig: { ...V6, ...PORTS }, state: 'SYN_SENT' }),
  UDP: udp(),
  'UDP over IPv6': udp({ orig: { ...V6, ...PORTS } }),
  'UDP-Lite': udp({ protocol: 'udplite' }),
  SCTP: made({ protocol: 'sctp', orig: { ...V4, ...PORTS }, state: 'ESTABLISHED' }),
  'SCTP over IPv6': made({ protocol: 'sctp', orig: { ...V6, ...PORTS } }),
  ICMP: made({ protocol: 'icmp', orig: { ...V4, icmpType: 8, icmpCode: 0, icmpId: 7 } }),
  ICMPv6: made({ protocol: 'icmpv6', orig: { ...V6, icmpType: 128, icmpCode: 0, icmpId: 7 } }),
  GRE: made({ protocol: 'gre', orig: { ...V4, srckey: 1, dstkey: 2 } }),
  'a protocol that nobody knows': made({ protocol: '253', orig: V4 }),
  'the same over IPv6': made({ protocol: '253', orig: V6 }),
  'a zone': udp({ zone: 7 }),
  'another zone': udp({ zone: 65535 }),
  'a zone of the original direction': udp({
    orig: { ...V4, ...PORTS, zone: 9 },
    reply: { src: '10.8.8.8', dst: V4.src, sport: 80, dport: 1000 },
  }),
  'a zone of the reply': udp({
    orig: { ...V4, ...PORTS, sport: 1001 },
    reply: { src: V4.dst, dst: V4.src, sport: 80, dport: 1001, zone: 9 },
  }),
  'source NAT': udp({
    orig: { ...V4, sport: 1, dport: 2 },
    nat: { src: { address: '192.0.2.1' } },
  }),
  'destination NAT': udp({
    orig: { ...V6, sport: 1, dport: 2 },
    nat: { dst: { address: 'fd01::1', port: 99 } },
  }),
  'a helper': made({ protocol: 'tcp', orig: { ...V4, sport: 5, dport: 21 }, helper: 'ftp' }),
  'a mark and flags': udp({
    orig: { ...V4, sport: 6, dport: 6 },
    mark: 5,
    status: ['SEEN_REPLY', 'ASSURED', 'FIXED_TIMEOUT'],
  }),
  'a label': udp({ orig: { ...V4, sport: 7, dport: 7 }, labels: [5] }),
};

const WAYS: Record<string, (flow: Flow) => FlowKey> = {
  'as it was listed': (flow) => flow,
  'by its JSON': (flow) => JSON.parse(JSON.stringify(flow)) as FlowKey,
  'by its original tuple': ({ protonum, orig, zone }) => ({ protonum, orig, zone }),
  'by its reply tuple': ({ protonum, reply, zone }) => ({ protonum, reply, zone }),
  'by its reply tuple and its id': ({ protonum, reply, zone, id }) => ({
    protonum,
    reply,
    zone,
    id,
  }),
};

describe.each(Object.entries(WAYS))('a flow %s', (_, way) => {
  test.each(Object.entries(KINDS))('is deleted, and no other: %s', async (_name, wanted) => {
    useLabels(namespace);
    const all = Object.values(KINDS);
    for (const flow of all) await ct.create(flow);
    const before = listByCli(namespace);
    expect(before).toHaveLength(all.length);
    const flow = (await ct.get(wanted))!;
    expect(await ct.delete(way(flow))).toBe(true);
    const left = listByCli(namespace).map(({ id }) => id);
    expect(left.sort()).toEqual(
      before
        .map(({ id }) => id)
        .filter((id) => id !== flow.id)
        .sort(),
    );
    expect(await ct.get(wanted)).toBeUndefined();
    // What is not there is no error.
    expect(await ct.delete(way(flow))).toBe(false);
    expect(countByCli(namespace)).toBe(all.length - 1);
  });
});

describe('what is not the flow', () => {
  beforeEach(async () => {
    await ct.create(udp());
    await ct.create(udp({ zone: 7 }));
  });

  const KEY = { protocol: 'udp', orig: { ...V4, ...PORTS } };

  test.each<[string, FlowKey]>([
    ['another port', { ...KEY, orig: { ...KEY.orig, sport: 1001 } }],
    ['the tuple the wrong way round', { ...KEY, orig: { src: V4.dst, dst: V4.src, ...PORTS } }],
    ['another protocol', { ...KEY, protocol: 'tcp' }],
    ['another protocol with ports', { ...KEY, protocol: 'udplite' }],
    ['another zone', { ...KEY, zone: 8 }],
    ['a zone of the original direction', { ...KEY, orig: { ...KEY.orig, zone: 8 } }],
    [
      'an IPv4-mapped address of IPv6',
      { ...KEY, orig: { src: '::ffff:10.0.0.1', dst: '::ffff:10.9.9.9', ...PORTS } },
    ],
    ['another id', { ...KEY, id: 1 }],
    ['the id 0', { ...KEY, id: 0 }],
    [
      'another id by the reply',
      { protocol: 'udp', reply: { src: V4.dst, dst: V4.src, sport: 80, dport: 1000 }, id: 2 },
    ],
  ])('is not deleted: %s', async (_, key) => {
    const before = listByCli(namespace).map(({ id }) => id);
    expect(await ct.delete(key)).toBe(false);
    expect(listByCli(namespace).map(({ id }) => id)).toEqual(before);
  });

  test('the id of another flow', async () => {
    const other = (await ct.get({ ...KEY, zone: 7 }))!;
    expect(await ct.delete({ ...KEY, id: other.id })).toBe(false);
    expect(await ct.delete({ ...KEY, zone: 7, id: other.id })).toBe(true);
    expect(countByCli(namespace)).toBe(1);
  });
});

describe('a flow that has taken the place of the listed one', () => {
  test('stays, by the Flow and by its JSON, by either tuple', async () => {
    const wanted = udp({ mark: 1 });
    await ct.create(wanted);
    const [listed] = await ct.flows({ mark: 1 }).toArray();
    const now = await replace(ct, listed!, udp({ mark: 2 }));
    const { protonum, reply, id } = listed!;
    for (const key of [listed!, listed!.toJSON(), { protonum, reply, id }]) {
      expect(await ct.delete(key)).toBe(false);
    }
    expect(await ct.deleteMany([listed!, listed!.toJSON()])).toMatchObject({ done: 0, gone: 2 });
    expect((await ct.get(wanted))!).toMatchObject({ id: now.id, mark: 2 });
    // Without the id there is only the tuple.
    expect(await ct.delete({ protonum, reply })).toBe(true);
  });

  test('stays in a zone too', async () => {
    const wanted = made({
      protocol: 'icmpv6',
      orig: { ...V6, icmpType: 128, icmpCode: 0, icmpId: 1 },
      zone: 3,
    });
    await ct.create(wanted);
    const [listed] = await ct.flows({ zone: 3 }).toArray();
    const now = await replace(ct, listed!, wanted);
    expect(await ct.delete(listed!)).toBe(false);
    expect(await ct.delete(now)).toBe(true);
  });
});

describe('what conntrack -D sees of it', () => {
  test('a flow of ours is found and deleted by it', async () => {
    await ct.create(udp({ mark: 77 }));
    await ct.create(udp({ zone: 7 }));
    const printed = namespace.exec('conntrack', ['-D', '-m', '77']);
    expect(printed).toContain('src=10.0.0.1');
    expect((await ct.flows().toArray()).map((flow) => flow.zone)).toEqual([7]);
  });
});

test('a thousand flows, each by the Flow that was listed', async () => {
  namespace.run(() => testing.fill({ count: 600 }));
  namespace.run(() => testing.fill({ count: 600, family: 6, zone: 5 }));
  const flows = await ct.flows().toArray();
  const deleted = await Promise.all(flows.map((flow) => ct.delete(flow)));
  expect(deleted.every(Boolean)).toBe(true);
  expect(countByCli(namespace)).toBe(0);
});
