// A copy of the package whose addon is built in a way of its own, below build/. Tests that run in there
// load that addon, and the usual one stays as it is.
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { headersDirectory } from '../setup/addon.mjs';
import { run } from '../setup/child.mjs';
import { StepError } from '../setup/report.mjs';
import { inRoot } from '../setup/root.mjs';

const COPIED = [
  ...['package.json', 'tsconfig.json', 'jest.config.mjs', 'binding.gyp'],
  ...['native', 'lib', 'dist', 'test', 'scripts', 'schema'],
];

/** Brings the copy up to date; files keep their times, so that only what has changed is compiled. */
function copy(tree) {
  mkdirSync(tree, { recursive: true });
  for (const name of COPIED) {
    if (name !== 'native') rmSync(join(tree, name), { recursive: true, force: true });
    cpSync(inRoot(name), join(tree, name), { recursive: true, preserveTimestamps: true });
  }
  const modules = join(tree, 'node_modules');
  if (!existsSync(modules)) symlinkSync(inRoot('node_modules'), modules);
}

/**
 * Makes build/NAME with an addon under a sanitizer of GCC.
 * @param {string} sanitizer as -fsanitize takes it
 * @returns its directory
 */
export async function sanitizedTree(name, sanitizer, progress) {
  const tree = inRoot('build', name);
  copy(tree);
  const headers = headersDirectory();
  const gyp = inRoot('node_modules/node-gyp/bin/node-gyp.js');
  const nodedir = headers === undefined ? [] : [`--nodedir=${headers}`];
  const commands = [
    [gyp, 'configure', ...nodedir, '--', `-Dsanitize=${sanitizer}`],
    [gyp, 'build', '--jobs=max', ...nodedir],
  ];
  for (const each of commands) {
    const { code, output } = await run(process.execPath, each, { cwd: tree, onLine: progress });
    if (code !== 0) throw new StepError(`The addon for ${name} could not be built.`, { output });
  }
  return tree;
}
