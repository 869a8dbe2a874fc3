/** Labels by their names: the original reads /etc/xtables/connlabel.conf, of which each run here has its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runOurs, withoutName } from '../support/cli-run';
import { withoutTimes } from '../support/cli-table';
import { type ExecResult, TestNamespace } from '../support/netns';

let directory: string;
let map: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfconntrack-labels-'));
  map = join(directory, 'connlabel.conf');
  writeFileSync(map, '# names\n0 eth0-in\n1 eth1-in\n0x10 voip call\n127 last\n');
});

afterEach(() => {
  TestNamespace.closeAll();
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** The installed program, with our file in its place. */
function runOriginal(namespace: TestNamespace, args: readonly string[]): ExecResult {
  const script = `
    mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work &&
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc &&
    mkdir -p /etc/xtables && cp "$0" /etc/xtables/connlabel.conf && exec conntrack "$@"`;
  return namespace.tryExec('unshare', ['--mount', 'sh', '-c', script, map, ...args]);
}

/** Ours is told of the file; without one the original and ours say so. */
function run(namespace: TestNamespace, args: readonly string[]): Promise<ExecResult> {
  return runOurs(namespace, [...args.slice(0, 1), '--labelmap', map, ...args.slice(1)]);
}

function make(): TestNamespace {
  const namespace = TestNamespace.create();
  // A rule that uses labels makes room for them.
  namespace.nft(`table inet labels {
    chain out { type filter hook output priority 0; ct label set 0; }
  }`);
  for (const port of [1, 2, 3, 4]) {
    const flow = `-I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport ${port} --dport 9 -t 900`;
    namespace.exec('conntrack', flow.split(' '));
  }
  return namespace;
}

const STEPS = `
-U -f ipv4 -p udp --sport 1 --label-add eth0-in
-U -f ipv4 -p udp --sport 2 --label-add eth0-in,last
-U -f ipv4 -p udp --sport 3 --label-add eth1-in --label-add last
-U -f ipv4 -p udp --sport 3 --label-add eth1-in
-L -o labels
-L -o labels,xml
-L -l eth0-in
-L -l eth1-in
-L -l nosuch
-L -l eth0-in,last
-L -l eth0-in -l eth1-in
-U -f ipv4 -p udp --sport 2 --label-del eth0-in
-U -f ipv4 -p udp --sport 2 --label-del eth1-in
-U -f ipv4 -p udp --sport 3 --label-del
-U -f ipv4 -p udp --sport 3 --label-del
-D -l eth0-in
-L -o labels
`;

function comparable({ status, stdout, stderr }: ExecResult): ExecResult {
  const lines = stdout.split('\n').map((line) => withoutTimes(line).replace(/<id>\d+/, '<id>I'));
  return { status, stdout: lines.sort().join('\n'), stderr: withoutName(stderr) };
}

test('labels', async () => {
  const [theirs, ours] = [make(), make()];
  for (const line of STEPS.trim().split('\n')) {
    const args = line.split(' ');
    const own = comparable(await run(ours, args));
    expect({ line, ...own }).toEqual({ line, ...comparable(runOriginal(theirs, args)) });
  }
}, 60_000);

test('label-list: every label of a list is meant', async () => {
  const namespace = make();
  await run(namespace, '-U -p udp --sport 1 --label-add eth0-in,last'.split(' '));
  await run(namespace, '-U -p udp --sport 2 --label-add eth0-in'.split(' '));
  expect((await run(namespace, ['-L', '-l', 'eth0-in,last'])).stderr).toContain(': 1 flow');
  expect((await run(namespace, ['-L', '-l', 'last,eth0-in'])).stderr).toContain(': 1 flow');
  expect((await run(namespace, ['-L', '-l', 'eth0-in'])).stderr).toContain(': 2 flow');
});

test('label-delete: those that are named', async () => {
  const [theirs, ours] = [make(), make()];
  const steps = ['--label-add eth0-in --label-add eth1-in --label-add last', '--label-del last'];
  const found: string[] = [];
  for (const step of steps) {
    const args = `-U -f ipv4 -p udp --sport 1 ${step}`.split(' ');
    found.push(runOriginal(theirs, args).stdout, (await run(ours, args)).stdout);
  }
  const labels = found.map((text) => / labels=(.*)/.exec(text)?.[1]);
  expect(labels).toEqual([
    'eth0-in,eth1-in,last',
    'eth0-in,eth1-in,last',
    undefined,
    'eth0-in,eth1-in',
  ]);
});

test('glued-word: --label-del=NAME deletes that label', async () => {
  const namespace = make();
  await run(namespace, '-U -p udp --sport 1 --label-add eth0-in,last'.split(' '));
  const { stdout } = await run(namespace, '-U -p udp --sport 1 --label-del=last'.split(' '));
  expect(stdout).toMatch(/ labels=eth0-in$/m);
});
