// A contender is a program that does one thing each time it is told to: a line on stdin names it, a line of JSON
// on stdout says what it took. Start-up is no part of it.
import { createInterface } from 'node:readline';

const MIB = 2 ** 20;

/** The wall and CPU time of `work`, whose result is counts. */
export async function measured(work) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const counts = await work();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000, ...counts };
}

export function say(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

export const rssMib = () => process.memoryUsage.rss() / MIB;

/**
 * Obeys the commands on stdin, one after the other. A command that lasts until it is told to stop returns how to
 * stop it, and the line `stop` does.
 */
export async function obey(commands) {
  let stop;
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...args] = line.split(' ');
    if (name === 'stop') {
      say(await stop());
      continue;
    }
    const result = await commands[name](...args.map(Number));
    if (typeof result === 'function') stop = result;
    else say(result);
  }
}
