/** The benchmarks in their quick form: that every counter adds up and nothing is lost, whatever the times are. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const OUT = 'build/bench-test';

interface Figure {
  name: string;
  value: number;
}

interface Result {
  work: string;
  rows: { name: string; runs: { count?: number }[] }[];
  problems: string[];
  figures?: Figure[];
}

test('the quick benchmarks', () => {
  const args = [join(ROOT, 'bench/bench.mjs'), '--quick', '--out', OUT];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  process.stdout.write(stdout);
  expect(status).toBe(0);
  const text = readFileSync(join(ROOT, OUT, 'results.json'), 'utf8');
  const { results } = JSON.parse(text) as { results: Result[] };
  expect(results.map(({ work }) => work)).toEqual([
    ...['list', 'filtered', 'stream', 'command-line', 'churn', 'packets', 'per-event', 'blocked'],
    ...['idle', 'delete', 'create', 'scaling', 'subscriptions'],
  ]);
  for (const { work, problems } of results)
    expect({ work, problems }).toEqual({ work, problems: [] });
  const lost = results.flatMap(({ figures = [] }) =>
    figures.filter(({ name }) => name === 'ours, events lost'),
  );
  expect(lost.map(({ value }) => value)).toEqual([0, 0, 0, 0]);
  const svg = readFileSync(join(ROOT, OUT, 'results.svg'), 'utf8');
  expect(svg).toMatch(/^<svg [^]*ours: batches[^]*<\/svg>\n$/);
});
