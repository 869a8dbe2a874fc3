/** Connections that a helper expects since it reads another one's dialogue. */
import { once } from 'node:events';
import type { Socket } from 'node:net';

import type { Flow } from '../../lib';
import { BATCH_SIZE, ExpectationHas, ExpectationOffset, TupleOffset } from '../../lib/layout';
import { Conversation } from '../support/conversation';
import { MessageType } from '../support/ctnetlink';
import { TestNamespace } from '../support/netns';
import { grePptp, Protonum, udpDatagram } from '../support/packets';
import { routed } from '../support/router';
import { Scenario } from '../support/scenario';
import { testing } from '../support/testing';
import { sendPacket, TcpConnection, type Route } from '../support/traffic';

const CONTROL_PORT = 21;
const DATA_PORT = 50_000;

/** Has a helper look at what goes to a port, from the first packet on. */
function attachHelper(
  namespace: TestNamespace,
  name: string,
  transport: 'tcp' | 'udp',
  port: number,
): void {
  const rule = `${transport} dport ${port} ct helper set "${name}"`;
  namespace.nft(`
    table inet helpers {
      ct helper ${name} { type "${name}" protocol ${transport}; l3proto inet; }
      chain pre { type filter hook prerouting priority 0; ${rule}; }
      chain out { type filter hook output priority 0; ${rule}; }
    }`);
}

/** Sends a line and gives it as it arrives at the other end. */
async function tell(from: Socket, to: Socket, line: string): Promise<string> {
  const heard = once(to, 'data') as Promise<[Buffer]>;
  from.write(`${line}\r\n`);
  return String((await heard)[0]).trimEnd();
}

/** The helper trusts a line only behind another one, in either direction. */
async function login({ client, server }: TcpConnection): Promise<void> {
  await tell(server, client, '220 ready');
  await tell(client, server, 'USER anonymous');
  await tell(server, client, '230 welcome');
}

/** The two numbers that FTP makes of a port. */
const PORT_WORDS = `${DATA_PORT >> 8},${DATA_PORT & 0xff}`;
const commas = (address: string): string => address.replaceAll('.', ',');

/** How FTP names an address and port to connect to, in the words of either family. */
const FTP = {
  ipv4: {
    passive: (address: string) => `227 Entering Passive Mode (${commas(address)},${PORT_WORDS})`,
    active: (address: string) => `PORT ${commas(address)},${PORT_WORDS}`,
  },
  ipv6: {
    passive: () => `229 Entering Extended Passive Mode (|||${DATA_PORT}|)`,
    active: (address: string) => `EPRT |2|${address}|${DATA_PORT}|`,
  },
} as const;

function ends(flow: Flow): object {
  const { src, dst, sport, dport } = flow.orig;
  return { src, dst, sport, dport };
}

/** The only flow to a port. */
async function flowTo(scenario: Scenario, port: number): Promise<Flow> {
  const flows = (await scenario.flows(Protonum.tcp)).filter(({ orig }) => orig.dport === port);
  expect(flows).toHaveLength(1);
  return flows[0]!;
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe.each([
  ['ipv4', '127.0.0.1'],
  ['ipv6', '::1'],
] as const)('FTP over %s', (family, address) => {
  test('a passive data connection has its control connection as master', async () => {
    const namespace = TestNamespace.create();
    namespace.track();
    attachHelper(namespace, 'ftp', 'tcp', CONTROL_PORT);
    const scenario = await Scenario.open(namespace);
    const route = { client: namespace, server: namespace, address };
    using control = await TcpConnection.open({ ...route, port: CONTROL_PORT });
    await login(control);
    const early = await flowTo(scenario, CONTROL_PORT);
    expect(early).toMatchObject({ helper: 'ftp', master: undefined, expected: false });
    expect(early.statusFlags).toContain('HELPER');

    await tell(control.client, control.server, 'PASV');
    await tell(control.server, control.client, FTP[family].passive(address));
    using data = await TcpConnection.open({ ...route, port: DATA_PORT });
    await data.exchange();
    const related = await flowTo(scenario, DATA_PORT);
    expect(related).toMatchObject({ expected: true, helper: undefined });
    expect(related.statusFlags).toContain('EXPECTED');
    expect(related.master!.toJSON()).toEqual(control.tuple);
    expect(ends(related)).toEqual(data.tuple);
    expect(early.expected).toBe(false);

    expect(await scenario.differences()).toEqual([]);
    const announced = scenario.eventsOf(related)[0]!;
    expect(announced.type).toBe('new');
    expect(announced.flow.master!.toJSON()).toEqual(control.tuple);
    // The helper is in every event of its flow but the last.
    const helpers = scenario.eventsOf(early).map(({ flow }) => flow.helper);
    expect(new Set(helpers)).toEqual(new Set(['ftp']));
  });

  test('a connection that nobody expected has no master', async () => {
    const namespace = TestNamespace.create();
    namespace.track();
    attachHelper(namespace, 'ftp', 'tcp', CONTROL_PORT);
    const scenario = await Scenario.open(namespace);
    const route = { client: namespace, server: namespace, address };
    using control = await TcpConnection.open({ ...route, port: CONTROL_PORT });
    await login(control);
    using data = await TcpConnection.open({ ...route, port: DATA_PORT });
    await data.exchange();
    const unrelated = await flowTo(scenario, DATA_PORT);
    expect(unrelated).toMatchObject({ expected: false, master: undefined });
    expect(await scenario.differences()).toEqual([]);
  });

  test('an expectation is decoded as the kernel lists it', async () => {
    const namespace = TestNamespace.create();
    namespace.track();
    attachHelper(namespace, 'ftp', 'tcp', CONTROL_PORT);
    const route = { client: namespace, server: namespace, address };
    using control = await TcpConnection.open({ ...route, port: CONTROL_PORT });
    await login(control);
    await tell(control.server, control.client, FTP[family].passive(address));
    const capture = namespace.run(() => new testing.NetlinkCapture());
    const messages = capture.dump(MessageType.expGet);
    capture.close();
    expect(messages).toHaveLength(1);
    const { complete, batch } = testing.decodeExpectation(messages[0]!);
    expect(complete).toBe(true);
    const words = new DataView(batch.buffer, batch.byteOffset + BATCH_SIZE);
    const { master, tuple, presence, timeout } = ExpectationOffset;
    expect(words.getUint32(presence, true) & ExpectationHas.master).not.toBe(0);
    expect(words.getUint16(tuple + TupleOffset.dport, true)).toBe(DATA_PORT);
    expect(words.getUint16(master + TupleOffset.sport, true)).toBe(control.tuple.sport);
    expect(words.getUint16(master + TupleOffset.dport, true)).toBe(CONTROL_PORT);
    expect(words.getUint32(timeout, true)).toBeGreaterThan(0);
    expect(Buffer.from(batch).includes('ftp')).toBe(true);
  });

  test('an active data connection goes back through the router, whose name grew in the text', async () => {
    const { client, router, server, inner, outer } = routed({ outerSubnet: 200 });
    attachHelper(router, 'ftp', 'tcp', CONTROL_PORT);
    router.nft(`table inet nat {
      chain post { type nat hook postrouting priority srcnat; oifname link200 masquerade; }
    }`);
    const scenario = await Scenario.open(router);
    const there: Route = { client, server, address: outer.b[family], port: CONTROL_PORT };
    using control = await TcpConnection.open(there);
    await login(control);
    const sent = FTP[family].active(inner.a[family]);
    const heard = await tell(control.client, control.server, sent);
    expect(heard).not.toBe(sent);
    const grown = heard.length - sent.length;
    expect(grown).toBeGreaterThan(0);
    // What follows has to get through with other sequence numbers on either side.
    expect(await tell(control.server, control.client, '200 fine')).toBe('200 fine');
    expect(await tell(control.client, control.server, 'LIST')).toBe('LIST');

    const adjusted = await flowTo(scenario, CONTROL_PORT);
    expect(adjusted).toMatchObject({ helper: 'ftp', srcNat: true });
    expect(adjusted.statusFlags).toContain('SEQ_ADJUST');
    expect(adjusted.seqAdjust!.orig).toMatchObject({ offsetBefore: 0, offsetAfter: grown });
    expect(adjusted.seqAdjust!.orig!.position).toBeGreaterThan(0);
    // The kernel does not announce what a helper adjusts, but any change by request carries it.
    router.exec('conntrack', ['-U', '-s', inner.a[family], '-m', '7']);
    const changed = await scenario.event('a new mark', ({ flow }) => flow.mark === 7);
    expect(changed).toMatchObject({ type: 'update', portid: expect.any(Number) });
    expect(changed.flow.seqAdjust).toEqual(adjusted.seqAdjust);

    const target = { address: outer.a[family], port: DATA_PORT };
    const back: Route = {
      client: server,
      server: client,
      address: inner.a[family],
      port: DATA_PORT,
    };
    using data = await TcpConnection.open({ ...back, target });
    await data.exchange();
    const related = await flowTo(scenario, DATA_PORT);
    expect(related).toMatchObject({ expected: true, dstNat: true });
    expect(related.orig).toMatchObject({ src: outer.b[family], dst: outer.a[family] });
    expect(related.reply).toMatchObject({ src: inner.a[family], sport: DATA_PORT });
    expect(related.master!.toJSON()).toEqual(ends(adjusted));
    expect(await scenario.differences()).toEqual([]);
  });
});

test('TFTP: the answer from another port has the question as master', async () => {
  const namespace = TestNamespace.create();
  namespace.track();
  attachHelper(namespace, 'tftp', 'udp', 69);
  const scenario = await Scenario.open(namespace);
  const talk = new Conversation(namespace, 'ipv4', Protonum.udp);
  const question = { ...talk.there, sport: 2000, dport: 69 };
  talk.send(udpDatagram({ ...question, payload: Buffer.from('\0\u0001file\0octet\0') }));
  const answer = { ...talk.back, sport: 3000, dport: 2000 };
  talk.answer(udpDatagram({ ...answer, payload: Buffer.from('\0\u0003\0\u0001data') }));
  const [asked, answered] = await scenario.flows(Protonum.udp);
  expect(asked).toMatchObject({ helper: 'tftp', seenReply: false });
  expect(answered).toMatchObject({ expected: true });
  expect(answered!.orig).toMatchObject(answer);
  expect(answered!.master!.toJSON()).toEqual(question);
  expect(await scenario.differences()).toEqual([]);
});

/** Messages of PPTP's control connection (RFC 2637, section 2). */
function pptpMessage(type: number, size: number, fields: Readonly<Record<number, number>>): Buffer {
  const octets = Buffer.alloc(size);
  octets.writeUInt16BE(size, 0);
  octets.writeUInt16BE(1, 2); // a control message
  octets.writeUInt32BE(0x1a2b3c4d, 4);
  octets.writeUInt16BE(type, 8);
  for (const [offset, value] of Object.entries(fields)) octets.writeUInt16BE(value, Number(offset));
  return octets;
}

/** The call's two ends have an id each; `OK` is a result and no error. */
const OK = 0x0100;
const pptp = {
  startRequest: () => pptpMessage(1, 156, { 12: 0x0100 }),
  startReply: () => pptpMessage(2, 156, { 12: 0x0100, 14: OK }),
  callRequest: (client: number) => pptpMessage(7, 168, { 12: client }),
  callReply: (client: number, server: number) =>
    pptpMessage(8, 32, { 12: server, 14: client, 16: OK }),
};

async function pass(from: Socket, to: Socket, octets: Buffer): Promise<void> {
  const heard = once(to, 'data');
  from.write(octets);
  await heard;
}

test("PPTP: the tunnel of a call has both ends' keys, and the control connection as master", async () => {
  const [address, port] = ['127.0.0.1', 1723];
  const [clientId, serverId] = [0x0c0c, 0x5e5e];
  const namespace = TestNamespace.create();
  namespace.track();
  attachHelper(namespace, 'pptp', 'tcp', port);
  const scenario = await Scenario.open(namespace);
  using control = await TcpConnection.open({ client: namespace, server: namespace, address, port });
  const { client, server } = control;
  await pass(client, server, pptp.startRequest());
  await pass(server, client, pptp.startReply());
  await pass(client, server, pptp.callRequest(clientId));
  await pass(server, client, pptp.callReply(clientId, serverId));

  const send = (callId: number): void => {
    sendPacket(namespace, Protonum.gre, address, grePptp(callId), { src: address });
  };
  send(serverId);
  const tunnel = await scenario.flow(Protonum.gre);
  const ends = { src: address, dst: address };
  expect(tunnel).toMatchObject({ expected: true, protocol: 'gre', seenReply: false });
  expect(tunnel.orig).toMatchObject({ ...ends, srckey: clientId, dstkey: serverId });
  expect(tunnel.reply).toMatchObject({ ...ends, srckey: serverId, dstkey: clientId });
  expect(tunnel.master!.toJSON()).toEqual(control.tuple);
  send(clientId);
  expect(await scenario.flow(Protonum.gre)).toMatchObject({ id: tunnel.id, seenReply: true });
  expect(await scenario.differences()).toEqual([]);
});
