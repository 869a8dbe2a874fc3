/** What goes wrong is said: by whom, about what, and what to do. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  Conntrack,
  ConntrackError,
  type EventsOptions,
  type FlowBatch,
  type FlowKey,
} from '../../lib';
import { LAYOUT_VERSION } from '../../lib/layout';
import { threadsNamed } from '../support/affinity';
import { answerOf, Program, runProgram } from '../support/child';
import { TestNamespace } from '../support/netns';
import { threadsOf } from '../support/observe';
import { closeOpened, openIn } from '../support/opened';
import { NOBODY, noOrdinaryUser } from '../support/privilege';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';

const ROOT = join(__dirname, '../..');

interface Failure {
  name: string;
  message: string;
  code: string;
  errno?: number;
  syscall?: string;
  hint?: string;
}

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'nfconntrack-'));
});
afterEach(async () => {
  await closeOpened();
  Program.endAll();
  TestNamespace.closeAll();
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

async function failureOf(what: Promise<unknown>): Promise<ConntrackError> {
  try {
    await what;
  } catch (error) {
    expect(error).toBeInstanceOf(ConntrackError);
    expect(error).toBeInstanceOf(Error);
    return error as ConntrackError;
  }
  throw new Error('it succeeded');
}

describe('a namespace that cannot be entered', () => {
  test('by a name that there is not', async () => {
    const error = await failureOf(Conntrack.open({ netns: 'no such' }));
    expect(error).toMatchObject({ name: 'ConntrackError', code: 'ENOENT', errno: 2 });
    expect(error.syscall).toBe('open');
    expect(error.hint).toContain('there is no network namespace "no such"');
    expect(error.hint).toContain('ip netns list');
    expect(error.message).toContain(error.hint);
    expect(error.detail).toBeUndefined();
  });

  test('by a path that there is not', async () => {
    const error = await failureOf(Conntrack.open({ netns: `${scratch}/none` }));
    expect(error).toMatchObject({ code: 'ENOENT', errno: 2, syscall: 'open' });
    expect(error.message).toContain(`${scratch}/none`);
  });

  test('by the number of a process that has ended', async () => {
    const { pid } = spawnSync('true');
    const error = await failureOf(Conntrack.open({ netns: pid }));
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'open' });
    expect(error.hint).toContain(`of process ${pid}`);
  });

  test.each([
    ['a file', '/proc/version'],
    ['a device', '/dev/null'],
    ['a directory', '/proc'],
    ['a namespace of another kind', '/proc/self/ns/mnt'],
  ])('by %s', async (_, netns) => {
    const error = await failureOf(Conntrack.open({ netns }));
    expect(error).toMatchObject({ code: 'EINVAL', errno: 22, syscall: 'setns' });
    expect(error.hint).toBe(`"${netns}" is not a network namespace`);
  });

  test('by a pipe that nobody writes to, without waiting for one', async () => {
    const pipe = join(scratch, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const ended = await runProgram('opening.mjs', { args: [pipe], timeout: 5000 });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(JSON.parse(ended.stdout)).toMatchObject({ name: 'ConntrackError', code: 'EINVAL' });
  });

  test('leaves no thread', async () => {
    for (const netns of ['no such', '/proc/version', '/proc/self/ns/mnt']) {
      await failureOf(Conntrack.open({ netns }));
    }
    expect(threadsOf()).toEqual([]);
  });
});

describe('without the right to', () => {
  const POWERLESS = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];

  const why = noOrdinaryUser();
  const UNADMINISTRATIVE = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'];
  const USERS: [string, string[], 'none' | 'some'][] = [
    ['a root without capabilities', POWERLESS, 'none'],
    ['a program without CAP_NET_ADMIN', UNADMINISTRATIVE, 'some'],
  ];
  if (why === undefined) USERS.push(['an ordinary user', NOBODY, 'none']);
  if (why !== undefined) test.skip(`(an ordinary user: ${why})`, () => undefined);

  test.each(USERS)('%s is told so', async (_, under, rights) => {
    const namespace = TestNamespace.create();
    namespace.run(() => testing.fill({ count: 1 }));
    const { open, elsewhere, init, ...came } = await answerOf<Record<string, Failure | 'done'>>(
      'refused.mjs',
      { namespace, under },
    );
    // The sockets themselves are anybody's.
    expect(open).toBe('done');
    expect(elsewhere).toBeUndefined();
    expect(Object.keys(came)).toHaveLength(7);
    for (const [what, failure] of Object.entries(came)) {
      expect([what, failure]).toEqual([
        what,
        {
          name: 'ConntrackError',
          message: expect.stringContaining('EPERM, operation not permitted'),
          code: 'EPERM',
          errno: 1,
          syscall: what === 'events' ? 'setsockopt(NETLINK_ADD_MEMBERSHIP)' : 'netlink',
          hint: expect.stringMatching(/CAP_NET_ADMIN.*root.*AmbientCapabilities.*unshare/),
        },
      ]);
    }
    if (rights === 'some') return;
    // What belongs to a stronger process may not even be looked at.
    expect(init).toMatchObject({
      name: 'ConntrackError',
      code: 'EACCES',
      errno: 13,
      syscall: 'open',
      hint: expect.stringContaining('root'),
    });
  });

  test('to enter a namespace: it is told which', async () => {
    const [namespace, other] = [TestNamespace.create(), TestNamespace.create()];
    // The descriptor is there before the rights are given away.
    const under = ['sh', '-c', `exec "$@" 9<${other.path}`, 'sh', ...POWERLESS];
    const came = await answerOf<Record<string, Failure>>('refused.mjs', {
      namespace,
      under,
      args: ['/proc/self/fd/9'],
    });
    expect(came['elsewhere']).toMatchObject({
      name: 'ConntrackError',
      code: 'EPERM',
      errno: 1,
      syscall: 'setns',
      hint: expect.stringMatching(/CAP_SYS_ADMIN.*nsenter/),
    });
  });
});

test('without descriptors: what fails says so, takes none, and works again with some', async () => {
  interface Came {
    name: string;
    free: number;
    result: Failure | 'done';
    left: number;
  }
  const { came, works, lists } = await answerOf<{
    came: Came[];
    works: string;
    lists: boolean;
  }>('exhausted.mjs', {
    under: ['prlimit', '--nofile=128'],
    node: ['--expose-gc'],
  });
  expect(works).toBe('done');
  // A mirror that is there needs none to compare with the table.
  expect(lists).toBe(true);
  for (const name of ['open', 'events', 'mirror', 'reliable', 'flows']) {
    const attempts = came.filter((each) => each.name === name);
    expect(attempts.at(0)!.result).toMatchObject({ code: 'EMFILE' });
    expect(attempts.at(-1)!.result).toBe('done');
    for (const { free, result, left } of attempts) {
      expect([name, left]).toEqual([name, free]);
      if (result === 'done') continue;
      expect(result).toMatchObject({
        name: 'ConntrackError',
        code: 'EMFILE',
        errno: 24,
        syscall: expect.stringMatching(/^(open|socket|eventfd)$/),
        hint: expect.stringContaining('ulimit -n'),
      });
    }
  }
});

describe('a closed Conntrack', () => {
  const key: FlowKey = { protocol: 'udp', orig: { src: '::1', dst: '::1', sport: 1, dport: 2 } };
  const QUESTIONS: [string, (ct: Conntrack) => Promise<unknown>][] = [
    ['get()', (ct) => ct.get(key)],
    ['count()', (ct) => ct.count()],
    ['limits()', (ct) => ct.limits()],
    ['stats()', (ct) => ct.stats()],
    ['events()', (ct) => ct.events()],
    ['flows().toArray()', (ct) => ct.flows().toArray()],
    ['flows().count()', (ct) => ct.flows().count()],
    ['flows().batches()', (ct) => ct.flows().batches().next()],
    ['the iterator of flows()', (ct) => ct.flows()[Symbol.asyncIterator]().next()],
  ];

  test.each(QUESTIONS)('refuses %s', async (_, ask) => {
    const ct = await openIn(TestNamespace.create());
    await ct.close();
    const error = await failureOf(ask(ct));
    expect(error).toMatchObject({ code: 'ERR_CLOSED', message: 'the Conntrack is closed' });
    expect([error.errno, error.syscall]).toEqual([undefined, undefined]);
  });

  test('refuses from the moment that close() is called', async () => {
    const ct = await openIn(TestNamespace.create());
    const closing = ct.close();
    expect(await failureOf(ct.count())).toMatchObject({ code: 'ERR_CLOSED' });
    await closing;
  });

  test('is closed as often as one likes', async () => {
    const ct = await openIn(TestNamespace.create());
    await Promise.all([ct.close(), ct.close()]);
    await ct.close();
    await ct[Symbol.asyncDispose]();
    expect(threadsOf()).toEqual([]);
  });

  test('is what `await using` leaves', async () => {
    const opened: Conntrack[] = [];
    {
      await using ct = await Conntrack.open({ netns: TestNamespace.create().path });
      expect(await ct.count()).toBe(0);
      opened.push(ct);
    }
    expect(await failureOf(opened[0]!.count())).toMatchObject({ code: 'ERR_CLOSED' });
  });
});

describe('an invalid argument', () => {
  type Case = [value: unknown, error: typeof TypeError | typeof RangeError, message: RegExp];
  const tuple = { src: '192.0.2.1', dst: '192.0.2.2' };
  const orig = { ...tuple, sport: 1, dport: 2 };
  const tcp = { protocol: 'tcp', orig };
  const echo = { ...tuple, icmpType: 8, icmpCode: 0, icmpId: 1 };

  const ofOpen: Case[] = [
    [null, TypeError, /^options must be an object, not null$/],
    ['alpha', TypeError, /^options must be an object, not "alpha"$/],
    [[], TypeError, /^options must be an object, not an array$/],
    [{ netnss: 'alpha' }, TypeError, /^options\.netnss is not known; known are netns$/],
    ...['', '.', '..', 'a\0b', '/run/\0'].map((netns): Case => [
      { netns },
      TypeError,
      /^options\.netns must be /,
    ]),
    ...[null, true, {}, [], 1n, () => 1].map((netns): Case => [
      { netns },
      TypeError,
      /^options\.netns must be /,
    ]),
    ...[0, -1, 1.5, NaN, Infinity, 2 ** 22 + 1].map((netns): Case => [
      { netns },
      RangeError,
      /^options\.netns must be an integer from 1 to 4194304, not /,
    ]),
  ];
  const ofFlows: Case[] = [
    [null, TypeError, /^options must be an object, not null$/],
    [7, TypeError, /^options must be an object, not 7$/],
    [
      { limit: 5 },
      TypeError,
      /^options\.limit is not known; known are zeroCounters, table, signal$/,
    ],
    [
      { table: 'expect' },
      TypeError,
      /^options\.table must be one of 'conntrack', 'dying', 'unconfirmed', not "expect"$/,
    ],
    [{ table: null }, TypeError, /^options\.table must be one of /],
    [{ table: 1 }, TypeError, /^options\.table must be one of /],
    [{ zeroCounters: 1 }, TypeError, /^options\.zeroCounters must be a boolean, not 1$/],
    [{ zeroCounters: null }, TypeError, /^options\.zeroCounters must be a boolean, not null$/],
    [
      { zeroCounters: true, table: 'dying' },
      TypeError,
      /^options\.zeroCounters goes with the table 'conntrack' only/,
    ],
    [{ signal: {} }, TypeError, /^options\.signal must be an AbortSignal, not an object$/],
    [{ signal: new AbortController() }, TypeError, /^options\.signal must be an AbortSignal/],
    [{ signal: null }, TypeError, /^options\.signal must be an AbortSignal, not null$/],
  ];
  const ofEvents: Case[] = [
    [null, TypeError, /^options must be an object/],
    [
      { type: ['new'] },
      TypeError,
      /^options\.type is not known; known are types, receiveBuffer, maxReceiveBuffer, queue, reliable, resync, signal$/,
    ],
    [{ types: 'new' }, TypeError, /^options\.types must be an array, not "new"$/],
    [{ types: [] }, TypeError, /^options\.types must not be empty$/],
    [
      { types: ['new', 'gone'] },
      TypeError,
      /^options\.types\[1\] must be one of 'new', 'update', 'destroy', not "gone"$/,
    ],
    [{ types: [1] }, TypeError, /^options\.types\[0\] must be one of /],
    [{ types: [undefined] }, TypeError, /^options\.types\[0\] must be one of /],
    [{ receiveBuffer: '4096' }, TypeError, /^options\.receiveBuffer must be a number, not "4096"$/],
    [{ receiveBuffer: 4096n }, TypeError, /^options\.receiveBuffer must be a number, not 4096n$/],
    ...[4095, 0, -1, 5000.5, NaN, 2 ** 31].map((receiveBuffer): Case => [
      { receiveBuffer },
      RangeError,
      /^options\.receiveBuffer must be an integer from 4096 to 2147483647, not /,
    ]),
    [{ queue: null }, TypeError, /^options\.queue must be a number, not null$/],
    ...[0, -1, 1.5, Infinity, 2 ** 31 + 1].map((queue): Case => [
      { queue },
      RangeError,
      /^options\.queue must be an integer from 1 to 2147483648, not /,
    ]),
    [{ signal: 'stop' }, TypeError, /^options\.signal must be an AbortSignal, not "stop"$/],
  ];
  const ofGet: Case[] = [
    [undefined, TypeError, /^key must be an object/],
    [null, TypeError, /^key must be an object/],
    ['tcp', TypeError, /^key must be an object, not "tcp"$/],
    [{}, TypeError, /^key\.orig or key\.reply is missing$/],
    [{ orig }, TypeError, /^key\.protocol is missing$/],
    [{ ...tcp, orig: 5 }, TypeError, /^key\.orig must be an object, not 5$/],
    [{ ...tcp, orig: null }, TypeError, /^key\.orig must be an object, not null$/],
    [{ protocol: 'tcp', reply: null }, TypeError, /^key\.reply must be an object, not null$/],
    [
      { ...tcp, protocol: 'nonsense' },
      TypeError,
      /^key\.protocol must be a protocol's name or number, not "nonsense"$/,
    ],
    [{ ...tcp, protocol: '256' }, TypeError, /^key\.protocol must be/],
    [{ ...tcp, protocol: 6 }, TypeError, /^key\.protocol must be a string, not 6$/],
    [{ orig, protonum: '6' }, TypeError, /^key\.protonum must be a number/],
    [
      { orig, protonum: 256 },
      RangeError,
      /^key\.protonum must be an integer from 0 to 255, not 256$/,
    ],
    [{ ...tcp, protonum: 17 }, TypeError, /^key\.protocol is tcp, but key\.protonum is 17$/],
    [
      { ...tcp, family: 'ipv5' },
      TypeError,
      /^key\.family must be one of 'ipv4', 'ipv6', not "ipv5"$/,
    ],
    [{ ...tcp, family: 'ipv6' }, TypeError, /^key\.orig\.src must be an ipv6 address/],
    [
      { ...tcp, zone: 65_536 },
      RangeError,
      /^key\.zone must be an integer from 0 to 65535, not 65536$/,
    ],
    [{ ...tcp, zone: '1' }, TypeError, /^key\.zone must be a number/],
    [{ protocol: 'tcp', reply: { ...orig, zone: -1 } }, RangeError, /^key\.reply\.zone must be/],
    [
      { ...tcp, orig: { ...orig, src: undefined } },
      TypeError,
      /^key\.orig\.src must be a string, not undefined$/,
    ],
    [
      { ...tcp, orig: { ...orig, dst: 'localhost' } },
      TypeError,
      /^key\.orig\.dst must be an IPv4 or IPv6 address, not "localhost"$/,
    ],
    [{ ...tcp, orig: { ...orig, dst: '192.0.2.0/24' } }, TypeError, /^key\.orig\.dst must be/],
    [{ ...tcp, orig: { ...orig, dst: 'fe80::1%lo' } }, TypeError, /^key\.orig\.dst must be/],
    [
      { ...tcp, orig: { ...orig, dst: '::1' } },
      TypeError,
      /^key\.orig\.dst must be an ipv4 address/,
    ],
    [{ ...tcp, orig: { ...tuple, sport: 1 } }, TypeError, /^key\.orig\.dport is missing/],
    [
      { ...tcp, orig: { ...orig, sport: 65_536 } },
      RangeError,
      /^key\.orig\.sport must be an integer from 0 to 65535/,
    ],
    [{ ...tcp, orig: { ...orig, sport: 1.5 } }, RangeError, /^key\.orig\.sport must be/],
    [
      { ...tcp, orig: { ...orig, sport: '80' } },
      TypeError,
      /^key\.orig\.sport must be a number, not "80"$/,
    ],
    [
      { ...tcp, orig: { ...orig, icmpId: 1 } },
      TypeError,
      /^key\.orig\.icmpId does not go with the protocol tcp$/,
    ],
    [
      { protocol: 'icmp', orig },
      TypeError,
      /^key\.orig\.sport does not go with the protocol icmp$/,
    ],
    [
      { protocol: 'icmp', orig: { ...echo, icmpId: undefined } },
      TypeError,
      /^key\.orig\.icmpId is missing/,
    ],
    [
      { protocol: 'icmp', orig: { ...echo, icmpType: 256 } },
      RangeError,
      /^key\.orig\.icmpType must be an integer from 0 to 255/,
    ],
    [
      { protocol: 'gre', orig: { ...tuple, srckey: 1 } },
      TypeError,
      /^key\.orig\.dstkey is missing/,
    ],
    [{ protocol: '253', orig }, TypeError, /^key\.orig\.sport does not go with the protocol 253$/],
  ];

  /** How often a thread has gone to sleep, once it sleeps. */
  function sleeps(thread: number): Promise<number> {
    return waitFor('the thread to sleep', () => {
      const status = readFileSync(`/proc/self/task/${thread}/status`, 'utf8');
      if (!/^State:\s*S/m.test(status)) return undefined;
      return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)![1]);
    });
  }

  async function expectRefused(what: () => unknown, [, error, message]: Case): Promise<void> {
    const refused = async (): Promise<unknown> => what();
    await expect(refused()).rejects.toThrow(error);
    await expect(refused()).rejects.toThrow(message);
  }

  test.each(ofOpen)('of open(): %p', async (...each) => {
    await expectRefused(() => Conntrack.open(each[0] as never), each);
    expect(threadsOf()).toEqual([]);
  });

  describe('of what is open', () => {
    let ct: Conntrack;
    let control: number;

    beforeEach(async () => {
      ct = await openIn(TestNamespace.create());
      await ct.count();
      [control = 0] = threadsNamed('nfct-control');
    });

    /** That the thread which asks the kernel was not woken, and that there is no other. */
    async function expectUnasked(what: () => Promise<void>): Promise<void> {
      const before = await sleeps(control);
      await what();
      expect(threadsOf()).toEqual(['nfct-control']);
      expect(await sleeps(control)).toBe(before);
      // It would have shown.
      await ct.count();
      await waitFor('the thread to sleep again', async () => (await sleeps(control)) > before);
    }

    test.each(ofFlows)('flows(): %p', async (...each) => {
      await expectUnasked(() => expectRefused(() => ct.flows(undefined, each[0] as never), each));
    });

    test.each(ofEvents)('events(): %p', async (...each) => {
      const options = each[0] as EventsOptions;
      await expectUnasked(() => expectRefused(() => ct.events(undefined, options), each));
    });

    test.each(ofGet)('get(): %p', async (...each) => {
      await expectUnasked(() => expectRefused(() => ct.get(each[0] as FlowKey), each));
    });

    test.each([
      [null, /^filter must be an object, not null$/],
      ['tcp', /^filter must be an object, not "tcp"$/],
      [{ protocl: 'tcp' }, /^filter\.protocl is not known/],
    ])('a filter: %j', async (filter, message) => {
      const each: Case = [filter, TypeError, message];
      await expectUnasked(async () => {
        await expectRefused(() => ct.flows(filter as never), each);
        await expectRefused(() => ct.events(filter as never), each);
      });
    });

    test('onBatch() without a function', async () => {
      const events = await ct.events();
      for (const callback of [undefined, null, {}, 'log']) {
        const message = /^callback must be a function, not /;
        await expectRefused(
          () => events.onBatch(callback as never),
          [callback, TypeError, message],
        );
      }
      // It was not taken for a reader.
      events.onBatch(() => undefined);
    });

    test('at() beyond a batch', async () => {
      const namespace = TestNamespace.create();
      namespace.run(() => testing.fill({ count: 3 }));
      const batches = (await openIn(namespace)).flows().batches();
      const batch = (await batches.next()).value as FlowBatch;
      await batches.return!();
      for (const index of [-1, batch.length, 1.5, NaN, '0', undefined]) {
        expect(() => batch.at(index as number)).toThrow(RangeError);
        expect(() => batch.at(index as number)).toThrow(
          /^index must be an integer from 0 to \d+, not/,
        );
      }
    });
  });
});

describe('the addon', () => {
  interface Loaded {
    names: string[];
    opened: Failure | 'done';
    again: Failure | 'done';
    isConntrackError: boolean;
    cause?: string;
  }
  const BUILT = join(ROOT, 'build/Release/nfconntrack.node');

  /** The package somewhere else, with another addon or none; gives its directory. */
  function packaged(name: string, addon: Buffer | undefined): string {
    const directory = join(scratch, name);
    mkdirSync(join(directory, 'build/Release'), { recursive: true });
    cpSync(join(ROOT, 'dist'), join(directory, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    if (addon !== undefined)
      writeFileSync(join(directory, 'build/Release/nfconntrack.node'), addon);
    return directory;
  }

  /** The addon with every occurrence of one text made into another of the same length. */
  function altered(from: string, to: string): Buffer {
    expect(to).toHaveLength(from.length);
    const addon = readFileSync(BUILT);
    let at = addon.indexOf(from);
    expect(at).toBeGreaterThan(0);
    for (; at >= 0; at = addon.indexOf(from, at)) addon.write(to, at, 'latin1');
    return addon;
  }

  function load(directory: string, platform?: string): Promise<Loaded> {
    const args = platform === undefined ? [directory] : [directory, platform];
    return answerOf<Loaded>('loading.mjs', { args });
  }

  test('is found in a copy of the package', async () => {
    const { names, opened } = await load(packaged('whole', readFileSync(BUILT)));
    expect(opened).toBe('done');
    expect(names).toEqual(
      expect.arrayContaining(['Conntrack', 'ConntrackError', 'Flow', 'Status']),
    );
  });

  test('that is not there: how to build it', async () => {
    const loaded = await load(packaged('absent', undefined));
    expect(loaded.isConntrackError).toBe(true);
    expect(loaded.opened).toMatchObject({
      name: 'ConntrackError',
      code: 'ERR_DLOPEN_FAILED',
      message: expect.stringMatching(/^cannot load the nfconntrack addon: /),
      hint: expect.stringContaining('npm run build'),
    });
    expect(loaded.again).toEqual(loaded.opened);
    expect(loaded.cause).toBeDefined();
  });

  const LIBRARIES = [
    ['libmnl.so.0', 'libmnx.so.0'],
    ['libnetfilter_conntrack.so.3', 'libnetfilter_conntrakk.so.3'],
  ] as const;
  // A prebuilt addon carries them, and a linker leaves out what is not used.
  const linked = LIBRARIES.filter(([library]) => readFileSync(BUILT).includes(library));
  if (linked.length === 0) test.skip('(that needs no library)', () => undefined);
  else test.each(linked)('that needs %s, which is not there: what to install', needing);

  async function needing(library: string, missing: string): Promise<void> {
    const loaded = await load(packaged(missing, altered(library, missing)));
    expect(loaded.isConntrackError).toBe(true);
    expect(loaded.opened).toMatchObject({
      code: 'ERR_DLOPEN_FAILED',
      message: `cannot load the nfconntrack addon: ${missing} is not installed`,
      hint: 'install it: apt-get install libmnl0 libnetfilter-conntrack3',
    });
    expect(loaded.cause).toContain(missing);
  }

  test('that is broken: what the loader said', async () => {
    const loaded = await load(packaged('broken', Buffer.from('not an addon')));
    expect(loaded.isConntrackError).toBe(true);
    expect(loaded.opened).toMatchObject({
      code: 'ERR_DLOPEN_FAILED',
      message: expect.stringMatching(/^cannot load the nfconntrack addon: .*(ELF|short)/),
    });
  });

  test('of another version: that both are to be built together', async () => {
    const other = LAYOUT_VERSION.slice(1) + LAYOUT_VERSION.slice(0, 1);
    const loaded = await load(packaged('older', altered(LAYOUT_VERSION, other)));
    expect(loaded.isConntrackError).toBe(true);
    expect(loaded.opened).toMatchObject({
      code: 'ERR_DLOPEN_FAILED',
      message: expect.stringContaining(`(layout ${other}) is not of this version`),
      hint: 'build both together: npm run build',
    });
    expect(loaded.again).toEqual(loaded.opened);
  });

  test.each(['darwin', 'win32', 'freebsd'])(
    'on %s: the package loads, opening says why not',
    async (platform) => {
      const loaded = await load(packaged(platform, undefined), platform);
      expect(loaded.names).toEqual(expect.arrayContaining(['Conntrack', 'ConntrackError']));
      expect(loaded.isConntrackError).toBe(true);
      expect(loaded.opened).toMatchObject({
        name: 'ConntrackError',
        code: 'ENOSYS',
        message: `connection tracking is a part of Linux; this is ${platform}`,
      });
    },
  );
});
