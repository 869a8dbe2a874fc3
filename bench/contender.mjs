// Programs that are measured: those that stay and obey, and those that are started each time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const TICKS_PER_SECOND = 100; // USER_HZ, which the kernel reports in on every architecture
const running = new Set();

export function killAll() {
  for (const child of running) child.kill('SIGKILL');
}

function start(command, args, stdio) {
  const child = spawn(command, args, { stdio });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** A program that obeys commands, as contenders/commands.mjs has them. */
export class Contender {
  #child;
  #lines;
  #name;

  constructor(name, command, args = [], stderr = 'inherit') {
    this.#name = name;
    this.#child = start(command, args, ['pipe', 'pipe', stderr]);
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.#child.pid;
  }

  /** Its answer to a command; throws if it ends instead. */
  async ask(command) {
    this.#child.stdin.write(`${command}\n`);
    return this.next();
  }

  tell(command) {
    this.#child.stdin.write(`${command}\n`);
  }

  async next() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#name} ended`);
    return JSON.parse(value);
  }

  async end() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'close');
    }
  }
}

/** Runs a shell command; its wall time, start-up included, and its exit code. */
export async function timed(command) {
  const began = performance.now();
  const child = start('sh', ['-c', command], ['ignore', 'ignore', 'ignore']);
  const [code] = await once(child, 'close');
  return { ms: performance.now() - began, code };
}

/** CPU time of a process so far, in ms. */
export function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** A program that prints a line for each event. */
export class LinePrinter {
  #child;
  count = 0;

  constructor(command, args) {
    this.#child = start(command, args, ['ignore', 'pipe', 'ignore']);
    this.#child.stdout.on('data', (bytes) => {
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) this.count += 1;
    });
  }

  get cpuMs() {
    return cpuOf(this.#child.pid);
  }

  async end() {
    this.#child.kill('SIGINT');
    await once(this.#child, 'close');
  }
}
