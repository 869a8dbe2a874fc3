/** TCP's states as packets drive them, through listings, events and look-ups. */
import { Status, type Flow, type FlowEvent } from '../../lib';
import { Conversation, PORTS, REVERSED } from '../support/conversation';
import { connect } from '../support/link';
import { TestNamespace } from '../support/netns';
import { Protonum, tcpSegment, type Ends, type Ports, type TcpFlag } from '../support/packets';
import { Scenario } from '../support/scenario';
import { testing } from '../support/testing';
import { TcpConnection } from '../support/traffic';

/** IP_CT_TCP_FLAG_* of <linux/netfilter/nf_conntrack_tcp.h>. */
const WINDOW_SCALE = 0x01;
const SACK_PERM = 0x02;
const CLOSE_INIT = 0x04;
const BE_LIBERAL = 0x08;

function trackedNamespace(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.track();
  return namespace;
}

/** "new SYN_SENT", "update SYN_RECV", ... */
function story(events: readonly FlowEvent[]): string[] {
  return events.map(({ type, flow }) => `${type} ${flow.state ?? 'stateless'}`);
}

/** A connection made by hand, segment by segment. */
class Segments {
  readonly #talk: Conversation;

  constructor(namespace: TestNamespace, family: 'ipv4' | 'ipv6') {
    this.#talk = new Conversation(namespace, family, Protonum.tcp);
  }

  get tuple(): Ends & Ports {
    return { ...this.#talk.there, ...PORTS };
  }

  /** In the direction of the first segment. */
  there(seq: number, ack: number, ...flags: TcpFlag[]): void {
    this.#talk.send(tcpSegment({ ...this.tuple, seq, ack, flags }));
  }

  back(seq: number, ack: number, ...flags: TcpFlag[]): void {
    this.#talk.answer(tcpSegment({ ...this.#talk.back, ...REVERSED, seq, ack, flags }));
  }

  handshake(): void {
    this.there(1000, 0, 'syn');
    this.back(5000, 1001, 'syn', 'ack');
    this.there(1001, 5001, 'ack');
  }

  close(): void {
    this.there(1001, 5001, 'fin', 'ack');
    this.back(5001, 1002, 'ack');
    this.back(5001, 1002, 'fin', 'ack');
    this.there(1002, 5002, 'ack');
  }
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe.each([
  ['ipv4', '127.0.0.1'],
  ['ipv6', '::1'],
] as const)('over %s', (family, address) => {
  async function watched(): Promise<Scenario> {
    return Scenario.open(trackedNamespace());
  }

  function connection({ namespace }: Scenario): Promise<TcpConnection> {
    return TcpConnection.open({ client: namespace, server: namespace, address });
  }

  /** Ends the connection slowly enough that the server's acknowledgement is not in its FIN. */
  async function closeInSteps(scenario: Scenario, open: TcpConnection): Promise<void> {
    open.server.resume();
    open.client.resume();
    open.client.end();
    await scenario.event('the acknowledged FIN', ({ flow }) => flow.state === 'CLOSE_WAIT');
    open.server.end();
    await scenario.event('the last acknowledgement', ({ flow }) => flow.state === 'TIME_WAIT');
  }

  test('a connection is opened, used and closed', async () => {
    const scenario = await watched();
    using open = await connection(scenario);
    await open.exchange(1000);
    const flow = await scenario.flow(Protonum.tcp);
    const { src, dst, sport, dport } = open.tuple;
    expect(flow).toMatchObject({ family, protocol: 'tcp', protonum: 6, zone: 0, mark: 0 });
    expect(flow).toMatchObject({ state: 'ESTABLISHED', seenReply: true, assured: true });
    expect(flow.orig).toMatchObject(open.tuple);
    expect(flow.reply).toMatchObject({ src: dst, dst: src, sport: dport, dport: sport });
    expect(flow).toMatchObject({ srcNat: false, dstNat: false, confirmed: true, expected: false });

    await closeInSteps(scenario, open);
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ id: flow.id, state: 'TIME_WAIT' });
    expect(await scenario.differences()).toEqual([]);
    expect(story(scenario.eventsOf(flow))).toEqual([
      'new SYN_SENT',
      'update SYN_RECV',
      'update ESTABLISHED',
      'update FIN_WAIT',
      'update CLOSE_WAIT',
      'update LAST_ACK',
      'update TIME_WAIT',
    ]);
  });

  test('a connection that has timed out is announced with all that was counted', async () => {
    const scenario = await watched();
    scenario.namespace.sysctl('nf_conntrack_tcp_timeout_time_wait', 1);
    using open = await connection(scenario);
    await closeInSteps(scenario, open);
    await scenario.emptied();
    const [destroyed] = scenario.events.slice(-1);
    expect(destroyed).toMatchObject({ type: 'destroy', flow: { state: 'TIME_WAIT' } });
    // Nothing is left of its time, and nobody's request ended it.
    expect(destroyed).not.toHaveProperty('portid');
    expect(destroyed!.flow.timeout).toBeUndefined();
    expect(destroyed!.flow.use).toBeUndefined();
    // SYN, ACK, FIN, ACK; and SYN+ACK, ACK, FIN.
    expect([destroyed!.flow.orig.packets, destroyed!.flow.reply.packets]).toEqual([4, 3]);
    const { start, stop } = destroyed!.flow.timestamps!;
    expect(stop).toBeGreaterThan(start!);
    expect(await scenario.differences()).toEqual([]);
  });

  test('both windows of a handshake are there, and who closes first', async () => {
    const scenario = await watched();
    using open = await connection(scenario);
    const { tcp } = await scenario.flow(Protonum.tcp);
    const agreed = WINDOW_SCALE | SACK_PERM;
    expect(tcp!.origFlags!.value & agreed).toBe(agreed);
    expect(tcp!.replyFlags!.value & agreed).toBe(agreed);
    expect(tcp!.origWindowScale).toBeGreaterThan(0);
    expect(tcp!.replyWindowScale).toBeGreaterThan(0);
    await closeInSteps(scenario, open);
    const closed = await scenario.flow(Protonum.tcp);
    expect(closed.tcp!.origFlags!.value & CLOSE_INIT).toBe(CLOSE_INIT);
    expect(closed.tcp!.replyFlags!.value & CLOSE_INIT).toBe(0);
    expect(await scenario.differences()).toEqual([]);
  });

  test('a connection is reset', async () => {
    const scenario = await watched();
    using open = await connection(scenario);
    await open.reset();
    const flow = await scenario.flow(Protonum.tcp);
    expect(flow).toMatchObject({ state: 'CLOSE', assured: true });
    expect(await scenario.differences()).toEqual([]);
    expect(story(scenario.events)).toEqual([
      'new SYN_SENT',
      'update SYN_RECV',
      'update ESTABLISHED',
      'update CLOSE',
    ]);
  });

  test('a connection is refused', async () => {
    const scenario = await watched();
    const connect = (): unknown => scenario.namespace.run(() => testing.connectTcp(address, 9));
    expect(connect).toThrow('ECONNREFUSED');
    await scenario.emptied();
    expect(await scenario.differences()).toEqual([]);
    expect(scenario.events.map(({ type }) => type)).toEqual(['new', 'destroy']);
    expect(scenario.events[1]!.flow.id).toBe(scenario.events[0]!.flow.id);
  });

  test('a connection is picked up half-open, from a lone acknowledgement', async () => {
    const scenario = await watched();
    const segments = new Segments(scenario.namespace, family);
    segments.there(2001, 6001, 'ack');
    const lone = await scenario.flow(Protonum.tcp);
    expect(lone).toMatchObject({ state: 'ESTABLISHED', seenReply: false, assured: false });
    expect(lone.orig).toMatchObject(segments.tuple);
    // Its windows are unknown.
    expect(lone.tcp!.origFlags!.value & BE_LIBERAL).toBe(BE_LIBERAL);
    segments.back(6001, 2001, 'ack');
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ id: lone.id, seenReply: true });
    segments.there(2001, 6001, 'ack');
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ id: lone.id, assured: true });
    expect(await scenario.differences()).toEqual([]);
    const statuses = scenario.events.map(({ type, flow }) => [type, flow.seenReply, flow.assured]);
    expect(statuses).toEqual([
      ['new', false, false],
      ['update', true, false],
      ['update', true, true],
    ]);
  });

  test('nothing is picked up where the namespace says so', async () => {
    const scenario = await watched();
    scenario.namespace.sysctl('nf_conntrack_tcp_loose', 0);
    const segments = new Segments(scenario.namespace, family);
    segments.there(2001, 6001, 'ack');
    expect(await scenario.flows(Protonum.tcp)).toEqual([]);
    segments.handshake();
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ state: 'ESTABLISHED' });
    expect(await scenario.differences()).toEqual([]);
  });

  test('both ends open at once', async () => {
    const scenario = await watched();
    const segments = new Segments(scenario.namespace, family);
    segments.there(1000, 0, 'syn');
    segments.back(5000, 0, 'syn');
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ state: 'SYN_SENT2' });
    segments.there(1000, 5001, 'syn', 'ack');
    segments.back(5000, 1001, 'syn', 'ack');
    segments.there(1001, 5001, 'ack');
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ state: 'ESTABLISHED' });
    expect(await scenario.differences()).toEqual([]);
    expect(story(scenario.events)).toEqual([
      'new SYN_SENT',
      'update SYN_SENT2',
      'update SYN_RECV',
      'update ESTABLISHED',
    ]);
  });

  test('a closed connection is opened anew: another flow of the same tuple', async () => {
    const scenario = await watched();
    const segments = new Segments(scenario.namespace, family);
    segments.handshake();
    const first = await scenario.flow(Protonum.tcp);
    segments.close();
    expect(await scenario.flow(Protonum.tcp)).toMatchObject({ id: first.id, state: 'TIME_WAIT' });
    segments.there(90_000, 0, 'syn');
    const second = await scenario.flow(Protonum.tcp);
    expect(second).toMatchObject({ state: 'SYN_SENT', seenReply: false, assured: false });
    expect(second.orig).toMatchObject(segments.tuple);
    // Not the id: the kernel makes it of the tuple and of the place in memory, which is mostly the
    // first one's own.
    expect(second.timestamps!.start).toBeGreaterThan(first.timestamps!.start!);
    expect(await scenario.differences()).toEqual([]);
    expect(story(scenario.events)).toEqual([
      ...['new SYN_SENT', 'update SYN_RECV', 'update ESTABLISHED', 'update FIN_WAIT'],
      ...['update CLOSE_WAIT', 'update LAST_ACK', 'update TIME_WAIT'],
      ...['destroy TIME_WAIT', 'new SYN_SENT'],
    ]);
  });

  test('SYNPROXY answers first, and shifts the sequence numbers of the server', async () => {
    const { a, b } = connect(TestNamespace.create(), TestNamespace.create());
    const scenario = await Scenario.open(b.namespace);
    b.namespace.sysctl('nf_conntrack_tcp_loose', 0);
    b.namespace.nft(`table inet proxy {
      chain pre { type filter hook prerouting priority raw; tcp dport 80 tcp flags syn notrack; }
      chain in { type filter hook input priority 0;
        tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm;
        ct state invalid drop; }
    }`);
    const route = { client: a.namespace, server: b.namespace, address: b[family], port: 80 };
    using open = await TcpConnection.open(route);
    expect(await open.exchange()).toBe(100);
    const flow = await scenario.flow(Protonum.tcp);
    expect(flow.orig).toMatchObject(open.tuple);
    expect(flow).toMatchObject({ state: 'ESTABLISHED', assured: true });
    expect(flow.statusFlags).toContain('SEQ_ADJUST');
    const { isn, its, tsoff } = flow.synproxy!;
    for (const value of [isn, its, tsoff]) expect(value).toBeGreaterThan(0);
    const { offsetBefore, offsetAfter } = flow.seqAdjust!.reply!;
    expect(offsetAfter).not.toBe(0);
    expect(offsetBefore).toBe(offsetAfter);
    expect(await scenario.differences()).toEqual([]);
    // The server's own timestamps are known later than the proxy's.
    expect(scenario.events[0]).toMatchObject({
      type: 'new',
      flow: { synproxy: { isn, its, tsoff: 0 } },
    });
    const announced = scenario.events.map(({ flow: { seqAdjust, synproxy } }) => [
      synproxy,
      seqAdjust,
    ]);
    expect(announced).toContainEqual([flow.synproxy, undefined]);
    expect(announced).toContainEqual([undefined, flow.seqAdjust]);
  });

  test('a flow is found by either tuple, and not by another', async () => {
    const scenario = await watched();
    using open = await connection(scenario);
    const flow = await scenario.flow(Protonum.tcp);
    const { src, dst, sport, dport } = open.tuple;
    const reply = { src: dst, dst: src, sport: dport, dport: sport };
    const asked = async (key: object): Promise<Flow | undefined> =>
      scenario.ct.get({ protocol: 'tcp', ...key });
    const found = await asked({ orig: open.tuple });
    expect(found).toMatchObject({ id: flow.id, state: 'ESTABLISHED', status: flow.status });
    expect(found!.status & Status.assured).toBe(Status.assured);
    expect(await asked({ reply })).toMatchObject({ id: flow.id });
    expect(await scenario.ct.get(flow)).toMatchObject({ id: flow.id });
    expect(await asked({ orig: { ...open.tuple, sport: sport ^ 1 || 2 } })).toBeUndefined();
    expect(await asked({ orig: open.tuple, zone: 1 })).toBeUndefined();
    const udp = await scenario.ct.get({ protocol: 'udp', orig: open.tuple });
    expect(udp).toBeUndefined();
  });
});
