/**
 * Filter expressions: `proto tcp and dport in (80, 443, 8000-8100) and not src in 10.0.0.0/8`. `not` binds
 * closest, then `and`, then `or`; parentheses group.
 */
import type { Filter } from '../filter';
import { mistake, type Token, tokensOf } from './where-lexer';
import { BARE, flagOf, meant, type Term, termsOf, type Value } from './where-terms';

const MOST_NESTED = 12;
const SIGNS = ['=', '==', '<', '<=', '>', '>='] as const;
const WORDS = ['and', 'or', 'not', 'in', 'is'];

class Expression {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #terms: ReadonlyMap<string, Term>;
  #at = 0;
  #depth = 0;

  constructor(text: string, terms: ReadonlyMap<string, Term>) {
    this.#text = text;
    this.#tokens = tokensOf(text);
    this.#terms = terms;
  }

  parse(): Filter {
    const filter = this.#or();
    const token = this.#token;
    if (token.kind === 'end') return filter;
    throw this.#wrong(token, `\`${token.text}' where \`and' or \`or' should be`);
  }

  get #token(): Token {
    const end = { text: '', kind: 'end', at: this.#text.length } as const;
    return this.#tokens[this.#at] ?? end;
  }

  #take(): Token {
    const token = this.#token;
    this.#at += 1;
    return token;
  }

  #takeIf(text: string): boolean {
    const token = this.#token;
    if (token.kind === 'quoted' || token.text.toLowerCase() !== text) return false;
    this.#at += 1;
    return true;
  }

  #wrong({ at }: Token, message: string): Error {
    return mistake(this.#text, at, message);
  }

  #or(): Filter {
    const filters = [this.#and()];
    while (this.#takeIf('or')) filters.push(this.#and());
    return filters.length === 1 ? (filters[0] ?? {}) : { or: filters };
  }

  #and(): Filter {
    const filters = [this.#not()];
    while (this.#takeIf('and')) filters.push(this.#not());
    return filters.length === 1 ? (filters[0] ?? {}) : { and: filters };
  }

  #not(): Filter {
    if (this.#takeIf('not')) return { not: this.#nested(() => this.#not()) };
    const open = this.#token;
    if (!this.#takeIf('(')) return this.#term();
    const filter = this.#nested(() => this.#or());
    if (!this.#takeIf(')')) throw this.#wrong(open, 'this parenthesis is not closed');
    return filter;
  }

  #nested(parse: () => Filter): Filter {
    this.#depth += 1;
    if (this.#depth > MOST_NESTED) throw this.#wrong(this.#token, 'this is nested too deep');
    const filter = parse();
    this.#depth -= 1;
    return filter;
  }

  #term(): Filter {
    const token = this.#take();
    const word = token.text.toLowerCase();
    if (token.kind === 'end') throw this.#wrong(token, 'a condition is missing here');
    const side =
      word === 'orig' || word === 'reply' ? `${word}-${this.#take().text.toLowerCase()}` : word;
    const term = this.#terms.get(side);
    // `src-nat` begins as `src` does, and a status flag needs no value.
    const alone = BARE.get(side) ?? (term === undefined ? flagOf(side) : undefined);
    if (alone !== undefined) return alone;
    if (term === undefined) {
      throw this.#wrong(token, `nothing is called \`${token.text}'${this.#suggestion(side)}`);
    }
    return this.#compared(term);
  }

  #suggestion(word: string): string {
    return meant(word, [...this.#terms.keys(), ...BARE.keys(), ...WORDS, 'assured', 'unreplied']);
  }

  #compared(term: Term): Filter {
    if (this.#takeIf('!=')) return { not: term([this.#value('=')]) };
    if (this.#takeIf('in')) return term(this.#list());
    this.#takeIf('is');
    const sign = SIGNS.find((each) => this.#takeIf(each)) ?? '=';
    return term([this.#value(sign === '==' ? '=' : sign)]);
  }

  #list(): Value[] {
    const open = this.#token;
    if (!this.#takeIf('(')) return [this.#value('=')];
    const values = [this.#value('=')];
    while (this.#takeIf(',')) values.push(this.#value('='));
    if (!this.#takeIf(')')) {
      throw this.#wrong(
        this.#token.kind === 'end' ? open : this.#token,
        "the list goes on with `,' or ends with `)'",
      );
    }
    return values;
  }

  #value(sign: Value['sign']): Value {
    const token = this.#take();
    const isValue =
      token.kind === 'quoted' || (token.kind === 'word' && !WORDS.includes(token.text));
    if (!isValue) throw this.#wrong(token, 'a value is missing here');
    return { sign, text: token.text, complain: (message) => this.#wrong(token, message) };
  }
}

/** The filter of an expression; `bitOf` knows the names of labels. */
export function parseWhere(
  expression: string,
  bitOf: (name: string) => number | undefined,
): Filter {
  return new Expression(expression, termsOf(bitOf)).parse();
}
