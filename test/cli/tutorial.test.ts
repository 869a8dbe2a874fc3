/** The classic tutorial of conntrack(8), step by step, with our program. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

import { listeners, runOriginal, runOurs, withoutName } from '../support/cli-run';
import { connect } from '../support/link';
import { TestNamespace } from '../support/netns';
import { Protonum, tcpSegment } from '../support/packets';
import { PROGRAM } from '../support/shell';
import { ping, sendPacket, TcpConnection, UdpExchange } from '../support/traffic';
import { waitFor } from '../support/wait';

const [CLIENT, SERVER] = ['198.51.1.1', '198.51.1.2'];

let client: TestNamespace;
let server: TestNamespace;
const children = new Set<ChildProcessWithoutNullStreams>();

beforeEach(() => {
  [client, server] = [TestNamespace.create(), TestNamespace.create()];
  connect(client, server);
  client.track();
  client.sysctl('nf_conntrack_events', 1);
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  TestNamespace.closeAll();
});

interface Watch {
  readonly args: string;
  readonly child: ChildProcessWithoutNullStreams;
  readonly said: { text: string };
}

/** Starts a listener for each of these, all with the same traffic to see. */
async function watchAll(lines: readonly string[]): Promise<Map<string, Watch>> {
  const watches = new Map<string, Watch>();
  for (const args of lines) {
    const child = client.run(() =>
      spawn(process.execPath, [PROGRAM, ...args.split(' ')], { stdio: 'pipe' }),
    );
    children.add(child);
    const said = { text: '' };
    child.stdout.on('data', (data: Buffer) => (said.text += data.toString()));
    watches.set(args, { args, child, said });
  }
  await waitFor('the listeners', () => listeners(client) >= lines.length, { timeout: 30_000 });
  return watches;
}

/** Lines without the name of a program that may have ended before it was looked up. */
const named = (text: string): string[] =>
  text
    .replaceAll(/ progname=\S+/g, '')
    .split('\n')
    .slice(0, -1);

const STEPS = [
  '-E',
  '-E -p tcp',
  '-E -p tcp --state SYN_SENT',
  '-E -p udp',
  '-E -p icmp',
  `-E -s ${CLIENT}`,
  '-E -p udp --dport 123',
  '-E -o timestamp',
  '-E -e NEW',
  '-E -e UPDATES',
  '-E -e DESTROY',
];

test('events', async () => {
  const watches = await watchAll(STEPS);
  {
    using tcp = await TcpConnection.open({ client, server, address: SERVER, port: 8080 });
    await tcp.exchange();
    using time = await UdpExchange.open({ client, server, address: SERVER, port: 123 });
    await time.request();
    using other = await UdpExchange.open({ client, server, address: SERVER, port: 53 });
    await other.request();
    ping(client, CLIENT, SERVER, 7);
    await waitFor('the answer', async () =>
      (await runOurs(client, ['-L', '-p', 'icmp'])).stdout.includes('type=0'),
    );
  }
  expect((await runOurs(client, ['-F'])).status).toBe(0);
  const linesOf = (args: string): string[] => named(watches.get(args)!.said.text);
  await waitFor('the last events', () =>
    ['-E', '-E -o timestamp', '-E -e DESTROY'].every(
      (args) => linesOf(args).filter((line) => line.includes('[DESTROY]')).length === 4,
    ),
  );
  const all = linesOf('-E');
  await waitFor('all lines', () => linesOf('-E -o timestamp').length === all.length);
  const of = (pattern: RegExp): string[] => all.filter((line) => pattern.test(line));
  const expected: Record<string, string[]> = {
    '-E': all,
    '-E -p tcp': of(/ tcp /),
    '-E -p tcp --state SYN_SENT': of(/ SYN_SENT /),
    '-E -p udp': of(/ udp /),
    '-E -p icmp': of(/ icmp /),
    [`-E -s ${CLIENT}`]: all,
    '-E -p udp --dport 123': of(/ udp .* dport=123 .* dport=/),
    '-E -e NEW': of(/\[NEW\]/),
    '-E -e UPDATES': of(/\[UPDATE\]/),
    '-E -e DESTROY': of(/\[DESTROY\]/),
  };
  for (const [args, lines] of Object.entries(expected)) {
    await waitFor(args, () => linesOf(args).length >= lines.length);
    expect({ args, lines: linesOf(args) }).toEqual({ args, lines });
    expect(lines).not.toEqual([]);
  }
  expect(
    linesOf('-E -o timestamp').map((line) => line.replace(/^\[\d{10}\.\d{6}\]\t/, '')),
  ).toEqual(all);
}, 60_000);

test('the table', async () => {
  const tcp = await TcpConnection.open({ client, server, address: SERVER, port: 8080 });
  try {
    for (const line of ['-L', '-L -p tcp']) {
      await waitFor(line, async () => {
        const own = await runOurs(client, line.split(' '));
        return own.stdout === runOriginal(client, line.split(' ')).stdout && own.stdout !== '';
      });
    }
  } finally {
    tcp[Symbol.dispose]();
  }
  const flushed = await runOurs(client, ['-F']);
  expect(withoutName(flushed.stderr)).toBe(': connection tracking table has been emptied.\n');
  expect((await runOurs(client, ['-C'])).stdout).toBe('0\n');
});

test('pings, and deleting them', async () => {
  for (let id = 1; id <= 5; id += 1) ping(client, CLIENT, SERVER, id);
  await waitFor('the flows', async () => (await runOurs(client, ['-C'])).stdout === '5\n');
  const deleted = await runOurs(client, ['-D', '-p', 'icmp']);
  expect(withoutName(deleted.stderr)).toBe(': 5 flow entries have been deleted.\n');
  expect(deleted.stdout.split('\n')).toHaveLength(6);
  const again = await runOurs(client, ['-D', '-p', 'icmp']);
  expect([again.status, withoutName(again.stderr)]).toEqual([
    1,
    ': 0 flow entries have been deleted.\n',
  ]);
});

test('the settings', async () => {
  const sysctl = (word: string): Promise<{ stdout: string }> => runOurs(client, ['sysctl', word]);
  expect((await sysctl('nf_conntrack_max')).stdout).toMatch(
    /^net\.netfilter\.nf_conntrack_max = \d+\n$/,
  );
  expect((await sysctl('nf_conntrack_icmp_timeout=77')).stdout).toBe(
    'net.netfilter.nf_conntrack_icmp_timeout = 77\n',
  );
  ping(client, CLIENT, SERVER, 1);
  await waitFor('a flow of 77 seconds', async () =>
    / 7[4-7] src=/.test((await runOurs(client, ['-L', '-p', 'icmp'])).stdout),
  );
});

test('a half-open flow, picked up from a lone ACK while a rule drops the reset', async () => {
  server.nft(`table inet quiet {
    chain out { type filter hook output priority 0; tcp flags rst drop; }
  }`);
  const ports = { sport: 40000, dport: 9 };
  const segment = tcpSegment({
    src: CLIENT,
    dst: SERVER,
    ...ports,
    flags: ['ack'],
    seq: 1,
    ack: 1,
  });
  client.run(() => sendPacket(client, Protonum.tcp, SERVER, segment, { src: CLIENT }));
  await waitFor('the flow', async () => {
    const { stdout } = await runOurs(client, ['-L', '-p', 'tcp', '--sport', '40000']);
    return / ESTABLISHED .*\[UNREPLIED\]/.test(stdout);
  });
  const unreplied = await runOurs(client, ['-D', '-p', 'tcp', '-u', 'UNREPLIED']);
  expect(withoutName(unreplied.stderr)).toBe(': 1 flow entries have been deleted.\n');
});
