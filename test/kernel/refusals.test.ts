/** What the kernel refuses: typed errors that say why and what to do, and a table that is as it was. */
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { constants as os } from 'node:os';

import { type Conntrack, ConntrackError, type NewFlow } from '../../lib';
import { RecordWriter } from '../../lib/record-writer';
import { attribute, Cta, Family, MessageType, payload, tuple } from '../support/ctnetlink';
import { listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { useLabels } from '../support/shown';
import { testing } from '../support/testing';
import { without } from '../support/without';

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await closeOpened();
  TestNamespace.closeAll();
});

const ENDS = { src: '10.0.0.1', dst: '10.0.0.2' };
const tcp = (sport: number, more: Partial<NewFlow> = {}): NewFlow => ({
  protocol: 'tcp',
  orig: { ...ENDS, sport, dport: 80 },
  state: 'ESTABLISHED',
  timeout: 1000,
  mark: 5,
  ...more,
});
const key = (sport: number): { protocol: string; orig: NewFlow['orig'] } => ({
  protocol: 'tcp',
  orig: tcp(sport).orig,
});
const PLAIN = 1;
const ASSURED = 2;
const FIXED = 3;
const FTP = 4;
const NOBODY = 9;

async function table(): Promise<object[]> {
  const flows = (await ct.flows().toArray()).map((flow) =>
    without(flow.toJSON(), 'timeout', 'use'),
  );
  return flows.sort((a, b) => a.id - b.id);
}

async function errorOf(attempt: Promise<unknown>): Promise<ConntrackError> {
  const error: unknown = await attempt.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof ConntrackError) return error;
  throw error;
}

interface Refusal {
  attempt: () => Promise<unknown>;
  code: keyof typeof os.errno;
  says: RegExp;
  hint: RegExp;
}

const CREATE = /^cannot create the flow: /;
const ADD = /^cannot add the flow: /;
const UPDATE = /^cannot update the flow: /;

const icmp = (icmpType: number): NewFlow['orig'] => ({ ...ENDS, icmpType, icmpCode: 0, icmpId: 1 });
const BACK = { src: ENDS.dst, dst: ENDS.src, sport: 80, dport: NOBODY };

const REFUSALS: Record<string, Refusal> = {
  'a flow that is there': {
    attempt: () => ct.create(tcp(PLAIN, { mark: 7, timeout: 5000 })),
    code: 'EEXIST',
    says: CREATE,
    hint: /add\(\) or update\(\)/,
  },
  'a flow whose reply is another one': {
    attempt: () =>
      ct.create(tcp(NOBODY, { reply: { src: ENDS.dst, dst: ENDS.src, sport: 80, dport: PLAIN } })),
    code: 'EEXIST',
    says: CREATE,
    hint: /there already/,
  },
  'a flow whose original tuple is the reply of another one': {
    attempt: () =>
      ct.create({ ...tcp(0), orig: { src: ENDS.dst, dst: ENDS.src, sport: 80, dport: PLAIN } }),
    code: 'EEXIST',
    says: CREATE,
    hint: /there already/,
  },
  'a change of a flow that is not there': {
    attempt: () => ct.update(key(NOBODY), { mark: 1 }),
    code: 'ENOENT',
    says: UPDATE,
    hint: /no such flow/,
  },
  'a change of the status of a flow that is not there': {
    attempt: () => ct.update(key(NOBODY), { status: ['ASSURED'] }),
    code: 'ENOENT',
    says: UPDATE,
    hint: /no such flow/,
  },
  'a change of a flow of another zone': {
    attempt: () => ct.update({ ...key(PLAIN), zone: 7 }, { mark: 1 }),
    code: 'ENOENT',
    says: UPDATE,
    hint: /zone/,
  },
  'a master that is not there': {
    attempt: () => ct.create(tcp(NOBODY, { master: { ...ENDS, sport: 77, dport: 21 } })),
    code: 'ENOENT',
    says: CREATE,
    hint: /master/,
  },
  'clearing ASSURED': {
    attempt: () => ct.update(key(ASSURED), { status: { clear: ['ASSURED'] } }),
    code: 'EBUSY',
    says: UPDATE,
    hint: /not for change/,
  },
  'clearing SEEN_REPLY, with a mark': {
    attempt: () => ct.update(key(ASSURED), { status: { clear: ['seenReply'] }, mark: 9 }),
    code: 'EBUSY',
    says: UPDATE,
    hint: /not for change/,
  },
  'a flow that is assured, with less': {
    attempt: () => ct.add(tcp(ASSURED, { status: [] })),
    code: 'EBUSY',
    says: ADD,
    hint: /not for change/,
  },
  'another helper': {
    attempt: () => ct.update(key(FTP), { helper: 'irc' }),
    code: 'EBUSY',
    says: UPDATE,
    hint: /helper/,
  },
  'a helper for a flow without one': {
    attempt: () => ct.update(key(PLAIN), { helper: 'ftp' }),
    code: 'EOPNOTSUPP',
    says: UPDATE,
    hint: /helper/,
  },
  'a helper that there is not': {
    attempt: () => ct.create(tcp(NOBODY, { helper: 'no-such-helper' })),
    code: 'EOPNOTSUPP',
    says: CREATE,
    hint: /helper/,
  },
  'a helper of another protocol': {
    attempt: () => ct.create(tcp(NOBODY, { helper: 'tftp' })),
    code: 'EOPNOTSUPP',
    says: CREATE,
    hint: /helper/,
  },
  'NAT of a flow that is there': {
    attempt: () => ct.add(tcp(PLAIN, { nat: { src: { address: '192.0.2.1' } } })),
    code: 'EOPNOTSUPP',
    says: ADD,
    hint: /NAT/,
  },
  'a master of a flow that is there': {
    attempt: () => ct.add(tcp(PLAIN, { master: tcp(FTP).orig })),
    code: 'EOPNOTSUPP',
    says: ADD,
    hint: /master/,
  },
  'the timeout of a flow that has a fixed one': {
    attempt: () => ct.update(key(FIXED), { timeout: 5000 }),
    code: 'EPERM',
    says: UPDATE,
    hint: /FIXED_TIMEOUT/,
  },
  'the timeout of a flow that has a fixed one, by add()': {
    attempt: () => ct.add(tcp(FIXED, { status: ['FIXED_TIMEOUT'], timeout: 5000 })),
    code: 'EPERM',
    says: ADD,
    hint: /FIXED_TIMEOUT/,
  },
  'labels of a flow, without a rule that uses them': {
    attempt: () => ct.update(key(PLAIN), { labels: [1] }),
    code: 'ENOSPC',
    says: UPDATE,
    hint: /ct label set/,
  },
  'labels to clear, without a rule that uses them': {
    attempt: () => ct.update(key(PLAIN), { labels: { clear: [1] } }),
    code: 'ENOSPC',
    says: UPDATE,
    hint: /ct label set/,
  },
  'labels of a new flow, without a rule that uses them': {
    attempt: () => ct.create(tcp(NOBODY, { labels: [1, 127] })),
    code: 'ENOSPC',
    says: CREATE,
    hint: /ct label set/,
  },
  'labels of a new flow of IPv6 in a zone, without a rule that uses them': {
    attempt: () =>
      ct.create({
        ...{ protocol: 'udp', zone: 7, labels: [0], timeout: 100 },
        orig: { src: 'fd00::1', dst: 'fd00::2', sport: 1, dport: 2 },
      }),
    code: 'ENOSPC',
    says: CREATE,
    hint: /ct label set/,
  },
  'a state that there is not': {
    attempt: () => ct.create(tcp(NOBODY, { state: '200' })),
    code: 'ERANGE',
    says: CREATE,
    hint: /state/,
  },
  'zones of both directions': {
    attempt: () =>
      ct.create(tcp(0, { orig: { ...tcp(NOBODY).orig, zone: 1 }, reply: { ...BACK, zone: 2 } })),
    code: 'EINVAL',
    says: CREATE,
    hint: /zone/,
  },
  'a zone, and one of a direction': {
    attempt: () =>
      ct.create(tcp(0, { zone: 3, orig: { ...tcp(NOBODY).orig, zone: 1 }, reply: BACK })),
    code: 'EINVAL',
    says: CREATE,
    hint: /zone/,
  },
  'ICMP that is no query': {
    attempt: () => ct.create({ protocol: 'icmp', orig: icmp(3), reply: icmp(3), timeout: 100 }),
    code: 'EINVAL',
    says: CREATE,
    hint: /tuple/,
  },
};

describe('a refusal', () => {
  test.each(Object.entries(REFUSALS))('of %s', async (_, { attempt, code, says, hint }) => {
    await ct.create(tcp(PLAIN));
    await ct.create(tcp(ASSURED, { status: ['SEEN_REPLY', 'ASSURED'] }));
    await ct.create(tcp(FIXED, { status: ['FIXED_TIMEOUT'] }));
    await ct.create(tcp(FTP, { helper: 'ftp' }));
    const before = await table();
    const shown = listByCli(namespace).map(({ id }) => id);

    const error = await errorOf(attempt());

    expect(error).toMatchObject({ code, errno: os.errno[code], syscall: 'netlink' });
    expect(error.name).toBe('ConntrackError');
    expect(error.message).toMatch(says);
    expect(error.message).toContain(`${code}, `);
    expect(error.hint).toMatch(hint);
    expect(error.message).toContain(error.hint!);
    expect(await table()).toEqual(before);
    expect(listByCli(namespace).map(({ id }) => id)).toEqual(shown);
    for (const { timeout } of listByCli(namespace)) expect(timeout).toBeLessThanOrEqual(1000);
  });
});

describe('labels of a flow that is there', () => {
  test('are not changed by a create() that is refused', async () => {
    useLabels(namespace);
    await ct.create(tcp(PLAIN, { labels: [1] }));
    const error = await errorOf(ct.create(tcp(PLAIN, { labels: [9] })));
    expect(error.code).toBe('EEXIST');
    expect((await ct.get(key(PLAIN)))!.labels).toEqual([1]);
    const { failed } = await ct.createMany([tcp(PLAIN, { labels: [10] })]);
    expect(failed.map(({ error: { code } }) => code)).toEqual(['EEXIST']);
    expect((await ct.get(key(PLAIN)))!.labels).toEqual([1]);
  });

  test('nor is the flow deleted by one that has no room for labels', async () => {
    await ct.create(tcp(PLAIN));
    const before = await table();
    const error = await errorOf(ct.create(tcp(PLAIN, { labels: [9] })));
    expect(error.code).toBe('EEXIST');
    expect(await table()).toEqual(before);
  });

  test('are reported by add() too', async () => {
    await ct.create(tcp(PLAIN));
    const error = await errorOf(ct.add(tcp(PLAIN, { labels: [9] })));
    expect(error).toMatchObject({ code: 'ENOSPC', hint: expect.stringContaining('ct label set') });
    const { failed } = await ct.addMany([tcp(PLAIN), tcp(PLAIN, { labels: [9] })]);
    expect(failed).toMatchObject([{ index: 1, error: { code: 'ENOSPC' } }]);
  });
});

test("the kernel's own words are in the error", async () => {
  useLabels(namespace);
  await ct.create(tcp(PLAIN));
  // Twenty bytes of labels, which the kernel's own table of attributes does not allow: nothing that can be
  // asked for through the library makes the kernel say more than an errno.
  const capture = namespace.run(() => new testing.NetlinkCapture([]));
  const labels = attribute(Cta.labels, Buffer.alloc(20));
  const orig = tuple(Cta.tupleOrig, { ...ENDS, protonum: 6, sport: PLAIN, dport: 80 });
  const answer = capture.request(MessageType.ctNew, 0, payload(Family.ipv4, orig, labels));
  capture.close();
  expect(answer.extack).toMatch(/\w+ \w+/);

  const tailWords = jest.spyOn(RecordWriter.prototype, 'tailWords');
  tailWords.mockImplementationOnce(function (this: RecordWriter, type, words) {
    this.tailWords(type, [...words, 0]);
  });
  const error = await errorOf(ct.update(key(PLAIN), { labels: [1] }));
  expect(error).toMatchObject({ errno: answer.errno, detail: answer.extack, syscall: 'netlink' });
  expect(error.message).toContain(answer.extack!);
  expect((await ct.get(key(PLAIN)))!.labels).toBeUndefined();
});

test('without a word of the kernel there is no detail', async () => {
  const error = await errorOf(ct.update(key(NOBODY), { mark: 1 }));
  expect(error.detail).toBeUndefined();
});

// The limit belongs to the initial namespace, and is read-only in any other.
const MAX = '/proc/sys/net/netfilter/nf_conntrack_max';

function mayLimit(): boolean {
  try {
    accessSync(MAX, constants.W_OK);
    writeFileSync(MAX, readFileSync(MAX));
    return true;
  } catch {
    return false;
  }
}

const limited = mayLimit() ? test : test.skip;

limited('a full table, where nf_conntrack_max may be lowered', async () => {
  const max = readFileSync(MAX);
  try {
    writeFileSync(MAX, '2\n');
    await ct.create(tcp(1, { status: ['ASSURED'] }));
    await ct.create(tcp(2, { status: ['ASSURED'] }));
    const error = await errorOf(ct.create(tcp(3)));
    expect(error).toMatchObject({
      code: 'ENOMEM',
      hint: expect.stringMatching('nf_conntrack_max'),
    });
    const { failed } = await ct.createMany([tcp(4), tcp(5)]);
    expect(failed.map(({ error: { code } }) => code)).toEqual(['ENOMEM', 'ENOMEM']);
  } finally {
    writeFileSync(MAX, max);
  }
});
