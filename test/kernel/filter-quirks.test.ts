/**
 * Where the kernel's own filters do something else than they seem to say: each of these tests fails if its
 * answer is taken for ours.
 */
import { Conntrack, probe, type Filter, type FlowData } from '../../lib/index';
import { mustCreateFlow, prepareForTables, type FlowRequest } from '../support/arbitrary-flow';
import { attribute, Cta, MessageType, nest, tuple } from '../support/ctnetlink';
import { Listener } from '../support/listener';
import { TestNamespace } from '../support/netns';
import { Protonum, udpDatagram } from '../support/packets';
import { matchesReference } from '../support/reference-filter';
import { syntheticTuple, testing } from '../support/testing';
import { sendPacket } from '../support/traffic';
import { waitFor } from '../support/wait';

// The time of a listing grows with all the flows of the machine.
jest.setTimeout(300_000);

let namespace: TestNamespace;
let ct: Conntrack;

beforeAll(async () => {
  namespace = TestNamespace.create();
  prepareForTables(namespace);
  ct = await Conntrack.open({ netns: namespace.path });
});

beforeEach(() => {
  namespace.sysctl('nf_conntrack_acct', 0);
});

afterEach(flush);

afterAll(async () => {
  await ct.close();
  TestNamespace.closeAll();
});

function flush(): void {
  namespace.run(() => {
    testing.flush();
  });
}

type Ends = [src: string, dst: string];

const V4: Ends = ['10.0.0.1', '10.0.0.2'];
const V6: Ends = ['fd00::1', 'fd00::2'];

interface Given extends Partial<Omit<FlowRequest, 'orig' | 'reply'>> {
  ends?: Ends;
  protonum?: number;
  sport?: number;
  dport?: number;
  icmpType?: number;
  origZone?: number;
  replyZone?: number;
}

const ANSWERS: Record<number, number> = { 8: 0, 13: 14, 128: 129, 139: 140 };

/** What tells the flows of a protocol apart, there and back. */
function protoOf({ protonum = 17, sport = 1000, dport = 80, icmpType }: Given): [object, object] {
  if (icmpType === undefined)
    return [
      { protonum, sport, dport },
      { protonum, sport: dport, dport: sport },
    ];
  const query = { protonum, icmpCode: 0, icmpId: sport };
  return [
    { ...query, icmpType },
    { ...query, icmpType: ANSWERS[icmpType] },
  ];
}

function zoneOf(zone: number | undefined): object {
  return zone === undefined ? {} : { zone };
}

function requestOf(given: Given): FlowRequest {
  const { ends: [src, dst] = V4, origZone, replyZone, timeout = 600, ...rest } = given;
  const [there, back] = protoOf(given);
  return {
    ...rest,
    timeout,
    orig: { src, dst, ...there, ...zoneOf(origZone) } as FlowRequest['orig'],
    reply: { src: dst, dst: src, ...back, ...zoneOf(replyZone) } as FlowRequest['reply'],
  };
}

/** Makes flows; each is known by its place, which is its source port or ICMP id. */
function make(...flows: Given[]): void {
  const capture = namespace.run(() => new testing.NetlinkCapture());
  try {
    flows.forEach((flow, place) => {
      mustCreateFlow(capture, requestOf({ sport: place, ...flow }));
    });
  } finally {
    capture.close();
  }
}

async function list(filter?: Filter): Promise<FlowData[]> {
  return (await ct.flows(filter).toArray()).map((flow) => flow.toJSON());
}

function place({ orig }: FlowData): number {
  return (orig.sport ?? orig.icmpId ?? orig.srckey)!;
}

async function places(filter?: Filter): Promise<number[]> {
  return (await list(filter)).map(place).toSorted((a, b) => a - b);
}

/** For flows without ports of their own. */
async function expectReference(filter: Filter): Promise<number> {
  const id = (flow: FlowData): number => flow.id;
  const wanted = (await list()).filter((flow) => matchesReference(flow, filter)).map(id);
  expect((await list(filter)).map(id).toSorted()).toEqual(wanted.toSorted());
  return wanted.length;
}

describe('IPv6 addresses, whose comparison the kernel inverts', () => {
  const ends: Ends[] = [
    ['fd00::1', 'fd00::2'],
    ['fd00::2', 'fd00::1'],
    ['fd00::3', 'fd00::2'],
    ['fd00:0:0:1::1', 'fd00::9'],
  ];

  test('match as they read', async () => {
    make(...ends.map((each): Given => ({ ends: each, protonum: 6 })), { protonum: 6 });
    expect(await places({ orig: { src: 'fd00::1' } })).toEqual([0]);
    expect(await places({ orig: { dst: 'fd00::2' } })).toEqual([0, 2]);
    expect(await places({ reply: { src: 'fd00::2' } })).toEqual([0, 2]);
    expect(await places({ reply: { dst: 'fd00::3/128' } })).toEqual([2]);
    expect(await places({ orig: { src: 'fd00::1', dst: 'fd00::2' } })).toEqual([0]);
    expect(await places({ orig: { src: 'fd00::1', dst: 'fd00::9' } })).toEqual([]);
    expect(await places({ orig: { src: 'fd00::4' } })).toEqual([]);
    expect(await places({ not: { orig: { src: 'fd00::1' } } })).toEqual([1, 2, 3, 4]);
  });

  test('match as they read beside what the kernel compares', async () => {
    make(...ends.map((each): Given => ({ ends: each, protonum: 6, mark: 1 })), {
      protonum: 6,
      mark: 1,
    });
    const rest: Filter = { family: 'ipv6', protocol: 'tcp', mark: 1 };
    expect(await places({ ...rest, orig: { src: 'fd00::1', dport: 80 } })).toEqual([0]);
    expect(await places({ ...rest, reply: { src: 'fd00::2', sport: 80 } })).toEqual([0, 2]);
    expect(ct.flows({ ...rest, orig: { src: 'fd00::1' } }).explain()).toMatchObject({
      kernel: ['family ipv6', 'protocol tcp', 'mark = 1'],
      native: ['orig.src fd00::1'],
    });
  });

  test('that embed IPv4 ones are other addresses', async () => {
    make({ ends: ['0:0:0:0:0:ffff:a00:1', 'fd00::2'] }, {});
    expect(await places({ orig: { src: '::ffff:10.0.0.1' } })).toEqual([0]);
    expect(await places({ orig: { src: '10.0.0.1' } })).toEqual([1]);
    expect(await places({ orig: { src: ['10.0.0.1', '::ffff:a00:1'] } })).toEqual([0, 1]);
  });
});

describe('ports, which the kernel compares for TCP and UDP alone', () => {
  const PROTOCOLS = ['udplite', 'sctp', 'udp', 'tcp'];

  test.each(PROTOCOLS)('match as they read for %s', async (protocol) => {
    const protonum = Protonum[protocol as keyof typeof Protonum];
    make({ protonum }, { protonum, dport: 443 }, { protonum, dport: 81 }, { protonum, ends: V6 });
    expect(await places({ protocol, orig: { dport: 80 } })).toEqual([0, 3]);
    expect(await places({ protocol, orig: { sport: 1 } })).toEqual([1]);
    expect(await places({ protocol, reply: { sport: 80 } })).toEqual([0, 3]);
    expect(await places({ protocol, reply: { dport: 2 } })).toEqual([2]);
    expect(await places({ family: 'ipv4', protocol, orig: { dport: 80 } })).toEqual([0]);
    expect(await places({ protocol, orig: { dport: 5 } })).toEqual([]);
  });

  test('are not the keys of GRE', async () => {
    make({ protonum: 47 }, { protonum: 47, dport: 443 }, { protonum: 6 });
    expect(await places({ protocol: 'gre', orig: { dport: 80 } })).toEqual([]);
    expect(await places({ protocol: 'gre', orig: { dstkey: 80 } })).toEqual([0]);
    expect(await places({ orig: { dstkey: [0, Infinity] } })).toEqual([0, 1]);
    expect(await places({ port: 80 })).toEqual([2]);
  });

  test('without a protocol, which the kernel refuses, are those of every protocol', async () => {
    const protocols = [6, 17, 132, 136, 47];
    make(...protocols.map((protonum) => ({ protonum })), { protonum: 6, ends: V6 }, { dport: 81 });
    expect(await places({ orig: { dport: 80 } })).toEqual([0, 1, 2, 3, 5]);
    expect(await places({ family: 'ipv4', orig: { dport: 80 } })).toEqual([0, 1, 2, 3]);
    expect(await places({ orig: { src: '10.0.0.1', dport: 80 } })).toEqual([0, 1, 2, 3]);
  });

  test('of a protocol that has none match nothing', async () => {
    make({ protonum: 1, icmpType: 8 }, { protonum: 6, dport: 8 });
    expect(await expectReference({ protocol: 'icmp', orig: { dport: 8 } })).toBe(0);
    expect(await expectReference({ protocol: 'tcp', orig: { icmpType: 8 } })).toBe(0);
    expect(await expectReference({ not: { port: [0, Infinity] } })).toBe(1);
  });
});

describe('a filter on tuples without a family, which the kernel refuses', () => {
  test('is about both families', async () => {
    make({ protonum: 6 }, { protonum: 6, ends: V6 }, { ends: V6 }, {});
    expect(await places({ protocol: 'tcp' })).toEqual([0, 1]);
    expect(await places({ protocol: 'udp', orig: { dport: 80 } })).toEqual([2, 3]);
    expect(await places({ family: 'ipv6', protocol: 'tcp' })).toEqual([1]);
  });

  test('of one and of the other family at once matches nothing', async () => {
    make({}, { ends: V6 });
    expect(await places({ family: 'ipv6', orig: { src: '10.0.0.1' } })).toEqual([]);
    expect(await places({ family: 'ipv4', orig: { src: 'fd00::1' } })).toEqual([]);
    expect(await places({ orig: { src: '10.0.0.1', dst: 'fd00::2' } })).toEqual([]);
    expect(await places({ orig: { src: 'fd00::1', dst: '10.0.0.2' } })).toEqual([]);
    expect(await places({ and: [{ family: 'ipv4' }, { family: 'ipv6' }] })).toEqual([]);
    expect(await places({ orig: { src: ['10.0.0.1', 'fd00::1'] } })).toEqual([0, 1]);
  });
});

describe('protocols', () => {
  // 0 is a number like any other, not "none".
  test('at the ends of their range match as they read', async () => {
    make(
      ...[0, 1, 254, 255].map((protonum): Given =>
        protonum === 1
          ? { protonum, icmpType: 8 }
          : { protonum, ends: [`10.0.0.${protonum}`, '10.1.0.1'] },
      ),
    );
    const found = async (filter: Filter): Promise<number[]> =>
      (await list(filter)).map(({ protonum }) => protonum).toSorted((a, b) => a - b);
    expect(await found({ protocol: 0 })).toEqual([0]);
    expect(await found({ protocol: '0', family: 'ipv4' })).toEqual([0]);
    expect(await found({ protocol: 255, orig: { dst: '10.1.0.1' } })).toEqual([255]);
    expect(await found({ protocol: 255, family: 'ipv6' })).toEqual([]);
    expect(await found({ protocol: [0, 255] })).toEqual([0, 255]);
    expect(await found({ protocol: [0, 1, 2] })).toEqual([0, 1]);
    expect(await found({ not: { protocol: 0 } })).toEqual([1, 254, 255]);
    expect(await found({ not: { protocol: [0, 1, 254] } })).toEqual([255]);
    expect(await found({ protocol: 0, mark: 0, zone: 0, nat: 'none' })).toEqual([0]);
  });

  test('beside another one that they contradict match nothing', async () => {
    make({ protonum: 6 }, { protonum: 17 });
    expect(await places({ protocol: 'tcp', and: [{ protocol: 'udp' }] })).toEqual([]);
    expect(await places({ protocol: ['tcp', 'udp'], and: [{ protocol: 'udp' }] })).toEqual([1]);
    expect(await places({ protocol: 'tcp', not: { protocol: 'udp' } })).toEqual([0]);
    expect(await places({ protocol: 'tcp', and: [{ or: [{ protocol: 'udp' }] }] })).toEqual([]);
  });
});

describe('lists of ports', () => {
  test('that touch, overlap or leave one out match at every edge', async () => {
    const ports = [0, 1, 4, 5, 6, 7, 8, 9, 10, 65534, 65535];
    make(...ports.map((dport) => ({ protonum: 6, dport })));
    const found = async (dport: Filter['port'] & object): Promise<(number | undefined)[]> =>
      (await list({ protocol: 'tcp', orig: { dport } }))
        .map(({ orig }) => orig.dport)
        .toSorted((a, b) => a! - b!);
    expect(await found([[8, 9], 5, 6, [0, 0]])).toEqual([0, 5, 6, 8, 9]);
    expect(await found([[6, 8], [5, 7], 4])).toEqual([4, 5, 6, 7, 8]);
    expect(await found([[9, Infinity], 0, 1])).toEqual([0, 1, 9, 10, 65534, 65535]);
    expect(await found([65535, 65534, 10])).toEqual([10, 65534, 65535]);
    expect(
      await found([
        [0, 6],
        [7, 9],
        [10, 65534],
      ]),
    ).toEqual(ports.slice(0, -1));
  });
});

describe('types of ICMP', () => {
  // There are no such flows, and the kernel refuses to be asked for them.
  test('of the other family match nothing', async () => {
    make({ protonum: 1, icmpType: 8 }, { protonum: 58, icmpType: 128, ends: V6 });
    expect(await places({ family: 'ipv4', protocol: 'icmpv6' })).toEqual([]);
    expect(await places({ family: 'ipv6', protocol: 'icmp', orig: { icmpType: 8 } })).toEqual([]);
    expect(await places({ protocol: 'icmpv6', orig: { icmpType: 8 } })).toEqual([]);
    expect(await places({ protocol: 'icmp', not: { family: 'ipv6' } })).toEqual([0]);
    expect(await places({ not: { protocol: 'icmp', family: 'ipv4' } })).toEqual([1]);
  });

  test('without an answer, which the kernel refuses, match nothing', async () => {
    make({ protonum: 1, icmpType: 8 }, { protonum: 58, icmpType: 128, ends: V6 });
    for (const icmpType of [3, 5, 11, 255]) {
      expect(await places({ protocol: 'icmp', orig: { icmpType } })).toEqual([]);
      expect(await places({ protocol: 'icmpv6', orig: { icmpType } })).toEqual([]);
    }
  });

  test('are of either protocol by the same names', async () => {
    make(
      { protonum: 1, icmpType: 8 },
      { protonum: 1, icmpType: 13 },
      { protonum: 58, icmpType: 128, ends: V6 },
      { protonum: 58, icmpType: 139, ends: V6 },
    );
    expect(await places({ protocol: 'icmp', orig: { icmpType: 8 } })).toEqual([0]);
    expect(await places({ protocol: 'icmp', orig: { icmpId: 1 } })).toEqual([1]);
    expect(await places({ protocol: 'icmp', reply: { icmpType: 14 } })).toEqual([1]);
    expect(await places({ protocol: 'icmpv6', orig: { icmpType: 128, icmpId: 2 } })).toEqual([2]);
    expect(await places({ protocol: 'icmpv6', orig: { icmpType: 139, icmpCode: 0 } })).toEqual([3]);
    expect(await places({ orig: { icmpType: [8, 128] } })).toEqual([0, 1, 2]);
    expect(await places({ orig: { icmpCode: 0 } })).toEqual([0, 1, 2, 3]);
  });
});

describe('zones', () => {
  const FLOWS: Given[] = [
    {},
    { zone: 5 },
    { zone: 6 },
    { origZone: 5 },
    { replyZone: 5 },
    { zone: 65535 },
    { zone: 5, ends: V6 },
  ];

  test('of a direction are no zone of the flow', async () => {
    make(...FLOWS);
    expect(await places({ zone: 5 })).toEqual([1, 6]);
    expect(await places({ zone: 65535 })).toEqual([5]);
    expect(await places({ orig: { zone: 5 } })).toEqual([3]);
    expect(await places({ reply: { zone: 5 } })).toEqual([4]);
    expect(await places({ orig: { zone: [0, Infinity] } })).toEqual([3]);
  });

  test('0 is that of every flow without one', async () => {
    make(...FLOWS);
    expect(await places({ zone: 0 })).toEqual([0, 3, 4]);
    expect(await places({ zone: 0, family: 'ipv4', protocol: 'udp' })).toEqual([0, 3, 4]);
    expect(await places({ not: { zone: 0 } })).toEqual([1, 2, 5, 6]);
    expect(await places({ zone: [0, 5] })).toEqual([0, 1, 3, 4, 6]);
  });

  test('of a direction are absent from every other flow', async () => {
    make(...FLOWS);
    expect(await places({ not: { orig: { zone: 5 } } })).toEqual([0, 1, 2, 4, 5, 6]);
    expect(await places({ not: { orig: { zone: [0, Infinity] } } })).toEqual([0, 1, 2, 4, 5, 6]);
    expect(await places({ not: { reply: { zone: 5 } }, zone: 0 })).toEqual([0, 3]);
    expect(await places({ zone: 5, orig: { zone: 5 } })).toEqual([]);
    expect(await places({ zone: [5, 6], not: { family: 'ipv6' } })).toEqual([1, 2]);
  });

  test('of a direction are no reason to delete', async () => {
    make(...FLOWS);
    expect(await ct.deleteWhere({ zone: 5 })).toMatchObject({ matched: 2, deleted: 2 });
    expect(await places()).toEqual([0, 2, 3, 4, 5]);
    expect(await ct.deleteWhere({ reply: { zone: 5 } })).toMatchObject({ deleted: 1 });
    expect(await places()).toEqual([0, 2, 3, 5]);
    expect(await ct.deleteWhere({ zone: 0, not: { orig: { zone: 5 } } })).toMatchObject({
      deleted: 1,
    });
    expect(await places()).toEqual([2, 3, 5]);
  });

  test('tell flows of the same tuple apart', async () => {
    make({ sport: 9 }, { sport: 9, zone: 1 }, { sport: 9, zone: 2 });
    const zones = (await list({ zone: 2, orig: { sport: 9 } })).map(({ zone }) => zone);
    expect(zones).toEqual([2]);
  });
});

describe('marks', () => {
  const MARKS = [0, 1, 0x10, 0x1f, 0x8000_0000, 0xffff_ffff];

  beforeEach(() => {
    make(...MARKS.map((mark) => ({ mark })), {});
  });

  test('match exactly, 0 among them', async () => {
    expect(await places({ mark: 0 })).toEqual([0, 6]);
    expect(await places({ mark: 1 })).toEqual([1]);
    expect(await places({ mark: 0x8000_0000 })).toEqual([4]);
    expect(await places({ mark: 0xffff_ffff })).toEqual([5]);
    expect(await places({ mark: 2 })).toEqual([]);
  });

  test('match under a mask', async () => {
    expect(await places({ mark: { value: 0x10, mask: 0xf0 } })).toEqual([2, 3]);
    expect(await places({ mark: { value: 0, mask: 1 } })).toEqual([0, 2, 4, 6]);
    expect(await places({ mark: { value: 0x8000_0000, mask: 0x8000_0000 } })).toEqual([4, 5]);
    expect(await places({ mark: { value: 0, mask: 0xffff_ffff } })).toEqual([0, 6]);
    expect(await places({ mark: { value: 0, mask: 0 } })).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('match under two masks at once', async () => {
    const low: Filter = { mark: { value: 1, mask: 1 } };
    const high: Filter = { mark: { value: 0x10, mask: 0x10 } };
    expect(await places({ and: [low, high] })).toEqual([3, 5]);
    expect(await places({ and: [low, { not: high }] })).toEqual([1]);
    expect(await places({ mark: 1, and: [{ mark: 0 }] })).toEqual([]);
  });

  test('match under a mask and "not"', async () => {
    expect(await places({ not: { mark: { value: 0x10, mask: 0xf0 } } })).toEqual([0, 1, 4, 5, 6]);
    expect(await places({ not: { mark: { value: 0, mask: 0 } } })).toEqual([]);
    const high: Filter = { mark: { value: 0x8000_0000, mask: 0x8000_0000 } };
    expect(await places({ not: high })).toEqual([0, 1, 2, 3, 6]);
    expect(await places({ ...high, not: { mark: 0xffff_ffff } })).toEqual([4]);
    expect(await places({ mark: 0, not: { mark: { value: 0, mask: 1 } } })).toEqual([]);
  });

  test('without a bit to look at are no filter to delete or update by', async () => {
    const none: Filter = { mark: { value: 0, mask: 0 } };
    const all: Filter[] = [none, { ...none, and: [none, {}] }, { or: [{ mark: 1 }, none] }];
    for (const filter of all) {
      await expect(ct.deleteWhere(filter)).rejects.toThrow(/^filter matches every flow/);
      await expect(ct.updateWhere(filter, { mark: 9 })).rejects.toThrow(/^filter matches every/);
    }
    expect(await places({ not: { mark: 9 } })).toHaveLength(7);
    expect(await ct.deleteWhere({ ...none, mark: 1 })).toMatchObject({ deleted: 1 });
    expect(await ct.deleteWhere({ ...none, not: none })).toMatchObject({ deleted: 0 });
  });

  // The kernel flips the bits of the mark that such a value has.
  test('with bits outside of their mask are refused', () => {
    expect(() => ct.flows({ mark: { value: 0xff, mask: 0xf0 } })).toThrow(RangeError);
  });
});

describe('status bits', () => {
  const [SEEN_REPLY, ASSURED, FIXED_TIMEOUT] = [2, 4, 0x400];

  beforeEach(() => {
    make(
      {},
      { status: SEEN_REPLY },
      { status: SEEN_REPLY | ASSURED },
      { status: FIXED_TIMEOUT },
      { natSrc: '10.9.9.9' },
      { natDst: '10.9.9.8' },
      { natSrc: '10.9.9.7', natDst: '10.9.9.6', status: SEEN_REPLY },
      { natSrc: 'fd00::99', ends: V6 },
    );
  });

  test('match set, clear, and any of them', async () => {
    expect(await places({ status: { all: 'seenReply' } })).toEqual([1, 2, 6]);
    expect(await places({ status: { all: ['seenReply', 'assured'] } })).toEqual([2]);
    expect(await places({ status: { none: 'seenReply' } })).toEqual([0, 3, 4, 5, 7]);
    expect(await places({ status: { none: ['seenReply', 'SRC_NAT'] } })).toEqual([0, 3, 5]);
    expect(await places({ status: { any: ['assured', 'fixedTimeout'] } })).toEqual([2, 3]);
    expect(await places({ status: { all: 'seenReply', none: 'assured' } })).toEqual([1, 6]);
    expect(await places({ status: { all: 'seenReply', none: 'seenReply' } })).toEqual([]);
    expect(await places({ status: { any: 0xffff_0000 } })).toEqual([]);
    expect(await places({ status: { none: 0xffff_0000, all: 'assured' } })).toEqual([2]);
    expect(await places({ status: { all: 0x8000_0000 } })).toEqual([]);
    expect(await places({ status: { any: 0 } })).toEqual([]);
    expect(await places({ status: { all: 0 } })).toHaveLength(8);
  });

  test('of NAT match by either end', async () => {
    expect(await places({ nat: 'src' })).toEqual([4, 6, 7]);
    expect(await places({ nat: 'dst' })).toEqual([5, 6]);
    expect(await places({ nat: 'any' })).toEqual([4, 5, 6, 7]);
    expect(await places({ nat: 'none' })).toEqual([0, 1, 2, 3]);
    expect(await places({ nat: 'none', status: { all: 'srcNat' } })).toEqual([]);
    expect(await places({ nat: 'src', status: { none: 'dstNat' } })).toEqual([4, 7]);
    expect(await places({ reply: { dst: '10.9.9.9' } })).toEqual([4]);
    expect(await places({ address: ['10.9.9.6', 'fd00::99'] })).toEqual([6, 7]);
    expect(await places({ nat: 'any', address: '10.9.9.0/24', orig: { src: '10.0.0.1' } })).toEqual(
      [4, 5, 6],
    );
  });
});

describe('what a flow has no value for', () => {
  test('matches nothing but not', async () => {
    make(
      { protonum: 6, helper: 'ftp', labels: [1, 40] },
      { protonum: 6 },
      { protonum: 132, state: 3 },
    );
    expect(await places({ helper: 'ftp' })).toEqual([0]);
    expect(await places({ not: { helper: 'ftp' } })).toEqual([1, 2]);
    expect(await places({ labels: [1, 40] })).toEqual([0]);
    expect(await places({ labels: [1, 41] })).toEqual([]);
    expect(await places({ not: { labels: 41 } })).toEqual([0, 1, 2]);
    expect(await places({ bytes: [0, Infinity] })).toEqual([]);
    expect(await places({ not: { packets: 0 } })).toEqual([0, 1, 2]);
    expect(await places({ state: 'NONE' })).toEqual([0, 1]);
    expect(await places({ state: 'COOKIE_ECHOED' })).toEqual([2]);
    expect(await places({ not: { state: ['none', 'cookie_echoed'] } })).toEqual([]);
  });

  test('counts as absent in a sum', async () => {
    make({});
    namespace.sysctl('nf_conntrack_acct', 1);
    make({ sport: 1 });
    expect(await places({ packets: 0 })).toEqual([1]);
    expect(await places({ orig: { bytes: [0, Infinity] } })).toEqual([1]);
    expect(await places({ not: { bytes: [0n, 2n ** 64n - 1n] } })).toEqual([0]);
  });
});

function sendDatagram(src = '127.0.0.1', dst = '127.0.0.2'): void {
  const datagram = udpDatagram({ src, dst, sport: 1000, dport: 53, payload: Buffer.alloc(100) });
  sendPacket(namespace, Protonum.udp, dst, datagram, src.includes(':') ? {} : { src });
}

describe('a listing that zeroes counters', () => {
  async function counted(): Promise<Record<string, number | undefined>> {
    const flows = await list({ protocol: 'udp' });
    return Object.fromEntries(flows.map(({ family, orig }) => [family, orig.packets]));
  }

  test('zeroes those of the family alone', async () => {
    namespace.sysctl('nf_conntrack_acct', 1);
    sendDatagram();
    sendDatagram('::1', '::1');
    expect(await counted()).toEqual({ ipv4: 1, ipv6: 1 });
    const zeroed = await ct.flows({ family: 'ipv4' }, { zeroCounters: true }).toArray();
    expect(zeroed.filter(({ protocol }) => protocol === 'udp')).toHaveLength(1);
    expect(await counted()).toEqual({ ipv4: 0, ipv6: 1 });
  });

  // The kernel zeroes what it lists: what it can not leave out itself would be zeroed, too.
  test.each<Filter>([
    { protocol: 'tcp' },
    { protocol: 'sctp', orig: { dport: 80 } },
    { orig: { src: 'fd00::1' } },
    { mark: { value: 0, mask: 0 } },
    { family: 'ipv4', zone: 0 },
    { family: 'ipv4', not: { mark: 1 } },
    { or: [] },
  ])('is refused with %j', (filter) => {
    expect(() => ct.flows(filter, { zeroCounters: true })).toThrow(TypeError);
  });
});

describe('other tables', () => {
  test('are filtered natively, and explain() says so', async () => {
    make({});
    for (const table of ['dying', 'unconfirmed'] as const) {
      const flows = ct.flows({ protocol: 'udp' }, { table });
      expect(await flows.toArray()).toEqual([]);
      expect(flows.explain()).toMatchObject({ kernel: [], native: ['protocol udp'] });
    }
  });
});

describe('events, whose filters the kernel runs on the socket', () => {
  /** The events of `types` that a filter lets through of what `body` does; `count` is of all. */
  async function tell(filter: Filter, count: number, body: () => void): Promise<FlowData[]> {
    const all = await Listener.open(ct, undefined, ['new']);
    const some = await Listener.open(ct, filter, ['new']);
    try {
      body();
      await all.settle(() => count);
      expect(all.told).toHaveLength(count);
      const wanted = all.told.filter(({ flow }) => matchesReference(flow, filter));
      await some.settle(() => wanted.length);
      expect(some.told).toEqual(wanted);
      return some.told.map(({ flow }) => flow);
    } finally {
      all.close();
      some.close();
    }
  }

  async function tellPlaces(filter: Filter, ...flows: Given[]): Promise<number[]> {
    const told = await tell(filter, flows.length, () => {
      make(...flows);
    });
    flush();
    return told.map(place).toSorted((a, b) => a - b);
  }

  // Filters of libnetfilter_conntrack lose addresses beyond the 85th, and the kernel has 4096 instructions.
  test.each([1, 2, 85, 86, 127, 128, 255, 256, 257, 1400])(
    'of %i addresses, none of which may be lost',
    async (count) => {
      const src = Array.from({ length: count }, (_, index) => syntheticTuple(2 * index).src);
      const told = await tell({ orig: { src } }, 2 * count, () => {
        namespace.run(() => testing.fill({ count: 2 * count }));
      });
      expect(told.map(({ orig }) => orig.src)).toEqual(src);
    },
  );

  test.each([1, 20, 21, 300])('of %i addresses of IPv6', async (count) => {
    const src = Array.from({ length: count }, (_, index) => syntheticTuple(2 * index, 6).src);
    const told = await tell({ orig: { src } }, 2 * count, () => {
      namespace.run(() => testing.fill({ count: 2 * count, family: 6 }));
    });
    expect(told.map(({ orig }) => orig.src)).toEqual(src);
  });

  test('of IPv6 addresses with different beginnings', async () => {
    const ends = ['fd00::1', 'fe00::1', 'fd00:0:1::1', 'fd00::1:0:0:1'].map((src): Ends => [
      src,
      'fd00::9',
    ]);
    const flows = ends.map((each): Given => ({ ends: each }));
    expect(await tellPlaces({ orig: { src: ['fe00::1', 'fd00::1:0:0:1'] } }, ...flows)).toEqual([
      1, 3,
    ]);
    expect(await tellPlaces({ orig: { src: 'fd00::/64' } }, ...flows)).toEqual([0, 3]);
  });

  test('of more conditions than a socket takes', async () => {
    const odd = Array.from({ length: 256 }, (_, index) => 2 * index + 1);
    const sides = { sport: odd, dport: odd };
    const src = Array.from({ length: 256 }, (_, index) => `10.0.0.${index}/32`).filter(
      (_, at) => at % 2,
    );
    const networks = Array.from(
      { length: 256 },
      (_, index) => `10.${index}.0.0/${index % 2 ? 16 : 32}`,
    );
    const filter: Filter = {
      orig: { ...sides, src: networks },
      reply: { ...sides, dst: networks },
      and: [{ orig: { ...sides, src } }, { reply: sides }, { orig: sides }],
    };
    const [inside, outside]: Ends[] = [
      ['10.1.0.1', '10.0.0.2'],
      ['10.2.0.1', '10.0.0.2'],
    ];
    const given: Given[] = [inside!, outside!].map((ends) => ({ ends, sport: 1, dport: 3 }));
    expect(await tellPlaces(filter, ...given)).toEqual([]);
    const rest = { ...filter, and: [] };
    expect(await tellPlaces(rest, ...given)).toEqual([1]);
  });

  test('that a socket has no memory for are matched all the same', async () => {
    const odd = Array.from({ length: 256 }, (_, index) => 2 * index + 1);
    const before = namespace.sysctl('net.core.optmem_max');
    namespace.sysctl('net.core.optmem_max', 1000);
    const events = await ct.events({ protocol: 'tcp', orig: { dport: odd } }, { types: ['new'] });
    namespace.sysctl('net.core.optmem_max', before);
    try {
      make(...[1, 2, 3, 513].map((dport): Given => ({ protonum: 6, dport })));
      // All of them come, so that the kernel has left out none.
      await waitFor('four events', () => events.statistics().received === 4);
      expect(events.statistics()).toMatchObject({ filtered: 2, queued: 2 });
    } finally {
      events.close();
    }
  });

  test('of one family leave out the other', async () => {
    const flows: Given[] = [{}, { ends: V6 }, { protonum: 6 }, { protonum: 6, ends: V6 }];
    expect(await tellPlaces({ orig: { src: '0.0.0.0/0' } }, ...flows)).toEqual([0, 2]);
    expect(await tellPlaces({ reply: { src: '::/0' } }, ...flows)).toEqual([1, 3]);
    expect(await tellPlaces({ family: 'ipv4', protocol: 'tcp' }, ...flows)).toEqual([2]);
    expect(await tellPlaces({ orig: { src: ['10.0.0.1', 'fd00::1'] } }, ...flows)).toEqual([
      0, 1, 2, 3,
    ]);
    expect(await tellPlaces({ family: 'ipv6', orig: { src: '10.0.0.1' } }, ...flows)).toEqual([]);
    expect(await tellPlaces({ and: [{ family: 'ipv4' }, { family: 'ipv6' }] }, ...flows)).toEqual(
      [],
    );
    expect(await tellPlaces({ address: ['10.0.0.2', 'fd00::2'] }, ...flows)).toEqual([0, 1, 2, 3]);
  });

  test('of ports leave out what has none, and the keys of GRE', async () => {
    const flows: Given[] = [
      { protonum: 132 },
      { protonum: 136, dport: 65535 },
      { protonum: 47 },
      { protonum: 1, icmpType: 8 },
      { protonum: 6, dport: 0 },
    ];
    expect(await tellPlaces({ orig: { dport: [0, Infinity] } }, ...flows)).toEqual([0, 1, 4]);
    expect(await tellPlaces({ orig: { dport: 65535 } }, ...flows)).toEqual([1]);
    expect(await tellPlaces({ reply: { sport: 0 } }, ...flows)).toEqual([4]);
    expect(await tellPlaces({ orig: { dport: [0, 80, 80] } }, ...flows)).toEqual([0, 4]);
    expect(await tellPlaces({ orig: { dstkey: 80 } }, ...flows)).toEqual([2]);
    expect(await tellPlaces({ not: { orig: { dport: [0, Infinity] } } }, ...flows)).toEqual([2, 3]);
    expect(await tellPlaces({ protocol: ['icmp', 'gre'] }, ...flows)).toEqual([2, 3]);
    expect(await tellPlaces({ protocol: [] }, ...flows)).toEqual([]);
  });

  test('of what the message lacks match nothing but not', async () => {
    const flows: Given[] = [{}, { mark: 1 }, { zone: 5 }, { origZone: 5 }, { mark: 1, zone: 5 }];
    expect(await tellPlaces({ mark: 1 }, ...flows)).toEqual([1, 4]);
    // That of a request does say it, that of a packet does not.
    expect(await tellPlaces({ mark: 0 }, ...flows)).toEqual([0, 2, 3]);
    expect(await tell({ mark: 0 }, 1, sendDatagram)).toEqual([]);
    flush();
    expect(await tell({ not: { mark: 0 } }, 1, sendDatagram)).toHaveLength(1);
    expect(await tellPlaces({ not: { mark: 1 } }, ...flows)).toEqual([0, 2, 3]);
    expect(await tellPlaces({ zone: 0 }, ...flows)).toEqual([0, 1, 3]);
    expect(await tellPlaces({ zone: 5 }, ...flows)).toEqual([2, 4]);
    expect(await tellPlaces({ orig: { zone: 5 } }, ...flows)).toEqual([3]);
    expect(await tellPlaces({ bytes: [0, Infinity] }, ...flows)).toEqual([]);
  });
});

describe('the probe', () => {
  const flagsOf = (bits: number): Buffer => {
    const octets = Buffer.alloc(4);
    octets.writeUInt32LE(bits);
    return nest(Cta.filter, attribute(1, octets));
  };

  /** The places that the kernel itself finds by CTA_FILTER. */
  function ask(
    family: number,
    { ends = V4, protonum = 17, dport = 80 }: Given,
    bits: number,
  ): number[] {
    const [src, dst] = ends;
    const attributes = [tuple(Cta.tupleOrig, { src, dst, protonum, dport }), flagsOf(bits)];
    const capture = namespace.run(() => new testing.NetlinkCapture());
    try {
      const found = capture.dump(MessageType.ctGet, family, Buffer.concat(attributes));
      return found.map((each) => testing.oraclePeek(each).orig_port_src!).toSorted();
    } finally {
      capture.close();
    }
  }

  test('finds of this kernel what it does', async () => {
    const [SRC, PORT] = [1, 8 | 0x20];
    make(
      { protonum: 132 },
      { protonum: 132, dport: 81 },
      { ends: V6 },
      { ends: ['fd00::3', 'fd00::2'] },
      {},
      { ends: ['10.0.0.3', '10.0.0.2'], dport: 81 },
    );
    const facts = await probe();
    const exact = (found: number[], ...wanted: number[]): boolean => found.join() === wanted.join();
    expect(facts).toMatchObject({
      ipv4Addresses: exact(ask(2, { ends: ['10.0.0.3', '10.0.0.2'] }, SRC), 5),
      ipv6Addresses: exact(ask(10, { ends: V6 }, SRC), 2),
      ports: exact(ask(2, {}, PORT), 4),
      sctpPorts: exact(ask(2, { protonum: 132 }, PORT), 0),
    });
  });

  test('is done once, and touches no table of ours', async () => {
    make({}, { ends: V6 });
    const listener = await Listener.open(ct);
    expect(await probe()).toEqual(await probe());
    make({ sport: 7 });
    await listener.settle(() => 1);
    expect(listener.told.map(({ flow }) => place(flow))).toEqual([7]);
    listener.close();
  });

  test('leaves filters as they are', async () => {
    make({ ends: V6 }, { ends: ['fd00::3', 'fd00::2'] }, {});
    await probe();
    expect(await places({ orig: { src: 'fd00::1' } })).toEqual([0]);
    expect(await places({ protocol: 'udp', orig: { dport: 80, src: '10.0.0.1' } })).toEqual([2]);
  });
});

describe('one socket for each purpose', () => {
  test('the filter of a subscription leaves listings alone', async () => {
    const events = await ct.events({ protocol: 'sctp' });
    make({}, { ends: V6 }, { protonum: 6 });
    expect(await places()).toEqual([0, 1, 2]);
    expect(await places({ protocol: 'tcp' })).toEqual([2]);
    events.close();
  });

  test('listings with different filters at a time do not mix', async () => {
    make(...Array.from({ length: 64 }, (_, mark) => ({ mark })));
    const filters = Array.from({ length: 64 }, (_, mark): Filter => ({ mark }));
    const found = await Promise.all(filters.map((filter) => places(filter)));
    expect(found).toEqual(filters.map((_, mark) => [mark]));
  });
});

describe('long lists', () => {
  test('of 100 000 addresses find the flows that are in them', async () => {
    namespace.run(() => testing.fill({ count: 2000 }));
    namespace.run(() => testing.fill({ count: 2000, family: 6 }));
    // Every other one, so that no two of them become a range.
    const ipv4 = Array.from({ length: 50_000 }, (_, at) => 2 * at).map(
      (at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`,
    );
    const ipv6 = Array.from({ length: 50_000 }, (_, at) => (2 * at + 1).toString(16)).map(
      (hex) => `fd00::${hex.slice(0, -4) || '0'}:${hex.slice(-4)}`,
    );
    const filter: Filter = { orig: { src: [...ipv4, ...ipv6] } };
    const found = (await list(filter)).map(({ orig }) => orig.src!);
    expect(found).toHaveLength(2000);
    const last = (address: string): number => parseInt(address.slice(-1), 16);
    expect(found.every((src) => last(src) % 2 === (src.includes(':') ? 1 : 0))).toBe(true);
    expect(await ct.flows({ not: filter }).count()).toBe(2000);
    expect(await ct.flows({ and: [filter, { not: filter }] }).count()).toBe(0);
  });
});
