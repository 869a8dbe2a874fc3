/** What cannot be had on the kernel that runs the tests: modules that are missing, other versions. */
import { ConntrackError } from '../../lib/index';
import { type Facts, type Finding, findingsOf, type Seen } from '../../lib/findings';

const KERNEL = '6.18.1-generic';
const ALL_RIGHT = {
  ...{ ipv4Addresses: true, ipv6Addresses: true, ports: true, sctpPorts: true },
  ...{ mark: true, status: true, zone: true },
};
const GOOD: Facts = {
  sysctls: { nf_conntrack_acct: 1, nf_conntrack_timestamp: 1, nf_conntrack_events: 1 },
  entries: 10,
  max: 100,
  counters: { drop: 0, earlyDrop: 0, insertFailed: 0, chainTooLong: 0 },
  receiveBuffer: { asked: 2 ** 26, granted: 2 ** 26 },
  labels: true,
  filters: ALL_RIGHT,
};

function findings(facts: Partial<Facts>, other: Partial<Omit<Seen, 'facts'>> = {}): Finding[] {
  return findingsOf({ kernel: KERNEL, failures: {}, ...other, facts: { ...GOOD, ...facts } });
}

function failed(code: string, hint?: string): ConntrackError {
  const message = `cannot do it: ${code}`;
  return new ConntrackError(hint === undefined ? message : `${message}; ${hint}`, { code, hint });
}

function summary(found: Finding[]): string[] {
  return found.map(({ severity, id }) => `${severity} ${id}`);
}

test('nothing', () => {
  expect(findings({})).toEqual([]);
  expect(findingsOf({ kernel: KERNEL, failures: {}, facts: { sysctls: {} } })).toEqual([]);
});

interface Case extends Partial<Omit<Seen, 'facts'>> {
  facts?: Partial<Facts>;
  found: string[];
}

const REFUSED = { table: failed('EPERM'), events: failed('EPERM') };

function counting(counter: keyof NonNullable<Facts['counters']>): Partial<Facts> {
  return { counters: { drop: 0, earlyDrop: 0, insertFailed: 0, chainTooLong: 0, [counter]: 1 } };
}

test.each<[string, Case]>([
  [
    'no conntrack',
    { facts: { sysctls: {} }, failures: REFUSED, found: ['error module', 'error capability'] },
  ],
  ['no ctnetlink', { failures: { table: failed('EINVAL') }, found: ['error module'] }],
  ['no right', { failures: REFUSED, found: ['error capability'] }],
  ['no events', { failures: { events: failed('ENOMEM') }, found: ['error events'] }],
  ['no addon', { failures: { open: failed('ERR_DLOPEN_FAILED') }, found: ['error addon'] }],
  ['no Linux', { failures: { open: failed('ENOSYS') }, found: ['error open'] }],
  ['80 %', { facts: { entries: 80 }, found: [] }],
  ['81 %', { facts: { entries: 81 }, found: ['warning table-pressure'] }],
  ['94 %', { facts: { entries: 94 }, found: ['warning table-pressure'] }],
  ['95 %', { facts: { entries: 95 }, found: ['error table-pressure'] }],
  ['no limit', { facts: { entries: 1e6, max: 0 }, found: [] }],
  ['dropped', { facts: counting('drop'), found: ['warning dropped'] }],
  ['dropped early', { facts: counting('earlyDrop'), found: ['warning dropped'] }],
  ['not inserted', { facts: counting('insertFailed'), found: ['note insert-failed'] }],
  ['a long chain', { facts: counting('chainTooLong'), found: ['warning hash-chains'] }],
  ['Linux 4.17', { kernel: '4.17.19', found: ['error kernel-too-old'] }],
  ['Linux 6.13', { kernel: '6.13.0-rc1', found: ['note kernel-features'] }],
  ['Linux 6.14', { kernel: '6.14.0', found: [] }],
  ['Linux 7.0', { kernel: '7.0', found: [] }],
])('%s', (_title, { facts = {}, found, ...other }) => {
  const made = findings(facts, other);
  expect(summary(made)).toEqual(found);
  for (const { what, remedy } of made) expect([what, remedy]).not.toContain('');
});

test('the worst comes first', () => {
  const found = findings({
    labels: false,
    entries: 0,
    sysctls: { nf_conntrack_acct: 0, nf_conntrack_timestamp: 0, nf_conntrack_events: 0 },
  });
  expect(summary(found)).toEqual([
    'error events-off',
    'warning accounting-off',
    'note timestamps-off',
    'note nothing-tracked',
    'note labels',
  ]);
});

test('an error says what failed, and its hint is the remedy', () => {
  const [finding] = findings({}, { failures: { open: failed('ENOENT', 'make one') } });
  expect(finding).toMatchObject({ what: 'cannot do it: ENOENT', remedy: 'make one' });
});

test('each kernel is told what it lacks', () => {
  const [old] = findings({}, { kernel: '4.19.0' });
  expect(old!.what).toMatch(/^Linux 4.19.0 lacks .*\(5.8\).*\(5.15\).*\(6.8\).*\(6.12\).*\(6.14\)/);
  const [debian] = findings({}, { kernel: '6.1.0-37-amd64' });
  expect(debian!.what).toMatch(
    /^Linux 6.1.0-37-amd64 lacks listings filtered by zone in the kernel \(6.8\), /,
  );
});

test('filters that were found wrong are named', () => {
  const [finding] = findings({ filters: { ...ALL_RIGHT, ipv6Addresses: false, sctpPorts: false } });
  expect(finding).toMatchObject({
    id: 'kernel-quirks',
    severity: 'note',
    what: "this kernel's own filters of listings are missing or wrong on IPv6 addresses, ports of SCTP, as tried out",
  });
});

test('a small buffer is told in events, with the limit that would do', () => {
  const [finding] = findings({ receiveBuffer: { asked: 2 ** 26, granted: 425984 } });
  expect(finding).toMatchObject({
    id: 'receive-buffer',
    severity: 'warning',
    what: 'the kernel grants events a receive buffer of 0.4 MiB where 64 MiB were asked for: more than 332 at once are lost',
    remedy: expect.stringContaining('net.core.rmem_max=33554432'),
  });
});
