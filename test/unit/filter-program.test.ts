/**
 * What native code makes of programs that no filter of ours compiles to: it refuses them, or runs them, but
 * reads nothing that is not theirs.
 */
import fc from 'fast-check';

import { Control } from '../../lib/control';
import { Conntrack, type Filter, type FlowData } from '../../lib/index';
import { parseFilter } from '../../lib/filter-parse';
import { compileFilter } from '../../lib/filter-program';
import {
  FilterField,
  FilterOp,
  FLOW_SIZE,
  FlowHas,
  FlowOffset,
  TupleHas,
  TupleOffset,
} from '../../lib/layout';
import { BatchWriter, type TupleWriter } from '../../lib/record-writer';
import { arbitraryFilter } from '../support/arbitrary-filter';
import { mustCreateFlow, prepareForTables, type FlowRequest } from '../support/arbitrary-flow';
import { TestNamespace } from '../support/netns';
import { matchesReference } from '../support/reference-filter';
import { testing } from '../support/testing';

// Each run is a listing, whose time grows with all the flows of the machine.
jest.setTimeout(300_000);

const GET = 1;
const REFUSED = /^argument 5 must be a filter's program$/;

const TCP: FlowRequest = {
  orig: { src: '10.0.0.1', dst: '10.0.0.2', protonum: 6, sport: 1000, dport: 80 },
  reply: { src: '10.0.0.2', dst: '10.0.0.1', protonum: 6, sport: 80, dport: 1000 },
  timeout: 600,
  state: 3,
  helper: 'ftp',
  mark: 5,
  zone: 1,
};
const FLOWS: FlowRequest[] = [
  TCP,
  {
    orig: { src: 'fd00::1', dst: 'fd00::2', protonum: 17, sport: 1000, dport: 53 },
    reply: { src: 'fd00::2', dst: 'fd00::1', protonum: 17, sport: 53, dport: 1000 },
    timeout: 600,
    labels: [0, 33, 127],
  },
  {
    orig: { src: '10.0.0.1', dst: '10.0.0.2', protonum: 1, icmpType: 8, icmpCode: 0, icmpId: 7 },
    reply: { src: '10.0.0.2', dst: '10.0.0.1', protonum: 1, icmpType: 0, icmpCode: 0, icmpId: 7 },
    timeout: 600,
  },
  {
    orig: { src: 'fd00::1', dst: 'fd00::2', protonum: 47, sport: 1, dport: 2 },
    reply: { src: 'fd00::2', dst: 'fd00::1', protonum: 47, sport: 2, dport: 1 },
    timeout: 600,
  },
];

let control: Control;
let listed: FlowData[];

beforeAll(async () => {
  const namespace = TestNamespace.create();
  prepareForTables(namespace);
  const capture = namespace.run(() => new testing.NetlinkCapture());
  for (const flow of FLOWS) mustCreateFlow(capture, flow);
  capture.close();
  control = await Control.open(namespace.path, undefined);
  const ct = await Conntrack.open({ netns: namespace.path });
  listed = (await ct.flows().toArray()).map((flow) => flow.toJSON());
  await ct.close();
  expect(listed).toHaveLength(FLOWS.length);
});

afterAll(async () => {
  await control.close();
  TestNamespace.closeAll();
});

interface Run {
  program?: Uint32Array;
  pattern?: Uint8Array;
  markMask?: number;
  statusMask?: number;
}

/** How many flows a dump gives. */
async function count({ program, pattern, markMask = 0, statusMask = 0 }: Run): Promise<number> {
  const reader = control.dump({
    command: GET,
    kernel: { pattern: pattern ?? new Uint8Array(FLOW_SIZE), markMask, statusMask },
    filter: program,
    signal: undefined,
  });
  let flows = 0;
  for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
    flows += batch.length;
  }
  return flows;
}

/** The same; undefined if the program is refused. */
async function countOrRefuse(run: Run): Promise<number | undefined> {
  try {
    return await count(run);
  } catch (error) {
    // Not an instance of TypeError here: native code makes it outside of jest's context.
    const { name, message } = error as Error;
    if (name === 'TypeError' && REFUSED.test(message)) return undefined;
    throw error;
  }
}

function expectCount(flows: number | undefined): void {
  if (flows === undefined) return;
  expect(flows).toBeGreaterThanOrEqual(0);
  expect(flows).toBeLessThanOrEqual(FLOWS.length);
}

const WORD = fc.oneof(
  { weight: 4, arbitrary: fc.nat(12) },
  { weight: 1, arbitrary: fc.nat(40) },
  { weight: 1, arbitrary: fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff_ffff }) },
);
const WORDS = fc.array(WORD, { maxLength: 24, size: 'max' });

/** Nodes whose sizes are right, and whose bodies are anything. */
const { node: NODE } = fc.letrec<{ node: number[]; body: number[] }>((tie) => ({
  node: fc.tuple(fc.nat(11), tie('body')).map(([op, body]) => [op, body.length + 2, ...body]),
  body: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    WORDS,
    fc.array(tie('node'), { maxLength: 3 }).map((nodes) => nodes.flat()),
  ),
}));

const RUNS = { numRuns: 200 };

describe('garbage', () => {
  test('of random words is refused or harmless', async () => {
    await fc.assert(
      fc.asyncProperty(WORDS, async (words) => {
        expectCount(await countOrRefuse({ program: Uint32Array.from(words) }));
      }),
      RUNS,
    );
  });

  test('of nodes with random bodies is refused or harmless', async () => {
    const seen = { refused: 0, run: 0 };
    await fc.assert(
      fc.asyncProperty(NODE, async (words) => {
        const flows = await countOrRefuse({ program: Uint32Array.from(words) });
        expectCount(flows);
        seen[flows === undefined ? 'refused' : 'run'] += 1;
      }),
      RUNS,
    );
    // Both happen, and often.
    expect(seen.refused).toBeGreaterThan(20);
    expect(seen.run).toBeGreaterThan(20);
  });

  test('that was a program is refused or harmless', async () => {
    const change = fc.tuple(fc.nat(), WORD);
    const damage = fc.record({
      changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      length: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1.2, noNaN: true })),
    });
    await fc.assert(
      fc.asyncProperty(arbitraryFilter(listed), damage, async (filter, { changes, length }) => {
        const right = compileFilter(parseFilter(filter));
        const words = new Uint32Array(Math.ceil(right.length * length));
        words.set(right.subarray(0, words.length));
        for (const [at, word] of changes) words[at % words.length] = word;
        expectCount(await countOrRefuse({ program: words }));
      }),
      RUNS,
    );
  });

  test('as what the kernel is asked for ends in an answer or an error', async () => {
    const bytes = fc.oneof(fc.constant(0), fc.nat(255));
    const pattern = fc.uint8Array({ minLength: FLOW_SIZE, maxLength: FLOW_SIZE });
    const sparse = fc.array(bytes, { minLength: FLOW_SIZE, maxLength: FLOW_SIZE });
    const mask = fc.integer({ min: 0, max: 0xffff_ffff });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          pattern,
          sparse.map((octets) => Uint8Array.from(octets)),
        ),
        fc.constantFrom(0, 2, 10, 255),
        mask,
        mask,
        async (octets, family, markMask, statusMask) => {
          octets[FlowOffset.family] = family;
          const run = count({ pattern: octets, markMask, statusMask });
          const flows = await run.catch((error: unknown) => {
            expect(error).toMatchObject({ name: 'ConntrackError', syscall: 'netlink' });
          });
          expectCount(flows ?? undefined);
        },
      ),
      RUNS,
    );
  });
});

describe('a program', () => {
  const { all, any, not, number, wide, mask, ipv4, ipv6, state, labels, helper } = FilterOp;
  const node = (operation: number, ...body: number[]): number[] => [
    operation,
    body.length + 2,
    ...body,
  ];
  const accepted = async (words: number[]): Promise<boolean> =>
    (await countOrRefuse({ program: Uint32Array.from(words) })) !== undefined;

  function deep(operation: number, depth: number): number[] {
    let words = node(any);
    for (let level = 0; level < depth; level += 1) words = node(operation, ...words);
    return words;
  }

  test.each<[string, number[]]>([
    ['nothing at all', []],
    ['a lone operation', [all]],
    ['less than its size', [all, 3]],
    ['more than its size', [all, 2, 0]],
    ['a size below that of its head', [all, 1]],
    ['a size of 0', [all, 0]],
    ['an inner size of 0, which would never end', [all, 4, any, 0]],
    ['an inner size beyond its own', [all, 4, any, 3]],
    ['an inner size that wraps around', [all, 4, any, 0xffff_ffff]],
    ['an unknown operation', node(11)],
    ['an unknown operation inside', node(all, ...node(0xffff_ffff))],
    ['not of nothing', node(not)],
    ['not of two', node(not, ...node(all), ...node(all))],
    ['a number without a field', node(number)],
    ['a number of half a range', node(number, FilterField.mark, 1)],
    ['a number of a wide field', node(number, FilterField.origPackets, 0, 1)],
    ['a number of no field', node(number, 0xffff_ffff, 0, 1)],
    ['a wide one of a narrow field', node(wide, FilterField.mark, 0, 0, 1, 0)],
    ['a wide one of no field', node(wide, FilterField.bytes + 1, 0, 0, 1, 0)],
    ['a wide one of half a range', node(wide, FilterField.bytes, 0, 0)],
    ['a mask without a mask', node(mask, FilterField.mark, 1)],
    ['a mask too many', node(mask, FilterField.mark, 1, 1, 1)],
    ['a mask of a wide field', node(mask, FilterField.bytes, 1, 1)],
    ['addresses of no place', node(ipv4)],
    ['addresses of an unknown place', node(ipv4, 16, 0, 1)],
    ['half a range of addresses', node(ipv4, 1, 0)],
    ['half a range of IPv6 addresses', node(ipv6, 1, 0, 0, 0, 0)],
    ['a helper without a length', node(helper)],
    ['a helper longer than its words', node(helper, 5, 0)],
    ['a helper whose length wraps around', node(helper, 0xffff_ffff, 0)],
    ['nodes nested beyond the limit', deep(all, 66)],
    ['nots nested beyond the limit', deep(not, 66)],
    ['nodes nested beyond any stack', deep(any, 3000)],
  ])('of %s is refused', async (_, words) => {
    expect(await accepted(words)).toBe(false);
  });

  test.each<[string, number[], number]>([
    ['all of nothing', node(all), 4],
    ['any of nothing', node(any), 0],
    ['a number in no range', node(number, FilterField.mark), 0],
    ['a number in any range', node(number, FilterField.mark, 0, 0xffff_ffff), 4],
    ['a number that is reversed', node(number, FilterField.mark, 9, 1), 0],
    ['addresses at no place', node(ipv4, 0, 0, 0xffff_ffff), 0],
    ['addresses at all places', node(ipv4, 15, 0, 0xffff_ffff), 2],
    ['labels that are no condition', node(labels), 1],
    ['labels beyond what there are', node(labels, 0, 0, 0, 0, 1), 0],
    ['no state', node(state), 0],
    ['a helper of no name', node(helper, 0), 0],
    ['a helper', node(helper, 3, Buffer.from('ftp\0').readUInt32LE()), 1],
  ])('of %s is run', async (_, words, flows) => {
    expect(await count({ program: Uint32Array.from(words) })).toBe(flows);
  });

  test('is a Uint32Array', async () => {
    const words = Uint32Array.from(node(all));
    const detached = Uint32Array.from(words);
    structuredClone(detached, { transfer: [detached.buffer] });
    const others = [null, {}, [], [...words], 'all', new Int32Array(words), detached];
    for (const other of [...others, new Uint8Array(words.buffer), new DataView(words.buffer)]) {
      const given = other as unknown as Uint32Array;
      await expect(async () => count({ program: given })).rejects.toThrow(REFUSED);
    }
    // The bytes around a part of an array are not its own.
    const part = Uint32Array.from([99, ...words, 99]).subarray(1, 3);
    expect(await count({ program: part })).toBe(FLOWS.length);
  });

  test('is kept as it was when the array changes', async () => {
    const program = Uint32Array.from(node(all));
    const counting = count({ program });
    program.fill(0xffff_ffff);
    expect(await counting).toBe(FLOWS.length);
  });

  test('of filters as deep as they may be is taken', async () => {
    const leaf: Filter = {
      address: ['10.0.0.1', 'fd00::1'],
      status: { any: ['assured', 'confirmed'] },
      protocol: ['tcp', 'udp'],
    };
    const shapes: ((inner: Filter) => Filter)[] = [
      (inner) => ({ not: inner }),
      (inner) => ({ or: [inner] }),
      (inner) => ({ mark: 5, not: inner }),
      (inner) => ({ id: [0, Infinity], or: [{ mark: 1 }, inner] }),
      (inner) => ({ or: [{ mark: 5, not: inner }] }),
    ];
    for (const shape of shapes) {
      let filter = leaf;
      for (let next = shape(filter); isTaken(next); next = shape(filter)) filter = next;
      const wanted = listed.filter((flow) => matchesReference(flow, filter));
      expect(await count({ program: compileFilter(parseFilter(filter)) })).toBe(wanted.length);
    }
  });
});

function isTaken(filter: Filter): boolean {
  try {
    parseFilter(filter);
    return true;
  } catch (error) {
    expect((error as Error).message).toContain('nest at most 32 deep');
    return false;
  }
}

describe('what the kernel refuses', () => {
  function pattern(family: number, write: (tuple: TupleWriter) => void): Uint8Array {
    const batch = new BatchWriter(1);
    const record = batch.next();
    const tuple = record.tuple(FlowOffset.orig);
    record.u8(FlowOffset.family, family);
    tuple.family(family);
    record.has(FlowHas.orig);
    write(tuple);
    return batch.firstRecord();
  }

  const port = (tuple: TupleWriter): void => {
    tuple.u16(TupleOffset.dport, TupleHas.dport, 80);
  };
  const icmpTypeWithoutAnswer = (tuple: TupleWriter): void => {
    tuple.u8(TupleOffset.protonum, TupleHas.protonum, 1);
    tuple.u8(TupleOffset.icmpType, TupleHas.icmpType, 3);
  };

  test('is left to native code: a port without a protocol (EINVAL)', async () => {
    expect(await count({ pattern: pattern(2, port) })).toBe(2);
    expect(await count({ pattern: pattern(10, port) })).toBe(2);
  });

  test('is asked for each family: a tuple without one (EOPNOTSUPP)', async () => {
    expect(await count({ pattern: pattern(0, port) })).toBe(FLOWS.length);
    const tcp = pattern(0, (tuple) => {
      tuple.u8(TupleOffset.protonum, TupleHas.protonum, 6);
    });
    expect(await count({ pattern: tcp })).toBe(1);
  });

  test('is left to native code: a type of ICMP that no flow has (EINVAL)', async () => {
    const program = compileFilter(parseFilter({ protocol: 'icmp', orig: { icmpType: 3 } }));
    expect(await count({ pattern: pattern(2, icmpTypeWithoutAnswer), program })).toBe(0);
    expect(await count({ pattern: pattern(2, icmpTypeWithoutAnswer) })).toBe(2);
  });
});
