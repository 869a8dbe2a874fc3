import fc from 'fast-check';

import { addressBytes, familyOf, ipv4Text, ipv6Text } from '../../lib/address';

function record(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('latin1');
}

/** URL hosts are serialized by RFC 5952, but for addresses that embed an IPv4 one. */
function canonical(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

const IPV6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
// Mostly zeros, so that runs of them come in all places and lengths.
const SPARSE = fc
  .array(
    fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(0xffff) }),
    {
      minLength: 8,
      maxLength: 8,
    },
  )
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

describe('IPv6 addresses', () => {
  test.each([
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::10.0.0.1', '::10.0.0.1'],
    ['FE80::ABCD', 'fe80::abcd'],
  ])('%s is written as %s', (given, written) => {
    expect(ipv6Text(record(addressBytes(given)), 0)).toBe(written);
  });

  test('are written and read back as they were', () => {
    fc.assert(
      fc.property(fc.oneof(IPV6, SPARSE), (bytes) => {
        const text = ipv6Text(record([...bytes]), 0);
        expect(familyOf(text)).toBe('ipv6');
        expect(addressBytes(text)).toEqual([...bytes]);
        if (!text.includes('.')) expect(text).toBe(canonical(text));
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['', ':', '1::2::3', '12345::', '::g', '::1%lo', '10.0.0.1.', 'localhost', '::1 '])(
    '%j is no address',
    (text) => {
      expect(familyOf(text)).toBeUndefined();
    },
  );
});

test('IPv4 addresses are written and read back as they were', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(familyOf(address)).toBe('ipv4');
      expect(ipv4Text(record(addressBytes(address)), 0)).toBe(address);
    }),
  );
});
