/** `conntrack -E` that runs beside a test. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import type { TestNamespace } from './netns';
import { waitFor } from './wait';

const NETLINK_NETFILTER = '12';
const running = new Set<CliListener>();

/** The sockets of a namespace that are subscribed to groups of netfilter, by their inodes. */
function subscribers(namespace: TestNamespace): Set<string> {
  const table = namespace.run(() => readFileSync('/proc/thread-self/net/netlink', 'utf8'));
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  const subscribed = rows.filter(
    ([, protocol, , groups]) => protocol === NETLINK_NETFILTER && Number(`0x${groups}`) !== 0,
  );
  return new Set(subscribed.map((row) => `socket:[${row[9]!}]`));
}

function socketsOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(`${directory}/${fd}`)];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}

export class CliListener {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown>;
  readonly #parts: Buffer[] = [];

  private constructor(namespace: TestNamespace, args: readonly string[]) {
    this.#child = namespace.spawn('conntrack', ['-E', ...args]);
    this.#child.stdout.on('data', (part: Buffer) => this.#parts.push(part));
    this.#child.stderr.resume();
    this.#closed = once(this.#child, 'close');
    running.add(this);
  }

  /** Subscribed when this resolves; `args` are those behind -E. */
  static async start(namespace: TestNamespace, args: readonly string[]): Promise<CliListener> {
    const listener = new CliListener(namespace, args);
    await waitFor('the subscription of conntrack -E', () => {
      const { pid } = listener.#child;
      const subscribed = subscribers(namespace);
      return pid !== undefined && socketsOf(pid).some((socket) => subscribed.has(socket));
    });
    return listener;
  }

  /** What it has printed until now. */
  get text(): string {
    return Buffer.concat(this.#parts).toString();
  }

  /** Ends it as Ctrl-C does once it has printed so many lines; gives all that it printed. */
  async end(lines: number): Promise<string> {
    await waitFor(`${lines} lines of conntrack -E`, () => this.text.split('\n').length > lines);
    running.delete(this);
    this.#child.kill('SIGINT');
    await this.#closed;
    return this.text;
  }

  static endAll(): void {
    for (const listener of running) listener.#child.kill('SIGKILL');
    running.clear();
  }
}
