/** The options of the command line, but for those of the protocols. */
import type { LongOption, ShortOptions, Takes } from './getopt';

export type Command =
  | 'list' | 'create' | 'add' | 'update' | 'delete' | 'get' | 'flush' | 'event' | 'count' | 'stats' | 'version'
  | 'help'; // prettier-ignore

export type Table = 'conntrack' | 'expect' | 'dying' | 'unconfirmed';

/** By the letters of the commands; also in the order in which a batch file's messages know them. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  L: 'list',
  I: 'create',
  U: 'update',
  D: 'delete',
  G: 'get',
  F: 'flush',
  E: 'event',
  V: 'version',
  h: 'help',
  C: 'count',
  S: 'stats',
  A: 'add',
};

export const LETTERS = Object.fromEntries(
  Object.entries(COMMANDS).map(([letter, command]) => [command, letter]),
) as Readonly<Record<Command, string>>;

/** Options that the tables of legality know, in the order in which those look at them. */
export const OPTIONS = [
  'src', 'dst', 'reply-src', 'reply-dst', 'protonum', 'timeout', 'status', 'zero', 'event-mask', 'tuple-src',
  'tuple-dst', 'mask-src', 'mask-dst', 'nat-range', 'mark', 'id', 'family', 'src-nat', 'dst-nat', 'output',
  'secmark', 'buffer-size', 'any-nat', 'zone', 'label', 'label-add', 'label-del', 'orig-zone', 'reply-zone',
  'labelmap',
] as const; // prettier-ignore

export type Option = (typeof OPTIONS)[number];

/** An option's code (its letter, where it has one), whether it takes a value, and its names. */
type Row = readonly [code: string, takes: Takes, ...names: string[]];

/** The order is that of the original's messages about ambiguous prefixes, which name none. */
const ROWS: readonly Row[] = [
  ['L', 'optional', 'dump'],
  ['I', 'optional', 'create'],
  ['D', 'optional', 'delete'],
  ['U', 'optional', 'update'],
  ['G', 'optional', 'get'],
  ['F', 'optional', 'flush'],
  ['E', 'optional', 'event'],
  ['C', 'optional', 'counter'],
  ['S', 'nothing', 'stats'],
  ['A', 'optional', 'add'],
  ['V', 'nothing', 'version'],
  ['h', 'nothing', 'help'],
  ['s', 'argument', 'src', 'orig-src'],
  ['d', 'argument', 'dst', 'orig-dst'],
  ['r', 'argument', 'reply-src'],
  ['q', 'argument', 'reply-dst'],
  ['p', 'argument', 'protonum'],
  ['t', 'argument', 'timeout'],
  ['u', 'argument', 'status'],
  ['z', 'nothing', 'zero'],
  ['e', 'argument', 'event-mask'],
  ['[', 'argument', 'tuple-src'],
  [']', 'argument', 'tuple-dst'],
  ['{', 'argument', 'mask-src'],
  ['}', 'argument', 'mask-dst'],
  ['a', 'argument', 'nat-range'],
  ['m', 'argument', 'mark'],
  ['c', 'argument', 'secmark'],
  ['i', 'argument', 'id'],
  ['f', 'argument', 'family'],
  ['n', 'optional', 'src-nat'],
  ['g', 'optional', 'dst-nat'],
  ['j', 'optional', 'any-nat'],
  ['o', 'argument', 'output'],
  ['b', 'argument', 'buffer-size'],
  ['w', 'argument', 'zone'],
  ['l', 'argument', 'label'],
  ['<', 'argument', 'label-add'],
  ['>', 'optional', 'label-del'],
  ['(', 'argument', 'orig-zone'],
  [')', 'argument', 'reply-zone'],
  ['M', 'argument', 'labelmap'],
];

/** Options of ours, which have no letter and no abbreviation. */
const OWN_ROWS: readonly Row[] = [
  ['compat', 'nothing', 'compat'],
  ['netns', 'argument', 'netns'],
  ['where', 'argument', 'where'],
  ['explain', 'nothing', 'explain'],
  ['dry-run', 'nothing', 'dry-run'],
];

export const OWN_OPTIONS = OWN_ROWS.map(([code]) => code);

function longOptions(rows: readonly Row[], exact: boolean): LongOption[] {
  return rows.flatMap(([code, takes, ...names]) =>
    names.map((name) => ({ name, takes, code, exact })),
  );
}

export const LONG_OPTIONS: readonly LongOption[] = [
  ...longOptions(ROWS, false),
  ...longOptions(OWN_ROWS, true),
];

/** A short command takes no value: `-Lo xml` is a bundle. */
export const SHORT_OPTIONS: ShortOptions = Object.fromEntries(
  ROWS.map(([code, takes]) => [code, code in COMMANDS ? 'nothing' : takes]),
);

/** The first name of an option, by its code. */
const NAMES = new Map(ROWS.map(([code, , name = '']) => [code, name]));

export function optionOf(code: string): Option | undefined {
  const name = NAMES.get(code);
  return OPTIONS.find((option) => option === name);
}
