/** A network namespace per test. */
import {
  spawn,
  spawnSync,
  type ChildProcessWithoutNullStreams,
  type SpawnSyncReturns,
} from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isPromise } from 'node:util/types';

import { testing } from './testing';

export interface ExecOptions {
  input?: string;
  env?: Record<string, string>;
  /** In ms; the program is killed then. 30 000 unless said. */
  timeout?: number;
}

export interface ExecResult {
  status: number;
  stdout: string;
  stderr: string;
}

const CHILD_TIMEOUT_MS = 30_000;
const MOST_OUTPUT = 256 * 1024 * 1024;

const open = new Set<TestNamespace>();
let current: number | undefined;

/**
 * An anonymous namespace with `lo` up. It needs no clean-up to vanish: it is held by a descriptor
 * and by the sockets made in it, and goes with the process at the latest. Until then it costs
 * memory, so tests close it: `using`, or `TestNamespace.closeAll()` after each test.
 */
export class TestNamespace implements Disposable {
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
    open.add(this);
  }

  static create(): TestNamespace {
    return new TestNamespace(testing.newNamespace());
  }

  static closeAll(): void {
    for (const namespace of open) namespace.close();
  }

  get fd(): number {
    if (this.#fd === undefined) throw new Error('the namespace is closed');
    return this.#fd;
  }

  /** Valid for this process, its threads and every other process on the machine that may look. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.fd}`;
  }

  /**
   * Runs `body` with this thread inside the namespace, and goes back whatever happens. Only what
   * happens before `body` returns happens inside: synchronous file reads, child processes, sockets
   * of the testing addon. Node's own sockets are made later, even for address literals, so
   * `net.connect()` in here would connect outside. A `body` that gives a promise is refused.
   */
  run<T>(body: () => T): T {
    const previous = (current ??= testing.openNamespace());
    this.#enter();
    let result: T;
    try {
      result = body();
    } finally {
      testing.enterNamespace(previous);
      current = previous;
    }
    if (isPromise(result)) throw new TypeError('run() takes a synchronous function');
    return result;
  }

  #enter(): void {
    testing.enterNamespace(this.fd);
    current = this.fd;
  }

  /** Runs a program inside and gives its output; throws when it fails. */
  exec(command: string, args: readonly string[], options: ExecOptions = {}): string {
    const { status, stdout, stderr } = this.tryExec(command, args, options);
    if (status === 0) return stdout;
    throw new Error(`${[command, ...args].join(' ')}: exit ${status}\n${stderr}${stdout}`);
  }

  /** Runs a program inside; throws only when it cannot be started or is killed by a signal. */
  tryExec(command: string, args: readonly string[], options: ExecOptions = {}): ExecResult {
    const child = this.run(() =>
      spawnSync(command, args, {
        encoding: 'utf8',
        timeout: options.timeout ?? CHILD_TIMEOUT_MS,
        maxBuffer: MOST_OUTPUT,
        env: { ...process.env, ...options.env },
        ...(options.input === undefined ? {} : { input: options.input }),
      }),
    );
    return { status: statusOf(command, child), stdout: child.stdout, stderr: child.stderr };
  }

  /** Starts a program inside and leaves it running; the caller ends it. */
  spawn(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    return this.run(() => spawn(command, args, { stdio: 'pipe' }));
  }

  /** Loads an nft script. */
  nft(ruleset: string): void {
    this.exec('nft', ['-f', '-'], { input: ruleset });
  }

  /**
   * Makes the kernel track connections in here: without a rule that asks for a connection's state,
   * its hooks are not even registered. Filters nothing.
   */
  track(): void {
    this.nft(`
      table inet track {
        chain in { type filter hook input priority 0; ct state new counter; }
        chain out { type filter hook output priority 0; ct state new counter; }
        chain forward { type filter hook forward priority 0; ct state new counter; }
      }`);
  }

  /**
   * Reads or sets a sysctl of this namespace. A name without a dot is of `net.netfilter`:
   * `sysctl('nf_conntrack_acct', 1)`, `sysctl('net.ipv4.ip_forward')`.
   */
  sysctl(name: string): string;
  sysctl(name: string, value: string | number): void;
  sysctl(name: string, value?: string | number): string | undefined {
    const path = sysctlPath(name);
    if (value === undefined) return this.run(() => readFileSync(path, 'utf8').trim());
    this.run(() => {
      writeFileSync(path, `${value}\n`);
    });
    return undefined;
  }

  close(): void {
    if (this.#fd === undefined) return;
    testing.closeFd(this.#fd);
    this.#fd = undefined;
    open.delete(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function statusOf(command: string, child: SpawnSyncReturns<string>): number {
  if (child.error !== undefined) throw child.error;
  if (child.status === null) throw new Error(`${command}: killed by ${String(child.signal)}`);
  return child.status;
}

function sysctlPath(name: string): string {
  const full = name.includes('.') ? name : `net.netfilter.${name}`;
  return `/proc/sys/${full.replaceAll('.', '/')}`;
}
