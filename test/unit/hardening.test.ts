/** What the linker and the compiler made of the addon, as the system's loader will see it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const ADDON = join(ROOT, 'build/Release/nfconntrack.node');

const hasReadelf = spawnSync('readelf', ['--version']).status === 0;
const withReadelf = hasReadelf ? test : test.skip;

function readelf(...options: string[]): string {
  return execFileSync('readelf', ['--wide', ...options, ADDON], { encoding: 'utf8' });
}

/** The flags of a segment: "RW ", "R E". */
function segmentFlags(segments: string, type: string): string[] {
  const line = new RegExp(`^ *${type} +(?:0x[0-9a-f]+ +){5}([RWE ]{3})`, 'gm');
  return [...segments.matchAll(line)].map((match) => match[1]!.trim());
}

/** Column 8 of the dynamic symbol table; `UND` in column 7 is what others define. */
function symbols(defined: boolean): string[] {
  return readelf('--dyn-syms')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 8 && (columns[6] === 'UND') !== defined)
    .map((columns) => columns[7]!)
    .filter((name) => name !== 'Name');
}

withReadelf('every address is resolved at loading, and read-only from then on', () => {
  expect(readelf('--dynamic')).toMatch(/\(FLAGS\).*BIND_NOW/);
  expect(segmentFlags(readelf('--segments'), 'GNU_RELRO')).toEqual(['R']);
});

withReadelf('nothing is both writable and executable, the stack neither', () => {
  const segments = readelf('--segments');
  expect(segmentFlags(segments, 'GNU_STACK')).toEqual(['RW']);
  const loaded = segmentFlags(segments, 'LOAD');
  expect(loaded.length).toBeGreaterThan(1);
  expect(loaded.filter((flags) => flags.includes('W') && flags.includes('E'))).toEqual([]);
  expect(readelf('--dynamic')).not.toMatch(/TEXTREL|RPATH|RUNPATH/);
});

withReadelf('it exports what Node looks up, and nothing else', () => {
  expect(symbols(true).sort()).toEqual([
    'napi_register_module_v1',
    'node_api_module_get_api_version_v1',
  ]);
});

withReadelf('stacks are guarded', () => {
  expect(symbols(false).some((name) => name.startsWith('__stack_chk_fail'))).toBe(true);
});

test.each(['binding.gyp', 'CMakeLists.txt'])('%s asks for all of it', (file) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  for (const flag of [
    '-fstack-protector-strong',
    '_FORTIFY_SOURCE=2',
    '_GLIBCXX_ASSERTIONS',
    '-z,relro',
    '-z,now',
    '-z,noexecstack',
    'exports.map',
  ]) {
    expect(text).toContain(flag);
  }
});
