// Makes everything that a fresh clone lacks, and nothing that is there:
//   node scripts/prepare.mjs           what `npm start` needs
//   node scripts/prepare.mjs --tests   and what `npm test` needs
// Needs nothing but Node: it runs before there are any modules.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { nativeAddon, testAddon } from './setup/addon.mjs';
import { endOnSignals } from './setup/child.mjs';
import { library } from './setup/library.mjs';
import { locked } from './setup/lock.mjs';
import { nodeModules } from './setup/modules.mjs';
import { optionalPackages, systemPackages } from './setup/packages.mjs';
import { command, step, StepError } from './setup/report.mjs';

const OLDEST_NODE = [20, 17];

function stepsFor(forTests) {
  const base = [systemPackages({ forTests }), nodeModules, nativeAddon];
  return forTests ? [...base, testAddon, library, optionalPackages()] : [...base, library];
}

function checkPlatform() {
  if (process.platform !== 'linux') {
    throw new StepError(`nfconntrack runs on Linux; this is ${process.platform}.`);
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    throw new StepError(
      `Node ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.version}.`,
    );
  }
}

/** Makes the steps that are due. Throws a StepError for the first one that fails. */
export async function make(steps) {
  checkPlatform();
  if (!steps.some((each) => each.missing())) return;
  await locked(async () => {
    // Asked again one by one: another run may have made it meanwhile, and each step may change
    // what the next one finds.
    for (const each of steps) {
      if (each.missing()) await step(each.title, (progress) => each.make(progress));
    }
  });
}

/** Makes everything that `npm start`, or with `forTests` `npm test`, needs. */
export const prepare = ({ forTests = false } = {}) => make(stepsFor(forTests));

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  endOnSignals();
  await command(() => prepare({ forTests: process.argv.includes('--tests') }));
}
