/** -E: both command lines listen to the same traffic. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { runOriginal, runOurs, TestIo, withoutName } from '../support/cli-run';
import { connect } from '../support/link';
import { createMaster } from '../support/master';
import { type ExecResult, TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { ping, TcpConnection, UdpExchange } from '../support/traffic';
import { waitFor } from '../support/wait';

const NETLINK_NETFILTER = 12;

/** Netlink sockets of a namespace that have joined a multicast group of netfilter. */
function listeners(namespace: TestNamespace): number {
  const rows = namespace.run(() => readFileSync('/proc/net/netlink', 'utf8')).split('\n');
  return rows.filter((row) => {
    const [, protocol, , groups] = row.trim().split(/\s+/);
    return Number(protocol) === NETLINK_NETFILTER && parseInt(groups ?? '0', 16) !== 0;
  }).length;
}

/** One program that listens: what it has said, and how to end it. */
interface Listening {
  readonly lines: () => string[];
  readonly end: () => Promise<ExecResult>;
}

/** What a test that fails would leave. */
const running = new Set<Listening>();

function collect(child: ChildProcessWithoutNullStreams): { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
  return said;
}

function listenByOriginal(namespace: TestNamespace, args: readonly string[]): Listening {
  const child = namespace.spawn('conntrack', args);
  const said = collect(child);
  const closed = once(child, 'close') as Promise<[number | null]>;
  return started({
    lines: () => said.stdout.split('\n').slice(0, -1),
    async end() {
      child.kill('SIGINT');
      const [status] = await closed;
      return { status: status ?? -1, ...said };
    },
  });
}

function listen(namespace: TestNamespace, args: readonly string[]): Listening {
  const io = new TestIo();
  const ended = runOurs(namespace, args, io);
  return started({
    lines: () => io.stdout.split('\n').slice(0, -1),
    end() {
      io.interrupt();
      return ended;
    },
  });
}

function started(listening: Listening): Listening {
  const { end } = listening;
  const tracked = {
    ...listening,
    end: () => {
      running.delete(tracked);
      return end();
    },
  };
  running.add(tracked);
  return tracked;
}

/** Without what 1.4.7 and the moment put into a line. */
function comparable(text: string): string {
  return (
    text
      .replaceAll(/ progname=\S+/g, '')
      .replaceAll(/^\[\d+\.\d{6}\]\t/gm, '[TIME]\t')
      .replaceAll(/delta-time=\d+/g, 'delta-time=T')
      .replaceAll(/<deltatime>\d+/g, '<deltatime>T')
      // What an expectation has left goes on between two listings.
      .replaceAll(/^\d+ (?=proto=)/gm, 'T ')
      .replaceAll(/<timeout>\d+(?=<\/timeout><class>)/g, '<timeout>T')
      .replaceAll(/<sec>\d+/g, '<sec>T')
      .replaceAll(/<min>\d+/g, '<min>T')
      // 1.4.7 puts the tag behind XML as well.
      .replaceAll(/<\/flow> \[USERSPACE\].*$/gm, '</flow>')
  );
}

const CASES = `
-E
-E -o extended,id
-E -o timestamp
-E -o ktimestamp,timestamp
-E -o xml
-E -o xml,timestamp,ktimestamp
-E -o save
-E -e NEW
-E -e UPDATES,DESTROY
-E -e ALL
-E -e D
-E -p tcp
-E -p udp
-E -p icmp
-E -p tcp --state SYN_SENT
-E -p tcp --state ESTABLISHED -e UPDATES
-E -p udp --dport 7
-E -s 198.51.1.1
-E -s 198.51.1.0/24 -p udp
-E -f ipv6
-E -f ipv4 -e DESTROY
-E -m 5
-E -m 0
-E -m 0/0
-E -w 0 -p udp
-E -w 3
-E --orig-zone 0 -p udp
-E -n
-E conntrack
--event
`;

let a: TestNamespace;
let b: TestNamespace;

beforeEach(() => {
  [a, b] = [TestNamespace.create(), TestNamespace.create()];
  connect(a, b);
  a.track();
  a.sysctl('nf_conntrack_events', 1);
  a.sysctl('nf_conntrack_acct', 1);
  a.sysctl('nf_conntrack_timestamp', 1);
});

afterEach(async () => {
  await Promise.all([...running].map((listening) => listening.end()));
  await closeOpened();
  TestNamespace.closeAll();
});

async function makeTraffic(): Promise<void> {
  {
    using tcp = await TcpConnection.open({ client: a, server: b, address: '198.51.1.2' });
    await tcp.exchange();
  }
  {
    using udp = await UdpExchange.open({ client: a, server: b, address: 'fd51:1::2', port: 7 });
    await udp.request();
  }
  ping(a, '198.51.1.1', '198.51.1.2', 77);
  ping(a, 'fd51:1::1', 'fd51:1::2', 78);
  const by = (line: string): string => a.exec('conntrack', line.split(' '));
  by('-I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 7 -t 500 -m 5');
  by('-I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 7 -t 500 -w 3');
  by('-I -s 1.1.1.1 -d 2.2.2.3 -n 9.9.9.9 -p tcp --sport 1 --dport 7 -t 500 --state ESTABLISHED');
  by('-U -f ipv4 -s 1.1.1.1 -p udp -m 6');
  by('-D -s 1.1.1.1 -p tcp');
  by('-F');
}

test('expectations', async () => {
  a.sysctl('nf_conntrack_events', 1);
  const ct = await openIn(a);
  const args = ['-E', 'expect'];
  const cases = [args, [...args, '-o', 'xml'], [...args, '-o', 'save']];
  const theirs = cases.map((each) => listenByOriginal(a, each));
  await waitFor('the original', () => listeners(a) === 3);
  const ours = cases.map((each) => listen(a, each));
  await waitFor('ours', () => listeners(a) === 6);
  const { orig: master } = await createMaster(ct);
  const tuple = { src: master.src!, dst: master.dst!, sport: 5, dport: 4000 };
  await ct.expectations.create({ protocol: 'tcp', tuple, master, timeout: 300 });
  const key = `-s ${tuple.src} -d ${tuple.dst} -p tcp --sport 5 --dport 4000`;
  const reply = '--reply-port-src 4000 --reply-port-dst 5';
  for (const line of [`-G expect ${key} ${reply}`, '-L expect', '-L expect -o xml', '-C expect']) {
    const shown = ({ status, stdout, stderr }: ExecResult): ExecResult => ({
      status,
      stdout: comparable(stdout),
      stderr: withoutName(stderr),
    });
    const own = await runOurs(a, line.split(' '));
    expect({ line, ...shown(own) }).toEqual({ line, ...shown(runOriginal(a, line.split(' '))) });
    expect(own.stdout).not.toBe('');
  }
  // A success that looks like a failure, as the original has it.
  const deleted = await runOurs(a, `-D expect ${key} ${reply}`.split(' '));
  expect([deleted.status, withoutName(deleted.stderr)]).toEqual([
    1,
    ': 0 expectations have been shown.\n',
  ]);
  expect((await runOurs(a, ['-C', 'expect'])).stdout).toBe('0\n');
  const ends = (listening: Listening): boolean =>
    listening.lines().join().includes('estroy') || listening.lines().join().includes('DESTROY');
  await waitFor('the last event', () => [...theirs, ...ours].every(ends));
  for (const [index, each] of cases.entries()) {
    const [original, own] = [await theirs[index]!.end(), await ours[index]!.end()];
    const line = each.join(' ');
    expect({ line, text: comparable(own.stdout), stderr: withoutName(own.stderr) }).toEqual({
      line,
      text: comparable(original.stdout),
      stderr: withoutName(original.stderr),
    });
  }
});

test('every event, option and output', async () => {
  const cases = CASES.trim()
    .split('\n')
    .map((line) => line.split(' '));
  const theirs = cases.map((args) => listenByOriginal(a, args));
  // One of them listens to nothing.
  await waitFor('the original', () => listeners(a) >= cases.length - 1, { timeout: 20_000 });
  const ours = cases.map((args) => listen(a, args));
  await waitFor('ours', () => listeners(a) >= 2 * (cases.length - 1), { timeout: 20_000 });
  await makeTraffic();
  // The first says everything, the last event included.
  const destroyed = (listening: Listening): number =>
    listening.lines().filter((line) => line.includes('[DESTROY]')).length;
  await waitFor('the last event', () => destroyed(theirs[0]!) >= 7 && destroyed(ours[0]!) >= 7);
  await waitFor('all events', () =>
    theirs.every((their, index) => their.lines().length <= ours[index]!.lines().length),
  );
  const counts: number[] = [];
  for (const [index, args] of cases.entries()) {
    const [original, own] = [await theirs[index]!.end(), await ours[index]!.end()];
    const line = args.join(' ');
    expect({ line, lines: comparable(own.stdout).split('\n') }).toEqual({
      line,
      lines: comparable(original.stdout).split('\n'),
    });
    expect({ line, status: own.status, stderr: withoutName(own.stderr) }).toEqual({
      line,
      status: original.status,
      stderr: withoutName(original.stderr),
    });
    counts.push(own.stdout.split('\n').length - 1);
  }
  // Most of the filters let something through, and not everything.
  expect(counts[0]).toBeGreaterThan(15);
  expect(counts.filter((count) => count > 0 && count < counts[0]!).length).toBeGreaterThan(12);
}, 120_000);
