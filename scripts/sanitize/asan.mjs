// `npm run test:asan [-- PATTERN...]`: tests with an addon under AddressSanitizer and
// UndefinedBehaviorSanitizer, and programs under LeakSanitizer too. Ends with one line of figures.
import { gccLibrary, PROGRAMS, runPrograms, runTests, sanitize } from './run.mjs';

// All that reach the addon and are not about memory or instructions.
const PATTERNS = ['test/kernel/', 'test/lifecycle/(seam|workers|process)', 'test/unit/decoder'];

await sanitize('asan', 'address,undefined', async (tree, reports) => {
  const asked = process.argv.slice(2);
  const common = `log_path=${reports}/asan:log_exe_name=1`;
  const environment = async (leaks) => ({
    LD_PRELOAD: await gccLibrary('libasan.so'),
    ASAN_OPTIONS: `${common}:detect_leaks=${leaks}`,
    UBSAN_OPTIONS: `${common}:print_stacktrace=1`,
  });
  // Node leaks where process.exit() ends it, and Jest's modules leak too: leaks are looked for in programs
  // that end by themselves.
  const tests = await runTests(tree, asked.length > 0 ? asked : PATTERNS, await environment(0));
  const programs = await runPrograms(tree, PROGRAMS, [], await environment(1));
  return { tests, programs };
});
