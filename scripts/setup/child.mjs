// Programs that are run and waited for. They do not outlive a signal that ends this process.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

import { root } from './root.mjs';

const KEPT_OUTPUT = 256 * 1024;
const running = new Set();
let inheritedLock;

/** Children hold this descriptor too, so an orphan of a killed run still keeps the next one out. */
export function shareLock(descriptor) {
  inheritedLock = descriptor;
}

export const signalStatus = (signal) => 128 + constants.signals[signal];

/** Ends the children and then this process, with the exit code a shell reports for the signal. */
export function endOnSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      for (const child of running) child.kill(signal);
      process.exitCode = signalStatus(signal);
      if (running.size === 0) process.exit();
      for (const child of running) child.once('close', () => process.exit());
    });
  }
}

function outcome(child, output) {
  running.add(child);
  return new Promise((resolve) => {
    const finish = (result) => {
      running.delete(child);
      resolve({ output: output.text, ...result });
    };
    child.once('error', (error) => finish({ code: 127, output: `${error.message}\n` }));
    child.once('close', (code, signal) => finish({ code: code ?? signalStatus(signal), signal }));
  });
}

/**
 * Runs a program and collects what it prints. Never rejects.
 * @returns {Promise<{code: number, output: string}>} code 127 when the program cannot be started
 */
export function run(command, args, { cwd = root, env = {}, onLine } = {}) {
  const stdio = ['ignore', 'pipe', 'pipe'];
  if (inheritedLock !== undefined) stdio.push(inheritedLock);
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio });
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output.text = (output.text + text).slice(-KEPT_OUTPUT);
      onLine?.(lastLine(output.text));
    });
  }
  return outcome(child, output);
}

/**
 * Runs a program on this process's own terminal. Its stdin is a pipe that closes when this process
 * ends, however it ends, so that the program can follow it.
 */
export function runAttached(command, args, { cwd = root, env = {}, timeout, stdin = 'pipe' } = {}) {
  const stdio = [stdin, 'inherit', 'inherit'];
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio, timeout });
  child.stdin?.on('error', () => undefined);
  return outcome(child, { text: '' });
}

function lastLine(text) {
  return (
    text
      .trimEnd()
      .split(/[\r\n]/)
      .at(-1) ?? ''
  );
}
