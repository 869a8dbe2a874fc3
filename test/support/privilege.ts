/** What this process may do, which in a user namespace is less than it seems. */
import { readFileSync } from 'node:fs';

const EVERY_USER = /^\s*0\s+0\s+4294967295\s*$/;

/** Root of the whole machine, who knows other users and may exceed the kernel's limits. */
export const isRealRoot =
  process.getuid?.() === 0 && EVERY_USER.test(readFileSync('/proc/self/uid_map', 'utf8'));
