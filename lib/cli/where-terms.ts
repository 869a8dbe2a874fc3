/** What the words of a filter expression ask of a flow, each checked where it stands. */
import { familyOf } from '../address';
import { closest } from '../closest';
import type { DirectionFilter, Filter, StatusFlags } from '../filter';
import { protocolNumber } from '../protocol';
import { stateCodes } from '../state';
import { statusBit } from '../status';
import { unsigned } from './c-numbers';

/** Throws what is wrong with a value. */
type Complain = (message: string) => Error;

/** A value, or a comparison with it. */
export interface Value {
  readonly sign: '=' | '<' | '<=' | '>' | '>=';
  readonly text: string;
  readonly complain: Complain;
}

/** What the values of a term ask for; several hold if one of them does. */
export type Term = (values: readonly Value[]) => Filter;

type NumberRange = readonly [from: number, to: number];

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const LARGEST = Number.MAX_SAFE_INTEGER;

function number(text: string, max: number, complain: Complain): number {
  const value = unsigned(text, max);
  if (value === undefined) throw complain(`\`${text}' is no number from 0 to ${max}`);
  return value;
}

function written(text: string, max: number, complain: Complain): NumberRange {
  const [first = '', last, ...more] = text.split('-');
  if (first === '' || last === '' || more.length > 0)
    throw complain(`\`${text}' is no number and no range`);
  const from = number(first, max, complain);
  const to = last === undefined ? from : number(last, max, complain);
  if (from > to) throw complain(`the range \`${text}' ends before it begins`);
  return [from, to];
}

/** Undefined: nothing is so small. */
function rangeOf({ sign, text, complain }: Value, max: number): NumberRange | undefined {
  if (sign === '=') return written(text, max, complain);
  const bound = number(text, max, complain);
  switch (sign) {
    case '<':
      return bound === 0 ? undefined : [0, bound - 1];
    case '<=':
      return [0, bound];
    case '>':
      return bound === max ? undefined : [bound + 1, max];
    case '>=':
      return [bound, max];
  }
}

function ranges(values: readonly Value[], max: number): NumberRange[] {
  return values.map((value) => rangeOf(value, max)).filter((range) => range !== undefined);
}

function plainTexts(values: readonly Value[]): string[] {
  return values.map(({ sign, text, complain }) => {
    if (sign !== '=') throw complain(`\`${sign}' compares numbers only`);
    return text;
  });
}

function address({ text, complain }: Value): string {
  const [literal = '', prefix, ...more] = text.split('/');
  const family = familyOf(literal);
  if (family === undefined || more.length > 0) {
    throw complain(`\`${text}' is no address and no network`);
  }
  const bits = family === 'ipv4' ? 32 : 128;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) {
    throw complain(`the prefix of \`${text}' must be a number from 0 to ${bits}`);
  }
  return text;
}

type Side = 'orig' | 'reply';

function numbers(
  member: 'timeout' | 'id' | 'zone' | 'port' | 'bytes' | 'packets',
  max: number,
): Term {
  return (values) => ({ [member]: ranges(values, max) });
}

function sided(side: Side, member: keyof DirectionFilter, max: number): Term {
  return (values) => ({ [side]: { [member]: ranges(values, max) } });
}

function addresses(place: (found: string[]) => Filter): Term {
  return (values) => {
    plainTexts(values);
    return place(values.map(address));
  };
}

const protocol: Term = (values) => {
  plainTexts(values);
  return {
    protocol: values.map(({ text, complain }) => {
      const found = protocolNumber(text);
      if (found === undefined) throw complain(`\`${text}' is no protocol, by name or number`);
      return found;
    }),
  };
};

const state: Term = (values) => {
  plainTexts(values);
  return {
    state: values.map(({ text, complain }) => {
      const name = text.toUpperCase() === 'LISTEN' ? 'SYN_SENT2' : text.toUpperCase();
      if (stateCodes(name).length === 0) throw complain(`\`${text}' is no state`);
      return name as 'NONE';
    }),
  };
};

/** The conditions that a status word stands for; undefined: it is none. */
export function flagOf(word: string): Filter | undefined {
  const name = word.toUpperCase();
  if (name === 'UNREPLIED') return { status: { none: 'SEEN_REPLY' } };
  return statusBit(name) === undefined ? undefined : { status: { all: name as StatusFlags } };
}

const status: Term = (values) => {
  plainTexts(values);
  return {
    or: values.map(({ text, complain }) => {
      const flag = flagOf(text);
      if (flag === undefined) throw complain(`\`${text}' is no status`);
      return flag;
    }),
  };
};

const mark: Term = (values) => {
  plainTexts(values);
  return {
    or: values.map(({ text, complain }) => {
      const [first = '', last] = text.split('/');
      const value = number(first, U32, complain);
      const mask = last === undefined ? U32 : number(last, U32, complain);
      if ((value & ~mask) !== 0) throw complain(`\`${text}' has bits that its mask has not`);
      return { mark: { value, mask } };
    }),
  };
};

const family: Term = (values) => {
  plainTexts(values);
  return {
    or: values.map(({ text, complain }) => {
      if (text !== 'ipv4' && text !== 'ipv6') throw complain(`the family is ipv4 or ipv6`);
      return { family: text };
    }),
  };
};

const nat: Term = (values) => {
  plainTexts(values);
  return {
    or: values.map(({ text, complain }) => {
      const kind = (['src', 'dst', 'any', 'none'] as const).find((each) => each === text);
      if (kind === undefined) throw complain('nat is src, dst, any or none');
      return { nat: kind };
    }),
  };
};

const helper: Term = (values) => ({ helper: plainTexts(values) });

function label(bitOf: (name: string) => number | undefined): Term {
  return (values) => {
    plainTexts(values);
    return {
      or: values.map(({ text, complain }) => {
        const bit = bitOf(text) ?? unsigned(text, 127);
        if (bit === undefined) throw complain(`there is no label \`${text}'`);
        return { labels: bit };
      }),
    };
  };
}

/** Terms of one direction, by their words; the options' names of the reply direction follow from them. */
const SIDED: readonly (readonly [word: string, member: keyof DirectionFilter, max: number])[] = [
  ['sport', 'sport', U16],
  ['port-src', 'sport', U16],
  ['dport', 'dport', U16],
  ['port-dst', 'dport', U16],
  ['icmp-type', 'icmpType', U8],
  ['icmp-code', 'icmpCode', U8],
  ['icmp-id', 'icmpId', U16],
  ['icmpv6-type', 'icmpType', U8],
  ['icmpv6-code', 'icmpCode', U8],
  ['icmpv6-id', 'icmpId', U16],
  ['srckey', 'srckey', U16],
  ['dstkey', 'dstkey', U16],
  ['packets', 'packets', LARGEST],
  ['bytes', 'bytes', LARGEST],
];

function sidedTerms(side: Side): Map<string, Term> {
  const terms = new Map(SIDED.map(([word, member, max]) => [word, sided(side, member, max)]));
  terms.set(
    'src',
    addresses((src) => ({ [side]: { src } })),
  );
  terms.set(
    'dst',
    addresses((dst) => ({ [side]: { dst } })),
  );
  terms.set('zone', sided(side, 'zone', U16));
  return terms;
}

/** All terms by their words. What has a direction is the original one's, unless `reply` or `orig` says it. */
export function termsOf(bitOf: (name: string) => number | undefined): ReadonlyMap<string, Term> {
  const [orig, reply] = [sidedTerms('orig'), sidedTerms('reply')];
  return new Map<string, Term>([
    ...orig,
    ...[...orig].map(([word, term]) => [`orig-${word}`, term] as const),
    ...[...reply].map(([word, term]) => [`reply-${word}`, term] as const),
    ['proto', protocol],
    ['protonum', protocol],
    ['family', family],
    ['address', addresses((found) => ({ address: found }))],
    ['port', numbers('port', U16)],
    ['state', state],
    ['status', status],
    ['mark', mark],
    ['zone', numbers('zone', U16)],
    ['packets', numbers('packets', LARGEST)],
    ['bytes', numbers('bytes', LARGEST)],
    ['timeout', numbers('timeout', U32)],
    ['id', numbers('id', U32)],
    ['nat', nat],
    ['helper', helper],
    ['label', label(bitOf)],
  ]);
}

/** Words that are a condition by themselves. */
export const BARE: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['src-nat', { nat: 'src' }],
  ['dst-nat', { nat: 'dst' }],
  ['any-nat', { nat: 'any' }],
  ['ipv4', { family: 'ipv4' }],
  ['ipv6', { family: 'ipv6' }],
]);

/** A word that is like one that is not known. */
export function meant(word: string, known: Iterable<string>): string {
  const found = closest(word.toLowerCase(), [...known]);
  return found === undefined ? '' : `, did you mean \`${found}'?`;
}
