/** One seed of chaos: what it did, and what did not hold at its end. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Conntrack, Events, Filter, Mirror, MirrorChanges } from '../../lib';
import type { TestNamespace } from '../support/netns';
import { below, pick, randomOf, type Random } from '../support/random';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';
import { act, rest, type World } from './actions';
import { contentOf, differences, Heard, idsOf, oracleOf, Replay, summaryOf } from './content';
import { Witness } from './witness';

export interface Figures {
  seeds: number;
  operations: number;
  /** Events that the kernel sent. */
  events: number;
  /** Of these, by all streams together: lost by the kernel, and by full queues. */
  kernelDrops: number;
  queueDrops: number;
  dumps: number;
  changes: number;
  synthetic: number;
  coalesced: number;
}

export function noFigures(): Figures {
  return {
    seeds: 0,
    operations: 0,
    events: 0,
    kernelDrops: 0,
    queueDrops: 0,
    dumps: 0,
    changes: 0,
    synthetic: 0,
    coalesced: 0,
  };
}

export interface Place {
  readonly namespace: TestNamespace;
  readonly ct: Conntrack;
}

export interface Extent {
  /** Actions. */
  readonly actions: number;
  /** Flows in one burst, at the most. */
  readonly burst: number;
  readonly mirrors: number;
}

const BUFFERS = [4096, 8192, 32_768, 212_992, undefined] as const;
const QUEUES = [1, 10, 1000, undefined] as const;
/** Of the last two the socket lets only a part of the events through, which nobody can count. */
const FILTERS: readonly (Filter | undefined)[] = [
  undefined,
  undefined,
  { mark: 1 },
  { or: [{ zone: 7 }, { state: 'syn_sent' }] },
  { protocol: 'udp' },
  { family: 'ipv4', not: { mark: 2 } },
];
const PATIENCE_MS = 5000;
const LOOKS = 2;
const UNCOUNTED = FILTERS.slice(-2);

interface Follower {
  readonly filter: Filter | undefined;
  readonly mirror: Mirror;
  readonly changes: MirrorChanges;
  readonly replay: Replay;
  readonly ended: Promise<void>;
}

interface Listener {
  readonly events: Events;
  readonly told: { events: number; kernelDrops: number; queueDrops: number };
  /** Of one that is told what was lost: the flows there must be by what it heard. */
  readonly heard: Heard | undefined;
  readonly ended: Promise<void>;
}

function buffers(random: Random): { receiveBuffer?: number; maxReceiveBuffer?: number } {
  const receiveBuffer = pick(random, BUFFERS);
  if (receiveBuffer === undefined) return {};
  const grows = below(random, 4) === 0;
  return { receiveBuffer, ...(grows ? { maxReceiveBuffer: 8 * receiveBuffer } : {}) };
}

function queue(random: Random): { queue?: number } {
  const limit = pick(random, QUEUES);
  return limit === undefined ? {} : { queue: limit };
}

async function follow(ct: Conntrack, random: Random): Promise<Follower> {
  const filter = pick(random, FILTERS);
  const resyncInterval = pick(random, [0, 200, 60_000]);
  const mirror = await ct.mirror(filter, { ...buffers(random), resyncInterval });
  const changes = mirror.changes(queue(random));
  const replay = new Replay();
  const read = async (): Promise<void> => {
    for await (const change of changes) replay.apply(change);
  };
  return { filter, mirror, changes, replay, ended: read() };
}

async function listen(ct: Conntrack, random: Random, resync: boolean): Promise<Listener> {
  const events = await ct.events(undefined, { ...buffers(random), ...queue(random), resync });
  const told = { events: 0, kernelDrops: 0, queueDrops: 0 };
  const heard = resync ? new Heard() : undefined;
  const read = async (): Promise<void> => {
    for await (const event of events) {
      if (event.type !== 'gap') {
        told.events += 1;
        heard?.apply(event);
        continue;
      }
      told.kernelDrops += event.kernelDrops;
      told.queueDrops += event.queueDrops;
    }
  };
  return { events, told, heard, ended: read() };
}

/** Until everything that was sent was read or counted as lost, and every mirror has compared. */
async function settle(
  witness: Witness,
  followers: Follower[],
  listeners: Listener[],
): Promise<number> {
  let sent = 0;
  let looks = 0;
  await waitFor(
    'the rest after the chaos',
    () => {
      sent = witness.count();
      const heard = listeners.every(({ events, told }) => {
        const { received, kernelDrops, queued, delivered } = events.statistics();
        return received + kernelDrops >= sent && queued === 0 && told.events === delivered;
      });
      const settled = heard && followers.every((each) => isSettled(each, sent));
      // An overrun that is still to be noted may have been counted with the one before.
      looks = settled ? looks + 1 : 0;
      return looks === LOOKS;
    },
    { timeout: 20_000, interval: 2 },
  ).catch((error: unknown) => {
    const states = [
      ...followers.map(({ mirror }) => ({ ...mirror.statistics(), consistent: mirror.consistent })),
      ...listeners.map(({ events }) => events.statistics()),
    ];
    throw new Error(`${String(error)}: ${sent} sent, ${JSON.stringify(states)}`);
  });
  return sent;
}

function isSettled({ mirror, filter, changes, replay }: Follower, sent: number): boolean {
  const { received, kernelDrops, dumping } = mirror.statistics();
  const heard = UNCOUNTED.includes(filter) || received + kernelDrops >= sent;
  const { delivered, queued } = changes.statistics();
  return heard && mirror.consistent && !dumping && queued === 0 && replay.changes === delivered;
}

/** What does not hold of a mirror at rest, against the kernel's own list. */
async function judge(ct: Conntrack, follower: Follower, sent: number): Promise<string[]> {
  const { mirror, replay, filter } = follower;
  const expected = contentOf(await ct.flows(filter).toArray());
  const found = contentOf(mirror.where());
  const { received, kernelDrops, flows } = mirror.statistics();
  const wrong = [
    ...differences(expected, found).map((line) => `mirror: ${line}`),
    ...differences(found, replay.content).map((line) => `replay: ${line}`),
    ...replay.misfits.slice(0, 5).map((line) => `misfit: ${line}`),
  ];
  if (flows !== expected.size) wrong.push(`${flows} flows counted, ${expected.size} there`);
  if (!UNCOUNTED.includes(filter) && received + kernelDrops !== sent)
    wrong.push(`${received} + ${kernelDrops} of ${sent} events`);
  for (const flow of mirror.where()) {
    if (mirror.get({ protonum: flow.protonum, orig: flow.orig, zone: flow.zone })?.id !== flow.id) {
      wrong.push(`not found: ${JSON.stringify(flow)}`);
    }
  }
  return wrong;
}

/** What does not hold of a stream of events. */
async function judgeListener(ct: Conntrack, listener: Listener, sent: number): Promise<string[]> {
  const { heard } = listener;
  if (heard === undefined) return sumsOf(listener, sent);
  const flows = idsOf(await ct.flows().toArray());
  return [
    ...sumsOf(listener, sent),
    ...differences(flows, heard.content).map((line) => `heard: ${line}`),
  ];
}

function sumsOf({ events, told }: Listener, sent: number): string[] {
  const statistics = events.statistics();
  const { received, kernelDrops, queueDrops, delivered, synthetic = 0 } = statistics;
  const sums = [
    ['received and dropped', received + kernelDrops, sent],
    ['delivered and dropped by the queue', delivered + queueDrops, received + synthetic],
    ['events told', told.events, delivered],
    ['drops told', told.kernelDrops, kernelDrops],
    ['queue drops told', told.queueDrops, queueDrops],
  ] as const;
  return sums
    .filter(([, found, expected]) => found !== expected)
    .map(([what, found, expected]) => `${what}: ${found} instead of ${expected}`);
}

/** Until nothing is wrong any more: what is compared behind the last gap may still be on its way. */
async function soon(judge: () => Promise<string[]>, patience: number): Promise<string[]> {
  const end = performance.now() + patience;
  for (;;) {
    const wrong = await judge();
    if (wrong.length === 0 || performance.now() > end) return wrong;
    await sleep(30);
  }
}

function addFigures(
  figures: Figures,
  world: World,
  followers: Follower[],
  listeners: Listener[],
): void {
  figures.seeds += 1;
  figures.operations += world.figures.operations;
  for (const { mirror, changes, replay } of followers) {
    const { kernelDrops, dumps } = mirror.statistics();
    figures.kernelDrops += kernelDrops;
    figures.dumps += dumps;
    figures.changes += replay.changes;
    figures.synthetic += replay.synthetic;
    figures.coalesced += changes.statistics().coalesced;
  }
  for (const { events } of listeners) {
    figures.kernelDrops += events.statistics().kernelDrops;
    figures.queueDrops += events.statistics().queueDrops;
  }
}

/** Runs one seed in an empty table, and adds to `figures`; what did not hold. */
export async function chaos(
  seed: number,
  { namespace, ct }: Place,
  { actions, burst, mirrors }: Extent,
  figures: Figures,
): Promise<string[]> {
  const random = randomOf(seed);
  namespace.run(testing.flush);
  using witness = new Witness(namespace);
  const followers: Follower[] = [];
  while (followers.length < mirrors) followers.push(await follow(ct, random));
  const listeners = [await listen(ct, random, below(random, 2) === 0)];
  if (witness.count() > 0) throw new Error('events before the beginning');
  const world: World = { namespace, ct, random, burst, figures: { operations: 0 } };
  try {
    for (let count = 0; count < actions; count++) await act(world);
    rest(world);
    const sent = await settle(witness, followers, listeners);
    const judgments = await Promise.all([
      // One whose events cannot be counted may have some to read.
      ...followers.map((each) =>
        soon(() => judge(ct, each, sent), UNCOUNTED.includes(each.filter) ? PATIENCE_MS : 0),
      ),
      ...listeners.map((each) =>
        soon(() => judgeListener(ct, each, sent), each.heard === undefined ? 0 : PATIENCE_MS),
      ),
    ]);
    const wrong = [...judgments.flat(), ...judgeByOracle(namespace, followers)];
    figures.events += sent;
    addFigures(figures, world, followers, listeners);
    return wrong;
  } finally {
    rest(world);
    for (const { mirror } of followers) await mirror.close();
    for (const { events } of listeners) events.close();
    await Promise.all([...followers, ...listeners].map(({ ended }) => ended));
  }
}

/** The library's own parser agrees with a mirror of everything. */
function judgeByOracle(namespace: TestNamespace, followers: Follower[]): string[] {
  const whole = followers.find(({ filter }) => filter === undefined);
  if (whole === undefined) return [];
  const expected = oracleOf(Witness.table(namespace));
  const found = summaryOf(whole.mirror.where());
  return JSON.stringify(expected) === JSON.stringify(found)
    ? []
    : [
        `libnetfilter_conntrack reads ${expected.length} flows otherwise than the mirror's ${found.length}`,
      ];
}
