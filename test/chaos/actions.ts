/** What befalls a table at random. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Conntrack } from '../../lib';
import type { TestNamespace } from '../support/netns';
import { Protonum, tcpSegment, udpDatagram } from '../support/packets';
import { below, pick, type Random } from '../support/random';
import { churn, testing, type Churn, type FillOptions } from '../support/testing';

export interface World {
  readonly namespace: TestNamespace;
  readonly ct: Conntrack;
  readonly random: Random;
  /** Flows in one burst, at the most. */
  readonly burst: number;
  readonly figures: { operations: number };
  others?: Churn;
}

type Action = (world: World) => void | Promise<void>;

const RANGES = 4000;

function range({ random, burst }: World): FillOptions {
  const zone = pick(random, [undefined, undefined, undefined, 7]);
  return {
    first: below(random, RANGES),
    count: 1 + below(random, burst),
    family: pick(random, [4, 4, 6] as const),
    proto: pick(random, [6, 17] as const),
    batch: pick(random, [1, 16, 64, 128]),
    ...(zone === undefined ? {} : { zone }),
  };
}

function fill(world: World): void {
  const mark = pick(world.random, [undefined, 1, 2]);
  const options = { ...range(world), ...(mark === undefined ? {} : { mark }) };
  world.figures.operations += world.namespace.run(() => testing.fill(options));
}

function unfill(world: World): void {
  const options = range(world);
  world.figures.operations += world.namespace.run(() => testing.unfill(options));
}

/** The same tuples again, at once: the kernel may give them the same ids. */
function replace(world: World): void {
  const options = range(world);
  for (let time = 0; time < 3; time++) {
    world.figures.operations += world.namespace.run(() => testing.fill(options));
    world.figures.operations += world.namespace.run(() => testing.unfill(options));
  }
  world.figures.operations += world.namespace.run(() => testing.fill(options));
}

function flush(world: World): void {
  world.namespace.run(testing.flush);
  world.figures.operations += 1;
}

async function mark({ ct, random, figures }: World): Promise<void> {
  const filter = pick(random, [{ protocol: 'tcp' }, { family: 'ipv6' }, { mark: 1 }] as const);
  const { updated = 0 } = (await ct.updateWhere(filter, { mark: below(random, 4) })) as {
    updated?: number;
  };
  figures.operations += updated;
}

async function remove({ ct, random, figures }: World): Promise<void> {
  const filter = pick(random, [{ mark: 2 }, { zone: 7 }, { family: 'ipv6' }] as const);
  figures.operations += (await ct.deleteWhere(filter)).deleted;
}

/** Requests and, since nobody listens there, the kernel's own ICMP errors and resets. */
function packets({ namespace, random, figures }: World): void {
  const ends = { src: '127.0.0.1', dst: `127.0.0.${1 + below(random, 4)}` };
  namespace.run(() => {
    for (let count = 1 + below(random, 40); count > 0; count--) {
      const ports = { sport: 2000 + below(random, 50), dport: 9000 + below(random, 3) };
      const [protonum, payload] = pick(random, [
        [Protonum.udp, udpDatagram({ ...ends, ...ports })],
        [Protonum.tcp, tcpSegment({ ...ends, ...ports, flags: ['syn'] })],
      ] as const);
      testing.rawSend(4, protonum, ends.dst, payload, { src: ends.src });
      figures.operations += 1;
    }
  });
}

function stall({ random }: World): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + below(random, 5));
}

async function turn({ random }: World): Promise<void> {
  await sleep(below(random, 3));
}

function company(world: World): void {
  world.others ??= world.namespace.run(() => churn({ live: 256, batch: 16 }));
}

function alone(world: World): void {
  world.figures.operations += world.others?.stop() ?? 0;
  delete world.others;
}

const ACTIONS: readonly (readonly [weight: number, action: Action])[] = [
  [8, fill],
  [6, unfill],
  [3, replace],
  [1, flush],
  [3, mark],
  [2, remove],
  [4, packets],
  [2, stall],
  [5, turn],
  [1, company],
  [3, alone],
];
const WEIGHTED = ACTIONS.flatMap(([weight, action]) => new Array<Action>(weight).fill(action));

export async function act(world: World): Promise<void> {
  await pick(world.random, WEIGHTED)(world);
}

/** Ends what goes on by itself. */
export function rest(world: World): void {
  alone(world);
}
