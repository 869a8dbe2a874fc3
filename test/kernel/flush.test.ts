/** flush(): the only call that may empty a table, and what it leaves alone. */
import type { Conntrack, Flow, FlushOptions, NewFlow } from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { anySeed, randomOf } from '../support/random';
import { anyFlow, identitiesOf } from '../support/said';
import { testing } from '../support/testing';

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
});

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

const V4 = { src: '10.0.0.1', dst: '10.0.0.2' };
const V6 = { src: 'fd00::1', dst: 'fd00::2' };
const ZONES = [0, 1, 7, 65535];
/** 2 and 10 are AF_INET and AF_INET6, which a flush by mark has been known to take them for. */
const MARKS = [0, 1, 2, 10, 0x10, 0x11, 0xffffffff];

/** Every family, zone and mark with every other, and zones of one direction. */
function crossed(): NewFlow[] {
  return [V4, V6].flatMap((ends) =>
    MARKS.flatMap((mark, sport) => {
      const udp = { protocol: 'udp', timeout: 1000, mark };
      const orig = { ...ends, sport, dport: 53 };
      const reply = { src: ends.dst, dst: ends.src, sport: 53, dport: sport };
      return [
        ...ZONES.map((zone) => ({ ...udp, orig, zone })),
        {
          ...udp,
          orig: { ...orig, sport: 100 + sport, zone: 7 },
          reply: { ...reply, dport: 100 + sport },
        },
        {
          ...udp,
          orig: { ...orig, sport: 200 + sport },
          reply: { ...reply, dport: 200 + sport, zone: 7 },
        },
      ];
    }),
  );
}

const CASES: [string, FlushOptions, (flow: Flow) => boolean][] = [
  ['IPv4', { family: 'ipv4' }, (flow) => flow.family === 'ipv4'],
  ['IPv6', { family: 'ipv6' }, (flow) => flow.family === 'ipv6'],
  ...ZONES.map((zone): [string, FlushOptions, (flow: Flow) => boolean] => [
    `zone ${zone}`,
    { zone },
    (flow) => flow.zone === zone,
  ]),
  ['a zone that nobody has', { zone: 8 }, () => false],
  ...MARKS.map((mark): [string, FlushOptions, (flow: Flow) => boolean] => [
    `mark ${mark}`,
    { mark },
    (flow) => flow.mark === mark,
  ]),
  ['a mark that nobody has', { mark: 3 }, () => false],
  ['bits of the mark', { mark: { value: 0x10, mask: 0x10 } }, (flow) => (flow.mark! & 0x10) !== 0],
  ['bits of the mark that are not set', { mark: { value: 0, mask: 1 } }, (f) => f.mark! % 2 === 0],
  ['IPv6 and mark 2', { family: 'ipv6', mark: 2 }, (f) => f.family === 'ipv6' && f.mark === 2],
  ['IPv4 and mark 10', { family: 'ipv4', mark: 10 }, (f) => f.family === 'ipv4' && f.mark === 10],
  ['IPv4 in zone 7', { family: 'ipv4', zone: 7 }, (f) => f.family === 'ipv4' && f.zone === 7],
  ['IPv6 in zone 0', { family: 'ipv6', zone: 0 }, (f) => f.family === 'ipv6' && f.zone === 0],
  [
    'a family, a zone and a mark',
    { family: 'ipv6', zone: 1, mark: 0 },
    (f) => f.family === 'ipv6' && f.zone === 1 && f.mark === 0,
  ],
];

test.each(CASES)('exactly the flows of %s', async (_, options, holds) => {
  await ct.createMany(crossed());
  const before = await ct.flows().toArray();
  expect(before).toHaveLength(2 * MARKS.length * (ZONES.length + 2));
  await ct.flush(options);
  const left = identitiesOf(await ct.flows().toArray());
  expect(left).toEqual(identitiesOf(before.filter((flow) => !holds(flow))));
  expect(countByCli(namespace)).toBe(left.length);
});

test.each<[string, FlushOptions | undefined]>([
  ['no options', undefined],
  ['empty options', {}],
])('with %s everything, and nothing of another namespace', async (_, options) => {
  const other = TestNamespace.create();
  other.run(() => testing.fill({ count: 10 }));
  const random = randomOf(anySeed());
  await ct.createMany([...crossed(), ...Array.from({ length: 500 }, () => anyFlow(random))]);
  expect(countByCli(namespace)).toBeGreaterThan(300);
  await ct.flush(options);
  expect(listByCli(namespace)).toEqual([]);
  expect(await ct.count()).toBe(0);
  expect(countByCli(other)).toBe(10);
  // There is nothing wrong with an empty table.
  await ct.flush(options);
  await ct.flush({ family: 'ipv4' });
});

test('a large table', async () => {
  namespace.run(() => testing.fill({ count: 50_000 }));
  namespace.run(() => testing.fill({ count: 50_000, family: 6, zone: 3 }));
  await ct.flush({ zone: 3 });
  expect(countByCli(namespace)).toBe(50_000);
  await ct.flush();
  expect(countByCli(namespace)).toBe(0);
});

class Options {
  readonly #family = 'ipv4';

  get family(): string {
    return this.#family;
  }
}

test.each<[string, unknown]>([
  ['null', null],
  ['an array', ['ipv4']],
  ['an empty array', []],
  ['text', 'ipv4'],
  ['a number', 7],
  ['true', true],
  ['a function', () => ({ family: 'ipv4' })],
  ['a Map', new Map([['family', 'ipv4']])],
  ['a Set', new Set(['ipv4'])],
  ['a family that is undefined', { family: undefined }],
  ['a zone that is undefined', { zone: undefined }],
  ['a mark that is undefined', { mark: undefined }],
  ['a family and a zone that is undefined', { family: 'ipv4', zone: undefined }],
  ['a family that is null', { family: null }],
  ['a family that there is not', { family: 'ipx' }],
  ['a family by number', { family: 2 }],
  ['a family in capitals', { family: 'IPv4' }],
  ['families', { family: ['ipv4', 'ipv6'] }],
  ['an empty family', { family: '' }],
  ['a zone as text', { zone: '7' }],
  ['a zone out of range', { zone: 65536 }],
  ['a negative zone', { zone: -1 }],
  ['NaN as a zone', { zone: NaN }],
  ['a zone that is null', { zone: null }],
  ['a mark as text', { mark: '2' }],
  ['a mark out of range', { mark: 2 ** 32 }],
  ['a fractional mark', { mark: 1.5 }],
  ['a mark without a mask', { mark: { value: 1 } }],
  ['a mask without a value', { mark: { mask: 1 } }],
  ['a value beyond its mask', { mark: { value: 3, mask: 1 } }],
  ['an empty mark', { mark: {} }],
  ['a misspelt option', { famliy: 'ipv4' }],
  ['an option that filters have', { protocol: 'tcp' }],
  ['a signal', { signal: AbortSignal.abort() }],
  ['a family from a prototype', Object.create({ family: 'ipv4' })],
  ['a family that is a getter of its class', new Options()],
  ['a family that is hidden', Object.defineProperty({}, 'family', { value: 'ipv4' })],
  ['a family under a symbol', { [Symbol('family')]: 'ipv4' }],
  ['__proto__ from JSON', JSON.parse('{"__proto__": {"family": "ipv4"}}')],
  ['a date', new Date(0)],
])('refuses %s, and touches nothing', async (_, options) => {
  namespace.run(() => testing.fill({ count: 10 }));
  namespace.run(() => testing.fill({ count: 10, family: 6, zone: 7, mark: 2 }));
  const attempt = ct.flush(options as FlushOptions);
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(countByCli(namespace)).toBe(20);
  expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
});
