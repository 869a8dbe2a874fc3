#!/usr/bin/env node
/** The program: the command line with the process's own streams and signals. */
import { constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import type { Io } from './io';
import { run } from './main';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/** A program that waits for a slow reader must still hear signals: such a pipe is not to block. */
function withoutBlocking(): number {
  try {
    if (!fstatSync(STDOUT).isFIFO()) return STDOUT;
    // An open file of our own: the one that was inherited may be others' as well.
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return STDOUT;
  }
}

class ProcessIo implements Io {
  readonly env = process.env;
  #stdout = STDOUT;
  #interrupted: AbortController | undefined;

  async write(data: Uint8Array | string): Promise<void> {
    let rest: Uint8Array = typeof data === 'string' ? Buffer.from(data) : data;
    let wait = FIRST_PAUSE_MS;
    while (rest.length > 0) {
      const written = this.#writeSome(rest);
      rest = rest.subarray(written);
      if (written > 0) {
        wait = FIRST_PAUSE_MS;
        continue;
      }
      if (this.#interrupted?.signal.aborted === true) return;
      await pause(wait);
      wait = Math.min(2 * wait, LONGEST_PAUSE_MS);
    }
  }

  /** How much was taken; whatever cannot be written, as to a full disk, counts as taken. */
  #writeSome(bytes: Uint8Array): number {
    try {
      return writeSync(this.#stdout, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw error;
      return code === 'EAGAIN' ? 0 : bytes.length;
    }
  }

  error(text: string): void {
    try {
      writeSync(STDERR, text);
    } catch {
      // There is nobody left to tell.
    }
  }

  read(path: string): string {
    return readFileSync(path === '-' ? STDIN : path, 'latin1');
  }

  interrupted(): AbortSignal {
    if (this.#interrupted !== undefined) return this.#interrupted.signal;
    const controller = new AbortController();
    this.#interrupted = controller;
    this.#stdout = withoutBlocking();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        controller.abort();
      });
    }
    return controller.signal;
  }
}

const [, program = 'nfconntrack', ...args] = process.argv;
void run([program, ...args], new ProcessIo()).then((code) => process.exit(code));
