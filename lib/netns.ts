import { integer, mustBe } from './options';

const NAMED = '/run/netns/';
const PID_MAX = 2 ** 22;

/** A network namespace: the file that is it ('' is the caller's own), and what the user called it. */
export interface Netns {
  readonly path: string;
  readonly name: string | undefined;
}

/**
 * `netns` is a name that `ip netns` gave (a file in /run/netns), a path, or the id of a process; absent: the
 * caller's own.
 */
export function resolveNetns(netns: unknown): Netns {
  if (netns === undefined) return { path: '', name: undefined };
  if (typeof netns === 'number') {
    const pid = integer('options.netns', netns, 1, PID_MAX);
    return { path: `/proc/${pid}/ns/net`, name: `of process ${pid}` };
  }
  if (typeof netns !== 'string')
    throw mustBe('options.netns', 'a name, a path or a process id', netns);
  // A NUL would end the path early in native code, and name another file.
  if (netns === '' || netns === '.' || netns === '..' || netns.includes('\0')) {
    throw mustBe('options.netns', 'the name of a network namespace, a path or a process id', netns);
  }
  return { path: netns.includes('/') ? netns : NAMED + netns, name: `"${netns}"` };
}
