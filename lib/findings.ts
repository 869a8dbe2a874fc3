/** What diagnose() makes of what it saw: each check looks at the facts alone and asks the kernel nothing. */
import type { ConntrackError } from './errors';
import type { KernelFacts } from './plan';

/** `error`: it does not work; `warning`: it works, and loses or lacks something; `note`: good to know. */
export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  /** Stays the same from version to version, for programs. */
  id: string;
  severity: Severity;
  what: string;
  remedy: string;
}

/** What was seen. Absent: it could not be found out. */
export interface Facts {
  /** The `net.netfilter.nf_conntrack_*` of the namespace, without the `net.netfilter.`. */
  sysctls: Record<string, number>;
  entries?: number;
  /** 0: no limit. */
  max?: number;
  /** Since the namespace was made, all CPUs together; see CpuStats. */
  counters?: { drop: number; earlyDrop: number; insertFailed: number; chainTooLong: number };
  /** Bytes, in the kernel's own accounting of about 1,280 an event. */
  receiveBuffer?: { asked: number; granted: number };
  /** Whether any flow has labels. */
  labels?: boolean;
  /** Which of the kernel's filters do what they should, as probe() tried them. */
  filters?: KernelFacts;
}

/** The facts, and what kept us from others. */
export interface Seen {
  /** Linux release, such as "6.18.44". */
  readonly kernel: string;
  readonly facts: Facts;
  readonly failures: {
    /** Of opening the namespace or the socket there. */
    readonly open?: ConntrackError | undefined;
    /** Of asking the kernel for the size of the table. */
    readonly table?: ConntrackError | undefined;
    readonly events?: ConntrackError | undefined;
  };
}

type Check = (seen: Seen) => Finding[];

function finding(severity: Severity, id: string, what: string, remedy: string): Finding[] {
  return [{ id, severity, what, remedy }];
}

function setRemedy(name: string, value: number, effect: string): string {
  return `sysctl -w net.netfilter.${name}=${value} in the namespace, or ct.sysctl.set('${name}', ${value}): ${effect}`;
}

function mebibytes(bytes: number): string {
  return `${Math.round((10 * bytes) / 2 ** 20) / 10} MiB`;
}

/** The error without its hint, which is the remedy. */
function told({ message, hint }: ConntrackError): string {
  return hint === undefined ? message : message.replace(`; ${hint}`, '');
}

const isRefusal = (error: ConntrackError): boolean =>
  error.code === 'EPERM' || error.code === 'EACCES';

/** [6, 18] of "6.18.44-generic". */
function version(release: string): [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}

function isOlder(release: string, than: string): boolean {
  const [major, minor] = version(release);
  const [wantedMajor, wantedMinor] = version(than);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

function openFailure({ failures: { open } }: Seen): Finding[] {
  if (open === undefined) return [];
  const id = open.code === 'ERR_DLOPEN_FAILED' ? 'addon' : 'open';
  const remedy = open.code === 'ENOSYS' ? 'run it on Linux' : open.hint;
  return finding('error', id, told(open), remedy ?? `see errno(3) about ${open.code}`);
}

/** The kernel refuses whoever lacks the capability before it looks whether the module is there. */
function missingModule({ facts, failures: { open, table } }: Seen): Finding[] {
  if (open !== undefined || table === undefined) return [];
  if (Object.keys(facts.sysctls).length === 0) {
    const what = 'the kernel tracks no connections: there is no net.netfilter.nf_conntrack_max';
    return finding('error', 'module', what, 'modprobe nf_conntrack nf_conntrack_netlink');
  }
  if (isRefusal(table)) return [];
  const remedy = table.hint ?? 'modprobe nf_conntrack_netlink';
  return finding(
    'error',
    'module',
    `the kernel tells nothing of its flows: ${told(table)}`,
    remedy,
  );
}

function missingCapability({ failures: { table } }: Seen): Finding[] {
  if (table === undefined || !isRefusal(table)) return [];
  const what =
    'this program may not see or follow the flows of this namespace: it lacks CAP_NET_ADMIN';
  return finding('error', 'capability', what, table.hint ?? 'run as root');
}

function eventsFailure({ failures: { table, events } }: Seen): Finding[] {
  // What fails for both is told once.
  if (events === undefined || table !== undefined) return [];
  return finding('error', 'events', told(events), events.hint ?? 'listings still work');
}

function eventsOff({ facts }: Seen): Finding[] {
  if (facts.sysctls['nf_conntrack_events'] !== 0) return [];
  const what =
    'events are off (nf_conntrack_events=0): no flow that is made now will ever cause one';
  const remedy = setRemedy('nf_conntrack_events', 1, 'flows made from then on cause events');
  return finding('error', 'events-off', what, remedy);
}

function eventsAutodetect({ facts: { sysctls, entries = 0 } }: Seen): Finding[] {
  if (sysctls['nf_conntrack_events'] !== 2) return [];
  const rule =
    'events are in autodetect (nf_conntrack_events=2): a flow made while nobody listens never causes one, not even when it ends';
  const remedy = setRemedy('nf_conntrack_events', 1, 'flows made from then on cause events');
  if (entries === 0) return finding('note', 'events-autodetect', rule, remedy);
  const what = `${rule}; that may be so of the ${entries} flows that are here now`;
  return finding('warning', 'events-autodetect', what, remedy);
}

function accountingOff({ facts }: Seen): Finding[] {
  if (facts.sysctls['nf_conntrack_acct'] !== 0) return [];
  const what = 'accounting is off (nf_conntrack_acct=0): flows have neither packets nor bytes';
  const remedy = setRemedy('nf_conntrack_acct', 1, 'flows made from then on are counted');
  return finding('warning', 'accounting-off', what, remedy);
}

function timestampsOff({ facts }: Seen): Finding[] {
  if (facts.sysctls['nf_conntrack_timestamp'] !== 0) return [];
  const what =
    'timestamps are off (nf_conntrack_timestamp=0): flows have neither start nor stop, and events the time at which they were read';
  const remedy = setRemedy('nf_conntrack_timestamp', 1, 'flows made from then on have them');
  return finding('note', 'timestamps-off', what, remedy);
}

const EVENT_COST = 1280;

function smallReceiveBuffer({ facts: { receiveBuffer } }: Seen): Finding[] {
  if (receiveBuffer === undefined || receiveBuffer.granted >= receiveBuffer.asked) return [];
  const { asked, granted } = receiveBuffer;
  const room = Math.floor(granted / EVENT_COST);
  const what = `the kernel grants events a receive buffer of ${mebibytes(granted)} where ${mebibytes(asked)} were asked for: more than ${room} at once are lost`;
  const remedy = `raise net.core.rmem_max on the host (sysctl -w net.core.rmem_max=${asked / 2}), or run with CAP_NET_ADMIN in the initial user namespace`;
  return finding('warning', 'receive-buffer', what, remedy);
}

const FULL_REMEDY =
  'in the initial network namespace raise net.netfilter.nf_conntrack_max, and nf_conntrack_buckets to as much; or let flows go sooner (nf_conntrack_tcp_timeout_established is five days by default)';

function tablePressure({ facts: { entries, max } }: Seen): Finding[] {
  if (entries === undefined || max === undefined || max === 0) return [];
  const percent = Math.floor((100 * entries) / max);
  if (percent <= 80) return [];
  const severity = percent >= 95 ? 'error' : 'warning';
  const what = `the table is ${percent} % full, ${entries} of ${max} flows: what finds no room is dropped`;
  return finding(severity, 'table-pressure', what, FULL_REMEDY);
}

function packetsDropped({ facts: { counters } }: Seen): Finding[] {
  if (counters === undefined || counters.drop + counters.earlyDrop === 0) return [];
  const { drop, earlyDrop } = counters;
  const what = `the table has been full: ${drop} packets were dropped, and ${earlyDrop} flows early to make room`;
  return finding('warning', 'dropped', what, FULL_REMEDY);
}

function insertsFailed({ facts: { counters } }: Seen): Finding[] {
  if (counters === undefined || counters.insertFailed === 0) return [];
  const what = `${counters.insertFailed} packets were dropped since an equal flow was there first`;
  const remedy =
    'common where one socket sends two packets at once to a NATed address, such as DNS queries for A and AAAA; let them go one after the other (resolv.conf: options single-request-reopen)';
  return finding('note', 'insert-failed', what, remedy);
}

function longChains({ facts: { counters, sysctls } }: Seen): Finding[] {
  if (counters === undefined || counters.chainTooLong === 0) return [];
  const buckets = sysctls['nf_conntrack_buckets'];
  const size = buckets === undefined ? '' : ` of ${buckets} buckets`;
  const what = `${counters.chainTooLong} flows were refused since the hash table${size} is crowded`;
  const remedy = 'raise net.netfilter.nf_conntrack_buckets in the initial network namespace';
  return finding('warning', 'hash-chains', what, remedy);
}

function nothingTracked({ facts: { entries } }: Seen): Finding[] {
  if (entries !== 0) return [];
  const what =
    'there are no flows here: the kernel tracks connections only in namespaces where a rule asks for it';
  const remedy =
    'load a rule that does: NAT, `ct state` of nftables, `-m conntrack` of iptables; each namespace has a table of its own (netns)';
  return finding('note', 'nothing-tracked', what, remedy);
}

function labelsUnseen({ facts: { labels } }: Seen): Finding[] {
  if (labels !== false) return [];
  const what =
    'no flow here has labels: the kernel has room for them only in flows made while a rule of the namespace matches or sets some, and else refuses them (ENOSPC)';
  const remedy = 'load such a rule: `ct label` of nftables, `-m connlabel` of iptables';
  return finding('note', 'labels', what, remedy);
}

const NATIVE_REMEDY =
  'none is needed: what the kernel does not do is done here, with the same results and more work';

const FILTERS: Readonly<Record<keyof KernelFacts, string>> = {
  ipv4Addresses: 'IPv4 addresses',
  ipv6Addresses: 'IPv6 addresses',
  ports: 'ports',
  sctpPorts: 'ports of SCTP',
  mark: 'marks',
  status: 'status',
  zone: 'zones',
};

function wrongFilters({ facts: { filters } }: Seen): Finding[] {
  if (filters === undefined) return [];
  const names = Object.keys(FILTERS) as (keyof KernelFacts)[];
  const wrong = names.filter((name) => !filters[name]).map((name) => FILTERS[name]);
  if (wrong.length === 0) return [];
  const what = `this kernel's own filters of listings are missing or wrong on ${wrong.join(', ')}, as tried out`;
  return finding('note', 'kernel-quirks', what, NATIVE_REMEDY);
}

const OLDEST = '4.18';

/** What the kernel began to do for us, by version. */
const FEATURES: readonly (readonly [since: string, feature: string])[] = [
  ['5.8', 'listings filtered by address, port and protocol in the kernel'],
  ['5.15', 'listings filtered by status in the kernel'],
  ['6.8', 'listings filtered by zone in the kernel'],
  ['6.12', 'deletes of many flows by one message'],
  ['6.14', "the kernel's own time of each event"],
];

function kernelVersion({ kernel }: Seen): Finding[] {
  if (isOlder(kernel, OLDEST)) {
    const what = `Linux ${kernel} is older than what this is made for, ${OLDEST}`;
    return finding('error', 'kernel-too-old', what, `use Linux ${OLDEST} or newer`);
  }
  const missing = FEATURES.filter(([since]) => isOlder(kernel, since));
  if (missing.length === 0) return [];
  const list = missing.map(([since, feature]) => `${feature} (${since})`).join(', ');
  const what = `Linux ${kernel} lacks ${list}, unless its maker added them`;
  return finding('note', 'kernel-features', what, NATIVE_REMEDY);
}

const CHECKS: readonly Check[] = [
  openFailure,
  missingModule,
  missingCapability,
  eventsFailure,
  eventsOff,
  eventsAutodetect,
  accountingOff,
  timestampsOff,
  smallReceiveBuffer,
  tablePressure,
  packetsDropped,
  insertsFailed,
  longChains,
  nothingTracked,
  labelsUnseen,
  wrongFilters,
  kernelVersion,
];

const ORDER: readonly Severity[] = ['error', 'warning', 'note'];

/** The worst first. */
export function findingsOf(seen: Seen): Finding[] {
  const findings = CHECKS.flatMap((check) => check(seen));
  return findings.sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}
