/** Which program a netlink port belongs to. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** <linux/netlink.h> */
const NETLINK_NETFILTER = '12';
/** How long an answer is taken for true: ports are given to others when their socket is closed. */
const KEPT_MS = 1000;
const MOST_KEPT = 1000;

/** Processes and sockets come and go while they are looked at. */
function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function entriesOf(directory: string): string[] {
  return orNothing(() => readdirSync(directory)) ?? [];
}

/** /proc/net/netlink of each network namespace that a thread of this process is in. */
function tables(): string[] {
  const threads = entriesOf('/proc/self/task').map((thread) => `/proc/self/task/${thread}`);
  const byNamespace = new Map(
    threads.map((thread) => [orNothing(() => readlinkSync(`${thread}/ns/net`)), thread]),
  );
  return [...byNamespace.values()].flatMap(
    (thread) => orNothing(() => readFileSync(`${thread}/net/netlink`, 'utf8')) ?? [],
  );
}

/** The inodes of the port's sockets; lines are of `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`. */
function inodesOf(portid: number): Set<string> {
  const rows = tables().flatMap((table) => table.split('\n').map((line) => line.split(/\s+/)));
  const inodes = rows
    .filter(([, protocol, port]) => protocol === NETLINK_NETFILTER && Number(port) === portid)
    .map((row) => `socket:[${row[9] ?? ''}]`);
  return new Set(inodes);
}

function hasSocket(pid: string, sockets: ReadonlySet<string>): boolean {
  const directory = `/proc/${pid}/fd`;
  return entriesOf(directory).some((fd) => {
    const target = orNothing(() => readlinkSync(`${directory}/${fd}`));
    return target !== undefined && sockets.has(target);
  });
}

function findProgram(portid: number): string | undefined {
  const sockets = inodesOf(portid);
  if (sockets.size === 0) return undefined;
  const processes = entriesOf('/proc').filter((name) => /^\d+$/.test(name));
  // The kernel gives a process's first socket its pid for a port, so that this one is the likeliest.
  const likely = processes.filter((pid) => Number(pid) === portid);
  const pid = [...likely, ...processes].find((candidate) => hasSocket(candidate, sockets));
  if (pid === undefined) return undefined;
  const executable = orNothing(() => readlinkSync(`/proc/${pid}/exe`));
  return executable === undefined ? undefined : basename(executable).replace(/ \(deleted\)$/, '');
}

const known = new Map<number, { readonly name: string | undefined; readonly until: number }>();

/**
 * The name of the program that has a netlink port, as conntrack(8) shows it beside an event: found in
 * /proc/net/netlink and /proc/PID/fd. Undefined where the program is gone, which is common with commands, or
 * may not be looked at. An answer is kept for a second.
 */
export function programOf(portid: number): string | undefined {
  const now = Date.now();
  const kept = known.get(portid);
  if (kept !== undefined && now < kept.until) return kept.name;
  if (known.size >= MOST_KEPT) known.clear();
  const name = findProgram(portid);
  known.set(portid, { name, until: now + KEPT_MS });
  return name;
}
