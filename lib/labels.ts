import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';

import { ConntrackError, errorOf } from './errors';
import { integer, mustBe, string } from './options';

/** Where iptables and conntrack(8) have it. */
const DEFAULT_PATH = '/etc/xtables/connlabel.conf';

/** XT_CONNLABEL_MAXBIT */
const MAX_BIT = 127;
/** The most that libnetfilter_conntrack reads; a name of a bit beyond the kernel's is taken all the same. */
const MAX_FILE_BIT = 1023;

/** A number as strtoul() takes it with base 0, and the name behind it. */
const LINE = /^\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)[ \t\r\f\v]*(.*?)[ \t\r\f\v]*$/;
const NAME = /^[A-Za-z0-9 -]+$/;

type Entry = readonly [bit: number, name: string];

/** In C's notation: 0x10, 020 and 16 are one number. */
function numberOf(digits: string): number {
  return /^0[0-7]/.test(digits) ? parseInt(digits, 8) : Number(digits);
}

function parseLine(line: string): Entry | undefined {
  const [, digits = '', name = ''] = LINE.exec(line) ?? [];
  if (line.startsWith('#') || digits === '' || !NAME.test(name)) return undefined;
  const bit = numberOf(digits);
  return bit > MAX_FILE_BIT ? undefined : [bit, name];
}

/** A bit has one name and a name one bit: what comes first stays. */
function parse(text: string): { names: Map<number, string>; bits: Map<string, number> } {
  const names = new Map<number, string>();
  const bits = new Map<string, number>();
  for (const line of text.split('\n')) {
    const entry = parseLine(line);
    if (entry === undefined || names.has(entry[0]) || bits.has(entry[1])) continue;
    names.set(...entry);
    bits.set(entry[1], entry[0]);
  }
  return { names, bits };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { errno, syscall = 'read' } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error; // Of Node's own making: no path that could be opened.
    if (-errno === constants.errno.ENOENT) return undefined;
    const context = { attempt: `read the labels in ${path}`, hint: 'it must be a readable file' };
    throw errorOf([-errno, syscall, ''], context);
  }
}

/**
 * The names of label bits, as iptables (`-m connlabel`) and conntrack(8) know them: a file of lines such as
 * `0 eth0-in`, a bit from 0 to 127 and a name of letters, digits, blanks and `-`. Lines that begin with `#`
 * and lines that are no such pair are skipped.
 *
 * ```ts
 * const labels = await LabelMap.load();
 * labels.names(flow.labels); // ['eth0-in']
 * ct.flows({ labels: labels.bits(['eth0-in', 'voip']) });
 * ```
 */
export class LabelMap implements Iterable<[bit: number, name: string]> {
  readonly #path: string;
  readonly #found: boolean;
  readonly #names: ReadonlyMap<number, string>;
  readonly #bits: ReadonlyMap<string, number>;

  private constructor(path: string, text: string | undefined) {
    const { names, bits } = parse(text ?? '');
    this.#path = path;
    this.#found = text !== undefined;
    this.#names = new Map([...names].filter(([bit]) => bit <= MAX_BIT).sort(([a], [b]) => a - b));
    this.#bits = bits;
  }

  /** Reads the file; where there is none the map is empty. */
  static async load(path: string = DEFAULT_PATH): Promise<LabelMap> {
    const file = string('path', path);
    return new LabelMap(file, await readIfThere(file));
  }

  get size(): number {
    return this.#names.size;
  }

  /** The name of a bit; undefined: it has none. */
  name(bit: number): string | undefined {
    return this.#names.get(integer('bit', bit, 0, MAX_BIT));
  }

  has(name: string): boolean {
    return (this.#bits.get(string('name', name)) ?? Infinity) <= MAX_BIT;
  }

  /** The bit of a name. ENOENT: the file has no such name, or there is no file. */
  bit(name: string): number {
    const bit = this.#bits.get(string('name', name));
    if (bit === undefined || bit > MAX_BIT) throw this.#unknown(name, bit);
    return bit;
  }

  /** The bits of names, as filters and changes take them; fails as bit() does. */
  bits(names: readonly string[]): number[] {
    if (!Array.isArray(names)) throw mustBe('names', 'an array of names', names);
    return (names as readonly string[]).map((name, index) =>
      this.bit(string(`names[${index}]`, name)),
    );
  }

  /** The names of bits, such as a flow's labels; a bit without a name is left out. */
  names(bits: readonly number[] = []): string[] {
    if (!Array.isArray(bits)) throw mustBe('bits', 'an array of numbers', bits);
    return (bits as readonly number[]).flatMap((bit, index) => {
      const name = this.#names.get(integer(`bits[${index}]`, bit, 0, MAX_BIT));
      return name === undefined ? [] : [name];
    });
  }

  /** In the order of the bits. */
  entries(): IterableIterator<[bit: number, name: string]> {
    return this.#names.entries();
  }

  [Symbol.iterator](): IterableIterator<[bit: number, name: string]> {
    return this.entries();
  }

  #unknown(name: string, bit: number | undefined): ConntrackError {
    const message = `there is no label ${JSON.stringify(name)}`;
    const hint = this.#hint(bit);
    return new ConntrackError(`${message}; ${hint}`, { code: 'ENOENT', hint });
  }

  #hint(bit: number | undefined): string {
    if (!this.#found) {
      return `there is no file ${this.#path}; make it, of lines such as "0 eth0-in", or use the numbers of bits`;
    }
    if (bit === undefined) return `${this.#path} names ${this.size} of them`;
    return `in ${this.#path} it is bit ${bit}, and the kernel has bits 0 to ${MAX_BIT}`;
  }
}
