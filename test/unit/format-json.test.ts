/** JSON from native code is what JSON.stringify() gives of the same object, byte for byte. */
import fc from 'fast-check';

import { format, type Flow } from '../../lib';
import { FlowBatch, recordsOf } from '../../lib/batch';
import { EventBatch } from '../../lib/event';
import { expectationAt } from '../../lib/expectation';
import { ExpectationEventBatch } from '../../lib/expectation-event';
import { formatBatch, formatEventBatch, formatExpectationEventBatch } from '../../lib/format';
import { ExpectationOffset, FlowHas, FlowOffset, GapOffset, Kind } from '../../lib/layout';
import { Records } from '../../lib/records';
import { ANY_ATTRIBUTES, expectationMessage, flowMessage } from '../support/arbitrary-message';
import { attribute, be64, Cta, Family, message, nest, payload } from '../support/ctnetlink';
import { Protonum } from '../support/packets';
import { testing } from '../support/testing';

const FAMILIES = [
  ['IPv4', Family.ipv4],
  ['IPv6', Family.ipv6],
] as const;
const PROTOCOLS = Object.entries(Protonum);

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function decoded(octets: Uint8Array): Records {
  return new Records(testing.decode(octets).batch);
}

function sameJson(octets: Uint8Array): void {
  const batch = new FlowBatch(decoded(octets));
  const flow = batch.at(0);
  const wanted = JSON.stringify(flow);
  expect(format.json(flow)).toBe(wanted);
  expect(text(formatBatch(batch, 'json'))).toBe(`${wanted}\n`);
}

/** A batch of one event: what the subscription's thread makes of a message. */
function eventBatch(octets: Uint8Array, kind: number, portid: number, time: bigint): EventBatch {
  const { batch } = testing.decode(octets);
  const view = new DataView(batch.buffer, batch.byteOffset);
  const start = new Records(batch).at(0);
  const presence = start + FlowOffset.presence;
  view.setUint8(start + FlowOffset.kind, kind);
  view.setUint32(start + FlowOffset.portid, portid, true);
  view.setBigUint64(start + FlowOffset.time, time, true);
  view.setUint32(presence, view.getUint32(presence, true) | FlowHas.time, true);
  return new EventBatch(new Records(batch));
}

const TIME = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_900_000_000_000_000_000n }),
  fc.constantFrom(0n, 1n, 999n, 1_000_000n, 1_700_000_000_000_000_000n),
);
const PORTID = fc.constantFrom(0, 1, 4711, 0xffff_ffff);

describe.each(FAMILIES)('any message of %s', (_, family) => {
  test.each(PROTOCOLS)('about a flow: %s', (__, protonum) => {
    fc.assert(fc.property(flowMessage(family, protonum), sameJson), { numRuns: 200 });
  });

  test.each(PROTOCOLS)('about an expectation: %s', (__, protonum) => {
    fc.assert(
      fc.property(expectationMessage(family, protonum), (octets) => {
        const records = new Records(testing.decodeExpectation(octets).batch);
        const wanted = JSON.stringify(expectationAt(records, 0));
        expect(format.json(expectationAt(records, 0))).toBe(wanted);
        expect(text(formatExpectationEventBatch(new ExpectationEventBatch(records), 'json'))).toBe(
          `${wanted}\n`,
        );
      }),
      { numRuns: 100 },
    );
  });

  test('about an event', () => {
    fc.assert(
      fc.property(
        flowMessage(family, Protonum.tcp),
        fc.constantFrom(Kind.new, Kind.update, Kind.destroy),
        PORTID,
        TIME,
        (octets, kind, portid, time) => {
          const batch = eventBatch(octets, kind, portid, time);
          const wanted = JSON.stringify(batch.at(0));
          expect(format.json(batch.at(0))).toBe(wanted);
          expect(text(formatEventBatch(batch, 'json'))).toBe(`${wanted}\n`);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('an event of an expectation', () => {
  fc.assert(
    fc.property(
      expectationMessage(Family.ipv4, Protonum.tcp),
      fc.constantFrom(Kind.expectationNew, Kind.expectationDestroy),
      PORTID,
      TIME,
      (octets, kind, portid, time) => {
        const { batch } = testing.decodeExpectation(octets);
        const view = new DataView(batch.buffer, batch.byteOffset);
        const start = new Records(batch).at(0);
        view.setUint8(start + ExpectationOffset.kind, kind);
        view.setUint32(start + ExpectationOffset.portid, portid, true);
        view.setBigUint64(start + ExpectationOffset.time, time, true);
        const events = new ExpectationEventBatch(new Records(batch));
        const wanted = JSON.stringify(events.at(0));
        expect(format.json(events.at(0))).toBe(wanted);
        expect(text(formatExpectationEventBatch(events, 'json'))).toBe(`${wanted}\n`);
      },
    ),
    { numRuns: 300 },
  );
});

test('messages that no kernel should send', () => {
  fc.assert(
    fc.property(ANY_ATTRIBUTES, fc.constantFrom(2, 10, 0, 255), (body, family) => {
      sameJson(message(payload(family, body)));
    }),
    { numRuns: 2000 },
  );
});

describe('text', () => {
  const CHARACTERS = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }).map((value) => Buffer.from(value)),
    fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value)),
    // Beginnings of characters, cut short anywhere, and what may not follow them.
    fc
      .array(
        fc.constantFrom(
          ...[0x22, 0x5c, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x1f, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0],
          ...[0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff],
        ),
        { maxLength: 12 },
      )
      .map((bytes) => Buffer.from(bytes)),
  );

  test('of any bytes is escaped as JSON.stringify() escapes it', () => {
    fc.assert(
      fc.property(CHARACTERS, CHARACTERS, (helper, secctx) => {
        sameJson(
          message(
            payload(
              Family.ipv4,
              nest(Cta.help, attribute(1, helper)),
              nest(Cta.secctx, attribute(1, secctx)),
            ),
          ),
        );
      }),
      { numRuns: 3000 },
    );
  });
});

describe('numbers', () => {
  const COUNTS = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 9n }),
    fc.constantFrom(0n, 10n ** 19n, 2n ** 64n - 1n, 123_456_789_012_345_680_000n % 2n ** 64n),
  );

  test('beyond 2^53 are the nearest double, as Flow has them', () => {
    fc.assert(
      fc.property(COUNTS, COUNTS, (packets, bytes) => {
        const counters = nest(Cta.countersOrig, be64(1, packets), be64(2, bytes));
        const dccp = nest(Cta.protoinfo, nest(2, be64(3, bytes)));
        sameJson(message(payload(Family.ipv4, counters, dccp)));
      }),
      { numRuns: 2000 },
    );
  });

  test('of times have all their digits', () => {
    fc.assert(
      fc.property(TIME, TIME, (start, stop) => {
        const times = nest(Cta.timestamp, be64(1, start), be64(2, stop));
        sameJson(message(payload(Family.ipv4, times)));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('gaps', () => {
  function gapBatch(
    reasons: number,
    counts: readonly bigint[],
    times: readonly bigint[],
  ): EventBatch {
    const batch = eventBatch(message(payload(Family.ipv4)), Kind.gap, 0, 0n);
    const records = recordsOf(batch);
    const { bytes } = records;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const start = records.at(0);
    view.setUint8(start + GapOffset.reasons, reasons);
    const places = [GapOffset.kernelDrops, GapOffset.queueDrops, GapOffset.malformed];
    for (const [index, place] of [...places, GapOffset.since, GapOffset.until].entries()) {
      view.setBigUint64(start + place, [...counts, ...times][index] ?? 0n, true);
    }
    return batch;
  }

  test('are objects between the others', () => {
    const count = fc.bigInt({ min: 0n, max: 2n ** 60n });
    fc.assert(
      fc.property(fc.nat(7), fc.tuple(count, count, count), fc.tuple(TIME, TIME), (...gap) => {
        const batch = gapBatch(...gap);
        const wanted = JSON.stringify(batch.at(0));
        expect(format.json(batch.at(0))).toBe(wanted);
        expect(text(formatEventBatch(batch, 'json'))).toBe(`${wanted}\n`);
      }),
      { numRuns: 300 },
    );
  });

  test.each(['line', 'xml', 'save'] as const)('are nothing in %s', (kind) => {
    const batch = gapBatch(1, [5n, 0n, 0n], [1n, 2n]);
    expect(formatEventBatch(batch, kind)).toHaveLength(0);
    expect(format[kind](batch.at(0))).toBe('');
  });
});

test('JSON is the same whatever options ask for', () => {
  const [octets] = fc.sample(flowMessage(Family.ipv4, Protonum.tcp), 1) as [Buffer];
  const batch = new FlowBatch(decoded(octets));
  const flow: Flow = batch.at(0);
  const options = { extended: true, id: true, timestamp: true, ktimestamp: true };
  expect(text(formatBatch(batch, 'json', options))).toBe(`${JSON.stringify(flow)}\n`);
});
