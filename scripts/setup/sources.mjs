// The C++ files that are written by hand.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { inRoot, root } from './root.mjs';

const GENERATED = new Set(['native/core/record.h']);

/** C++ files under directories, as paths from the root, without builds and generated files. */
export function cxxFiles(directories, extension = /\.(cc|h)$/) {
  return directories
    .flatMap((directory) =>
      readdirSync(inRoot(directory), { recursive: true, withFileTypes: true }),
    )
    .filter((entry) => entry.isFile() && extension.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length))
    .filter((path) => !path.includes('/build/') && !GENERATED.has(path))
    .sort();
}
