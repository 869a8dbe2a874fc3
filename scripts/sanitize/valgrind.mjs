// `npm run test:valgrind`: programs that use all of the library, under valgrind's memcheck, with the addon
// as it is shipped. Ends with one line of figures.
import { PROGRAMS, runPrograms, sanitize } from './run.mjs';

// It takes fifty times as long.
const RUNS = '40';

await sanitize('valgrind', undefined, async (tree, reports) => {
  const programs = PROGRAMS.map(({ args, ...rest }) => ({
    ...rest,
    args: rest.name === 'seam.mjs' ? [args[0], RUNS] : args,
  }));
  const under = [
    ...['valgrind', '--quiet', '--leak-check=full', '--show-leak-kinds=definite'],
    ...['--errors-for-leak-kinds=definite', '--error-exitcode=9', `--log-file=${reports}/%p`],
  ];
  const none = { passed: 0, failed: 0 };
  return { tests: none, programs: await runPrograms(tree, programs, under, {}) };
});
