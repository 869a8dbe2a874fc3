import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { Conntrack, diagnose, type Diagnosis, type Finding, probe } from '../../lib/index';
import { TestNamespace } from '../support/netns';
import { testing } from '../support/testing';
import { ping } from '../support/traffic';

const ROOT = join(__dirname, '../..');
const HOME = '127.0.0.1';

/** Of the machine that runs the tests, and of no test's making. */
const OF_THE_MACHINE = ['kernel-features', 'kernel-quirks', 'receive-buffer'];

function examine(namespace: TestNamespace): Promise<Diagnosis> {
  return diagnose({ netns: namespace.path });
}

function ids({ findings }: Diagnosis): string[] {
  return findings.map(({ id }) => id).filter((id) => !OF_THE_MACHINE.includes(id));
}

function find(diagnosis: Diagnosis, id: string): Finding | undefined {
  return diagnosis.findings.find((finding) => finding.id === id);
}

/** With all that a user may want, and a flow that has it. */
function healthy(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_acct', 1);
  namespace.sysctl('nf_conntrack_timestamp', 1);
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.track();
  namespace.nft(
    'table inet labelling { chain out { type filter hook output priority 1; ct label set 7; }; }',
  );
  ping(namespace, HOME, HOME, 1);
  return namespace;
}

afterEach(() => {
  TestNamespace.closeAll();
});

test('finds nothing where nothing hinders', async () => {
  const namespace = healthy();
  const diagnosis = await examine(namespace);
  expect(ids(diagnosis)).toEqual([]);
  expect(diagnosis.facts).toEqual({
    sysctls: expect.objectContaining({ nf_conntrack_acct: 1, nf_conntrack_events: 1 }),
    entries: 1,
    max: Number(namespace.sysctl('nf_conntrack_max')),
    counters: { drop: 0, earlyDrop: 0, insertFailed: 0, chainTooLong: 0 },
    receiveBuffer: { asked: 2 ** 26, granted: expect.any(Number) },
    labels: true,
    filters: await probe(),
  });
  const wrong = Object.values(await probe()).includes(false);
  expect(find(diagnosis, 'kernel-quirks') !== undefined).toBe(wrong);
  expect(diagnosis.kernel).toBe(namespace.exec('uname', ['-r']).trim());
});

test('changes nothing', async () => {
  const namespace = healthy();
  const listing = ['-a', '-r', 'net.netfilter'];
  const [before, table] = [
    namespace.exec('sysctl', listing),
    namespace.exec('conntrack', ['-L', '-o', 'id']).replaceAll(/ 1 \d+ /g, ' '),
  ];
  await examine(namespace);
  expect(namespace.exec('sysctl', listing)).toBe(before);
  const after = namespace.exec('conntrack', ['-L', '-o', 'id']).replaceAll(/ 1 \d+ /g, ' ');
  expect(after).toBe(table);
});

test.each([
  ['nf_conntrack_acct', 'accounting-off', 'warning', 1],
  ['nf_conntrack_timestamp', 'timestamps-off', 'note', 1],
  ['nf_conntrack_events', 'events-off', 'error', 1],
] as const)('finds %s=0, with a remedy that helps', async (name, id, severity, remedy) => {
  const namespace = healthy();
  namespace.sysctl(name, 0);
  const diagnosis = await examine(namespace);
  expect(ids(diagnosis)).toEqual([id]);
  expect(find(diagnosis, id)).toEqual({
    id,
    severity,
    what: expect.stringContaining(`(${name}=0)`),
    remedy: expect.stringContaining(`ct.sysctl.set('${name}', ${remedy})`),
  });
  const ct = await Conntrack.open({ netns: namespace.path });
  await ct.sysctl.set(name, remedy);
  await ct.close();
  expect(ids(await examine(namespace))).toEqual([]);
});

test('finds events in autodetect, and how many flows may stay mute', async () => {
  const namespace = healthy();
  namespace.sysctl('nf_conntrack_events', 2);
  namespace.run(() => testing.fill({ count: 41 }));
  expect(find(await examine(namespace), 'events-autodetect')).toMatchObject({
    severity: 'warning',
    what: expect.stringContaining('42 flows'),
  });
  namespace.run(() => {
    testing.flush();
  });
  const without = await examine(namespace);
  expect(find(without, 'events-autodetect')).toMatchObject({ severity: 'note' });
});

test('finds a namespace that tracks nothing, and has no labels', async () => {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 2);
  const diagnosis = await examine(namespace);
  expect(ids(diagnosis)).toEqual([
    'accounting-off',
    'events-autodetect',
    'timestamps-off',
    'nothing-tracked',
    'labels',
  ]);
  expect(diagnosis.facts).toMatchObject({ entries: 0, labels: false });
});

describe('a table under pressure', () => {
  const namespace = TestNamespace.create();
  const max = Number(namespace.sysctl('nf_conntrack_max'));
  TestNamespace.closeAll();
  const maybe = max > 0 && max <= 300_000 ? test : test.skip;

  maybe('is found, and that it has been full', async () => {
    const namespace = healthy();
    const most = Math.ceil(0.82 * max);
    namespace.run(() => testing.fill({ count: most }));
    const nearly = await examine(namespace);
    expect(ids(nearly)).toEqual(['table-pressure']);
    expect(find(nearly, 'table-pressure')).toMatchObject({
      severity: 'warning',
      what: expect.stringContaining(`${most + 1} of ${max} flows`),
    });

    namespace.run(() => testing.fill({ first: most, count: max - most - 1 }));
    expect(() => {
      ping(namespace, HOME, HOME, 2);
    }).toThrow('EPERM');
    const full = await examine(namespace);
    expect(ids(full)).toEqual(['table-pressure', 'dropped']);
    expect(find(full, 'table-pressure')).toMatchObject({
      severity: 'error',
      what: expect.stringContaining('100 % full'),
    });
    expect(full.facts.counters).toMatchObject({ drop: 1, earlyDrop: 0 });

    namespace.run(() => {
      testing.flush();
    });
    expect(ids(await examine(namespace))).toContain('dropped');
  });
});

/** Runs diagnose() in a process of its own, started by `wrapper`. */
function diagnoseBy(namespace: TestNamespace, wrapper: string[], options = '{}'): Diagnosis {
  const script = `require(process.argv[1]).diagnose(${options}).then((found) =>
    console.log(JSON.stringify(found)))`;
  const [command, ...args] = [...wrapper, process.execPath, '-e', script, ROOT];
  return JSON.parse(namespace.exec(command, args)) as Diagnosis;
}

const WITHOUT_CAPABILITIES = ['setpriv', '--bounding-set=-net_admin,-sys_admin'];

describe('without privilege', () => {
  test('finds that it has none, and what it sees all the same', () => {
    const namespace = healthy();
    namespace.sysctl('nf_conntrack_acct', 0);
    const diagnosis = diagnoseBy(namespace, WITHOUT_CAPABILITIES);
    expect(ids(diagnosis)).toEqual(['capability', 'accounting-off']);
    expect(diagnosis.findings[0]).toMatchObject({
      severity: 'error',
      what: expect.stringContaining('CAP_NET_ADMIN'),
      remedy: expect.stringContaining('AmbientCapabilities=CAP_NET_ADMIN'),
    });
    expect(diagnosis.facts).toEqual({
      sysctls: expect.objectContaining({ nf_conntrack_acct: 0 }),
      entries: 1,
      max: Number(namespace.sysctl('nf_conntrack_max')),
    });
  });

  test('finds that another namespace is out of reach', () => {
    const [namespace, other] = [healthy(), TestNamespace.create()];
    const options = JSON.stringify({ netns: other.path });
    const diagnosis = diagnoseBy(namespace, WITHOUT_CAPABILITIES, options);
    expect(diagnosis).toMatchObject({
      findings: [
        {
          id: 'open',
          severity: 'error',
          what: 'cannot open connection tracking: EPERM, operation not permitted (setns)',
          remedy: expect.stringContaining('CAP_SYS_ADMIN'),
        },
      ],
      facts: { sysctls: {} },
    });
  });

  test('finds a small receive buffer in a user namespace', () => {
    const namespace = healthy();
    const diagnosis = diagnoseBy(namespace, ['unshare', '--user', '--map-root-user', '--net']);
    const { receiveBuffer } = diagnosis.facts;
    const most = 2 * Number(spawnSync('cat', ['/proc/sys/net/core/rmem_max'], { encoding: 'utf8' }).stdout); // prettier-ignore
    expect(receiveBuffer).toEqual({ asked: 2 ** 26, granted: Math.min(2 ** 26, most) });
    const expected = most < 2 ** 26 ? ['receive-buffer'] : [];
    expect(diagnosis.findings.map(({ id }) => id).filter((id) => id === 'receive-buffer')).toEqual(
      expected,
    );
  });
});

test('finds that there is no such namespace', async () => {
  const diagnosis = await diagnose({ netns: 'nfconntrack-no-such' });
  expect(diagnosis.findings).toEqual([
    {
      id: 'open',
      severity: 'error',
      what: 'cannot open connection tracking: ENOENT, no such file or directory (open)',
      remedy: expect.stringContaining('there is no network namespace "nfconntrack-no-such"'),
    },
  ]);
});

test('throws for invalid arguments only', async () => {
  const wrong = (value: unknown): Promise<Diagnosis> => diagnose(value as never);
  await expect(wrong(7)).rejects.toThrow(TypeError('options must be an object, not 7'));
  await expect(wrong({ netns: {} })).rejects.toThrow(
    TypeError('options.netns must be a name, a path or a process id, not an object'),
  );
  await expect(wrong({ netn: 'x' })).rejects.toThrow(
    TypeError('options.netn is not known; known are netns'),
  );
});
