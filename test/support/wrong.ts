/**
 * Wrong arguments: a value, the class of its error, and what the message says behind the name of the argument.
 * A text is all of it, with `@` for that name; an expression is enough where what counts is the member.
 */
export type WrongClass = typeof TypeError | typeof RangeError;
export type Wrong = readonly [
  what: string,
  value: unknown,
  error: WrongClass,
  says: string | RegExp,
];

/** The pattern of the whole message, for an argument of this name. */
export function pattern(name: string, says: string | RegExp): RegExp {
  const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return typeof says === 'string'
    ? new RegExp(`^${escape(name + says.replaceAll('@', name))}$`)
    : new RegExp(`^${escape(name)}${says.source}`);
}

const ENDS = { src: '10.0.0.1', dst: '10.0.0.2' };
const ENDS6 = { src: 'fd00::1', dst: 'fd00::2' };
const PORTS = { sport: 1, dport: 80 };

/** A flow that nothing is wrong with. */
export const GOOD_FLOW = {
  protocol: 'udp',
  orig: { ...ENDS, sport: 60_000, dport: 60_001 },
  timeout: 1000,
};
export const GOOD_KEY = { protocol: GOOD_FLOW.protocol, orig: GOOD_FLOW.orig };

/** Bytes whose buffer has been given away. */
export function detached(): Uint8Array {
  const bytes = new Uint8Array(16);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function holed<T>(...items: T[]): T[] {
  const list = [...items, ...items];
  Reflect.deleteProperty(list, 0);
  return list;
}

type Members = Record<string, unknown>;

const tcp = (more: Members = {}): Members => ({
  protocol: 'tcp',
  orig: { ...ENDS, ...PORTS },
  timeout: 100,
  ...more,
});
const icmp = (more: Members = {}): Members => ({
  protocol: 'icmp',
  orig: { ...ENDS, icmpType: 8, icmpCode: 0, icmpId: 1, ...more },
  timeout: 100,
});
const gre = (more: Members = {}): Members => ({
  protocol: 'gre',
  orig: { ...ENDS, srckey: 1, dstkey: 2, ...more },
  timeout: 100,
});
const sctp = (more: Members): Members => tcp({ protocol: 'sctp', ...more });
const nat = (src: unknown): Members => tcp({ nat: { src } });

const PORT = 'must be an integer from 0 to 65535';
const ADDRESS = 'must be an IPv4 or IPv6 address';

// --- what is the same for keys and for flows ---

/** Of anything that has a protocol and a tuple; `make` makes one. */
function tuples(make: (members: Members) => Members): Wrong[] {
  const orig = (more: Members): Members => make({ orig: { ...ENDS, ...PORTS, ...more } });
  return [
    ['no object, but a number', 7, TypeError, ' must be an object, not 7'],
    ['no object, but text', 'tcp', TypeError, ' must be an object, not "tcp"'],
    ['no object, but true', true, TypeError, ' must be an object, not true'],
    ['no object, but a symbol', Symbol('flow'), TypeError, ' must be an object, not Symbol(flow)'],
    ['no object, but a bigint', 10n, TypeError, ' must be an object, not 10n'],
    ['no object, but a function', Object, TypeError, ' must be an object, not a function'],
    ['null', null, TypeError, ' must be an object, not null'],
    ['undefined', undefined, TypeError, ' must be an object, not undefined'],
    ['a misspelt member', make({ zoen: 7 }), TypeError, /\.zoen is not known/],
    [
      '__proto__ from JSON',
      { ...make({}), ...protoFromJson() },
      TypeError,
      /\.__proto__ is not known/,
    ],
    [
      'a member called constructor',
      make({ constructor: {} }),
      TypeError,
      /\.constructor is not known/,
    ],
    ['a misspelt member of the tuple', orig({ zoen: 7 }), TypeError, /\.orig\.zoen is not known/],
    [
      'another family',
      make({ family: 'ipv6' }),
      TypeError,
      '.orig.src must be an ipv6 address as the rest of the key is, not 10.0.0.1',
    ],
    [
      'a family that there is not',
      make({ family: 'ipx' }),
      TypeError,
      ".family must be one of 'ipv4', 'ipv6', not \"ipx\"",
    ],
    [
      'a family in capitals',
      make({ family: 'IPv4' }),
      TypeError,
      ".family must be one of 'ipv4', 'ipv6', not \"IPv4\"",
    ],
    [
      'a family by number',
      make({ family: 4 }),
      TypeError,
      ".family must be one of 'ipv4', 'ipv6', not 4",
    ],
    [
      'a family that is null',
      make({ family: null }),
      TypeError,
      ".family must be one of 'ipv4', 'ipv6', not null",
    ],
    ['no protocol', make({ protocol: undefined }), TypeError, '.protocol is missing'],
    [
      'a protocol that there is not',
      make({ protocol: 'tpc' }),
      TypeError,
      '.protocol must be a protocol\'s name or number, not "tpc"',
    ],
    [
      'an empty protocol',
      make({ protocol: '' }),
      TypeError,
      '.protocol must be a protocol\'s name or number, not ""',
    ],
    [
      'a protocol beyond 255',
      make({ protocol: '256' }),
      TypeError,
      '.protocol must be a protocol\'s name or number, not "256"',
    ],
    [
      'a protocol as a number',
      make({ protocol: 6 }),
      TypeError,
      '.protocol must be a string, not 6',
    ],
    [
      'a protocol that is null',
      make({ protocol: null }),
      TypeError,
      '.protocol must be a string, not null',
    ],
    [
      'a list of protocols',
      make({ protocol: ['tcp'] }),
      TypeError,
      '.protocol must be a string, not an array',
    ],
    [
      'a protocol called __proto__',
      make({ protocol: '__proto__' }),
      TypeError,
      '.protocol must be a protocol\'s name or number, not "__proto__"',
    ],
    ['two protocols', make({ protonum: 17 }), TypeError, '.protocol is tcp, but @.protonum is 17'],
    [
      'a protocol number beyond 255',
      make({ protocol: undefined, protonum: 256 }),
      RangeError,
      '.protonum must be an integer from 0 to 255, not 256',
    ],
    [
      'a negative protocol number',
      make({ protocol: undefined, protonum: -1 }),
      RangeError,
      '.protonum must be an integer from 0 to 255, not -1',
    ],
    [
      'a fractional protocol number',
      make({ protocol: undefined, protonum: 6.5 }),
      RangeError,
      '.protonum must be an integer from 0 to 255, not 6.5',
    ],
    [
      'a protocol number as text',
      make({ protocol: undefined, protonum: '6' }),
      TypeError,
      '.protonum must be a number, not "6"',
    ],
    [
      'a protocol number that is null',
      make({ protocol: undefined, protonum: null }),
      TypeError,
      '.protonum must be a number, not null',
    ],
    [
      'orig as text',
      make({ orig: '10.0.0.1' }),
      TypeError,
      '.orig must be an object, not "10.0.0.1"',
    ],
    ['orig as a number', make({ orig: 7 }), TypeError, '.orig must be an object, not 7'],
    [
      'orig that is null',
      make({ orig: null }),
      TypeError,
      /\.orig (must be an object, not null|or \S+ is missing)/,
    ],
    [
      'orig as an array',
      make({ orig: ['10.0.0.1', '10.0.0.2'] }),
      TypeError,
      /\.orig(\.src)? must be/,
    ],
    ['no source', orig({ src: undefined }), TypeError, '.orig.src must be a string, not undefined'],
    [
      'a source that is null',
      orig({ src: null }),
      TypeError,
      '.orig.src must be a string, not null',
    ],
    [
      'a source as a number',
      orig({ src: 0x0a000001 }),
      TypeError,
      '.orig.src must be a string, not 167772161',
    ],
    [
      'a source as bytes',
      orig({ src: Buffer.of(10, 0, 0, 1) }),
      TypeError,
      '.orig.src must be a string, not an object',
    ],
    [
      'a source in a detached buffer',
      orig({ src: detached().buffer }),
      TypeError,
      '.orig.src must be a string, not an object',
    ],
    [
      'a source as a String object',
      orig({ src: Object('10.0.0.1') }),
      TypeError,
      '.orig.src must be a string, not an object',
    ],
    [
      'a source as a symbol',
      orig({ src: Symbol('10.0.0.1') }),
      TypeError,
      '.orig.src must be a string, not Symbol(10.0.0.1)',
    ],
    ['an empty source', orig({ src: '' }), TypeError, `.orig.src ${ADDRESS}, not ""`],
    [
      'a name for a source',
      orig({ src: 'localhost' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "localhost"`,
    ],
    [
      'a network for a source',
      orig({ src: '10.0.0.1/32' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "10.0.0.1/32"`,
    ],
    [
      'three numbers for a source',
      orig({ src: '10.0.1' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "10.0.1"`,
    ],
    [
      'a number beyond 255 in a source',
      orig({ src: '10.0.0.256' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "10.0.0.256"`,
    ],
    [
      'a leading zero in a source',
      orig({ src: '10.0.0.01' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "10.0.0.01"`,
    ],
    [
      'a blank in a source',
      orig({ src: ' 10.0.0.1' }),
      TypeError,
      `.orig.src ${ADDRESS}, not " 10.0.0.1"`,
    ],
    [
      'an interface in a source',
      orig({ src: 'fe80::1%lo' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "fe80::1%lo"`,
    ],
    [
      'brackets around a source',
      orig({ src: '[fd00::1]' }),
      TypeError,
      `.orig.src ${ADDRESS}, not "[fd00::1]"`,
    ],
    [
      'a NUL behind a source',
      orig({ src: '10.0.0.1\0' }),
      TypeError,
      /\.orig\.src must be an IPv4 or IPv6 address/,
    ],
    [
      'a name for a destination',
      orig({ dst: 'localhost' }),
      TypeError,
      `.orig.dst ${ADDRESS}, not "localhost"`,
    ],
    [
      'ends of two families',
      orig({ dst: 'fd00::2' }),
      TypeError,
      '.orig.dst must be an ipv4 address as the rest of the key is, not fd00::2',
    ],
    [
      'ends of two families, the other way',
      make({ orig: { ...ENDS6, ...PORTS, dst: '10.0.0.2' } }),
      TypeError,
      '.orig.dst must be an ipv6 address as the rest of the key is, not 10.0.0.2',
    ],
    [
      'no source port',
      orig({ sport: undefined }),
      TypeError,
      '.orig.sport is missing: it identifies a flow of tcp',
    ],
    [
      'no destination port',
      orig({ dport: undefined }),
      TypeError,
      '.orig.dport is missing: it identifies a flow of tcp',
    ],
    ['a port beyond 65535', orig({ dport: 65536 }), RangeError, `.orig.dport ${PORT}, not 65536`],
    ['a negative port', orig({ sport: -1 }), RangeError, `.orig.sport ${PORT}, not -1`],
    ['a fractional port', orig({ sport: 1.5 }), RangeError, `.orig.sport ${PORT}, not 1.5`],
    ['NaN as a port', orig({ sport: NaN }), RangeError, `.orig.sport ${PORT}, not NaN`],
    [
      'infinity as a port',
      orig({ sport: Infinity }),
      RangeError,
      `.orig.sport ${PORT}, not Infinity`,
    ],
    ['a port as text', orig({ sport: '80' }), TypeError, '.orig.sport must be a number, not "80"'],
    [
      'a port as a bigint',
      orig({ sport: 80n }),
      TypeError,
      '.orig.sport must be a number, not 80n',
    ],
    [
      'a port that is null',
      orig({ sport: null }),
      TypeError,
      '.orig.sport must be a number, not null',
    ],
    [
      'a port that is true',
      orig({ sport: true }),
      TypeError,
      '.orig.sport must be a number, not true',
    ],
    [
      'a range of ports',
      orig({ sport: [1, 2] }),
      TypeError,
      '.orig.sport must be a number, not an array',
    ],
    [
      'a type of ICMP with TCP',
      orig({ icmpType: 8 }),
      TypeError,
      '.orig.icmpType does not go with the protocol tcp',
    ],
    [
      'a key of GRE with TCP',
      orig({ srckey: 0 }),
      TypeError,
      '.orig.srckey does not go with the protocol tcp',
    ],
    [
      'ports with a protocol that has none',
      make({ protocol: '253' }),
      TypeError,
      '.orig.sport does not go with the protocol 253',
    ],
    [
      'ports with ICMP',
      { ...icmp({ sport: 1 }) },
      TypeError,
      '.orig.sport does not go with the protocol icmp',
    ],
    [
      'ICMP without a type',
      icmp({ icmpType: undefined }),
      TypeError,
      '.orig.icmpType is missing: it identifies a flow of icmp',
    ],
    [
      'ICMP without a code',
      icmp({ icmpCode: undefined }),
      TypeError,
      '.orig.icmpCode is missing: it identifies a flow of icmp',
    ],
    [
      'ICMP without an id',
      icmp({ icmpId: undefined }),
      TypeError,
      '.orig.icmpId is missing: it identifies a flow of icmp',
    ],
    [
      'a type of ICMP beyond 255',
      icmp({ icmpType: 256 }),
      RangeError,
      '.orig.icmpType must be an integer from 0 to 255, not 256',
    ],
    [
      'a code of ICMP beyond 255',
      icmp({ icmpCode: 256 }),
      RangeError,
      '.orig.icmpCode must be an integer from 0 to 255, not 256',
    ],
    [
      'an id of ICMP beyond 65535',
      icmp({ icmpId: 65536 }),
      RangeError,
      `.orig.icmpId ${PORT}, not 65536`,
    ],
    [
      'a key of GRE beyond 65535',
      gre({ srckey: 65536 }),
      RangeError,
      `.orig.srckey ${PORT}, not 65536`,
    ],
    [
      'GRE with ports',
      gre({ sport: 1 }),
      TypeError,
      '.orig.sport does not go with the protocol gre',
    ],
    [
      'GRE without a key',
      gre({ dstkey: undefined }),
      TypeError,
      '.orig.dstkey is missing: it identifies a flow of gre',
    ],
    ['a zone beyond 65535', make({ zone: 65536 }), RangeError, `.zone ${PORT}, not 65536`],
    ['a negative zone', make({ zone: -1 }), RangeError, `.zone ${PORT}, not -1`],
    ['a fractional zone', make({ zone: 0.5 }), RangeError, `.zone ${PORT}, not 0.5`],
    ['a zone as text', make({ zone: '7' }), TypeError, '.zone must be a number, not "7"'],
    ['a zone that is null', make({ zone: null }), TypeError, '.zone must be a number, not null'],
    [
      'a zone of a direction beyond 65535',
      orig({ zone: 65536 }),
      RangeError,
      `.orig.zone ${PORT}, not 65536`,
    ],
    [
      'a zone of a direction as text',
      orig({ zone: '7' }),
      TypeError,
      '.orig.zone must be a number, not "7"',
    ],
  ];
}

function protoFromJson(): Members {
  return JSON.parse('{"__proto__": {"zone": 7}}') as Members;
}

// --- flows ---

const U32 = 'must be an integer from 0 to 4294967295';
const FLAGS = 'must be bits, or an array of status flags';

const OF_FLOWS: Wrong[] = [
  ['an array', [tcp()], TypeError, ' must be an object, not an array'],
  ['an empty object', {}, TypeError, '.orig is missing'],
  ['a Map', new Map(Object.entries(tcp())), TypeError, '.orig is missing'],
  [
    'no orig, but a reply',
    { ...tcp(), orig: undefined, reply: tcp()['orig'] },
    TypeError,
    '.orig is missing',
  ],
  [
    'a member of an old library',
    tcp({ nat_src: '192.0.2.1' }),
    TypeError,
    /\.nat_src is not known/,
  ],
  [
    'a reply as text',
    tcp({ reply: '10.0.0.1' }),
    TypeError,
    '.reply must be an object, not "10.0.0.1"',
  ],
  ['a reply that is null', tcp({ reply: null }), TypeError, '.reply must be an object, not null'],
  [
    'a reply of another family',
    tcp({ reply: { ...ENDS6, ...PORTS } }),
    TypeError,
    '.reply.src must be an ipv4 address as the rest of the key is, not fd00::1',
  ],
  [
    'a reply without a port',
    tcp({ reply: { ...ENDS, sport: 1 } }),
    TypeError,
    '.reply.dport is missing: it identifies a flow of tcp',
  ],
  [
    'a reply with a wrong zone',
    tcp({ reply: { ...ENDS, ...PORTS, zone: 'x' } }),
    TypeError,
    '.reply.zone must be a number, not "x"',
  ],
  [
    'ICMP that is no query',
    icmp({ icmpType: 3 }),
    RangeError,
    '.orig.icmpType must be that of a query or its reply, not 3',
  ],
  [
    'no timeout',
    tcp({ timeout: undefined }),
    TypeError,
    '.timeout is missing: seconds until it expires',
  ],
  [
    'a timeout that is null',
    tcp({ timeout: null }),
    TypeError,
    '.timeout must be a number, not null',
  ],
  ['a negative timeout', tcp({ timeout: -1 }), RangeError, `.timeout ${U32}, not -1`],
  [
    'a timeout beyond 32 bits',
    tcp({ timeout: 2 ** 32 }),
    RangeError,
    `.timeout ${U32}, not 4294967296`,
  ],
  ['a fractional timeout', tcp({ timeout: 0.1 }), RangeError, `.timeout ${U32}, not 0.1`],
  ['NaN as a timeout', tcp({ timeout: NaN }), RangeError, `.timeout ${U32}, not NaN`],
  [
    'infinity as a timeout',
    tcp({ timeout: Infinity }),
    RangeError,
    `.timeout ${U32}, not Infinity`,
  ],
  ['a timeout as text', tcp({ timeout: '100' }), TypeError, '.timeout must be a number, not "100"'],
  [
    'a timeout as a bigint',
    tcp({ timeout: 100n }),
    TypeError,
    '.timeout must be a number, not 100n',
  ],
  ['a status flag alone', tcp({ status: 'ASSURED' }), TypeError, `.status ${FLAGS}, not "ASSURED"`],
  ['a status that is null', tcp({ status: null }), TypeError, `.status ${FLAGS}, not null`],
  [
    'a set of status flags',
    tcp({ status: new Set(['ASSURED']) }),
    TypeError,
    `.status ${FLAGS}, not an object`,
  ],
  [
    'status flags to set',
    tcp({ status: { set: ['ASSURED'] } }),
    TypeError,
    `.status ${FLAGS}, not an object`,
  ],
  ['a negative status', tcp({ status: -1 }), RangeError, `.status ${U32}, not -1`],
  [
    'a status beyond 32 bits',
    tcp({ status: 2 ** 32 }),
    RangeError,
    `.status ${U32}, not 4294967296`,
  ],
  [
    'a status flag that there is not',
    tcp({ status: ['ASURED'] }),
    TypeError,
    '.status[0] must be the name of a status flag, not "ASURED"',
  ],
  [
    'a status flag called toString',
    tcp({ status: ['ASSURED', 'toString'] }),
    TypeError,
    '.status[1] must be the name of a status flag, not "toString"',
  ],
  [
    'a status flag by number',
    tcp({ status: [4] }),
    TypeError,
    '.status[0] must be a string, not 4',
  ],
  [
    'a hole in the status flags',
    tcp({ status: holed('ASSURED') }),
    TypeError,
    '.status[0] must be a string, not undefined',
  ],
  ['a negative mark', tcp({ mark: -1 }), RangeError, `.mark ${U32}, not -1`],
  ['a mark beyond 32 bits', tcp({ mark: 2 ** 32 }), RangeError, `.mark ${U32}, not 4294967296`],
  ['a fractional mark', tcp({ mark: 1.5 }), RangeError, `.mark ${U32}, not 1.5`],
  ['a mark as text', tcp({ mark: '0x10' }), TypeError, '.mark must be a number, not "0x10"'],
  ['a mark that is null', tcp({ mark: null }), TypeError, '.mark must be a number, not null'],
  [
    'a mark with a mask',
    tcp({ mark: { value: 1, mask: 1 } }),
    TypeError,
    '.mark must be a number, not an object',
  ],
  [
    'labels as a number',
    tcp({ labels: 7 }),
    TypeError,
    '.labels must be an array of label numbers, not 7',
  ],
  [
    'labels as text',
    tcp({ labels: '7' }),
    TypeError,
    '.labels must be an array of label numbers, not "7"',
  ],
  [
    'labels that are null',
    tcp({ labels: null }),
    TypeError,
    '.labels must be an array of label numbers, not null',
  ],
  [
    'labels as an object',
    tcp({ labels: {} }),
    TypeError,
    '.labels must be an array of label numbers, not an object',
  ],
  [
    'labels as a set',
    tcp({ labels: new Set([7]) }),
    TypeError,
    '.labels must be an array of label numbers, not an object',
  ],
  [
    'labels as bytes',
    tcp({ labels: Uint8Array.of(7) }),
    TypeError,
    '.labels must be an array of label numbers, not an object',
  ],
  [
    'labels in a detached buffer',
    tcp({ labels: detached() }),
    TypeError,
    '.labels must be an array of label numbers, not an object',
  ],
  [
    'a label beyond 127',
    tcp({ labels: [0, 128] }),
    RangeError,
    '.labels[1] must be an integer from 0 to 127, not 128',
  ],
  [
    'a negative label',
    tcp({ labels: [-1] }),
    RangeError,
    '.labels[0] must be an integer from 0 to 127, not -1',
  ],
  [
    'a fractional label',
    tcp({ labels: [1.5] }),
    RangeError,
    '.labels[0] must be an integer from 0 to 127, not 1.5',
  ],
  [
    'the name of a label',
    tcp({ labels: ['eth0'] }),
    TypeError,
    '.labels[0] must be a number, not "eth0"',
  ],
  [
    'a hole in the labels',
    tcp({ labels: holed(1) }),
    TypeError,
    '.labels[0] must be a number, not undefined',
  ],
  [
    'nothing but holes in the labels',
    tcp({ labels: new Array(3) }),
    TypeError,
    '.labels[0] must be a number, not undefined',
  ],
  [
    'a hundred thousand labels, the last one wrong',
    tcp({ labels: [...new Array<number>(100_000).fill(1), 128] }),
    RangeError,
    '.labels[100000] must be an integer from 0 to 127, not 128',
  ],
  ['a helper by number', tcp({ helper: 21 }), TypeError, '.helper must be a string, not 21'],
  ['a helper that is null', tcp({ helper: null }), TypeError, '.helper must be a string, not null'],
  [
    'a helper of sixteen letters',
    tcp({ helper: 'a'.repeat(16) }),
    RangeError,
    '.helper must have at most 15 bytes, and no NUL',
  ],
  [
    'a helper of sixteen bytes',
    tcp({ helper: 'ü'.repeat(8) }),
    RangeError,
    '.helper must have at most 15 bytes, and no NUL',
  ],
  [
    'a helper with a NUL',
    tcp({ helper: 'ftp\0' }),
    RangeError,
    '.helper must have at most 15 bytes, and no NUL',
  ],
  [
    'a helper of a million letters',
    tcp({ helper: 'a'.repeat(1e6) }),
    RangeError,
    '.helper must have at most 15 bytes, and no NUL',
  ],
  [
    'a master as text',
    tcp({ master: '10.0.0.1' }),
    TypeError,
    '.master must be an object, not "10.0.0.1"',
  ],
  [
    'a master that is null',
    tcp({ master: null }),
    TypeError,
    '.master must be an object, not null',
  ],
  [
    'a master without a port',
    tcp({ master: { ...ENDS, sport: 1 } }),
    TypeError,
    '.master.dport is missing: it identifies a flow of tcp',
  ],
  [
    'a master of another family',
    tcp({ master: { ...ENDS6, ...PORTS } }),
    TypeError,
    '.master.src must be an ipv4 address as the rest of the key is, not fd00::1',
  ],
  [
    'a master of a protocol that there is not',
    tcp({ master: { ...ENDS, ...PORTS, protocol: 'tpc' } }),
    TypeError,
    '.master.protocol must be a protocol\'s name or number, not "tpc"',
  ],
  [
    'a master of another protocol, with ports',
    tcp({ master: { ...ENDS, ...PORTS, protocol: 'icmp' } }),
    TypeError,
    '.master.sport does not go with the protocol icmp',
  ],
  [
    'a misspelt member of the master',
    tcp({ master: { ...ENDS, ...PORTS, protcol: 'udp' } }),
    TypeError,
    /\.master\.protcol is not known/,
  ],
  ['NAT as text', tcp({ nat: 'src' }), TypeError, '.nat must be an object, not "src"'],
  ['NAT that is null', tcp({ nat: null }), TypeError, '.nat must be an object, not null'],
  [
    'NAT as an array',
    tcp({ nat: [{ src: {} }] }),
    TypeError,
    '.nat must be an object, not an array',
  ],
  ['NAT with a misspelt member', tcp({ nat: { snat: {} } }), TypeError, /\.nat\.snat is not known/],
  ['NAT of nothing', tcp({ nat: {} }), TypeError, /\.nat must have src or dst/],
  ['NAT to nothing', nat({}), TypeError, '.nat.src must have an address or a port'],
  ['NAT to null', nat(null), TypeError, '.nat.src must be an object, not null'],
  ['NAT to text', nat('192.0.2.1'), TypeError, '.nat.src must be an object, not "192.0.2.1"'],
  [
    'NAT to a misspelt member',
    nat({ adress: '192.0.2.1' }),
    TypeError,
    /\.nat\.src\.adress is not known/,
  ],
  [
    'NAT to a name',
    nat({ address: 'localhost' }),
    TypeError,
    '.nat.src.address must be an ipv4 address or two of them, not "localhost"',
  ],
  [
    'NAT to a network',
    nat({ address: '192.0.2.0/24' }),
    TypeError,
    '.nat.src.address must be an ipv4 address or two of them, not "192.0.2.0/24"',
  ],
  [
    'NAT to another family',
    nat({ address: 'fd00::1' }),
    TypeError,
    '.nat.src.address must be an ipv4 address or two of them, not "fd00::1"',
  ],
  [
    'NAT of IPv6 to IPv4',
    tcp({ orig: { ...ENDS6, ...PORTS }, nat: { dst: { address: '192.0.2.1' } } }),
    TypeError,
    '.nat.dst.address must be an ipv6 address or two of them, not "192.0.2.1"',
  ],
  [
    'NAT to two families',
    nat({ address: ['192.0.2.1', 'fd00::1'] }),
    TypeError,
    '.nat.src.address must be an ipv4 address or two of them, not "fd00::1"',
  ],
  ['NAT to no address', nat({ address: [] }), TypeError, /\.nat\.src\.address must be/],
  [
    'NAT to one address in a list',
    nat({ address: ['192.0.2.1'] }),
    TypeError,
    /\.nat\.src\.address must be/,
  ],
  [
    'NAT to three addresses',
    nat({ address: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] }),
    TypeError,
    /\.nat\.src\.address must be/,
  ],
  [
    'NAT to a range that ends before it begins',
    nat({ address: ['192.0.2.9', '192.0.2.1'] }),
    RangeError,
    /\.nat\.src\.address must not end/,
  ],
  [
    'NAT to such a range of IPv6',
    tcp({ orig: { ...ENDS6, ...PORTS }, nat: { dst: { address: ['fd00::2', 'fd00::1'] } } }),
    RangeError,
    /\.nat\.dst\.address must not end/,
  ],
  [
    'NAT to a port beyond 65535',
    nat({ port: 65536 }),
    RangeError,
    /\.nat\.src\.port must be an integer from 0 to 65535/,
  ],
  [
    'NAT to a negative port',
    nat({ port: -1 }),
    RangeError,
    /\.nat\.src\.port must be an integer from 0 to 65535/,
  ],
  [
    'NAT to a port as text',
    nat({ port: '80' }),
    TypeError,
    '.nat.src.port must be a number, not "80"',
  ],
  [
    'NAT to a port that is null',
    nat({ port: null }),
    TypeError,
    '.nat.src.port must be a number, not null',
  ],
  [
    'NAT to ports that end before they begin',
    nat({ port: [2, 1] }),
    RangeError,
    /\.nat\.src\.port must/,
  ],
  ['NAT to one port in a list', nat({ port: [1] }), TypeError, /\.nat\.src\.port must be/],
  ['NAT to three ports', nat({ port: [1, 2, 3] }), TypeError, /\.nat\.src\.port must be/],
  [
    'a state that there is not',
    tcp({ state: 'ESTABLISHD' }),
    TypeError,
    '.state must be a state of this protocol, not "ESTABLISHD"',
  ],
  [
    'a state of SCTP',
    tcp({ state: 'COOKIE_WAIT' }),
    TypeError,
    '.state must be a state of this protocol, not "COOKIE_WAIT"',
  ],
  [
    'a state beyond 255',
    tcp({ state: '256' }),
    RangeError,
    '.state must be an integer from 0 to 255, not 256',
  ],
  [
    'a negative state',
    tcp({ state: '-1' }),
    TypeError,
    '.state must be a state of this protocol, not "-1"',
  ],
  [
    'an empty state',
    tcp({ state: '' }),
    TypeError,
    '.state must be a state of this protocol, not ""',
  ],
  ['a state by number', tcp({ state: 3 }), TypeError, '.state must be a string, not 3'],
  ['a state that is null', tcp({ state: null }), TypeError, '.state must be a string, not null'],
  [
    'a state of UDP',
    tcp({ protocol: 'udp', state: 'ESTABLISHED' }),
    TypeError,
    '.state does not go with the protocol udp',
  ],
  [
    'two states',
    tcp({ state: 'ESTABLISHED', tcp: { state: 'CLOSE' } }),
    TypeError,
    '.state is ESTABLISHED, but @.tcp.state is CLOSE',
  ],
  ['tcp that is null', tcp({ tcp: null }), TypeError, '.tcp must be an object, not null'],
  ['tcp as an array', tcp({ tcp: [] }), TypeError, '.tcp must be an object, not an array'],
  [
    'tcp with a misspelt member',
    tcp({ tcp: { sate: 'CLOSE' } }),
    TypeError,
    /\.tcp\.sate is not known/,
  ],
  [
    'tcp with a state that there is not',
    tcp({ tcp: { state: 'OPEN' } }),
    TypeError,
    '.tcp.state must be a state of this protocol, not "OPEN"',
  ],
  [
    'a window scale beyond 14',
    tcp({ tcp: { origWindowScale: 15, replyWindowScale: 1 } }),
    RangeError,
    '.tcp.origWindowScale must be an integer from 0 to 14, not 15',
  ],
  [
    'a window scale as text',
    tcp({ tcp: { origWindowScale: 1, replyWindowScale: '7' } }),
    TypeError,
    '.tcp.replyWindowScale must be a number, not "7"',
  ],
  [
    'TCP flags as a number',
    tcp({ tcp: { origFlags: 1 } }),
    TypeError,
    '.tcp.origFlags must be an object, not 1',
  ],
  [
    'TCP flags without a mask',
    tcp({ tcp: { origFlags: { value: 1 } } }),
    TypeError,
    '.tcp.origFlags.mask must be a number, not undefined',
  ],
  [
    'TCP flags beyond 255',
    tcp({ tcp: { replyFlags: { value: 256, mask: 1 } } }),
    RangeError,
    '.tcp.replyFlags.value must be an integer from 0 to 255, not 256',
  ],
  [
    'a negative mask of TCP flags',
    tcp({ tcp: { replyFlags: { value: 1, mask: -1 } } }),
    RangeError,
    '.tcp.replyFlags.mask must be an integer from 0 to 255, not -1',
  ],
  [
    'tcp with UDP',
    tcp({ protocol: 'udp', tcp: { state: 'CLOSE' } }),
    TypeError,
    '.tcp does not go with the protocol udp',
  ],
  [
    'sctp with TCP',
    tcp({ sctp: { state: 'ESTABLISHED', origVtag: 1, replyVtag: 2 } }),
    TypeError,
    '.sctp does not go with the protocol tcp',
  ],
  [
    'dccp with TCP',
    tcp({ dccp: { state: 'OPEN', role: 1 } }),
    TypeError,
    '.dccp does not go with the protocol tcp',
  ],
  [
    'tcp and sctp',
    tcp({ tcp: { state: 'CLOSE' }, sctp: { state: 'CLOSED' } }),
    TypeError,
    ' must have one of tcp, sctp and dccp, not several',
  ],
  ['sctp of nothing', sctp({ sctp: {} }), TypeError, /\.sctp\.\w+ is missing/],
  [
    'sctp without a tag',
    sctp({ sctp: { state: 'CLOSED', origVtag: 1 } }),
    TypeError,
    /\.sctp\.replyVtag is missing/,
  ],
  [
    'a tag beyond 32 bits',
    sctp({ sctp: { state: 'CLOSED', origVtag: 2 ** 32, replyVtag: 1 } }),
    RangeError,
    `.sctp.origVtag ${U32}, not 4294967296`,
  ],
  [
    'a tag as text',
    sctp({ sctp: { state: 'CLOSED', origVtag: '1', replyVtag: 1 } }),
    TypeError,
    '.sctp.origVtag must be a number, not "1"',
  ],
  [
    'a role of DCCP beyond 1',
    tcp({ protocol: 'dccp', dccp: { role: 2 } }),
    RangeError,
    '.dccp.role must be an integer from 0 to 1, not 2',
  ],
  [
    'a sequence number of DCCP beyond 48 bits',
    tcp({ protocol: 'dccp', dccp: { handshakeSeq: 2 ** 48 } }),
    RangeError,
    '.dccp.handshakeSeq must be an integer from 0 to 281474976710655, not 281474976710656',
  ],
  [
    'sequence numbers that are null',
    tcp({ seqAdjust: null }),
    TypeError,
    '.seqAdjust must be an object, not null',
  ],
  [
    'sequence numbers of a misspelt direction',
    tcp({ seqAdjust: { original: {} } }),
    TypeError,
    /\.seqAdjust\.original is not known/,
  ],
  [
    'sequence numbers of nothing',
    tcp({ seqAdjust: { orig: {} } }),
    TypeError,
    '.seqAdjust.orig.position must be a number, not undefined',
  ],
  [
    'an offset beyond 31 bits',
    tcp({ seqAdjust: { reply: { position: 1, offsetBefore: 2 ** 31, offsetAfter: 0 } } }),
    RangeError,
    '.seqAdjust.reply.offsetBefore must be an integer from -2147483648 to 2147483647, not 2147483648',
  ],
  [
    'a negative position',
    tcp({ seqAdjust: { orig: { position: -1, offsetBefore: 0, offsetAfter: 0 } } }),
    RangeError,
    `.seqAdjust.orig.position ${U32}, not -1`,
  ],
  [
    'SYNPROXY that is null',
    tcp({ synproxy: null }),
    TypeError,
    '.synproxy must be an object, not null',
  ],
  [
    'SYNPROXY of nothing',
    tcp({ synproxy: {} }),
    TypeError,
    '.synproxy.isn must be a number, not undefined',
  ],
  [
    'SYNPROXY beyond 32 bits',
    tcp({ synproxy: { isn: 0, its: 2 ** 32, tsoff: 0 } }),
    RangeError,
    `.synproxy.its ${U32}, not 4294967296`,
  ],
];

/** Of flows that are to be made. */
export const WRONG_FLOWS: readonly Wrong[] = [...tuples(tcp), ...OF_FLOWS];

// --- keys ---

const key = (members: Members): Members => ({
  protocol: 'tcp',
  orig: { ...ENDS, ...PORTS },
  ...members,
});

/** Of keys, for every call that takes one. */
export const WRONG_KEYS: readonly Wrong[] = [
  ...tuples(key),
  [
    'an array',
    [key({})],
    TypeError,
    / must be an object, not an array|\.orig or .*reply is missing/,
  ],
  ['an empty object', {}, TypeError, /\.orig or \S+\.reply is missing/],
  ['a Map', new Map(Object.entries(key({}))), TypeError, /\.orig or \S+\.reply is missing/],
  ['neither tuple', { protocol: 'tcp', zone: 1 }, TypeError, /\.orig or \S+\.reply is missing/],
  [
    'orig that is null beside a reply',
    { protocol: 'tcp', orig: null, reply: { ...ENDS, ...PORTS } },
    TypeError,
    '.orig must be an object, not null',
  ],
  [
    'a reply of two families',
    { protocol: 'tcp', reply: { ...PORTS, src: ENDS.src, dst: ENDS6.dst } },
    TypeError,
    '.reply.dst must be an ipv4 address as the rest of the key is, not fd00::2',
  ],
];

/** Of keys, for calls that delete by them. */
export const WRONG_DOOMED: readonly Wrong[] = [
  ['a negative id', key({ id: -1 }), RangeError, `.id ${U32}, not -1`],
  ['an id beyond 32 bits', key({ id: 2 ** 32 }), RangeError, `.id ${U32}, not 4294967296`],
  ['an id as text', key({ id: '1' }), TypeError, '.id must be a number, not "1"'],
  ['an id that is null', key({ id: null }), TypeError, '.id must be a number, not null'],
  ['NaN as an id', key({ id: NaN }), RangeError, `.id ${U32}, not NaN`],
];

// --- changes ---

/** Of changes. */
export const WRONG_CHANGES: readonly Wrong[] = [
  ['undefined', undefined, TypeError, ' must not be empty'],
  ['null', null, TypeError, ' must be an object, not null'],
  ['a number', 7, TypeError, ' must be an object, not 7'],
  ['text', 'mark', TypeError, ' must be an object, not "mark"'],
  ['an array', [{ mark: 1 }], TypeError, ' must be an object, not an array'],
  ['a function', Object, TypeError, ' must be an object, not a function'],
  ['an empty object', {}, TypeError, ' must not be empty'],
  ['a Map', new Map([['mark', 1]]), TypeError, / must (not be empty|be a plain object)/],
  [
    'a prototype that has them',
    Object.create({ mark: 1 }),
    TypeError,
    / must (not be empty|be a plain object)/,
  ],
  [
    'nothing but undefined',
    { mark: undefined, timeout: undefined },
    TypeError,
    ' must not be empty',
  ],
  ['a misspelt member', { makr: 1 }, TypeError, /\.makr is not known/],
  ['__proto__ from JSON', protoFromJson(), TypeError, /\.__proto__ is not known/],
  ['a zone', { zone: 7 }, TypeError, /\.zone is not known/],
  ['NAT', { nat: { src: { address: '192.0.2.1' } } }, TypeError, /\.nat is not known/],
  ['a tuple', { orig: { ...ENDS, ...PORTS } }, TypeError, /\.orig is not known/],
  ['a state', { state: 'CLOSE' }, TypeError, /\.state is not known/],
  ['a timeout as text', { timeout: '1' }, TypeError, '.timeout must be a number, not "1"'],
  ['a timeout that is null', { timeout: null }, TypeError, '.timeout must be a number, not null'],
  ['a negative timeout', { timeout: -1 }, RangeError, `.timeout ${U32}, not -1`],
  ['infinity as a timeout', { timeout: Infinity }, RangeError, `.timeout ${U32}, not Infinity`],
  ['a mark as text', { mark: '1' }, TypeError, '.mark must be an object, not "1"'],
  ['a mark that is null', { mark: null }, TypeError, '.mark must be an object, not null'],
  ['a mark beyond 32 bits', { mark: 2 ** 32 }, RangeError, `.mark ${U32}, not 4294967296`],
  [
    'a mark without a mask',
    { mark: { value: 1 } },
    TypeError,
    '.mark.mask must be a number, not undefined',
  ],
  [
    'a mark without a value',
    { mark: { mask: 1 } },
    TypeError,
    '.mark.value must be a number, not undefined',
  ],
  [
    'a mark beyond its mask',
    { mark: { value: 3, mask: 2 } },
    RangeError,
    '.mark.value (3) has bits that @.mark.mask (2) has not',
  ],
  [
    'a misspelt member of the mark',
    { mark: { value: 1, msak: 1 } },
    TypeError,
    /\.mark\.msak is not known/,
  ],
  [
    'a status flag alone',
    { status: 'ASSURED' },
    TypeError,
    '.status must be an object, not "ASSURED"',
  ],
  ['a status that is null', { status: null }, TypeError, '.status must be an object, not null'],
  [
    'a status flag that there is not',
    { status: ['ASURED'] },
    TypeError,
    '.status[0] must be the name of a status flag, not "ASURED"',
  ],
  [
    'a status flag to set that there is not',
    { status: { set: ['x'] } },
    TypeError,
    '.status.set[0] must be the name of a status flag, not "x"',
  ],
  [
    'a status flag to clear by number',
    { status: { clear: [4] } },
    TypeError,
    '.status.clear[0] must be a string, not 4',
  ],
  [
    'status flags to set that are null',
    { status: { set: null } },
    TypeError,
    `.status.set ${FLAGS}, not null`,
  ],
  [
    'a flag to set and to clear',
    { status: { set: ['ASSURED'], clear: ['assured'] } },
    TypeError,
    '.status must not set and clear the same flag',
  ],
  [
    'a misspelt member of the status',
    { status: { add: ['ASSURED'] } },
    TypeError,
    /\.status\.add is not known/,
  ],
  ['a negative status', { status: -1 }, RangeError, `.status ${U32}, not -1`],
  ['labels as text', { labels: '1' }, TypeError, /\.labels must be/],
  ['labels that are null', { labels: null }, TypeError, '.labels must be an object, not null'],
  [
    'a label beyond 127',
    { labels: [128] },
    RangeError,
    '.labels[0] must be an integer from 0 to 127, not 128',
  ],
  [
    'a label to set beyond 127',
    { labels: { set: [128] } },
    RangeError,
    '.labels.set[0] must be an integer from 0 to 127, not 128',
  ],
  [
    'labels to clear as a number',
    { labels: { clear: 7 } },
    TypeError,
    '.labels.clear must be an array of label numbers, not 7',
  ],
  [
    'labels to set that are null',
    { labels: { set: null } },
    TypeError,
    '.labels.set must be an array of label numbers, not null',
  ],
  [
    'a label to set and to clear',
    { labels: { set: [1, 2], clear: [2] } },
    TypeError,
    '.labels must not set and clear the same label',
  ],
  [
    'nothing but holes in the labels',
    { labels: new Array(2) },
    TypeError,
    '.labels[0] must be a number, not undefined',
  ],
  [
    'a misspelt member of the labels',
    { labels: { add: [1] } },
    TypeError,
    /\.labels\.add is not known/,
  ],
  ['a helper by number', { helper: 7 }, TypeError, '.helper must be a string, not 7'],
  [
    'a helper of sixteen letters',
    { helper: 'a'.repeat(16) },
    RangeError,
    '.helper must have at most 15 bytes, and no NUL',
  ],
  [
    'tcp and sctp',
    { tcp: { state: 'CLOSE' }, sctp: { state: 'CLOSED' } },
    TypeError,
    ' must have one of tcp, sctp and dccp, not several',
  ],
  [
    'a state of TCP that there is not',
    { tcp: { state: 'OPEN' } },
    TypeError,
    '.tcp.state must be a state of this protocol, not "OPEN"',
  ],
  [
    'a window scale beyond 14',
    { tcp: { origWindowScale: 15 } },
    RangeError,
    '.tcp.origWindowScale must be an integer from 0 to 14, not 15',
  ],
  [
    'sctp without its tags',
    { sctp: { state: 'CLOSED' } },
    TypeError,
    /\.sctp\.origVtag is missing/,
  ],
  [
    'a role of DCCP beyond 1',
    { dccp: { role: 2 } },
    RangeError,
    '.dccp.role must be an integer from 0 to 1, not 2',
  ],
  [
    'sequence numbers of nothing',
    { seqAdjust: { orig: {} } },
    TypeError,
    '.seqAdjust.orig.position must be a number, not undefined',
  ],
  [
    'SYNPROXY of nothing',
    { synproxy: {} },
    TypeError,
    '.synproxy.isn must be a number, not undefined',
  ],
];

// --- filters; their own tests have many more ---

/** Of filters. */
export const WRONG_FILTERS: readonly Wrong[] = [
  ['null', null, TypeError, ' must be an object, not null'],
  ['a number', 7, TypeError, ' must be an object, not 7'],
  ['text', 'tcp', TypeError, ' must be an object, not "tcp"'],
  ['an array', [{ mark: 1 }], TypeError, ' must be an object, not an array'],
  ['a function', Object, TypeError, ' must be an object, not a function'],
  ['a misspelt member', { protcol: 'tcp' }, TypeError, /\.protcol is not known/],
  ['a member that is undefined', { mark: 1, zone: undefined }, TypeError, /\.zone is undefined/],
  ['a port at the top', { sport: 1 }, TypeError, /\.sport is not known/],
  [
    'a port beyond 65535',
    { port: 65536 },
    RangeError,
    '.port must be an integer from 0 to 65535, not 65536',
  ],
  ['a range that ends before it begins', { port: [2, 1] }, RangeError, /\.port must not end/],
  ['a prefix beyond 32', { address: '10.0.0.0/33' }, RangeError, /\.address: the prefix length/],
  ['a mark as text', { mark: '1' }, TypeError, '.mark must be a number, not "1"'],
  [
    'a mark beyond its mask',
    { mark: { value: 3, mask: 2 } },
    RangeError,
    /\.mark\.value \(3\) has bits/,
  ],
  [
    'a family that there is not',
    { family: 'ip' },
    TypeError,
    ".family must be one of 'ipv4', 'ipv6', not \"ip\"",
  ],
  [
    'a wrong one in "or"',
    { or: [{ mark: 1 }, { mark: 'x' }] },
    TypeError,
    '.or[1].mark must be a number, not "x"',
  ],
  [
    'a wrong one in "not"',
    { not: { orig: { dport: -1 } } },
    RangeError,
    '.not.orig.dport must be an integer from 0 to 65535, not -1',
  ],
];
