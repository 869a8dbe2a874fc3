/** Programs that use the built package (dist/), each in a process of its own. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import type { TestNamespace } from './netns';

export interface ProgramOptions {
  /** Where it runs; in the caller's own namespace unless said. */
  namespace?: TestNamespace;
  args?: readonly string[];
  /** Options of node itself. */
  node?: readonly string[];
  /** A command line that starts the rest in its own place, such as setpriv(1). */
  under?: readonly string[];
  env?: Record<string, string>;
  /** In ms; the program is killed then, which its `signal` shows. 50 000 unless said. */
  timeout?: number;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const PROGRAMS = join(__dirname, '../lifecycle/programs');
/** It ends with the test, even when that is killed. */
const WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL'];
const TIMEOUT_MS = 50_000;

const running = new Set<Program>();

/** A program of test/lifecycle/programs that has been started. It talks in lines. */
export class Program {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #timer: NodeJS.Timeout;
  #stdout = '';
  #stderr = '';

  constructor(name: string, options: ProgramOptions = {}) {
    const [command = '', ...args] = [
      ...WITH_PARENT,
      ...(options.under ?? []),
      process.execPath,
      ...(options.node ?? []),
      join(PROGRAMS, name),
      ...(options.args ?? []),
    ];
    const start = (): ChildProcessWithoutNullStreams =>
      spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...options.env } });
    this.#child = options.namespace === undefined ? start() : options.namespace.run(start);
    running.add(this);
    this.#timer = setTimeout(() => this.kill('SIGKILL'), options.timeout ?? TIMEOUT_MS);
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    // One that has ended takes no more lines.
    this.#child.stdin.on('error', () => undefined);
    this.ended = this.#end();
  }

  static endAll(): void {
    for (const program of running) program.kill('SIGKILL');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when it has printed this line, rejects when it ended without. */
  async said(line: string): Promise<void> {
    while (!`\n${this.#stdout}`.includes(`\n${line}\n`)) {
      const more = once(this.#child.stdout, 'data');
      const ended = await Promise.race([more.then(() => undefined), this.ended]);
      if (ended === undefined || `\n${this.#stdout}`.includes(`\n${line}\n`)) continue;
      throw new Error(`ended without "${line}": ${JSON.stringify(ended, undefined, 2)}`);
    }
  }

  /** Forgets what it has said, so that the same line can be waited for again. */
  tell(line: string): void {
    this.#stdout = '';
    this.#child.stdin.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async #end(): Promise<Ended> {
    try {
      const [code, signal] = (await once(this.#child, 'close')) as [
        number | null,
        NodeJS.Signals | null,
      ];
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    } finally {
      clearTimeout(this.#timer);
      running.delete(this);
    }
  }
}

export function runProgram(name: string, options?: ProgramOptions): Promise<Ended> {
  return new Program(name, options).ended;
}

/** Runs a program that has to end well and prints JSON, and gives what it printed. */
export async function answerOf<T>(name: string, options?: ProgramOptions): Promise<T> {
  const ended = await runProgram(name, options);
  if (ended.code !== 0 || ended.stderr !== '') {
    throw new Error(`${name}: ${JSON.stringify(ended, undefined, 2)}`);
  }
  return JSON.parse(ended.stdout) as T;
}
