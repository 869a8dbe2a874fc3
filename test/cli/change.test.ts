/** Commands that change the table: each program on a table of its own, which must come out the same. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runOriginal, runOurs, withoutName } from '../support/cli-run';
import { fillTable, tableOf, withoutTimes } from '../support/cli-table';
import { type ExecResult, TestNamespace } from '../support/netns';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfconntrack-cli-'));
});

afterEach(() => {
  TestNamespace.closeAll();
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Without what differs between two namespaces: the order of lines, ids and seconds. */
function comparable({ status, stdout, stderr }: ExecResult): ExecResult {
  const lines = stdout.split('\n').map(withoutTimes);
  const plain = lines.map((line) => line.replace(/<id>\d+/, '<id>I').replace(/ id=\d+/, ' id=I'));
  return { status, stdout: plain.sort().join('\n'), stderr: withoutName(stderr) };
}

interface Twins {
  readonly theirs: TestNamespace;
  readonly ours: TestNamespace;
}

function twins(): Twins {
  const [theirs, ours] = [TestNamespace.create(), TestNamespace.create()];
  fillTable(theirs);
  fillTable(ours);
  return { theirs, ours };
}

/** Runs a line by both, and compares what they print and what they leave. */
async function both({ theirs, ours }: Twins, line: string): Promise<void> {
  const args = line.split(' ');
  const original = comparable(runOriginal(theirs, args));
  const own = comparable(await runOurs(ours, args));
  expect({ line, ...own }).toEqual({ line, ...original });
  expect({ line, table: tableOf(ours) }).toEqual({ line, table: tableOf(theirs) });
}

/** Each on fresh tables. */
const ALONE = `
-D
-D -p tcp
-D -p udp -o extended
-D -p udp -o id
-D -p udp -o xml
-D -p udp -o save
-D -p udp -o labels
-D -s 10.0.0.0/24
-D -f ipv6
-D -m 5/0xf
-D -u ASSURED
-D -w 5
-D --orig-zone 6
-D -g 10.3.0.2
-D -p icmp --icmp-type 8
-D -p tcp --state TIME_WAIT
-D -p 50
-D -p tcp --dport 1
-D expect -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1
-F
-F conntrack
-F expect
`;

/** One after the other on the same tables. */
const IN_TURN = `
-I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2 -t 1000
-I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2 -t 1000
-I -r 1.1.1.1 -q 2.2.2.3 -p udp --reply-port-src 1 --reply-port-dst 2 -t 1000
-I -s 1.1.1.1 -d 2.2.2.4 -r 3.3.3.3 -q 4.4.4.4 -p udp --sport 1 --dport 2 --reply-port-src 3 --reply-port-dst 4 -t 1000
-I -s 1.1.1.1 -d 2.2.2.5 -p udp --sport 1 --dport 2 --reply-port-src 9 --reply-port-dst 9 -t 1000
-I -s 1.1.1.1 -d 2.2.2.6 -r 2.2.2.6 -n 9.9.9.9 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 77 -t 1000
-I -s 1.1.1.1 -d 2.2.2.7 -g 8.8.8.8 -n 9.9.9.9 -p tcp --sport 1 --dport 2 -t 1000 --state ESTABLISHED
-I -s 1.1.1.1 -d 2.2.2.8 -g 8.8.8.8:80 -p tcp --sport 1 --dport 2 -t 1000 --state NONE -u ASSURED
-I -s 1.1.1.1 -d 2.2.2.9 -p udp --sport 1 --dport 2 -t 1000 -u SEEN_REPLY,ASSURED
-I -s 1.1.1.1 -d 2.2.2.10 -p udp --sport 1 --dport 2 -t 1000 -u UNSET
-I -s 1.1.1.1 -d 2.2.2.11 -p udp --sport 1 --dport 2 -t 1000 -u OFFLOAD,HW_OFFLOAD
-I -s 1.1.1.1 -d 2.2.2.12 -p icmp --icmp-type 17 --icmp-code 0 --icmp-id 5 -t 1000
-I -s 1.1.1.1 -d 2.2.2.12 -p icmp --icmp-type 8 --icmp-code 0 -t 1000
-I -s ::1 -d ::2 -p icmpv6 --icmpv6-type 139 --icmpv6-code 0 -t 1000
-I -s ::1 -d ::2 -p tcp --sport http --dport 99999 --state CLOSE -t 1000
-I -s 1.1.1.1 -d 2.2.2.13 -p gre --srckey 1 --dstkey 0x10 -t 1000
-I -s 1.1.1.1 -d 2.2.2.13 -p sctp --sport 1 --dport 2 --state CLOSED --orig-vtag 7 --reply-vtag 8 -t 1000
-I -s 1.1.1.1 -d 2.2.2.13 -p dccp --sport 1 --dport 2 --state OPEN --role client -t 1000
-I -s 1.1.1.1 -d 2.2.2.13 -p 99 -t 1000
-I -s 1.1.1.1 -d 2.2.2.14 -p udp --sport 1 --dport 2 -t 1000 -w 3 -m 7/1
-I -s 1.1.1.1 -d 2.2.2.14 -p udp --sport 1 --dport 2 -t 1000 --orig-zone 4
-I -s 1.1.1.1 -d 2.2.2.15 -p udp --sport 1 --dport 2 -t 1000 -a 1.2.3.4
-A -s 1.1.1.1 -d 2.2.2.16 -p udp --sport 1 --dport 2 -t 1000 -m 1
-I -s 1.1.1.1 -d 2.2.2.17 -p udp --sport 1 --dport 2 -t foo
-D -p udp -s 1.1.1.1
-D -p udp -s 1.1.1.1
`;

test.each(ALONE.trim().split('\n'))('conntrack %s', async (line) => {
  await both(twins(), line);
});

test('-I and -A', async () => {
  const namespaces = twins();
  for (const line of IN_TURN.trim().split('\n')) await both(namespaces, line);
}, 60_000);

function rowsOf(stdout: string): string[] {
  return stdout.split('\n').filter((row) => row !== '');
}

/** 1.4.7 cannot update without -f, and shows the first of several flows only. */
const UPDATES: readonly (readonly [line: string, updated: number])[] = [
  ['-U -f ipv4 -s 10.0.0.1 -p tcp --dport 80 -m 9', 1],
  ['-U -f ipv4 -s 10.0.0.1 -p tcp --dport 80 -m 0xf0/0xf0', 1],
  ['-U -f ipv4 -s 10.0.0.1 -p tcp --dport 80 -m 0xff/0x0f', 1],
  ['-U -f ipv4 -s 10.0.0.1 -p tcp --dport 80 -t 2000', 1],
  ['-U -f ipv4 -s 10.0.0.2 -p tcp --sport 1003 -u ASSURED', 1],
  ['-U -f ipv4 -s 10.0.0.2 -p tcp --sport 1003 -u ASSURED', 0],
  ['-U -f ipv4 -s 10.0.0.2 -p tcp --sport 1003 --state CLOSE', 1],
  ['-U -f ipv4 -s 10.0.0.9 -p tcp -m 1', 0],
  ['-U -f ipv4 -p udp --dport 53 --sport 1007 -m 77 -o extended', 1],
  ['-U -f ipv6 -p icmpv6 -m 77 -o save', 1],
];

test('-U', async () => {
  const namespaces = twins();
  for (const [line, updated] of UPDATES) {
    const { stderr } = await runOurs(namespaces.ours, [...line.split(' '), '--dry-run']);
    expect({ line, stderr }).toEqual({
      line,
      stderr: expect.stringContaining(`: ${updated} flow entries would be updated.`),
    });
    await both(namespaces, line);
  }
}, 60_000);

test('-U of many flows, since 1.4.8', async () => {
  const { ours } = twins();
  const { status, stdout, stderr } = await runOurs(ours, ['-U', '-m', '0x1234']);
  expect({ status, stderr: withoutName(stderr) }).toEqual({
    status: 0,
    stderr: ': 24 flow entries have been updated.\n',
  });
  // Those in zones as well: deviation 'update-zone'.
  expect(rowsOf(stdout)).toHaveLength(24);
  expect(rowsOf(stdout).every((row) => row.includes(' mark=4660 '))).toBe(true);
  expect(tableOf(ours).filter((row) => row.includes('mark=4660'))).toHaveLength(24);
});

test('-U of flows with NAT, which 1.4.7 refuses', async () => {
  const { ours } = twins();
  const { stdout } = await runOurs(ours, ['-U', '-n', '192.0.2.2', '-m', '77']);
  expect(rowsOf(stdout)).toHaveLength(1);
  expect(tableOf(ours).filter((row) => row.includes('mark=77'))).toHaveLength(1);
});

test('-A changes what is there, since 1.4.8', async () => {
  const { ours } = twins();
  const flow = '-s 10.0.0.4 -d 10.1.0.4 -p udp --sport 53 --dport 53 -t 777 -m 3'.split(' ');
  const added = await runOurs(ours, ['-A', ...flow]);
  expect(withoutName(added.stderr)).toBe(': 1 flow entries have been added.\n');
  expect(tableOf(ours).filter((row) => / dport=53 .* mark=3 /.test(row))).toHaveLength(1);
});

describe('deviations', () => {
  const left = (namespace: TestNamespace): number => tableOf(namespace).length - 1;

  test.each([
    ['negated-status', '-D -u UNREPLIED', 0, 7],
    ['negated-status', '-D -u !ASSURED', 0, 4],
    ['flush-family', '-F -f ipv6', 0, 20],
    ['gre-keys', '-D -p gre --srckey 0x99', 22, 23],
    ['nat-address', '-D -n 2001:db8:9::2', 23, 24],
    ['glued-word', '--delete=expect -s 10.0.0.7 -d 10.1.0.5 -p 50', 23, 24],
    ['glued-word', '-D --dst-nat=10.3.0.2', 22, 23],
    ['no-status', '-D -p tcp -u UNSET', 17, 24],
  ])('%s: %s', async (_id, line, theirs, ours) => {
    const namespaces = twins();
    runOriginal(namespaces.theirs, line.split(' '));
    await runOurs(namespaces.ours, line.split(' '));
    expect([left(namespaces.theirs), left(namespaces.ours)]).toEqual([theirs, ours]);
  });

  test('update-window: -U leaves the windows of a live flow alone', async () => {
    const { ours } = twins();
    const flags = async (): Promise<unknown> => {
      const { stdout } = await runOurs(ours, ['-L', '-p', 'tcp', '--sport', '1001', '-o', 'json']);
      return JSON.parse(stdout).tcp.origFlags;
    };
    const before = await flags();
    await runOurs(ours, ['-U', '-p', 'tcp', '--sport', '1001', '-m', '66']);
    expect(await flags()).toEqual(before);
  });
});

describe('batch files', () => {
  function file(text: string): string {
    const path = join(directory, 'batch');
    writeFileSync(path, text);
    return path;
  }

  test('of flows saved by either load with both', async () => {
    const source = TestNamespace.create();
    fillTable(source);
    const saved = runOriginal(source, ['-L', '-o', 'save']).stdout;
    const own = (await runOurs(source, ['-L', '-o', 'save'])).stdout;
    expect(own.replaceAll(/-t \d+/g, '')).toBe(saved.replaceAll(/-t \d+/g, ''));
    const [theirs, ours] = [TestNamespace.create(), TestNamespace.create()];
    const path = file(own);
    expect(comparable(await runOurs(ours, ['-R', path]))).toEqual(
      comparable(runOriginal(theirs, ['-R', path])),
    );
    expect(tableOf(ours)).toEqual(tableOf(theirs));
    expect(tableOf(ours)).toHaveLength(25);
  });

  const BATCHES: readonly (readonly [name: string, text: string])[] = [
    ['comments and blanks', '# nothing\n\n   \n \t# more\n'],
    ['a leading word', 'conntrack -D -p 50\n-D -p 200'],
    ['deleting what is not there', '-D -p 201\n-D -p tcp -o save\n'],
    ['a flush', '-F\n-I -s 1.1.1.1 -d 1.1.1.2 -p 99 -t 500\n'],
    ['quotes', '-D -p "tcp" -s "10.0.0.1"\n-D "-p" u"dp"\n'],
    ['a comment behind', '-D -p udp # and nothing else\n'],
    ['carriage returns', '-D -p tcp\r\n'],
    ['an error in the last line', '-D -p tcp\n-D -p nosuch\n'],
    ['a failure half-way', '-D -p 50\n-I -s 10.0.0.7 -d 10.1.0.5 -p 200 -t 9\n-D -p tcp\n'],
    ['a listing', '-L\n'],
    ['no command', '-z\n'],
    ['nothing at all', 'foo\n'],
    ['a look-up', '-G -p tcp\n'],
    ['expectations', '-F expect\n'],
    ['too many words', `-D ${'x '.repeat(300)}\n`],
    ['too long a word', `-D ${'x'.repeat(1100)}\n`],
  ];

  test('batch-output: -o of a line is of that line', async () => {
    const { theirs, ours } = twins();
    const path = file('-D -p 50 -o save\n-D -p 200\n');
    expect(rowsOf(runOriginal(theirs, ['-R', path]).stdout).map((row) => row.slice(0, 3))).toEqual([
      '-D ',
      '-D ',
    ]);
    expect(
      rowsOf((await runOurs(ours, ['-R', path])).stdout).map((row) => row.slice(0, 3)),
    ).toEqual(['-D ', 'unk']);
  });

  test.each(BATCHES)('%s', async (_name, text) => {
    await both(twins(), `-R ${file(text)}`);
  });
});
