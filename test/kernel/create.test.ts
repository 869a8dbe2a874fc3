/** Flows made by create() and add(): the kernel, conntrack(8) and libnetfilter_conntrack are asked for them. */
import {
  type Conntrack,
  type Flow,
  type FlowKey,
  type NewFlow,
  Status,
  type TupleData,
} from '../../lib';
import { listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { Protonum } from '../support/packets';
import { onlyPeek, peeksOf, shownByCli, useLabels } from '../support/shown';
import { testing, type OraclePeek } from '../support/testing';
import { UdpExchange } from '../support/traffic';
import { without } from '../support/without';

const TIMEOUT = 1000;
const TCP4 = { src: '10.0.0.1', dst: '10.9.9.9', sport: 1000, dport: 80 };
const TCP6 = { src: 'fd00::1', dst: 'fd00::9', sport: 1000, dport: 80 };
const V4 = { src: '10.0.0.1', dst: '10.9.9.9' };
const V6 = { src: 'fd00::1', dst: 'fd00::9' };
/** IP_CT_TCP_FLAG_WINDOW_SCALE, without which the kernel takes no window scale. */
const WINDOW_SCALE = 1;

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

async function onlyFlow(): Promise<Flow> {
  const flows = await ct.flows().toArray();
  expect(flows).toHaveLength(1);
  return flows[0]!;
}

/** What `flow` has of what `made` asked for. */
function expectGiven(flow: Flow, made: NewFlow): void {
  const { orig, reply, zone = 0, mark, status = 0, labels, helper, master, state } = made;
  expect(flow.orig).toMatchObject(orig);
  if (reply !== undefined) expect(flow.reply).toMatchObject(reply);
  expect(flow.zone).toBe(zone);
  if (mark !== undefined) expect(flow.mark).toBe(mark);
  if (typeof status === 'number') expect(flow.status & status).toBe(status);
  else for (const name of status) expect(flow.statusFlags).toContain(name);
  expect(flow.confirmed).toBe(true);
  expect(flow.labels).toEqual(labels && [...labels].sort((a, b) => a - b));
  expect(flow.helper).toBe(helper);
  if (master !== undefined) expect(flow.master).toMatchObject(master);
  if (state !== undefined) expect(flow.state).toBe(state);
  expect(flow.timeout).toBeLessThanOrEqual(made.timeout!);
  expect(flow.timeout).toBeGreaterThan(made.timeout! - 60);
}

interface Case {
  flow: NewFlow;
  /** As conntrack(8) lists it, without timeout, use and id. */
  line: string;
  /** What conntrack(8) does not show, as libnetfilter_conntrack reads it. */
  peek?: Partial<OraclePeek>;
}

const made = (flow: Omit<NewFlow, 'timeout'>): NewFlow => ({ timeout: TIMEOUT, ...flow });
const tcp = (more: Partial<NewFlow> = {}): NewFlow =>
  made({ protocol: 'tcp', orig: TCP4, state: 'ESTABLISHED', ...more });
const SHOWN_TCP4 = 'src=10.0.0.1 dst=10.9.9.9 sport=1000 dport=80';
const SHOWN_TCP4_REPLY = 'src=10.9.9.9 dst=10.0.0.1 sport=80 dport=1000';
const SHOWN_TCP = `ipv4 2 tcp 6 ESTABLISHED ${SHOWN_TCP4} [UNREPLIED] ${SHOWN_TCP4_REPLY}`;

const CASES: Record<string, Case> = {
  'TCP over IPv4': { flow: tcp(), line: `${SHOWN_TCP} mark=0`, peek: { tcp_state: 3 } },
  'TCP over IPv6': {
    flow: tcp({ orig: TCP6, state: 'SYN_SENT' }),
    line:
      'ipv6 10 tcp 6 SYN_SENT src=fd00::1 dst=fd00::9 sport=1000 dport=80 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 sport=80 dport=1000 mark=0',
  },
  'a protocol by number': {
    flow: { protonum: 6, orig: TCP4, state: 'ESTABLISHED', timeout: TIMEOUT },
    line: `${SHOWN_TCP} mark=0`,
  },
  'UDP over IPv4': {
    flow: made({ protocol: 'udp', orig: { ...V4, sport: 65535, dport: 53 } }),
    line:
      'ipv4 2 udp 17 src=10.0.0.1 dst=10.9.9.9 sport=65535 dport=53 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 sport=53 dport=65535 mark=0',
  },
  'UDP over IPv6, with port 0': {
    flow: made({ protocol: 'udp', orig: { ...V6, sport: 0, dport: 53 } }),
    line:
      'ipv6 10 udp 17 src=fd00::1 dst=fd00::9 sport=0 dport=53 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 sport=53 dport=0 mark=0',
  },
  'UDP-Lite over IPv4': {
    flow: made({ protocol: 'udplite', orig: { ...V4, sport: 7, dport: 8 } }),
    line:
      'ipv4 2 udplite 136 src=10.0.0.1 dst=10.9.9.9 sport=7 dport=8 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 sport=8 dport=7 mark=0',
  },
  'UDP-Lite over IPv6': {
    flow: made({ protocol: 'udplite', orig: { ...V6, sport: 7, dport: 8 } }),
    line:
      'ipv6 10 udplite 136 src=fd00::1 dst=fd00::9 sport=7 dport=8 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 sport=8 dport=7 mark=0',
  },
  'SCTP with its verification tags': {
    flow: made({
      protocol: 'sctp',
      orig: { ...V4, sport: 7, dport: 8 },
      sctp: { state: 'COOKIE_ECHOED', origVtag: 0xdeadbeef, replyVtag: 1 },
    }),
    line:
      'ipv4 2 sctp 132 COOKIE_ECHOED src=10.0.0.1 dst=10.9.9.9 sport=7 dport=8 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 sport=8 dport=7 mark=0',
    peek: { sctp_state: 3, sctp_vtag_orig: 0xdeadbeef, sctp_vtag_repl: 1 },
  },
  'SCTP over IPv6': {
    flow: made({
      protocol: 'sctp',
      orig: { ...V6, sport: 7, dport: 8 },
      sctp: { state: 'ESTABLISHED', origVtag: 0, replyVtag: 0xffffffff },
    }),
    line:
      'ipv6 10 sctp 132 ESTABLISHED src=fd00::1 dst=fd00::9 sport=7 dport=8 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 sport=8 dport=7 mark=0',
    peek: { sctp_vtag_orig: 0, sctp_vtag_repl: 0xffffffff },
  },
  'an ICMP echo': {
    flow: made({ protocol: 'icmp', orig: { ...V4, icmpType: 8, icmpCode: 0, icmpId: 65535 } }),
    line:
      'ipv4 2 icmp 1 src=10.0.0.1 dst=10.9.9.9 type=8 code=0 id=65535 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 type=0 code=0 id=65535 mark=0',
  },
  'an ICMP timestamp': {
    flow: made({ protocol: 'icmp', orig: { ...V4, icmpType: 13, icmpCode: 0, icmpId: 1 } }),
    line:
      'ipv4 2 icmp 1 src=10.0.0.1 dst=10.9.9.9 type=13 code=0 id=1 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 type=14 code=0 id=1 mark=0',
  },
  'an ICMP address mask, with its reply': {
    flow: made({
      protocol: 'icmp',
      orig: { ...V4, icmpType: 17, icmpCode: 0, icmpId: 1 },
      reply: { src: V4.dst, dst: V4.src, icmpType: 18, icmpCode: 0, icmpId: 1 },
    }),
    line:
      'ipv4 2 icmp 1 src=10.0.0.1 dst=10.9.9.9 type=17 code=0 id=1 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 type=18 code=0 id=1 mark=0',
  },
  'an ICMPv6 echo': {
    flow: made({ protocol: 'icmpv6', orig: { ...V6, icmpType: 128, icmpCode: 0, icmpId: 2 } }),
    line:
      'ipv6 10 icmpv6 58 src=fd00::1 dst=fd00::9 type=128 code=0 id=2 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 type=129 code=0 id=2 mark=0',
  },
  'an ICMPv6 node information query': {
    flow: made({ protocol: 'icmpv6', orig: { ...V6, icmpType: 139, icmpCode: 1, icmpId: 2 } }),
    line:
      'ipv6 10 icmpv6 58 src=fd00::1 dst=fd00::9 type=139 code=1 id=2 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 type=140 code=1 id=2 mark=0',
  },
  'GRE over IPv4': {
    flow: made({ protocol: 'gre', orig: { ...V4, srckey: 1, dstkey: 0xabcd } }),
    line:
      'ipv4 2 gre 47 src=10.0.0.1 dst=10.9.9.9 srckey=0x1 dstkey=0xabcd [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 srckey=0xabcd dstkey=0x1 mark=0',
  },
  'GRE over IPv6': {
    flow: made({ protocol: 'gre', orig: { ...V6, srckey: 0, dstkey: 0 } }),
    line:
      'ipv6 10 gre 47 src=fd00::1 dst=fd00::9 srckey=0x0 dstkey=0x0 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 srckey=0x0 dstkey=0x0 mark=0',
  },
  'a protocol that nobody knows, over IPv4': {
    flow: made({ protocol: '253', orig: V4 }),
    line:
      'ipv4 2 unknown 253 src=10.0.0.1 dst=10.9.9.9 [UNREPLIED] ' +
      'src=10.9.9.9 dst=10.0.0.1 mark=0',
  },
  'a protocol that nobody knows, over IPv6': {
    flow: made({ protonum: 254, orig: V6 }),
    line:
      'ipv6 10 unknown 254 src=fd00::1 dst=fd00::9 [UNREPLIED] ' + 'src=fd00::9 dst=fd00::1 mark=0',
  },

  'a flow that has been answered': {
    flow: tcp({ status: ['SEEN_REPLY'] }),
    line: `ipv4 2 tcp 6 ESTABLISHED ${SHOWN_TCP4} ${SHOWN_TCP4_REPLY} mark=0`,
    peek: { status: Status.confirmed | Status.seenReply },
  },
  'an assured flow, by bits': {
    flow: tcp({ status: Status.seenReply | Status.assured }),
    line: `ipv4 2 tcp 6 ESTABLISHED ${SHOWN_TCP4} ${SHOWN_TCP4_REPLY} [ASSURED] mark=0`,
    peek: { status: Status.confirmed | Status.seenReply | Status.assured },
  },
  'an assured flow that nobody answered': {
    flow: tcp({ status: ['ASSURED'] }),
    line: `${SHOWN_TCP} [ASSURED] mark=0`,
    peek: { status: Status.confirmed | Status.assured },
  },
  'a flow with a fixed timeout': {
    flow: tcp({ status: ['FIXED_TIMEOUT'] }),
    line: `${SHOWN_TCP} mark=0`,
    peek: { status: Status.confirmed | Status.fixedTimeout },
  },
  'the largest mark': {
    flow: tcp({ mark: 0xffffffff }),
    line: `${SHOWN_TCP} mark=4294967295`,
    peek: { mark: 0xffffffff },
  },
  'the mark 0': { flow: tcp({ mark: 0 }), line: `${SHOWN_TCP} mark=0`, peek: { mark: 0 } },
  'a short life': {
    flow: tcp({ timeout: 100 }),
    line: `${SHOWN_TCP} mark=0`,
  },
  'a life of thirty days': {
    flow: tcp({ timeout: 30 * 86_400 }),
    line: `${SHOWN_TCP} mark=0`,
  },

  'a zone': { flow: tcp({ zone: 7 }), line: `${SHOWN_TCP} mark=0 zone=7`, peek: { zone: 7 } },
  'the last zone': {
    flow: tcp({ zone: 65535 }),
    line: `${SHOWN_TCP} mark=0 zone=65535`,
    peek: { zone: 65535 },
  },
  'zone 0': { flow: tcp({ zone: 0 }), line: `${SHOWN_TCP} mark=0` },
  'a zone of the original direction': {
    flow: tcp({
      orig: { ...TCP4, zone: 7 },
      reply: { src: TCP4.dst, dst: TCP4.src, sport: 80, dport: 1000 },
    }),
    line: `ipv4 2 tcp 6 ESTABLISHED ${SHOWN_TCP4} zone-orig=7 [UNREPLIED] ${SHOWN_TCP4_REPLY} mark=0`,
    peek: { orig_zone: 7 },
  },
  'a zone of the reply': {
    flow: tcp({ reply: { src: TCP4.dst, dst: TCP4.src, sport: 80, dport: 1000, zone: 7 } }),
    line: `${SHOWN_TCP} zone-reply=7 mark=0`,
    peek: { repl_zone: 7 },
  },
  'a reply of its own': {
    flow: tcp({ reply: { src: '172.16.0.9', dst: '172.16.0.1', sport: 8080, dport: 5 } }),
    line:
      `ipv4 2 tcp 6 ESTABLISHED ${SHOWN_TCP4} [UNREPLIED] ` +
      'src=172.16.0.9 dst=172.16.0.1 sport=8080 dport=5 mark=0',
  },

  'a helper': {
    flow: tcp({ helper: 'ftp' }),
    line: `${SHOWN_TCP} mark=0 helper=ftp`,
    peek: { helper_name: 'ftp', status: Status.confirmed | Status.helper },
  },
  'a helper over IPv6': {
    flow: made({ protocol: 'udp', orig: { ...V6, sport: 9, dport: 69 }, helper: 'tftp' }),
    line:
      'ipv6 10 udp 17 src=fd00::1 dst=fd00::9 sport=9 dport=69 [UNREPLIED] ' +
      'src=fd00::9 dst=fd00::1 sport=69 dport=9 mark=0 helper=tftp',
  },

  'flags and window scales of TCP': {
    flow: tcp({
      tcp: {
        origWindowScale: 14,
        replyWindowScale: 3,
        origFlags: { value: WINDOW_SCALE | 2 | 8, mask: 0xff },
        replyFlags: { value: WINDOW_SCALE, mask: WINDOW_SCALE },
      },
    }),
    line: `${SHOWN_TCP} mark=0`,
    peek: {
      tcp_state: 3,
      tcp_wscale_orig: 14,
      tcp_wscale_repl: 3,
      tcp_flags_orig: WINDOW_SCALE | 2 | 8,
      tcp_flags_repl: WINDOW_SCALE,
    },
  },
  'only the flags that the mask has': {
    flow: tcp({
      tcp: { origFlags: { value: 0x0f, mask: 0x05 }, replyFlags: { value: 0x0f, mask: 0x08 } },
    }),
    line: `${SHOWN_TCP} mark=0`,
    peek: { tcp_flags_orig: 0x05, tcp_flags_repl: 0x08 },
  },
  'a state in tcp': {
    flow: made({ protocol: 'tcp', orig: TCP4, tcp: { state: 'LAST_ACK' } }),
    line: `ipv4 2 tcp 6 LAST_ACK ${SHOWN_TCP4} [UNREPLIED] ${SHOWN_TCP4_REPLY} mark=0`,
    peek: { tcp_state: 6 },
  },
  'shifted sequence numbers': {
    flow: tcp({
      seqAdjust: {
        orig: { position: 0xfffffffe, offsetBefore: -1, offsetAfter: 2 ** 31 - 1 },
        reply: { position: 5, offsetBefore: 0, offsetAfter: -(2 ** 31) },
      },
    }),
    line: `${SHOWN_TCP} mark=0`,
    peek: {
      status: Status.confirmed | Status.seqAdjust,
      orig_nat_seq_correction_pos: 0xfffffffe,
      orig_nat_seq_offset_before: 0xffffffff,
      orig_nat_seq_offset_after: 0x7fffffff,
      repl_nat_seq_correction_pos: 5,
      repl_nat_seq_offset_before: 0,
      repl_nat_seq_offset_after: 0x80000000,
    },
  },
  'what SYNPROXY remembers': {
    flow: tcp({ synproxy: { isn: 0xffffffff, its: 1, tsoff: 0x80000000 } }),
    line: `${SHOWN_TCP} mark=0`,
    peek: { synproxy_isn: 0xffffffff, synproxy_its: 1, synproxy_tsoff: 0x80000000 },
  },
};

describe('what create() makes, others see', () => {
  test.each(Object.entries(CASES))('%s', async (_, { flow, line, peek }) => {
    await ct.create(flow);
    expect(shownByCli(namespace)).toEqual([line]);
    if (peek !== undefined) expect(onlyPeek(namespace)).toMatchObject(peek);
    const listed = await onlyFlow();
    expectGiven(listed, flow);
    expect(listByCli(namespace)[0]!.id).toBe(listed.id);
  });

  test.each(Object.entries(CASES))('%s: get() finds it by either tuple', async (_, { flow }) => {
    await ct.create(flow);
    const { family, protonum, zone, orig, reply, id } = await onlyFlow();
    const keys: FlowKey[] = [
      { protonum, zone, orig },
      { protonum, zone, reply },
      { family, protonum, zone, orig, reply },
    ];
    for (const key of keys) expect((await ct.get(key))?.id).toBe(id);
    const [other, theirs] = [
      { ...V4, src: '10.7.7.7' },
      { ...V6, src: 'fd00::7777' },
    ];
    const tuple = without(orig.toJSON(), 'zone');
    const missing = { ...tuple, ...(family === 'ipv4' ? other : theirs) };
    expect(await ct.get({ protonum, zone, orig: missing })).toBeUndefined();
    expect(await ct.get({ protonum, zone: 99, orig: tuple })).toBeUndefined();
  });

  test('the direction of a zone that is not said for the reply', async () => {
    // The reply that is made up must not have the zone too: the kernel refuses two.
    await ct.create(tcp({ orig: { ...TCP4, zone: 7 } }));
    expect(shownByCli(namespace)).toEqual([
      `ipv4 2 tcp 6 ESTABLISHED ${SHOWN_TCP4} zone-orig=7 [UNREPLIED] ${SHOWN_TCP4_REPLY} mark=0`,
    ]);
  });

  test('one tuple in as many zones as are asked for, and each zone has its own', async () => {
    const zones = [0, 1, 7, 255, 256, 65535];
    for (const zone of zones) await ct.create(tcp({ zone, mark: zone }));
    expect(listByCli(namespace).map(({ zone = 0 }) => zone)).toEqual(expect.arrayContaining(zones));
    for (const zone of zones) {
      expect((await ct.get({ protocol: 'tcp', orig: TCP4, zone }))?.mark).toBe(zone);
    }
  });

  const TCP_STATES = [
    ...(['NONE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT'] as const),
    ...(['LAST_ACK', 'TIME_WAIT', 'CLOSE', 'SYN_SENT2'] as const),
  ];
  const SCTP_STATES = [
    ...(['NONE', 'CLOSED', 'COOKIE_WAIT', 'COOKIE_ECHOED', 'ESTABLISHED'] as const),
    ...(['SHUTDOWN_SENT', 'SHUTDOWN_RECD', 'SHUTDOWN_ACK_SENT', 'HEARTBEAT_SENT'] as const),
  ];

  test('every state of TCP', async () => {
    for (const [sport, state] of TCP_STATES.entries()) {
      await ct.create(tcp({ orig: { ...TCP4, sport }, state }));
    }
    const listed = listByCli(namespace);
    expect(listed).toHaveLength(TCP_STATES.length);
    for (const flow of listed) expect(flow.state).toBe(TCP_STATES[flow.orig.sport!]);
  });

  test('every state of SCTP, in small letters too', async () => {
    for (const [sport, state] of SCTP_STATES.entries()) {
      const orig = { ...V4, sport, dport: 1 };
      await ct.create(made({ protocol: 'sctp', orig, state: state.toLowerCase() }));
    }
    const listed = listByCli(namespace);
    expect(listed).toHaveLength(SCTP_STATES.length);
    for (const flow of listed) expect(flow.state).toBe(SCTP_STATES[flow.orig.sport!]);
  });

  test('the state of SCTP beside its verification tags', async () => {
    const sctp = { origVtag: 1, replyVtag: 2 };
    const orig = { ...V4, sport: 1, dport: 2 };
    await ct.create(made({ protocol: 'sctp', orig, state: 'ESTABLISHED', sctp }));
    expect(await onlyFlow()).toMatchObject({ state: 'ESTABLISHED', sctp });
  });

  test('every protocol there is, in both families', async () => {
    // ICMP and ICMPv6 have types that the kernel wants to know; DCCP has a test of its own.
    const skipped: number[] = [Protonum.icmp, Protonum.icmpv6, Protonum.dccp];
    const protocols = Array.from({ length: 256 }, (_, number) => number).filter(
      (number) => !skipped.includes(number),
    );
    const tuple = (protonum: number, ends: typeof V4): TupleData => {
      const ports: number[] = [Protonum.tcp, Protonum.udp, Protonum.sctp, Protonum.udplite];
      if (ports.includes(protonum)) return { ...ends, sport: 1, dport: 2 };
      return protonum === Protonum.gre ? { ...ends, srckey: 1, dstkey: 2 } : ends;
    };
    for (const protonum of protocols) {
      for (const ends of [V4, V6]) await ct.create(made({ protonum, orig: tuple(protonum, ends) }));
    }
    const shown = listByCli(namespace).map(({ l3num, protonum }) => `${l3num} ${protonum}`);
    expect(shown.sort()).toEqual(protocols.flatMap((n) => [`2 ${n}`, `10 ${n}`]).sort());
    for (const protonum of protocols) {
      for (const ends of [V4, V6]) {
        expect(await ct.delete({ protonum, orig: tuple(protonum, ends) })).toBe(true);
      }
    }
    expect(await ct.count()).toBe(0);
  });

  test('a flow of the past is gone at once', async () => {
    await ct.create(tcp({ timeout: 0 }));
    expect(await ct.flows().count()).toBe(0);
    expect(listByCli(namespace)).toEqual([]);
  });
});

describe('DCCP', () => {
  const DCCP = made({ protocol: 'dccp', orig: { ...V4, sport: 5, dport: 6 } });

  // Since Linux 6.17 DCCP is a protocol without ports to the kernel.
  test('a flow is made, and what is listed can be got and deleted', async () => {
    await ct.create({ ...DCCP, dccp: { state: 'OPEN', role: 1, handshakeSeq: 2 ** 47 } });
    expect(listByCli(namespace)).toMatchObject([{ protonum: 33, orig: V4 }]);
    const listed = await onlyFlow();
    expect((await ct.get(listed))?.id).toBe(listed.id);
    expect(await ct.delete(listed)).toBe(true);
    expect(await ct.count()).toBe(0);
  });
});

describe('NAT', () => {
  const reply = (src: string, dst: string, sport: number, dport: number): string =>
    `src=${src} dst=${dst} sport=${sport} dport=${dport}`;
  const udp = (nat: NewFlow['nat'], ends = V4): NewFlow =>
    made({ protocol: 'udp', orig: { ...ends, sport: 1000, dport: 53 }, nat });
  const DONE = Status.confirmed | Status.srcNatDone | Status.dstNatDone;

  const NAT: Record<string, [NewFlow, string, number]> = {
    'a source address': [
      udp({ src: { address: '192.0.2.1' } }),
      reply('10.9.9.9', '192.0.2.1', 53, 1000),
      Status.srcNat,
    ],
    'a source address and a port': [
      udp({ src: { address: '192.0.2.1', port: 2000 } }),
      reply('10.9.9.9', '192.0.2.1', 53, 2000),
      Status.srcNat,
    ],
    'a source port': [
      udp({ src: { port: 2000 } }),
      reply('10.9.9.9', '10.0.0.1', 53, 2000),
      Status.srcNat,
    ],
    'a range of one': [
      udp({ src: { address: ['192.0.2.1', '192.0.2.1'], port: [2000, 2000] } }),
      reply('10.9.9.9', '192.0.2.1', 53, 2000),
      Status.srcNat,
    ],
    'a destination address': [
      udp({ dst: { address: '192.0.2.1' } }),
      reply('192.0.2.1', '10.0.0.1', 53, 1000),
      Status.dstNat,
    ],
    'a destination address and a port': [
      udp({ dst: { address: '192.0.2.1', port: 5353 } }),
      reply('192.0.2.1', '10.0.0.1', 5353, 1000),
      Status.dstNat,
    ],
    'a destination port': [
      udp({ dst: { port: 5353 } }),
      reply('10.9.9.9', '10.0.0.1', 5353, 1000),
      Status.dstNat,
    ],
    'both ends': [
      udp({ src: { address: '192.0.2.1', port: 2000 }, dst: { address: '192.0.2.2', port: 5353 } }),
      reply('192.0.2.2', '192.0.2.1', 5353, 2000),
      Status.srcNat | Status.dstNat,
    ],
    'a source address of IPv6': [
      udp({ src: { address: 'fd01::1' } }, V6),
      reply('fd00::9', 'fd01::1', 53, 1000),
      Status.srcNat,
    ],
    'a destination address and a port of IPv6': [
      udp({ dst: { address: 'fd01::1', port: 5353 } }, V6),
      reply('fd01::1', 'fd00::1', 5353, 1000),
      Status.dstNat,
    ],
    'both ends of IPv6': [
      udp({ src: { address: 'fd01::1', port: 2000 }, dst: { address: 'fd01::2', port: 5353 } }, V6),
      reply('fd01::2', 'fd01::1', 5353, 2000),
      Status.srcNat | Status.dstNat,
    ],
    'what it was anyway': [
      udp({ src: { address: '10.0.0.1' } }),
      reply('10.9.9.9', '10.0.0.1', 53, 1000),
      0,
    ],
  };

  test.each(Object.entries(NAT))('%s', async (_, [flow, answered, status]) => {
    await ct.create(flow);
    const [line] = shownByCli(namespace);
    expect(line!.split('[UNREPLIED] ')[1]).toBe(`${answered} mark=0`);
    expect(onlyPeek(namespace).status).toBe(DONE | status);
  });

  test('TCP, and the address of an ICMP echo', async () => {
    await ct.create(tcp({ nat: { dst: { address: '192.0.2.1', port: 8080 } } }));
    const echo = { ...V4, icmpType: 8, icmpCode: 0, icmpId: 7 };
    await ct.create(made({ protocol: 'icmp', orig: echo, nat: { src: { address: '192.0.2.1' } } }));
    const [icmp, shownTcp] = shownByCli(namespace);
    expect(icmp).toContain('src=10.9.9.9 dst=192.0.2.1 type=0 code=0');
    expect(shownTcp).toContain(reply('192.0.2.1', '10.0.0.1', 8080, 1000));
  });

  test('a range of ports is used up one by one, and not left', async () => {
    const many = Array.from({ length: 4 }, (_, index) => ({
      ...udp({ src: { address: '192.0.2.1', port: [700, 703] } }),
      orig: { src: `10.0.1.${index}`, dst: V4.dst, sport: 1000, dport: 53 },
    }));
    for (const flow of many) await ct.create(flow);
    const ports = listByCli(namespace).map((flow) => flow.reply.dport);
    expect(ports.sort()).toEqual([700, 701, 702, 703]);
  });

  test.each([
    ['IPv4', V4, ['192.0.2.8', '192.0.2.11'], '10.0.1.'],
    ['IPv6', V6, ['fd01::8', 'fd01::b'], 'fd00::1:'],
  ] as const)('a range of addresses of %s is not left', async (_, ends, [first, last], prefix) => {
    for (let index = 0; index < 40; index += 1) {
      const orig = { src: `${prefix}${index + 1}`, dst: ends.dst, sport: 1000 + index, dport: 53 };
      await ct.create(made({ protocol: 'udp', orig, nat: { src: { address: [first, last] } } }));
    }
    const chosen = new Set(listByCli(namespace).map((flow) => flow.reply.dst));
    const range = first.includes(':')
      ? ['fd01::8', 'fd01::9', 'fd01::a', 'fd01::b']
      : ['192.0.2.8', '192.0.2.9', '192.0.2.10', '192.0.2.11'];
    for (const address of chosen) expect(range).toContain(address);
    expect(chosen.size).toBeGreaterThan(1);
  });

  test('packets of the flow are translated by it', async () => {
    namespace.track();
    namespace.nft(`
      table ip nat {
        chain out { type nat hook output priority -100; }
        chain in { type nat hook input priority 100; }
      }`);
    const ends = { src: '127.0.0.1', dst: '127.0.0.1', sport: 40_000, dport: 40_001 };
    const dst = { address: '127.0.0.2', port: 40_002 };
    await ct.create(made({ protocol: 'udp', orig: ends, nat: { dst } }));
    const exchange = await UdpExchange.open({
      client: namespace,
      server: namespace,
      address: dst.address,
      port: dst.port,
      target: { address: ends.dst, port: ends.dport },
      src: ends.src,
      sport: ends.sport,
    });
    try {
      expect((await exchange.request('translated')).toString()).toBe('translated');
    } finally {
      exchange.close();
    }
    const flow = await ct.get({ protocol: 'udp', orig: ends });
    expect(flow).toMatchObject({ seenReply: true, dstNat: true });
    expect(flow!.reply).toMatchObject({ src: '127.0.0.2', sport: 40_002 });
  });
});

describe('a master', () => {
  const master = { src: '10.0.0.1', dst: '10.9.9.9', sport: 1000, dport: 21 };
  const data = { src: '10.9.9.9', dst: '10.0.0.1', sport: 20, dport: 2000 };

  test('makes the flow an expected one', async () => {
    await ct.create(tcp({ orig: master, helper: 'ftp' }));
    await ct.create(tcp({ orig: data, master }));
    const child = await ct.get({ protocol: 'tcp', orig: data });
    expect(child).toMatchObject({ expected: true });
    expect(child!.master).toMatchObject(master);
    const peek = peeksOf(namespace).find((flow) => flow.orig_port_src === 20);
    expect(peek).toMatchObject({
      master_ipv4_src: Buffer.of(10, 0, 0, 1),
      master_ipv4_dst: Buffer.of(10, 9, 9, 9),
      master_port_src: 1000,
      master_port_dst: 21,
      master_l4proto: 6,
      status: Status.confirmed | Status.expected,
    });
  });

  test('may be of another protocol, and of IPv6', async () => {
    const control = { src: 'fd00::1', dst: 'fd00::9', sport: 1000, dport: 5060 };
    const media = { src: 'fd00::9', dst: 'fd00::1', sport: 3000, dport: 3001 };
    await ct.create(tcp({ orig: control, helper: 'sip' }));
    const flow = { protocol: 'udp', orig: media, master: { ...control, protocol: 'tcp' } };
    await ct.create(made(flow));
    expect((await ct.get({ protocol: 'udp', orig: media }))!.master).toMatchObject(control);
  });
});

describe('labels', () => {
  test('are set where a rule uses them', async () => {
    useLabels(namespace);
    const labels = [0, 1, 31, 32, 63, 64, 126, 127];
    await ct.create(tcp({ labels }));
    expect(onlyPeek(namespace).connlabels).toEqual(labels);
    expect((await onlyFlow()).labels).toEqual(labels);
  });

  test('none at all are no labels, with a rule and without', async () => {
    await ct.create(tcp({ labels: [] }));
    useLabels(namespace);
    await ct.create(tcp({ labels: [], zone: 1 }));
    for (const flow of await ct.flows().toArray()) expect(flow.labels).toBeUndefined();
    expect(await ct.count()).toBe(2);
  });

  test('in any order, and twice the same', async () => {
    useLabels(namespace);
    await ct.create(tcp({ labels: [127, 5, 5, 0] }));
    expect(onlyPeek(namespace).connlabels).toEqual([0, 5, 127]);
  });
});

describe('add()', () => {
  test('makes what is not there, as create() does', async () => {
    for (const { flow, line } of Object.values(CASES)) {
      await ct.add(flow);
      expect(shownByCli(namespace)).toEqual([line]);
      namespace.run(testing.flush);
    }
  });

  test('changes what is there, and leaves alone what it does not say', async () => {
    await ct.create(tcp({ mark: 7, status: ['SEEN_REPLY', 'ASSURED'], timeout: 100 }));
    const { id } = await onlyFlow();
    await ct.add(tcp({ status: ['SEEN_REPLY', 'ASSURED'], timeout: 5000 }));
    const changed = await onlyFlow();
    expect(changed).toMatchObject({ id, mark: 7, assured: true });
    expect(changed.timeout).toBeGreaterThan(1000);
    await ct.add(tcp({ status: ['SEEN_REPLY', 'ASSURED'], mark: 8, state: 'CLOSE_WAIT' }));
    expect(await onlyFlow()).toMatchObject({ id, mark: 8, state: 'CLOSE_WAIT' });
  });
});

describe('a listed flow is one that can be made', () => {
  /** What a flow is, apart from what the kernel gives each one anew. */
  function lasting(flow: Flow): object {
    return without(flow.toJSON(), 'id', 'use', 'timeout');
  }
  const byText = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

  async function lastingTable(): Promise<object[]> {
    return (await ct.flows().toArray()).map(lasting).sort(byText);
  }

  async function remake(flows: readonly NewFlow[]): Promise<void> {
    const before = await lastingTable();
    namespace.run(testing.flush);
    expect(await ct.count()).toBe(0);
    for (const flow of flows) await ct.create(flow);
    expect(await lastingTable()).toEqual(before);
  }

  /** Cases that differ in more than a name, each in a zone of its own if it has no zone. */
  const PLAIN = Object.entries(CASES).filter(([name]) => !/window scales|mask has/.test(name));

  async function makePlain(): Promise<Flow[]> {
    for (const [index, [, { flow }]] of PLAIN.entries()) {
      const own = flow.orig.zone ?? flow.reply?.zone;
      const zone = own === undefined ? 1000 + index : undefined;
      await ct.create(zone === undefined ? flow : { ...flow, zone });
    }
    return ct.flows().toArray();
  }

  test('as the Flow itself', async () => {
    await remake(await makePlain());
  });

  test('as its JSON', async () => {
    const flows = await makePlain();
    await remake(JSON.parse(JSON.stringify(flows)) as NewFlow[]);
  });

  test('with its labels', async () => {
    useLabels(namespace);
    await ct.create(tcp({ labels: [3, 99] }));
    await remake([await onlyFlow()]);
  });

  test('with its master', async () => {
    const master = { src: '10.0.0.1', dst: '10.9.9.9', sport: 1000, dport: 21 };
    const orig = { src: '10.9.9.9', dst: '10.0.0.1', sport: 20, dport: 2000 };
    await ct.create(tcp({ orig: master, helper: 'ftp' }));
    await ct.create(tcp({ orig, master }));
    const flows = await ct.flows().toArray();
    await remake(flows.sort((a, b) => Number(a.expected) - Number(b.expected)));
  });

  test('with its TCP flags and window scales, though the kernel lists no mask', async () => {
    await ct.create(CASES['flags and window scales of TCP']!.flow);
    await remake([await onlyFlow()]);
  });

  test('with its NAT, which is in its status and its reply', async () => {
    const orig = { ...V4, sport: 1, dport: 2 };
    const src = { address: '192.0.2.1', port: 2000 };
    const dst = { address: '192.0.2.2', port: 3000 };
    await ct.create(made({ protocol: 'udp', orig, nat: { src } }));
    await ct.create(made({ protocol: 'udp', orig: { ...orig, sport: 9 }, nat: { dst } }));
    await ct.create(made({ protocol: 'udp', orig: { ...orig, sport: 10 }, nat: { src, dst } }));
    await remake(await ct.flows().toArray());
  });

  test('with NAT that changed nothing, of every protocol that has numbers to change', async () => {
    const nat = { src: { address: V4.src }, dst: { address: V4.dst } };
    const icmp = { ...V4, icmpType: 8, icmpCode: 0, icmpId: 7 };
    await ct.create(made({ protocol: 'udp', orig: { ...V4, sport: 1, dport: 2 }, nat }));
    await ct.create(made({ protocol: 'icmp', orig: icmp, nat }));
    await ct.create(made({ protocol: 'gre', orig: { ...V4, srckey: 1, dstkey: 2 }, nat }));
    await ct.create(made({ protocol: '253', orig: V4, nat }));
    const flows = await ct.flows().toArray();
    const done = Status.srcNatDone | Status.dstNatDone;
    expect(flows.map(({ status }) => status & done)).toEqual([done, done, done, done]);
    await remake(flows);
  });

  test('with NAT of a ping and of a tunnel', async () => {
    const nat = { src: { address: '192.0.2.1', port: 77 } };
    const icmp = { ...V4, icmpType: 8, icmpCode: 0, icmpId: 7 };
    await ct.create(made({ protocol: 'icmp', orig: icmp, nat }));
    await ct.create(made({ protocol: 'gre', orig: { ...V4, srckey: 1, dstkey: 2 }, nat }));
    await ct.create(made({ protocol: '253', orig: V4, nat: { src: { address: '192.0.2.1' } } }));
    const flows = await ct.flows({ nat: 'src' }).toArray();
    expect(flows).toHaveLength(3);
    await remake(flows);
  });

  test('and one that add() leaves as it is, with its NAT', async () => {
    const orig = { ...V4, sport: 1, dport: 2 };
    const nat = { src: { address: '192.0.2.1', port: 2000 } };
    await ct.create(made({ protocol: 'udp', orig, nat }));
    const before = await lastingTable();
    const { id } = await onlyFlow();
    await ct.add(await onlyFlow());
    expect(await ct.addMany([await onlyFlow()])).toMatchObject({ done: 1, gone: 0, failed: [] });
    expect((await onlyFlow()).id).toBe(id);
    expect(await lastingTable()).toEqual(before);
    const flow = await onlyFlow();
    namespace.run(testing.flush);
    await ct.add(flow);
    expect(await lastingTable()).toEqual(before);
  });
});

describe('what conntrack -I makes', () => {
  const ENDS = ['-s', '10.0.0.1', '-d', '10.9.9.9'];
  const ENDS6 = ['-s', 'fd00::1', '-d', 'fd00::9'];
  const PORTS = ['--sport', '1000', '--dport', '80'];
  const ECHO = ['--icmp-type', '8', '--icmp-code', '0', '--icmp-id', '7'];
  const ECHO6 = ['--icmpv6-type', '128', '--icmpv6-code', '0', '--icmpv6-id', '7'];

  const MADE: Record<string, [string[], object]> = {
    TCP: [
      [...ENDS, '-p', 'tcp', ...PORTS, '--state', 'ESTABLISHED', '-u', 'ASSURED,SEEN_REPLY'],
      { protocol: 'tcp', orig: TCP4, state: 'ESTABLISHED', assured: true, seenReply: true },
    ],
    'TCP over IPv6, with a mark': [
      [...ENDS6, '-p', 'tcp', ...PORTS, '--state', 'SYN_SENT', '-m', '0xffffffff'],
      { family: 'ipv6', protocol: 'tcp', orig: TCP6, state: 'SYN_SENT', mark: 0xffffffff },
    ],
    'UDP in a zone': [
      [...ENDS, '-p', 'udp', ...PORTS, '-w', '7'],
      { protocol: 'udp', orig: TCP4, zone: 7 },
    ],
    'UDP with a zone of one direction': [
      [...ENDS, '-p', 'udp', ...PORTS, '--reply-zone', '7'],
      { protocol: 'udp', orig: TCP4, zone: 0, reply: { zone: 7 } },
    ],
    'UDP with source NAT': [
      [...ENDS, '-p', 'udp', ...PORTS, '--src-nat', '192.0.2.1'],
      { protocol: 'udp', srcNat: true, dstNat: false, reply: { dst: '192.0.2.1' } },
    ],
    'UDP with destination NAT': [
      [...ENDS, '-p', 'udp', ...PORTS, '--dst-nat', '192.0.2.1'],
      { protocol: 'udp', srcNat: false, dstNat: true, reply: { src: '192.0.2.1' } },
    ],
    'UDP-Lite': [[...ENDS, '-p', 'udplite', ...PORTS], { protocol: 'udplite', orig: TCP4 }],
    SCTP: [
      [
        ...[...ENDS, '-p', 'sctp', ...PORTS, '--state', 'ESTABLISHED'],
        // conntrack 1.4.7 forgets to put them into network order.
        ...['--orig-vtag', String(0x01010101), '--reply-vtag', String(0x02020202)],
      ],
      {
        protocol: 'sctp',
        state: 'ESTABLISHED',
        sctp: { origVtag: 0x01010101, replyVtag: 0x02020202 },
      },
    ],
    ICMP: [
      [...ENDS, '-p', 'icmp', ...ECHO],
      { protocol: 'icmp', orig: { ...V4, icmpType: 8, icmpCode: 0, icmpId: 7 } },
    ],
    ICMPv6: [
      [...ENDS6, '-p', 'icmpv6', ...ECHO6],
      { protocol: 'icmpv6', orig: { ...V6, icmpType: 128, icmpCode: 0, icmpId: 7 } },
    ],
    GRE: [
      [...ENDS, '-p', 'gre', '--srckey', '1', '--dstkey', '2'],
      { protocol: 'gre', orig: { ...V4, srckey: 1, dstkey: 2 } },
    ],
    'a protocol that nobody knows': [[...ENDS, '-p', '253'], { protocol: '253', orig: V4 }],
  };

  test.each(Object.entries(MADE))('is listed, got and deleted: %s', async (_, [args, wanted]) => {
    namespace.exec('conntrack', ['-I', '-t', String(TIMEOUT), ...args]);
    const flow = await onlyFlow();
    expect(flow).toMatchObject(wanted);
    expect((await ct.get({ ...flow.toJSON() }))!.id).toBe(flow.id);
    expect(await ct.delete(flow)).toBe(true);
    expect(listByCli(namespace)).toEqual([]);
  });
});
