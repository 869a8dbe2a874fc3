/** Which processor a thread runs on. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The processors that this process may use, by number. */
export function processors(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return list![1]!.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
  });
}

/** The threads of this process with this name. */
export function threadsNamed(name: string): number[] {
  return readdirSync('/proc/self/task')
    .filter((task) => readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim() === name)
    .map(Number);
}

/** Binds a thread to processors, by taskset(1). The main thread has the process's own number. */
export function bind(thread: number, to: readonly number[]): void {
  execFileSync('taskset', ['--cpu-list', '--pid', to.join(','), String(thread)]);
}
