// `npm start`: prepares what is missing, then shows the library at work in a private network, or with
// arguments is the command line on this host.
import { demo } from './demo/run.mjs';
import { prepare } from './prepare.mjs';
import { endOnSignals, runAttached } from './setup/child.mjs';
import { command } from './setup/report.mjs';
import { inRoot } from './setup/root.mjs';

async function commandLine(args) {
  // npm starts us in the package; files are named from where npm was started.
  const cwd = process.env['INIT_CWD'] ?? process.cwd();
  const program = [inRoot('dist/cli.js'), ...args];
  return runAttached(process.execPath, program, { cwd, stdin: 'inherit' });
}

async function main() {
  const args = process.argv.slice(2);
  await prepare();
  const { code } = await (args.length > 0 ? commandLine(args) : demo());
  process.exitCode = code;
}

endOnSignals();
await command(main);
