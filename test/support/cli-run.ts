/** Both command lines, ours in this process and the installed conntrack(8), side by side. */
import { readFileSync } from 'node:fs';

import type { Io } from '../../lib/cli/io';
import { run } from '../../lib/cli/main';
import type { ExecResult, TestNamespace } from './netns';

/** An Io of arrays. */
export class TestIo implements Io {
  readonly env: Record<string, string | undefined>;
  readonly #stdout: Buffer[] = [];
  readonly #controller = new AbortController();
  stderr = '';
  /** Called with everything that is written, as it is. */
  onWrite: ((text: string) => void | Promise<void>) | undefined;

  constructor(env: Record<string, string | undefined> = {}) {
    this.env = env;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    const copy = Buffer.from(bytes as Uint8Array);
    this.#stdout.push(copy);
    await this.onWrite?.(copy.toString());
  }

  error(text: string): void {
    this.stderr += text;
  }

  read(path: string): string {
    return readFileSync(path, 'latin1');
  }

  interrupted(): AbortSignal {
    return this.#controller.signal;
  }

  interrupt(): void {
    this.#controller.abort();
  }
}

/** Runs our command line in a namespace. */
export async function runOurs(
  namespace: TestNamespace,
  args: readonly string[],
  io = new TestIo(),
): Promise<ExecResult> {
  const status = await run(['nfconntrack', '--netns', namespace.path, ...args], io);
  return { status, stdout: io.stdout, stderr: io.stderr };
}

/** Runs the installed one; the shell's code of a crash is 139. */
export function runOriginal(namespace: TestNamespace, args: readonly string[]): ExecResult {
  try {
    return namespace.tryExec('conntrack', args);
  } catch (error) {
    if (String(error).includes('SIGSEGV')) return { status: 139, stdout: '', stderr: '' };
    throw error;
  }
}

const PREFIX = /^n?f?conntrack v[\d.]+ \([\w-]+\): /gm;
const TRY = /^Try `n?f?conntrack -h' or 'n?f?conntrack --help'/gm;

/** stderr without the program's name and version. */
export function withoutName(stderr: string): string {
  return stderr.replaceAll(PREFIX, ': ').replaceAll(TRY, 'Try');
}

const NETLINK_NETFILTER = 12;

/** How many netlink sockets of a namespace listen to netfilter's announcements. */
export function listeners(namespace: TestNamespace): number {
  const rows = namespace.run(() => readFileSync('/proc/net/netlink', 'utf8')).split('\n');
  return rows.filter((row) => {
    const [, protocol, , groups = '0'] = row.trim().split(/\s+/);
    return Number(protocol) === NETLINK_NETFILTER && parseInt(groups, 16) !== 0;
  }).length;
}
