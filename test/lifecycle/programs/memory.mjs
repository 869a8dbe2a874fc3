/**
 * What a listing leaves in memory: `batchesKept` bytes while all its batches are held, `flowsKept` bytes
 * while one flow in a thousand is; and these flows as they were at first and at the end.
 */
import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

const EVERY = 1000;

function held() {
  globalThis.gc();
  return process.memoryUsage().arrayBuffers;
}

/** Collected only when the stack that made it is gone, and buffers a turn later. */
async function settled() {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc();
  }
}

async function batchesOf(ct) {
  const batches = [];
  for await (const batch of ct.flows().batches()) batches.push(batch);
  return batches;
}

async function keepBatches(ct) {
  const batches = await batchesOf(ct);
  const bytes = held();
  if (batches.length === 0) throw new Error('there is nothing to list');
  return bytes;
}

async function keepFlows(ct) {
  const kept = [];
  let number = 0;
  for await (const flow of ct.flows()) {
    number += 1;
    if (number % EVERY === 0) kept.push(flow);
  }
  return kept;
}

const ct = await Conntrack.open();
await settled();
const idle = held();
const batchesKept = (await keepBatches(ct)) - idle;
const flows = await keepFlows(ct);
const before = flows.map((flow) => flow.toJSON());
await ct.close();
await settled();
const flowsKept = held() - idle;
const after = flows.map((flow) => flow.toJSON());
say(JSON.stringify({ batchesKept, flowsKept, before, after }));
