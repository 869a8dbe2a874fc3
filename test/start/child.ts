import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export const root = join(__dirname, '../..');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** Resolves when stdout contains the text, rejects when it ended without. */
  shows: (text: string) => Promise<void>;
  ended: Promise<Ended>;
}

/** Starts a program whose output is collected. */
export function start(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(command, args, {
    cwd: '/',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
  const shows = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) resolve();
      };
      child.stdout.on('data', look);
      void ended.then(() => {
        reject(new Error(`ended without "${text}":\n${stdout}\n${stderr}`));
      });
      look();
    });
  return { child, shows, ended };
}

export const script = (name: string, ...args: string[]): string[] => [
  join(root, 'scripts', name),
  ...args,
];

/** For tests of what an ordinary user meets: some containers allow nobody a user namespace. */
export const testWithUserNamespace =
  spawnSync('unshare', ['--user', 'true']).status === 0 ? test : test.skip;
