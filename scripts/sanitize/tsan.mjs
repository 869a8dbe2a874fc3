// `npm run test:tsan [-- PATTERN...]`: tests and programs with an addon under ThreadSanitizer. Ends with
// one line of figures.
import { gccLibrary, PROGRAMS, runPrograms, runTests, sanitize } from './run.mjs';

// What has threads of ours: listings, events, changes, and their ends at any moment.
const PATTERNS = [
  'test/kernel/(listing|events|loss|many|delete-where|update-where|expectation-events|get|stats)',
  'test/lifecycle/(seam|workers)',
];

await sanitize('tsan', 'thread', async (tree, reports) => {
  const asked = process.argv.slice(2);
  const environment = {
    LD_PRELOAD: await gccLibrary('libtsan.so'),
    // V8 and libuv are not compiled for it, and synchronize in ways that it cannot see.
    TSAN_OPTIONS: `log_path=${reports}/tsan:log_exe_name=1:ignore_noninstrumented_modules=1:die_after_fork=0`,
  };
  const tests = await runTests(tree, asked.length > 0 ? asked : PATTERNS, environment);
  const programs = await runPrograms(tree, PROGRAMS, [], environment);
  return { tests, programs };
});
