// The native addons, by node-gyp.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { run } from './child.mjs';
import { fingerprint, readStamp, writeStamp } from './fingerprint.mjs';
import { StepError } from './report.mjs';
import { inRoot } from './root.mjs';

/** Node's own headers where its installation brought them; node-gyp downloads them otherwise. */
export function headersDirectory() {
  const configured = process.env.npm_config_nodedir;
  if (configured) return configured;
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined;
}

const versionOf = (name) =>
  JSON.parse(readFileSync(inRoot('node_modules', name, 'package.json'), 'utf8')).version;

/** What an object file depends on beside the sources, and make does not see. */
function toolchain() {
  return [
    process.arch,
    headersDirectory() ?? process.version,
    versionOf('node-addon-api'),
    versionOf('node-gyp'),
    process.env.CXX ?? '',
    process.env.CXXFLAGS ?? '',
  ].join(' ');
}

function addon({ title, directory, output, sources }) {
  const stampPath = join(dirname(output), 'made-of.json');
  const state = () => ({ toolchain: toolchain(), sources: fingerprint(sources) });
  return {
    title,
    missing() {
      const stamp = readStamp(stampPath);
      if (stamp === undefined || !existsSync(inRoot(output))) return true;
      const now = state();
      return stamp.toolchain !== now.toolchain || stamp.sources !== now.sources;
    },
    async make(progress) {
      const now = state();
      const incremental = readStamp(stampPath)?.toolchain === now.toolchain;
      await compile(incremental ? ['configure', 'build'] : ['rebuild'], directory, progress);
      writeStamp(stampPath, now);
      return incremental ? 'brought up to date' : 'built';
    },
  };
}

async function compile(commands, directory, progress) {
  const headers = headersDirectory();
  const options = ['--jobs=max', ...(headers === undefined ? [] : [`--nodedir=${headers}`])];
  for (const command of commands) {
    const args = [inRoot('node_modules/node-gyp/bin/node-gyp.js'), command, ...options];
    const { code, output } = await run(process.execPath, args, {
      cwd: inRoot(directory),
      onLine: progress,
    });
    if (code === 0) continue;
    throw new StepError(`node-gyp ${command} ended with code ${String(code)}.`, {
      output,
      remedy: headers
        ? 'read the first error above; a C++20 compiler is needed (g++ 11 or newer).'
        : "read the first error above; if it is about Node's headers, set npm_config_nodedir to the directory that has include/node.",
    });
  }
}

export const nativeAddon = addon({
  title: 'native addon',
  directory: '.',
  output: 'build/Release/nfconntrack.node',
  sources: ['binding.gyp', 'native'],
});

export const testAddon = addon({
  title: 'native test addon',
  directory: 'test/native',
  output: 'test/native/build/Release/testing.node',
  sources: ['test/native', 'native/core'],
});
