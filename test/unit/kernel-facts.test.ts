/** Plans after a look at what the kernel does: in a file of its own, since what is learned stays. */
import { AF_INET6 } from '../../lib/address';
import { type Explanation, type Filter } from '../../lib/index';
import { parseFilter } from '../../lib/filter-parse';
import { FlowOffset, TupleOffset } from '../../lib/layout';
import { type KernelFacts, learnFacts, planOf } from '../../lib/plan';

const FACTS = [
  'ipv4Addresses',
  'ipv6Addresses',
  'ports',
  'sctpPorts',
  'mark',
  'status',
  'zone',
] as const satisfies (keyof KernelFacts)[];

function learn(works: (fact: keyof KernelFacts) => boolean): void {
  learnFacts(
    Object.fromEntries(FACTS.map((fact) => [fact, works(fact)])) as unknown as KernelFacts,
  );
}

function explain(filter: Filter): Explanation {
  return planOf(parseFilter(filter)).explanation;
}

const EXAMPLES: [keyof KernelFacts, Filter, string][] = [
  ['ipv4Addresses', { orig: { src: '10.0.0.1' } }, 'IPv4 addresses'],
  ['ipv6Addresses', { orig: { src: 'fd00::1' } }, 'IPv6 addresses'],
  ['ports', { protocol: 'tcp' }, 'protocols'],
  ['mark', { mark: 1 }, 'marks'],
  ['status', { status: { all: 'assured' } }, 'status'],
  ['zone', { zone: 1 }, 'zones'],
];

test.each(EXAMPLES)('a kernel whose %s are wrong is not asked for %j', (broken, filter, name) => {
  learn((fact) => fact !== broken);
  const { kernel, native, reasons } = explain(filter);
  expect(kernel).toEqual([]);
  expect(native).toHaveLength(1);
  expect(reasons).toEqual([
    `${native[0]!}: this kernel's filter on ${name} is missing or wrong, as tried out`,
  ]);
});

test.each(EXAMPLES)('a kernel whose %s work is not said to be wrong about %j', (_, filter) => {
  learn(() => true);
  const { kernel, reasons } = explain(filter);
  expect({ kernel: kernel.length, reasons }).toEqual({ kernel: 1, reasons: [] });
});

test('of an IPv6 address the kernel is asked for every byte', () => {
  learn(() => true);
  const src = '0102:0304:0506:0708:090a:0b0c:0d0e:0f10';
  const { pattern } = planOf(parseFilter({ orig: { src } })).kernel;
  const at = FlowOffset.orig + TupleOffset.src;
  expect([...pattern.subarray(at, at + 16)]).toEqual(
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  expect(pattern[FlowOffset.family]).toBe(AF_INET6);
});

test.each([true, false])('ports of SCTP are asked for where they work: %s', (works) => {
  learn((fact) => works || fact !== 'sctpPorts');
  const { kernel, native } = explain({ protocol: 'sctp', orig: { dport: 80 } });
  const port = ['orig.dport = 80'];
  expect({ kernel, native }).toEqual({
    kernel: ['protocol sctp', ...(works ? port : [])],
    native: works ? [] : port,
  });
});

test('a family needs no filter at all', () => {
  learn(() => false);
  expect(explain({ family: 'ipv4', mark: 1 })).toMatchObject({
    kernel: ['family ipv4'],
    native: ['mark = 1'],
  });
});
