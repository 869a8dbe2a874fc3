// clang-tidy over native/, with the compile commands that CMake writes. A file whose text, headers
// and checks are those of a clean run before is not read again.
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { createRequire } from 'node:module';

import { run } from './setup/child.mjs';
import { fingerprint, readStamp, writeStamp } from './setup/fingerprint.mjs';
import { findCommand, withoutCommand } from './setup/packages.mjs';
import { command, StepError } from './setup/report.mjs';
import { inRoot } from './setup/root.mjs';
import { cxxFiles } from './setup/sources.mjs';

const SKIPPED = 77;
const BUILD = 'build/cmake';
const STAMP = `${BUILD}/tidy.json`;

await command(async () => {
  for (const name of ['clang-tidy', 'cmake']) {
    if (findCommand(name) !== undefined) continue;
    process.stdout.write(`${withoutCommand(name)}\n`);
    process.exit(SKIPPED);
  }
  await configure();
  const common = await commonState();
  const clean = new Map(readStamp(STAMP) ?? []);
  const stateOf = (file) => `${common} ${fingerprint([file])}`;
  const due = cxxFiles(['native'], /\.cc$/).filter((file) => clean.get(file) !== stateOf(file));
  const faults = await inParallel(due, async (file) => {
    const state = stateOf(file);
    const { code, output } = await run('clang-tidy', ['-p', BUILD, '--quiet', file]);
    if (code !== 0) return output;
    clean.set(file, state);
    return '';
  });
  writeStamp(STAMP, [...clean]);
  process.stdout.write(faults.join(''));
  if (faults.some((fault) => fault !== '')) throw new StepError('clang-tidy found faults.');
});

async function configure() {
  const require = createRequire(inRoot('package.json'));
  const includes = [
    require('node-api-headers').include_dir,
    inRoot('node_modules/node-addon-api'),
  ].join(';');
  const { code, output } = await run('cmake', [
    ...['-S', '.', '-B', BUILD, '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON', `-DCMAKE_JS_INC=${includes}`],
  ]);
  if (code !== 0) throw new StepError('CMake could not configure native/.', { output });
}

/** What every file's result depends on beside its own text. */
async function commonState() {
  const { output } = await run('clang-tidy', ['--version']);
  const headers = cxxFiles(['native'], /\.h$/);
  const rest = fingerprint([...headers, 'native/core/record.h', '.clang-tidy', 'CMakeLists.txt']);
  return createHash('sha256').update(output).update(rest).digest('hex');
}

async function inParallel(items, work) {
  const results = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}
