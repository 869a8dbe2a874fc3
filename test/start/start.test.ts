import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { root, script, start, testWithUserNamespace, type Ended } from './child';

/** Marks every process of one run, so that a survivor can be told from another run's. */
let runs = 0;
const marker = (): string => `${String(process.pid)}-${String((runs += 1))}`;

const startDemo = (mark: string) =>
  start(process.execPath, script('start.mjs'), { NFCONNTRACK_TEST_RUN: mark });

function processesOf(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`NFCONNTRACK_TEST_RUN=${mark}`);
    } catch {
      return false;
    }
  });
}

async function untilGone(mark: string): Promise<string[]> {
  for (let attempt = 0; attempt < 100 && processesOf(mark).length > 0; attempt += 1) {
    await pause(100);
  }
  return processesOf(mark);
}

describe('npm start without arguments', () => {
  let demo: Ended;
  let mark: string;

  beforeAll(async () => {
    mark = marker();
    demo = await startDemo(mark).ended;
  });

  test('ends by itself with success', () => {
    expect(demo.stderr).toBe('');
    expect(demo.code).toBe(0);
  });

  test.each([
    ['NEW', 'tcp'],
    ['UPDATE', 'tcp'],
    ['DESTROY', 'tcp'],
    ['NEW', 'udp'],
    ['UPDATE', 'udp'],
    ['DESTROY', 'udp'],
    ['NEW', 'icmp'],
    ['UPDATE', 'icmp'],
    ['DESTROY', 'icmp'],
  ])('shows %s events of %s', (type, protocol) => {
    const line = new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} ${type} +${protocol} `, 'm');
    expect(demo.stdout).toMatch(line);
  });

  test('shows the translation of both ends', () => {
    expect(demo.stdout).toMatch(
      /NEW +tcp .* 10\.0\.0\.2:(\d+) > 198\.51\.100\.80:80\n +translated to 192\.0\.2\.1:\d+ > 192\.0\.2\.80:8080\n/,
    );
  });

  test('shows the counters of ended flows', () => {
    expect(demo.stdout).toMatch(
      /DESTROY tcp .*\n +carried [1-9]\d* packets? [1-9]\d* B out, [1-9]\d* packets? [1-9]\d* B back\n/,
    );
  });

  test('shows the table, and a summary that agrees with the events and loses none', () => {
    const [, table = '', summary = ''] = /The table now\n([^]*)\nSummary\n([^]*)$/.exec(
      demo.stdout,
    )!;
    expect(table).toMatch(/^tcp +ESTABLISHED +10\.0\.0\.2:\d+ > 198\.51\.100\.80:80 /m);
    const counts = /events +(\d+) received: (\d+) new, (\d+) update, (\d+) destroy/.exec(summary)!;
    const [received, ...kinds] = counts.slice(1).map(Number);
    expect(kinds.reduce((total, kind) => total + kind)).toBe(received);
    for (const [index, type] of ['NEW', 'UPDATE', 'DESTROY'].entries()) {
      expect(demo.stdout.match(new RegExp(`^\\S+ ${type} `, 'gm'))).toHaveLength(kinds[index]!);
    }
    expect(summary).toContain('lost    0 in the kernel, 0 in the queue');
  });

  test('is plain text of at most 80 columns where there is no terminal', () => {
    expect(demo.stdout).toMatch(/^[\n -~]*$/);
    expect(demo.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test('leaves no process behind', async () => {
    expect(await untilGone(mark)).toEqual([]);
  });
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends it with exit code %i and leaves nothing', async (signal, code) => {
  const mark = marker();
  const demo = startDemo(mark);
  await demo.shows(' NEW ');
  demo.child.kill(signal);
  const ended = await demo.ended;
  expect(ended).toMatchObject({ code, signal: null, stderr: '' });
  expect(await untilGone(mark)).toEqual([]);
});

test('being killed leaves nothing either', async () => {
  const mark = marker();
  const demo = startDemo(mark);
  await demo.shows(' NEW ');
  expect(processesOf(mark).length).toBeGreaterThan(1);
  demo.child.kill('SIGKILL');
  await demo.ended;
  expect(await untilGone(mark)).toEqual([]);
});

test('a reader that goes away ends it without a complaint', async () => {
  const line = `"$0" "$1" | head -n 3`;
  const { stdout, stderr } = await start('sh', [
    '-c',
    line,
    process.execPath,
    ...script('start.mjs'),
  ]).ended;
  expect(stdout.split('\n')).toHaveLength(4);
  expect(stderr).toBe('');
});

test('with arguments it is the command line', async () => {
  const refused = await start(process.execPath, script('start.mjs', '-L', '-p', 'nosuch')).ended;
  expect(refused.code).toBe(2);
  expect(refused.stdout).toBe('');
  expect(refused.stderr).toContain("(nfconntrack): `nosuch' unsupported protocol");
  const version = await start(process.execPath, script('start.mjs', '--compat', '-V')).ended;
  expect(version.stdout).toBe('conntrack v1.4.9 (conntrack-tools)\n');
  expect(version.code).toBe(0);
});

test('the demonstration refuses the network it was started in', async () => {
  const before = readlinkSync('/proc/self/ns/net');
  const refused = await start(process.execPath, script('demo/demo.mjs')).ended;
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('start it with npm start');
  expect(readlinkSync('/proc/self/ns/net')).toBe(before);
});

testWithUserNamespace('says what to allow where no private namespace may be made', async () => {
  // A user namespace whose own limit is none, and in it a root without rights.
  const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces';
  const powerless = 'setpriv --bounding-set=-all --inh-caps=-all';
  const forbidden = await start('unshare', [
    ...['--user', '--map-root-user', 'sh', '-c'],
    ...[`${forbid} && exec ${powerless} "$@"`, 'sh', process.execPath, ...script('start.mjs')],
  ]).ended;
  expect(forbidden.code).toBe(1);
  expect(forbidden.stderr).toContain('does not let this user make a private network namespace');
  expect(forbidden.stderr).toMatch(/^What to do: .*sudo sysctl -w user\.max_user_namespaces=/m);
});

describe('colours', () => {
  const screen = join(root, 'scripts/demo/screen.mjs');
  const program = `import(${JSON.stringify(screen)}).then(({ bold, write }) => write(bold('title')))`;
  const onTerminal = `script -qec "$SHOWN" /dev/null`;
  const show = async (command: string, env: NodeJS.ProcessEnv): Promise<string> => {
    const shown = `'${process.execPath}' -e "$PROGRAM"`;
    const variables = { TERM: 'xterm', NO_COLOR: '', PROGRAM: program, SHOWN: shown, ...env };
    const { stdout } = await start('sh', ['-c', command], variables).ended;
    return stdout.trimEnd();
  };

  test('on a terminal', async () => {
    expect(await show(onTerminal, {})).toBe('\x1b[1mtitle\x1b[0m');
  });

  test.each([
    ['NO_COLOR', onTerminal, { NO_COLOR: '1' }],
    ['a dumb terminal', onTerminal, { TERM: 'dumb' }],
    ['no terminal', 'eval "$SHOWN"', {}],
  ])('none with %s', async (_why, command, env) => {
    expect(await show(command, env)).toBe('title');
  });
});
