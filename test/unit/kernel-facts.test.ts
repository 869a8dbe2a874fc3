/** Plans after a look at what the kernel does: in a file of its own, since what is learned stays. */
import { type Explanation, type Filter } from '../../lib/index';
import { parseFilter } from '../../lib/filter-parse';
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

test.each(EXAMPLES)('a kernel whose %s work is not said to be wrong about %j', (fact, filter) => {
  learn(() => true);
  const { kernel, reasons } = explain(filter);
  expect(reasons.join()).not.toContain('missing or wrong');
  if (fact !== 'ipv6Addresses') expect(kernel).toHaveLength(1);
});

test('a family needs no filter at all', () => {
  learn(() => false);
  expect(explain({ family: 'ipv4', mark: 1 })).toMatchObject({
    kernel: ['family ipv4'],
    native: ['mark = 1'],
  });
});
