/** What the original does not have: expressions, plans, dry runs, JSON, sub-commands, namespaces by name. */
import { Flow } from '../../lib';
import { DEVIATIONS } from '../../lib/cli/deviations';
import { runOurs, TestIo, withoutName } from '../support/cli-run';
import { fillTable, tableOf, withoutTimes } from '../support/cli-table';
import { type ExecResult, TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { isRealRoot } from '../support/privilege';
import { schemaErrors } from '../support/schema';
import { PROGRAM } from '../support/shell';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

let table: TestNamespace;

beforeAll(() => {
  table = TestNamespace.create();
  fillTable(table, { counted: true });
});

afterEach(closeOpened);

afterAll(() => {
  TestNamespace.closeAll();
});

const run = (...args: string[]): Promise<ExecResult> => runOurs(table, args);

interface Item {
  type?: string;
  kernelDrops?: number;
  cpu?: number;
  orig?: { sport?: number; icmpId?: number };
}

/** The objects of an output of JSON lines. */
function objects(stdout: string): Item[] {
  const lines = stdout.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Item);
}

async function ports(...args: string[]): Promise<number[]> {
  const { stdout, stderr, status } = await run('-L', '-o', 'json', ...args);
  expect({ args, status, stderr }).toMatchObject({ status: 0 });
  const found = objects(stdout).map(({ orig }) => orig?.sport ?? orig?.icmpId ?? 0);
  return found.sort((a, b) => a - b);
}

describe('--where', () => {
  test.each([
    ['proto tcp and dport in (80, 443, 8000-8100) and not src in 10.0.0.0/24', [1013]],
    ['proto tcp and state established and assured', [1001, 1005]],
    ['proto in (udplite, sctp)', [1012, 3868]],
    ['proto 17 and (mark 9 or mark 0xffffffff)', [53, 1014]],
    ['mark 0x5/0xf and ipv4', [1001, 1002]],
    ['mark != 0 and proto tcp', [1001, 1002]],
    ['PROTO TCP AND STATE in (syn_sent, Listen)', [80, 1002]],
    ['sport >= 1013 and sport < 1015', [1013, 1014]],
    ['sport 1013-1014', [1013, 1014]],
    ['dport = 53 and not ipv6 and not unreplied', [1008]],
    ['unreplied and proto tcp', [1002]],
    ['status fixed_timeout', [1008]],
    ['reply dst 192.0.2.1', [1005]],
    ['reply-dst in 192.0.2.0/24 and nat dst', [1007]],
    ['src-nat and ipv6', [1015]],
    ['nat any and proto udp', [1007, 1015]],
    ['address 192.0.2.9', [1006]],
    ['port 8080', [1006]],
    ['zone 5', [1009]],
    ['orig zone 6 or reply zone 7', [1010, 1011]],
    ['icmp-type 8 and icmp-id > 70', [77]],
    ['icmpv6-id 9', [9]],
    ['proto gre and dstkey 77', [0, 0]],
    ['timeout > 100000', []],
    ['bytes = 0 and sport 1001', [1001]],
    ['not not sport 1001', [1001]],
    ['proto tcp or proto udp and sport 53', [53, 80, 1001, 1002, 1003, 1005, 1006, 1013]],
    ['(proto tcp or proto udp) and sport 53', [53]],
    ['src "10.0.0.1"', [1001, 1002]],
  ])('%s', async (expression, expected) => {
    expect(await ports('--where', expression)).toEqual(expected);
  });

  test('narrows what the options say', async () => {
    expect(await ports('-p', 'tcp', '--where', 'sport in (1001, 53)')).toEqual([1001]);
    expect((await run('-C', '--where', 'proto tcp')).stdout).toBe('7\n');
  });

  test.each([
    ['', 1, 'a condition is missing here'],
    ['proto', 6, 'a value is missing here'],
    ['proto tcp and', 14, 'a condition is missing here'],
    ['proto tpc', 7, "`tpc' is no protocol, by name or number"],
    ['prooto tcp', 1, "nothing is called `prooto', did you mean `proto'?"],
    ['proto tcp dport 80', 11, "`dport' where `and' or `or' should be"],
    ['dport 65536', 7, "`65536' is no number from 0 to 65535"],
    ['dport 80-', 7, "`80-' is no number and no range"],
    ['dport 80-10', 7, "the range `80-10' ends before it begins"],
    ['dport in (80, 443', 10, "the list goes on with `,' or ends with `)'"],
    ['(proto tcp', 1, 'this parenthesis is not closed'],
    ['proto tcp)', 10, "`)' where `and' or `or' should be"],
    ['src 10.0.0.0/33', 5, "the prefix of `10.0.0.0/33' must be a number from 0 to 32"],
    ['src localhost', 5, "`localhost' is no address and no network"],
    ['src > 10.0.0.1', 7, "`>' compares numbers only"],
    ['state foo', 7, "`foo' is no state"],
    ['mark 2/1', 6, "`2/1' has bits that its mask has not"],
    ['nat up', 5, 'nat is src, dst, any or none'],
    ['label nosuch', 7, "there is no label `nosuch'"],
    ['dport 80 & x', 10, "`&' where `and' or `or' should be"],
    ['src "10.0.0.1', 5, 'this quote has no end'],
    [`${'not '.repeat(20)}assured`, 53, 'this is nested too deep'],
  ])('%s', async (expression, column, message) => {
    const { status, stdout, stderr } = await run('-D', '--where', expression);
    expect({ status, stdout, lines: withoutName(stderr).split('\n') }).toEqual({
      status: 2,
      stdout: '',
      lines: [
        `: --where: ${message} (column ${column})`,
        `  ${expression}`,
        `${' '.repeat(column + 1)}^`,
        'Try for more information.',
        '',
      ],
    });
  });

  test('does not go with every command', async () => {
    for (const command of ['-F', '-S', '-G -p 50 -s 1.1.1.1 -d 1.1.1.1', '-L expect']) {
      const { stderr } = await run(...command.split(' '), '--where', 'proto tcp');
      expect(withoutName(stderr)).toMatch(/^: Illegal option `--where' with this command/);
    }
  });
});

describe('--dry-run', () => {
  test('-D shows what would go, and leaves it', async () => {
    const before = tableOf(table);
    const listed = await run('-L', '-p', 'tcp');
    const would = await run('-D', '-p', 'tcp', '--dry-run');
    const still = (text: string): string[] => text.split('\n').map(withoutTimes);
    expect(still(would.stdout)).toEqual(still(listed.stdout));
    expect(withoutName(would.stderr)).toBe(': 7 flow entries would be deleted.\n');
    expect(tableOf(table)).toEqual(before);
  });

  test('-U too', async () => {
    const before = tableOf(table);
    const would = await run('-U', '-p', 'tcp', '-m', '5', '--dry-run');
    expect(withoutName(would.stderr)).toBe(': 6 flow entries would be updated.\n');
    expect(tableOf(table)).toEqual(before);
  });

  test('does not go with others', async () => {
    expect((await run('-F', '--dry-run')).status).toBe(2);
    expect((await run('-L', '--dry-run')).status).toBe(2);
  });
});

test('--explain says who filters what, and does nothing', async () => {
  const before = tableOf(table);
  const { stdout, status } = await run('-D', '-p', 'tcp', '--where', 'timeout > 5', '--explain');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^kernel +\S/);
  expect(stdout).toMatch(/^native +.*timeout/m);
  expect(stdout).toMatch(/^why +/m);
  expect(tableOf(table)).toEqual(before);
  const json = await run('-E', '-m', '5', '--explain', '-o', 'json');
  expect(JSON.parse(json.stdout)).toMatchObject({ native: expect.any(Array) });
});

describe('-o json', () => {
  test('is toJSON() of each flow, in the order of the listing', async () => {
    const ct = await openIn(table);
    const { stdout } = await run('-L', '-o', 'json');
    const flows = await ct.flows().toArray();
    const still = (text: string): string => text.replaceAll(/"timeout":\d+/g, '"timeout":T');
    expect(flows[0]).toBeInstanceOf(Flow);
    expect(still(stdout)).toBe(still(flows.map((flow) => `${JSON.stringify(flow)}\n`).join('')));
  });

  test('of counts, statistics and one flow', async () => {
    const ct = await openIn(table);
    expect(JSON.parse((await run('-C', '-o', 'json')).stdout)).toEqual(await ct.limits());
    expect((await run('-C', 'expect', '-o', 'json')).stdout).toBe('{"entries":0}\n');
    const stats = objects((await run('-S', '-o', 'json')).stdout);
    expect(stats.map(({ cpu }) => cpu)).toEqual((await ct.stats()).map(({ cpu }) => cpu));
    expect((await run('-S', 'expect', '-o', 'json')).stdout).toContain('"create":0');
    const key = '-G -s 10.0.0.7 -d 10.1.0.5 -p 50 -o json'.split(' ');
    expect(JSON.parse((await run(...key)).stdout)).toMatchObject({ protonum: 50 });
  });

  test('is what the schema says', async () => {
    for (const line of ['-L', '-C', '-S', '-S expect', '-L -p tcp']) {
      const { stdout } = await run(...line.split(' '), '-o', 'json');
      expect(
        stdout
          .split('\n')
          .slice(0, -1)
          .flatMap((text) => schemaErrors(text)),
      ).toEqual([]);
      expect(stdout).not.toBe('');
    }
  });

  test('goes neither with save nor with xml', async () => {
    expect((await run('-L', '-o', 'json,save')).status).toBe(1);
    expect((await run('-L', '-o', 'json,xml')).status).toBe(1);
  });
});

test('-E -o json, with a gap where events are missing, and how many on stderr', async () => {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  const io = new TestIo();
  // The smallest buffer, and a reader that takes its time: some events must be lost.
  const args = ['--netns', namespace.path, '-E', '-e', 'NEW', '-b', '4096', '-o', 'json'];
  const listening = runOurs(namespace, args.slice(2), io);
  await waitFor('the notice', () => io.stderr.includes('NOTICE: Netlink socket buffer size'));
  const COUNT = 5000;
  const items = (): Item[] => objects(io.stdout);
  const accounted = (): number =>
    items().reduce((sum, item) => sum + (item.type === 'gap' ? (item.kernelDrops ?? 0) : 1), 0);
  let first = 0;
  // A gap is told with the event behind it.
  await waitFor('a gap', async () => {
    namespace.run(() => testing.fill({ count: COUNT, first }));
    first += COUNT;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return items().some(({ type }) => type === 'gap');
  });
  await waitFor('a last event', async () => {
    namespace.run(() => testing.fill({ count: 1, first }));
    first += 1;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return accounted() === first;
  });
  io.interrupt();
  const { status } = await listening;
  expect(status).toBe(0);
  expect(items().flatMap((item) => schemaErrors(JSON.stringify(item)))).toEqual([]);
  const told = [...io.stderr.matchAll(/WARNING: (\d+) flow events are missing/g)];
  const dropped = items().reduce((sum, { kernelDrops = 0 }) => sum + kernelDrops, 0);
  expect(told.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(dropped);
  expect(dropped).toBeGreaterThan(0);
  const shown = items().filter(({ type }) => type !== 'gap').length;
  expect(io.stderr).toContain(`${shown} flow events have been shown.`);
  namespace.close();
}, 60_000);

test('-b sets the buffer of the events', async () => {
  const io = new TestIo();
  const listening = runOurs(table, ['-E', '-b', '1000000'], io);
  await waitFor('the notice', () => io.stderr !== '');
  io.interrupt();
  await listening;
  const [, bytes] = /^NOTICE: Netlink socket buffer size has been set to (\d+) bytes\.$/m.exec(
    io.stderr,
  )!;
  // Beyond net.core.rmem_max only for root of the host.
  if (isRealRoot) expect(bytes).toBe('2000000');
  expect(Number(bytes)).toBeGreaterThan(4096);
});

describe('sub-commands', () => {
  test('sysctl', async () => {
    expect((await run('sysctl', 'nf_conntrack_acct')).stdout).toBe(
      'net.netfilter.nf_conntrack_acct = 1\n',
    );
    const set = await run('sysctl', 'net.netfilter.nf_conntrack_tcp_loose=0');
    expect(set).toEqual({
      status: 0,
      stdout: 'net.netfilter.nf_conntrack_tcp_loose = 0\n',
      stderr: '',
    });
    expect(table.sysctl('nf_conntrack_tcp_loose')).toBe('0');
    const all = (await run('sysctl')).stdout.split('\n').slice(0, -1);
    expect(all.length).toBeGreaterThan(20);
    const json = await run('sysctl', 'nf_conntrack_acct', '-o', 'json');
    expect(JSON.parse(json.stdout)).toMatchObject({ name: 'nf_conntrack_acct', value: 1 });
  });

  test.each([
    ['nf_conntrack_nosuch', 1],
    ['nf_conntrack_acct=foo', 2],
    ['nf_conntrack_acct=99', 2],
    ['foo', 2],
    ['--foo', 2],
  ])('sysctl %s', async (word, status) => {
    const { stderr, ...result } = await run('sysctl', word);
    expect(result).toEqual({ status, stdout: '' });
    expect(stderr).toMatch(/^nfconntrack v[\d.]+ \(nfconntrack\): ./);
  });

  test('doctor', async () => {
    const { status, stdout, stderr } = await run('doctor');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^Linux \d+\.\d+/);
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    const json = JSON.parse((await run('doctor', '-o', 'json')).stdout);
    expect(json.facts.sysctls.nf_conntrack_acct).toBe(1);
  });
});

describe('--netns', () => {
  test('anywhere among the options', async () => {
    const outside = TestNamespace.create();
    for (const args of [
      ['-C', '--netns', table.path],
      [`--netns=${table.path}`, '-C'],
    ]) {
      expect((await runOurs(outside, args)).stdout).toBe('24\n');
    }
    outside.close();
  });

  test('that is not there', async () => {
    const { status, stdout, stderr } = await run('-C', '--netns', 'nosuch');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('there is no network namespace "nosuch"');
  });
});

describe('the names', () => {
  test('--compat is conntrack 1.4.9', async () => {
    expect((await run('--compat', '-V')).stdout).toBe('conntrack v1.4.9 (conntrack-tools)\n');
    const { stderr } = await run('-L', '-p', 'nosuch', '--compat');
    expect(stderr).toBe(
      "conntrack v1.4.9 (conntrack-tools): `nosuch' unsupported protocol\n" +
        "Try `conntrack -h' or 'conntrack --help' for more information.\n",
    );
  });

  test('without it, our own', async () => {
    const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
    expect((await run('-V')).stdout).toBe(`nfconntrack v${version} (nfconntrack)\n`);
  });

  test('the help fits a screen', async () => {
    for (const args of [['-h'], ['--help'], []]) {
      const { status, stdout, stderr } = await run(...args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const lines = stdout.split('\n');
      expect(lines.length).toBeLessThanOrEqual(24);
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
    }
    expect((await run('-h', '-p', 'tcp')).stdout).toContain('--reply-port-dst');
  });
});

describe('the README', () => {
  const readme = readFileSync(join(__dirname, '../../README.md'), 'utf8');
  const examples = [...readme.matchAll(/^ {4}nfconntrack (.*)$/gm)].map(([, args = '']) => args);

  test.each(examples.filter((args) => !args.startsWith('-E')))('runs nfconntrack %s', (args) => {
    const namespace = TestNamespace.create();
    fillTable(namespace);
    const program = `nfconntrack() { "${process.execPath}" "${PROGRAM}" "$@"; }`;
    const script = `cd $(mktemp -d); ${program}; nfconntrack ${args}; code=$?; rm -rf "$PWD"; exit $code`;
    const { status, stdout, stderr } = namespace.tryExec('bash', ['-c', script]);
    // A -D that finds nothing, and a table that is there already, are answers as well.
    expect(stderr).not.toMatch(/Try|unknown|--where:/);
    expect([status, stdout]).not.toEqual([2, '']);
    namespace.close();
  });

  test('has examples', () => {
    expect(examples.length).toBeGreaterThan(6);
  });
});

test('the README lists every deviation', () => {
  const readme = readFileSync(join(__dirname, '../../README.md'), 'utf8');
  const rows = readme.split('\n').filter((line) => line.startsWith('| '));
  const listed = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  for (const { example, original, ours } of DEVIATIONS) {
    expect(listed).toContainEqual([`\`${example}\``, original, ours]);
  }
});
