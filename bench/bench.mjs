// `npm run bench`: prepares what is missing, raises the limit of flows where that may be, and runs the benchmarks in
// a network namespace of their own.
import { readFileSync, writeFileSync } from 'node:fs';

import { prepare } from '../scripts/prepare.mjs';
import { endOnSignals, run, runAttached } from '../scripts/setup/child.mjs';
import { unshareCommand } from '../scripts/setup/namespace.mjs';
import { command, step, StepError } from '../scripts/setup/report.mjs';
import { inRoot } from '../scripts/setup/root.mjs';
import { buildFloor } from './floor.mjs';

const MAX = '/proc/sys/net/netfilter/nf_conntrack_max';
const WANTED_MAX = 1_100_000;

/** Raises the limit while `body` runs: a million flows do not fit into the usual one. */
async function withRoom(body) {
  const before = readFileSync(MAX, 'utf8');
  const raised = tryRaise(Number(before));
  try {
    return await body();
  } finally {
    if (raised) writeFileSync(MAX, before);
  }
}

function tryRaise(max) {
  if (max === 0 || max >= WANTED_MAX) return false;
  try {
    writeFileSync(MAX, `${String(WANTED_MAX)}\n`);
    return true;
  } catch {
    return false;
  }
}

async function main() {
  await prepare({ forTests: true });
  await step('floor', async () => {
    const { code, output } = await buildFloor(run);
    if (code !== 0) throw new StepError('The floor does not compile.', { output });
    return 'built';
  });
  const [unshare, ...namespaces] = unshareCommand(['--net']);
  const args = [process.execPath, inRoot('bench/main.mjs'), ...process.argv.slice(2)];
  const { code } = await withRoom(() => runAttached(unshare, [...namespaces, ...args]));
  process.exitCode = code;
}

endOnSignals();
await command(main);
