/** Which options go with which command: data, and the walk that finds the first violation. */
import { usage } from './failure';
import { type Command, type Option, OPTIONS, type Table } from './option-table';

/** `R` is required, `o` may be given, `P` is of a pair that is required, `-` is illegal. */
type Legality = string;

/** A column of the tables: a command on flows, or one on expectations. */
export type Verb =
  | Command
  | `expect-${'list' | 'create' | 'delete' | 'get' | 'flush' | 'event' | 'count' | 'stats'}`;

export function verbOf(command: Command, table: Table): Verb {
  return table === 'expect' && command !== 'version' && command !== 'help'
    ? (`expect-${command}` as Verb)
    : command;
}

/** What a row's columns are of; every option is illegal with the commands that are not here. */
const COLUMNS: readonly Verb[] = [
  'list', 'create', 'add', 'update', 'delete', 'get', 'flush', 'event', 'help', 'expect-list', 'expect-create',
  'expect-delete', 'expect-get', 'expect-event',
]; // prettier-ignore

/* prettier-ignore */
const OPTION_ROWS: Readonly<Record<Option, Legality>> = {
  //             LIAUDGFEh LIDGE
  'src':         'oPPooP-o--RRR-',
  'dst':         'oPPooP-o--RRR-',
  'reply-src':   'oPPooP-o--ooo-',
  'reply-dst':   'oPPooP-o--ooo-',
  'protonum':    'oRRooR-oo-RRR-',
  'timeout':     '-RRoo-----R---',
  'status':      'ooooo-----o---',
  'zero':        'o-------------',
  'event-mask':  '-------o------',
  'tuple-src':   '----------R---',
  'tuple-dst':   '----------R---',
  'mask-src':    'o--oo--o--R---',
  'mask-dst':    'o--oo--o--R---',
  'nat-range':   '-oo-----------',
  'mark':        'ooooo--o------',
  'id':          '---ooo--------',
  'family':      'o--oo-oo-o----',
  'src-nat':     'ooooo--o------',
  'dst-nat':     'ooooo--o------',
  'output':      'o--ooo-o-o---o',
  'secmark':     'o------o------',
  'buffer-size': '-------o------',
  'any-nat':     'o------o------',
  'zone':        'ooo-o--o------',
  'label':       'o--ooo-o------',
  'label-add':   '-ooo----------',
  'label-del':   '---o----------',
  'orig-zone':   'ooo-o--o------',
  'reply-zone':  'ooo-o--o------',
  'labelmap':    'o--oo--o------',
};

/** One option or protocol option as a walk sees it. */
export interface Checked {
  /** As messages call it. */
  readonly name: string;
  readonly given: boolean;
  readonly rule: string;
}

/** Throws for the first that is missing or illegal. */
export function walk(checked: readonly Checked[]): void {
  for (const { name, given, rule } of checked) {
    if (!given && rule === 'R')
      throw usage(`You need to supply the \`--${name}' option for this command`);
    if (given && rule === '-') throw usage(`Illegal option \`--${name}' with this command`);
  }
}

/** Pairs of which one must be given as a whole, and what to say if none is. */
export interface Pair {
  readonly names: readonly [string, string];
  readonly message: string;
}

/** Throws unless one pair is whole; the message is that of the first one that is begun, or the first. */
export function requirePair(pairs: readonly Pair[], given: (name: string) => boolean): void {
  if (pairs.some(({ names }) => names.every(given))) return;
  const begun = pairs.find(({ names }) => names.some(given)) ?? pairs[0];
  throw usage(begun?.message ?? '');
}

const ADDRESS_PAIRS: readonly Pair[] = [
  { names: ['src', 'dst'], message: "you have to specify `--src' and `--dst'" },
  {
    names: ['reply-src', 'reply-dst'],
    message: "you have to specify `--reply-src' and `--reply-dst'",
  },
];

/** Throws for the first option that must not be there, or must be and is not; without a command none may be. */
export function checkOptions(verb: Verb | undefined, given: ReadonlySet<string>): void {
  const column = verb === undefined ? -1 : COLUMNS.indexOf(verb);
  const rules = OPTIONS.map((name) => OPTION_ROWS[name][column] ?? '-');
  walk(OPTIONS.map((name, index) => ({ name, given: given.has(name), rule: rules[index] ?? '-' })));
  if (rules.includes('P')) requirePair(ADDRESS_PAIRS, (name) => given.has(name));
}
