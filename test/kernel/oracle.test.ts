/** The library's decoder and libnetfilter_conntrack's on messages that no kernel here sends. */
import { existsSync } from 'node:fs';

import fc from 'fast-check';

import { Conntrack, type Flow } from '../../lib';
import { listByCli, type CliFlow } from '../support/cli';
import {
  attribute,
  be16,
  be32,
  be64,
  Cta,
  Family,
  message,
  nest,
  payload,
  text,
  tuple as encodedTuple,
  u8,
} from '../support/ctnetlink';
import { TestNamespace } from '../support/netns';
import {
  differences,
  flowOf,
  ORACLE_ATTRIBUTES,
  tableDifferences,
  type Attribute,
} from '../support/oracle';
import { Protonum } from '../support/packets';
import { Scenario } from '../support/scenario';
import { testing, type OraclePeek } from '../support/testing';
import { ping } from '../support/traffic';

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

/** Attributes of the nests, by the names of <linux/netfilter/nfnetlink_conntrack.h>. */
const TUPLE = { ip: 1, proto: 2, zone: 3 } as const;
const IP = { v4Src: 1, v4Dst: 2, v6Src: 3, v6Dst: 4 } as const;
const PROTO = { num: 1, srcPort: 2, dstPort: 3, icmp: 4, icmpv6: 7 } as const;
const PROTOINFO = { tcp: 1, dccp: 2, sctp: 3 } as const;

type Part = fc.Arbitrary<Buffer>;

const byte = fc.integer({ min: 0, max: 0xff });
const half = fc.integer({ min: 0, max: 0xffff });
const word = fc.integer({ min: 0, max: 0xffffffff });
const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const part8 = (type: number): Part => byte.map((value) => u8(type, value));
const part16 = (type: number): Part => half.map((value) => be16(type, value));
const part32 = (type: number): Part => word.map((value) => be32(type, value));
const part64 = (type: number): Part => wide.map((value) => be64(type, value));
const partOctets = (type: number, length: number): Part =>
  octets(length).map((value) => attribute(type, value));
const partText = (type: number, most: number): Part =>
  fc.stringMatching(/^[a-z0-9:_-]+$/, { maxLength: most }).map((value) => text(type, value));

/** All of the parts, in any order. */
const all = (...parts: Part[]): Part =>
  fc
    .tuple(...parts)
    .chain((chosen) => fc.shuffledSubarray(chosen, { minLength: chosen.length }))
    .map((chosen) => Buffer.concat(chosen));

const NOTHING = Buffer.alloc(0);
const optional = (part: Part): Part => fc.option(part, { nil: NOTHING });
/** Some of the parts, in any order. */
const some = (...parts: Part[]): Part => all(...parts.map(optional));

const nested = (type: number, content: Part): Part => content.map((members) => nest(type, members));

function helperInfo(): Part {
  return fc.integer({ min: 1, max: 128 }).chain((length) => partOctets(2, length));
}

/** Rich in zeros, and in addresses that embed an IPv4 one: those have their own spellings. */
const ipv6Groups = fc.oneof(
  fc.array(fc.oneof(fc.constant(0), half), { minLength: 8, maxLength: 8 }),
  fc
    .tuple(fc.constantFrom(0, 0xffff), half, half)
    .map(([sixth, high, low]) => [0, 0, 0, 0, 0, sixth, high, low]),
);

function partIpv6(type: number): Part {
  return ipv6Groups.map((groups) => {
    const hex = groups.map((group) => group.toString(16).padStart(4, '0')).join('');
    return attribute(type, Buffer.from(hex, 'hex'));
  });
}

function ip(family: number): Part {
  if (family === Family.ipv6) return nested(TUPLE.ip, all(partIpv6(IP.v6Src), partIpv6(IP.v6Dst)));
  return nested(TUPLE.ip, all(partOctets(IP.v4Src, 4), partOctets(IP.v4Dst, 4)));
}

function proto(protonum: number): Part {
  const num = fc.constant(u8(PROTO.num, protonum));
  if (protonum === Protonum.icmp || protonum === Protonum.icmpv6) {
    const id = protonum === Protonum.icmp ? PROTO.icmp : PROTO.icmpv6;
    return nested(TUPLE.proto, all(num, part16(id), part8(id + 1), part8(id + 2)));
  }
  if (protonum === Protonum.unknown) return nested(TUPLE.proto, num);
  return nested(TUPLE.proto, all(num, part16(PROTO.srcPort), part16(PROTO.dstPort)));
}

function tuple(type: number, family: number, protonum: number): Part {
  return nested(type, all(ip(family), proto(protonum), optional(part16(TUPLE.zone))));
}

function master(family: number): Part {
  const tcp = proto(Protonum.tcp);
  return nested(Cta.tupleMaster, all(ip(family), tcp));
}

const tcpInfo = nested(
  PROTOINFO.tcp,
  some(
    fc.integer({ min: 0, max: 9 }).map((state) => u8(1, state)),
    part8(2),
    part8(3),
    partOctets(4, 2),
    partOctets(5, 2),
  ),
);
/** 48 bits in a field of 64. */
const handshakeSeq = fc.bigInt({ min: 0n, max: 2n ** 48n - 1n }).map((value) => be64(3, value));
const dccpInfo = nested(
  PROTOINFO.dccp,
  some(
    fc.integer({ min: 0, max: 9 }).map((state) => u8(1, state)),
    fc.integer({ min: 0, max: 1 }).map((role) => u8(2, role)),
    handshakeSeq,
  ),
);
const sctpInfo = nested(
  PROTOINFO.sctp,
  some(
    fc.integer({ min: 0, max: 9 }).map((state) => u8(1, state)),
    part32(2),
    part32(3),
  ),
);

function protoinfo(protonum: number): Part {
  const contents: Record<number, Part> = {
    [Protonum.tcp]: tcpInfo,
    [Protonum.dccp]: dccpInfo,
    [Protonum.sctp]: sctpInfo,
  };
  const content = contents[protonum];
  return content === undefined ? fc.constant(NOTHING) : nested(Cta.protoinfo, content);
}

const triple = (type: number): Part => nested(type, all(part32(1), part32(2), part32(3)));
/** Of 64 bits, or of the 32 that kernels before 2.6.38 sent. */
const counters = (type: number): Part =>
  nested(type, fc.oneof(some(part64(1), part64(2)), some(part32(3), part32(4))));
/** The kernel sends no info without a name, and the oracle reads none. */
const help = nested(Cta.help, all(partText(1, 15), optional(helperInfo())));
const labels = (type: number): Part =>
  fc.integer({ min: 1, max: 4 }).chain((words) => partOctets(type, 4 * words));

function flowMessage(family: number, protonum: number): Part {
  const rest = some(
    part32(Cta.status),
    protoinfo(protonum),
    help,
    part32(Cta.timeout),
    part32(Cta.mark),
    counters(Cta.countersOrig),
    counters(Cta.countersReply),
    part32(Cta.use),
    part32(Cta.id),
    master(family),
    triple(Cta.seqAdjOrig),
    triple(Cta.seqAdjReply),
    part32(Cta.secmark),
    part16(Cta.zone),
    nested(Cta.secctx, partText(1, 200)),
    nested(Cta.timestamp, some(part64(1), part64(2))),
    labels(Cta.labels),
    triple(Cta.synproxy),
    part64(Cta.timestampEvent),
  );
  // Both tuples are in every message of the kernel; of a reply alone the oracle reads other members.
  const tuples = [Cta.tupleOrig, Cta.tupleReply].map((type) => tuple(type, family, protonum));
  return fc
    .tuple(all(...tuples, rest), word)
    .map(([octets, portid]) => message(payload(family, octets), { portid }));
}

const PROTOCOLS = Object.entries(Protonum);
const FAMILIES = [
  ['IPv4', Family.ipv4],
  ['IPv6', Family.ipv6],
] as const;

describe.each(FAMILIES)('any well-formed message of %s', (_, family) => {
  test.each(PROTOCOLS)('is read alike: %s', (__, protonum) => {
    fc.assert(
      fc.property(flowMessage(family, protonum), (octets) => {
        expect(differences(octets)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the comparison', () => {
  /** Attributes of requests, which the oracle does not read. */
  const NEVER_READ = ['snat_ipv4', 'dnat_ipv4', 'snat_port', 'dnat_port', 'snat_ipv6', 'dnat_ipv6'];

  const samples = FAMILIES.flatMap(([, family]) =>
    PROTOCOLS.flatMap(([, protonum]) =>
      fc.sample(flowMessage(family, protonum), { numRuns: 5, seed: 4711 }),
    ),
  ).map((octets) => ({ octets, peek: testing.oraclePeek(octets) }));

  /** Another value of the same kind; undefined where there is none. */
  function altered(value: OraclePeek[Attribute]): OraclePeek[Attribute] {
    switch (typeof value) {
      case 'number':
        return value ^ 1;
      case 'bigint':
        return value ^ 1n;
      case 'string':
        return `${value}x`;
      default:
        return alteredObject(value);
    }
  }

  function alteredObject(value: OraclePeek[Attribute]): OraclePeek[Attribute] {
    if (Array.isArray(value)) return [...value, 127];
    if (!Buffer.isBuffer(value)) return undefined;
    const other = Buffer.from(value);
    other[other.length - 1]! ^= 1;
    return other;
  }

  /** A peek that is wrong in one attribute: another value, none, or one that is not there. */
  function falsified(peek: OraclePeek, name: Attribute): OraclePeek[] {
    const { [name]: value, ...rest } = peek;
    if (value === undefined) return [{ ...peek, [name]: 1 }];
    const other = altered(value);
    return other === undefined ? [rest] : [rest, { ...peek, [name]: other }];
  }

  test('has met every attribute', () => {
    const met = new Set(samples.flatMap(({ peek }) => Object.keys(peek)));
    const missing = ORACLE_ATTRIBUTES.filter((name) => !met.has(name));
    expect(missing.sort()).toEqual([...NEVER_READ, 'connlabels_mask'].sort());
  });

  test.each(ORACLE_ATTRIBUTES)('notices a wrong %s', (name) => {
    for (const { octets, peek } of samples) {
      for (const wrong of falsified(peek, name)) {
        const [first] = differences(octets, wrong);
        expect(first).toMatch(new RegExp(`^${name}: `));
      }
    }
  });

  test('notices an attribute that is in no table, and a message that the oracle does not read', () => {
    const [{ octets, peek } = samples[0]!] = samples;
    expect(differences(octets, { ...peek, newer: 1 } as OraclePeek)).toEqual([
      'newer: not in the table',
    ]);
    expect(differences(octets, { abi: true })).toHaveLength(1);
  });

  test('notices a wrong field of a line of conntrack(8), a missing line and a missing flow', async () => {
    const namespace = TestNamespace.create();
    namespace.sysctl('nf_conntrack_timestamp', 1);
    namespace.run(() => testing.fill({ count: 2, zone: 3, mark: 5 }));
    await using ct = await Conntrack.open({ netns: namespace.path });
    const before = await ct.flows().toArray();
    const lines = listByCli(namespace);
    const after = await ct.flows().toArray();
    expect(tableDifferences(before, lines, after)).toEqual([]);

    const [line, other] = lines as [CliFlow, CliFlow];
    const wrong: Partial<CliFlow>[] = [
      { family: 'ipv6' },
      { l3num: 10 },
      { protocol: 'udp' },
      { protonum: 17 },
      { state: 'CLOSE' },
      { timeout: 3601 },
      { use: 9 },
      { flags: [] },
      { mark: 6 },
      { zone: 4 },
      { start: 0 },
      { id: 1 },
      { helper: 'ftp' },
      { orig: { ...line.orig, sport: 1 } },
      { reply: { ...line.reply, dst: '10.9.9.9' } },
      { reply: { ...line.reply, packets: 0n } },
    ];
    for (const fields of wrong) {
      const found = tableDifferences(before, [{ ...line, ...fields }, other], after);
      expect({ fields, found }).not.toMatchObject({ found: [] });
    }
    expect(tableDifferences(before, [line], after)).toHaveLength(1);
    expect(tableDifferences(before.slice(1), lines, after)).toHaveLength(1);
    const timeless = { ...line, deltaTime: undefined } as unknown as CliFlow;
    expect(tableDifferences(before, [timeless, other], after)).toHaveLength(1);
  });

  test('takes no silence for agreement', async () => {
    const scenario = await Scenario.open(TestNamespace.create());
    await expect(scenario.differences()).rejects.toThrow('no event was captured');
  });
});

describe('what the oracle does not show', () => {
  const ends = { src: '192.0.2.1', dst: '192.0.2.2' };
  const flowWith = (...attributes: Buffer[]): Flow => {
    const orig = encodedTuple(Cta.tupleOrig, {
      ...ends,
      protonum: Protonum.udp,
      sport: 1,
      dport: 2,
    });
    return flowOf(message(payload(Family.ipv4, orig, ...attributes)));
  };

  test('is the data of a user-space helper', () => {
    const info = Buffer.from('00017f80ff', 'hex');
    const flow = flowWith(nest(Cta.help, text(1, 'dns'), attribute(2, info)));
    expect(flow.helper).toBe('dns');
    expect(flow.helperInfo).toEqual(info);
    expect(flow.toJSON().helperInfo).toBe('00017f80ff');
  });

  test('is which way sequence numbers are shifted', () => {
    const flow = flowWith(nest(Cta.seqAdjReply, be32(1, 0xfffffffe), be32(2, 3), be32(3, -2)));
    const reply = { position: 0xfffffffe, offsetBefore: 3, offsetAfter: -2 };
    expect(flow.seqAdjust).toEqual({ reply });
  });

  test('are the ICMP members of the reply', () => {
    const icmp = { protonum: Protonum.icmp, icmpId: 7, icmpCode: 0 };
    const reply = { src: ends.dst, dst: ends.src };
    const octets = message(
      payload(
        Family.ipv4,
        encodedTuple(Cta.tupleOrig, { ...ends, ...icmp, icmpType: 8 }),
        encodedTuple(Cta.tupleReply, { ...reply, ...icmp, icmpType: 0 }),
      ),
    );
    const flow = flowOf(octets);
    expect(differences(octets)).toEqual([]);
    expect(flow.orig.toJSON()).toEqual({ ...ends, icmpType: 8, icmpCode: 0, icmpId: 7 });
    expect(flow.reply.toJSON()).toEqual({ ...reply, icmpType: 0, icmpCode: 0, icmpId: 7 });
  });
});

// No LSM maps a security mark here, so no kernel message of these tests has a context.
const selinux = existsSync('/sys/fs/selinux/enforce');
(selinux ? test : test.skip)('a flow has its security context (needs SELinux)', async () => {
  const namespace = TestNamespace.create();
  namespace.track();
  const scenario = await Scenario.open(namespace);
  namespace.nft(`table inet label {
    secmark tag { "system_u:object_r:unlabeled_t:s0" }
    chain out { type filter hook output priority 0; ct state new meta secmark set tag
      ct secmark set meta secmark; }
  }`);
  ping(namespace, '127.0.0.1', '127.0.0.1', 1);
  const flow = await scenario.flow(Protonum.icmp);
  expect(flow.secctx).toBe('system_u:object_r:unlabeled_t:s0');
  expect(await scenario.differences()).toEqual([]);
});
