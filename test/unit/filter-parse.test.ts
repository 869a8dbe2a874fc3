import { type Filter } from '../../lib/index';
import { parseFilter } from '../../lib/filter-parse';
import { compileFilter } from '../../lib/filter-program';

function parse(filter: unknown): void {
  parseFilter(filter as Filter);
}

function program(filter: unknown): number[] {
  return [...compileFilter(parseFilter(filter as Filter))];
}

interface Thrown {
  kind: string;
  message: string;
}

/** By the constructor itself: a RangeError must not pass for a TypeError, nor either for an Error. */
function thrownBy(run: () => void): Thrown | undefined {
  try {
    run();
  } catch (error) {
    const { constructor, message } = error as Error;
    return { kind: constructor.name, message };
  }
  return undefined;
}

const type = (message: string): Thrown => ({ kind: 'TypeError', message });
const range = (message: string): Thrown => ({ kind: 'RangeError', message });

const KNOWN =
  'family, protocol, orig, reply, address, port, state, status, mark, zone, labels, nat, helper, id, ' +
  'timeout, packets, bytes, and, or, not';
const KNOWN_OF_DIRECTION =
  'src, dst, sport, dport, icmpType, icmpCode, icmpId, srckey, dstkey, zone, packets, bytes';

const unknown = (member: string, known = KNOWN): Thrown =>
  type(`filter.${member} is not known; known are ${known}`);
const unknownOf = (side: 'orig' | 'reply', member: string): Thrown =>
  unknown(`${side}.${member}`, KNOWN_OF_DIRECTION);
const missing = (member: string): Thrown =>
  type(`filter.${member} is undefined: leave it out, or give it a value`);
const wanted = (member: string, what: string, not: string): Thrown =>
  type(`filter.${member} must be ${what}, not ${not}`);
const outside = (member: string, max: number | bigint, not: string): Thrown =>
  range(`filter.${member} must be an integer from 0 to ${max}, not ${not}`);
const noAddress = (member: string, not: string): Thrown =>
  wanted(member, 'an IPv4 or IPv6 address or network', not);
const prefix = (member: string, max: number, not: string): Thrown =>
  range(`filter.${member}: the prefix length must be from 0 to ${max}, not ${not}`);
const oneOf = (member: string, words: string, not: string): Thrown =>
  wanted(member, `one of ${words}`, not);

const PROTOCOL = "a protocol's name or number";
const STATE = 'the name of a state of TCP, SCTP or DCCP';
const FLAG = 'the name of a status flag';
const NAT = "'src', 'dst', 'any', 'none'";
const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const U64 = 2n ** 64n - 1n;

function nested(depth: number): Filter {
  let filter: Filter = { mark: 1 };
  for (let level = 1; level < depth; level += 1)
    filter = level % 2 ? { not: filter } : { or: [filter] };
  return filter;
}

const inherited = (members: object): object => Object.create(members) as object;

describe('no filter at all', () => {
  test.each<[string, unknown, Thrown]>([
    ['null', null, type('filter must be an object, not null')],
    ['a number', 0, type('filter must be an object, not 0')],
    ['NaN', NaN, type('filter must be an object, not NaN')],
    ['a boolean', true, type('filter must be an object, not true')],
    ['an empty text', '', type('filter must be an object, not ""')],
    ['a text', 'protocol tcp', type('filter must be an object, not "protocol tcp"')],
    ['an empty array', [], type('filter must be an object, not an array')],
    ['an array of filters', [{ protocol: 'tcp' }], type('filter must be an object, not an array')],
    ['a function', () => ({}), type('filter must be an object, not a function')],
    ['a class', Map, type('filter must be an object, not a function')],
    ['a symbol', Symbol('tcp'), type('filter must be an object, not Symbol(tcp)')],
    ['a bigint', 6n, type('filter must be an object, not 6n')],
    ['JSON with __proto__', JSON.parse('{"__proto__":{"mark":1}}'), unknown('__proto__')],
  ])('%s', (_, filter, error) => {
    expect(thrownBy(() => parse(filter))).toEqual(error);
  });
});

describe('unknown members', () => {
  test.each<[object, Thrown]>([
    [{ protocl: 'tcp' }, unknown('protocl')],
    [{ proto: 'tcp' }, unknown('proto')],
    [{ Protocol: 'tcp' }, unknown('Protocol')],
    [{ protonum: 6 }, unknown('protonum')],
    [{ src: '10.0.0.1' }, unknown('src')],
    [{ dport: 80 }, unknown('dport')],
    [{ ports: 80 }, unknown('ports')],
    [{ addresses: '10.0.0.1' }, unknown('addresses')],
    [{ label: 1 }, unknown('label')],
    [{ statusFlags: ['ASSURED'] }, unknown('statusFlags')],
    [{ assured: true }, unknown('assured')],
    [{ use: 1 }, unknown('use')],
    [{ '': 1 }, unknown('')],
    [{ 'orig.src': '10.0.0.1' }, unknown('orig.src')],
    [{ constructor: {} }, unknown('constructor')],
    [{ toString: 1 }, unknown('toString')],
    [{ hasOwnProperty: 1 }, unknown('hasOwnProperty')],
    [{ AND: [] }, unknown('AND')],
    [{ mark: 1, marks: 1 }, unknown('marks')],
    [{ orig: { port: 80 } }, unknownOf('orig', 'port')],
    [{ orig: { Src: '10.0.0.1' } }, unknownOf('orig', 'Src')],
    [{ orig: { address: '10.0.0.1' } }, unknownOf('orig', 'address')],
    [{ reply: { icmptype: 8 } }, unknownOf('reply', 'icmptype')],
    [{ reply: { mark: 1 } }, unknownOf('reply', 'mark')],
    [{ reply: { orig: {} } }, unknownOf('reply', 'orig')],
    [{ status: { every: 'assured' } }, unknown('status.every', 'all, none, any')],
    [{ status: { assured: true } }, unknown('status.assured', 'all, none, any')],
    [{ mark: { value: 1, mask: 1, bits: 1 } }, unknown('mark.bits', 'value, mask')],
    [{ mark: { val: 1 } }, unknown('mark.val', 'value, mask')],
    [{ not: { protocl: 'tcp' } }, unknown('not.protocl')],
    [{ and: [{}, { zones: 1 }] }, unknown('and[1].zones')],
    [{ or: [{ not: { and: [{ x: 1 }] } }] }, unknown('or[0].not.and[0].x')],
  ])('%j', (filter, error) => {
    expect(thrownBy(() => parse(filter))).toEqual(error);
  });
});

describe('members that are undefined', () => {
  test.each<[string, unknown]>([
    ...['family', 'protocol', 'orig', 'reply', 'address', 'port', 'state', 'status', 'mark'].map(
      (name): [string, unknown] => [name, { [name]: undefined }],
    ),
    ...[
      'zone',
      'labels',
      'nat',
      'helper',
      'id',
      'timeout',
      'packets',
      'bytes',
      'and',
      'or',
      'not',
    ].map((name): [string, unknown] => [name, { [name]: undefined }]),
    ...KNOWN_OF_DIRECTION.split(', ').map((name): [string, unknown] => [
      `reply.${name}`,
      { mark: 1, reply: { [name]: undefined } },
    ]),
    ['status.all', { status: { all: undefined, any: 'assured' } }],
    ['mark.mask', { mark: { value: 1, mask: undefined } }],
    ['not.or[1].zone', { not: { or: [{ zone: 1 }, { zone: undefined }] } }],
  ])('%s', (member, filter) => {
    expect(thrownBy(() => parse(filter))).toEqual(missing(member));
  });
});

type Numeric = [member: string, max: number | bigint];

const OF_DIRECTION: Numeric[] = [
  ['sport', U16],
  ['dport', U16],
  ['icmpType', U8],
  ['icmpCode', U8],
  ['icmpId', U16],
  ['srckey', U16],
  ['dstkey', U16],
  ['zone', U16],
  ['packets', U64],
  ['bytes', U64],
];
const NUMERIC: Numeric[] = [
  ...(['orig', 'reply'] as const).flatMap((side) =>
    OF_DIRECTION.map(([name, max]): Numeric => [`${side}.${name}`, max]),
  ),
  ['port', U16],
  ['zone', U16],
  ['id', U32],
  ['timeout', U32],
  ['packets', U64],
  ['bytes', U64],
];

/** A filter of one member, `orig.sport` or `port`. */
function only(member: string, value: unknown): object {
  const [first = '', second] = member.split('.');
  return { [first]: second === undefined ? value : { [second]: value } };
}

/** What is wrong as any number, and how it is refused. */
function wrongNumbers(member: string, max: number | bigint): [unknown, Thrown][] {
  const above = BigInt(max) + 1n;
  return [
    [NaN, outside(member, max, 'NaN')],
    [-Infinity, outside(member, max, '-Infinity')],
    [-1, outside(member, max, '-1')],
    [1.5, outside(member, max, '1.5')],
    [Number.MIN_VALUE, outside(member, max, '5e-324')],
    [2 ** 53, outside(member, max, '9007199254740992')],
    [-1n, outside(member, max, '-1')],
    [above, outside(member, max, String(above))],
    ['5', wanted(member, 'a number', '"5"')],
    ['', wanted(member, 'a number', '""')],
    [null, wanted(member, 'a number', 'null')],
    [true, wanted(member, 'a number', 'true')],
    [{}, wanted(member, 'a number', 'an object')],
    [{ from: 1, to: 2 }, wanted(member, 'a number', 'an object')],
    [new Number(5), wanted(member, 'a number', 'an object')],
    [Symbol('5'), wanted(member, 'a number', 'Symbol(5)')],
    [() => 5, wanted(member, 'a number', 'a function')],
    [[5, 4], range(`filter.${member} must not end (4) before it begins (5)`)],
    [[5n, 4], range(`filter.${member} must not end (4) before it begins (5)`)],
    [[0, above], outside(`${member}[1]`, max, String(above))],
    [[NaN, 5], outside(`${member}[0]`, max, 'NaN')],
    [[1, '2'], wanted(`${member}[1]`, 'a number', '"2"')],
    [[1, undefined], wanted(`${member}[1]`, 'a number', 'undefined')],
    [[1, 2, '3'], wanted(`${member}[2]`, 'a number', '"3"')],
    [[1, 2, 1.5], outside(`${member}[2]`, max, '1.5')],
    [[[]], wanted(`${member}[0]`, 'a range [from, to]', 'an array')],
    [[1, [2, 3, 4]], wanted(`${member}[1]`, 'a range [from, to]', 'an array')],
    [
      [
        [1, 2],
        [4, 3],
      ],
      range(`filter.${member}[1] must not end (3) before it begins (4)`),
    ],
    [[[1, null]], wanted(`${member}[0][1]`, 'a number', 'null')],
    [[[[1, 2]]], wanted(`${member}[0]`, 'a range [from, to]', 'an array')],
    [[[[1, 2], 3]], wanted(`${member}[0][0]`, 'a number', 'an array')],
  ];
}

describe('numbers', () => {
  test.each(NUMERIC)('%s has from 0 to %s', (member, max) => {
    for (const [value, error] of wrongNumbers(member, max)) {
      expect(thrownBy(() => parse(only(member, value)))).toEqual(error);
    }
    for (const right of [0, -0, 1, max, 0n, BigInt(max), [0, max], [[0, 0], max], []]) {
      expect(thrownBy(() => parse(only(member, right)))).toBeUndefined();
    }
    if (typeof max === 'number') {
      expect(thrownBy(() => parse(only(member, max + 1)))).toEqual(
        outside(member, max, `${max + 1}`),
      );
    }
  });

  test.each<[string, object, string]>([
    ['a number', { port: Infinity }, 'port'],
    ['a mark', { mark: Infinity }, 'mark'],
    ['a masked mark', { mark: { value: 1, mask: Infinity } }, 'mark.mask'],
    ['a protocol', { protocol: Infinity }, 'protocol'],
    ['an item', { zone: [1, 2, Infinity] }, 'zone[2]'],
    ['bits of a status', { status: { all: Infinity } }, 'status.all'],
    ['a label', { labels: Infinity }, 'labels'],
    ['a beginning', { port: [Infinity, Infinity] }, 'port[0]'],
    ['counted bytes', { bytes: Infinity }, 'bytes'],
  ])('Infinity is the end of a range, but not %s', (_, filter, member) => {
    const { kind, message } = thrownBy(() => parse(filter)) ?? {};
    expect({ kind, member: message?.split(' ')[0] }).toEqual({
      kind: 'RangeError',
      member: `filter.${member}`,
    });
  });
});

describe('addresses', () => {
  test.each<[object, Thrown]>([
    [{ address: '' }, noAddress('address', '""')],
    [{ address: ' 10.0.0.1' }, noAddress('address', '" 10.0.0.1"')],
    [{ address: '10.0.0.1 ' }, noAddress('address', '"10.0.0.1 "')],
    [{ address: '10.0.0' }, noAddress('address', '"10.0.0"')],
    [{ address: '10.0.0.256' }, noAddress('address', '"10.0.0.256"')],
    [{ address: '010.0.0.1' }, noAddress('address', '"010.0.0.1"')],
    [{ address: '10.0.0.1.2' }, noAddress('address', '"10.0.0.1.2"')],
    [{ address: '10.*' }, noAddress('address', '"10.*"')],
    [{ address: '10.0.0.1-10.0.0.9' }, noAddress('address', '"10.0.0.1-10.0.0.9"')],
    [{ address: '10.0.0.1:80' }, noAddress('address', '"10.0.0.1:80"')],
    [{ address: 'localhost' }, noAddress('address', '"localhost"')],
    [{ address: '::g' }, noAddress('address', '"::g"')],
    [{ address: '1::2::3' }, noAddress('address', '"1::2::3"')],
    [{ address: '[::1]' }, noAddress('address', '"[::1]"')],
    [{ address: 'fe80::1%lo' }, noAddress('address', '"fe80::1%lo"')],
    [{ address: 'fe80::1%lo/64' }, noAddress('address', '"fe80::1%lo/64"')],
    [{ address: '/8' }, noAddress('address', '"/8"')],
    [{ address: '10.0.0.0/8/8' }, noAddress('address', '"10.0.0.0/8/8"')],
    [{ address: '10.0.0.0\\8' }, noAddress('address', '"10.0.0.0\\\\8"')],
    [{ address: '10.0.0.0/' }, prefix('address', 32, '')],
    [{ address: '10.0.0.0/33' }, prefix('address', 32, '33')],
    [{ address: '10.0.0.0/-1' }, prefix('address', 32, '-1')],
    [{ address: '10.0.0.0/8.5' }, prefix('address', 32, '8.5')],
    [{ address: '10.0.0.0/1e1' }, prefix('address', 32, '1e1')],
    [{ address: '10.0.0.0/ 8' }, prefix('address', 32, ' 8')],
    [{ address: '10.0.0.0/0x8' }, prefix('address', 32, '0x8')],
    [{ address: '10.0.0.0/255.0.0.0' }, prefix('address', 32, '255.0.0.0')],
    [{ address: '10.0.0.0/4294967296' }, prefix('address', 32, '4294967296')],
    [{ address: '::/129' }, prefix('address', 128, '129')],
    [{ address: 'fd00::/' }, prefix('address', 128, '')],
    [{ orig: { src: '10.0.0.300' } }, noAddress('orig.src', '"10.0.0.300"')],
    [{ reply: { dst: 'fd00::/200' } }, prefix('reply.dst', 128, '200')],
    [{ orig: { dst: ['10.0.0.1', 'x'] } }, noAddress('orig.dst[1]', '"x"')],
    [{ address: ['::1', '10.0.0.0/64'] }, prefix('address[1]', 32, '64')],
    [{ address: 167772161 }, wanted('address', 'a string', '167772161')],
    [{ address: null }, wanted('address', 'a string', 'null')],
    [{ address: true }, wanted('address', 'a string', 'true')],
    [{ address: {} }, wanted('address', 'a string', 'an object')],
    [{ address: new String('::1') }, wanted('address', 'a string', 'an object')],
    [{ address: Buffer.of(10, 0, 0, 1) }, wanted('address', 'a string', 'an object')],
    [{ address: [['10.0.0.1']] }, wanted('address[0]', 'a string', 'an array')],
    [{ address: ['10.0.0.1', undefined] }, wanted('address[1]', 'a string', 'undefined')],
    [{ address: [10, 0, 0, 1] }, wanted('address[0]', 'a string', '10')],
  ])('%j', (filter, error) => {
    expect(thrownBy(() => parse(filter))).toEqual(error);
  });
});

describe('the other members', () => {
  test.each<[unknown, Thrown]>([
    [{ family: 'IPv4' }, oneOf('family', "'ipv4', 'ipv6'", '"IPv4"')],
    [{ family: 'ip' }, oneOf('family', "'ipv4', 'ipv6'", '"ip"')],
    [{ family: 4 }, oneOf('family', "'ipv4', 'ipv6'", '4')],
    [{ family: ['ipv4'] }, oneOf('family', "'ipv4', 'ipv6'", 'an array')],
    [{ family: null }, oneOf('family', "'ipv4', 'ipv6'", 'null')],
    [{ protocol: 'tpc' }, wanted('protocol', PROTOCOL, '"tpc"')],
    [{ protocol: '' }, wanted('protocol', PROTOCOL, '""')],
    [{ protocol: ' tcp' }, wanted('protocol', PROTOCOL, '" tcp"')],
    [{ protocol: '256' }, wanted('protocol', PROTOCOL, '"256"')],
    [{ protocol: '-1' }, wanted('protocol', PROTOCOL, '"-1"')],
    [{ protocol: '6.0' }, wanted('protocol', PROTOCOL, '"6.0"')],
    [{ protocol: '0x6' }, wanted('protocol', PROTOCOL, '"0x6"')],
    [{ protocol: 'tcp,udp' }, wanted('protocol', PROTOCOL, '"tcp,udp"')],
    [{ protocol: '__proto__' }, wanted('protocol', PROTOCOL, '"__proto__"')],
    [{ protocol: 'constructor' }, wanted('protocol', PROTOCOL, '"constructor"')],
    [{ protocol: 256 }, outside('protocol', U8, '256')],
    [{ protocol: -1 }, outside('protocol', U8, '-1')],
    [{ protocol: 6.5 }, outside('protocol', U8, '6.5')],
    [{ protocol: NaN }, outside('protocol', U8, 'NaN')],
    [{ protocol: ['tcp', 'upd'] }, wanted('protocol[1]', PROTOCOL, '"upd"')],
    [{ protocol: ['tcp', 300] }, outside('protocol[1]', U8, '300')],
    [{ protocol: ['tcp', undefined] }, wanted('protocol[1]', PROTOCOL, 'undefined')],
    [{ state: '' }, wanted('state', STATE, '""')],
    [{ state: 'ESTABLISH' }, wanted('state', STATE, '"ESTABLISH"')],
    [{ state: 'UNREPLIED' }, wanted('state', STATE, '"UNREPLIED"')],
    [{ state: 'LISTEN ' }, wanted('state', STATE, '"LISTEN "')],
    [{ state: 3 }, wanted('state', 'a string', '3')],
    [{ state: null }, wanted('state', 'a string', 'null')],
    [{ state: ['CLOSE', 'ASSURED'] }, wanted('state[1]', STATE, '"ASSURED"')],
    [{ state: [['CLOSE']] }, wanted('state[0]', 'a string', 'an array')],
    [{ status: 'assured' }, wanted('status', 'an object', '"assured"')],
    [{ status: ['assured'] }, wanted('status', 'an object', 'an array')],
    [{ status: 4 }, wanted('status', 'an object', '4')],
    [{ status: null }, wanted('status', 'an object', 'null')],
    [{ status: { all: 'Assured' } }, wanted('status.all', FLAG, '"Assured"')],
    [{ status: { all: 'seen_reply' } }, wanted('status.all', FLAG, '"seen_reply"')],
    [{ status: { all: '' } }, wanted('status.all', FLAG, '""')],
    [{ status: { none: '__proto__' } }, wanted('status.none', FLAG, '"__proto__"')],
    [{ status: { none: ['DYING', 'NAT'] } }, wanted('status.none[1]', FLAG, '"NAT"')],
    [{ status: { any: [4] } }, wanted('status.any[0]', 'a string', '4')],
    [{ status: { any: null } }, wanted('status.any', 'a string', 'null')],
    [{ status: { any: {} } }, wanted('status.any', 'a string', 'an object')],
    [{ status: { any: 4n } }, wanted('status.any', 'a string', '4n')],
    [{ status: { all: -1 } }, outside('status.all', U32, '-1')],
    [{ status: { all: 2 ** 32 } }, outside('status.all', U32, '4294967296')],
    [{ status: { none: 1.5 } }, outside('status.none', U32, '1.5')],
    [{ status: { any: NaN } }, outside('status.any', U32, 'NaN')],
    [{ mark: -1 }, outside('mark', U32, '-1')],
    [{ mark: 2 ** 32 }, outside('mark', U32, '4294967296')],
    [{ mark: 0.5 }, outside('mark', U32, '0.5')],
    [{ mark: '0x1' }, wanted('mark', 'a number', '"0x1"')],
    [{ mark: null }, wanted('mark', 'a number', 'null')],
    [{ mark: [1, 2] }, wanted('mark', 'an object', 'an array')],
    [{ mark: {} }, wanted('mark.value', 'a number', 'undefined')],
    [{ mark: { value: 1 } }, wanted('mark.mask', 'a number', 'undefined')],
    [{ mark: { mask: 1 } }, wanted('mark.value', 'a number', 'undefined')],
    [{ mark: { value: '1', mask: 1 } }, wanted('mark.value', 'a number', '"1"')],
    [{ mark: { value: 1, mask: 2 ** 32 } }, outside('mark.mask', U32, '4294967296')],
    [
      { mark: { value: 3, mask: 2 } },
      range('filter.mark.value (3) has bits that filter.mark.mask (2) has not'),
    ],
    [
      { mark: { value: 0x8000_0000, mask: 0x7fff_ffff } },
      range('filter.mark.value (2147483648) has bits that filter.mark.mask (2147483647) has not'),
    ],
    [{ labels: [] }, type('filter.labels must not be empty')],
    [{ labels: 128 }, outside('labels', 127, '128')],
    [{ labels: -1 }, outside('labels', 127, '-1')],
    [{ labels: [0, 128] }, outside('labels[1]', 127, '128')],
    [{ labels: [[0, 5]] }, wanted('labels[0]', 'a number', 'an array')],
    [{ labels: 'eth0' }, wanted('labels', 'a number', '"eth0"')],
    [{ labels: null }, wanted('labels', 'a number', 'null')],
    [{ nat: 'snat' }, oneOf('nat', NAT, '"snat"')],
    [{ nat: 'SRC' }, oneOf('nat', NAT, '"SRC"')],
    [{ nat: true }, oneOf('nat', NAT, 'true')],
    [{ nat: false }, oneOf('nat', NAT, 'false')],
    [{ nat: ['src', 'dst'] }, oneOf('nat', NAT, 'an array')],
    [{ helper: 5 }, wanted('helper', 'a string', '5')],
    [{ helper: null }, wanted('helper', 'a string', 'null')],
    [{ helper: ['ftp', 5] }, wanted('helper[1]', 'a string', '5')],
    [{ helper: [['ftp']] }, wanted('helper[0]', 'a string', 'an array')],
    [{ orig: '10.0.0.1' }, wanted('orig', 'an object', '"10.0.0.1"')],
    [{ orig: null }, wanted('orig', 'an object', 'null')],
    [{ reply: [{}] }, wanted('reply', 'an object', 'an array')],
    [{ reply: 80 }, wanted('reply', 'an object', '80')],
    [{ and: {} }, wanted('and', 'an array of filters', 'an object')],
    [{ and: { mark: 1 } }, wanted('and', 'an array of filters', 'an object')],
    [{ or: null }, wanted('or', 'an array of filters', 'null')],
    [{ or: 'mark' }, wanted('or', 'an array of filters', '"mark"')],
    [{ and: [[]] }, wanted('and[0]', 'an object', 'an array')],
    [{ and: [{}, null] }, wanted('and[1]', 'an object', 'null')],
    [{ or: [undefined] }, wanted('or[0]', 'an object', 'undefined')],
    [{ or: ['tcp'] }, wanted('or[0]', 'an object', '"tcp"')],
    [{ not: null }, wanted('not', 'an object', 'null')],
    [{ not: [] }, wanted('not', 'an object', 'an array')],
    [{ not: true }, wanted('not', 'an object', 'true')],
    [{ not: { mark: -1 } }, outside('not.mark', U32, '-1')],
    [{ and: [{ or: [{ zone: -1 }] }] }, outside('and[0].or[0].zone', U16, '-1')],
    [{ mark: Symbol('1') }, wanted('mark', 'a number', 'Symbol(1)')],
    [{ helper: () => 'ftp' }, wanted('helper', 'a string', 'a function')],
    [{ protocol: Symbol('tcp') }, wanted('protocol', PROTOCOL, 'Symbol(tcp)')],
    [{ protocol: null }, wanted('protocol', PROTOCOL, 'null')],
    [{ protocol: {} }, wanted('protocol', PROTOCOL, 'an object')],
    [{ protocol: [['tcp']] }, wanted('protocol[0]', PROTOCOL, 'an array')],
  ])('%p', (filter, error) => {
    expect(thrownBy(() => parse(filter))).toEqual(error);
  });
});

describe('nesting', () => {
  const deep = range(`filter${nestedName(32)}: filters nest at most 32 deep`);

  function nestedName(depth: number): string {
    return Array.from({ length: depth }, (_, level) =>
      (depth - level) % 2 ? '.not' : '.or[0]',
    ).join('');
  }

  test('is limited to 32', () => {
    expect(thrownBy(() => parse(nested(32)))).toBeUndefined();
    expect(thrownBy(() => parse(nested(33)))).toEqual(deep);
    expect(thrownBy(() => parse(nested(100_000)))?.kind).toBe('RangeError');
  });

  test('of a filter in itself is refused', () => {
    const filter: { not?: object } = {};
    filter.not = filter;
    expect(thrownBy(() => parse(filter))).toEqual(
      range(`filter${'.not'.repeat(32)}: filters nest at most 32 deep`),
    );
  });

  test('counts anew after one that was refused', () => {
    for (let time = 0; time < 40; time += 1) {
      expect(thrownBy(() => parse(nested(33)))?.kind).toBe('RangeError');
      expect(thrownBy(() => parse({ not: { mark: -1 } }))?.kind).toBe('RangeError');
    }
    expect(thrownBy(() => parse(nested(32)))).toBeUndefined();
  });
});

describe('objects that are not what they seem', () => {
  test('members of Object.prototype are not of the filter', () => {
    const prototype = Object.prototype as { protocol?: string; mask?: number; value?: number };
    const plain = program({ mark: 1 });
    prototype.protocol = 'tcp';
    prototype.mask = 1;
    prototype.value = 1;
    try {
      expect(program({ mark: 1 })).toEqual(plain);
      expect(thrownBy(() => parse({ mark: {} }))).toEqual(
        wanted('mark.value', 'a number', 'undefined'),
      );
    } finally {
      delete prototype.protocol;
      delete prototype.mask;
      delete prototype.value;
    }
  });

  test('a filter without a prototype is one', () => {
    const bare = Object.assign(Object.create(null) as object, { mark: 1 });
    expect(program(bare)).toEqual(program({ mark: 1 }));
  });

  // Read as if they had no members they would match everything.
  test.each<[string, object]>([
    ['inherited members', inherited({ protocol: 'tcp' })],
    ['members of __proto__', { __proto__: { protocol: 'tcp' } }],
    [
      'a getter of its class',
      new (class {
        get protocol(): string {
          return ['t', 'c', 'p'].join('');
        }
      })(),
    ],
    ['a symbol', { [Symbol('protocol')]: 'tcp' }],
    ['a Map', new Map([['protocol', 'tcp']])],
    ['a Set', new Set(['tcp'])],
    ['a promise', Promise.resolve({ protocol: 'tcp' })],
    ['a date', new Date(0)],
    ['a regular expression', /tcp/],
    ['empty bytes', new Uint8Array(0)],
    ['bytes', Buffer.from('tcp')],
    ['a boxed text', new String('tcp')],
    ['an error', new Error('tcp')],
  ])('%s: refused, wherever it stands', (_, filter) => {
    expect(thrownBy(() => parse(filter))?.kind).toBe('TypeError');
    expect(thrownBy(() => parse({ not: filter }))?.kind).toBe('TypeError');
    expect(thrownBy(() => parse({ and: [{ mark: 1 }, filter] }))?.kind).toBe('TypeError');
    expect(thrownBy(() => parse({ orig: filter }))?.kind).toBe('TypeError');
    expect(thrownBy(() => parse({ status: filter }))?.kind).toBe('TypeError');
  });

  test('a member that can not be enumerated is refused: a copy of the filter would lack it', () => {
    const hidden = Object.defineProperty({}, 'protocol', { value: 'tcp' });
    expect(thrownBy(() => parse(hidden))).toEqual(type('filter.protocol is not enumerable'));
    expect(thrownBy(() => parse({ not: { mark: 1, orig: hidden } }))?.kind).toBe('TypeError');
    const misspelt = Object.defineProperty({}, 'protocl', { value: 'tcp' });
    expect(thrownBy(() => parse(misspelt))).toEqual(unknown('protocl'));
  });

  test.each<[string, object]>([
    ['filters', { and: new Array(3) }],
    ['filters of or', { or: new Array(1) }],
    ['addresses', { address: new Array(2) }],
    ['numbers', { port: new Array(3) }],
    ['labels', { labels: new Array(2) }],
    ['protocols', { protocol: new Array(1) }],
    ['states', { state: new Array(1) }],
    ['helpers', { helper: new Array(1) }],
    ['flags', { status: { all: new Array(1) } }],
  ])('holes in a list of %s are refused as undefined is', (_, filter) => {
    expect(thrownBy(() => parse(filter))).toEqual({
      kind: 'TypeError',
      message: expect.stringMatching(/\[0\] .*not undefined$/),
    });
  });

  test.each<[string, object]>([
    ['all', { status: { all: [] } }],
    ['none', { status: { none: [] } }],
  ])('an empty list of flags, which would be no condition, is refused: %s', (name, filter) => {
    expect(thrownBy(() => parse(filter))).toEqual(type(`filter.status.${name} must not be empty`));
  });

  test('what a getter throws is thrown', () => {
    const error = new Error('mine');
    const mine = (): never => {
      throw error;
    };
    const filters = [
      {
        get mark(): number {
          return mine();
        },
      },
      {
        not: {
          get protocol(): string {
            return mine();
          },
        },
      },
      {
        orig: {
          get src(): string {
            return mine();
          },
        },
      },
      {
        mark: {
          value: 1,
          get mask(): number {
            return mine();
          },
        },
      },
      { address: Object.defineProperty(['x'], '0', { get: mine }) },
      new Proxy({}, { ownKeys: mine }),
      new Proxy({ mark: 1 }, { get: mine }),
    ];
    for (const filter of filters) {
      let thrown: unknown;
      try {
        parse(filter);
      } catch (caught) {
        thrown = caught;
      }
      expect(thrown).toBe(error);
    }
    expect(thrownBy(() => parse(nested(32)))).toBeUndefined();
  });

  test('each member is read once, so that it can not change behind its check', () => {
    let reads = 0;
    const changing = {
      get mark(): number {
        reads += 1;
        return reads === 1 ? 5 : -1;
      },
    };
    expect(program(changing)).toEqual(program({ mark: 5 }));
    expect(reads).toBe(1);
  });

  test('a list that changes while it is read gives what was checked, or is refused', () => {
    for (const member of ['port', 'protocol', 'labels', 'id'] as const) {
      let reads = 0;
      const list = new Proxy([6, 17, 1], {
        get: (target, key, receiver): unknown => {
          if (key !== '0') return Reflect.get(target, key, receiver);
          reads += 1;
          return reads === 1 ? 6 : 'changed';
        },
      });
      const thrown = thrownBy(() => {
        expect(program({ [member]: list })).toEqual(program({ [member]: [6, 17, 1] }));
      });
      expect(thrown?.kind ?? 'TypeError').toBe('TypeError');
    }
  });

  test('a revoked proxy is a TypeError', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(thrownBy(() => parse(proxy))?.kind).toBe('TypeError');
    expect(thrownBy(() => parse({ not: proxy }))?.kind).toBe('TypeError');
    expect(thrownBy(() => parse({ port: proxy }))?.kind).toBe('TypeError');
  });

  test('a proxy of a filter is a filter', () => {
    expect(program(new Proxy({ mark: 5 }, {}))).toEqual(program({ mark: 5 }));
  });
});

describe('huge lists', () => {
  const MANY = 200_000;
  const many = <T>(item: (index: number) => T): T[] =>
    Array.from({ length: MANY }, (_, index) => item(index));

  test.each<[string, unknown, unknown]>([
    [
      'IPv4 addresses',
      { address: many((at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`) },
      {
        address: [
          '10.0.0.0/15',
          '10.2.0.0/16',
          '10.3.0.0/21',
          '10.3.8.0/22',
          '10.3.12.0/24',
          '10.3.13.0/26',
        ],
      },
    ],
    ['ports', { port: many((at) => (at * 7) & U16) }, { port: [0, Infinity] }],
    ['ids', { id: many((at) => MANY - at) }, { id: [1, MANY] }],
    ['counters', { bytes: many(BigInt) }, { bytes: [0, MANY - 1] }],
    ['labels', { labels: many((at) => at & 1) }, { labels: [0, 1, 1] }],
    ['flags', { status: { any: many(() => 'assured') } }, { status: { any: 'assured' } }],
    ['conditions', { and: many(() => ({})) }, {}],
  ])('of %s say what a short one says', (_, long, short) => {
    expect(program(long)).toEqual(program(short));
  });

  test('keep every item apart that does not touch another', () => {
    const ipv4 = many((at) => `${10 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}.1`);
    const ipv6 = many((at) => `fd00::${(at >> 16).toString(16)}:${(at & U16).toString(16)}:1`);
    expect(program({ orig: { src: ipv4 } })).toHaveLength(3 + 2 * MANY);
    expect(program({ orig: { src: ipv6 } })).toHaveLength(3 + 8 * MANY);
  });

  test('of filters are refused by the place of the wrong one', () => {
    const filters: object[] = many(() => ({ mark: 1 }));
    filters[MANY - 1] = { mrak: 1 };
    expect(thrownBy(() => parse({ or: filters }))).toEqual(unknown(`or[${MANY - 1}].mrak`));
  });
});

describe('the same, said in two ways', () => {
  test.each<[unknown, unknown]>([
    [undefined, {}],
    [{ protocol: 'tcp' }, { protocol: 6 }],
    [{ protocol: 'tcp' }, { protocol: '6' }],
    [{ protocol: 'tcp' }, { protocol: 'TCP' }],
    [{ protocol: 'tcp' }, { protocol: ['tcp'] }],
    [{ protocol: 'icmpv6' }, { protocol: 58 }],
    [{ protocol: ['udp', '253'] }, { protocol: [17, 253] }],
    [{ port: 80 }, { port: [80, 80] }],
    [{ port: 80 }, { port: [80] }],
    [{ port: 80 }, { port: 80n }],
    [
      { port: [80, 443, 443] },
      {
        port: [
          [80, 80],
          [443, 443],
        ],
      },
    ],
    [{ port: [443, 80, 443] }, { port: [80, 443, 443] }],
    [{ port: [1024, Infinity] }, { port: [1024, 65535] }],
    [{ port: [[1024, Infinity]] }, { port: [1024, 65535] }],
    [
      {
        port: [
          [1, 5],
          [6, 9],
        ],
      },
      { port: [1, 9] },
    ],
    [
      {
        port: [
          [6, 9],
          [1, 7],
        ],
      },
      { port: [1, 9] },
    ],
    [
      {
        port: [
          [1, 9],
          [3, 4],
        ],
      },
      { port: [1, 9] },
    ],
    [{ port: [1, 2, 3] }, { port: [1, 3] }],
    [{ timeout: [60, Infinity] }, { timeout: [60, U32] }],
    [{ bytes: [1, Infinity] }, { bytes: [1n, U64] }],
    [{ bytes: 5n }, { bytes: 5 }],
    [{ packets: [0, 5n] }, { packets: [[0n, 5]] }],
    [{ mark: -0 }, { mark: 0 }],
    [{ mark: 7 }, { mark: { value: 7, mask: U32 } }],
    [{ address: '10.1.2.3/8' }, { address: '10.0.0.0/8' }],
    [{ address: '10.0.0.1/32' }, { address: '10.0.0.1' }],
    [{ address: ['10.128.0.0/9', '10.0.0.0/9'] }, { address: '10.0.0.0/8' }],
    [{ address: ['10.0.0.0/8', '10.9.9.9'] }, { address: '10.0.0.0/8' }],
    [{ address: ['0.0.0.0/1', '128.0.0.0/1'] }, { address: '0.0.0.0/0' }],
    [{ address: 'FD00:0:0::1' }, { address: 'fd00::1/128' }],
    [{ address: '::ffff:10.0.0.1' }, { address: '::ffff:a00:1' }],
    [{ address: ['::/1', '8000::/1'] }, { address: '::/0' }],
    [{ address: ['::1', '10.0.0.1'] }, { address: ['10.0.0.1', '::1'] }],
    [{ address: ['::1', '10.0.0.1'] }, { or: [{ address: '10.0.0.1' }, { address: '::1' }] }],
    [{ state: 'established' }, { state: 'ESTABLISHED' }],
    [{ state: ['CLOSE', 'NONE'] }, { or: [{ state: 'close' }, { state: 'none' }] }],
    [{ status: { all: 'assured' } }, { status: { all: 'ASSURED' } }],
    [{ status: { all: ['assured', 'seenReply'] } }, { status: { all: 6 } }],
    [{ status: { all: ['assured', 'assured'] } }, { status: { all: 4 } }],
    [{ status: { any: ['srcNat', 'DST_NAT'] } }, { status: { any: 0x30 } }],
    [{ status: { none: 'hwOffload' } }, { status: { none: 0x8000 } }],
    [{ status: { all: 0 } }, {}],
    [{ status: { none: 0 } }, {}],
    [{ status: { any: 0 } }, { or: [] }],
    [{ nat: 'src' }, { status: { all: 'srcNat' } }],
    [{ nat: 'none' }, { status: { none: ['srcNat', 'dstNat'] } }],
    [{ nat: 'any' }, { status: { any: ['srcNat', 'dstNat'] } }],
    [{ labels: 5 }, { labels: [5] }],
    [{ labels: [33, 1] }, { labels: [1, 33, 1] }],
    [{ helper: 'ftp' }, { helper: ['ftp'] }],
    [
      { orig: { src: '10.0.0.1', dport: 80 } },
      { and: [{ orig: { src: '10.0.0.1' } }, { orig: { dport: 80 } }] },
    ],
    [{ mark: 1, zone: 2 }, { and: [{ mark: 1 }, { zone: 2 }] }],
    [{ and: [{ and: [{ mark: 1 }] }, {}] }, { mark: 1 }],
    [{ or: [{ mark: 1 }] }, { mark: 1 }],
    [
      { or: [{ or: [{ mark: 1 }, { zone: 2 }] }, { port: 3 }] },
      { or: [{ mark: 1 }, { zone: 2 }, { port: 3 }] },
    ],
    [{ or: [{ mark: 1 }, {}] }, {}],
    [{ and: [{ mark: 1 }, { or: [] }] }, { or: [] }],
    [{ not: { not: { mark: 1 } } }, { mark: 1 }],
    [{ not: {} }, { or: [] }],
    [{ not: { or: [] } }, {}],
    [{ and: [] }, {}],
    [{ orig: {} }, {}],
    [{ status: {} }, {}],
    [{ port: [] }, { or: [] }],
    [{ address: [] }, { or: [] }],
    [{ protocol: [] }, { or: [] }],
    [{ state: [] }, { or: [] }],
    [{ helper: [] }, { or: [] }],
    [{ status: { any: [] } }, { or: [] }],
  ])('%p and %p', (one, other) => {
    expect(program(one)).toEqual(program(other));
  });

  test.each<[unknown, unknown]>([
    [{ orig: { src: '10.0.0.1' } }, { reply: { src: '10.0.0.1' } }],
    [{ orig: { src: '10.0.0.1' } }, { orig: { dst: '10.0.0.1' } }],
    [{ address: '::ffff:10.0.0.1' }, { address: '10.0.0.1' }],
    [{ address: '::10.0.0.1' }, { address: '10.0.0.1' }],
    [{ address: '0.0.0.0/0' }, { family: 'ipv4' }],
    [{ address: '0.0.0.0/0' }, {}],
    [{ orig: { sport: 5 } }, { orig: { srckey: 5 } }],
    [{ zone: 5 }, { orig: { zone: 5 } }],
    [{ port: [80, 443] }, { port: [80, 443, 443] }],
    [{ port: [0, Infinity] }, {}],
    [{ mark: { value: 0, mask: 1 } }, { mark: 0 }],
    [{ status: { all: 6 } }, { status: { any: 6 } }],
    [{ nat: 'none' }, { not: { nat: 'src' } }],
    [{ helper: '' }, {}],
    [{ bytes: 1 }, { packets: 1 }],
  ])('%p is not %p', (one, other) => {
    expect(program(one)).not.toEqual(program(other));
  });
});
