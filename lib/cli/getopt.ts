/**
 * getopt_long(3) as the GNU C library has it: options and operands in any order, long options by any
 * unambiguous prefix, bundles of short ones. Scripts depend on all of it.
 */

/** An optional argument is glued to its option, never a word of its own. */
export type Takes = 'nothing' | 'optional' | 'argument';

export interface LongOption {
  readonly name: string;
  readonly takes: Takes;
  /** What next() reports; two names of one option have the same. */
  readonly code: string;
  /** Not found by a prefix: of ours alone, so that the original's prefixes stay unambiguous. */
  readonly exact?: boolean;
}

/** Short options, by their letter. */
export type ShortOptions = Readonly<Record<string, Takes>>;

export type Found =
  | { readonly kind: 'option'; readonly code: string; readonly argument: string | undefined }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'missing' };

/** Walks over `argv`, whose first word is the program, and moves operands behind the options. */
export class Getopt {
  readonly argv: string[];
  /** The next word to look at; whoever takes a word of its own moves it on. */
  index = 1;
  readonly #short: ShortOptions;
  readonly #permute: boolean;
  #rest = '';
  /** Operands that were passed over: words from #firstOperand up to, not with, #lastOperand. */
  #firstOperand = 1;
  #lastOperand = 1;

  constructor(argv: readonly string[], short: ShortOptions, posixlyCorrect: boolean) {
    this.argv = [...argv];
    this.#short = short;
    this.#permute = !posixlyCorrect;
  }

  /** The word before the one to look at next: what messages call the option. */
  get word(): string {
    return this.argv[this.index - 1] ?? '';
  }

  /** The next option; undefined: none is left. */
  next(long: readonly LongOption[]): Found | undefined {
    if (this.#rest !== '') return this.#shortOption();
    const word = this.#nextWord();
    if (word === undefined) return undefined;
    if (word.startsWith('--')) {
      this.index += 1;
      return this.#longOption(word.slice(2), long);
    }
    this.#rest = word.slice(1);
    return this.#shortOption();
  }

  /** The next word that is an option, with the operands before it moved behind what was read. */
  #nextWord(): string | undefined {
    this.#lastOperand = Math.min(this.#lastOperand, this.index);
    this.#firstOperand = Math.min(this.#firstOperand, this.index);
    if (this.#permute) this.#passOperands();
    const word = this.argv[this.index];
    if (word === '--') {
      this.index += 1;
      this.#gather();
      this.#lastOperand = this.argv.length;
      this.index = this.argv.length;
    }
    if (this.index >= this.argv.length) {
      if (this.#firstOperand !== this.#lastOperand) this.index = this.#firstOperand;
      return undefined;
    }
    return word !== undefined && isOption(word) ? word : undefined;
  }

  #passOperands(): void {
    this.#gather();
    while (this.index < this.argv.length && !isOption(this.argv[this.index] ?? '')) this.index += 1;
    this.#lastOperand = this.index;
  }

  /** Moves the operands that were passed over behind the options read since. */
  #gather(): void {
    const [first, last, index] = [this.#firstOperand, this.#lastOperand, this.index];
    if (first !== last && last !== index) {
      const operands = this.argv.slice(first, last);
      const options = this.argv.slice(last, index);
      this.argv.splice(first, index - first, ...options, ...operands);
      this.#firstOperand = first + options.length;
      this.#lastOperand = index;
    } else if (last !== index) {
      this.#firstOperand = index;
    }
  }

  #longOption(text: string, long: readonly LongOption[]): Found {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const given = equals < 0 ? undefined : text.slice(equals + 1);
    const option = findLong(name, long);
    if (option === undefined) return { kind: 'unknown' };
    if (option.takes === 'nothing') {
      if (given !== undefined) return { kind: 'unknown' };
      return { kind: 'option', code: option.code, argument: undefined };
    }
    if (option.takes === 'optional') return { kind: 'option', code: option.code, argument: given };
    return this.#withArgument(option.code, given);
  }

  #shortOption(): Found {
    const letter = this.#rest.charAt(0);
    this.#rest = this.#rest.slice(1);
    if (this.#rest === '') this.index += 1;
    const takes = this.#short[letter];
    if (takes === undefined) return { kind: 'unknown' };
    if (takes === 'nothing') return { kind: 'option', code: letter, argument: undefined };
    const glued = this.#rest;
    if (glued === '') {
      if (takes === 'optional') return { kind: 'option', code: letter, argument: undefined };
      return this.#withArgument(letter, undefined);
    }
    this.#rest = '';
    this.index += 1;
    return { kind: 'option', code: letter, argument: glued };
  }

  #withArgument(code: string, given: string | undefined): Found {
    if (given !== undefined) return { kind: 'option', code, argument: given };
    const argument = this.argv[this.index];
    if (argument === undefined) return { kind: 'missing' };
    this.index += 1;
    return { kind: 'option', code, argument };
  }
}

/** A lone `-` is an operand. */
function isOption(word: string): boolean {
  return word.startsWith('-') && word !== '-';
}

/** The option of exactly this name, or the only one that begins with it. */
function findLong(name: string, long: readonly LongOption[]): LongOption | undefined {
  const exact = long.find((option) => option.name === name);
  if (exact !== undefined) return exact;
  const begun = long.filter((option) => option.exact !== true && option.name.startsWith(name));
  const [first] = begun;
  return begun.every((option) => option.code === first?.code && option.takes === first.takes)
    ? first
    : undefined;
}
