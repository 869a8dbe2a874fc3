import { type Explanation, type Filter } from '../../lib/index';
import { parseFilter } from '../../lib/filter-parse';
import { planOf } from '../../lib/plan';
import { socketFilter } from '../../lib/socket-filter';

function explain(filter: Filter): Explanation {
  return planOf(parseFilter(filter)).explanation;
}

const OR_NOT = 'the kernel knows neither "or" nor "not"';
const NO_SUCH = 'the kernel has no such filter';
const EXACT = 'the kernel compares exact values only';
const EXACT_ADDRESS = 'the kernel compares exact addresses only';
const ONCE = 'the kernel compares each value once';
const IGNORED = 'the kernel ignores it for this protocol';
const INVERTED = 'the kernel (5.8 to 6.18 at least) inverts its comparison of IPv6 addresses';

type Native = Record<string, string>;

const address = '10.0.0.0/8';
const ssh = { protocol: 'tcp', orig: { dport: 22 } };

test.each<[Filter, string[], Native]>([
  [{}, [], {}],
  [{ and: [] }, [], {}],
  [{ family: 'ipv6' }, ['family ipv6'], {}],
  [{ protocol: 'tcp' }, ['protocol tcp'], {}],
  [{ protocol: ['tcp', 17] }, [], { 'protocol tcp,17': EXACT }],
  [
    { family: 'ipv6', protocol: 6, orig: { dport: 443 } },
    ['family ipv6', 'protocol 6', 'orig.dport = 443'],
    {},
  ],
  [
    { protocol: 'udp', reply: { sport: 53, dport: 1024 } },
    ['protocol udp', 'reply.sport = 53', 'reply.dport = 1024'],
    {},
  ],
  // The protocol counts wherever it stands.
  [{ orig: { dport: 80 }, and: [{ protocol: 'tcp' }] }, ['orig.dport = 80', 'protocol tcp'], {}],
  [
    { orig: { dport: 443 } },
    [],
    { 'orig.dport = 443': 'the kernel compares it only together with a protocol' },
  ],
  [{ protocol: 'sctp', orig: { dport: 443 } }, ['protocol sctp'], { 'orig.dport = 443': IGNORED }],
  [
    { protocol: 'udplite', reply: { sport: 1 } },
    ['protocol udplite'],
    { 'reply.sport = 1': IGNORED },
  ],
  [{ protocol: 'dccp', orig: { sport: 1 } }, ['protocol dccp'], { 'orig.sport = 1': IGNORED }],
  [{ protocol: 'gre', orig: { srckey: 5 } }, ['protocol gre'], { 'orig.srckey = 5': NO_SUCH }],
  [{ protocol: 'tcp', orig: { icmpId: 5 } }, ['protocol tcp'], { 'orig.icmpId = 5': IGNORED }],
  [
    { protocol: 'tcp', orig: { dport: [[80, 81], 443] } },
    ['protocol tcp'],
    { 'orig.dport in (80-81, 443)': EXACT },
  ],
  [{ protocol: 'tcp', orig: { dport: [80, 80] } }, ['protocol tcp', 'orig.dport = 80'], {}],
  [{ port: 53 }, [], { 'port = 53': NO_SUCH }],
  [
    { protocol: 'icmp', orig: { icmpType: 8, icmpCode: 0, icmpId: 7 } },
    ['protocol icmp', 'orig.icmpType = 8', 'orig.icmpCode = 0', 'orig.icmpId = 7'],
    {},
  ],
  [{ orig: { src: '10.0.0.1' } }, ['orig.src 10.0.0.1'], {}],
  [
    { reply: { src: '10.0.0.1/32', dst: '10.0.0.9' } },
    ['reply.src 10.0.0.1/32', 'reply.dst 10.0.0.9'],
    {},
  ],
  [{ orig: { src: address } }, [], { 'orig.src 10.0.0.0/8': EXACT_ADDRESS }],
  [
    { orig: { src: ['10.0.0.1', '10.0.0.3'] } },
    [],
    { 'orig.src in (10.0.0.1, 10.0.0.3)': EXACT_ADDRESS },
  ],
  [
    { address: '10.0.0.1' },
    [],
    { 'address 10.0.0.1': 'the kernel compares one address at a time' },
  ],
  [
    { orig: { src: '10.0.0.1' }, and: [{ orig: { src: '10.0.0.2' } }] },
    ['orig.src 10.0.0.1'],
    { 'orig.src 10.0.0.2': 'the kernel compares each address once' },
  ],
  [{ orig: { src: 'fd00::1' } }, [], { 'orig.src fd00::1': INVERTED }],
  [{ reply: { dst: 'fd00::/8' } }, [], { 'reply.dst fd00::/8': INVERTED }],
  [
    { orig: { src: ['10.0.0.1', 'fd00::1'] } },
    [],
    { 'orig.src 10.0.0.1 or orig.src fd00::1': OR_NOT },
  ],
  [
    { family: 'ipv6', orig: { src: '10.0.0.1' } },
    ['family ipv6'],
    { 'orig.src 10.0.0.1': 'the filter is about another family' },
  ],
  [{ family: 'ipv6', and: [{ family: 'ipv4' }] }, ['family ipv6'], { 'family ipv4': ONCE }],
  [{ protocol: 'tcp', and: [{ protocol: 'udp' }] }, ['protocol tcp'], { 'protocol udp': ONCE }],
  [{ mark: 5 }, ['mark = 5'], {}],
  [{ mark: { value: 0x10, mask: 0xf0 } }, ['mark = 0x10/0xf0'], {}],
  [{ mark: { value: 0, mask: 0 } }, [], { 'mark = 0x0/0x0': 'the kernel refuses an empty mask' }],
  [
    { mark: 1, and: [{ mark: { value: 1, mask: 3 } }] },
    ['mark = 1'],
    { 'mark = 0x1/0x3': 'the kernel compares one mark' },
  ],
  [
    { status: { all: 'assured', none: ['seenReply', 'DYING'] } },
    ['status.all assured', 'status.none seenReply,DYING'],
    {},
  ],
  [{ status: { any: ['assured', 'SRC_NAT'] } }, [], { 'status 0x4 or status 0x10': OR_NOT }],
  [{ nat: 'dst' }, ['nat dst'], {}],
  [{ nat: 'none' }, ['nat none'], {}],
  [{ nat: 'any' }, [], { 'nat src or nat dst': OR_NOT }],
  [
    { status: { all: 'srcNat' }, nat: 'none' },
    ['status.all srcNat'],
    { 'nat none': 'it contradicts another condition' },
  ],
  [{ zone: 5 }, ['zone = 5'], {}],
  [
    { zone: 0 },
    [],
    {
      'zone = 0':
        'the kernel takes zone 0 for no filter, or leaves out flows with a zone per direction',
    },
  ],
  [{ zone: [1, 5] }, [], { 'zone = 1-5': EXACT }],
  [{ orig: { zone: 5 } }, [], { 'orig.zone = 5': NO_SUCH }],
  [{ labels: [1, 2] }, [], { 'labels 1,2': NO_SUCH }],
  [{ helper: 'ftp' }, [], { 'helper ftp': NO_SUCH }],
  [{ state: 'established' }, [], { 'state ESTABLISHED': NO_SUCH }],
  [{ id: 7 }, [], { 'id = 7': NO_SUCH }],
  [{ timeout: [0, 60] }, [], { 'timeout = 0-60': EXACT }],
  [{ orig: { packets: 0 }, bytes: 5 }, [], { 'orig.packets = 0': NO_SUCH, 'bytes = 5': NO_SUCH }],
  [{ not: { protocol: 'tcp' } }, [], { 'not protocol tcp': OR_NOT }],
  [{ not: { not: { mark: 1 } } }, ['mark = 1'], {}],
  [{ or: [{ mark: 1 }] }, ['mark = 1'], {}],
  [{ not: { or: [{ mark: 1 }, { zone: 2 }] } }, [], { 'not (mark = 1 or zone = 2)': OR_NOT }],
  [
    { family: 'ipv4', address, or: [ssh, { not: { mark: 0 } }] },
    ['family ipv4'],
    {
      'address 10.0.0.0/8': 'the kernel compares one address at a time',
      '(protocol tcp and orig.dport = 22) or not mark = 0': OR_NOT,
    },
  ],
])('a listing by %j', (filter, kernel, native) => {
  expect(explain(filter)).toEqual({
    kernel,
    native: Object.keys(native),
    reasons: Object.entries(native).map(([text, reason]) => `${text}: ${reason}`),
  });
});

const NOT_IN_SOCKET = 'not every event carries it in one place, or it is too long';

test.each<[Filter, string[], string[]]>([
  [{}, [], []],
  [{ family: 'ipv6' }, ['family ipv6'], []],
  [{ protocol: ['tcp', 17] }, ['protocol tcp,17'], []],
  [{ orig: { src: address } }, ['orig.src 10.0.0.0/8'], []],
  [{ reply: { dport: [1, 1023] } }, ['reply.dport = 1-1023'], []],
  [{ protocol: 'sctp', orig: { dport: 80 } }, ['protocol sctp', 'orig.dport = 80'], []],
  [{ orig: { src: 'fd00::1' } }, [], ['orig.src fd00::1']],
  [{ address }, [], ['address 10.0.0.0/8']],
  [{ port: 80 }, [], ['port = 80']],
  [{ orig: { icmpType: 8 } }, [], ['orig.icmpType = 8']],
  [{ protocol: 'tcp', mark: 0 }, ['protocol tcp'], ['mark = 0']],
  [{ zone: 5, status: { all: 'assured' } }, [], ['zone = 5', 'status.all assured']],
  [{ not: { protocol: 'tcp' } }, [], ['not protocol tcp']],
])('a subscription to %j', (filter, kernel, native) => {
  const { explanation, program } = socketFilter(parseFilter(filter));
  expect(explanation).toEqual({
    kernel,
    native,
    reasons: native.map((text) => `${text}: ${NOT_IN_SOCKET}`),
  });
  expect(program.length % 8).toBe(0);
});

test('a subscription asks the kernel for as many conditions as a socket takes', () => {
  const odd = Array.from({ length: 256 }, (_, index) => 2 * index + 1);
  const conditions = Array.from({ length: 100 }, () => ({ orig: { dport: odd } }));
  const { explanation, program } = socketFilter(
    parseFilter({ and: [...conditions, { protocol: 'tcp' }] }),
  );
  const BPF_MAXINSNS = 4096;
  expect(program.length / 8).toBeLessThanOrEqual(BPF_MAXINSNS);
  expect(explanation.kernel).toHaveLength(6);
  expect(explanation.kernel).toContain('protocol tcp');
  expect(explanation.native).toHaveLength(95);
});

test('a filter that nothing matches says so', () => {
  for (const filter of [{ or: [] }, { not: {} }, { protocol: [] }, { mark: 1, or: [] }]) {
    expect(explain(filter).native).toEqual(['nothing']);
  }
});
