/**
 * Wrong arguments of every call: each with the class and the message of its error, and the kernel's table as
 * it was before.
 */
import { inspect } from 'node:util';

import {
  Conntrack,
  ConntrackError,
  type DeleteWhereOptions,
  type EventsOptions,
  type Filter,
  type FlowChanges,
  type FlowKey,
  type FlowsOptions,
  type FlushOptions,
  type ManyOptions,
  type NewFlow,
  type OpenOptions,
  type UpdateWhereOptions,
} from '../../lib';
import { countByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { shownByCli } from '../support/shown';
import { testing } from '../support/testing';
import { without } from '../support/without';
import {
  detached,
  GOOD_FLOW,
  GOOD_KEY,
  pattern,
  type Wrong,
  WRONG_CHANGES,
  WRONG_DOOMED,
  WRONG_FILTERS,
  WRONG_FLOWS,
  WRONG_KEYS,
  type WrongClass,
} from '../support/wrong';

let namespace: TestNamespace;
let ct: Conntrack;
let before: string[];

async function makeTable(): Promise<void> {
  namespace.run(testing.flush);
  namespace.run(() => testing.fill({ count: 20, mark: 1 }));
  namespace.run(() => testing.fill({ count: 20, family: 6, zone: 7, proto: 17 }));
  // The flow that right keys beside wrong arguments name.
  await ct.create({ ...GOOD_FLOW, mark: 5 });
  before = await lasting();
}

beforeAll(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
  await makeTable();
});

// One failure is not to make others.
afterEach(async () => {
  const now = await lasting();
  if (now.some((flow, index) => flow !== before[index]) || now.length !== before.length) {
    await makeTable();
  }
});

afterAll(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

/** The table, without what changes by itself. */
async function lasting(): Promise<string[]> {
  const flows = await ct.flows().toArray();
  return flows.map((flow) => JSON.stringify(without(flow.toJSON(), 'timeout', 'use'))).sort();
}

type Call = () => unknown;

/** What a call that promises something rejects with; one that throws instead has broken its promise. */
async function rejectionOf(call: Call): Promise<unknown> {
  const promise = call();
  expect(promise).toBeInstanceOf(Promise);
  return (promise as Promise<unknown>).then(
    (answer) => new Error(`it was not refused: ${inspect(answer)}`),
    (reason: unknown) => reason,
  );
}

/** By name: what the engine or native code throws is of another realm than that of a test. */
function expectError(error: unknown, wanted: WrongClass, message: RegExp): void {
  const { name, message: text } = error as Error;
  expect(`${name}: ${text}`).toMatch(new RegExp(`^${wanted.name}: ${message.source.slice(1)}`));
}

async function expectRefused(call: Call, wanted: WrongClass, message: RegExp): Promise<void> {
  const error = await rejectionOf(call);
  expect(await lasting()).toEqual(before);
  expectError(error, wanted, message);
}

/** As expectRefused(), of a call that throws at once. */
function expectThrown(call: Call, wanted: WrongClass, message: RegExp): void {
  let error: unknown;
  try {
    call();
  } catch (reason) {
    error = reason;
  }
  expectError(error ?? new Error('it was not refused'), wanted, message);
}

test('there are enough of them', () => {
  const all = [WRONG_FLOWS, WRONG_KEYS, WRONG_DOOMED, WRONG_CHANGES, WRONG_FILTERS].flat();
  expect(all.length).toBeGreaterThan(300);
  for (const list of [WRONG_FLOWS, WRONG_KEYS, WRONG_CHANGES, WRONG_FILTERS]) {
    expect(new Set(list.map(([what]) => what)).size).toBe(list.length);
  }
});

const titled = (list: readonly Wrong[]): [string, Wrong][] =>
  list.map((wrong) => [wrong[0], wrong]);

describe('a wrong flow', () => {
  const ONE = ['create', 'add'] as const;
  const MANY = ['createMany', 'addMany'] as const;

  test.each(titled(WRONG_FLOWS))('%s', async (_, [, value, wanted, says]) => {
    const flow = value as NewFlow;
    for (const one of ONE) await expectRefused(() => ct[one](flow), wanted, pattern('flow', says));
    for (const many of MANY) {
      const message = pattern('flows[1]', says);
      await expectRefused(() => ct[many]([GOOD_FLOW, flow]), wanted, message);
    }
  });
});

describe('a wrong key', () => {
  test.each(titled(WRONG_KEYS))('%s', async (_, [, value, wanted, says]) => {
    const key = value as FlowKey;
    const message = pattern('key', says);
    await expectRefused(() => ct.get(key), wanted, message);
    await expectRefused(() => ct.delete(key), wanted, message);
    await expectRefused(() => ct.update(key, { mark: 9 }), wanted, message);
    const keys = pattern('keys[1]', says);
    await expectRefused(() => ct.deleteMany([GOOD_KEY, key]), wanted, keys);
  });

  test.each(titled(WRONG_DOOMED))('that is to be deleted: %s', async (_, wrong) => {
    const [, value, wanted, says] = wrong;
    const key = value as FlowKey;
    await expectRefused(() => ct.delete(key), wanted, pattern('key', says));
    const keys = pattern('keys[1]', says);
    await expectRefused(() => ct.deleteMany([GOOD_KEY, key]), wanted, keys);
  });
});

describe('wrong changes', () => {
  test.each(titled(WRONG_CHANGES))('%s', async (_, [, value, wanted, says]) => {
    const changes = value as FlowChanges;
    const message = pattern('changes', says);
    await expectRefused(() => ct.update(GOOD_KEY, changes), wanted, message);
    await expectRefused(() => ct.updateWhere({ mark: 1 }, changes), wanted, message);
  });

  test.each<[string, FlowChanges, string]>([
    ['tcp', { tcp: { state: 'CLOSE' } }, 'tcp'],
    ['sctp', { sctp: { state: 'CLOSED', origVtag: 1, replyVtag: 2 } }, 'sctp'],
    ['dccp', { dccp: { state: 'OPEN', role: 1 } }, 'dccp'],
  ])('%s of a flow of another protocol', async (_, changes, member) => {
    const message = new RegExp(`^changes\\.${member} does not go with the protocol udp$`);
    await expectRefused(() => ct.update(GOOD_KEY, changes), TypeError, message);
  });
});

describe('a wrong filter', () => {
  test.each(titled(WRONG_FILTERS))('%s', async (_, [, value, wanted, says]) => {
    const filter = value as Filter;
    const message = pattern('filter', says);
    expectThrown(() => ct.flows(filter), wanted, message);
    await expectRefused(() => ct.events(filter), wanted, message);
    await expectRefused(() => ct.deleteWhere(filter), wanted, message);
    await expectRefused(() => ct.updateWhere(filter, { mark: 9 }), wanted, message);
  });

  test('that says nothing', async () => {
    const message = /^filter matches every flow, which (delete|update)Where\(\) refuses; flush/;
    await expectRefused(() => ct.deleteWhere({}), TypeError, message);
    await expectRefused(() => ct.updateWhere({}, { mark: 9 }), TypeError, message);
    const missing = /^filter is missing/;
    const none = undefined as unknown as Filter;
    await expectRefused(() => ct.deleteWhere(none), TypeError, missing);
    await expectRefused(() => ct.updateWhere(none, { mark: 9 }), TypeError, missing);
  });
});

const NO_OBJECT: Wrong[] = [
  ['null', null, TypeError, ' must be an object, not null'],
  ['a number', 7, TypeError, ' must be an object, not 7'],
  ['true', true, TypeError, ' must be an object, not true'],
  ['text', 'dryRun', TypeError, ' must be an object, not "dryRun"'],
  ['an array', [], TypeError, ' must be an object, not an array'],
  ['a function', () => 1, TypeError, ' must be an object, not a function'],
  ['a symbol', Symbol('x'), TypeError, ' must be an object, not Symbol(x)'],
  ['a misspelt option', { singal: 1 }, TypeError, /\.singal is not known/],
  [
    '__proto__ from JSON',
    JSON.parse('{"__proto__": {"dryRun": true}}'),
    TypeError,
    /\.__proto__ is not known/,
  ],
];
const NO_SIGNAL: Wrong[] = [
  [
    'a signal that is true',
    { signal: true },
    TypeError,
    '.signal must be an AbortSignal, not true',
  ],
  [
    'a signal that is null',
    { signal: null },
    TypeError,
    '.signal must be an AbortSignal, not null',
  ],
  [
    'a controller for a signal',
    { signal: new AbortController() },
    TypeError,
    '.signal must be an AbortSignal, not an object',
  ],
  [
    'something like a signal',
    { signal: { aborted: false } },
    TypeError,
    '.signal must be an AbortSignal, not an object',
  ],
];
const NO_PROGRESS: Wrong[] = [
  ['progress as a number', { progress: 7 }, TypeError, '.progress must be a function, not 7'],
  ['progress as text', { progress: 'tell' }, TypeError, '.progress must be a function, not "tell"'],
  [
    'progress that is null',
    { progress: null },
    TypeError,
    '.progress must be a function, not null',
  ],
  [
    'progress as an object',
    { progress: { call: 1 } },
    TypeError,
    '.progress must be a function, not an object',
  ],
];
const LIMIT = '.limit must be an integer from 1 to 9007199254740991';
const NO_SWEEP: Wrong[] = [
  ['a limit of 0', { limit: 0 }, RangeError, `${LIMIT}, not 0`],
  ['a negative limit', { limit: -1 }, RangeError, `${LIMIT}, not -1`],
  ['a fractional limit', { limit: 1.5 }, RangeError, `${LIMIT}, not 1.5`],
  ['no limit, said by infinity', { limit: Infinity }, RangeError, `${LIMIT}, not Infinity`],
  ['NaN as a limit', { limit: NaN }, RangeError, `${LIMIT}, not NaN`],
  ['a limit as text', { limit: '1' }, TypeError, '.limit must be a number, not "1"'],
  ['a limit as a bigint', { limit: 1n }, TypeError, '.limit must be a number, not 1n'],
  ['a limit that is null', { limit: null }, TypeError, '.limit must be a number, not null'],
  ['dryRun as text', { dryRun: 'yes' }, TypeError, '.dryRun must be a boolean, not "yes"'],
  ['dryRun as a number', { dryRun: 1 }, TypeError, '.dryRun must be a boolean, not 1'],
  ['dryRun that is null', { dryRun: null }, TypeError, '.dryRun must be a boolean, not null'],
];

describe('wrong options', () => {
  const message = (says: string | RegExp): RegExp => pattern('options', says);

  test.each(titled([...NO_OBJECT, ...NO_SIGNAL, ...NO_PROGRESS]))(
    'of createMany(), addMany() and deleteMany(): %s',
    async (_, [, value, wanted, says]) => {
      const options = value as ManyOptions;
      const flow = { ...GOOD_FLOW, zone: 3 };
      await expectRefused(() => ct.createMany([flow], options), wanted, message(says));
      await expectRefused(() => ct.addMany([flow], options), wanted, message(says));
      await expectRefused(() => ct.deleteMany([GOOD_KEY], options), wanted, message(says));
    },
  );

  test.each(
    titled([
      ...[...NO_OBJECT, ...NO_SIGNAL, ...NO_PROGRESS, ...NO_SWEEP],
      [
        'receipts as text',
        { receipts: 'yes' },
        TypeError,
        '.receipts must be a boolean, not "yes"',
      ],
      [
        'receipts that are null',
        { receipts: null },
        TypeError,
        '.receipts must be a boolean, not null',
      ],
      ['an option of flows()', { table: 'dying' }, TypeError, /\.table is not known/],
    ]),
  )('of deleteWhere(): %s', async (_, [, value, wanted, says]) => {
    const options = value as DeleteWhereOptions;
    await expectRefused(() => ct.deleteWhere({ mark: 1 }, options), wanted, message(says));
  });

  test.each(
    titled([
      ...[...NO_OBJECT, ...NO_SIGNAL, ...NO_PROGRESS, ...NO_SWEEP],
      ['receipts', { receipts: true }, TypeError, /\.receipts is not known/],
    ]),
  )('of updateWhere(): %s', async (_, [, value, wanted, says]) => {
    const options = value as UpdateWhereOptions;
    const call: Call = () => ct.updateWhere({ mark: 1 }, { mark: 9 }, options);
    await expectRefused(call, wanted, message(says));
  });

  test.each(
    titled([
      ...NO_OBJECT,
      ['a family that is undefined', { family: undefined }, TypeError, /\.family is undefined/],
      [
        'a zone that is undefined',
        { family: 'ipv4', zone: undefined },
        TypeError,
        /\.zone is undefined/,
      ],
      ['an option of filters', { protocol: 'tcp' }, TypeError, /\.protocol is not known/],
      [
        'a prototype that has them',
        Object.create({ family: 'ipv4' }),
        TypeError,
        / must be a plain object/,
      ],
      ['a Map', new Map([['family', 'ipv4']]), TypeError, / must be a plain object/],
      ['a family that there is not', { family: 'x' }, TypeError, /\.family must be one of/],
      ['a zone beyond 65535', { zone: 65536 }, RangeError, /\.zone must be an integer/],
      [
        'a mark beyond its mask',
        { mark: { value: 3, mask: 2 } },
        RangeError,
        /\.mark\.value \(3\) has bits/,
      ],
    ]),
  )('of flush(): %s', async (_, [, value, wanted, says]) => {
    await expectRefused(() => ct.flush(value as FlushOptions), wanted, message(says));
  });

  const TABLES = "must be one of 'conntrack', 'dying', 'unconfirmed'";

  test.each(
    titled([
      ...[...NO_OBJECT, ...NO_SIGNAL],
      [
        'a table that there is not',
        { table: 'expect' },
        TypeError,
        `.table ${TABLES}, not "expect"`,
      ],
      ['a table by number', { table: 1 }, TypeError, `.table ${TABLES}, not 1`],
      [
        'a table called __proto__',
        { table: '__proto__' },
        TypeError,
        `.table ${TABLES}, not "__proto__"`,
      ],
      [
        'zeroCounters as text',
        { zeroCounters: 'no' },
        TypeError,
        '.zeroCounters must be a boolean, not "no"',
      ],
      [
        'zeroCounters of another table',
        { zeroCounters: true, table: 'dying' },
        TypeError,
        ".zeroCounters goes with the table 'conntrack' only, not 'dying'",
      ],
    ]),
  )('of flows(): %s', (_, [, value, wanted, says]) => {
    expectThrown(() => ct.flows(undefined, value as FlowsOptions), wanted, message(says));
  });

  test.each(
    titled([
      ...[...NO_OBJECT, ...NO_SIGNAL],
      ['no types', { types: [] }, TypeError, '.types must not be empty'],
      ['a type alone', { types: 'new' }, TypeError, '.types must be an array, not "new"'],
      [
        'types in a set',
        { types: new Set(['new']) },
        TypeError,
        '.types must be an array, not an object',
      ],
      [
        'a type that there is not',
        { types: ['new', 'delete'] },
        TypeError,
        ".types[1] must be one of 'new', 'update', 'destroy', not \"delete\"",
      ],
      ['a hole in the types', { types: new Array(1) }, TypeError, /\.types\[0\] must be one of/],
      [
        'a receive buffer of 0',
        { receiveBuffer: 0 },
        RangeError,
        '.receiveBuffer must be an integer from 4096 to 2147483647, not 0',
      ],
      [
        'a receive buffer beyond 31 bits',
        { receiveBuffer: 2 ** 31 },
        RangeError,
        '.receiveBuffer must be an integer from 4096 to 2147483647, not 2147483648',
      ],
      [
        'a receive buffer as text',
        { receiveBuffer: '64M' },
        TypeError,
        '.receiveBuffer must be a number, not "64M"',
      ],
      [
        'a queue of 0',
        { queue: 0 },
        RangeError,
        '.queue must be an integer from 1 to 2147483648, not 0',
      ],
      [
        'an endless queue',
        { queue: Infinity },
        RangeError,
        '.queue must be an integer from 1 to 2147483648, not Infinity',
      ],
      ['a queue that is null', { queue: null }, TypeError, '.queue must be a number, not null'],
    ]),
  )('of events(): %s', async (_, [, value, wanted, says]) => {
    const options = value as EventsOptions;
    await expectRefused(() => ct.events(undefined, options), wanted, message(says));
  });

  const NETNS = '.netns must be the name of a network namespace, a path or a process id';
  const PID = '.netns must be an integer from 1 to 4194304';

  test.each(
    titled([
      ...NO_OBJECT,
      [
        'a namespace that is null',
        { netns: null },
        TypeError,
        '.netns must be a name, a path or a process id, not null',
      ],
      [
        'a namespace that is true',
        { netns: true },
        TypeError,
        '.netns must be a name, a path or a process id, not true',
      ],
      [
        'a namespace as an object',
        { netns: {} },
        TypeError,
        '.netns must be a name, a path or a process id, not an object',
      ],
      ['no name', { netns: '' }, TypeError, `${NETNS}, not ""`],
      ['the directory', { netns: '.' }, TypeError, `${NETNS}, not "."`],
      ['the directory above', { netns: '..' }, TypeError, `${NETNS}, not ".."`],
      [
        'a name with a NUL',
        { netns: 'a\0b' },
        TypeError,
        /\.netns must be the name of a network namespace/,
      ],
      ['the process 0', { netns: 0 }, RangeError, `${PID}, not 0`],
      ['a negative process id', { netns: -1 }, RangeError, `${PID}, not -1`],
      ['a fractional process id', { netns: 1.5 }, RangeError, `${PID}, not 1.5`],
      ['NaN as a process id', { netns: NaN }, RangeError, `${PID}, not NaN`],
      [
        'a process id as a bigint',
        { netns: 1n },
        TypeError,
        '.netns must be a name, a path or a process id, not 1n',
      ],
    ]),
  )('of open(): %s', async (_, [, value, wanted, says]) => {
    await expectRefused(() => Conntrack.open(value as OpenOptions), wanted, message(says));
  });
});

describe('no list of flows or keys', () => {
  const NO_LIST: [string, unknown, string][] = [
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 7, '7'],
    ['text', 'abc', '"abc"'],
    ['a flow', GOOD_FLOW, 'an object'],
    ['an object like a list', { 0: GOOD_FLOW, length: 1 }, 'an object'],
    ['a function', () => [GOOD_FLOW], 'a function'],
    ['a promise of a list', Promise.resolve([GOOD_FLOW]), 'an object'],
    ['a detached buffer', detached().buffer, 'an object'],
  ];

  test.each(NO_LIST)('%s', async (_, list, shown) => {
    for (const many of ['createMany', 'addMany', 'deleteMany'] as const) {
      const name = many === 'deleteMany' ? 'keys' : 'flows';
      const message = new RegExp(`^${name} must be an iterable, not ${shown}$`);
      await expectRefused(() => ct[many](list as never), TypeError, message);
    }
  });

  test('an asynchronous one', async () => {
    async function* generated(): AsyncGenerator<NewFlow> {
      yield GOOD_FLOW;
    }
    const message = /^flows must be an iterable, not an object$/;
    await expectRefused(() => ct.createMany(generated() as never), TypeError, message);
  });

  test('numbers, and those of a detached buffer', async () => {
    const message = /^flows\[0\] must be an object, not 1$/;
    await expectRefused(() => ct.createMany(Uint8Array.of(1) as never), TypeError, message);
    await expectRefused(() => ct.createMany(detached() as never), TypeError, /^.*detached/);
  });

  test('one without an iterator that can be used', async () => {
    const broken = { [Symbol.iterator]: 7 };
    await expectRefused(() => ct.createMany(broken as never), TypeError, /^./);
  });
});

describe('what throws by itself', () => {
  const own = new Error('do not look at me');

  function throwing(target: object, member: string): never {
    return Object.defineProperty({ ...target }, member, {
      enumerable: true,
      get: () => {
        throw own;
      },
    }) as never;
  }

  function expectOwn(call: Call): Promise<void> {
    return rejectionOf(call).then(async (error) => {
      expect(error).toBe(own);
      expect(await lasting()).toEqual(before);
    });
  }

  test.each(['orig', 'protocol', 'timeout', 'mark', 'labels', 'nat', 'state', 'zone'])(
    'a getter of a flow: %s',
    async (member) => {
      const flow = throwing(GOOD_FLOW, member);
      await expectOwn(() => ct.create(flow));
      await expectOwn(() => ct.add(flow));
      await expectOwn(() => ct.createMany([GOOD_FLOW, flow]));
    },
  );

  test.each(['src', 'dst', 'sport', 'zone'])('a getter of a tuple: %s', async (member) => {
    const orig = throwing(GOOD_KEY.orig, member);
    const key = { ...GOOD_KEY, orig };
    await expectOwn(() => ct.get(key));
    await expectOwn(() => ct.delete(key));
    await expectOwn(() => ct.update(key, { mark: 9 }));
    await expectOwn(() => ct.deleteMany([GOOD_KEY, key]));
    await expectOwn(() => ct.create({ ...GOOD_FLOW, orig }));
  });

  test.each(['mark', 'status', 'labels'])('a getter of changes: %s', async (member) => {
    const changes = throwing({ timeout: 5 }, member);
    await expectOwn(() => ct.update(GOOD_KEY, changes));
    await expectOwn(() => ct.updateWhere({ mark: 1 }, changes));
  });

  test.each(['mark', 'and', 'not'])('a getter of a filter: %s', async (member) => {
    const filter = throwing({ protocol: 'tcp' }, member);
    await expectOwn(() => ct.deleteWhere(filter));
    await expectOwn(() => ct.updateWhere(filter, { mark: 9 }));
    await expectOwn(() => ct.events(filter));
  });

  test.each(['dryRun', 'limit', 'signal', 'receipts'])(
    'a getter of options: %s',
    async (member) => {
      await expectOwn(() => ct.deleteWhere({ mark: 1 }, throwing({}, member)));
    },
  );

  test.each(['family', 'zone', 'mark'])('a getter of what to flush: %s', async (member) => {
    await expectOwn(() => ct.flush(throwing({}, member)));
  });

  test('a proxy', async () => {
    const handler = {
      ownKeys: () => {
        throw own;
      },
      get: () => {
        throw own;
      },
    };
    const proxy = new Proxy({}, handler) as never;
    for (const call of [
      () => ct.create(proxy),
      () => ct.get(proxy),
      () => ct.delete(proxy),
      () => ct.update(GOOD_KEY, proxy),
      () => ct.deleteWhere(proxy),
      () => ct.flush(proxy),
      () => ct.createMany([proxy]),
    ]) {
      await expectOwn(call);
    }
  });

  test('a proxy that is revoked', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const gone = proxy as never;
    for (const call of [
      () => ct.create(gone),
      () => ct.get(gone),
      () => ct.delete(gone),
      () => ct.update(GOOD_KEY, gone),
      () => ct.deleteWhere(gone),
      () => ct.flush(gone),
      () => ct.createMany(gone),
      () => ct.createMany([gone]),
    ]) {
      await expectRefused(call, TypeError, /^.*revoked/);
    }
  });
});

test('what was put into Object.prototype says nothing of a filter', async () => {
  Object.defineProperty(Object.prototype, 'mark', { value: 1, configurable: true });
  const errors: unknown[] = [];
  try {
    errors.push(await rejectionOf(() => ct.deleteWhere({})));
    errors.push(await rejectionOf(() => ct.updateWhere({}, { timeout: 5 })));
  } finally {
    Reflect.deleteProperty(Object.prototype, 'mark');
  }
  for (const error of errors) expect(error).toBeInstanceOf(TypeError);
  expect(await lasting()).toEqual(before);
});

test('a Conntrack that is closed', async () => {
  const closed = await Conntrack.open({ netns: namespace.path });
  await closed.close();
  for (const call of [
    () => closed.create(GOOD_FLOW),
    () => closed.add(GOOD_FLOW),
    () => closed.get(GOOD_KEY),
    () => closed.update(GOOD_KEY, { mark: 9 }),
    () => closed.delete(GOOD_KEY),
    () => closed.createMany([GOOD_FLOW]),
    () => closed.deleteMany([GOOD_KEY]),
    () => closed.deleteWhere({ mark: 1 }),
    () => closed.updateWhere({ mark: 1 }, { mark: 9 }),
    () => closed.flush(),
    () => closed.flush({ family: 'ipv4' }),
    () => closed.count(),
    () => closed.events(),
  ]) {
    const error = await rejectionOf(call);
    expect(error).toBeInstanceOf(ConntrackError);
    expect(error).toMatchObject({ code: 'ERR_CLOSED' });
  }
  expect(await lasting()).toEqual(before);
});

test('and after all of it conntrack sees the table as it was made', () => {
  expect(countByCli(namespace)).toBe(41);
  const shown = shownByCli(namespace);
  expect(shown.filter((line) => line.includes('mark=1'))).toHaveLength(20);
  expect(shown.filter((line) => line.includes('zone=7'))).toHaveLength(20);
  expect(shown.filter((line) => line.includes('mark=5'))).toHaveLength(1);
});
