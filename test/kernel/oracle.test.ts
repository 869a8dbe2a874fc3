/** The library's decoder and libnetfilter_conntrack's on messages that no kernel here sends. */
import { existsSync } from 'node:fs';

import fc from 'fast-check';

import { Conntrack, type Flow } from '../../lib';
import { flowMessage } from '../support/arbitrary-message';
import { listByCli, type CliFlow } from '../support/cli';
import {
  attribute,
  be32,
  Cta,
  Family,
  message,
  nest,
  payload,
  text,
  tuple as encodedTuple,
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
