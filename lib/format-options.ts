import { LabelMap } from './labels';
import type { NativeFormat } from './native';
import { mustBe, oneOf, optionalBoolean, options } from './options';

export interface FormatOptions {
  /** Begin a line with the family (`-o extended`). XML always has it. */
  extended?: boolean;
  /** Print the id in a line (`-o id`). XML always has it. */
  id?: boolean;
  /** Print when an event happened, by the local clock (`-o timestamp`). */
  timestamp?: boolean;
  /**
   * Print when the flow began and ended (`-o ktimestamp`), which the kernel tells with the sysctl
   * nf_conntrack_timestamp.
   */
  ktimestamp?: boolean;
  /** Print the labels by these names (`-o labels`); bits without a name are left out. */
  labels?: LabelMap | undefined;
  /**
   * ms since the epoch, now unless said: with nf_conntrack_timestamp a flow is printed with the seconds that it
   * has lasted.
   */
  now?: number;
  /** The program behind a netlink port, printed of events: `programOf`, or one of your own. */
  progname?: ((portid: number) => string | undefined) | undefined;
}

export type FormatKind = 'line' | 'xml' | 'save' | 'json';

/** @internal */
export interface BatchFormatOptions extends FormatOptions {
  /** Of `save`: what the lines are to do; what an event says unless given. */
  verb?: 'A' | 'U' | 'D' | undefined;
}

const KNOWN = [
  'extended',
  'id',
  'timestamp',
  'ktimestamp',
  'labels',
  'now',
  'progname',
  'verb',
] as const;
const STYLES: Readonly<Record<FormatKind, number>> = { line: 0, xml: 1, save: 2, json: 3 };
const FLAGS = [
  ['extended', 1],
  ['id', 2],
  ['timestamp', 4],
  ['ktimestamp', 8],
] as const;
const HIGHEST_LABEL = 127;
/** In ms since the epoch: native code counts ns in 64 bits. */
const MAX_TIME = 18_446_744_073_708;

/** @internal A time that native code can take. */
export function timeOf(name: string, value: unknown): number {
  if (typeof value !== 'number') throw mustBe(name, 'a number', value);
  if (value >= 0 && value <= MAX_TIME) return value;
  throw new RangeError(`${name} must be ms since the epoch, up to ${MAX_TIME}, not ${value}`);
}

/** The text of a map as native code takes it; a map never changes. */
const labelTexts = new WeakMap<LabelMap, string>();

function textOf(labels: LabelMap): string {
  let text = labelTexts.get(labels);
  if (text === undefined) {
    const names = new Map(labels);
    text = Array.from({ length: HIGHEST_LABEL + 1 }, (_, bit) => names.get(bit) ?? '').join('\n');
    labelTexts.set(labels, text);
  }
  return text;
}

function labelText(labels: unknown): string | undefined {
  if (labels === undefined) return undefined;
  if (!(labels instanceof LabelMap)) throw mustBe('options.labels', 'a LabelMap', labels);
  return textOf(labels);
}

function flagBits(asked: FormatOptions): number {
  return FLAGS.filter(([name]) => optionalBoolean(`options.${name}`, asked[name]) === true).reduce(
    (bits, [, bit]) => bits | bit,
    0,
  );
}

function programs(
  portids: Iterable<number>,
  progname: FormatOptions['progname'],
): (number | string)[] {
  if (progname === undefined) return [];
  if (typeof progname !== 'function') throw mustBe('options.progname', 'a function', progname);
  return [...new Set(portids)].flatMap((portid) => {
    const name = portid === 0 ? undefined : progname(portid);
    return name === undefined ? [] : [portid, name];
  });
}

/** @internal Checked, for what comes from `portids`. */
export function nativeFormat(
  kind: FormatKind,
  given: BatchFormatOptions | undefined,
  portids: Iterable<number>,
): NativeFormat {
  const asked = options('options', given, KNOWN);
  const { now, verb } = asked;
  return [
    STYLES[kind],
    flagBits(asked),
    verb === undefined ? 0 : oneOf('options.verb', verb, ['A', 'U', 'D']).charCodeAt(0),
    now === undefined ? undefined : timeOf('options.now', now),
    labelText(asked.labels),
    programs(portids, asked.progname),
  ];
}
