/** The addon withstands callers that lib/ is not: arguments of every kind, in any order, at any time. */
import { native, type NativeControl } from '../../lib/native';
import { Program, runProgram } from '../support/child';
import { TestNamespace } from '../support/netns';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';
import { FLOW_SIZE } from '../../lib/layout';

const RUNS = 400;

let namespace: TestNamespace;

beforeAll(() => {
  namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => {
    testing.fill({ count: 50 });
    testing.fill({ count: 5, family: 6 });
  });
});
afterEach(() => {
  Program.endAll();
});
afterAll(() => {
  TestNamespace.closeAll();
});

/** A crash shows as a signal, with the seed that repeats it. */
test.each([1, Date.now() & 0xfffffff])('calls of every kind, seed %d', async (seed) => {
  const ended = await runProgram('seam.mjs', {
    namespace,
    args: [String(seed), process.env['NFCONNTRACK_SEAM_RUNS'] ?? String(RUNS)],
  });
  expect(ended).toEqual({ code: 0, signal: null, stdout: expect.any(String), stderr: '' });
  const figures = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!);
  process.stdout.write(`${ended.stdout.trimEnd().split('\n').at(-1)!}\n`);
  expect(figures.works).toBe(true);
  for (const name of ['thrown', 'answers', 'wakes']) {
    expect([name, figures[name] > 20]).toEqual([name, true]);
  }
});

describe('a reader starts once', () => {
  const pattern = new Uint8Array(FLOW_SIZE);
  const everything = Uint32Array.of(0, 2);
  const starts: [string, (control: NativeControl) => [number, () => unknown, () => void]][] = [
    [
      'FlowSweep',
      (control) => {
        const sweep = new (native().FlowSweep)();
        sweep.close();
        const nothing = new Uint8Array();
        const result = sweep.start(
          ...([control, pattern, 0, 0, everything, 0, 0, false, nothing, 0, 0] as const),
        );
        return [result[0], () => sweep.progress(), () => sweep.close()];
      },
    ],
    [
      'FlowSubscription',
      (control) => {
        const events = new (native().FlowSubscription)();
        events.close();
        const result = events.start(control, 2, 4096, 1, undefined, new Uint8Array(), 4096, false);
        return [result[0], () => events.statistics(), () => events.close()];
      },
    ],
    [
      'FlowDump',
      (control) => {
        const dump = new (native().FlowDump)();
        dump.close();
        const result = dump.start(control, 1, pattern, 0, 0, undefined);
        return [result[0], () => dump.take(), () => dump.close()];
      },
    ],
  ];

  test.each(starts)('%s, and not after close()', (_, attempt) => {
    const control = new (native().Control)();
    control.start(namespace.path, false);
    const [errno, look, close] = attempt(control);
    expect(errno).toBe(114); // EALREADY
    expect(look()).toBeDefined();
    close();
    expect(control.start(namespace.path, false)[0]).toBe(114);
    control.close();
    expect(control.start(namespace.path, false)[0]).toBe(114);
  });
});

test('a mirror whose buffers were given away finds nothing, and touches nothing', async () => {
  const control = new (native().Control)();
  control.start(namespace.path, false);
  const mirror = new (native().FlowMirror)();
  const pattern = new Uint8Array(FLOW_SIZE);
  const rest = [undefined, undefined, new Uint8Array(), 4096, 4096, false, 1000, 0] as const;
  expect(mirror.start(control, pattern, 0, 0, ...rest)[0]).toBe(0);
  expect(mirror.start(control, pattern, 0, 0, ...rest)[0]).toBe(114); // EALREADY
  await waitFor('the mirror', () => mirror.started() !== undefined);
  for (const given of [0, 1]) {
    const buffers = [new Uint8Array(FLOW_SIZE), new Uint8Array(1000)] as const;
    mirror.buffers(...buffers);
    expect(mirror.find()).toBe(0);
    const { buffer } = buffers[given]!;
    structuredClone(buffer, { transfer: [buffer] });
    expect(mirror.find()).toBe(given === 0 ? -1 : 0);
  }
  mirror.close();
  control.close();
});

test('a callback may close the Control that others wait for', async () => {
  const control = new (native().Control)();
  control.start(namespace.path, false);
  const answered: string[] = [];
  await new Promise<void>((resolve) => {
    control.probe(() => {
      answered.push('first');
      control.close();
      setImmediate(resolve);
    });
    control.probe(() => answered.push('second'));
  });
  expect(answered.filter((name) => name === 'first')).toHaveLength(1);
  expect(() => control.probe(() => undefined)).toThrow('not open');
});
