/**
 * What every namespace of the machine feels for a moment, and other tests would fail of: these run when nothing else
 * does.
 */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { Conntrack } from '../../lib';
import { countByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { ping } from '../support/traffic';

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

afterEach(async () => {
  await Promise.all(opened.splice(0).map((ct) => ct.close()));
  TestNamespace.closeAll();
});

/** Whether nf_conntrack_max may be set there, and nothing of the machine's own would suffer from it. */
function isFree(enter: readonly string[]): boolean {
  const free = `test -w ${MAX} && test "$(cat ${DIRECTORY}/nf_conntrack_count)" = 0`;
  const [command, ...args] = [...enter, 'sh', '-c', free];
  return spawnSync(command, args).status === 0;
}

interface Initial {
  netns?: number;
  enter: readonly string[];
}

/** Processes that may be in it: the one that started the tests, and the first of all. */
const OUTSIDE = [process.env['NFCONNTRACK_OUTSIDE'], '1'].filter((pid) => pid !== undefined);

/** Our own namespace, or that of a process outside. */
function initialNamespace(): Initial | undefined {
  if (isFree([])) return { enter: [] };
  for (const pid of OUTSIDE) {
    const enter = ['nsenter', '-t', pid, '-n'];
    if (isFree(enter)) return { netns: Number(pid), enter };
  }
  return undefined;
}

/** Sets nf_conntrack_max back when its input ends, be it that this process is killed. */
class Guard {
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(enter: readonly string[], value: number) {
    const restore = 'read line; echo "$1" > "$2"';
    const [command, ...args] = [...enter, 'sh', '-c', restore, 'sh', String(value), MAX];
    // A terminal's signals go to the group.
    this.#child = spawn(command, args, { detached: true });
  }

  async restore(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin.end();
    await ended;
  }
}

describe('in the initial namespace', () => {
  const initial = initialNamespace();

  // Every namespace of the machine has the limit meanwhile: what can be done outside is done outside.
  async function withFive(home: Conntrack, enter: readonly string[], body: () => Promise<void>) {
    const before = await home.sysctl.get('nf_conntrack_max');
    const guard = new Guard(enter, before);
    try {
      await home.sysctl.set('nf_conntrack_max', 5);
      await body();
    } finally {
      await home.sysctl.set('nf_conntrack_max', before).finally(() => guard.restore());
    }
    expect(await home.sysctl.get('nf_conntrack_max')).toBe(before);
  }

  function tryPing(namespace: TestNamespace, id: number): string {
    try {
      ping(namespace, HOME, HOME, id);
      return 'sent';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  (initial === undefined ? test.skip : test)('nf_conntrack_max keeps the table at 5', async () => {
    const { netns, enter } = initial!;
    const namespace = tracked();
    const ct = await open(namespace);
    const home = await Conntrack.open(netns === undefined ? {} : { netns });
    opened.push(home);
    const outcomes: string[] = [];
    const counts: number[] = [];
    await withFive(home, enter, async () => {
      for (let id = 1; id <= 5; id += 1) outcomes.push(tryPing(namespace, id));
      counts.push(await ct.count());
      for (let id = 6; id <= 10; id += 1) outcomes.push(tryPing(namespace, id));
      counts.push(await ct.count());
    });
    expect(counts).toEqual([5, 5]);
    expect(outcomes).toEqual([...Array(5).fill('sent'), ...Array(5).fill('EPERM')]);
    expect(countByCli(namespace)).toBe(5);
    expect(tryPing(namespace, 11)).toBe('sent');
    expect(await ct.count()).toBe(6);
  });
});
