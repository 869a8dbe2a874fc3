/**
 * Calls every method of the addon, past the checks of lib/, with arguments that are right, nearly right and
 * nonsense, in any order and from inside each other: `seam.mjs SEED RUNS`. Whatever comes, a call returns
 * or throws an Error. Prints the seed first, so that a crash can be repeated, and figures at the end.
 */
import fc from 'fast-check';

import { BATCH_SIZE, EXPECTATION_SIZE, FLOW_SIZE } from '../../../dist/layout.js';
import { native } from '../../../dist/native.js';
import { say } from './conversation.mjs';

const [seed, runs] = process.argv.slice(2).map(Number);
const PURPOSE = 'thrown on purpose';
const TURN_MS = 2;

const addon = native();
const figures = { seed, runs: 0, calls: 0, thrown: 0, answers: 0, wakes: 0 };
const CLASSES = [
  'Control',
  'FlowDump',
  'FlowSweep',
  'FlowSubscription',
  'ExpectationSubscription',
  'FlowMirror',
  'MirrorChanges',
];

process.on('uncaughtException', (error) => {
  if (error.message === PURPOSE) return;
  process.stderr.write(`${error.stack}\n`);
  process.exit(3);
});

// --- what is passed ---

const u32 = fc.nat({ max: 0xffffffff });
const bytes = (size) => fc.uint8Array({ minLength: size, maxLength: size });

/** Mostly zeros, as records are, and sometimes noise. */
function record(size) {
  const sparse = fc
    .array(fc.tuple(fc.nat({ max: size - 1 }), fc.nat({ max: 255 })), { maxLength: 12 })
    .map((changes) => {
      const zeros = new Uint8Array(size);
      for (const [at, value] of changes) zeros[at] = value;
      return zeros;
    });
  return fc.oneof(sparse, bytes(size));
}

function batch(size) {
  const header = fc.record({
    length: fc.oneof(fc.constant(1), u32),
    stride: fc.oneof({ weight: 9, arbitrary: fc.constant(size) }, { weight: 1, arbitrary: u32 }),
    tail: fc.uint8Array({ maxLength: 40 }),
    first: record(size),
  });
  return header.map(({ length, stride, tail, first }) => {
    const head = Uint32Array.of(length, stride, BATCH_SIZE + size, tail.length, 0, 0);
    return new Uint8Array(Buffer.concat([new Uint8Array(head.buffer), first, tail]));
  });
}

/** Programs of one to three levels, whose sizes are mostly right. */
const leaf = fc
  .tuple(fc.nat({ max: 11 }), fc.array(fc.oneof(fc.nat({ max: 40 }), u32), { maxLength: 9 }))
  .map(([operation, body]) => [operation, body.length + 2, ...body]);
const group = (child) =>
  fc.tuple(fc.nat({ max: 2 }), fc.array(child, { maxLength: 3 })).map(([operation, children]) => {
    const body = children.flat();
    return [operation, body.length + 2, ...body];
  });
const program = fc
  .oneof(leaf, group(leaf), group(group(leaf)))
  .map((words) => new Uint32Array(words));
const filter = fc.oneof(fc.constant(undefined), program);

const FUNCTIONS = ['nothing', 'throw', 'close', 'ask', 'start'];
const callback = fc.constantFrom(...FUNCTIONS).map((what) => ({ callback: what }));
const control = fc.constant({ object: 'Control' });
const path = fc.constantFrom(
  '',
  '/proc/self/ns/net',
  '/proc/sys/net/netfilter',
  '/proc/sys/net/netfilter/nf_conntrack_acct',
  '/proc/sys/net/../kernel/hostname',
  'a\0b',
);
const pattern = [record(FLOW_SIZE), u32, u32];

const subscription = (size) => [control, fc.nat({ max: 255 }), fc.nat(), u32, filter, bytes(size)];

const SIGNATURES = {
  start: {
    Control: [path, fc.boolean()],
    FlowDump: [control, fc.integer({ min: 1, max: 7 }), ...pattern, filter],
    FlowSweep: [
      ...[control, ...pattern, program, fc.nat({ max: 2 }), fc.nat({ max: 5 }), fc.boolean()],
      ...[batch(FLOW_SIZE), u32, u32],
    ],
    FlowSubscription: [...subscription(16), fc.nat(), fc.boolean()],
    ExpectationSubscription: [...subscription(8), fc.nat(), fc.boolean()],
    FlowMirror: [
      ...[control, ...pattern, filter, filter, bytes(8), fc.nat(), fc.nat(), fc.boolean()],
      ...[fc.integer({ min: 1, max: 100 }), fc.nat({ max: 5 })],
    ],
    MirrorChanges: [fc.constant({ object: 'FlowMirror' }), u32, fc.nat({ max: 255 }), filter],
  },
  probe: [callback],
  get: [record(FLOW_SIZE), callback],
  cpuStats: [callback],
  globalStats: [callback],
  readFile: [path, callback],
  writeFile: [path, fc.constantFrom('0', '1', 'x'.repeat(5000)), callback],
  listDirectory: [path, callback],
  change: [fc.nat({ max: 3 }), batch(FLOW_SIZE), callback],
  flush: [callback],
  listExpectations: [record(EXPECTATION_SIZE), callback],
  getExpectation: [record(EXPECTATION_SIZE), callback],
  createExpectation: [batch(EXPECTATION_SIZE), callback],
  deleteExpectation: [record(EXPECTATION_SIZE), callback],
  deleteExpectationsOf: [fc.constantFrom('ftp', '', 'x'.repeat(70_000)), callback],
  flushExpectations: [callback],
  expectationStats: [callback],
  wait: [fc.boolean(), fc.boolean()],
  buffers: [record(FLOW_SIZE), bytes(400)],
  list: [fc.nat({ max: 5000 }), filter],
};

const detached = () => {
  const array = new Uint8Array(FLOW_SIZE);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
};
const shrunk = () => {
  const buffer = new ArrayBuffer(FLOW_SIZE, { maxByteLength: 2 * FLOW_SIZE });
  const array = new Uint8Array(buffer);
  buffer.resize(8);
  return array;
};
const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error(PURPOSE);
    },
  },
);
const ODD = {
  detached,
  shrunk,
  shared: () => new Uint8Array(new SharedArrayBuffer(FLOW_SIZE)),
  sharedWords: () => new Uint32Array(new SharedArrayBuffer(64)),
  words: () => new Uint32Array(FLOW_SIZE / 4),
  view: () => new DataView(new ArrayBuffer(FLOW_SIZE)),
  throwing: () => throwing,
  proxy: () => new Proxy(new addon.Control(), {}),
  unopened: () => new addon.Control(),
  symbol: () => Symbol('odd'),
  bigint: () => 2n ** 70n,
  revoked: () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};
const odd = fc.oneof(
  fc.constantFrom(...Object.keys(ODD)).map((name) => ({ odd: name })),
  fc.constantFrom(undefined, null, NaN, -1, -0, 0.5, 2 ** 32, 2 ** 53, 1e308, Infinity),
  fc.constantFrom(...CLASSES).map((object) => ({ object })),
  fc.anything(),
);

function argumentsOf(arbitraries) {
  const each = arbitraries.map((right) =>
    fc.oneof({ weight: 19, arbitrary: right }, { weight: 1, arbitrary: odd }),
  );
  const all = fc.tuple(...each);
  const some = fc.tuple(all, fc.nat({ max: each.length })).map(([args, n]) => args.slice(0, n));
  return fc.oneof({ weight: 8, arbitrary: all }, { weight: 1, arbitrary: some });
}

function callOf(type) {
  const methods = Object.getOwnPropertyNames(addon[type].prototype).filter(
    (name) => name !== 'constructor',
  );
  return fc.constantFrom(...methods).chain((method) => {
    const signature = SIGNATURES[method] ?? [];
    const args = argumentsOf(Array.isArray(signature) ? signature : signature[type]);
    // Now and then on an object of another kind.
    const receiver = fc.oneof(
      { weight: 15, arbitrary: fc.constant({ object: type }) },
      { weight: 1, arbitrary: odd },
    );
    return fc.record({ type: fc.constant(type), method: fc.constant(method), receiver, args });
  });
}

/** With nothing wrong in it, so that more than refusals is met. */
function startOf(type) {
  const receiver = fc.constant({ object: type });
  const args = fc.tuple(...SIGNATURES.start[type]);
  return fc.record({ type: fc.constant(type), method: fc.constant('start'), receiver, args });
}

/** The functions that format what a record or a batch says. */
const text = (size) => record(size).map((octets) => Buffer.from(octets).toString('latin1'));
const style = [
  ...[fc.nat({ max: 3 }), fc.nat({ max: 15 }), fc.nat({ max: 255 })],
  fc.oneof(fc.constant(undefined), fc.nat(), fc.double()),
  fc.constantFrom(undefined, '', 'a\nb'),
  fc.constantFrom([], [1, 'x'], [-1], ['y', 2], [1, 'x', 2]),
];
const one = (size) => [text(size), fc.nat({ max: 7 }), u32, fc.double(), ...style];
const FORMATTERS = {
  formatFlow: one(FLOW_SIZE),
  formatFlows: [batch(FLOW_SIZE), ...style],
  formatExpectation: one(EXPECTATION_SIZE),
  formatExpectations: [batch(EXPECTATION_SIZE), ...style],
};
const format = fc
  .constantFrom(...Object.keys(FORMATTERS))
  .chain((name) => argumentsOf(FORMATTERS[name]).map((args) => ({ method: 'format', name, args })));

const pause = fc.constant({ method: 'pause' });
const renew = fc.constantFrom(...CLASSES).map((type) => ({ method: 'renew', type }));
const construct = fc
  .record({ type: fc.constantFrom(...CLASSES), args: fc.array(odd, { maxLength: 2 }) })
  .map((call) => ({ ...call, method: 'construct' }));
const step = fc.oneof(
  ...CLASSES.map((type) => ({ weight: 5, arbitrary: callOf(type) })),
  ...CLASSES.slice(1).map((type) => ({ weight: 2, arbitrary: startOf(type) })),
  { weight: 4, arbitrary: fc.constant({ method: 'reopen' }) },
  { weight: 3, arbitrary: pause },
  { weight: 6, arbitrary: format },
  { weight: 2, arbitrary: renew },
  { weight: 1, arbitrary: construct },
);

// --- how it is passed ---

/** One object of each kind, replaced as the run goes on. */
class Life {
  objects = {};
  made = [];

  constructor() {
    for (const type of CLASSES) this.renew(type);
    this.objects.Control.start('', false);
  }

  async step(call) {
    if (call.method === 'pause')
      return void (await new Promise((done) => setTimeout(done, TURN_MS)));
    if (call.method === 'renew') return this.renew(call.type);
    if (call.method === 'reopen') return this.reopen();
    if (call.method === 'construct') return this.construct(call);
    if (call.method === 'format') return this.format(call);
    this.attempt(() => {
      const receiver = this.value(call.receiver);
      const args = call.args.map((arg) => this.value(arg));
      return Reflect.apply(addon[call.type].prototype[call.method], receiver, args);
    });
  }

  reopen() {
    this.renew('Control');
    this.objects.Control.start('', false);
  }

  renew(type) {
    const object = new addon[type]();
    object.onWake = () => {
      figures.wakes += 1;
      if (figures.wakes % 20 === 0) throw new Error(PURPOSE);
      object.take?.();
      if (figures.wakes % 20 === 1) object.close();
    };
    this.objects[type] = object;
    this.made.push(object);
  }

  format({ name, args }) {
    this.attempt(() => addon[name](...args.map((arg) => this.value(arg))));
  }

  construct({ type, args }) {
    this.attempt(() => Reflect.apply(addon[type], undefined, args));
    this.attempt(() => new addon[type](...args.map((arg) => this.value(arg))));
  }

  attempt(what) {
    figures.calls += 1;
    try {
      return what();
    } catch (error) {
      if (!(error instanceof Error)) throw new TypeError('threw no Error', { cause: error });
      figures.thrown += 1;
      return undefined;
    }
  }

  value(said) {
    if (typeof said !== 'object' || said === null) return said;
    if (Object.hasOwn(said, 'odd') && ODD[said.odd]) return ODD[said.odd]();
    if (Object.hasOwn(said, 'object') && this.objects[said.object])
      return this.objects[said.object];
    if (Object.hasOwn(said, 'callback')) return this.callback(said.callback);
    return said;
  }

  callback(what) {
    return () => {
      figures.answers += 1;
      const { Control } = this.objects;
      if (what === 'throw') throw new Error(PURPOSE);
      if (what === 'close') Control.close();
      if (what === 'ask') this.attempt(() => Control.probe(() => undefined));
      if (what === 'start') this.attempt(() => Control.start('', false));
    };
  }

  end() {
    for (const object of this.made) this.attempt(() => object.wait?.(false, false));
    for (const object of this.made) object.close();
  }
}

async function answered(control) {
  return new Promise((resolve) => control.probe(([errno]) => resolve(errno)));
}

say(`seed ${String(seed)}`);
await fc.assert(
  fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (calls) => {
    figures.runs += 1;
    const life = new Life();
    for (const call of calls) await life.step(call);
    await life.step({ method: 'pause' });
    life.end();
  }),
  { seed, numRuns: runs },
);

// It all still works.
const last = new addon.Control();
last.start('', false);
figures.works = (await answered(last)) === 0;
last.close();
say(JSON.stringify(figures));
