/** GNU getopt_long's rules, without a program around them. */
import { Getopt, type LongOption } from '../../lib/cli/getopt';

const LONG: readonly LongOption[] = [
  { name: 'dump', takes: 'optional', code: 'L' },
  { name: 'dst', takes: 'argument', code: 'd' },
  { name: 'dst-nat', takes: 'optional', code: 'g' },
  { name: 'src', takes: 'argument', code: 's' },
  { name: 'orig-src', takes: 'argument', code: 's' },
  { name: 'zero', takes: 'nothing', code: 'z' },
  { name: 'zone', takes: 'argument', code: 'w' },
  { name: 'where', takes: 'argument', code: 'where', exact: true },
];
const SHORT = { L: 'nothing', d: 'argument', g: 'optional', s: 'argument', z: 'nothing' } as const;

/** What is found in words, and the words as they stand in the end. */
function read(line: string, posix = false): { found: string[]; argv: string } {
  const getopt = new Getopt(['program', ...line.split(' ')], SHORT, posix);
  const found: string[] = [];
  for (let next = getopt.next(LONG); next !== undefined; next = getopt.next(LONG)) {
    found.push(
      next.kind === 'option'
        ? `${next.code}${next.argument === undefined ? '' : `=${next.argument}`}`
        : `${next.kind} ${getopt.word}`,
    );
  }
  return { found, argv: getopt.argv.slice(1).join(' ') };
}

test.each([
  ['-L -s 1', ['L', 's=1'], '-L -s 1'],
  ['-Ls1', ['L', 's=1'], '-Ls1'],
  ['-Ls 1', ['L', 's=1'], '-Ls 1'],
  ['-zL', ['z', 'L'], '-zL'],
  ['a -L b -s 1 c', ['L', 's=1'], '-L -s 1 a b c'],
  ['-L -- -s 1', ['L'], '-L -- -s 1'],
  ['a -- -s', [], '-- a -s'],
  ['- -L', ['L'], '-L -'],
  ['--dst=1', ['d=1'], '--dst=1'],
  ['--dst 1', ['d=1'], '--dst 1'],
  ['--dst= x', ['d='], '--dst= x'],
  ['--dst-=1', ['g=1'], '--dst-=1'],
  ['--dst-nat 1', ['g'], '--dst-nat 1'],
  ['-g1 -g 2', ['g=1', 'g'], '-g1 -g 2'],
  ['--o 1', ['s=1'], '--o 1'],
  ['--ds 1', ['unknown --ds'], '--ds 1'],
  ['--z', ['unknown --z'], '--z'],
  ['--zer', ['z'], '--zer'],
  ['--zero=1', ['unknown --zero=1'], '--zero=1'],
  ['--whe x', ['unknown --whe'], '--whe x'],
  ['--where x', ['where=x'], '--where x'],
  ['-Q', ['unknown -Q'], '-Q'],
  ['-LQ -s', ['L', 'unknown -LQ', 'missing -s'], '-LQ -s'],
  ['--src', ['missing --src'], '--src'],
])('%s', (line, found, argv) => {
  expect(read(line)).toEqual({ found, argv });
});

test('POSIXLY_CORRECT ends the options at the first operand', () => {
  expect(read('-z a -L', true)).toEqual({ found: ['z'], argv: '-z a -L' });
  expect(read('a -L', true)).toEqual({ found: [], argv: 'a -L' });
});
