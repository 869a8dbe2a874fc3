// The library under test.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createRequire } from 'node:module';

import { measured, obey, rssMib, say } from './commands.mjs';

const { Conntrack, probe } = createRequire(import.meta.url)('../../dist/index.js');
// Once, at the start of a program: which of the kernel's own filters can be trusted.
await probe();
const ct = await Conntrack.open();
const RARE = { family: 'ipv4', protocol: 'tcp', orig: { dport: 8080 } };

/** Five columns of a batch, summed. */
function sumColumns({ length, columns }) {
  const { protonum, origSport, origDport, timeout, mark } = columns;
  let sum = 0;
  for (let index = 0; index < length; index += 1) {
    sum += protonum[index] + origSport[index] + origDport[index] + timeout[index] + mark[index];
  }
  return sum;
}

async function batches(filter) {
  let count = 0;
  let sum = 0;
  for await (const batch of ct.flows(filter).batches()) {
    sum += sumColumns(batch);
    count += batch.length;
  }
  return { count, sum };
}

async function flows() {
  let count = 0;
  let sum = 0;
  for await (const flow of ct.flows()) {
    sum += flow.protonum + flow.orig.sport + flow.orig.dport + flow.timeout + (flow.mark ?? 0);
    count += 1;
  }
  return { count, sum };
}

/** All flows at once, and what one of them costs on the heap. */
async function array() {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const result = await measured(async () => {
    const all = await ct.flows().toArray();
    return { count: all.length, all };
  });
  globalThis.gc?.();
  const { all, ...rest } = result;
  const heap = (process.memoryUsage().heapUsed - before) / all.length;
  return { ...rest, heapPerFlow: heap };
}

/** A listing that streams: how much memory it takes, and how long it keeps others waiting. */
async function stream() {
  globalThis.gc?.();
  const before = rssMib();
  let peak = before;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const timer = setInterval(() => (peak = Math.max(peak, rssMib())), 20);
  delay.enable();
  const result = await measured(() => batches());
  delay.disable();
  clearInterval(timer);
  // The monitor's own resolution is in each sample.
  const p99 = Math.max(0, delay.percentile(99) / 1e6 - 1);
  return { ...result, rssGrowthMib: Math.max(peak, rssMib()) - before, delayP99: p99 };
}

const stats = (events) => {
  const { received, kernelDrops, queueDrops, gaps } = events.statistics();
  return { received, drops: kernelDrops + queueDrops, gaps };
};

/** Waits until nothing has come for a while. */
async function settled(events) {
  for (let last = -1, now = events.statistics().received; now !== last;) {
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
    now = events.statistics().received;
  }
}

/** Subscribes, and counts what arrives until it is told to stop. */
async function listen(consume, options) {
  const events = await ct.events(undefined, options);
  const seen = { count: 0, sum: 0 };
  const consuming = consume(events, seen);
  const cpu = process.cpuUsage();
  const began = performance.now();
  say({ ready: true });
  return async () => {
    await settled(events);
    const { user, system } = process.cpuUsage(cpu);
    const ms = performance.now() - began;
    const counts = stats(events);
    events.close();
    await consuming;
    return { ms, cpuMs: (user + system) / 1000, ...seen, ...counts };
  };
}

async function byBatch(events, seen) {
  for await (const batch of events.batches()) {
    seen.sum += sumColumns(batch);
    seen.count += batch.length;
  }
}

async function byEvent(events, seen) {
  for await (const event of events) {
    if (event.type === 'gap') continue;
    const { flow } = event;
    seen.sum += flow.protonum + flow.orig.sport + flow.orig.dport;
    seen.count += 1;
  }
}

/** Several subscriptions to the same events. */
async function listenMany(subscriptions) {
  const stops = [];
  const quiet = async (events, seen) => byBatch(events, seen);
  const seen = { count: 0, sum: 0 };
  for (let index = 0; index < subscriptions; index += 1) {
    const events = await ct.events();
    stops.push({ events, consuming: quiet(events, seen) });
  }
  const cpu = process.cpuUsage();
  say({ ready: true });
  return async () => {
    for (const { events } of stops) await settled(events);
    const { user, system } = process.cpuUsage(cpu);
    const drops = stops.reduce((sum, { events }) => sum + stats(events).drops, 0);
    for (const { events, consuming } of stops) {
      events.close();
      await consuming;
    }
    return { cpuMs: (user + system) / 1000, ...seen, drops };
  };
}

/** Blocks the JS thread for `ms` from the next command on, as a program with other work does. */
function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return { ms };
}

/** Context switches and CPU time of all threads while a subscription has nothing to tell. */
async function idle(ms) {
  const { readdirSync, readFileSync } = await import('node:fs');
  const events = await ct.events();
  const consuming = byBatch(events, { count: 0, sum: 0 });
  const switches = () =>
    readdirSync('/proc/self/task').map((task) => {
      const status = readFileSync(`/proc/self/task/${task}/status`, 'utf8');
      const name = readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim();
      return [name, Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1])];
    });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const ours = (list) => list.filter(([name]) => name.startsWith('nfct-'));
  const before = ours(switches());
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = ours(switches());
  events.close();
  await consuming;
  const woken = after.reduce((sum, [, count]) => sum + count, 0);
  return { threads: after.length, wakeUps: woken - before.reduce((sum, [, n]) => sum + n, 0) };
}

const SERVER = 0xc0000201;
const ipv4 = (value) =>
  [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');

/** The generator's flow of this number, for createMany(). */
function newFlow(index) {
  const number = Math.floor(index / 4);
  const tcp = Math.floor(index / 2) % 2 === 0;
  const src = `10.0.0.${1 + (index % 4)}`;
  const dst = ipv4(SERVER + Math.floor(number / 50_000));
  const ports = { sport: 1024 + (number % 50_000), dport: index % 100 === 0 ? 8080 : 443 };
  return {
    protocol: tcp ? 'tcp' : 'udp',
    orig: { src, dst, ...ports },
    timeout: 3600,
    status: ['SEEN_REPLY', 'ASSURED'],
    ...(tcp ? { state: 'ESTABLISHED' } : {}),
  };
}

let made;

/** Creates `count` flows; the objects that say which are made before. */
async function create(count) {
  if (made?.length !== count) made = Array.from({ length: count }, (_, index) => newFlow(index));
  return measured(async () => {
    const { done, failed } = await ct.createMany(made);
    return { count: done, failed: failed.length };
  });
}

async function remove(receipts) {
  return measured(async () => {
    const result = await ct.deleteWhere(
      { orig: { src: '10.0.0.1' } },
      receipts ? { receipts: true } : {},
    );
    return { count: result.deleted, failed: result.failed, receipts: result.flows?.length };
  });
}

await obey({
  batches: () => measured(() => batches()),
  flows: () => measured(flows),
  array,
  stream,
  filtered: () => measured(() => batches(RARE)),
  'listen-batches': () => listen(byBatch),
  'listen-flows': () => listen(byEvent),
  'listen-many': listenMany,
  block,
  idle,
  create,
  delete: () => remove(false),
  'delete-receipts': () => remove(true),
});
await ct.close();
