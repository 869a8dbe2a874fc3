/** Random messages: every attribute that libnetfilter_conntrack and the kernel know. */
import fc from 'fast-check';

import {
  attribute,
  be16,
  be32,
  be64,
  Cta,
  Family,
  message,
  MessageType,
  nest,
  payload,
  text,
  u8,
} from './ctnetlink';
import { Protonum } from './packets';

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

/** A message of this family about a flow of this protocol; its own members in any order, and any of them. */
export function flowMessage(family: number, protonum: number): Part {
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

/** CTA_EXPECT_* */
const EXPECT = {
  ...{ master: 1, tuple: 2, mask: 3, timeout: 4, id: 5, helpName: 6, zone: 7, flags: 8 },
  ...{ class: 9, nat: 10, fn: 11 },
} as const;

function expectedTuple(type: number, family: number, protonum: number): Part {
  return nested(type, all(ip(family), proto(protonum)));
}

/** A message of this family about an expectation of a flow of this protocol. */
export function expectationMessage(family: number, protonum: number): Part {
  const of = (type: number): Part => expectedTuple(type, family, protonum);
  const nat = nested(
    EXPECT.nat,
    all(
      fc.nat(1).map((dir) => be32(1, dir)),
      of(2),
    ),
  );
  const rest = some(
    part32(EXPECT.timeout),
    part32(EXPECT.id),
    partText(EXPECT.helpName, 15),
    part16(EXPECT.zone),
    fc.nat(7).map((flags) => be32(EXPECT.flags, flags)),
    part32(EXPECT.class),
    partText(EXPECT.fn, 20),
    nat,
  );
  // The kernel sends all three of each.
  const tuples = [EXPECT.master, EXPECT.tuple, EXPECT.mask].map(of);
  return all(...tuples, rest).map((octets) =>
    message(payload(family, octets), { type: MessageType.expNew }),
  );
}

/** Attributes of any kind, nested as they please, which no kernel sends. */
export const ANY_ATTRIBUTES: fc.Arbitrary<Buffer> = fc.letrec<{ attributes: Buffer; one: Buffer }>(
  (tie) => ({
    attributes: fc.array(tie('one'), { maxLength: 5 }).map((list) => Buffer.concat(list)),
    one: fc.oneof(
      { maxDepth: 4 },
      fc
        .tuple(fc.integer({ min: 0, max: 30 }), fc.uint8Array({ maxLength: 24 }))
        .map(([type, bytes]) => attribute(type, bytes)),
      fc
        .tuple(fc.integer({ min: 0, max: 30 }), tie('attributes'))
        .map(([type, inner]) => nest(type, inner)),
    ),
  }),
).attributes;
