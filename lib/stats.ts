/** What one CPU has counted since it was started (IPCTNL_MSG_CT_GET_STATS_CPU). */
export interface CpuStats {
  cpu: number;
  /** Look-ups that found a flow. */
  found?: number;
  /** Packets that could not be tracked. */
  invalid?: number;
  /** Flows put into the table by other than a packet's own way. */
  insert?: number;
  /** Flows that could not be put there, mostly since an equal one was first. */
  insertFailed?: number;
  /** Packets dropped since their flow could not be made. */
  drop?: number;
  /** Flows dropped early to make room in a full table. */
  earlyDrop?: number;
  /** Packets in error (ICMP errors about no known flow, bad checksums). */
  error?: number;
  /** Look-ups begun again since the table changed under them. */
  searchRestart?: number;
  /** Flows merged that two packets had made at once (Linux 5.9). */
  clashResolve?: number;
  /** Flows refused since their hash chain was too long (Linux 5.15). */
  chainTooLong?: number;
}

/** CTA_STATS_* of <linux/netfilter/nfnetlink_conntrack.h>. */
const NAMES: Readonly<Record<number, Exclude<keyof CpuStats, 'cpu'>>> = {
  2: 'found',
  4: 'invalid',
  8: 'insert',
  9: 'insertFailed',
  10: 'drop',
  11: 'earlyDrop',
  12: 'error',
  13: 'searchRestart',
  14: 'clashResolve',
  15: 'chainTooLong',
};

/** What one CPU has counted of expectations since it was started (IPCTNL_MSG_EXP_GET_STATS_CPU). */
export interface ExpectationStats {
  cpu: number;
  /** Flows that met an expectation. */
  new?: number;
  /** Expectations made. */
  create?: number;
  /** Expectations taken away: met, expired, deleted, or gone with their master. */
  delete?: number;
}

/** CTA_STATS_EXP_*. */
const EXPECTATION_NAMES: Readonly<Record<number, Exclude<keyof ExpectationStats, 'cpu'>>> = {
  1: 'new',
  2: 'create',
  3: 'delete',
};

export interface Limits {
  /** Flows in the table. */
  entries: number;
  /** How many may be (sysctl nf_conntrack_max). */
  max: number;
}

const GLOBAL_ENTRIES = 1;
const GLOBAL_MAX_ENTRIES = 2;

interface Statistic {
  readonly cpu: number;
  readonly type: number;
  readonly value: number;
}

/** Native code's {u32 cpu, type, value}... */
function statistics(bytes: Uint8Array): Statistic[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  return Array.from({ length: words.length / 3 }, (_, index) => ({
    cpu: words[3 * index] ?? 0,
    type: words[3 * index + 1] ?? 0,
    value: words[3 * index + 2] ?? 0,
  }));
}

/** The counters of each CPU, of those that have a name. */
function perCpu<Name extends string>(
  bytes: Uint8Array,
  names: Readonly<Record<number, Name>>,
): ({ cpu: number } & Partial<Record<Name, number>>)[] {
  const cpus = new Map<number, Partial<Record<Name, number>>>();
  for (const { cpu, type, value } of statistics(bytes)) {
    const counters: Partial<Record<Name, number>> = cpus.get(cpu) ?? {};
    cpus.set(cpu, counters);
    const name = names[type];
    if (name !== undefined) counters[name] = value;
  }
  return [...cpus].map(([cpu, counters]) => ({ cpu, ...counters }));
}

export function cpuStats(bytes: Uint8Array): CpuStats[] {
  return perCpu(bytes, NAMES);
}

export function expectationStats(bytes: Uint8Array): ExpectationStats[] {
  return perCpu(bytes, EXPECTATION_NAMES);
}

export function limits(bytes: Uint8Array): Limits {
  const values = new Map(statistics(bytes).map(({ type, value }) => [type, value]));
  return { entries: values.get(GLOBAL_ENTRIES) ?? 0, max: values.get(GLOBAL_MAX_ENTRIES) ?? 0 };
}
