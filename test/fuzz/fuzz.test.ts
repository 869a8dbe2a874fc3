/** A short turn of every fuzz target, from a corpus of what this library met in real traffic. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const SECONDS = 2;
const TARGETS = ['flow', 'expectation', 'message', 'filter', 'request'];

const hasTools = ['clang++', 'cmake'].every((name) => spawnSync(name, ['--version']).status === 0);

(hasTools ? test : test.skip)(
  'every target withstands it for a moment',
  async () => {
    const script = join(ROOT, 'scripts/fuzz/run.mjs');
    const child = spawn(process.execPath, [script, '--seconds', String(SECONDS)], { cwd: ROOT });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    const [code] = (await once(child, 'close')) as [number | null];
    const last = output.trimEnd().split('\n').at(-1);
    if (code !== 0) throw new Error(output);
    process.stdout.write(`${last}\n`);
    const [, inputs] = /^fuzz: 5 targets, (\d+) inputs, 0 crashes$/.exec(last!)!;
    expect(Number(inputs)).toBeGreaterThan(1000);
  },
  300_000,
);

test('the corpus has inputs for every target', () => {
  const lines = readFileSync(join(__dirname, 'corpus.txt'), 'utf8').trim().split('\n');
  for (const target of TARGETS) {
    const inputs = lines.filter((line) => line.startsWith(`${target} `));
    expect([target, inputs.length > 2]).toEqual([target, true]);
  }
  for (const line of lines) expect(line).toMatch(/^[a-z]+ ([0-9a-f]{2})+$/);
});
