/** Protocols beside TCP, as packets drive them. */
import { existsSync } from 'node:fs';

import type { Flow, FlowEvent } from '../../lib';
import { Conversation, PORTS, REVERSED } from '../support/conversation';
import { TestNamespace } from '../support/netns';
import {
  dccpPacket,
  greV0,
  grePptp,
  icmpEcho,
  icmpTimestamp,
  icmpv6Echo,
  Protonum,
  sctpChunk,
  sctpPacket,
  udpLiteDatagram,
} from '../support/packets';
import { Scenario } from '../support/scenario';
import { ping, UdpExchange } from '../support/traffic';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

const FAMILIES = [
  ['ipv4', '127.0.0.1', IPV4_HEADER],
  ['ipv6', '::1', IPV6_HEADER],
] as const;

async function watched(): Promise<Scenario> {
  const namespace = TestNamespace.create();
  namespace.track();
  return Scenario.open(namespace);
}

function types(events: readonly FlowEvent[]): string[] {
  return events.map(({ type, flow }) => `${type} ${flow.seenReply ? 'replied' : 'unreplied'}`);
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe.each(FAMILIES)('over %s', (family, address, header) => {
  function counted(packets: number, payload: number): { packets: number; bytes: number } {
    return { packets, bytes: packets * (header + payload) };
  }

  test('UDP: a question and its answer', async () => {
    const scenario = await watched();
    const { namespace } = scenario;
    using exchange = await UdpExchange.open({ client: namespace, server: namespace, address });
    await exchange.request('hello');
    const flow = await scenario.flow(Protonum.udp);
    const { src, dst, sport, dport } = exchange.tuple;
    expect(flow).toMatchObject({ family, protocol: 'udp', protonum: 17, state: undefined });
    expect(flow).toMatchObject({ seenReply: true, assured: false, tcp: undefined });
    expect(flow.orig.toJSON()).toEqual({ ...exchange.tuple, ...counted(1, 8 + 5) });
    const reply = { src: dst, dst: src, sport: dport, dport: sport };
    expect(flow.reply.toJSON()).toEqual({ ...reply, ...counted(1, 8 + 5) });
    expect(await scenario.differences()).toEqual([]);
    expect(types(scenario.events)).toEqual(['new unreplied', 'update replied']);
  });

  test('UDP: a datagram that nobody answers, until it times out', async () => {
    const scenario = await watched();
    const { namespace } = scenario;
    namespace.sysctl('nf_conntrack_udp_timeout', 1);
    using exchange = await UdpExchange.open({ client: namespace, server: namespace, address });
    await exchange.send('hello');
    await scenario.emptied();
    expect(types(scenario.events)).toEqual(['new unreplied', 'destroy unreplied']);
    const [, destroyed] = scenario.events;
    expect(destroyed!.flow.orig.toJSON()).toEqual({ ...exchange.tuple, ...counted(1, 8 + 5) });
    expect(destroyed!.flow.reply).toMatchObject({ packets: 0, bytes: 0 });
    expect(destroyed!.flow.timeout).toBeUndefined();
    expect(await scenario.differences()).toEqual([]);
  });

  test('UDP-Lite', async () => {
    const scenario = await watched();
    const talk = new Conversation(scenario.namespace, family, Protonum.udplite);
    talk.send(udpLiteDatagram({ ...talk.there, ...PORTS, payload: Buffer.alloc(3) }));
    const lone = await scenario.flow(Protonum.udplite);
    expect(lone).toMatchObject({ family, protocol: 'udplite', protonum: 136, seenReply: false });
    expect(lone.orig.toJSON()).toEqual({ ...talk.there, ...PORTS, ...counted(1, 8 + 3) });
    talk.answer(udpLiteDatagram({ ...talk.back, ...REVERSED }));
    const flow = await scenario.flow(Protonum.udplite);
    expect(flow).toMatchObject({ id: lone.id, seenReply: true });
    expect(flow.reply.toJSON()).toEqual({ ...talk.back, ...REVERSED, ...counted(1, 8) });
    expect(await scenario.differences()).toEqual([]);
    expect(types(scenario.events)).toEqual(['new unreplied', 'update replied']);
  });

  test('an echo, answered by the kernel', async () => {
    const scenario = await watched();
    ping(scenario.namespace, address, address, 4711);
    const [protonum, protocol, request, reply] =
      family === 'ipv4' ? [Protonum.icmp, 'icmp', 8, 0] : [Protonum.icmpv6, 'icmpv6', 128, 129];
    const flow = await scenario.flow(protonum);
    const ends = { src: address, dst: address, icmpCode: 0, icmpId: 4711, ...counted(1, 8) };
    expect(flow).toMatchObject({ family, protocol, protonum, seenReply: true, state: undefined });
    expect(flow.orig.toJSON()).toEqual({ ...ends, icmpType: request });
    expect(flow.reply.toJSON()).toEqual({ ...ends, icmpType: reply });
    expect(flow.orig.sport).toBeUndefined();
    expect(await scenario.differences()).toEqual([]);
    expect(types(scenario.events)).toEqual(['new unreplied', 'update replied']);
    const key = { icmpType: request, icmpCode: 0, icmpId: 4711, src: address, dst: address };
    expect(await scenario.ct.get({ protocol, orig: key })).toMatchObject({ id: flow.id });
    const other = { ...key, icmpId: 4712 };
    expect(await scenario.ct.get({ protocol, orig: other })).toBeUndefined();
  });

  test('echoes that nobody answers are told apart by their ids', async () => {
    const scenario = await watched();
    const protonum = family === 'ipv4' ? Protonum.icmp : Protonum.icmpv6;
    const talk = new Conversation(scenario.namespace, family, protonum);
    for (const id of [0, 1, 65_535]) {
      talk.send(family === 'ipv4' ? icmpEcho({ id }) : icmpv6Echo({ ...talk.there, id }));
    }
    const flows = await scenario.flows(protonum);
    const ids = flows.map(({ orig, reply }) => [orig.icmpId, reply.icmpId]);
    expect(ids.sort()).toEqual([
      [0, 0],
      [1, 1],
      [65_535, 65_535],
    ]);
    expect(flows.every(({ seenReply }) => !seenReply)).toBe(true);
    expect(await scenario.differences()).toEqual([]);
  });

  test('SCTP: an association from its first chunk to its last', async () => {
    const scenario = await watched();
    const talk = new Conversation(scenario.namespace, family, Protonum.sctp);
    const there = (vtag: number, ...chunks: Buffer[]): void =>
      talk.send(sctpPacket({ ...PORTS, vtag, chunks }));
    const back = (vtag: number, ...chunks: Buffer[]): void =>
      talk.answer(sctpPacket({ ...REVERSED, vtag, chunks }));
    const [client, server] = [0x89abcdef, 0x01234567];

    there(0, sctpChunk.init(client));
    const first = await scenario.flow(Protonum.sctp);
    expect(first).toMatchObject({ family, protocol: 'sctp', protonum: 132, tcp: undefined });
    expect(first.orig).toMatchObject({ ...talk.there, ...PORTS });
    back(client, sctpChunk.initAck(server));
    there(server, sctpChunk.cookieEcho());
    back(client, sctpChunk.cookieAck());
    const established = await scenario.flow(Protonum.sctp);
    // Each direction's tag is the one that its packets carry.
    expect(established.sctp).toEqual({
      state: 'ESTABLISHED',
      origVtag: server,
      replyVtag: client,
    });
    expect(established).toMatchObject({ id: first.id, state: 'ESTABLISHED', assured: true });
    there(server, sctpChunk.data());
    back(client, sctpChunk.sack());
    there(server, sctpChunk.shutdown());
    expect(await scenario.flow(Protonum.sctp)).toMatchObject({ state: 'SHUTDOWN_SENT' });
    back(client, sctpChunk.shutdownAck());
    there(server, sctpChunk.shutdownComplete());
    expect(await scenario.differences()).toEqual([]);
    expect(scenario.events.map(({ type, flow }) => `${type} ${flow.state ?? ''}`)).toEqual([
      'new CLOSED',
      'update COOKIE_WAIT',
      'update COOKIE_ECHOED',
      'update ESTABLISHED',
      'update SHUTDOWN_SENT',
      'update SHUTDOWN_ACK_SENT',
      'update CLOSED',
    ]);
  });

  test('SCTP: the peer ends it, another begins with a heartbeat, and one is aborted', async () => {
    const scenario = await watched();
    const talk = new Conversation(scenario.namespace, family, Protonum.sctp);
    const [client, server] = [7, 8];
    const states = async (): Promise<(string | undefined)[]> =>
      (await scenario.flows(Protonum.sctp)).map(({ state }) => state);
    const there = (vtag: number, chunk: Buffer, ports = PORTS): void =>
      talk.send(sctpPacket({ ...ports, vtag, chunks: [chunk] }));
    const back = (vtag: number, chunk: Buffer): void =>
      talk.answer(sctpPacket({ ...REVERSED, vtag, chunks: [chunk] }));
    there(0, sctpChunk.init(client));
    back(client, sctpChunk.initAck(server));
    there(server, sctpChunk.cookieEcho());
    back(client, sctpChunk.cookieAck());
    back(client, sctpChunk.shutdown());
    expect(await states()).toEqual(['SHUTDOWN_RECD']);
    there(server, sctpChunk.heartbeat(), { sport: 3333, dport: 4444 });
    expect(await states()).toEqual(['SHUTDOWN_RECD', 'HEARTBEAT_SENT']);
    there(server, sctpChunk.abort());
    expect(await states()).toEqual(['CLOSED', 'HEARTBEAT_SENT']);
    expect(await scenario.differences()).toEqual([]);
  });

  // Its tracker was removed in Linux 6.17; since then it is a protocol without ports like any other.
  const dccpTracked = existsSync('/proc/sys/net/netfilter/nf_conntrack_dccp_loose');

  test(`DCCP: ${dccpTracked ? 'with states' : 'without ports and states'}`, async () => {
    const scenario = await watched();
    const talk = new Conversation(scenario.namespace, family, Protonum.dccp);
    talk.send(dccpPacket({ ...talk.there, ...PORTS, type: 'request' }));
    talk.answer(dccpPacket({ ...talk.back, ...REVERSED, type: 'response' }));
    const flow = await scenario.flow(Protonum.dccp);
    expect(flow).toMatchObject({ family, protocol: 'dccp', protonum: 33, seenReply: true });
    const { src, dst, sport, dport } = flow.orig.toJSON();
    expect({ src, dst }).toEqual(talk.there);
    if (dccpTracked) {
      expect({ sport, dport }).toEqual(PORTS);
      expect(flow).toMatchObject({ state: 'RESPOND', dccp: { state: 'RESPOND', role: 0 } });
    } else {
      expect({ sport, dport }).toEqual({});
      expect(flow).toMatchObject({ state: undefined, dccp: undefined });
    }
    expect(await scenario.differences()).toEqual([]);
  });

  test('GRE: version 0 has keys of zero, version 1 those of PPTP', async () => {
    const scenario = await watched();
    const talk = new Conversation(scenario.namespace, family, Protonum.gre);
    talk.send(greV0(Buffer.alloc(6)));
    const plain = await scenario.flow(Protonum.gre);
    expect(plain).toMatchObject({ family, protocol: 'gre', protonum: 47, seenReply: false });
    expect(plain.orig.toJSON()).toEqual({ ...talk.there, srckey: 0, dstkey: 0, ...counted(1, 10) });
    // They come as ports, and must not be taken for such.
    expect(plain.orig).toMatchObject({ sport: undefined, dport: undefined });
    talk.answer(greV0());
    expect(await scenario.flow(Protonum.gre)).toMatchObject({ id: plain.id, seenReply: true });

    talk.send(grePptp(0xabcd));
    const keyed = (await scenario.flows(Protonum.gre)).find(({ id }) => id !== plain.id)!;
    expect(keyed.orig).toMatchObject({ ...talk.there, srckey: 0, dstkey: 0xabcd });
    expect(keyed.reply).toMatchObject({ ...talk.back, srckey: 0xabcd, dstkey: 0 });
    const key = { ...talk.there, srckey: 0, dstkey: 0xabcd };
    expect(await scenario.ct.get({ protocol: 'gre', orig: key })).toMatchObject({ id: keyed.id });
    expect(await scenario.differences()).toEqual([]);
    expect(types(scenario.eventsOf(plain))).toEqual(['new unreplied', 'update replied']);
    expect(types(scenario.eventsOf(keyed))).toEqual(['new unreplied']);
  });

  test('a protocol that nobody knows', async () => {
    const scenario = await watched();
    const talk = new Conversation(scenario.namespace, family, Protonum.unknown);
    talk.send(Buffer.alloc(9));
    talk.answer(Buffer.alloc(1));
    const flow: Flow = await scenario.flow(Protonum.unknown);
    expect(flow).toMatchObject({ family, protocol: '253', protonum: 253, seenReply: true });
    expect(flow.orig.toJSON()).toEqual({ ...talk.there, ...counted(1, 9) });
    expect(flow.reply.toJSON()).toEqual({ ...talk.back, ...counted(1, 1) });
    expect(await scenario.differences()).toEqual([]);
    expect(types(scenario.events)).toEqual(['new unreplied', 'update replied']);
  });
});

test('ICMP: a timestamp is a question too', async () => {
  const scenario = await watched();
  const talk = new Conversation(scenario.namespace, 'ipv4', Protonum.icmp);
  talk.send(icmpTimestamp({ id: 9 }));
  talk.answer(icmpTimestamp({ id: 9, kind: 'reply' }));
  const flow = await scenario.flow(Protonum.icmp);
  expect(flow.seenReply).toBe(true);
  expect(flow.orig).toMatchObject({ icmpType: 13, icmpCode: 0, icmpId: 9 });
  expect(flow.reply).toMatchObject({ icmpType: 14, icmpCode: 0, icmpId: 9 });
  expect(await scenario.differences()).toEqual([]);
});

test('both families are listed at once, each address in its own spelling', async () => {
  const scenario = await watched();
  const { namespace } = scenario;
  const ids = [11, 12];
  ping(namespace, '127.0.0.1', '127.0.0.1', ids[0]!);
  ping(namespace, '::1', '::1', ids[1]!);
  const flows = await scenario.ct.flows().toArray();
  const ends = flows.map(({ family, orig }) => [family, orig.src, orig.icmpId]);
  expect(ends.sort()).toEqual([
    ['ipv4', '127.0.0.1', 11],
    ['ipv6', '::1', 12],
  ]);
  expect(await scenario.differences()).toEqual([]);
});
