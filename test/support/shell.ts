/** Shell scripts that call the command line, as users write them, in a namespace. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ExecResult, TestNamespace } from './netns';

/** What `npm run build` makes. */
export const PROGRAM = join(__dirname, '../../dist/cli.js');

/** A directory with a program `conntrack` that is ours, to be put before the others in PATH. */
export class OwnPath implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'nfconntrack-path-'));

  constructor() {
    const script = `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" --compat "$@"\n`;
    writeFileSync(join(this.directory, 'conntrack'), script, { mode: 0o755 });
  }

  /** Runs a script, in which `conntrack` is ours. */
  run(namespace: TestNamespace, script: string): ExecResult {
    const path = `${this.directory}:${process.env['PATH'] ?? ''}`;
    return namespace.tryExec('bash', ['-c', script], { env: { PATH: path } });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs a script with the installed conntrack(8). */
export function runScript(namespace: TestNamespace, script: string): ExecResult {
  return namespace.tryExec('bash', ['-c', script]);
}
