import fc from 'fast-check';

import { flowAt } from '../../lib/batch';
import { FlowColumns } from '../../lib/columns';
import type { Flow } from '../../lib/flow';
import { Records } from '../../lib/records';
import { ANY_ATTRIBUTES } from '../support/arbitrary-message';
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
  tuple,
  u8,
} from '../support/ctnetlink';
import { testing } from '../support/testing';

interface DecodedFlow {
  complete: boolean;
  flow: Flow;
  columns: FlowColumns;
}

function decode(octets: Uint8Array): DecodedFlow {
  const { complete, batch } = testing.decode(octets);
  const records = new Records(batch);
  return { complete, flow: flowAt(records, 0), columns: new FlowColumns(records) };
}

function decodeAttributes(...attributes: Uint8Array[]): DecodedFlow {
  return decode(message(payload(Family.ipv4, ...attributes)));
}

const ORIG = tuple(Cta.tupleOrig, {
  src: '10.0.0.1',
  dst: '10.0.0.2',
  protonum: 6,
  sport: 1234,
  dport: 80,
});

describe('attributes', () => {
  test('every attribute that a message about a flow may hold', () => {
    const { complete, flow } = decodeAttributes(
      ORIG,
      tuple(Cta.tupleReply, {
        src: '10.0.0.2',
        dst: '203.0.113.1',
        protonum: 6,
        sport: 80,
        dport: 61000,
        zone: 9,
      }),
      be32(Cta.status, 0x1e),
      nest(
        Cta.protoinfo,
        nest(
          1,
          u8(1, 3),
          u8(2, 7),
          u8(3, 8),
          attribute(4, Buffer.of(10, 11)),
          attribute(5, Buffer.of(12, 13)),
        ),
      ),
      nest(Cta.help, text(1, 'ftp'), attribute(2, Buffer.of(1, 2, 3))),
      be32(Cta.timeout, 431_999),
      be32(Cta.mark, 0xffff_ffff),
      nest(Cta.countersOrig, be64(1, 5n), be64(2, 2n ** 53n - 1n)),
      nest(Cta.countersReply, be64(1, 6n), be64(2, 700n)),
      be32(Cta.use, 2),
      be32(Cta.id, 0xdead_beef),
      tuple(Cta.tupleMaster, {
        src: '10.0.0.1',
        dst: '10.0.0.2',
        protonum: 6,
        sport: 40_000,
        dport: 21,
      }),
      nest(Cta.seqAdjOrig, be32(1, 100), be32(2, -3), be32(3, 4)),
      nest(Cta.seqAdjReply, be32(1, 200), be32(2, 5), be32(3, -6)),
      be32(Cta.secmark, 17),
      be16(Cta.zone, 5),
      nest(Cta.secctx, text(1, 'system_u:object_r:x')),
      nest(Cta.timestamp, be64(1, 1_700_000_000_000_000_000n), be64(2, 1_700_000_001_500_000_000n)),
      attribute(Cta.labels, Buffer.of(1, 0, 0, 0, 0, 0, 0, 0x80)),
      nest(Cta.synproxy, be32(1, 11), be32(2, 12), be32(3, 13)),
      be64(Cta.timestampEvent, 1_700_000_002_000_000_000n),
    );
    expect(complete).toBe(true);
    expect(flow.toJSON()).toEqual({
      family: 'ipv4',
      protocol: 'tcp',
      protonum: 6,
      state: 'ESTABLISHED',
      orig: {
        src: '10.0.0.1',
        dst: '10.0.0.2',
        sport: 1234,
        dport: 80,
        packets: 5,
        bytes: Number.MAX_SAFE_INTEGER,
      },
      reply: {
        src: '10.0.0.2',
        dst: '203.0.113.1',
        sport: 80,
        dport: 61_000,
        zone: 9,
        packets: 6,
        bytes: 700,
      },
      zone: 5,
      id: 0xdead_beef,
      status: 0x1e,
      statusFlags: ['SEEN_REPLY', 'ASSURED', 'CONFIRMED', 'SRC_NAT'],
      timeout: 431_999,
      mark: 0xffff_ffff,
      secmark: 17,
      secctx: 'system_u:object_r:x',
      use: 2,
      labels: [0, 63],
      helper: 'ftp',
      helperInfo: '010203',
      master: { src: '10.0.0.1', dst: '10.0.0.2', sport: 40_000, dport: 21 },
      timestamps: { start: 1_700_000_000_000, stop: 1_700_000_001_500 },
      tcp: {
        state: 'ESTABLISHED',
        origWindowScale: 7,
        replyWindowScale: 8,
        origFlags: { value: 10, mask: 11 },
        replyFlags: { value: 12, mask: 13 },
      },
      seqAdjust: {
        orig: { position: 100, offsetBefore: -3, offsetAfter: 4 },
        reply: { position: 200, offsetBefore: 5, offsetAfter: -6 },
      },
      synproxy: { isn: 11, its: 12, tsoff: 13 },
    });
  });

  test('what did not come is undefined, what came as 0 is 0', () => {
    const absent = decodeAttributes(ORIG).flow;
    const zero = decodeAttributes(ORIG, be32(Cta.mark, 0), be32(Cta.timeout, 0)).flow;
    expect([absent.mark, absent.timeout, absent.orig.packets, absent.labels]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect([zero.mark, zero.timeout]).toEqual([0, 0]);
  });

  test('SCTP and DCCP', () => {
    const sctp = nest(Cta.protoinfo, nest(3, u8(1, 4), be32(2, 0xfeed_f00d), be32(3, 1)));
    expect(decodeAttributes(sctp).flow.sctp).toEqual({
      state: 'ESTABLISHED',
      origVtag: 0xfeed_f00d,
      replyVtag: 1,
    });
    const dccp = nest(Cta.protoinfo, nest(2, u8(1, 4), u8(2, 1), be64(3, 2n ** 48n - 1n)));
    expect(decodeAttributes(dccp).flow.dccp).toEqual({
      state: 'OPEN',
      role: 1,
      handshakeSeq: 2 ** 48 - 1,
    });
  });

  test('a state that is newer than the library is a number', () => {
    expect(decodeAttributes(nest(Cta.protoinfo, nest(1, u8(1, 99)))).flow.state).toBe('99');
  });

  test('32-bit counters of old kernels', () => {
    const { flow } = decodeAttributes(nest(Cta.countersOrig, be32(3, 7), be32(4, 0xffff_ffff)));
    expect([flow.orig.packets, flow.orig.bytes]).toEqual([7, 0xffff_ffff]);
  });

  test('IPv6, ICMPv6 and GRE', () => {
    const v6 = payload(
      Family.ipv6,
      tuple(Cta.tupleOrig, {
        src: '2001:db8::1',
        dst: 'fe80::2',
        protonum: 58,
        icmpType: 128,
        icmpCode: 0,
        icmpId: 4711,
      }),
    );
    const { flow } = decode(message(v6));
    expect(flow.orig.toJSON()).toEqual({
      src: '2001:db8::1',
      dst: 'fe80::2',
      icmpType: 128,
      icmpCode: 0,
      icmpId: 4711,
    });
    const gre = decodeAttributes(
      tuple(Cta.tupleOrig, { src: '1.1.1.1', dst: '2.2.2.2', protonum: 47, sport: 0, dport: 513 }),
    );
    expect(gre.flow.orig.toJSON()).toEqual({
      src: '1.1.1.1',
      dst: '2.2.2.2',
      srckey: 0,
      dstkey: 513,
    });
  });

  test('counters and times are exact in the columns', () => {
    const max = 2n ** 64n - 1n;
    const { columns } = decodeAttributes(
      nest(Cta.countersOrig, be64(1, max), be64(2, 2n ** 53n + 1n)),
      nest(Cta.timestamp, be64(1, 1_700_000_000_123_456_789n)),
    );
    expect(columns.origPackets[0]).toBe(max);
    expect(columns.origBytes[0]).toBe(2n ** 53n + 1n);
    expect(columns.timestampStart[0]).toBe(1_700_000_000_123_456_789n);
  });

  test('addresses of another family than the message are left out', () => {
    const { complete, flow } = decode(
      message(
        payload(
          Family.ipv4,
          tuple(Cta.tupleOrig, { src: '2001:db8::1', dst: '2001:db8::2', protonum: 17 }),
        ),
      ),
    );
    expect([complete, flow.orig.src, flow.orig.dst]).toEqual([true, undefined, undefined]);
  });
});

describe('messages that no kernel should send', () => {
  test('attributes that are too short are left out, the rest is read', () => {
    const { complete, flow } = decodeAttributes(
      attribute(Cta.status, Buffer.of(1, 2, 3)),
      attribute(Cta.mark, Buffer.alloc(0)),
      attribute(Cta.zone, Buffer.of(1)),
      nest(Cta.countersOrig, attribute(1, Buffer.alloc(7))),
      nest(Cta.timestamp, attribute(1, Buffer.alloc(4))),
      nest(Cta.synproxy, be32(1, 1), be32(2, 2)),
      be32(Cta.timeout, 30),
    );
    expect(complete).toBe(true);
    expect(flow.toJSON()).toEqual({
      family: 'ipv4',
      protocol: '0',
      protonum: 0,
      orig: {},
      reply: {},
      zone: 0,
      id: 0,
      status: 0,
      statusFlags: [],
      timeout: 30,
    });
  });

  test('a message without an nfgenmsg is not complete', () => {
    expect(decode(message(Buffer.alloc(3))).complete).toBe(false);
  });

  test('an attribute that claims more than is there ends the message', () => {
    const lying = be32(Cta.timeout, 30);
    lying.writeUInt16LE(200, 0);
    const { complete, flow } = decodeAttributes(be32(Cta.mark, 7), lying);
    expect([complete, flow.mark, flow.timeout]).toEqual([false, 7, undefined]);
  });

  test('a nest that is cut short keeps what stood before the cut', () => {
    const whole = nest(Cta.countersOrig, be64(1, 5n), be64(2, 6n));
    const cut = Buffer.from(whole.subarray(0, 20));
    cut.writeUInt16LE(20, 0);
    const { complete, flow } = decodeAttributes(cut);
    expect([complete, flow.orig.packets, flow.orig.bytes]).toEqual([true, 5, undefined]);
  });

  test.each([1, 2, 3])('a length that is not a multiple of four (%i bytes over)', (over) => {
    const body = payload(
      Family.ipv4,
      be32(Cta.timeout, 30),
      attribute(Cta.labels, Buffer.alloc(4 + over, 0xff)),
    );
    // The last attribute without its padding, as ctnetlink sends it.
    const octets = message(body.subarray(0, 4 + 8 + 4 + 4 + over));
    const { complete, flow } = decode(octets);
    expect([complete, flow.timeout, flow.labels?.length]).toEqual([true, 30, 32]);
  });

  test('any bytes are decoded or refused, never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (body) => {
        decode(message(body)).flow.toJSON();
      }),
      { numRuns: 3000 },
    );
  });

  test('any nesting of any attributes is decoded or refused, never a crash', () => {
    fc.assert(
      fc.property(ANY_ATTRIBUTES, fc.constantFrom(2, 10, 0, 255), (body, family) => {
        const { complete, flow } = decode(message(payload(family, body)));
        expect(complete).toBe(true);
        flow.toJSON();
      }),
      { numRuns: 3000 },
    );
  });

  test('every prefix and every flipped byte of a real message', () => {
    const whole = message(
      payload(
        Family.ipv4,
        ORIG,
        be32(Cta.status, 14),
        nest(Cta.protoinfo, nest(1, u8(1, 3))),
        nest(Cta.help, text(1, 'ftp')),
        attribute(Cta.labels, Buffer.alloc(16, 1)),
      ),
    );
    for (let length = 16; length <= whole.length; length += 1) {
      const prefix = Buffer.from(whole.subarray(0, length));
      prefix.writeUInt32LE(length, 0);
      decode(prefix).flow.toJSON();
    }
    for (let at = 16; at < whole.length; at += 1) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ 0xff;
      decode(flipped).flow.toJSON();
    }
  });
});
