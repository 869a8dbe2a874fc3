/** What the README says under "Least privilege", tried out as far as a machine without systemd running can. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { answerOf, type ProgramOptions } from '../support/child';
import { TestNamespace } from '../support/netns';
import { NOBODY, noOrdinaryUser, onlyCapabilities } from '../support/privilege';

const README = readFileSync(join(__dirname, '../../README.md'), 'utf8');
const NET_ADMIN = 2 ** 12;
const SYS_ADMIN = 2 ** 21;
const ATTEMPTS = 18;

interface Least {
  uid: number;
  effective: number;
  bounding: number;
  noNewPrivileges: boolean;
  came: Record<string, unknown>;
}

const why = noOrdinaryUser();
const asOrdinaryUser = why === undefined ? test : test.skip;
if (why !== undefined) test.skip(`(an ordinary user: ${why})`, () => undefined);

afterEach(() => {
  TestNamespace.closeAll();
});

/** Where every flow has its events, as the program wants it. */
function namespaceWithEvents(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  return namespace;
}

/** Runs the program that does everything; all of it must come off. */
async function everythingBy(options: ProgramOptions): Promise<Omit<Least, 'came'>> {
  const { came, ...who } = await answerOf<Least>('least.mjs', options);
  expect(Object.keys(came)).toHaveLength(ATTEMPTS);
  for (const attempt of Object.entries(came)) expect(attempt).toEqual([attempt[0], 'done']);
  return who;
}

const alone = (capabilities: number, uid: number): Omit<Least, 'came'> => ({
  uid,
  effective: capabilities,
  bounding: capabilities,
  noNewPrivileges: true,
});

asOrdinaryUser('an ordinary user with CAP_NET_ADMIN alone may do everything', async () => {
  const under = [...NOBODY, ...onlyCapabilities('net_admin')];
  const who = await everythingBy({ namespace: namespaceWithEvents(), under });
  expect(who).toEqual(alone(NET_ADMIN, 65_534));
});

asOrdinaryUser("so may the root of a container, with the README's flags", async () => {
  expect(README).toContain('--cap-drop ALL --cap-add NET_ADMIN');
  const under = ['setpriv', ...onlyCapabilities('net_admin')];
  const who = await everythingBy({ namespace: namespaceWithEvents(), under });
  expect(who).toEqual(alone(NET_ADMIN, 0));
});

asOrdinaryUser('so may a user without any right, in a user namespace', async () => {
  const script = 'echo 1 > /proc/sys/net/netfilter/nf_conntrack_events && exec "$@"';
  const own = ['unshare', '--user', '--map-root-user', '--net', 'sh', '-c', script, 'sh'];
  const args = [...NOBODY.slice(1), ...own, 'true'];
  // Some systems do not let them.
  if (spawnSync('setpriv', args).status !== 0) return;
  expect((await everythingBy({ under: [...NOBODY, ...own] })).uid).toBe(0);
});

describe('in a namespace that was handed over', () => {
  asOrdinaryUser('by being started in it', async () => {
    const [namespace, given] = [TestNamespace.create(), namespaceWithEvents()];
    const inside = ['nsenter', `--net=${given.path}`];
    const under = [...inside, ...NOBODY, ...onlyCapabilities('net_admin')];
    await everythingBy({ namespace, under });
    expect(given.sysctl('nf_conntrack_acct')).toBe('1');
    expect(namespace.sysctl('nf_conntrack_acct')).toBe('0');
  });

  asOrdinaryUser('by a descriptor, with CAP_SYS_ADMIN too', async () => {
    const [namespace, given] = [TestNamespace.create(), namespaceWithEvents()];
    const opened = ['sh', '-c', `exec "$@" 9<${given.path}`, 'sh'];
    const under = [...opened, ...NOBODY, ...onlyCapabilities('net_admin', 'sys_admin')];
    const who = await everythingBy({ namespace, under, args: ['/proc/self/fd/9'] });
    expect(who).toEqual(alone(NET_ADMIN + SYS_ADMIN, 65_534));
    expect(given.sysctl('nf_conntrack_acct')).toBe('1');
  });
});

describe("the README's systemd unit", () => {
  const [, unit = ''] = /^```ini\n(.*?)^```$/ms.exec(README)!;
  const settings = new Map(
    [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
  );
  const capabilities = (name: string): string[] =>
    settings
      .get(name)!
      .split(' ')
      .map((each) => each.replace('CAP_', '').toLowerCase());

  asOrdinaryUser('gives what is needed', async () => {
    expect(settings.get('DynamicUser')).toBe('yes');
    expect(settings.get('NoNewPrivileges')).toBe('yes');
    const sets = ['AmbientCapabilities', 'CapabilityBoundingSet'].map(capabilities);
    expect(sets).toEqual([['net_admin'], ['net_admin']]);
    const under = [...NOBODY, ...onlyCapabilities(...sets[0]!)];
    await everythingBy({ namespace: namespaceWithEvents(), under });
  });

  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

  (hasSystemd ? test : test.skip)('is one that systemd understands', () => {
    const directory = mkdtempSync(join(tmpdir(), 'nfconntrack-unit-'));
    try {
      const path = join(directory, 'flows.service');
      writeFileSync(path, unit.replace('/usr/bin/node', process.execPath));
      const args = ['verify', '--man=no', path];
      const { stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      // It also complains of other units of the machine.
      const said = `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line.includes('flows.service'));
      expect(said).toEqual([]);
      // A setting that it does not know is something that it says.
      writeFileSync(path, unit.replace('NoNewPrivileges', 'NoNewPrivilege'));
      const wrong = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      expect(wrong.stderr).toContain('NoNewPrivilege');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
