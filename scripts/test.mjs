// `npm test`: prepares what is missing, then every check that decides whether the project is sound.
// All of them run, whatever fails; the last line of stdout is the sum. Arguments (npm test -- ARGS)
// go to jest, which then runs alone.
import { rmSync } from 'node:fs';

import { prepare } from './prepare.mjs';
import { endOnSignals, run, runAttached } from './setup/child.mjs';
import { readStamp } from './setup/fingerprint.mjs';
import { inPrivatePlace } from './setup/place.mjs';
import { explain, step } from './setup/report.mjs';
import { inRoot } from './setup/root.mjs';

const SKIPPED = 77;
const JEST_LIMIT_MS = 30 * 60_000;

const bin = (path) => inRoot('node_modules', path);
const CHECKS = [
  ['layout', inRoot('scripts/generate-layout.mjs'), '--check'],
  ['types', bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'],
  ['eslint', bin('eslint/bin/eslint.js'), '.', '--max-warnings=0'],
  ['prettier', bin('prettier/bin/prettier.cjs'), '--check', '.'],
  ['clang-format', inRoot('scripts/clang-format.mjs'), '--check'],
  ['clang-tidy', inRoot('scripts/clang-tidy.mjs')],
];

const sum = { passed: 0, failed: 0, skipped: 0 };

async function check([title, ...args]) {
  let report = '';
  await step(title, async (progress) => {
    const { code, output } = await run(process.execPath, args, { onLine: progress });
    const result = code === 0 ? 'passed' : code === SKIPPED ? 'skipped' : 'failed';
    sum[result] += 1;
    if (result !== 'passed') report = output;
    return result;
  });
  process.stdout.write(report);
}

async function jest(args, tests = '') {
  const counts = `build/jest-${String(process.pid)}.json`;
  const [program, ...rest] = inPrivatePlace([process.execPath, bin('jest/bin/jest.js'), ...args]);
  const { code } = await runAttached(program, rest, {
    env: {
      NFCONNTRACK_JEST_COUNTS: inRoot(counts),
      NFCONNTRACK_TESTS: tests,
      NFCONNTRACK_OUTSIDE: String(process.pid),
    },
    timeout: JEST_LIMIT_MS,
  });
  const { passed = 0, failed = 0, skipped = 0 } = readStamp(counts) ?? {};
  rmSync(inRoot(counts), { force: true });
  sum.passed += passed;
  sum.skipped += skipped;
  // jest also fails without a failed test: nothing found, an unhandled error, its time limit.
  sum.failed += code !== 0 && failed === 0 ? 1 : failed;
}

async function checkEverything(args) {
  await prepare({ forTests: true });
  if (args.length === 0) {
    for (const each of CHECKS) await check(each);
  }
  await jest(args);
  if (args.length === 0) await jest([], 'alone');
}

function summary() {
  const skipped = sum.skipped === 0 ? '' : `, ${String(sum.skipped)} skipped`;
  return `${String(sum.passed)} passed, ${String(sum.failed)} failed${skipped}`;
}

endOnSignals();
try {
  await checkEverything(process.argv.slice(2));
} catch (error) {
  explain(error);
  sum.failed += 1;
}
process.stdout.write(`\n${summary()}\n`);
process.exitCode = sum.failed === 0 ? 0 : 1;
