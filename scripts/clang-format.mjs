// The form of the C++ files, by the clang-format that the npm package pins.
//   node scripts/clang-format.mjs --check   exits 1 and shows what differs
//   node scripts/clang-format.mjs --write   puts it right
import { existsSync } from 'node:fs';

import { run } from './setup/child.mjs';
import { command, StepError } from './setup/report.mjs';
import { inRoot } from './setup/root.mjs';
import { cxxFiles } from './setup/sources.mjs';

/** Exit code of a check that this machine cannot make. */
const SKIPPED = 77;

await command(async () => {
  const program = inRoot(`node_modules/clang-format/bin/linux_${process.arch}/clang-format`);
  if (!existsSync(program)) {
    process.stdout.write(`the clang-format package has no program for ${process.arch}\n`);
    process.exit(SKIPPED);
  }
  const files = cxxFiles(['native', 'test/native', 'test/cost', 'bench/native']);
  const action = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
  const { code, output } = await run(program, [...action, '--style=file', ...files]);
  process.stdout.write(output);
  if (code !== 0) {
    throw new StepError('The C++ files are not formatted.', {
      remedy: 'node scripts/clang-format.mjs --write',
    });
  }
});
