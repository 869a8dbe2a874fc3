// node_modules, exactly as package-lock.json says.
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { run } from './child.mjs';
import { StepError } from './report.mjs';
import { inRoot } from './root.mjs';

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(inRoot(path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** npm writes its record of what is installed last, so a cut-off installation has none. */
function installed() {
  const has = packagesOf('node_modules/.package-lock.json');
  if (has === undefined) return false;
  return Object.entries(packagesOf('package-lock.json') ?? {}).every(([path, wanted]) => {
    if (path === '' || wanted.optional) return true;
    const { version, integrity } = has[path] ?? {};
    return version === wanted.version && integrity === wanted.integrity;
  });
}

/** Users without a home, as `nobody`, have no place for npm's cache either. */
async function withCache(work) {
  const usual = process.env.npm_config_cache ?? join(homedir(), '.npm');
  if (isWritable(existsSync(usual) ? usual : dirname(usual))) return work([]);
  const cache = mkdtempSync(join(tmpdir(), 'nfconntrack-npm-'));
  try {
    return await work([`--cache=${cache}`]);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

function isWritable(path) {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** npm explains its error first, and then, at length, its own options. */
const withoutUsage = (output) => output.replace(/^npm error Clean install a project[^]*/m, '');

export const nodeModules = {
  title: 'node modules',
  missing: () => !installed(),
  async make(progress) {
    const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional'];
    const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=http'];
    const { code, output } = await withCache((cache) =>
      run('npm', [...args, ...quiet, ...cache], { onLine: progress }),
    );
    if (code !== 0) {
      throw new StepError(`npm ci ended with code ${String(code)}.`, {
        output: withoutUsage(output),
        remedy: 'check that the package registry can be reached and this directory is yours.',
      });
    }
    return `${String(Object.keys(packagesOf('node_modules/.package-lock.json')).length)} packages`;
  },
};
