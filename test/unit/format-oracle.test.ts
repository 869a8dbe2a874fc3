/** Lines and XML of any message, held against what libnetfilter_conntrack 1.0.9 prints of it. */
import fc from 'fast-check';

import { format, type EventType, type FormatOptions, type LabelMap } from '../../lib';
import { FlowBatch } from '../../lib/batch';
import { expectationAt } from '../../lib/expectation';
import { ExpectationEventBatch } from '../../lib/expectation-event';
import { formatBatch, formatExpectationEventBatch } from '../../lib/format';
import { FlowOffset, Kind } from '../../lib/layout';
import { Records } from '../../lib/records';
import { expectationMessage, flowMessage } from '../support/arbitrary-message';
import { Family } from '../support/ctnetlink';
import { flowOf } from '../support/oracle';
import {
  LabelFile,
  oraclePrint,
  oraclePrintExpectation,
  type OracleKind,
  withinOneSecond,
} from '../support/oracle-print';
import { Protonum } from '../support/packets';
import { testing } from '../support/testing';

let file: LabelFile;
let labels: LabelMap;

beforeAll(async () => {
  file = new LabelFile();
  labels = await file.load();
});

afterAll(() => {
  file.remove();
});

type Type = EventType | 'flow';
const KINDS = { flow: Kind.flow, new: Kind.new, update: Kind.update, destroy: Kind.destroy };
const TYPES = Object.keys(KINDS) as Type[];

function single(kind: OracleKind, type: Type, octets: Buffer, options: FormatOptions): string {
  const flow = flowOf(octets);
  return format[kind](type === 'flow' ? flow : { type, flow, time: 0 }, options);
}

function batched(kind: OracleKind, type: Type, octets: Buffer, options: FormatOptions): string {
  const { batch } = testing.decode(octets);
  const records = new Records(batch);
  batch[records.at(0) + FlowOffset.kind] = KINDS[type];
  // The test's decoder notes a port id, which the oracle does not print.
  batch.fill(0, records.at(0) + FlowOffset.portid, records.at(0) + FlowOffset.portid + 4);
  return Buffer.from(formatBatch(new FlowBatch(records), kind, options)).toString();
}

function alike(kind: OracleKind, type: Type, octets: Buffer, asked: FormatOptions): void {
  const { theirs, ours, inBatch } = withinOneSecond((now) => {
    const theirs = oraclePrint(kind, type, octets, asked, file);
    const ours = single(kind, type, octets, { ...asked, now });
    const inBatch = batched(kind, type, octets, { ...asked, now });
    return { theirs, ours, inBatch };
  });
  expect(ours).toBe(theirs);
  expect(inBatch).toBe(`${theirs}\n`);
}

const OPTIONS = fc.record({
  extended: fc.boolean(),
  id: fc.boolean(),
  ktimestamp: fc.boolean(),
  labelled: fc.boolean(),
});

const FAMILIES = [
  ['IPv4', Family.ipv4],
  ['IPv6', Family.ipv6],
] as const;
const PROTOCOLS = Object.entries(Protonum);

describe.each(FAMILIES)('any well-formed message of %s', (_, family) => {
  test.each(PROTOCOLS)('is printed alike: %s', (__, protonum) => {
    fc.assert(
      fc.property(
        flowMessage(family, protonum),
        OPTIONS,
        fc.constantFrom(...TYPES),
        (octets, { labelled, ...rest }, type) => {
          const options = labelled ? { ...rest, labels } : rest;
          alike('line', type, octets, options);
          alike('xml', type, octets, options);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('the time of an event in XML', () => {
  const [octets] = fc.sample(flowMessage(Family.ipv4, Protonum.udp), 1) as [Buffer];
  const flow = flowOf(octets);
  const [ours, theirs] = withinOneSecond((now) => [
    format.xml({ type: 'new', flow, time: now }, { timestamp: true, now }),
    oraclePrint('xml', 'new', octets, { timestamp: true }),
  ]);
  expect(ours).toBe(theirs);
  expect(ours).toContain('<when>');
});

// Expectations ------------------------------------------------------------------------------------

function expectationLine(
  kind: OracleKind,
  type: Type,
  octets: Buffer,
  options: FormatOptions,
): string {
  const { batch } = testing.decodeExpectation(octets);
  const records = new Records(batch);
  const expectation = expectationAt(records, 0);
  if (type === 'flow') {
    const line = Buffer.from(
      formatExpectationEventBatch(new ExpectationEventBatch(records), kind, options),
    ).toString();
    expect(line).toBe(`${format[kind](expectation, options)}\n`);
    return format[kind](expectation, options);
  }
  const change = type === 'new' ? 'new' : 'destroy';
  return format[kind]({ type: change, expectation, time: options.now ?? 0 }, options);
}

describe.each(FAMILIES)('any expectation of %s', (_, family) => {
  test.each(PROTOCOLS)('is printed alike: %s', (__, protonum) => {
    fc.assert(
      fc.property(
        expectationMessage(family, protonum),
        fc.constantFrom<Type>('flow', 'new', 'destroy'),
        fc.boolean(),
        (octets, type, timestamp) => {
          for (const kind of ['line', 'xml'] as const) {
            const asked = { timestamp: timestamp && kind === 'xml' };
            const [ours, theirs] = withinOneSecond((now) => [
              expectationLine(kind, type, octets, { ...asked, now }),
              oraclePrintExpectation(kind, type, octets, asked),
            ]);
            expect(ours).toBe(theirs);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
