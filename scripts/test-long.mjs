// The long forms of tests that `npm test` runs briefly; each ends with one line of figures.
//   npm run test:chaos -- --seconds N --seed S
//   npm run test:leaks -- --cycles N
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { prepare } from './prepare.mjs';
import { unshareCommand } from './setup/namespace.mjs';
import { inRoot } from './setup/root.mjs';

const FILL = 1000;
// Else glibc keeps what was freed in large pieces, and the process seems to hold it.
const GIVE_BACK = { MALLOC_MMAP_THRESHOLD_: '65536' };

function run(args, env = {}) {
  const [unshare, ...namespaces] = unshareCommand(['--mount', '--net']);
  const { status } = spawnSync(unshare, [...namespaces, process.execPath, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

function figuresIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

const line = (figures) =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');

const forms = {
  chaos({ seconds, seed }) {
    const directory = mkdtempSync(join(tmpdir(), 'nfconntrack-chaos-'));
    const path = join(directory, 'figures.json');
    const status = run([inRoot('node_modules/jest/bin/jest.js'), 'test/chaos'], {
      NFCONNTRACK_CHAOS_SECONDS: seconds,
      NFCONNTRACK_CHAOS_FIGURES: path,
      ...(seed === undefined ? {} : { NFCONNTRACK_CHAOS_SEED: seed }),
    });
    const figures = figuresIn(path);
    rmSync(directory, { recursive: true });
    process.stdout.write(
      figures === undefined ? 'chaos: not finished\n' : `chaos: ${line(figures)}\n`,
    );
    return status;
  },

  leaks({ cycles }) {
    const program = inRoot('test/lifecycle/programs/leaks.mjs');
    const testing = inRoot('test/native/build/Release/testing.node');
    // In the namespace of the child, which is alone in it.
    const filled = `require(${JSON.stringify(testing)}).fill({ count: ${String(FILL)} }); process.argv[2] = ${JSON.stringify(cycles)}; import(${JSON.stringify(program)})`;
    return run(['--expose-gc', '-e', filled, '-', cycles], GIVE_BACK);
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    cycles: { type: 'string', default: '10000' },
  },
});
const form = forms[positionals[0]];
if (form === undefined) throw new Error(`one of ${Object.keys(forms).join(', ')} is needed`);
await prepare({ forTests: true });
process.exitCode = form(values);
