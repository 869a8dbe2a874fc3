/** What this process may do, which in a user namespace is less than it seems. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

const EVERY_USER = /^\s*0\s+0\s+4294967295\s*$/;

/** Root of the whole machine, who knows other users and may exceed the kernel's limits. */
export const isRealRoot =
  process.getuid?.() === 0 && EVERY_USER.test(readFileSync('/proc/self/uid_map', 'utf8'));

/** An ordinary user, without any right. */
export const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** Why no test can be made as an ordinary user; undefined where one can. */
export function noOrdinaryUser(): string | undefined {
  if (!isRealRoot) return 'there is no other user in this user namespace';
  // They may be kept from the clone itself.
  const args = [...NOBODY.slice(1), 'test', '-r', join(ROOT, 'dist/index.js')];
  return spawnSync('setpriv', args).status === 0 ? undefined : `others cannot read ${ROOT}`;
}

/** The options of setpriv(1) that leave a program these capabilities, "net_admin", and no other. */
export function onlyCapabilities(...names: readonly string[]): string[] {
  const list = ['-all', ...names.map((name) => `+${name}`)].join(',');
  const sets = ['--inh-caps', '--ambient-caps', '--bounding-set'];
  return [...sets.map((option) => `${option}=${list}`), '--no-new-privs'];
}
