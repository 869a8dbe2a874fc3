// Whether something made is current is decided by contents: times are what git, tar and cp say.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { inRoot } from './root.mjs';

const MADE = new Set(['build', 'node_modules']);

function* filesUnder(path) {
  if (!statSync(inRoot(path)).isDirectory()) {
    yield path;
    return;
  }
  const names = readdirSync(inRoot(path)).filter((name) => !MADE.has(name));
  for (const name of names.sort()) yield* filesUnder(join(path, name));
}

/** A hash of the names and contents of files and directories, as paths from the root. */
export function fingerprint(paths) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap((path) => [...filesUnder(path)])) {
    const content = readFileSync(inRoot(path));
    hash.update(`${path}\0${String(content.length)}\0`).update(content);
  }
  return hash.digest('hex');
}

/** The JSON that `writeStamp` left, or undefined. */
export function readStamp(path) {
  try {
    return JSON.parse(readFileSync(inRoot(path), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Written last: what has no stamp was not finished, and is made again. */
export function writeStamp(path, value) {
  mkdirSync(dirname(inRoot(path)), { recursive: true });
  writeFileSync(inRoot(path), JSON.stringify(value));
}
