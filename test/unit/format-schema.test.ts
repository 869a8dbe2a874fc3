/** The JSON Schema of the package holds for whatever is printed, and for nothing else. */
import fc from 'fast-check';

import { format, type ConntrackEvent, type ExpectationEvent } from '../../lib';
import { flowAt } from '../../lib/batch';
import { expectationAt } from '../../lib/expectation';
import { Records } from '../../lib/records';
import { expectationMessage, flowMessage } from '../support/arbitrary-message';
import { Family } from '../support/ctnetlink';
import { Protonum } from '../support/packets';
import { schemaErrors, type Definition } from '../support/schema';
import { testing } from '../support/testing';

type Plain = Record<string, unknown>;

/** Of each family and protocol. */
function anyMessage(
  of: (family: number, protonum: number) => fc.Arbitrary<Buffer>,
): fc.Arbitrary<Buffer> {
  const kinds = [Family.ipv4, Family.ipv6].flatMap((family) =>
    Object.values(Protonum).map((protonum) => of(family, protonum)),
  );
  return fc.oneof(...kinds);
}

const FLOW = anyMessage(flowMessage).map((octets) =>
  flowAt(new Records(testing.decode(octets).batch), 0),
);
const EXPECTATION = anyMessage(expectationMessage).map((octets) =>
  expectationAt(new Records(testing.decodeExpectation(octets).batch), 0),
);
const TIME = fc.double({ min: 0, max: 2e12, noNaN: true });
const PORTID = fc.constantFrom<{ portid?: number }>({}, { portid: 1 }, { portid: 2 ** 32 - 1 });
const COUNT = fc.nat(Number.MAX_SAFE_INTEGER);

const EVENT: fc.Arbitrary<ConntrackEvent> = fc
  .tuple(fc.constantFrom('new', 'update', 'destroy'), FLOW, TIME, PORTID)
  .map(([type, flow, time, portid]) => ({ type, flow, time, ...portid }));
const EXPECTATION_EVENT: fc.Arbitrary<ExpectationEvent> = fc
  .tuple(fc.constantFrom('new', 'destroy'), EXPECTATION, TIME, PORTID)
  .map(([type, expectation, time, portid]) => ({ type, expectation, time, ...portid }));
const GAP: fc.Arbitrary<ConntrackEvent> = fc
  .tuple(fc.subarray(['overrun', 'queue', 'malformed'] as const), COUNT, COUNT, COUNT, TIME, TIME)
  .map(([reasons, kernelDrops, queueDrops, malformed, since, until]) => ({
    ...{ type: 'gap', reason: reasons[0] ?? 'overrun', reasons },
    ...{ kernelDrops, queueDrops, malformed, since, until },
  }));

const KINDS: readonly (readonly [Definition, fc.Arbitrary<string>])[] = [
  ['flow', FLOW.map((flow) => format.json(flow))],
  ['event', EVENT.map((event) => format.json(event))],
  ['gap', GAP.map((gap) => format.json(gap))],
  ['expectation', EXPECTATION.map((expectation) => format.json(expectation))],
  ['expectationEvent', EXPECTATION_EVENT.map((event) => format.json(event))],
];

test.each(KINDS)('any %s is valid, as what it is and as a line', (definition, lines) => {
  fc.assert(
    fc.property(lines, (line) => {
      expect(schemaErrors(line, definition)).toEqual([]);
      expect(schemaErrors(line)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test.each(KINDS)('a wrong %s is not', (definition, lines) => {
  fc.assert(
    fc.property(lines, fc.nat(), (line, pick) => {
      const whole = JSON.parse(line) as Plain;
      const names = Object.keys(whole);
      const name = names[pick % names.length]!;
      const wrong: Plain[] = [
        { ...whole, extra: 1 },
        { ...whole, [name]: null },
        { ...whole, [name]: -1 },
        { ...whole, [name]: { wrong: true } },
      ];
      for (const value of wrong) {
        expect(schemaErrors(JSON.stringify(value), definition)).not.toEqual([]);
        expect(schemaErrors(JSON.stringify(value))).not.toEqual([]);
      }
    }),
    { numRuns: 100 },
  );
});

test.each<[Definition, readonly string[]]>([
  [
    'flow',
    ['family', 'protocol', 'protonum', 'orig', 'reply', 'zone', 'id', 'status', 'statusFlags'],
  ],
  ['event', ['type', 'flow', 'time']],
  [
    'gap',
    [
      ...['type', 'reason', 'reasons', 'kernelDrops', 'queueDrops'],
      ...['malformed', 'since', 'until'],
    ],
  ],
  [
    'expectation',
    [
      ...['family', 'protocol', 'protonum', 'tuple', 'mask', 'master', 'id', 'flags'],
      ...['flagNames', 'class'],
    ],
  ],
  ['expectationEvent', ['type', 'expectation', 'time']],
])('a %s without a member that is always there is wrong', (definition, required) => {
  const lines = KINDS.find(([name]) => name === definition)![1];
  const [line] = fc.sample(lines, 1) as [string];
  for (const name of required) {
    const rest = Object.entries(JSON.parse(line) as Plain).filter(([member]) => member !== name);
    const errors = schemaErrors(JSON.stringify(Object.fromEntries(rest)), definition);
    expect({ name, errors }).not.toEqual({ name, errors: [] });
  }
});

describe('inside of a flow', () => {
  const FLOW_LINE = {
    ...{ family: 'ipv4', protocol: 'tcp', protonum: 6, state: 'ESTABLISHED' },
    orig: { src: '192.0.2.1', dst: '192.0.2.2', sport: 1, dport: 2, packets: 3, bytes: 4 },
    reply: { src: '192.0.2.2', dst: '192.0.2.1', sport: 2, dport: 1 },
    ...{ zone: 0, id: 1, status: 8, statusFlags: ['CONFIRMED'], timeout: 5 },
    tcp: { state: 'ESTABLISHED', origFlags: { value: 1, mask: 2 } },
  };

  test.each<[string, Plain]>([
    ['nothing', {}],
    ['a state that is newer', { state: '99' }],
    ['counters beyond 2^53', { orig: { packets: 2 ** 64 } }],
    ['a spelling of IPv6', { family: 'ipv6', orig: { src: '::ffff:1.2.3.4' } }],
  ])('%s changes nothing', (_, change) => {
    expect(schemaErrors(JSON.stringify({ ...FLOW_LINE, ...change }), 'flow')).toEqual([]);
  });

  test.each<[string, Plain]>([
    ['a port beyond 65535', { orig: { sport: 65_536 } }],
    ['a port as text', { orig: { sport: '80' } }],
    ['a fraction of a packet', { orig: { packets: 1.5 } }],
    ['counters in a master', { master: { packets: 1 } }],
    ['another member of a direction', { reply: { state: 'NONE' } }],
    ['a host name', { orig: { src: 'localhost' } }],
    ['a flag that no kernel has', { statusFlags: ['BEST'] }],
    ['a state in small letters', { state: 'established' }],
    ['a protocol by another name', { protocol: 'TCP' }],
    ['labels by name', { labels: ['voip'] }],
    ['half an octet', { helperInfo: '0' }],
    ['flags without their mask', { tcp: { origFlags: { value: 1 } } }],
    ['times that are none', { timestamps: {} }],
    ['half a synproxy', { synproxy: { isn: 1 } }],
    ['a mark of 33 bits', { mark: 2 ** 32 }],
  ])('%s is wrong', (_, change) => {
    expect(schemaErrors(JSON.stringify({ ...FLOW_LINE, ...change }), 'flow')).not.toEqual([]);
  });
});

describe('counters', () => {
  test.each<[Definition, Plain]>([
    ['stats', { cpu: 0, found: 1, invalid: 2, insertFailed: 0, chainTooLong: 3 }],
    ['expectationStats', { cpu: 1, new: 0, create: 1, delete: 2 }],
    ['count', { entries: 0, max: 262_144 }],
    ['count', { entries: 3 }],
  ])('of %s', (definition, line) => {
    expect(schemaErrors(JSON.stringify(line), definition)).toEqual([]);
    expect(schemaErrors(JSON.stringify(line))).toEqual([]);
    const wrong = JSON.stringify({ ...line, flows: 1 });
    expect(schemaErrors(wrong, definition)).not.toEqual([]);
    expect(schemaErrors(wrong)).not.toEqual([]);
  });
});
