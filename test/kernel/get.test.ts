/** Flows looked up one by one. */
import type { Conntrack, Flow, FlowKey } from '../../lib';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { greV0, Protonum, sctpChunk, sctpPacket, udpLiteDatagram } from '../support/packets';
import { syntheticTuple, testing } from '../support/testing';
import { ping, sendPacket, TcpConnection, UdpExchange } from '../support/traffic';

const HOMES = { ipv4: '127.0.0.1', ipv6: '::1' } as const;
type Family = keyof typeof HOMES;

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  namespace.track();
  ct = await openIn(namespace);
});
afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

/** The table's one flow of a protocol. */
async function listed(protocol: string): Promise<Flow> {
  const flows = (await ct.flows().toArray()).filter((flow) => flow.protocol === protocol);
  expect(flows).toHaveLength(1);
  return flows[0]!;
}

/** What does not change between two looks. */
function lasting(flow: Flow | undefined): object | undefined {
  if (flow === undefined) return undefined;
  const { timeout, use, ...rest } = flow.toJSON();
  expect(timeout).toBeDefined();
  expect(use).toBeGreaterThan(0);
  return rest;
}

/** That a flow is found by either tuple and by itself, and not by what is nearly it. */
async function expectFound(flow: Flow, protocol: string): Promise<void> {
  const { family, protonum } = flow;
  const [orig, reply] = [{ ...flow.orig.toJSON() }, { ...flow.reply.toJSON() }] as Required<
    Pick<FlowKey, 'orig' | 'reply'>
  >[keyof Pick<FlowKey, 'orig' | 'reply'>][];
  const keys: FlowKey[] = [
    { protocol, orig },
    { protocol, reply },
    { protonum, orig },
    { family, protocol: String(protonum), protonum, orig, zone: 0 },
    { protocol, reply: orig },
    { protocol, orig, reply: { src: '192.0.2.99', dst: '192.0.2.98' } },
    flow,
  ];
  for (const key of keys) {
    expect([key, lasting(await ct.get(key))]).toEqual([key, lasting(flow)]);
  }
  expect(await ct.get({ protocol, orig, zone: 9 })).toBeUndefined();
}

describe.each(['ipv4', 'ipv6'] as const)('over %s', (family: Family) => {
  const address = HOMES[family];

  test('TCP', async () => {
    const end = { client: namespace, server: namespace, address };
    const connection = await TcpConnection.open(end);
    try {
      await connection.exchange();
      const flow = await listed('tcp');
      await expectFound(flow, 'tcp');
      expect(await ct.get({ protocol: 'tcp', orig: connection.tuple })).toMatchObject({
        state: 'ESTABLISHED',
        assured: true,
        family,
      });
      const { src, dst, sport, dport } = connection.tuple;
      const near = { src, dst, sport, dport: dport === 65_535 ? 1 : dport + 1 };
      expect(await ct.get({ protocol: 'tcp', orig: near })).toBeUndefined();
      expect(await ct.get({ protocol: 'udp', orig: connection.tuple })).toBeUndefined();
    } finally {
      connection[Symbol.dispose]();
    }
  });

  test('UDP', async () => {
    const udp = await UdpExchange.open({ client: namespace, server: namespace, address });
    await udp.request();
    udp.close();
    const flow = await listed('udp');
    expect(flow.orig).toMatchObject(udp.tuple);
    await expectFound(flow, 'udp');
  });

  test('UDP-Lite', async () => {
    const ports = { sport: 5, dport: 6 };
    const packet = udpLiteDatagram({ src: address, dst: address, ...ports });
    sendPacket(namespace, Protonum.udplite, address, packet);
    const flow = await listed('udplite');
    expect(flow.orig).toMatchObject(ports);
    await expectFound(flow, 'udplite');
  });

  test('ICMP, which has no ports', async () => {
    const [protocol, type, replyType] =
      family === 'ipv4' ? (['icmp', 8, 0] as const) : (['icmpv6', 128, 129] as const);
    ping(namespace, address, address, 0xabcd);
    const flow = await listed(protocol);
    const orig = { src: address, dst: address, icmpType: type, icmpCode: 0, icmpId: 0xabcd };
    expect(flow.orig.toJSON()).toMatchObject(orig);
    expect(lasting(await ct.get({ protocol, orig }))).toEqual(lasting(flow));
    const reply = { ...orig, icmpType: replyType };
    expect(lasting(await ct.get({ protocol, reply }))).toEqual(lasting(flow));
    expect(lasting(await ct.get(flow))).toEqual(lasting(flow));
    expect(await ct.get({ protocol, orig: { ...orig, icmpId: 1 } })).toBeUndefined();
  });

  test('SCTP', async () => {
    const packet = { sport: 7, dport: 8, vtag: 0, chunks: [sctpChunk.init(1)] };
    sendPacket(namespace, Protonum.sctp, address, sctpPacket(packet));
    await expectFound(await listed('sctp'), 'sctp');
  });

  test('GRE, which has keys', async () => {
    sendPacket(namespace, Protonum.gre, address, greV0());
    const flow = await listed('gre');
    expect(flow.orig.toJSON()).toMatchObject({ srckey: 0, dstkey: 0 });
    await expectFound(flow, 'gre');
  });

  test('a protocol without a name', async () => {
    sendPacket(namespace, Protonum.unknown, address, Buffer.alloc(8));
    await expectFound(await listed('253'), '253');
  });
});

test('nothing is found in an empty table', async () => {
  const orig = { src: '192.0.2.1', dst: '192.0.2.2', sport: 1, dport: 2 };
  expect(await ct.get({ protocol: 'tcp', orig })).toBeUndefined();
  expect(await ct.get({ protocol: 'tcp', reply: orig })).toBeUndefined();
});

test('a flow that is gone is not found by itself', async () => {
  namespace.run(() => testing.fill({ count: 1 }));
  const flow = await listed('tcp');
  expect(lasting(await ct.get(flow))).toEqual(lasting(flow));
  namespace.run(testing.flush);
  expect(await ct.get(flow)).toBeUndefined();
});

describe('in zones', () => {
  test('the same tuple is another flow', async () => {
    for (const zone of [undefined, 1, 65_535]) {
      const mark = zone ?? 7;
      namespace.run(() =>
        testing.fill({ count: 1, mark, ...(zone === undefined ? {} : { zone }) }),
      );
    }
    const orig = syntheticTuple(0);
    const found = async (zone?: number): Promise<unknown[]> => {
      const flow = await ct.get({ protocol: 'tcp', orig, zone });
      return [flow?.zone, flow?.mark];
    };
    expect(await found()).toEqual([0, 7]);
    expect(await found(0)).toEqual([0, 7]);
    expect(await found(1)).toEqual([1, 1]);
    expect(await found(65_535)).toEqual([65_535, 65_535]);
    expect(await found(2)).toEqual([undefined, undefined]);
    // A flow is a key with its zone.
    for (const flow of await ct.flows().toArray()) {
      expect(lasting(await ct.get(flow))).toEqual(lasting(flow));
    }
  });

  test('of one direction a flow is found', async () => {
    namespace.nft(`
      table inet zones {
        chain raw { type filter hook output priority raw; udp dport 7001 ct original zone set 8; }
      }`);
    const route = { client: namespace, server: namespace, address: HOMES.ipv4, port: 7001 };
    const udp = await UdpExchange.open(route);
    await udp.send();
    udp.close();
    const flow = (await ct.flows().toArray()).find(({ orig }) => orig.zone === 8)!;
    expect(flow.zone).toBe(0);
    expect(lasting(await ct.get(flow))).toEqual(lasting(flow));
    const orig = udp.tuple;
    expect(lasting(await ct.get({ protocol: 'udp', orig: { ...orig, zone: 8 } }))).toEqual(
      lasting(flow),
    );
    expect((await ct.get({ protocol: 'udp', orig }))?.orig.zone).not.toBe(8);
  });
});

test('many look-ups at once are answered each with its own', async () => {
  namespace.run(() => testing.fill({ count: 500 }));
  namespace.run(() => testing.fill({ first: 500, count: 500, family: 6 }));
  const tuples = Array.from({ length: 1100 }, (_, index) =>
    syntheticTuple(index, index < 500 ? 4 : 6),
  );
  const flows = await Promise.all(tuples.map((orig) => ct.get({ protocol: 'tcp', orig })));
  expect(flows.map((flow) => flow?.orig.toJSON())).toEqual(
    tuples.map((orig, index) => (index < 1000 ? orig : undefined)),
  );
});
