/** Mirrors a table for which there is no memory, and goes on. Prints JSON. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { Conntrack } from '../../../dist/index.js';
import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const MORE = 24 * 2 ** 20;

function dataBytes() {
  const [, kib] = /^VmData:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return 1024 * Number(kib);
}

/** Of what mmap() and brk() give (Linux 4.7). */
function limitData(bytes) {
  execFileSync('prlimit', [`--pid=${process.pid}`, `--data=${bytes}:`]);
}

const ct = await Conntrack.open();
// All that the library and Node take once.
await (await ct.mirror({ protocol: 'udp' })).close();
await ct.flows().count();
limitData(dataBytes() + MORE);
const refused = await attempt(async () => (await ct.mirror()).close());
limitData('unlimited');
const mirror = await ct.mirror();
say(JSON.stringify({ refused, size: mirror.size }));
await ct.close();
