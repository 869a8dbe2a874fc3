/** What a process holds, as /proc shows it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type Pid = number | 'self';

/** A thread or a descriptor may go between the two looks. */
function unlessGone(look: () => string): string[] {
  try {
    return [look()];
  } catch {
    return [];
  }
}

/** Names of the library's own threads. */
export function threadsOf(pid: Pid = 'self'): string[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks)
    .flatMap((task) => unlessGone(() => readFileSync(`${tasks}/${task}/comm`, 'utf8').trim()))
    .filter((name) => name.startsWith('nfct-'))
    .sort();
}

/** What its descriptors are, without the numbers that tell two of a kind apart. */
export function descriptorsOf(pid: Pid = 'self'): string[] {
  const descriptors = `/proc/${pid}/fd`;
  return (
    readdirSync(descriptors)
      .flatMap((fd) => unlessGone(() => readlinkSync(`${descriptors}/${fd}`)))
      // The directory that is being read.
      .filter((target) => !target.endsWith('/fd'))
      .map((target) => target.replace(/:\[\d+\]$/, ''))
      .sort()
  );
}

/** What is there now and was not before: descriptors of others may go at any time, with the garbage. */
export function beyond(before: readonly string[], now: readonly string[]): string[] {
  const left = [...before];
  return now.filter((each) => {
    const index = left.indexOf(each);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

/** The network namespaces that its threads are in: name of the thread, and the namespace. */
export function namespacesOf(pid: Pid = 'self'): { thread: string; netns: string }[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).flatMap((task) => {
    const thread = unlessGone(() => readFileSync(`${tasks}/${task}/comm`, 'utf8').trim());
    const netns = unlessGone(() => readlinkSync(`${tasks}/${task}/ns/net`));
    return thread.length + netns.length === 2 ? [{ thread: thread[0]!, netns: netns[0]! }] : [];
  });
}
