// The TypeScript of lib/, compiled into dist/, and the command line as one file, which starts faster.
import { existsSync, renameSync, rmSync } from 'node:fs';

import { run } from './child.mjs';
import { fingerprint, readStamp, writeStamp } from './fingerprint.mjs';
import { StepError } from './report.mjs';
import { inRoot } from './root.mjs';

const STAMP = 'made-of.json';
const state = () => fingerprint(['lib', 'tsconfig.json', 'tsconfig.build.json', 'package.json']);

async function bundle(file, progress) {
  const args = [
    inRoot('lib/cli/bin.ts'),
    `--outfile=${inRoot(file)}`,
    ...['--bundle', '--platform=node', '--target=node20', '--minify', '--log-level=warning'],
  ];
  const { code, output } = await run(inRoot('node_modules/.bin/esbuild'), args, {
    onLine: progress,
  });
  if (code === 0) return;
  throw new StepError('The command line cannot be made one file.', {
    output,
    remedy: 'read the first error above; `npm ci` installs the bundler again.',
  });
}

export const library = {
  title: 'library',
  missing: () => !existsSync(inRoot('dist/cli.js')) || readStamp(`dist/${STAMP}`) !== state(),
  async make(progress) {
    const now = state();
    const next = '.dist-next';
    rmSync(inRoot(next), { recursive: true, force: true });
    const compiler = inRoot('node_modules/typescript/bin/tsc');
    const args = [compiler, '-p', inRoot('tsconfig.build.json'), '--outDir', inRoot(next)];
    const { code, output } = await run(process.execPath, args, { onLine: progress });
    if (code !== 0) {
      throw new StepError('The TypeScript of lib/ does not compile.', {
        output,
        remedy: 'read the first error above.',
      });
    }
    await bundle(`${next}/cli.js`, progress);
    writeStamp(`${next}/${STAMP}`, now);
    // Replaced as a whole, so that no module of an older version stays behind.
    rmSync(inRoot('dist'), { recursive: true, force: true });
    renameSync(inRoot(next), inRoot('dist'));
    return 'compiled';
  },
};
