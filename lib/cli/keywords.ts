/** Lists of keywords: any case, any prefix, and the two words that are eaten everywhere. */
import { Status } from '../status';
import { usage } from './failure';

type Keywords = readonly (readonly [word: string, value: number])[];

const STATUS: Keywords = [
  ['ASSURED', Status.assured],
  ['SEEN_REPLY', Status.seenReply],
  ['UNSET', 0],
  ['FIXED_TIMEOUT', Status.fixedTimeout],
  ['EXPECTED', Status.expected],
  ['OFFLOAD', Status.offload],
  ['HW_OFFLOAD', Status.hwOffload],
];

export const EventMask = { new: 1, update: 2, destroy: 4 } as const;

const EVENTS: Keywords = [
  ['ALL', EventMask.new | EventMask.update | EventMask.destroy],
  ['NEW', EventMask.new],
  ['UPDATES', EventMask.update],
  ['DESTROY', EventMask.destroy],
];

export const Output = {
  xml: 1,
  extended: 2,
  timestamp: 4,
  id: 8,
  ktimestamp: 16,
  labels: 32,
  save: 64,
  /** Of ours. */
  json: 128,
} as const;

const OUTPUTS: Keywords = [
  ['xml', Output.xml],
  ['extended', Output.extended],
  ['timestamp', Output.timestamp],
  ['id', Output.id],
  ['ktimestamp', Output.ktimestamp],
  ['labels', Output.labels],
  // Everything is tagged that a program has caused, asked or not.
  ['userspace', 0],
  ['save', Output.save],
  ['json', Output.json],
];

/** Words of the original's first years, which any of their prefixes still stands for. */
const EATEN = [
  ['SRC_NAT', 'WARNING: ignoring SRC_NAT, use --src-nat instead'],
  ['DST_NAT', 'WARNING: ignoring DST_NAT, use --dst-nat instead'],
] as const;

type Warn = (line: string) => void;

function isPrefix(word: string, of: string): boolean {
  return of.toLowerCase().startsWith(word.toLowerCase());
}

/** The value of one word; undefined: there is none. */
function valueOf(word: string, keywords: Keywords, warn: Warn): number | undefined {
  const eaten = EATEN.find(([name]) => isPrefix(word, name));
  if (eaten !== undefined) {
    warn(eaten[1]);
    return 0;
  }
  return keywords.find(([name]) => isPrefix(word, name))?.[1];
}

/** The words of a list, each with what is left of the list from there on, which messages show. */
function* wordsOf(list: string): Generator<{ word: string; rest: string; last: boolean }> {
  for (let rest = list; ;) {
    const comma = rest.indexOf(',');
    yield { word: comma < 0 ? rest : rest.slice(0, comma), rest, last: comma < 0 };
    if (comma < 0) return;
    rest = rest.slice(comma + 1);
  }
}

const bad = (rest: string): Error => usage(`Bad parameter \`${rest}'`);

function bitsOf(list: string, keywords: Keywords, warn: Warn): number {
  let bits = 0;
  for (const { word, rest } of wordsOf(list)) {
    const value = word === '' ? undefined : valueOf(word, keywords, warn);
    if (value === undefined) throw bad(rest);
    bits |= value;
  }
  return bits;
}

export function parseEvents(list: string, warn: Warn): number {
  return bitsOf(list, EVENTS, warn);
}

export function parseOutputs(list: string, warn: Warn): number {
  return bitsOf(list, OUTPUTS, warn);
}

export interface StatusWords {
  readonly set: number;
  readonly clear: number;
}

/** `!` negates a word, and UNREPLIED is short for `!SEEN_REPLY`. */
export function parseStatus(list: string, warn: Warn): StatusWords {
  const bits = { set: 0, clear: 0 };
  for (const { word, rest } of wordsOf(list)) {
    if (word.startsWith('UNREPLIED')) {
      bits.clear |= Status.seenReply;
      continue;
    }
    const negated = word.startsWith('!');
    const name = negated ? word.slice(1) : word;
    const value = name === '' ? undefined : valueOf(name, STATUS, warn);
    if (value === undefined) throw bad(negated ? rest.slice(1) : rest);
    bits[negated ? 'clear' : 'set'] |= value;
  }
  return bits;
}
