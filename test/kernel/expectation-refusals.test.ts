/** What the kernel refuses of expectations, and what is refused before it hears of it. */
import { readFileSync } from 'node:fs';

import { type Conntrack, ConntrackError, type NewExpectation } from '../../lib';
import { CLIENT, createMaster, masterFlow, SERVER } from '../support/master';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { without } from '../support/without';

const TUPLE = { src: SERVER.ipv4, dst: CLIENT.ipv4, dport: 50_000 };
const MASTER = masterFlow();
const NEW: NewExpectation = { protocol: 'tcp', tuple: TUPLE, master: MASTER };

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

async function refusal(promise: Promise<unknown>): Promise<ConntrackError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConntrackError);
  return error as ConntrackError;
}

describe('the kernel refuses', () => {
  async function opened(): Promise<Conntrack> {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct);
    return ct;
  }

  test('a master that is not there', async () => {
    const ct = await opened();
    const nobody = { ...MASTER.orig, sport: 1 };
    for (const wrong of [
      { master: nobody },
      { zone: 9 },
      { master: { ...nobody, protocol: 'udp' } },
    ]) {
      const error = await refusal(ct.expectations.create({ ...NEW, ...wrong }));
      expect(error).toMatchObject({ code: 'ENOENT', errno: 2, syscall: 'netlink' });
      expect(error.message).toMatch(/^cannot create the expectation: ENOENT.*no such master/);
    }
    const named = ct.expectations.create({ ...NEW, master: nobody, helper: 'ftp' });
    expect(await refusal(named)).toMatchObject({
      code: 'ENOENT',
      hint: expect.stringMatching(/master/),
    });
    const master = { protocol: 'tcp', ...nobody };
    const listing = await refusal(ct.expectations.list({ master }));
    expect(listing.message).toMatch(/^cannot list the expectations: ENOENT.*no such master/);
  });

  test('a master without a helper, whose expectations are none', async () => {
    const ct = await opened();
    const flow = without(masterFlow({ sport: 2000 }), 'helper');
    await ct.create(flow);
    const error = await refusal(ct.expectations.create({ ...NEW, master: flow }));
    expect(error).toMatchObject({ code: 'EOPNOTSUPP', hint: expect.stringMatching(/no helper/) });
    const master = { protocol: 'tcp', orig: flow.orig };
    expect(await ct.expectations.list({ master })).toEqual([]);
  });

  test('a tuple that is expected already', async () => {
    const ct = await opened();
    await ct.expectations.create(NEW);
    const error = await refusal(ct.expectations.create(NEW));
    expect(error).toMatchObject({
      code: 'EEXIST',
      errno: 17,
      hint: expect.stringMatching(/expects this tuple already/),
    });
    const narrower = { ...TUPLE, sport: 7 };
    expect(await refusal(ct.expectations.create({ ...NEW, tuple: narrower }))).toMatchObject({
      code: 'EEXIST',
    });
  });

  test('a mask that overlaps', async () => {
    const ct = await opened();
    await ct.expectations.create({ ...NEW, tuple: { ...TUPLE, sport: 7 } });
    const error = await refusal(ct.expectations.create(NEW));
    expect(error).toMatchObject({
      code: 'EBUSY',
      hint: expect.stringMatching(/mask that overlaps/),
    });
    const { length } = await ct.expectations.list();
    expect(length).toBe(1);
  });

  test('a class that its helper does not have, and a function that it does not know', async () => {
    const ct = await opened();
    for (const wrong of [{ class: 1, helper: 'ftp' }, { fn: 'no-such-function' }]) {
      const error = await refusal(ct.expectations.create({ ...NEW, ...wrong }));
      expect(error).toMatchObject({ code: 'EINVAL', hint: expect.stringMatching(/no such class/) });
    }
    expect(await ct.expectations.list()).toEqual([]);
  });

  // The same in all namespaces, and not for a test to change.
  const max = Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_expect_max', 'utf8'));

  (max <= 10_000 ? test : test.skip)('more than there may be', async () => {
    const ct = await openIn(TestNamespace.create());
    const masters = Array.from({ length: max + 1 }, (_, index) =>
      masterFlow({ sport: 1000 + index }),
    );
    expect((await ct.createMany(masters)).failed).toEqual([]);
    const create = (index: number): Promise<void> =>
      ct.expectations.create({
        ...NEW,
        tuple: { ...TUPLE, dport: 1000 + index },
        master: masters[index]!,
      });
    for (let index = 0; index < max; index += 1) await create(index);
    const error = await refusal(create(max));
    expect(error).toMatchObject({
      code: 'EMFILE',
      hint: expect.stringMatching(/nf_conntrack_expect_max/),
    });
    expect(await ct.expectations.list()).toHaveLength(max);
  });
});

test("another helper than the master's is refused, which the kernel would not give", async () => {
  const ct = await openIn(TestNamespace.create());
  await createMaster(ct);
  const error = await refusal(ct.expectations.create({ ...NEW, helper: 'irc' }));
  expect(error).toMatchObject({
    code: 'EOPNOTSUPP',
    hint: expect.stringMatching(/leave out `helper`/),
  });
  expect(error.message).toMatch(/helper of its master is ftp, not irc/);
  expect(await ct.expectations.list()).toEqual([]);
});

describe('wrong arguments are refused, and nothing is touched', () => {
  let ct: Conntrack;

  /** What only JavaScript can pass. */
  type Any = never;

  beforeEach(async () => {
    ct = await openIn(TestNamespace.create());
    await createMaster(ct);
    await ct.expectations.create({ ...NEW, tuple: { ...TUPLE, dport: 1 } });
  });

  afterEach(async () => {
    const listed = await ct.expectations.list();
    expect(listed.map(({ tuple }) => tuple.dport)).toEqual([1]);
  });

  const throwing = {
    ...NEW,
    get protocol(): string {
      throw new EvalError('mine');
    },
  };

  test.each<[what: string, given: unknown, error: new () => Error, message: RegExp]>([
    ['nothing', undefined, TypeError, /^expectation must be an object, not undefined$/],
    ['null', null, TypeError, /^expectation must be an object, not null$/],
    ['text', 'tcp', TypeError, /^expectation must be an object, not "tcp"$/],
    ['an array', [], TypeError, /^expectation must be an object, not an array$/],
    ['a misspelling', { ...NEW, masc: {} }, TypeError, /^expectation\.masc is not known/],
    ['a mark', { ...NEW, mark: 1 }, TypeError, /^expectation\.mark is not known/],
    [
      'no protocol',
      { tuple: TUPLE, master: MASTER },
      TypeError,
      /^expectation\.protocol is missing/,
    ],
    ['a wrong protocol', { ...NEW, protocol: 'tpc' }, TypeError, /^expectation\.protocol must be/],
    ['two protocols', { ...NEW, protonum: 17 }, TypeError, /^expectation\.protocol is tcp, but/],
    ['a getter that throws', throwing, EvalError, /^mine$/],
    ['no tuple', { protocol: 'tcp', master: MASTER }, TypeError, /^expectation\.tuple must be/],
    ['a null tuple', { ...NEW, tuple: null }, TypeError, /^expectation\.tuple must be an object/],
    ['no dst', { ...NEW, tuple: { dport: 1 } }, TypeError, /^expectation\.tuple\.dst must be/],
    [
      'no dport',
      { ...NEW, tuple: { dst: '1.1.1.1' } },
      TypeError,
      /^expectation\.tuple\.dport is m/,
    ],
    ['a name', { ...NEW, tuple: { ...TUPLE, dst: 'host' } }, TypeError, /^expectation\.tuple\.dst/],
    [
      'a scope',
      { ...NEW, tuple: { ...TUPLE, dst: 'fe80::1%lo' } },
      TypeError,
      /tuple\.dst must be/,
    ],
    ['a CIDR', { ...NEW, tuple: { ...TUPLE, src: '10.0.0.0/8' } }, TypeError, /tuple\.src must be/],
    [
      'families mixed',
      { ...NEW, tuple: { ...TUPLE, src: '::1' } },
      TypeError,
      /tuple\.src must be/,
    ],
    ['another family', { ...NEW, family: 'ipv6' }, TypeError, /^expectation\.tuple\.dst must be/],
    ['no family', { ...NEW, family: 'inet' }, TypeError, /^expectation\.family must be one of/],
    [
      'a high port',
      { ...NEW, tuple: { ...TUPLE, dport: 65_536 } },
      RangeError,
      /tuple\.dport must/,
    ],
    ['a low port', { ...NEW, tuple: { ...TUPLE, sport: -1 } }, RangeError, /tuple\.sport must be/],
    ['half a port', { ...NEW, tuple: { ...TUPLE, sport: 1.5 } }, RangeError, /tuple\.sport must/],
    ['NaN', { ...NEW, tuple: { ...TUPLE, sport: NaN } }, RangeError, /tuple\.sport must be/],
    ['a port in text', { ...NEW, tuple: { ...TUPLE, dport: '1' } }, TypeError, /tuple\.dport must/],
    ['a bigint', { ...NEW, tuple: { ...TUPLE, dport: 1n } }, TypeError, /tuple\.dport must be/],
    [
      'ports twice',
      { ...NEW, tuple: { ...TUPLE, srckey: 1 } },
      TypeError,
      /srckey does not go with/,
    ],
    [
      'a misspelt port',
      { ...NEW, tuple: { ...TUPLE, sprot: 1 } },
      TypeError,
      /tuple\.sprot is not kn/,
    ],
    [
      'a zone in it',
      { ...NEW, tuple: { ...TUPLE, zone: 1 } },
      TypeError,
      /tuple\.zone does not go/,
    ],
    [
      'counters',
      { ...NEW, tuple: { ...TUPLE, packets: 1 } },
      TypeError,
      /tuple\.packets is not kn/,
    ],
    ['a null mask', { ...NEW, mask: null }, TypeError, /^expectation\.mask must be an object/],
    [
      'a prefix length',
      { ...NEW, mask: { src: 24 } },
      TypeError,
      /^expectation\.mask\.src must be/,
    ],
    [
      'a mask of IPv6',
      { ...NEW, mask: { src: 'ffff::' } },
      TypeError,
      /^expectation\.mask\.src must/,
    ],
    [
      'an open dst',
      { ...NEW, mask: { dst: '255.0.0.0' } },
      RangeError,
      /^expectation\.mask\.dst must/,
    ],
    [
      'an open dport',
      { ...NEW, mask: { dport: 0 } },
      RangeError,
      /^expectation\.mask\.dport must be/,
    ],
    [
      'a mask of nothing',
      { ...NEW, mask: { sport: 1 } },
      TypeError,
      /mask\.sport compares what the/,
    ],
    [
      'a wide mask',
      { ...NEW, tuple: { ...TUPLE, sport: 1 }, mask: { sport: 65_536 } },
      RangeError,
      /mask\.sport must/,
    ],
    [
      'a key in a mask',
      { ...NEW, mask: { srckey: 0 } },
      TypeError,
      /mask\.srckey does not go with/,
    ],
    [
      'a misspelt mask',
      { ...NEW, mask: { scr: '0.0.0.0' } },
      TypeError,
      /^expectation\.mask\.scr is/,
    ],
    ['no master', { protocol: 'tcp', tuple: TUPLE }, TypeError, /^expectation\.master must be/],
    ['a null master', { ...NEW, master: null }, TypeError, /^expectation\.master must be a flow/],
    ['an empty master', { ...NEW, master: {} }, TypeError, /^expectation\.master\.src must be/],
    [
      'an undefined one',
      { ...NEW, master: { orig: undefined } },
      TypeError,
      /master\.reply must be/,
    ],
    [
      'a protocol short',
      { ...NEW, master: { orig: MASTER.orig } },
      TypeError,
      /^expectation\.master\.p/,
    ],
    [
      'a port short',
      { ...NEW, master: { ...MASTER.orig, sport: undefined } },
      TypeError,
      /master\.sport is m/,
    ],
    [
      'a master of IPv6',
      { ...NEW, master: masterFlow({ family: 'ipv6' }) },
      TypeError,
      /master\.orig\.src/,
    ],
    [
      'two zones',
      { ...NEW, zone: 1, master: { ...MASTER, zone: 2 } },
      TypeError,
      /^expectation\.zone is 1/,
    ],
    ['a high zone', { ...NEW, zone: 65_536 }, RangeError, /^expectation\.zone must be an integer/],
    ['a negative time', { ...NEW, timeout: -1 }, RangeError, /^expectation\.timeout must be/],
    ['time in text', { ...NEW, timeout: '1' }, TypeError, /^expectation\.timeout must be a number/],
    ['too much time', { ...NEW, timeout: 2 ** 32 }, RangeError, /^expectation\.timeout must be/],
    [
      'a flag of the kernel',
      { ...NEW, flags: 4 },
      RangeError,
      /^expectation\.flags must be of PERM/,
    ],
    [
      'its name',
      { ...NEW, flags: ['USERSPACE'] },
      RangeError,
      /^expectation\.flags must be of PERM/,
    ],
    ['no flag', { ...NEW, flags: ['PERMANENTLY'] }, TypeError, /^expectation\.flags\[0\] must be/],
    ['a flag alone', { ...NEW, flags: 'PERMANENT' }, TypeError, /^expectation\.flags must be bits/],
    ['a symbol', { ...NEW, flags: [Symbol('x')] }, TypeError, /^expectation\.flags\[0\] must be/],
    ['a class alone', { ...NEW, class: 1 }, TypeError, /^expectation\.class goes with/],
    ['a negative class', { ...NEW, class: -1 }, RangeError, /^expectation\.class must be/],
    [
      'no helper',
      { ...NEW, helper: '' },
      RangeError,
      /^expectation\.helper must have 1 to 15 bytes/,
    ],
    [
      'a long helper',
      { ...NEW, helper: 'x'.repeat(16) },
      RangeError,
      /^expectation\.helper must have/,
    ],
    ['a NUL', { ...NEW, helper: 'ftp\0' }, RangeError, /^expectation\.helper must have/],
    [
      'a helper by number',
      { ...NEW, helper: 1 },
      TypeError,
      /^expectation\.helper must be a string/,
    ],
    ['no function', { ...NEW, fn: '' }, RangeError, /^expectation\.fn must have/],
    ['NAT of nothing', { ...NEW, nat: {} }, TypeError, /^expectation\.nat\.dir must be one of/],
    [
      'NAT both ways',
      { ...NEW, nat: { dir: 2, tuple: TUPLE } },
      TypeError,
      /^expectation\.nat\.dir/,
    ],
    [
      'NAT to nowhere',
      { ...NEW, nat: { dir: 'orig', tuple: {} } },
      TypeError,
      /nat\.tuple\.src must be/,
    ],
    [
      'NAT to IPv6',
      { ...NEW, nat: { dir: 'orig', tuple: { src: '::1' } } },
      TypeError,
      /nat\.tuple\.src/,
    ],
    [
      'NAT misspelt',
      { ...NEW, nat: { dri: 'orig', tuple: TUPLE } },
      TypeError,
      /^expectation\.nat\.dri is/,
    ],
  ])('create(): %s', async (_what, given, error, message) => {
    const created = ct.expectations.create(given as Any);
    await expect(created).rejects.toThrow(message);
    await expect(created).rejects.toBeInstanceOf(error);
  });

  test.each<[what: string, given: unknown, error: new () => Error, message: RegExp]>([
    ['nothing', undefined, TypeError, /^key must be an object, not undefined$/],
    ['null', null, TypeError, /^key must be an object, not null$/],
    ['no tuple', { protocol: 'tcp' }, TypeError, /^key\.tuple must be an object/],
    ['an empty tuple', { protocol: 'tcp', tuple: {} }, TypeError, /^key\.tuple\.dst must be/],
    ['no protocol', { tuple: TUPLE }, TypeError, /^key\.protocol is missing/],
    [
      'a misspelling',
      { protocol: 'tcp', tuple: TUPLE, zome: 1 },
      TypeError,
      /^key\.zome is not known/,
    ],
    [
      'a high zone',
      { protocol: 'tcp', tuple: TUPLE, zone: 65_536 },
      RangeError,
      /^key\.zone must be/,
    ],
    ['a negative id', { protocol: 'tcp', tuple: TUPLE, id: -1 }, RangeError, /^key\.id must be/],
    [
      'an id in text',
      { protocol: 'tcp', tuple: TUPLE, id: '1' },
      TypeError,
      /^key\.id must be a num/,
    ],
    [
      'a high port',
      { protocol: 'tcp', tuple: { ...TUPLE, dport: 2e5 } },
      RangeError,
      /^key\.tuple\.dp/,
    ],
  ])('get() and delete(): %s', async (_what, given, error, message) => {
    for (const asked of [ct.expectations.get(given as Any), ct.expectations.delete(given as Any)]) {
      await expect(asked).rejects.toThrow(message);
      await expect(asked).rejects.toBeInstanceOf(error);
    }
  });

  test.each<[what: string, given: unknown, error: new () => Error, message: RegExp]>([
    ['text', 'ipv4', TypeError, /^options must be an object, not "ipv4"$/],
    ['a misspelling', { famly: 'ipv4' }, TypeError, /^options\.famly is not known/],
    ['no family', { family: 'inet' }, TypeError, /^options\.family must be one of/],
    ['a zone alone', { zone: 1 }, TypeError, /^options\.zone goes with options\.master/],
    ['no master', { master: null }, TypeError, /^options\.master must be/],
    ['a master short', { master: { protocol: 'tcp' } }, TypeError, /^options\.master\.src must be/],
    ['half a master', { master: MASTER.orig }, TypeError, /^options\.master\.protocol is missing/],
    [
      'another family',
      { family: 'ipv6', master: MASTER },
      TypeError,
      /^options\.master\.orig\.src/,
    ],
  ])('list(): %s', async (_what, given, error, message) => {
    const listed = ct.expectations.list(given as Any);
    await expect(listed).rejects.toThrow(message);
    await expect(listed).rejects.toBeInstanceOf(error);
  });

  test.each<[what: string, given: unknown, message: RegExp]>([
    ['a zone', { zone: 1 }, /^options\.zone is not known/],
    ['a helper', { helper: 'ftp' }, /^options\.helper is not known/],
    ['no family', { family: undefined }, /^options\.family is undefined: leave it out/],
    ['another family', { family: 'inet' }, /^options\.family must be one of/],
    ['text', 'ipv6', /^options must be an object/],
  ])('flush(): %s', async (_what, given, message) => {
    const flushed = ct.expectations.flush(given as Any);
    await expect(flushed).rejects.toThrow(message);
    await expect(flushed).rejects.toBeInstanceOf(TypeError);
  });

  test.each<[what: string, given: unknown, error: new () => Error]>([
    ['nothing', undefined, TypeError],
    ['no name', '', RangeError],
    ['a NUL', '\0', RangeError],
    ['a long name', 'x'.repeat(16), RangeError],
  ])('deleteByHelper(): %s', async (_what, given, error) => {
    const deleted = ct.expectations.deleteByHelper(given as Any);
    await expect(deleted).rejects.toThrow(/^helper must /);
    await expect(deleted).rejects.toBeInstanceOf(error);
  });

  test.each<[what: string, given: unknown, error: new () => Error, message: RegExp]>([
    [
      'updates',
      { types: ['update'] },
      TypeError,
      /^options\.types\[0\] must be one of 'new', 'dest/,
    ],
    ['no types', { types: [] }, TypeError, /^options\.types must not be empty$/],
    ['a filter', { filter: {} }, TypeError, /^options\.filter is not known/],
    ['a small buffer', { receiveBuffer: 1 }, RangeError, /^options\.receiveBuffer must be/],
    ['no queue', { queue: 0 }, RangeError, /^options\.queue must be/],
    ['no signal', { signal: {} }, TypeError, /^options\.signal must be an AbortSignal/],
  ])('events(): %s', async (_what, given, error, message) => {
    const followed = ct.expectations.events(given as Any);
    await expect(followed).rejects.toThrow(message);
    await expect(followed).rejects.toBeInstanceOf(error);
  });
});
