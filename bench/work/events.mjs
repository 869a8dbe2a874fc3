// Following events: nothing may be lost, at the lowest cost.
import { LinePrinter } from '../contender.mjs';
import { OURS, pause } from '../setup.mjs';

const C_BUFFER = 8 * 2 ** 20;
const CPU = 'us of CPU an event';
const FLOOR = 'C, receive and throw away, 8 MB';

/** Lets a consumer hear what `make` makes; what it heard, and what there was. */
async function hear(consumer, command, make) {
  await consumer.ask(command);
  const made = await make();
  await pause(300);
  const heard = await consumer.ask('stop');
  return { made, heard: { ...heard, perEvent: (heard.cpuMs * 1000) / Math.max(1, heard.count) } };
}

const row = (name, { made, heard }) => ({
  name,
  runs: [
    {
      ms: made.ms,
      count: heard.count,
      lost: made.count - heard.count,
      perEvent: heard.perEvent,
      rate: (1000 * made.count) / made.ms,
    },
  ],
  ms: [made.ms],
});

const lossOf = (rows, name) => rows.find((each) => each.name === name).runs[0].lost;
const costOf = (rows, name) => rows.find((each) => each.name === name).runs[0].perEvent;

/** Nothing may be lost, at little more than what receiving costs. */
function againstC(rows) {
  const lost = lossOf(rows, OURS.batches);
  const cost = costOf(rows, OURS.batches) / costOf(rows, FLOOR);
  return {
    problems: lost === 0 ? [] : ['events were lost'],
    figures: [
      { name: 'ours, events lost', value: lost },
      { name: `ours / C, ${CPU}`, value: cost },
    ],
    targets: [
      { figure: 'ours, events lost', atMost: 0 },
      { figure: `ours / C, ${CPU}`, atMost: 1.5 },
    ],
  };
}

/** An opponent that may not survive. */
async function attempt(name, rows, heard) {
  try {
    rows.push(row(name, await heard()));
  } catch (error) {
    rows.push({ name, runs: [], ms: [], note: error.message });
  }
}

async function conntrackHears(make) {
  const printer = new LinePrinter('conntrack', ['-E']);
  await pause(300);
  const made = await make();
  await pause(500);
  const { count, cpuMs } = printer;
  await printer.end();
  return { made, heard: { count, cpuMs, perEvent: (cpuMs * 1000) / Math.max(1, count) } };
}

export async function churn({ floor, listener, ours, newJs, sizes }) {
  const make = () => floor.ask(`churn 0 ${sizes.seconds}`);
  const rows = [
    row(FLOOR, await hear(listener, `listen ${C_BUFFER}`, make)),
    row(OURS.batches, await hear(ours, 'listen-batches', make)),
  ];
  await attempt('conntrack -E', rows, () => conntrackHears(make));
  const js = newJs();
  await attempt('netlink in pure JS, 8 MB', rows, () => hear(js, 'listen', make));
  await js.end();
  return {
    title: `follow flows that come and go as fast as they are made, ${sizes.seconds} s`,
    rows,
    ...againstC(rows),
  };
}

export async function packets({ floor, listener, ours, sizes }) {
  const rows = [];
  let first = 0;
  const make = async () => {
    const made = await floor.ask(`packets ${first} ${sizes.packets} ${sizes.packetRate}`);
    first += sizes.packets;
    return made;
  };
  await floor.ask('flush');
  rows.push(row(FLOOR, await hear(listener, `listen ${C_BUFFER}`, make)));
  await floor.ask('flush');
  rows.push(row(OURS.batches, await hear(ours, 'listen-batches', make)));
  await floor.ask('flush');
  return {
    title: `follow new flows of real packets, ${sizes.packetRate} a second`,
    rows,
    ...againstC(rows),
  };
}

export async function perEvent({ floor, ours, sizes }) {
  const rate = 200_000;
  const make = () => floor.ask(`churn ${rate} ${sizes.seconds}`);
  const rows = [row(OURS.flows, await hear(ours, 'listen-flows', make))];
  return {
    title: `for await over events, ${rate} a second, ${sizes.seconds} s`,
    rows,
    problems: lossOf(rows, OURS.flows) === 0 ? [] : ['events were lost'],
    figures: [{ name: 'ours, events lost', value: lossOf(rows, OURS.flows) }],
    targets: [{ figure: 'ours, events lost', atMost: 0 }],
  };
}

/** The table is flushed while the consumer's JS thread does something else. */
export async function blocked({ floor, ours, sizes }) {
  await floor.ask('flush');
  await ours.ask('listen-batches');
  await floor.ask(`fill 0 ${sizes.flows}`);
  ours.tell(`block ${sizes.blockMs}`);
  await pause(50);
  const flushed = await floor.ask('flush');
  await ours.next();
  const heard = await ours.ask('stop');
  const lost = 2 * sizes.flows - heard.count;
  const rows = [
    {
      name: OURS.batches,
      runs: [{ ms: flushed.ms, count: heard.count, lost, drops: heard.drops }],
      ms: [flushed.ms],
    },
  ];
  return {
    title: `flush ${sizes.flows} flows while the JS thread is blocked for ${sizes.blockMs} ms`,
    rows,
    problems: lost === 0 ? [] : ['events were lost'],
    figures: [{ name: 'ours, events lost', value: lost }],
    targets: [{ figure: 'ours, events lost', atMost: 0 }],
  };
}

export async function idle({ ours }) {
  const { threads, wakeUps } = await ours.ask('idle 2000');
  return {
    title: 'an idle subscription for 2 s',
    rows: [],
    problems: threads >= 1 ? [] : ['no thread was looked at'],
    figures: [{ name: 'wake-ups of our threads', value: wakeUps }],
    targets: [{ figure: 'wake-ups of our threads', atMost: 0 }],
  };
}
