/**
 * The seam to the addon: everything it exports, typed, and how it is found. Nothing else in lib/ knows
 * about native code.
 */
import { join } from 'node:path';

import { ConntrackError, type Outcome } from './errors';
import { LAYOUT_VERSION } from './layout';

export type Answer = (outcome: Outcome, bytes: Uint8Array) => void;

/** A namespace, and a thread in it that asks the kernel. */
export interface NativeControl {
  /**
   * Pins the namespace that `path` names ('' is the caller's own), or makes a fresh one, and starts the
   * thread.
   */
  start(path: string, fresh: boolean): Outcome;
  /** Answers when all that was asked before is answered. */
  probe(answer: Answer): void;
  /** The netlink port that requests come from, once probe() is answered. */
  portid(): number;
  /** `key` is a FlowRecord; the answer is a batch of one flow. */
  get(key: Uint8Array, answer: Answer): void;
  /** The answers are runs of {u32 cpu, type, value}. */
  cpuStats(answer: Answer): void;
  globalStats(answer: Answer): void;
  /** A file below /proc/sys/net, as the namespace has it. */
  readFile(path: string, answer: Answer): void;
  writeFile(path: string, text: string, answer: Answer): void;
  /** The plain files there, in lines of "w NAME" (may be written) and "r NAME". */
  listDirectory(path: string, answer: Answer): void;
  /**
   * `kind`: 0 create, 1 add, 2 update, 3 delete; the answer is a run of {u32 index, errno, text length; text
   * padded to 4} of the flows that were refused.
   */
  change(kind: number, batch: Uint8Array, answer: Answer): void;
  /** Empties the whole table. */
  flush(answer: Answer): void;
  /** `wanted` and `key` are ExpectationRecords; the answers are batches of expectations. */
  listExpectations(wanted: Uint8Array, answer: Answer): void;
  getExpectation(key: Uint8Array, answer: Answer): void;
  /** Makes the only expectation of a batch. */
  createExpectation(batch: Uint8Array, answer: Answer): void;
  deleteExpectation(key: Uint8Array, answer: Answer): void;
  /** Deletes those of every flow that has the helper. */
  deleteExpectationsOf(helper: string, answer: Answer): void;
  flushExpectations(answer: Answer): void;
  /** As cpuStats(). */
  expectationStats(answer: Answer): void;
  close(): void;
}

/** A thread that reads flows into batches. */
export interface NativeReader {
  /** Called when take() may find something after it found nothing. */
  onWake?: () => void;
  /** A batch; undefined: none yet, a wake-up follows; null: none any more. */
  take(): Uint8Array | undefined | null;
  /** How it ended, once take() has returned null. */
  outcome(): Outcome;
  /** Holds the object, and with `keepAlive` the process, until wait(false). */
  wait(waiting: boolean, keepAlive: boolean): void;
  /** Ends and joins the thread. */
  close(): void;
}

export interface NativeDump extends NativeReader {
  /**
   * `pattern` is a FlowRecord whose presence says what the kernel is asked for, `filter` a program of
   * layout.txt's FilterOp.
   */
  start(
    control: NativeControl,
    command: number,
    pattern: Uint8Array,
    markMask: number,
    statusMask: number,
    filter: Uint32Array | undefined,
  ): Outcome;
}

export interface NativeSweep extends NativeReader {
  /** `action`: 0 counts, 1 deletes, 2 applies `changes`, a batch of one flow; `limit` 0 is none. */
  start(
    control: NativeControl,
    pattern: Uint8Array,
    markMask: number,
    statusMask: number,
    filter: Uint32Array,
    action: number,
    limit: number,
    receipts: boolean,
    changes: Uint8Array,
    statusSet: number,
    statusClear: number,
  ): Outcome;
  /** scanned, matched, done, gone, failed; also after close(). */
  progress(): [number, number, number, number, number];
  /** The netlink port that its changes come from; 0 until they can. */
  portid(): number;
  /** Why flows failed: the first few. */
  failures(): Outcome[];
}

export interface NativeSubscription extends NativeReader {
  /** `groups`: bit n is multicast group n; `queueLimit` in events. */
  start(
    control: NativeControl,
    groups: number,
    receiveBuffer: number,
    queueLimit: number,
    /** Of flows only. */
    filter: Uint32Array | undefined,
    /** An array of struct sock_filter, or nothing. */
    socketFilter: Uint8Array,
    maxReceiveBuffer: number,
    reliable: boolean,
  ): Outcome;
  /** Whether the kernel delivers events, or why it does not; undefined until that is known. */
  started(): Outcome | undefined;
  /** received, filtered, kernelDrops, queueDrops, malformed, gaps, queued, receiveBuffer, reliable */
  statistics(): [number, number, number, number, number, number, number, number, number];
}

/** A mirror; as a reader it has no batches, and tells only how it ended. */
export interface NativeMirror extends NativeReader {
  /**
   * `scope` matches what may come to match `filter`, by what of a flow never changes; `pattern` is the
   * kernel's part of it. `resyncInterval` in ms, 0: none.
   */
  start(
    control: NativeControl,
    pattern: Uint8Array,
    markMask: number,
    statusMask: number,
    scope: Uint32Array | undefined,
    filter: Uint32Array | undefined,
    socketFilter: Uint8Array,
    receiveBuffer: number,
    maxReceiveBuffer: number,
    reliable: boolean,
    maxFlows: number,
    resyncInterval: number,
  ): Outcome;
  /** Where find() finds a FlowRecord that is a key, and puts one with its tail behind it. */
  buffers(key: Uint8Array, answer: Uint8Array): void;
  /** Whether the first dump is in it, or why it never will be; undefined until that is known. */
  started(): Outcome | undefined;
  /** -1: it has ended. */
  size(): number;
  consistent(): boolean;
  /** How many bytes the answer has, even if the buffer has less; 0: no such flow; -1: it has ended. */
  find(): number;
  /** Flows of the parts from `part` on, and the next part, -1 if there is none. */
  list(part: number, filter: Uint32Array | undefined): [next: number, batch: Uint8Array];
  /**
   * flows, kept, bytes, received, filtered, malformed, kernelDrops, gaps, dumps, failedDumps, synthetic,
   * asked, lastDump (ns), receiveBuffer, reliable, dumping
   */
  statistics(): number[];
}

export interface NativeMirrorChanges extends NativeReader {
  /** `eventKinds`: bit n is Kind n; 0: changes instead of events. `filter` is of events. */
  start(
    mirror: NativeMirror,
    queueLimit: number,
    eventKinds: number,
    filter: Uint32Array | undefined,
  ): Outcome;
  /** received, filtered, synthetic, coalesced, queueDrops, gaps, queued */
  statistics(): [number, number, number, number, number, number, number];
}

/**
 * What a formatter wants to know: `style` 0 line, 1 XML, 2 save, 3 JSON; `flags` 1 extended, 2 id, 4
 * timestamp, 8 ktimestamp; `verb` the letter of a command, or 0; `now` in ms since the epoch; `labels` a
 * name a line, bit 0 first; `programs` port ids, each followed by the name of its program.
 */
export type NativeFormat = readonly [
  style: number,
  flags: number,
  verb: number,
  now: number | undefined,
  labels: string | undefined,
  programs: readonly (number | string)[],
];

/** `record` with its tail behind it; `kind`, `portid` and `time` (ms since the epoch) are the event's. */
type FormatOne = (
  record: string,
  kind: number,
  portid: number,
  time: number,
  ...format: NativeFormat
) => string;
/** A line of each item of a batch. */
type FormatAll = (batch: Uint8Array, ...format: NativeFormat) => Uint8Array;

export interface Native {
  readonly layoutVersion: string;
  readonly formatFlow: FormatOne;
  readonly formatFlows: FormatAll;
  readonly formatExpectation: FormatOne;
  readonly formatExpectations: FormatAll;
  readonly Control: new () => NativeControl;
  readonly FlowDump: new () => NativeDump;
  readonly FlowSweep: new () => NativeSweep;
  readonly FlowSubscription: new () => NativeSubscription;
  readonly ExpectationSubscription: new () => NativeSubscription;
  readonly FlowMirror: new () => NativeMirror;
  readonly MirrorChanges: new () => NativeMirrorChanges;
}

const PACKAGE_ROOT = join(__dirname, '..');

/* eslint-disable @typescript-eslint/no-require-imports -- both loaders are CommonJS without types, and
   must not run before the addon is needed: on other systems the package still loads */
function fromBuild(): Native {
  const bindings = require('bindings') as (options: object) => Native;
  return bindings({ bindings: 'nfconntrack', module_root: PACKAGE_ROOT });
}

function fromPrebuild(): Native {
  const nodeGypBuild = require('node-gyp-build') as (root: string) => Native;
  return nodeGypBuild(PACKAGE_ROOT);
}
/* eslint-enable @typescript-eslint/no-require-imports */

/** Where `bindings` found no file at all it lists what it tried; any other failure is of a file it found. */
function isNotBuilt(error: unknown): boolean {
  return error instanceof Error && 'tries' in error;
}

function find(): Native {
  try {
    return fromBuild();
  } catch (error) {
    if (!isNotBuilt(error)) throw error;
    return fromPrebuild();
  }
}

function explain(cause: unknown): ConntrackError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const library = /(lib[\w.-]+\.so[\w.]*): cannot open shared object file/.exec(text)?.[1];
  if (library !== undefined) {
    return new ConntrackError(`cannot load the nfconntrack addon: ${library} is not installed`, {
      code: 'ERR_DLOPEN_FAILED',
      hint: 'install it: apt-get install libmnl0 libnetfilter-conntrack3',
      cause,
    });
  }
  return new ConntrackError(`cannot load the nfconntrack addon: ${text.split('\n')[0] ?? ''}`, {
    code: 'ERR_DLOPEN_FAILED',
    hint: 'build it with `npm run build` in the package (needs libmnl-dev, libnetfilter-conntrack-dev, pkg-config, g++, make, python3)',
    cause,
  });
}

function load(): Native {
  if (process.platform !== 'linux') {
    throw new ConntrackError(
      `connection tracking is a part of Linux; this is ${process.platform}`,
      {
        code: 'ENOSYS',
      },
    );
  }
  let native: Native;
  try {
    native = find();
  } catch (error) {
    throw explain(error);
  }
  if (native.layoutVersion !== LAYOUT_VERSION) {
    throw new ConntrackError(
      `the nfconntrack addon (layout ${native.layoutVersion}) is not of this version of the package (${LAYOUT_VERSION})`,
      { code: 'ERR_DLOPEN_FAILED', hint: 'build both together: npm run build' },
    );
  }
  return native;
}

let loaded: Native | undefined;

/** The addon, loaded at the first call. Throws a ConntrackError that says what is missing. */
export function native(): Native {
  loaded ??= load();
  return loaded;
}
