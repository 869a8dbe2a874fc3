// The libFuzzer targets of test/fuzz: built by CMake with Clang, fed with test/fuzz/corpus.txt.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { run } from '../setup/child.mjs';
import { findCommand } from '../setup/packages.mjs';
import { StepError } from '../setup/report.mjs';
import { inRoot } from '../setup/root.mjs';

export const TARGETS = ['flow', 'expectation', 'message', 'filter', 'request'];

const BUILD = 'build/fuzz';
export const CRASHES = inRoot(BUILD, 'crashes');
const SEEDS = inRoot(BUILD, 'seeds');
const FOUND = inRoot(BUILD, 'found');
const VERSIONS = [22, 21, 20, 19, 18, 17, 16, 15, 14];

/** Clang's path; undefined where there is none. */
export function findClang() {
  const names = ['clang++', ...VERSIONS.map((version) => `clang++-${String(version)}`)];
  return names.map(findCommand).find((path) => path !== undefined);
}

/** Builds all targets. */
export async function build(clang, progress) {
  const definitions = [
    '-DNFCONNTRACK_FUZZ=ON',
    '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
    `-DCMAKE_CXX_COMPILER=${clang}`,
  ];
  const jobs = String(availableParallelism());
  const names = TARGETS.map((name) => `fuzz-${name}`);
  const commands = [
    ['-S', '.', '-B', BUILD, ...definitions],
    ['--build', BUILD, '--parallel', jobs, '--target', ...names],
  ];
  for (const args of commands) {
    const { code, output } = await run('cmake', args, { onLine: progress });
    if (code !== 0) throw new StepError('CMake could not build the fuzz targets.', { output });
  }
}

/** Every line of corpus.txt as a file in its target's own directory. */
export function writeSeeds() {
  for (const name of TARGETS) {
    for (const place of [SEEDS, FOUND]) mkdirSync(join(place, name), { recursive: true });
  }
  mkdirSync(CRASHES, { recursive: true });
  const lines = readFileSync(inRoot('test/fuzz/corpus.txt'), 'utf8').trim().split('\n');
  for (const [target, hex] of lines.map((line) => line.split(' '))) {
    const name = createHash('sha1').update(hex).digest('hex');
    writeFileSync(join(SEEDS, target, name), Buffer.from(hex, 'hex'));
  }
}

/** How many crashing inputs were found until now. */
export const countCrashes = () => (existsSync(CRASHES) ? readdirSync(CRASHES).length : 0);

/** Runs one target; gives how many inputs it tried and whether it withstood them. */
export async function fuzz(name, seconds, progress) {
  const options = [
    `-max_total_time=${String(seconds)}`,
    '-print_final_stats=1',
    '-timeout=10',
    '-rss_limit_mb=1024',
    '-max_len=4096',
    `-artifact_prefix=${CRASHES}/${name}-`,
  ];
  const places = [join(FOUND, name), join(SEEDS, name)];
  const { code, output } = await run(inRoot(BUILD, `fuzz-${name}`), [...options, ...places], {
    // What the operating system keeps of the process's stack is no leak of the target's.
    env: { ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
    onLine: progress,
  });
  const inputs = Number(/stat::number_of_executed_units: +(\d+)/.exec(output)?.[1] ?? 0);
  const edges = Number(/.*cov: (\d+)/s.exec(output)?.[1] ?? 0);
  return { withstood: code === 0 && inputs > 0, inputs, edges, output };
}
