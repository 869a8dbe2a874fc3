/** Flows changed by update(): the kernel, conntrack(8) and libnetfilter_conntrack are asked for them. */
import fc from 'fast-check';

import {
  type Conntrack,
  type Flow,
  type FlowChanges,
  type FlowKey,
  type NewFlow,
  Status,
  type StatusFlag,
} from '../../lib';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { peeksOf, shownByCli, useLabels } from '../support/shown';
import type { OraclePeek } from '../support/testing';
import { without } from '../support/without';

const TIMEOUT = 1000;
const ORIG = { src: '10.0.0.1', dst: '10.9.9.9', sport: 1000, dport: 80 };
const ORIG6 = { src: 'fd00::1', dst: 'fd00::9', sport: 1000, dport: 80 };
const WINDOW_SCALE = 1;

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
});

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

const tcp = (more: Partial<NewFlow> = {}): NewFlow => ({
  protocol: 'tcp',
  orig: ORIG,
  state: 'ESTABLISHED',
  timeout: TIMEOUT,
  mark: 0x55,
  ...more,
});

/** What the kernel changes by itself is left out. */
function settled(flow: Flow): object {
  return without(flow.toJSON(), 'timeout', 'use');
}

/** Neighbours that an update of the flow of ORIG must leave alone: other zones, ports, protocols. */
const NEIGHBOURS: NewFlow[] = [
  tcp({ zone: 7 }),
  tcp({ zone: 8 }),
  tcp({ orig: { ...ORIG, sport: 1001 } }),
  tcp({ orig: { ...ORIG, src: ORIG.dst, dst: ORIG.src } }),
  tcp({ orig: ORIG6 }),
  { protocol: 'udp', orig: ORIG, timeout: TIMEOUT, mark: 0x55 },
  { protocol: 'sctp', orig: ORIG, timeout: TIMEOUT, mark: 0x55, state: 'ESTABLISHED' },
];

async function settledTable(except: Flow): Promise<string[]> {
  const flows = (await ct.flows().toArray()).filter((flow) => flow.id !== except.id);
  return flows.map((flow) => JSON.stringify(settled(flow))).sort();
}

interface Change {
  flow?: NewFlow;
  changes: FlowChanges;
  /** What it is afterwards. */
  wanted: object;
  peek?: Partial<OraclePeek>;
  /** In the line of conntrack(8). */
  shown?: string;
}

const CHANGES: Record<string, Change> = {
  'the mark': {
    changes: { mark: 0xffffffff },
    wanted: { mark: 0xffffffff },
    shown: 'mark=4294967295',
  },
  'the mark to 0': { changes: { mark: 0 }, wanted: { mark: 0 }, shown: 'mark=0' },
  'bits of the mark': {
    changes: { mark: { value: 0xa0, mask: 0xf0 } },
    wanted: { mark: 0xa5 },
    shown: 'mark=165',
  },
  'no bit of the mark': { changes: { mark: { value: 0, mask: 0 } }, wanted: { mark: 0x55 } },
  'the highest bit of the mark': {
    changes: { mark: { value: 0x80000000, mask: 0x80000000 } },
    wanted: { mark: 0x80000055 },
  },
  'a status flag': {
    changes: { status: ['SEEN_REPLY'] },
    wanted: { seenReply: true, assured: false },
    peek: { status: Status.confirmed | Status.seenReply },
  },
  'status flags, by the names of Status': {
    changes: { status: ['assured', 'fixedTimeout'] },
    wanted: { assured: true, fixedTimeout: true },
    peek: { status: Status.confirmed | Status.assured | Status.fixedTimeout },
    shown: '[ASSURED]',
  },
  'status bits': {
    changes: { status: Status.seenReply | Status.assured },
    wanted: { seenReply: true, assured: true },
  },
  'status bits that are to be set': {
    changes: { status: { set: ['ASSURED'] } },
    wanted: { assured: true },
  },
  'the state': {
    changes: { tcp: { state: 'CLOSE_WAIT' } },
    wanted: { state: 'CLOSE_WAIT' },
    shown: ' CLOSE_WAIT ',
    peek: { tcp_state: 5 },
  },
  'flags of TCP': {
    changes: {
      tcp: { origFlags: { value: 0xff, mask: 0x0a }, replyFlags: { value: 0x02, mask: 0x03 } },
    },
    wanted: { state: 'ESTABLISHED' },
    peek: { tcp_flags_orig: 0x0a, tcp_flags_repl: 0x02, tcp_state: 3 },
  },
  'window scales': {
    changes: {
      tcp: {
        origWindowScale: 7,
        replyWindowScale: 14,
        origFlags: { value: WINDOW_SCALE, mask: WINDOW_SCALE },
        replyFlags: { value: WINDOW_SCALE, mask: WINDOW_SCALE },
      },
    },
    wanted: { tcp: { origWindowScale: 7, replyWindowScale: 14 } },
    peek: { tcp_wscale_orig: 7, tcp_wscale_repl: 14 },
  },
  'sequence numbers of one direction': {
    changes: { seqAdjust: { orig: { position: 9, offsetBefore: -3, offsetAfter: 4 } } },
    wanted: { seqAdjust: { orig: { position: 9, offsetBefore: -3, offsetAfter: 4 } } },
    peek: {
      orig_nat_seq_correction_pos: 9,
      orig_nat_seq_offset_before: 0xfffffffd,
      orig_nat_seq_offset_after: 4,
    },
  },
  'sequence numbers of the other direction': {
    changes: { seqAdjust: { reply: { position: 0xffffffff, offsetBefore: 0, offsetAfter: -1 } } },
    wanted: { seqAdjust: { reply: { position: 0xffffffff, offsetBefore: 0, offsetAfter: -1 } } },
    peek: { repl_nat_seq_correction_pos: 0xffffffff, repl_nat_seq_offset_after: 0xffffffff },
  },
  'what SYNPROXY remembers': {
    changes: { synproxy: { isn: 1, its: 0xffffffff, tsoff: 3 } },
    wanted: { synproxy: { isn: 1, its: 0xffffffff, tsoff: 3 } },
    peek: { synproxy_isn: 1, synproxy_its: 0xffffffff, synproxy_tsoff: 3 },
  },
  'the helper, to the same': {
    flow: tcp({ helper: 'ftp' }),
    changes: { helper: 'ftp' },
    wanted: { helper: 'ftp' },
    shown: 'helper=ftp',
  },
  'the helper, to none': {
    flow: tcp({ helper: 'ftp' }),
    changes: { helper: '' },
    wanted: { helper: undefined },
  },
  'state and verification tags of SCTP': {
    flow: tcp({ protocol: 'sctp', state: 'COOKIE_WAIT' }),
    changes: { sctp: { state: 'ESTABLISHED', origVtag: 0xfeedf00d, replyVtag: 1 } },
    wanted: { state: 'ESTABLISHED', sctp: { origVtag: 0xfeedf00d, replyVtag: 1 } },
    peek: { sctp_state: 4, sctp_vtag_orig: 0xfeedf00d, sctp_vtag_repl: 1 },
    shown: ' ESTABLISHED ',
  },
  'several things at once': {
    changes: {
      mark: { value: 0x0a, mask: 0x0f },
      status: ['ASSURED'],
      tcp: { state: 'TIME_WAIT' },
      timeout: 50_000,
    },
    wanted: { mark: 0x5a, assured: true, state: 'TIME_WAIT' },
    shown: 'mark=90',
  },
};

type Way = (flow: Flow) => FlowKey;

const WAYS: Record<string, Way> = {
  'by the Flow': (flow) => flow,
  'by the original tuple': ({ protonum, orig, zone }) => ({ protonum, orig, zone }),
  'by the reply tuple': ({ protonum, reply, zone }) => ({ protonum, reply, zone }),
};

/** Flows whose reply is not just the way back, one in a zone, and one of each direction's zones. */
const PLACES: Record<string, Partial<NewFlow>> = {
  'a plain flow': {},
  'a flow under NAT': { nat: { src: { address: '192.0.2.1', port: 2000 } } },
  'a flow in a zone': { zone: 9 },
  'a flow with a zone of its reply': {
    reply: { src: ORIG.dst, dst: ORIG.src, sport: 80, dport: 1000, zone: 9 },
  },
};

describe.each(Object.entries(PLACES))('%s', (place, where) => {
  describe.each(Object.entries(WAYS))('%s', (_, way) => {
    test.each(Object.entries(CHANGES))('%s', async (name, change) => {
      const made = { ...(change.flow ?? tcp()), ...where };
      await ct.create(made);
      const before = (await ct.flows().toArray())[0]!;
      // A neighbour that stands where the flow is already is none.
      const { failed } = await ct.createMany(NEIGHBOURS);
      expect(failed.every(({ error }) => error.code === 'EEXIST')).toBe(true);
      expect(failed.length).toBeLessThanOrEqual(1);
      const others = await settledTable(before);

      await ct.update(way(before), change.changes);

      const flow = (await ct.flows({ id: before.id }).toArray())[0]!;
      expect(flow).toMatchObject(change.wanted);
      expect(flow.zone).toBe(before.zone);
      expect(flow.reply.toJSON()).toEqual(before.reply.toJSON());
      expect(flow.status & before.status).toBe(before.status);
      if (!('mark' in change.changes)) expect(flow.mark).toBe(before.mark);
      const { peek } = change;
      if (peek !== undefined) {
        const seen = peeksOf(namespace).find(({ id }) => id === flow.id)!;
        const { status = 0, ...rest } = peek;
        expect(seen).toMatchObject(rest);
        expect(seen.status! & status).toBe(status);
      }
      if (change.shown !== undefined) {
        const all = shownByCli(namespace);
        expect(all.filter((line) => line.includes(change.shown!))).not.toEqual([]);
      }
      expect(await settledTable(before)).toEqual(others);
      expect({ place, name, count: await ct.count() }).toEqual({
        ...{ place, name },
        count: others.length + 1,
      });
    });
  });
});

test('the timeout, up and down', async () => {
  await ct.create(tcp());
  const left = async (): Promise<number> =>
    (await ct.get({ protocol: 'tcp', orig: ORIG }))!.timeout!;
  await ct.update({ protocol: 'tcp', orig: ORIG }, { timeout: 400_000 });
  expect(await left()).toBeGreaterThan(300_000);
  await ct.update({ protocol: 'tcp', orig: ORIG }, { timeout: 300 });
  expect(await left()).toBeLessThanOrEqual(300);
  expect(await left()).toBeGreaterThan(200);
  // A flow whose time is up is as good as deleted.
  await ct.update({ protocol: 'tcp', orig: ORIG }, { timeout: 0 });
  expect(await ct.flows().count()).toBe(0);
  expect(shownByCli(namespace)).toEqual([]);
});

test('by the JSON of a flow', async () => {
  await ct.create(tcp({ zone: 5 }));
  const [flow] = await ct.flows().toArray();
  await ct.update(JSON.parse(JSON.stringify(flow)) as FlowKey, { mark: 6 });
  expect(shownByCli(namespace)[0]).toContain('mark=6 zone=5');
});

test('a flow of IPv6 by either tuple', async () => {
  await ct.create(tcp({ orig: ORIG6, nat: { dst: { address: 'fd01::1', port: 81 } } }));
  const [flow] = await ct.flows().toArray();
  await ct.update({ protocol: 'tcp', orig: ORIG6 }, { mark: 1 });
  expect(shownByCli(namespace)[0]).toContain('mark=1');
  await ct.update({ protocol: 'tcp', reply: flow!.reply }, { mark: 2 });
  expect(shownByCli(namespace)[0]).toContain('mark=2');
});

describe('an update that resolves has done what it says', () => {
  const FLAGS = Object.entries(Status) as [keyof typeof Status & StatusFlag, number][];

  /** Every flag that a request can give a flow, so that there is something to clear. */
  const FULL = tcp({ status: ['SEEN_REPLY', 'ASSURED', 'FIXED_TIMEOUT', 'HELPER'], helper: 'ftp' });

  test.each(FLAGS)('status flag %s set', async (name, bit) => {
    await ct.create(tcp());
    const key = { protocol: 'tcp', orig: ORIG };
    const done = await ct.update(key, { status: { set: [name] } }).then(
      () => true,
      () => false,
    );
    const status = (await ct.get(key))!.status;
    expect({ done, set: (status & bit) !== 0 }).toEqual({
      done,
      set: done || (Status.confirmed & bit) !== 0,
    });
  });

  test.each(FLAGS)('status flag %s cleared', async (name, bit) => {
    await ct.create(FULL);
    const key = { protocol: 'tcp', orig: ORIG };
    const before = (await ct.get(key))!.status;
    const done = await ct.update(key, { status: { clear: [name] } }).then(
      () => true,
      () => false,
    );
    const status = (await ct.get(key))!.status;
    expect({ done, set: (status & bit) !== 0 }).toEqual({
      done,
      set: !done && (before & bit) !== 0,
    });
  });
});

// The kernel takes a window scale only with the other one, and only where both directions have the flag.
test.each<[string, NonNullable<FlowChanges['tcp']>]>([
  ['one alone', { origWindowScale: 7 }],
  ['both, of a flow without their flags', { origWindowScale: 7, replyWindowScale: 7 }],
])('window scales are set or refused, not ignored: %s', async (_, info) => {
  await ct.create(tcp());
  const key = { protocol: 'tcp', orig: ORIG };
  const done = await ct.update(key, { tcp: info }).then(
    () => true,
    () => false,
  );
  const now = (await ct.get(key))!.tcp;
  expect({ done, now }).toMatchObject(done ? { now: info } : { now: { origWindowScale: 0 } });
});

describe('labels', () => {
  const key = { protocol: 'tcp', orig: ORIG };
  const labelsOf = async (): Promise<number[] | undefined> => (await ct.get(key))!.labels;
  const seenByOthers = (): number[] | undefined => peeksOf(namespace)[0]!.connlabels;

  beforeEach(() => {
    useLabels(namespace);
  });

  test.each<[string, FlowChanges['labels'], number[] | undefined]>([
    ['replaced', [2, 127], [2, 127]],
    ['replaced by the same', [0, 5, 64, 127], [0, 5, 64, 127]],
    ['taken away', [], undefined],
    ['one set', { set: [33] }, [0, 5, 33, 64, 127]],
    ['one set again', { set: [5] }, [0, 5, 64, 127]],
    ['some cleared', { clear: [0, 127] }, [5, 64]],
    ['one cleared that was not set', { clear: [1] }, [0, 5, 64, 127]],
    ['some set and some cleared', { set: [1, 126], clear: [5, 6] }, [0, 1, 64, 126, 127]],
    ['none set and none cleared', { set: [], clear: [] }, [0, 5, 64, 127]],
  ])('%s', async (_, labels, wanted) => {
    await ct.create(tcp({ labels: [0, 5, 64, 127] }));
    await ct.update(key, { labels: labels! });
    expect(await labelsOf()).toEqual(wanted);
    expect(seenByOthers()).toEqual(wanted);
  });

  test('set where there were none', async () => {
    await ct.create(tcp());
    expect(await labelsOf()).toBeUndefined();
    await ct.update(key, { labels: { set: [127] } });
    expect(seenByOthers()).toEqual([127]);
  });

  test('and marks, at random, are what a model says', async () => {
    const bits = fc.uniqueArray(fc.nat(127), { maxLength: 6 });
    const step = fc.record({ set: bits, clear: bits, mark: fc.nat(), mask: fc.nat() });
    await ct.create(tcp({ mark: 0 }));
    let mark = 0;
    let labels = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        for (const { set, clear: asked, mark: bitsOfMark, mask } of steps) {
          const clear = asked.filter((bit) => !set.includes(bit));
          const value = (bitsOfMark & mask) >>> 0;
          await ct.update(key, { mark: { value, mask }, labels: { set, clear } });
          mark = ((mark & ~mask) | value) >>> 0;
          labels = new Set([...labels, ...set].filter((bit) => !clear.includes(bit)));
        }
        const flow = (await ct.get(key))!;
        expect(flow.mark).toBe(mark);
        expect(flow.labels ?? []).toEqual([...labels].sort((a, b) => a - b));
      }),
      { numRuns: 60 },
    );
    expect(seenByOthers() ?? []).toEqual([...labels].sort((a, b) => a - b));
  });
});
