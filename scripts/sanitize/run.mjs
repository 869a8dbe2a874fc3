// What the runs under sanitizers have in common: the tests, the programs, the reports and the sum.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { prepare } from '../prepare.mjs';
import { endOnSignals, run, runAttached } from '../setup/child.mjs';
import { readStamp } from '../setup/fingerprint.mjs';
import { inPrivatePlace } from '../setup/place.mjs';
import { command, step, StepError } from '../setup/report.mjs';
import { inRoot } from '../setup/root.mjs';
import { sanitizedTree } from './tree.mjs';

const TESTS_LIMIT_MS = 30 * 60_000;

/** Programs of test/lifecycle/programs that end by themselves, and what they read from stdin. */
export const PROGRAMS = [
  { name: 'seam.mjs', args: ['1', '300'] },
  { name: 'cycles.mjs', args: [], input: 'on\nend\n' },
  { name: 'refused.mjs', args: [] },
];

/** The path of a library that GCC brings, for LD_PRELOAD. */
export async function gccLibrary(name) {
  const { output } = await run('gcc', [`-print-file-name=${name}`]);
  const path = output.trim();
  if (path.startsWith('/')) return path;
  throw new StepError(`GCC has no ${name}.`, { remedy: 'install the sanitizers of the compiler.' });
}

/** Where what a sanitizer finds is written, one file a process; empty at first. */
export function reportsOf(name) {
  const directory = inRoot('build', `${name}-reports`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** The tests of `tree` that the patterns name, in one process. */
export async function runTests(tree, patterns, env) {
  const counts = 'build/jest-counts.json';
  rmSync(join(tree, counts), { force: true });
  const jest = join(tree, 'node_modules/jest/bin/jest.js');
  const args = ['--rootDir', tree, '--runInBand', '--testTimeout=300000', ...patterns];
  const [program, ...rest] = inPrivatePlace([process.execPath, jest, ...args]);
  const variables = Object.entries({ NFCONNTRACK_JEST_COUNTS: join(tree, counts), ...env });
  // Not for unshare(1) and what comes before the tests.
  const assignments = variables.map(([name, value]) => `${name}=${value}`);
  const at = rest.indexOf(process.execPath);
  const { code } = await runAttached(
    program,
    [...rest.slice(0, at), 'env', ...assignments, ...rest.slice(at)],
    { cwd: tree, timeout: TESTS_LIMIT_MS },
  );
  const {
    passed = 0,
    failed = 0,
    skipped = 0,
  } = readStamp(join(tree, counts).slice(inRoot().length)) ?? {};
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

/** The programs, each in a network namespace of its own; gives how many ended as they should. */
export async function runPrograms(tree, programs, under, env) {
  let passed = 0;
  for (const { name, args, input = '' } of programs) {
    await step(name, async (progress) => {
      const path = join(tree, 'test/lifecycle/programs', name);
      const line = [
        'env',
        ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
        ...under,
      ];
      const script = 'printf "$1" | { shift; "$@"; }';
      const started = [...line, process.execPath, path, ...args];
      const [program, ...rest] = inPrivatePlace(['sh', '-c', script, 'sh', input, ...started]);
      const { code, output } = await run(program, rest, { cwd: tree, onLine: progress });
      if (code === 0) passed += 1;
      else process.stdout.write(output);
      return code === 0 ? 'passed' : `ended with code ${String(code)}`;
    });
  }
  return { passed, failed: programs.length - passed };
}

function readReports(directory) {
  return readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
}

/**
 * The frame of each of these commands. `work(tree, reports)` gives `{ tests, programs }`; whatever is
 * found in `reports` afterwards was a fault.
 */
export async function sanitize(name, sanitizer, work) {
  endOnSignals();
  await command(async () => {
    await prepare({ forTests: true });
    const reports = reportsOf(name);
    let tree = inRoot();
    if (sanitizer !== undefined) {
      await step(`addon for ${name}`, async (progress) => {
        tree = await sanitizedTree(name, sanitizer, progress);
      });
    }
    const { tests, programs } = await work(tree, reports);
    const found = readReports(reports).filter((text) => text.trim() !== '');
    for (const text of found) process.stdout.write(text);
    process.stdout.write(
      `${name}: ${String(tests.passed)} tests passed, ${String(tests.failed)} failed, ` +
        `${String(programs.passed)} programs passed, ${String(programs.failed)} failed, ` +
        `${String(found.length)} reports\n`,
    );
    if (tests.failed + programs.failed + found.length > 0) process.exitCode = 1;
  });
}
