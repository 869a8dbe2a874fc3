// `npm start`: prepares what is missing, then shows the library at work in a private network.
import { prepare } from './prepare.mjs';
import { endOnSignals, runAttached } from './setup/child.mjs';
import { unshareCommand } from './setup/namespace.mjs';
import { command } from './setup/report.mjs';
import { inRoot } from './setup/root.mjs';

async function main() {
  if (process.argv.length > 2) {
    process.stderr.write(
      'The command line (npm start -- ARGUMENTS) is not part of this version.\n',
    );
    process.exit(2);
  }
  await prepare();
  const [unshare, ...namespaces] = unshareCommand(['--net']);
  const demo = [process.execPath, inRoot('scripts/demo/demo.mjs')];
  const { code } = await runAttached(unshare, [...namespaces, ...demo]);
  process.exitCode = code;
}

endOnSignals();
await command(main);
