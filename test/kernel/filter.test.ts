/**
 * Random filters on random tables, through all that makes an answer: parser, planner, kernel and native
 * code together must give what the plain reference predicate gives, and not one flow more or less.
 */
import fc from 'fast-check';

import { parseFilter } from '../../lib/filter-parse';
import { Flow } from '../../lib/flow';
import { Conntrack, type Filter, type FlowData } from '../../lib/index';
import { FlowOffset } from '../../lib/layout';
import { type KernelFacts, type KernelPart, learnFacts, planOf } from '../../lib/plan';
import { arbitraryFilter, leafNames } from '../support/arbitrary-filter';
import {
  createTable,
  mustCreateFlow,
  prepareForTables,
  TABLE_REQUEST,
  type FlowRequest,
  type TableRequest,
} from '../support/arbitrary-flow';
import { be16, be32, Cta, Family, MessageType, payload, tuple } from '../support/ctnetlink';
import { Listener, type Told } from '../support/listener';
import { TestNamespace } from '../support/netns';
import { matchesReference } from '../support/reference-filter';
import { testing, type NetlinkCapture } from '../support/testing';
import { waitFor } from '../support/wait';

// The time of a listing grows with all the flows of the machine.
jest.setTimeout(15 * 60_000);

const OF_DIRECTION = [
  ...['src', 'dst', 'sport', 'dport', 'icmpType', 'icmpCode', 'icmpId'],
  ...['srckey', 'dstkey', 'zone', 'packets', 'bytes'],
];
const LEAVES = [
  ...['family', 'protocol', 'address', 'port', 'state', 'status', 'mark', 'zone', 'labels', 'nat'],
  ...['helper', 'id', 'timeout', 'packets', 'bytes'],
  ...OF_DIRECTION.flatMap((name) => [`orig.${name}`, `reply.${name}`]),
];

/** What all filters together have met, so that a test whose filters match nothing can not pass. */
class Tally {
  readonly #leaves = new Map<string, number>();
  filters = 0;
  /** Those that matched some, and not all. */
  telling = 0;
  /** Telling ones of which the kernel did a part. */
  tellingInKernel = 0;

  add(filter: Filter, matched: number, all: number, inKernel: boolean): void {
    this.filters += 1;
    if (matched === 0 || matched === all) return;
    this.telling += 1;
    if (inKernel) this.tellingInKernel += 1;
    for (const leaf of new Set(leafNames(filter))) {
      this.#leaves.set(leaf, (this.#leaves.get(leaf) ?? 0) + 1);
    }
  }

  /** Leaves that fewer than `least` telling filters had. */
  rare(least: number): string[] {
    return LEAVES.filter((leaf) => (this.#leaves.get(leaf) ?? 0) < least);
  }
}

let namespace: TestNamespace;
let capture: NetlinkCapture;
let ct: Conntrack;

beforeAll(async () => {
  namespace = TestNamespace.create();
  prepareForTables(namespace);
  capture = namespace.run(() => new testing.NetlinkCapture());
  ct = await Conntrack.open({ netns: namespace.path });
});

afterAll(async () => {
  await ct.close();
  capture.close();
  TestNamespace.closeAll();
});

function flush(): void {
  namespace.run(() => {
    testing.flush();
  });
}

async function list(filter?: Filter): Promise<FlowData[]> {
  return (await ct.flows(filter).toArray()).map((flow) => flow.toJSON());
}

/** What of a flow stays as it is: its timeout runs down, references to it come and go. */
function identity({ family, protonum, orig, reply, zone, id }: FlowData): string {
  const { src, dst, sport, dport, icmpType, icmpCode, icmpId, srckey, dstkey } = orig;
  const members = [src, dst, sport, dport, icmpType, icmpCode, icmpId, srckey, dstkey];
  return JSON.stringify([family, protonum, ...members, orig.zone, reply.zone, zone, id]);
}

function byIdentity(flows: readonly FlowData[]): Map<string, FlowData> {
  const found = new Map(flows.map((flow) => [identity(flow), flow]));
  expect(found.size).toBe(flows.length);
  return found;
}

/** What may be said of a flow between two looks at it: its timeout passes through all seconds in between. */
function verdicts(before: FlowData, after: FlowData, filter: Filter): Set<boolean> {
  if (before.timeout === undefined) return new Set([matchesReference(before, filter)]);
  const seconds = before.timeout - (after.timeout ?? before.timeout);
  const moments = Array.from({ length: seconds + 1 }, (_, second) => before.timeout! - second);
  return new Set(moments.map((timeout) => matchesReference({ ...before, timeout }, filter)));
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'bigint' ? `${member}n` : member,
  );
}

function fail(filter: Filter, what: object): never {
  throw new Error(shown({ filter, explain: ct.flows(filter).explain(), ...what }));
}

/** Fails with what `listed` has too many or too few of. */
function expectReference(
  filter: Filter,
  listed: readonly FlowData[],
  before: ReadonlyMap<string, FlowData>,
  after: ReadonlyMap<string, FlowData>,
): void {
  const given = byIdentity(listed);
  const unknown = listed.filter((flow) => !before.has(identity(flow)));
  const wrong = [...before]
    .filter(([key, flow]) => !verdicts(flow, after.get(key)!, filter).has(given.has(key)))
    .map(([key, flow]) => (given.has(key) ? { tooMuch: flow } : { missing: flow }));
  if (unknown.length + wrong.length > 0) fail(filter, { unknown, wrong });
}

const TABLES = 200;
const FILTERS_AT_ONCE = 4;
const FILTERS = 6 * FILTERS_AT_ONCE;

async function listAll(filters: readonly Filter[]): Promise<FlowData[][]> {
  const listings: FlowData[][] = [];
  for (let at = 0; at < filters.length; at += FILTERS_AT_ONCE) {
    const some = filters.slice(at, at + FILTERS_AT_ONCE);
    listings.push(...(await Promise.all(some.map((filter) => list(filter)))));
  }
  return listings;
}

/** Tries filters about the flows that are there. */
async function tryListings(seed: number, tally: Tally): Promise<void> {
  const before = byIdentity(await list());
  const filters = fc.sample(arbitraryFilter([...before.values()]), { seed, numRuns: FILTERS });
  const listings = await listAll(filters);
  const after = byIdentity(await list());
  expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());
  filters.forEach((filter, index) => {
    const listed = listings[index]!;
    expectReference(filter, listed, before, after);
    const inKernel = ct.flows(filter).explain().kernel.length > 0;
    tally.add(filter, listed.length, before.size, inKernel);
  });
}

test('a listing has the flows that the reference predicate takes, and no others', async () => {
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(TABLE_REQUEST, fc.nat(), async (table, seed) => {
      expect(createTable(namespace, capture, table)).toEqual([]);
      await tryListings(seed, tally);
    }),
    { numRuns: TABLES, plugins: [fc.afterEach(flush)] },
  );
  expect(tally.filters).toBeGreaterThanOrEqual(TABLES * FILTERS);
  expect(tally.telling / tally.filters).toBeGreaterThan(0.4);
  expect(tally.tellingInKernel / tally.filters).toBeGreaterThan(0.2);
  expect(tally.rare(5)).toEqual([]);
});

// --- deletes ---

const TABLES_TO_DELETE = 40;
const DELETES = 4;

/** Whether it was deleted: a filter that means everything is refused. */
async function deleteWhere(filter: Filter): Promise<boolean> {
  try {
    await ct.deleteWhere(filter);
    return true;
  } catch (error) {
    expect((error as Error).message).toMatch(/^filter matches every flow/);
    return false;
  }
}

/** How flows would be that nobody can look at any more. */
function later(flows: ReadonlyMap<string, FlowData>, ms: number): Map<string, FlowData> {
  const seconds = Math.ceil(ms / 1000);
  const pass = ({ timeout = 0, ...flow }: FlowData): FlowData => ({
    ...flow,
    timeout: timeout - seconds,
  });
  return new Map([...flows].map(([key, flow]) => [key, pass(flow)]));
}

/** Deletes, one filter after the other, what is still there of it. */
async function tryDeletes(seed: number, tally: Tally): Promise<void> {
  const filters = fc.sample(arbitraryFilter(await list()), { seed, numRuns: DELETES });
  for (const filter of filters) {
    const began = performance.now();
    const before = byIdentity(await list());
    const deleted = await deleteWhere(filter);
    const left = byIdentity(await list());
    const after = new Map([...later(before, performance.now() - began), ...left]);
    // A filter that is refused must mean all that is left.
    const meant = [...before.values()].filter((flow) => left.has(identity(flow)) !== deleted);
    expectReference(filter, meant, before, after);
    const inKernel = ct.flows(filter).explain().kernel.length > 0;
    tally.add(filter, before.size - left.size, before.size, inKernel);
  }
}

test('a delete takes the flows that the reference predicate takes, and no others', async () => {
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(TABLE_REQUEST, fc.nat(), async (table, seed) => {
      createTable(namespace, capture, table);
      await tryDeletes(seed, tally);
    }),
    { numRuns: TABLES_TO_DELETE, plugins: [fc.afterEach(flush)] },
  );
  expect(tally.filters).toBeGreaterThanOrEqual(TABLES_TO_DELETE * DELETES);
  expect(tally.telling / tally.filters).toBeGreaterThan(0.3);
});

// --- events ---

const TABLES_OF_EVENTS = 60;
const LISTENERS = 16;
const LAST: FlowRequest = {
  orig: { src: '192.0.2.1', dst: '192.0.2.2', protonum: 254 },
  reply: { src: '192.0.2.2', dst: '192.0.2.1', protonum: 254 },
  timeout: 600,
};

/** An UPDATE event, of flows that are there. */
function changeMark({ orig, zone }: FlowRequest, mark: number): void {
  const attributes = [tuple(Cta.tupleOrig, orig), be32(Cta.mark, mark)];
  if (zone !== undefined) attributes.push(be16(Cta.zone, zone));
  const family = orig.src.includes(':') ? Family.ipv6 : Family.ipv4;
  capture.request(MessageType.ctNew, 0, payload(family, ...attributes));
}

/** Lets the table come, change and go; the last event of all is of LAST. */
function play(table: TableRequest): void {
  createTable(namespace, capture, table);
  for (const flow of table.flows) changeMark(flow, (flow.mark ?? 0) ^ 1);
  flush();
  mustCreateFlow(capture, LAST);
}

function wantedOf(all: Listener, { filter }: Listener): Told[] {
  return all.told.filter(({ flow }) => filter === undefined || matchesReference(flow, filter));
}

async function settle(all: Listener, others: readonly Listener[]): Promise<void> {
  const isLast = ({ flow }: Told): boolean => flow.protonum === LAST.orig.protonum;
  await waitFor('the last event', () => all.told.some(isLast), { timeout: 30_000 });
  for (const listener of others) await listener.settle(() => wantedOf(all, listener).length);
}

function expectEvents(all: Listener, listener: Listener, tally: Tally): void {
  const filter = listener.filter!;
  const { told, explain } = listener;
  const wanted = wantedOf(all, listener);
  if (shown(told) !== shown(wanted)) throw new Error(shown({ filter, explain, told, wanted }));
  tally.add(filter, wanted.length, all.told.length, explain.kernel.length > 0);
}

async function tryEvents(table: TableRequest, seed: number, tally: Tally): Promise<void> {
  createTable(namespace, capture, table);
  const filters = fc.sample(arbitraryFilter(await list()), { seed, numRuns: LISTENERS });
  flush();
  const all = await Listener.open(ct);
  const others = await Promise.all(filters.map((filter) => Listener.open(ct, filter)));
  try {
    play(table);
    await settle(all, others);
    expect([all, ...others].flatMap((listener) => listener.gaps)).toEqual([]);
    expect(new Set(all.told.map(({ type }) => type))).toEqual(
      new Set(['new', 'update', 'destroy']),
    );
    for (const listener of others) expectEvents(all, listener, tally);
  } finally {
    for (const listener of [all, ...others]) listener.close();
  }
}

test('a subscription tells the events that the reference predicate takes, and no others', async () => {
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(TABLE_REQUEST, fc.nat(), (table, seed) => tryEvents(table, seed, tally)),
    { numRuns: TABLES_OF_EVENTS, plugins: [fc.afterEach(flush)] },
  );
  expect(tally.filters).toBeGreaterThanOrEqual(TABLES_OF_EVENTS * LISTENERS);
  expect(tally.telling / tally.filters).toBeGreaterThan(0.4);
  expect(tally.tellingInKernel / tally.filters).toBeGreaterThan(0.1);
});

// --- other kernels ---

const ALL_FILTERS: KernelFacts = {
  ipv4Addresses: true,
  ipv6Addresses: true,
  ports: true,
  sctpPorts: true,
  mark: true,
  status: true,
  zone: true,
};

const ASKED_OF_TUPLES = ['src', 'dst', 'sport', 'dport', 'icmpType', 'icmpCode', 'icmpId'] as const;

/** Whether a kernel whose filters are right would list `flow` when it is asked for `part`. */
function kernelLists(flow: FlowData, { pattern, markMask, statusMask }: KernelPart): boolean {
  const asked = new Flow(Buffer.from(pattern).toString('latin1'));
  const masked = (value: number, mask: number): bigint => BigInt(value) & BigInt(mask);
  const ofSide = (side: 'orig' | 'reply'): boolean => {
    const tuple = asked[side];
    const protonum = tuple.protonum ?? flow.protonum;
    const wanted = tuple.toJSON();
    return (
      protonum === flow.protonum &&
      ASKED_OF_TUPLES.every(
        (name) => wanted[name] === undefined || wanted[name] === flow[side][name],
      )
    );
  };
  return (
    (pattern[FlowOffset.family] === 0 || asked.family === flow.family) &&
    ofSide('orig') &&
    ofSide('reply') &&
    (asked.zone === 0 || asked.zone === flow.zone) &&
    masked(flow.mark ?? 0, markMask) === BigInt(asked.mark ?? 0) &&
    masked(flow.status, statusMask) === BigInt(asked.status)
  );
}

test('a kernel whose filters all work is asked for no less than the filter says', async () => {
  learnFacts(ALL_FILTERS);
  const tally = new Tally();
  const texts = new Set<string>();
  await fc.assert(
    fc.asyncProperty(TABLE_REQUEST, fc.nat(), async (table, seed) => {
      createTable(namespace, capture, table);
      const flows = await list();
      for (const filter of fc.sample(arbitraryFilter(flows), { seed, numRuns: 100 })) {
        const { kernel, explanation } = planOf(parseFilter(filter));
        const matched = flows.filter((flow) => matchesReference(flow, filter));
        const missing = matched.filter((flow) => !kernelLists(flow, kernel));
        if (missing.length > 0) fail(filter, { missing });
        tally.add(filter, matched.length, flows.length, explanation.kernel.length > 0);
        for (const text of explanation.kernel) texts.add(text);
      }
    }),
    { numRuns: 30, plugins: [fc.afterEach(flush)] },
  );
  expect(tally.tellingInKernel / tally.filters).toBeGreaterThan(0.2);
  expect([...texts].some((text) => /^(orig|reply)\.(src|dst) .*:/.test(text))).toBe(true);
});

const NO_FILTERS: KernelFacts = {
  ipv4Addresses: false,
  ipv6Addresses: false,
  ports: false,
  sctpPorts: false,
  mark: false,
  status: false,
  zone: false,
};

/** The last test: what is learned stays. */
test('a kernel without filters gives the same', async () => {
  learnFacts(NO_FILTERS);
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(TABLE_REQUEST, fc.nat(), async (table, seed) => {
      createTable(namespace, capture, table);
      await tryListings(seed, tally);
    }),
    { numRuns: 10, plugins: [fc.afterEach(flush)] },
  );
  expect(tally.telling / tally.filters).toBeGreaterThan(0.3);
  expect(ct.flows({ mark: 1, zone: 2, protocol: 'tcp', nat: 'src' }).explain().kernel).toEqual([]);
  expect(ct.flows({ orig: { src: '10.0.0.1' }, family: 'ipv4' }).explain().kernel).toEqual([
    'family ipv4',
  ]);
});
