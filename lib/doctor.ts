import { release } from 'node:os';

import { Conntrack, type OpenOptions } from './conntrack';
import { ConntrackError } from './errors';
import { DEFAULT_RECEIVE_BUFFER } from './event-stream';
import type { Filter } from './filter';
import { type Facts, type Finding, findingsOf } from './findings';
import { probe } from './probe';
import type { CpuStats } from './stats';

export interface Diagnosis {
  /** Linux release, such as "6.18.44". */
  kernel: string;
  /** The worst first; none: nothing hinders. */
  findings: Finding[];
  /** What the findings were made of. */
  facts: Facts;
}

/** What `question` answers, or the failure that it met. */
async function attempt<T>(question: () => Promise<T>): Promise<T | ConntrackError> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof ConntrackError) return error;
    throw error;
  }
}

function known<T>(answer: T | ConntrackError): T | undefined {
  return answer instanceof ConntrackError ? undefined : answer;
}

function failure(answer: unknown): ConntrackError | undefined {
  return answer instanceof ConntrackError ? answer : undefined;
}

async function readSysctls(ct: Conntrack): Promise<Record<string, number>> {
  const entries = await ct.sysctl.list();
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

type Counter = keyof NonNullable<Facts['counters']>;

function sum(stats: readonly CpuStats[], name: Counter): number {
  return stats.reduce((total, cpu) => total + (cpu[name] ?? 0), 0);
}

async function readCounters(ct: Conntrack): Promise<NonNullable<Facts['counters']>> {
  const stats = await ct.stats();
  return {
    drop: sum(stats, 'drop'),
    earlyDrop: sum(stats, 'earlyDrop'),
    insertFailed: sum(stats, 'insertFailed'),
    chainTooLong: sum(stats, 'chainTooLong'),
  };
}

/** Subscribes for a moment, to the rarest of the events. */
async function tryReceiveBuffer(ct: Conntrack): Promise<NonNullable<Facts['receiveBuffer']>> {
  const events = await ct.events(undefined, { types: ['destroy'], queue: 1 });
  const { receiveBuffer: granted } = events.statistics();
  events.close();
  return { asked: DEFAULT_RECEIVE_BUFFER, granted };
}

const LABEL_BITS = 128;
const LABELLED: Filter = { or: Array.from({ length: LABEL_BITS }, (_, bit) => ({ labels: bit })) };

async function hasLabels(ct: Conntrack): Promise<boolean> {
  for await (const batch of ct.flows(LABELLED).batches()) {
    if (batch.length > 0) return true;
  }
  return false;
}

async function examine(ct: Conntrack): Promise<Diagnosis> {
  const kernel = release();
  const sysctls = known(await attempt(() => readSysctls(ct))) ?? {};
  const limits = await attempt(() => ct.limits());
  const buffer = await attempt(() => tryReceiveBuffer(ct));
  const facts = compact({
    sysctls,
    // Whoever may not ask for the table's size may read it.
    entries: known(limits)?.entries ?? sysctls['nf_conntrack_count'],
    max: known(limits)?.max ?? sysctls['nf_conntrack_max'],
    counters: known(await attempt(() => readCounters(ct))),
    receiveBuffer: known(buffer),
    labels: known(await attempt(() => hasLabels(ct))),
    filters: known(await attempt(probe)),
  });
  const failures = { table: failure(limits), events: failure(buffer) };
  return { kernel, findings: findingsOf({ kernel, facts, failures }), facts };
}

type Undefinable<T> = { [Key in keyof T]: T[Key] | undefined };

/** Without the properties that are undefined. */
function compact(facts: Undefinable<Facts>): Facts {
  const defined = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as unknown as Facts;
}

/**
 * What hinders connection tracking on this host, in the namespace that `options` names: missing modules or
 * capabilities, events, counters or timestamps that are off, receive buffers that are too small, a table
 * under pressure; each with its remedy. Changes nothing, needs no privilege, and says which one is missing:
 * it throws for invalid arguments only. It lists the flows once, follows their events for a moment, and tries
 * the kernel's filters where it may (see probe()).
 */
export async function diagnose(options?: OpenOptions): Promise<Diagnosis> {
  const ct = await attempt(() => Conntrack.open(options));
  if (ct instanceof ConntrackError) {
    const [kernel, facts] = [release(), { sysctls: {} }];
    return { kernel, findings: findingsOf({ kernel, facts, failures: { open: ct } }), facts };
  }
  try {
    return await examine(ct);
  } finally {
    await ct.close();
  }
}
