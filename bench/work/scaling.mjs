// What a flow costs in tables of all sizes, and an event with several subscriptions.
import { median } from '../figures.mjs';

const RUNS = 5;

async function medianOf(contender, command) {
  const times = [];
  for (let run = 0; run < RUNS; run += 1) times.push((await contender.ask(command)).ms);
  return median(times);
}

export async function sizesOfTables({ floor, ours, sizes }) {
  await floor.ask('flush');
  // The walk over the kernel's buckets costs the same whatever is in them, for both.
  const [emptyC, emptyOurs] = [await medianOf(floor, 'list'), await medianOf(ours, 'batches')];
  const points = [];
  for (const flows of sizes.scale) {
    await floor.ask(`fill 0 ${flows}`);
    const c = await medianOf(floor, 'list');
    const own = await medianOf(ours, 'batches');
    points.push({
      flows,
      c: (1e6 * Math.max(0, c - emptyC)) / flows,
      ours: (1e6 * Math.max(0, own - emptyOurs)) / flows,
    });
  }
  await floor.ask('flush');
  return {
    title: 'ns a flow in tables of all sizes, without what an empty one costs',
    rows: [],
    problems: [],
    points,
    figures: points.map(({ flows, c, ours: own }) => ({
      name: `${flows} flows: C ${c.toFixed(0)}, ours`,
      value: own,
    })),
    targets: [],
  };
}

export async function subscriptions({ floor, ours, sizes }) {
  const points = [];
  for (const count of [1, 2, 4, 8]) {
    await ours.ask(`listen-many ${count}`);
    const made = await floor.ask(`churn 20000 ${sizes.scaleSeconds}`);
    const heard = await ours.ask('stop');
    points.push({
      subscriptions: count,
      perEvent: (1000 * heard.cpuMs) / Math.max(1, heard.count),
      lost: made.count * count - heard.count,
    });
  }
  return {
    title: 'us of CPU an event and subscription, 20,000 events a second',
    rows: [],
    points,
    problems: points.every(({ lost }) => lost === 0) ? [] : ['events were lost'],
    figures: points.map(({ subscriptions: count, perEvent }) => ({
      name: `${count} subscriptions`,
      value: perEvent,
    })),
    targets: [],
  };
}
