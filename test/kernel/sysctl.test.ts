import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Control } from '../../lib/control';
import type { Outcome } from '../../lib/errors';
import { Conntrack, ConntrackError, type SysctlName } from '../../lib/index';
import type { Answer, NativeControl } from '../../lib/native';
import { TestNamespace } from '../support/netns';
import { testing } from '../support/testing';
import { ping } from '../support/traffic';
import { waitFor } from '../support/wait';

const DIRECTORY = '/proc/sys/net/netfilter';
const MAX = join(DIRECTORY, 'nf_conntrack_max');
const HOME = '127.0.0.1';

const opened: Conntrack[] = [];

async function open(namespace: TestNamespace): Promise<Conntrack> {
  const ct = await Conntrack.open({ netns: namespace.path });
  opened.push(ct);
  return ct;
}

function tracked(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.track();
  return namespace;
}

async function refusal(promise: Promise<unknown>): Promise<ConntrackError> {
  const outcome = await promise.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ConntrackError);
  return outcome as ConntrackError;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((ct) => ct.close()));
  TestNamespace.closeAll();
});

describe('list', () => {
  test('has every sysctl of the kernel, with its value', async () => {
    const namespace = TestNamespace.create();
    namespace.sysctl('nf_conntrack_udp_timeout', 77);
    const entries = await (await open(namespace)).sysctl.list();
    const names = readdirSync(DIRECTORY).filter((name) => name.startsWith('nf_conntrack_'));
    expect(entries.map(({ name }) => name)).toEqual(names.sort());
    for (const { name, value } of entries) {
      expect([name, value]).toEqual([name, Number(namespace.sysctl(name))]);
    }
    expect(entries.find(({ name }) => name === 'nf_conntrack_udp_timeout')).toEqual({
      name: 'nf_conntrack_udp_timeout',
      value: 77,
      unit: 'seconds',
      min: 0,
      max: 21_474_836,
      writable: true,
      scope: 'namespace',
      meaning: 'life of a UDP flow without a lasting exchange',
    });
  });

  test('knows unit, range, scope and meaning of all that this kernel has', async () => {
    const entries = await (await open(TestNamespace.create())).sysctl.list();
    for (const entry of entries) {
      expect(entry).toEqual({
        name: entry.name,
        value: expect.any(Number),
        unit: expect.stringMatching(/^(seconds|count|boolean|choice|bytes)$/),
        min: expect.any(Number),
        max: expect.any(Number),
        writable: expect.any(Boolean),
        scope: expect.stringMatching(/^(initial )?namespace$/),
        meaning: expect.stringMatching(/^.{10,120}$/),
      });
      expect(entry.value).toBeGreaterThanOrEqual(entry.min!);
      expect(entry.value).toBeLessThanOrEqual(entry.max!);
    }
  });

  test('says what may be set here', async () => {
    const entries = await (await open(TestNamespace.create())).sysctl.list();
    const fixed = entries.filter(({ writable }) => !writable);
    expect(fixed).toMatchObject([
      { name: 'nf_conntrack_buckets', scope: 'initial namespace' },
      { name: 'nf_conntrack_count', scope: 'namespace' },
      { name: 'nf_conntrack_expect_max', scope: 'initial namespace' },
      { name: 'nf_conntrack_max', scope: 'initial namespace' },
    ]);
  });
});

describe('get and set', () => {
  test('reach the namespace that was opened, and no other', async () => {
    const [first, second] = [TestNamespace.create(), TestNamespace.create()];
    second.sysctl('nf_conntrack_acct', 0);
    const { sysctl } = await open(first);
    await sysctl.set('nf_conntrack_acct', 1);
    expect(first.sysctl('nf_conntrack_acct')).toBe('1');
    expect(second.sysctl('nf_conntrack_acct')).toBe('0');
    await sysctl.set('net.netfilter.nf_conntrack_acct', 0);
    expect(first.sysctl('nf_conntrack_acct')).toBe('0');
    first.sysctl('nf_conntrack_acct', 1);
    expect(await sysctl.get('nf_conntrack_acct')).toBe(1);
    expect(await sysctl.get('net.netfilter.nf_conntrack_acct')).toBe(1);
  });

  test('take the whole range, and the kernel refuses what we refuse', async () => {
    const namespace = TestNamespace.create();
    const { sysctl } = await open(namespace);
    const entries = (await sysctl.list()).filter(({ writable }) => writable);
    expect(entries.length).toBeGreaterThan(10);
    for (const { name, value, unit, min = NaN, max = NaN } of entries) {
      const known = name as SysctlName;
      // The largest of the others hang on the kernel's clock and on one another.
      const values = ['boolean', 'choice', 'count'].includes(unit!) ? [min, max, value] : [value];
      for (const each of values) {
        await sysctl.set(known, each);
        expect(namespace.sysctl(name)).toBe(String(each));
      }
      await expect(sysctl.set(known, max + 1)).rejects.toThrow(RangeError);
      await expect(sysctl.set(known, min - 1)).rejects.toThrow(RangeError);
      if (unit !== 'bytes') {
        expect(() => namespace.sysctl(name, max + 1)).toThrow('EINVAL');
      }
      expect(namespace.sysctl(name)).toBe(String(value));
    }
  });

  test.each<[string, unknown, unknown, string | RegExp]>([
    ['TypeError', 7, 1, "name must be the name of a sysctl, such as 'nf_conntrack_max', not 7"],
    ['TypeError', 'acct', 1, `name must be the name of a sysctl, such as 'nf_conntrack_max', not "acct"`], // prettier-ignore
    ['TypeError', 'nf_conntrack_../x', 1, `name must be the name of a sysctl, such as 'nf_conntrack_max', not "nf_conntrack_../x"`], // prettier-ignore
    ['TypeError', 'net.ipv4.ip_forward', 1, `name must be the name of a sysctl, such as 'nf_conntrack_max', not "net.ipv4.ip_forward"`], // prettier-ignore
    ['TypeError', 'nf_conntrack_acct\0', 1, /^name must be the name of a sysctl/],
    ['TypeError', 'nf_conntrack_acct', '1', 'nf_conntrack_acct must be a number, not "1"'],
    ['TypeError', 'nf_conntrack_acct', true, 'nf_conntrack_acct must be a number, not true'],
    ['TypeError', 'nf_conntrack_acct', undefined, 'nf_conntrack_acct must be a number, not undefined'], // prettier-ignore
    ['RangeError', 'nf_conntrack_acct', 2, 'nf_conntrack_acct must be an integer from 0 to 1, not 2'], // prettier-ignore
    ['RangeError', 'nf_conntrack_events', 3, 'nf_conntrack_events must be an integer from 0 to 2, not 3'], // prettier-ignore
    ['RangeError', 'nf_conntrack_icmp_timeout', -1, 'nf_conntrack_icmp_timeout must be an integer from 0 to 21474836, not -1'], // prettier-ignore
    ['RangeError', 'nf_conntrack_icmp_timeout', 0.5, 'nf_conntrack_icmp_timeout must be an integer from 0 to 21474836, not 0.5'], // prettier-ignore
    ['RangeError', 'nf_conntrack_icmp_timeout', NaN, 'nf_conntrack_icmp_timeout must be an integer from 0 to 21474836, not NaN'], // prettier-ignore
    ['RangeError', 'nf_conntrack_unknown', 2 ** 53, 'nf_conntrack_unknown must be an integer from -9007199254740991 to 9007199254740991, not 9007199254740992'], // prettier-ignore
  ])('a %s for set(%j, %p)', async (kind, name, value, message) => {
    const { sysctl } = await open(TestNamespace.create());
    const setting = sysctl.set(name as SysctlName, value as number);
    await expect(setting).rejects.toMatchObject({ name: kind });
    await expect(setting).rejects.toThrow(message);
  });

  test('a name that does not exist', async () => {
    const { sysctl } = await open(TestNamespace.create());
    expect(await refusal(sysctl.get('nf_conntrack_icmp_timout'))).toMatchObject({
      code: 'ENOENT',
      syscall: 'open',
      hint: 'did you mean nf_conntrack_icmp_timeout? list() tells what this kernel has',
    });
    expect(await refusal(sysctl.set('nf_conntrack_nothing_like_it', 1))).toMatchObject({
      code: 'ENOENT',
      hint: 'list() tells what this kernel has',
      message:
        'cannot set net.netfilter.nf_conntrack_nothing_like_it: ENOENT, no such file or directory (open); list() tells what this kernel has',
    });
    expect(await refusal(sysctl.get('nf_conntrack_events_retry_timeout'))).toMatchObject({
      code: 'ENOENT',
      hint: 'Linux 3.16 removed it',
    });
  });

  test('what belongs to the initial namespace, and what nobody sets', async () => {
    const namespace = TestNamespace.create();
    const { sysctl } = await open(namespace);
    const before = namespace.sysctl('nf_conntrack_max');
    expect(await refusal(sysctl.set('nf_conntrack_max', 5))).toMatchObject({
      code: 'EACCES',
      syscall: 'open',
      hint: expect.stringContaining('belongs to the initial network namespace'),
    });
    expect(namespace.sysctl('nf_conntrack_max')).toBe(before);
    expect(await sysctl.get('nf_conntrack_max')).toBe(Number(before));
    expect(await refusal(sysctl.set('nf_conntrack_count', 5))).toMatchObject({
      code: 'EACCES',
      hint: 'the kernel counts it, nobody sets it',
    });
  });

  test('what the kernel refuses', async () => {
    const namespace = TestNamespace.create();
    const { sysctl } = await open(namespace);
    const high = await sysctl.get('nf_conntrack_frag6_high_thresh');
    const before = namespace.sysctl('nf_conntrack_frag6_low_thresh');
    expect(await refusal(sysctl.set('nf_conntrack_frag6_low_thresh', high + 1))).toMatchObject({
      code: 'EINVAL',
      syscall: 'write',
      hint: 'it must not be more than nf_conntrack_frag6_high_thresh',
    });
    expect(namespace.sysctl('nf_conntrack_frag6_low_thresh')).toBe(before);
  });

  test('a Conntrack that is closed', async () => {
    const { sysctl } = await open(TestNamespace.create());
    await opened[0]!.close();
    expect(await refusal(sysctl.get('nf_conntrack_acct'))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await refusal(sysctl.set('nf_conntrack_acct', 1))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await refusal(sysctl.list())).toMatchObject({ code: 'ERR_CLOSED' });
  });
});

test('native code opens nothing outside of /proc/sys/net', async () => {
  const control = await Control.open('', undefined);
  const ask = async (question: (to: NativeControl, answer: Answer) => void): Promise<Outcome> => {
    const [outcome] = await control.exchange((answer) => {
      question(control.native, answer);
    });
    return outcome;
  };
  for (const path of [
    '/etc/hostname',
    '/proc/sys/kernel/hostname',
    '/proc/sys/net',
    '/proc/sys/net/../kernel/hostname',
    '/proc/sys/net/..',
    '/proc/sys/network/x',
    'proc/sys/net/core',
    '/proc/sys/net/core/rmem_max\0/x',
    '',
  ]) {
    const refused = [22, 'open', ''];
    expect(await ask((to, answer) => to.readFile(path, answer))).toEqual(refused);
    expect(await ask((to, answer) => to.writeFile(path, 'x', answer))).toEqual(refused);
    expect(await ask((to, answer) => to.listDirectory(path, answer))).toEqual(refused);
  }
  const long = 'x'.repeat(4097);
  const written = await ask((to, answer) => to.writeFile(MAX, long, answer));
  expect(written).toEqual([27, 'write', '']);
  const read = await ask((to, answer) => to.readFile(DIRECTORY, answer));
  expect(read).toEqual([21, 'read', '']);
  const listed = await ask((to, answer) => to.listDirectory(MAX, answer));
  expect(listed).toEqual([20, 'open', '']);
  await control.close();
});

test('an ICMP flow goes after nf_conntrack_icmp_timeout seconds', async () => {
  const namespace = tracked();
  const ct = await open(namespace);
  await ct.sysctl.set('nf_conntrack_icmp_timeout', 10);
  ping(namespace, HOME, HOME, 4711);
  const [flow] = await ct.flows({ protocol: 'icmp' }).toArray();
  expect(flow).toMatchObject({ orig: { icmpId: 4711 } });
  expect([9, 10]).toContain(flow!.timeout);
  const gone = async (): Promise<boolean> => (await ct.flows().count()) === 0;
  await waitFor('the flow to go', gone, { timeout: 30_000, interval: 200 });
});

describe('nf_conntrack_max', () => {
  const limit = Number(readFileSync(MAX, 'utf8'));
  const affordable = limit > 0 && limit <= 300_000;

  (affordable ? test : test.skip)('is where the table stays', async () => {
    const namespace = tracked();
    const ct = await open(namespace);
    const { max } = await ct.limits();
    expect(await ct.sysctl.get('nf_conntrack_max')).toBe(max);
    namespace.run(() => testing.fill({ count: max }));
    expect(await ct.count()).toBe(max);
    expect(() => {
      ping(namespace, HOME, HOME, 1);
    }).toThrow('EPERM');
    expect(await ct.sysctl.get('nf_conntrack_count')).toBe(max);
  });
});
