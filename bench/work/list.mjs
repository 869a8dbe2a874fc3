// Listing a whole table.
import { inTurn } from '../figures.mjs';
import { OURS, same } from '../setup.mjs';

export async function list({ floor, ours, js, spawned, slow, timed, sizes, rounds }) {
  await floor.ask('flush');
  await floor.ask(`fill 0 ${sizes.flows}`);
  const contenders = [
    { name: 'C, receive and throw away', go: () => floor.ask('list') },
    { name: OURS.batches, go: () => ours.ask('batches') },
    { name: OURS.flows, go: () => ours.ask('flows') },
    { name: OURS.array, go: () => ours.ask('array') },
    { name: 'netlink in pure JS', go: () => js.ask('list') },
    { name: 'libnetfilter_conntrack through Node-API', go: () => slow.ask('list') },
    { name: 'conntrack -L', go: () => timed('exec conntrack -L') },
    { name: 'Node, spawn conntrack -L', go: () => spawned.ask('list') },
  ];
  const rows = await inTurn(contenders, rounds);
  const problems = rows.flatMap(({ name, runs }) =>
    runs.flatMap(({ count }) =>
      count === undefined || count === sizes.flows ? [] : [`${name}: ${count} flows`],
    ),
  );
  // The columns' sums tell that the same was read; timeouts run meanwhile.
  problems.push(...same(rows, [OURS.batches, OURS.flows, 'netlink in pure JS'], sizes.flows));
  const heap = rows.find(({ name }) => name === OURS.array).runs.map((run) => run.heapPerFlow);
  return {
    title: `list ${sizes.flows} flows`,
    rows,
    problems,
    figures: [{ name: `${OURS.array}, bytes of heap a flow`, value: Math.max(...heap) }],
    targets: [
      { name: OURS.batches, against: 'C, receive and throw away', atMost: 1.15 },
      { name: 'conntrack -L', against: OURS.batches, atLeast: 2.6 },
      { name: 'netlink in pure JS', against: OURS.batches, atLeast: 2.8 },
      { name: OURS.flows, against: 'C, receive and throw away', atMost: 1.3 },
      { name: OURS.array, against: 'C, receive and throw away', atMost: 1.6 },
      { figure: `${OURS.array}, bytes of heap a flow`, atMost: 400 },
    ],
  };
}

export async function filtered({ floor, ours, js, spawned, timed, sizes, rounds }) {
  await floor.ask(`fill 0 ${sizes.flows}`);
  const FLOOR = 'C with the same kernel filter';
  const NAME = 'ours: batches with a filter';
  const rows = await inTurn(
    [
      { name: FLOOR, go: () => floor.ask('filtered') },
      { name: NAME, go: () => ours.ask('filtered') },
      { name: 'netlink in pure JS, filtered in JS', go: () => js.ask('filtered') },
      {
        name: 'conntrack -L -p tcp --dport 8080',
        go: () => timed('exec conntrack -L -p tcp --dport 8080'),
      },
      { name: 'Node, spawn conntrack -L -p tcp', go: () => spawned.ask('filtered') },
    ],
    rounds,
  );
  const wanted = sizes.flows / 100;
  const problems = rows.flatMap(({ name, runs }) =>
    runs.flatMap(({ count = wanted }) => (count === wanted ? [] : [`${name}: ${count} flows`])),
  );
  return {
    title: `list 1 % of ${sizes.flows} flows by port`,
    rows,
    problems,
    targets: [{ name: NAME, against: FLOOR, atMost: 1.15 }],
  };
}

/** As many flows as the limit allows, streamed. */
export async function stream({ floor, ours, sizes }) {
  await floor.ask(`fill 0 ${sizes.stream}`);
  await ours.ask('stream');
  const result = await ours.ask('stream');
  await floor.ask('flush');
  return {
    title: `stream ${sizes.stream} flows`,
    rows: [{ name: OURS.batches, runs: [result], ms: [result.ms] }],
    problems: result.count === sizes.stream ? [] : [`${result.count} flows were listed`],
    figures: [
      { name: 'peak RSS growth, MiB', value: result.rssGrowthMib },
      { name: 'event-loop delay p99, ms', value: result.delayP99 },
    ],
    targets: [
      { figure: 'peak RSS growth, MiB', atMost: 40 },
      { figure: 'event-loop delay p99, ms', atMost: 5 },
    ],
  };
}
