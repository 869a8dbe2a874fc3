// `npm run test:fuzz -- [--seconds N] [--target NAME]`: libFuzzer, with AddressSanitizer and
// UndefinedBehaviorSanitizer, on everything that reads what the kernel or JavaScript gives. Each target
// runs N seconds (60 unless said). Ends with one line of figures.
import { parseArgs } from 'node:util';

import { endOnSignals } from '../setup/child.mjs';
import { findCommand, withoutCommand } from '../setup/packages.mjs';
import { command, step, StepError } from '../setup/report.mjs';
import { build, countCrashes, CRASHES, findClang, fuzz, TARGETS, writeSeeds } from './targets.mjs';

const SKIPPED = 77;

function options() {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '60' }, target: { type: 'string' } },
  });
  const seconds = Number(values.seconds);
  const targets = values.target === undefined ? TARGETS : [values.target];
  if (!Number.isInteger(seconds) || seconds < 1) throw new StepError('--seconds wants a number.');
  if (!TARGETS.includes(targets[0])) {
    throw new StepError(`--target is one of ${TARGETS.join(', ')}.`);
  }
  return { seconds, targets };
}

async function runAll({ seconds, targets }) {
  const results = [];
  for (const name of targets) {
    await step(name, async (progress) => {
      const result = await fuzz(name, seconds, progress);
      results.push(result);
      if (!result.withstood) process.stdout.write(result.output);
      return `${String(result.inputs)} inputs, ${String(result.edges)} edges covered`;
    });
  }
  return results;
}

endOnSignals();
await command(async () => {
  const wanted = options();
  const clang = findClang();
  if (clang === undefined || findCommand('cmake') === undefined) {
    process.stdout.write(`${withoutCommand(clang === undefined ? 'clang++' : 'cmake')}\n`);
    process.exit(SKIPPED);
  }
  await step('fuzz targets', (progress) => build(clang, progress));
  writeSeeds();
  const before = countCrashes();
  const results = await runAll(wanted);
  const inputs = results.reduce((sum, result) => sum + result.inputs, 0);
  const failed = results.filter((result) => !result.withstood).length;
  const crashes = Math.max(failed, countCrashes() - before);
  process.stdout.write(
    `fuzz: ${String(results.length)} targets, ${String(inputs)} inputs, ${String(crashes)} crashes\n`,
  );
  if (crashes > 0)
    throw new StepError('A target fell.', { remedy: `run it on what is in ${CRASHES}` });
});
