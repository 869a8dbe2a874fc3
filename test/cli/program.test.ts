/** The program itself: its streams, signals, memory and names. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runOriginal, withoutName } from '../support/cli-run';
import { fillTable } from '../support/cli-table';
import { type ExecResult, TestNamespace } from '../support/netns';
import { PROGRAM } from '../support/shell';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';

let namespace: TestNamespace;
const children = new Set<ChildProcessWithoutNullStreams>();

beforeEach(() => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  TestNamespace.closeAll();
});

/** Runs a script in which `nfconntrack` is the program. */
function shell(script: string): ExecResult {
  const program = `nfconntrack() { "${process.execPath}" "${PROGRAM}" "$@"; }`;
  return namespace.tryExec('bash', ['-o', 'pipefail', '-c', `${program}; ${script}`]);
}

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly said: { stdout: string; stderr: string };
  readonly ended: Promise<[number | null, string | null]>;
}

function start(...args: string[]): Running {
  const child = namespace.run(() => spawn(process.execPath, [PROGRAM, ...args], { stdio: 'pipe' }));
  children.add(child);
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
  return { child, said, ended: once(child, 'close') as Running['ended'] };
}

const NETLINK_NETFILTER = '12';

async function listening(): Promise<void> {
  await waitFor('the listener', () => {
    const rows = namespace.run(() => readFileSync('/proc/net/netlink', 'utf8')).split('\n');
    return rows.some((row) => {
      const [, protocol, , groups = '0'] = row.trim().split(/\s+/);
      return protocol === NETLINK_NETFILTER && !/^0*$/.test(groups);
    });
  });
}

const fill = (count: number, first = 0): number =>
  namespace.run(() => testing.fill({ count, first }));

test.each([
  '-L',
  '-L -o xml',
  '-L -p tcp --dport 443',
  '-C',
  '-S',
  '-D -p icmp -o save',
  '-L -p foo',
  '-G -p 9',
])('is the same behind a pipe: %s', (line) => {
  fillTable(namespace);
  const original = runOriginal(namespace, line.split(' '));
  if (line.startsWith('-D')) {
    namespace.exec('conntrack', ['-F']);
    fillTable(namespace);
  }
  const own = shell(`nfconntrack ${line}`);
  const comparable = (text: string): string =>
    text
      .replaceAll(/ \d{4} /g, ' T ')
      .replaceAll(/-t \d+/g, '')
      .replaceAll(/<timeout>\d+|<id>\d+/g, '')
      .split('\n')
      .sort()
      .join('\n');
  expect([own.status, withoutName(own.stderr)]).toEqual([
    original.status,
    withoutName(original.stderr),
  ]);
  expect(comparable(own.stdout)).toBe(comparable(original.stdout));
});

describe('a reader that goes away', () => {
  test('ends -L quietly, as SIGPIPE would', () => {
    fill(5000);
    expect(shell('nfconntrack -L | head -1 | wc -l; echo ${PIPESTATUS[0]}')).toEqual({
      status: 0,
      stdout: '1\n141\n',
      stderr: '',
    });
  });

  test('ends -E quietly', async () => {
    const running = start('-E');
    await listening();
    running.child.stdout.destroy();
    let first = 0;
    await waitFor('its end', () => {
      fill(10, first);
      first += 10;
      return running.child.exitCode !== null;
    });
    expect(running.child.exitCode).toBe(141);
    expect(running.said.stderr).toBe('');
  });
});

test('a full disk is not its business', () => {
  fill(10);
  expect(shell('nfconntrack -L > /dev/full')).toMatchObject({ status: 0 });
  expect(shell('nfconntrack -L >&-')).toMatchObject({ status: 0 });
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends -E as it should', async (signal) => {
  const running = start('-E', '-o', 'xml');
  await listening();
  fill(3);
  await waitFor('the events', () => running.said.stdout.split('\n').length > 5);
  running.child.kill(signal);
  expect(await running.ended).toEqual([0, null]);
  expect(running.said.stdout).toMatch(
    /^<\?xml[^\n]*\n<conntrack>\n(<flow type="new">.*<\/flow>\n){3}<\/conntrack>\n$/,
  );
  expect(withoutName(running.said.stderr)).toBe(': 3 flow events have been shown.\n');
});

test('a signal is heard while the reader of a pipe sleeps', () => {
  // 64 KiB fill the pipe, which sleep never reads.
  const fifo = `
    dir=$(mktemp -d); mkfifo $dir/pipe
    sleep 30 < $dir/pipe & sleeper=$!
    "${process.execPath}" "${PROGRAM}" -E > $dir/pipe 2> $dir/stderr & listener=$!
    for i in $(seq 200); do grep -q ' 12 .* 0000000[1-9a-f] ' /proc/net/netlink && break; sleep 0.05; done
    for i in $(seq 40); do conntrack -I -s 1.1.1.1 -d 2.2.2.$i -p 50 -t 99 2>/dev/null; done
    for i in $(seq 25); do conntrack -F 2>/dev/null; for j in $(seq 20); do conntrack -I -s 1.1.1.1 -d 2.2.2.$j -p 50 -t 99 2>/dev/null; done; done
    kill -TERM $listener; wait $listener; echo $?
    grep -c 'flow events have been shown' $dir/stderr
    kill $sleeper; rm -rf $dir`;
  expect(shell(fifo).stdout).toBe('0\n1\n');
});

/** Most memory that a listing of `count` flows takes, in KiB; its reader is slow. */
function peakOf(count: number): number {
  fill(count);
  const measured = shell(
    `"${process.execPath}" -e '
      const { spawn } = require("node:child_process");
      const { readFileSync } = require("node:fs");
      const child = spawn(process.execPath, ["${PROGRAM}", "-L", "-o", "json"], { stdio: ["ignore", "pipe", "ignore"] });
      let lines = 0, peak = 0;
      child.stdout.on("data", (data) => {
        for (const byte of data) if (byte === 10) lines++;
        child.stdout.pause();
        try {
          const found = /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/" + child.pid + "/status", "utf8"));
          if (found) peak = Math.max(peak, Number(found[1]));
        } catch {}
        setImmediate(() => child.stdout.resume());
      });
      child.on("close", () => console.log(lines, peak));'`,
  );
  const [lines, peak] = measured.stdout.split(' ').map(Number);
  expect(lines).toBe(count);
  return peak!;
}

test('-L takes as much memory for many flows as for some', () => {
  const some = peakOf(100_000);
  const many = peakOf(240_000);
  // The text of those that there are more is 60 MB; what is garbage already varies.
  expect(many - some).toBeLessThan(30_000);
}, 60_000);

test('a link called conntrack is conntrack', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nfconntrack-link-'));
  try {
    symlinkSync(PROGRAM, join(directory, 'conntrack'));
    const { stdout } = shell(`${directory}/conntrack -V; ${directory}/conntrack -C`);
    expect(stdout).toBe('conntrack v1.4.9 (conntrack-tools)\n0\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('-R - reads stdin', () => {
  const add = '-A -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2 -t 99';
  expect(shell(`echo '${add}' | nfconntrack -R -; nfconntrack -C`).stdout).toBe('1\n');
});

test('without privilege it says what the original says', () => {
  const drop = 'setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all';
  for (const line of [
    '-L',
    '-D',
    '-U -m 1',
    '-E',
    '-E expect',
    '-L expect',
    '-G -p 50 -s 1.1.1.1 -d 2.2.2.2',
  ]) {
    const original = shell(`${drop} conntrack ${line}`);
    const own = shell(`${drop} "${process.execPath}" "${PROGRAM}" ${line}`);
    expect({ line, ...own, stderr: withoutName(own.stderr) }).toEqual({
      line,
      ...original,
      stderr: withoutName(original.stderr),
    });
  }
  // Deviations flush-failure and proc-fallback.
  for (const line of ['-F', '-C', '-S']) {
    const own = shell(`${drop} "${process.execPath}" "${PROGRAM}" ${line}`);
    expect({ line, ...own, stderr: withoutName(own.stderr) }).toEqual({
      line,
      status: 1,
      stdout: '',
      stderr:
        ': Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this\n',
    });
  }
});
