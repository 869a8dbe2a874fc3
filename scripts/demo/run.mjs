// Starts the demonstration in a network namespace without a name, which ends with it.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { endOnSignals, runAttached } from '../setup/child.mjs';
import { unshareCommand } from '../setup/namespace.mjs';
import { command } from '../setup/report.mjs';
import { inRoot } from '../setup/root.mjs';

export function demo() {
  const [unshare, ...namespaces] = unshareCommand(['--net']);
  return runAttached(unshare, [...namespaces, process.execPath, inRoot('scripts/demo/demo.mjs')]);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  endOnSignals();
  await command(async () => {
    const { code } = await demo();
    process.exitCode = code;
  });
}
