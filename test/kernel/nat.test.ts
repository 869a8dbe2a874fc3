/** Translated flows, on a router between a client and a server. */
import type { Flow } from '../../lib';
import { addRoute } from '../support/link';
import { TestNamespace } from '../support/netns';
import { Protonum } from '../support/packets';
import { routed, type Routed } from '../support/router';
import { Scenario } from '../support/scenario';
import { ping, TcpConnection, UdpExchange, type Route } from '../support/traffic';

type Family = 'ipv4' | 'ipv6';

/** Addresses of nobody; the rules send what is for them elsewhere, or send from them. */
const VIRTUAL = {
  ipv4: { service: '203.0.113.80', source: '203.0.113.7' },
  ipv6: { service: 'fd99::80', source: 'fd99::7' },
} as const;

interface Network extends Routed {
  scenario: Scenario;
}

async function network(family: Family, rules: (network: Routed) => string): Promise<Network> {
  const made = routed();
  const { service, source } = VIRTUAL[family];
  addRoute(made.client, service, made.inner.b);
  addRoute(made.server, source, made.outer.a);
  const scenario = await Scenario.open(made.router);
  made.router.nft(rules(made));
  return { ...made, scenario };
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe.each(['ipv4', 'ipv6'] as const)('over %s', (family) => {
  const ip = family === 'ipv4' ? 'ip' : 'ip6';
  const { service, source } = VIRTUAL[family];
  const literal = (address: string, port: number | string): string =>
    family === 'ipv4' ? `${address}:${port}` : `[${address}]:${port}`;
  const chains = (pre: string, post: string): string => `
    table inet nat {
      chain pre { type nat hook prerouting priority dstnat; ${pre}; }
      chain post { type nat hook postrouting priority srcnat; ${post}; }
    }`;

  function route({ client, server, outer }: Network, more: Partial<Route> = {}): Route {
    return { client, server, address: outer.b[family], ...more };
  }

  /** The flow by its reply tuple, as one who sees the translated packets would ask for it. */
  async function byReply({ scenario }: Network, flow: Flow): Promise<Flow | undefined> {
    const { src, dst, sport, dport } = flow.reply;
    const reply = { src: src!, dst: dst!, sport: sport!, dport: dport! };
    return scenario.ct.get({ protocol: flow.protocol, reply });
  }

  test('the source becomes another address and port', async () => {
    const net = await network(family, () =>
      chains('', `meta l4proto tcp snat ${ip} to ${literal(source, '5000-5000')}`),
    );
    using connection = await TcpConnection.open(route(net));
    await connection.exchange();
    const flow = await net.scenario.flow(Protonum.tcp);
    const { dst, dport } = connection.tuple;
    expect(flow.orig).toMatchObject({ ...connection.tuple, src: net.inner.a[family] });
    expect(flow.reply).toMatchObject({ src: dst, dst: source, sport: dport, dport: 5000 });
    expect(flow).toMatchObject({ srcNat: true, dstNat: false, state: 'ESTABLISHED' });
    expect(flow.statusFlags).toEqual(
      expect.arrayContaining(['SRC_NAT', 'SRC_NAT_DONE', 'DST_NAT_DONE']),
    );
    expect(flow.statusFlags).not.toContain('DST_NAT');
    expect(await byReply(net, flow)).toMatchObject({ id: flow.id });
    expect(await net.scenario.differences()).toEqual([]);
    for (const { flow: announced } of net.scenario.events) {
      expect(announced).toMatchObject({ id: flow.id, srcNat: true, dstNat: false });
      expect(announced.reply).toMatchObject({ dst: source, dport: 5000 });
    }
  });

  test('the source becomes the address of the interface', async () => {
    const net = await network(family, ({ outer }) =>
      chains('', `oifname ${outer.a.device} masquerade`),
    );
    using exchange = await UdpExchange.open(route(net));
    await exchange.request();
    const flow = await net.scenario.flow(Protonum.udp);
    expect(flow.orig).toMatchObject({ ...exchange.tuple, src: net.inner.a[family] });
    expect(flow.reply).toMatchObject({ src: exchange.tuple.dst, dst: net.outer.a[family] });
    expect(flow).toMatchObject({ srcNat: true, dstNat: false, seenReply: true });
    expect(await byReply(net, flow)).toMatchObject({ id: flow.id });
    expect(await net.scenario.differences()).toEqual([]);
  });

  test('the destination becomes another address and port', async () => {
    const net = await network(family, ({ outer }) =>
      chains(
        `${ip} daddr ${service} tcp dport 80 dnat ${ip} to ${literal(outer.b[family], 8080)}`,
        '',
      ),
    );
    addRoute(net.server, net.inner.a[family], net.outer.a);
    const target = { address: service, port: 80 };
    using connection = await TcpConnection.open(route(net, { port: 8080, target }));
    await connection.exchange();
    const flow = await net.scenario.flow(Protonum.tcp);
    const client = net.inner.a[family];
    expect(flow.orig).toMatchObject({ src: client, dst: service, dport: 80 });
    expect(flow.reply).toMatchObject({ src: net.outer.b[family], dst: client, sport: 8080 });
    expect(flow).toMatchObject({ srcNat: false, dstNat: true });
    expect(flow.statusFlags).toContain('DST_NAT');
    expect(flow.statusFlags).not.toContain('SRC_NAT');
    expect(await byReply(net, flow)).toMatchObject({ id: flow.id });
    expect(await net.scenario.differences()).toEqual([]);
  });

  test('both ends become others', async () => {
    const net = await network(family, ({ outer }) =>
      chains(
        `${ip} daddr ${service} udp dport 53 dnat ${ip} to ${literal(outer.b[family], 5353)}`,
        `oifname ${outer.a.device} masquerade`,
      ),
    );
    const target = { address: service, port: 53 };
    using exchange = await UdpExchange.open(route(net, { port: 5353, target }));
    await exchange.request();
    const flow = await net.scenario.flow(Protonum.udp);
    expect(flow.orig).toMatchObject({ src: net.inner.a[family], dst: service, dport: 53 });
    expect(flow.reply).toMatchObject({ dst: net.outer.a[family], sport: 5353 });
    expect(flow).toMatchObject({ srcNat: true, dstNat: true });
    expect(await byReply(net, flow)).toMatchObject({ id: flow.id });
    expect(await net.scenario.differences()).toEqual([]);
  });

  test('two clients of one port get ports of their own', async () => {
    const net = await network(family, ({ outer }) =>
      chains('', `oifname ${outer.a.device} udp dport 7 snat ${ip} to ${outer.a[family]}`),
    );
    const second = family === 'ipv4' ? '198.51.1.9' : 'fd51:1::9';
    const added = family === 'ipv4' ? [`${second}/24`] : [`${second}/64`, 'nodad'];
    net.client.exec('ip', ['address', 'add', ...added, 'dev', net.inner.a.device]);
    const sport = 4000;
    using first = await UdpExchange.open(route(net, { port: 7, src: net.inner.a[family], sport }));
    await first.request();
    using other = await UdpExchange.open(route(net, { port: 7, src: second, sport }));
    await other.request();
    const flows = await net.scenario.flows(Protonum.udp);
    expect(flows.map(({ orig }) => orig.sport)).toEqual([sport, sport]);
    expect(new Set(flows.map(({ reply }) => reply.dport)).size).toBe(2);
    expect(await net.scenario.differences()).toEqual([]);
  });

  test('an echo is translated too', async () => {
    const net = await network(family, ({ outer }) =>
      chains('', `oifname ${outer.a.device} masquerade`),
    );
    ping(net.client, net.inner.a[family], net.outer.b[family], 4711);
    const protonum = family === 'ipv4' ? Protonum.icmp : Protonum.icmpv6;
    const reply = await net.scenario.event('the answer', ({ flow }) => flow.seenReply);
    expect(reply.flow).toMatchObject({ protonum, srcNat: true });
    expect(reply.flow.orig).toMatchObject({ src: net.inner.a[family], icmpId: 4711 });
    expect(reply.flow.reply).toMatchObject({ dst: net.outer.a[family], icmpId: 4711 });
    expect(await net.scenario.differences()).toEqual([]);
  });
});
