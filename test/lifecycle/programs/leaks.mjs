/**
 * Opens, lists, mirrors, subscribes and closes, over and over: `leaks.mjs CYCLES`. Prints JSON of what a warm
 * process had, and what it has at the end.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

const cycles = Number(process.argv[2]);
const WARM = Math.min(300, Math.floor(cycles / 2));

async function cycle(number) {
  const ct = await Conntrack.open();
  const events = await ct.events(undefined, { resync: number % 2 === 0 });
  const mirror = await ct.mirror();
  const changes = mirror.changes();
  const first = mirror.where().toArray()[0];
  const key = { protocol: 'udp', orig: { src: '10.9.9.1', dst: '10.9.9.2', sport: 1, dport: 2 } };
  await ct.create({ ...key, timeout: 60 });
  await changes.next();
  await ct.delete(key);
  await ct.flows().count();
  if (mirror.get(first)?.id !== first.id) throw new Error('lost its way');
  // Some are left to the Conntrack.
  if (number % 3 === 0) events.close();
  if (number % 5 === 0) await mirror.close();
  await ct.close();
}

async function has() {
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc();
    await sleep(10);
  }
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
  return {
    rss: 1024 * field('VmRSS'),
    threads: field('Threads'),
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

for (let number = 0; number < WARM; number++) await cycle(number);
const warm = await has();
for (let number = WARM; number < cycles; number++) await cycle(number);
say(JSON.stringify({ cycles, warm, end: await has() }));
