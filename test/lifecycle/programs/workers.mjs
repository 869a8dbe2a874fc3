/**
 * Workers that end at a stage of their life, in a process that goes on: `workers.mjs STAGE`. It says
 * what it has done and waits for a line, so that the test can look at what is left.
 */
import { Worker } from 'node:worker_threads';

import { Conntrack } from '../../../dist/index.js';
import { heard, say } from './conversation.mjs';

const [stage] = process.argv.slice(2);
const TOGETHER = 4;
const ENDINGS = { natural: 0, exit: 7, throw: 1, terminate: 1 };

function started(at, ending) {
  const url = new URL('worker.mjs', import.meta.url);
  return new Worker(url, { workerData: { stage: at, ending } });
}

async function lived(at, ending) {
  const worker = started(at, ending);
  const errors = [];
  worker.on('error', (error) => errors.push(error.message));
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  if (ending === 'terminate') await worker.terminate();
  const code = await exited;
  const expected = ending === 'throw' ? 'thrown on purpose' : '';
  if (code !== ENDINGS[ending] || errors.join() !== expected) {
    throw new Error(`${at}, ${ending}: code ${code}, ${errors.join()}`);
  }
}

async function pause(line) {
  say(line);
  await heard();
}

const ct = await Conntrack.open();
// What Node itself keeps after a first worker.
await lived('opened', 'natural');
await pause('warm');
for (const ending of Object.keys(ENDINGS)) {
  await lived(stage, ending);
  await lived(stage, ending);
  await pause(ending);
}
await Promise.all(Array.from({ length: TOGETHER }, () => lived(stage, 'terminate')));
await pause('together');

const mixed = Object.keys(ENDINGS).map((ending) => lived(stage, ending));
await Promise.all(mixed);
await pause('mixed');

say(`lists ${(await ct.flows().count()) > 0}`);
await ct.close();
