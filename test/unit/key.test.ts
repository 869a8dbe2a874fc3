import fc from 'fast-check';

import { Flow } from '../../lib/flow';
import { encodeKey, type FlowKey } from '../../lib/key';

function decoded(key: FlowKey): Flow {
  return new Flow(Buffer.from(encodeKey(key)).toString('latin1'));
}

const PORT = fc.nat(0xffff);
const IPV4 = fc.record({ src: fc.ipV4(), dst: fc.ipV4() });

test('a key is read back as it was written', () => {
  const tuple = fc
    .tuple(IPV4, PORT, PORT)
    .map(([ends, sport, dport]) => ({ ...ends, sport, dport }));
  fc.assert(
    fc.property(
      tuple,
      fc.constantFrom('tcp', 'udp', 'sctp', 'udplite', 'dccp'),
      fc.constantFrom<'orig' | 'reply'>('orig', 'reply'),
      fc.nat(0xffff),
      (ends, protocol, direction, zone) => {
        const flow = decoded({ protocol, [direction]: ends, zone });
        expect(flow[direction].toJSON()).toEqual(ends);
        expect(flow.zone).toBe(zone);
        expect(flow.family).toBe('ipv4');
        const other = direction === 'orig' ? 'reply' : 'orig';
        expect(flow[other].toJSON()).toEqual({});
      },
    ),
  );
});

const TCP = { src: '10.0.0.1', dst: '10.0.0.2', sport: 1, dport: 2 };
const ICMP = { src: '10.0.0.1', dst: '10.0.0.2', icmpType: 8, icmpCode: 0, icmpId: 1 };

test.each<[string, unknown, RegExp]>([
  ['no object', 7, /^key must be an object, not 7$/],
  ['null', null, /^key must be an object, not null$/],
  ['no tuple', { protocol: 'tcp' }, /^key\.orig or key\.reply is missing$/],
  ['a tuple of another kind', { protocol: 'tcp', orig: 'x' }, /^key\.orig must be an object/],
  ['no protocol', { orig: TCP }, /^key\.protocol is missing$/],
  ['an unknown protocol', { protocol: 'tpc', orig: TCP }, /^key\.protocol must be .* not "tpc"$/],
  ['two protocols', { protocol: 'tcp', protonum: 17, orig: TCP }, /key\.protonum is 17$/],
  ['a protocol number out of range', { protonum: 256, orig: TCP }, /^key\.protonum .* 0 to 255/],
  ['a port out of range', { protocol: 'tcp', orig: { ...TCP, dport: 65536 } }, /^key\.orig\.dport/],
  ['a fractional port', { protocol: 'tcp', orig: { ...TCP, sport: 1.5 } }, /^key\.orig\.sport/],
  [
    'a port as text',
    { protocol: 'tcp', orig: { ...TCP, sport: '1' } },
    /^key\.orig\.sport must be a/,
  ],
  ['a missing port', { protocol: 'tcp', orig: { ...TCP, sport: undefined } }, /sport is missing/],
  ['ports of ICMP', { protocol: 'icmp', orig: { ...ICMP, sport: 1 } }, /sport does not go with/],
  [
    'a missing ICMP id',
    { protocol: 'icmp', orig: { ...ICMP, icmpId: undefined } },
    /icmpId is miss/,
  ],
  ['ports of GRE', { protocol: 'gre', orig: TCP }, /^key\.orig\.sport does not go with/],
  [
    'mixed families',
    { protocol: 'tcp', reply: { ...TCP, dst: '::1' } },
    /^key\.reply\.dst must be/,
  ],
  [
    'another family',
    { family: 'ipv6', protocol: 'tcp', orig: TCP },
    /^key\.orig\.src must be an ipv6/,
  ],
  ['an unknown family', { family: 'ipx', protocol: 'tcp', orig: TCP }, /^key\.family must be one/],
  [
    'no address',
    { protocol: 'tcp', orig: { ...TCP, src: 'localhost' } },
    /^key\.orig\.src must be/,
  ],
  ['a zone out of range', { protocol: 'tcp', orig: TCP, zone: 70_000 }, /^key\.zone must be/],
  ['a negative zone', { protocol: 'tcp', orig: { ...TCP, zone: -1 } }, /^key\.orig\.zone must be/],
])('%s is refused by name', (_, key, wanted) => {
  expect(() => encodeKey(key as FlowKey)).toThrow(wanted);
});
