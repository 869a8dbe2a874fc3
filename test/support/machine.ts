/** The machine's own sysctls, which only the initial namespace may set and every namespace feels. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { Conntrack, type SysctlName } from '../../lib';

const DIRECTORY = '/proc/sys/net/netfilter';

/** How to enter the initial namespace: `netns` for us, `enter` for a program. */
export interface Initial {
  netns?: number;
  enter: readonly string[];
}

/** Whether the machine's sysctls may be set there, and nothing of its own would suffer from it. */
function isFree(enter: readonly string[]): boolean {
  const count = `test "$(cat ${DIRECTORY}/nf_conntrack_count)" = 0`;
  const free = `test -w ${DIRECTORY}/nf_conntrack_max && ${count}`;
  const [command, ...args] = [...enter, 'sh', '-c', free];
  return spawnSync(command, args).status === 0;
}

/** Processes that may be in it: the one that started the tests, and the first of all. */
const OUTSIDE = [process.env['NFCONNTRACK_OUTSIDE'], '1'].filter((pid) => pid !== undefined);

/** Our own namespace, or that of a process outside; undefined where there is none that may be used. */
export function initialNamespace(): Initial | undefined {
  if (isFree([])) return { enter: [] };
  for (const pid of OUTSIDE) {
    const enter = ['nsenter', '-t', pid, '-n'];
    if (isFree(enter)) return { netns: Number(pid), enter };
  }
  return undefined;
}

/** Sets a sysctl back when its input ends, be it that this process is killed. */
class Guard {
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(enter: readonly string[], name: SysctlName, value: number) {
    const restore = 'read line; echo "$1" > "$2"';
    const path = join(DIRECTORY, name);
    const [command, ...args] = [...enter, 'sh', '-c', restore, 'sh', String(value), path];
    // A terminal's signals go to the group.
    this.#child = spawn(command, args, { detached: true });
  }

  async restore(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin.end();
    await ended;
  }
}

/** Runs `body`, which may set the sysctl as it likes; it is what it was when that ends. */
export async function lendingSysctl(
  { netns, enter }: Initial,
  name: SysctlName,
  body: (set: (value: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const home = await Conntrack.open(netns === undefined ? {} : { netns });
  const before = await home.sysctl.get(name);
  const guard = new Guard(enter, name, before);
  try {
    await body((value) => home.sysctl.set(name, value));
  } finally {
    await home.sysctl
      .set(name, before)
      .finally(() => guard.restore())
      .finally(() => home.close());
  }
}
