/** From words to an Invocation; what is wrong is reported as, and in the order in which, the original does. */
import { existsSync } from 'node:fs';

import type { Family } from '../address';
import { ConntrackError } from '../errors';
import type { LabelMap } from '../labels';
import { parseNatAddress, parseNetwork, parsePlainAddress, type NatAddress } from './addresses';
import { atol, unsigned } from './c-numbers';
import { failed, usage } from './failure';
import { Getopt } from './getopt';
import { emptyInvocation, type Invocation, type MarkValue } from './invocation';
import { Output, parseEvents, parseOutputs, parseStatus } from './keywords';
import { checkOptions, type Verb, verbOf } from './legality';
import { lazy } from './lazy';
import {
  COMMANDS,
  LONG_OPTIONS,
  optionOf,
  OWN_OPTIONS,
  SHORT_OPTIONS,
  type Table,
} from './option-table';
import {
  checkProtocolOptions,
  findProtocol,
  protocolLongOptions,
  setProtocolOption,
} from './protocol-options';

/** What parsing needs of the world. */
export interface ParseContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line for stderr, without the program's name. */
  readonly warn: (line: string) => void;
}

/** What is said for the whole program, not for one line of a batch. */
export interface Globals {
  compat: boolean;
  netns: string | number | undefined;
}

/** Where iptables and the original have it. */
const LABELS = '/etc/xtables/connlabel.conf';
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const TABLES: readonly Table[] = ['expect', 'conntrack', 'dying', 'unconfirmed'];

type Setter = (parser: Parser, word: string | undefined) => void | Promise<void>;

/** Options by their codes. */
const SETTERS: Readonly<Record<string, Setter>> = {
  s: (parser, word) => parser.setNetwork('src', 'mask-src', 'src', word),
  d: (parser, word) => parser.setNetwork('dst', 'mask-dst', 'dst', word),
  r: (parser, word) => parser.setAddress('replySrc', 'reply-src', word),
  q: (parser, word) => parser.setAddress('replyDst', 'reply-dst', word),
  '{': (parser, word) => parser.setAddress('maskSrc', 'mask-src', word),
  '}': (parser, word) => parser.setAddress('maskDst', 'mask-dst', word),
  '[': (parser, word) => parser.setNetwork('tupleSrc', 'mask-src', 'tuple-src', word),
  ']': (parser, word) => parser.setNetwork('tupleDst', 'mask-dst', 'tuple-dst', word),
  n: (parser, word) => parser.setNat(['srcNat'], 'src-nat', word),
  g: (parser, word) => parser.setNat(['dstNat'], 'dst-nat', word),
  j: (parser, word) => parser.setNat(['srcNat', 'dstNat'], 'any-nat', word),
  p: (parser, word = '') => parser.setProtocol(word),
  t: (parser, word = '') => parser.setTimeout(word),
  u: (parser, word = '') => parser.setStatus(word),
  e: (parser, word = '') => parser.setEvents(word),
  o: (parser, word = '') => parser.setOutput(word),
  m: (parser, word = '') => parser.setMark(word),
  i: (parser, word = '') => parser.setNumber('id', 'i', word, U32),
  w: (parser, word = '') => parser.setNumber('zone', 'w', word, U16),
  '(': (parser, word = '') => parser.setNumber('origZone', '(', word, U16),
  ')': (parser, word = '') => parser.setNumber('replyZone', ')', word, U16),
  // Nothing compares it, and nothing can set it; its value is checked all the same.
  c: (parser, word = '') => parser.setNumber(undefined, 'c', word, U32),
  b: (parser, word = '') => parser.setBufferSize(word),
  f: (parser, word = '') => parser.setFamilyByName(word),
  l: (parser, word = '') => parser.addLabels('labels', 'label', word),
  '<': (parser, word = '') => parser.addLabels('addLabels', 'label-add', word),
  '>': (parser, word) => parser.deleteLabels(word),
  M: (parser, word = '') => parser.loadLabelMap(word),
  a: (parser) => parser.ignore('a'),
  z: () => undefined,
};

/** Options whose word is theirs only if it stands apart and begins neither with `-` nor with `!`. */
const OPTIONAL_WORD = new Set(['n', 'g', 'j', '>']);

class Parser {
  readonly invocation = emptyInvocation();
  readonly globals: Globals;
  readonly #context: ParseContext;
  readonly #getopt: Getopt;
  #long = LONG_OPTIONS;
  #hasCommand = false;
  #protocolChosen = false;

  constructor(argv: readonly string[], context: ParseContext, globals: Globals) {
    this.#context = context;
    this.globals = globals;
    this.#getopt = new Getopt(argv, SHORT_OPTIONS, context.env['POSIXLY_CORRECT'] !== undefined);
  }

  /** Undefined: there is no command. */
  async parse(): Promise<Invocation | undefined> {
    for (let found = this.#getopt.next(this.#long); found; found = this.#getopt.next(this.#long)) {
      if (found.kind === 'unknown') throw usage(`unknown option \`${this.#getopt.word}'`);
      if (found.kind === 'missing') {
        throw usage(`option \`${this.#getopt.word}' requires an argument`);
      }
      await this.#take(found.code, found.argument);
    }
    return this.#finish();
  }

  async #take(code: string, argument: string | undefined): Promise<void> {
    const command = COMMANDS[code];
    if (command !== undefined) {
      this.#setCommand(code, argument);
      return;
    }
    if (OWN_OPTIONS.includes(code)) {
      this.#setOwn(code, argument ?? '');
      return;
    }
    if (this.#takeOfProtocol(code, argument ?? '')) return;
    const word = argument ?? (OPTIONAL_WORD.has(code) ? this.#optionalWord() : undefined);
    await SETTERS[code]?.(this, word);
    const option = optionOf(code);
    if (option !== undefined && option !== 'nat-range') this.invocation.given.add(option);
  }

  #takeOfProtocol(code: string, word: string): boolean {
    const { protocol, values, sloppy } = this.invocation;
    const taken = setProtocolOption(protocol, code, word, values);
    if (taken?.clean === false) sloppy.push(taken);
    return taken !== undefined;
  }

  #optionalWord(): string | undefined {
    const word = this.#getopt.argv[this.#getopt.index];
    if (word === undefined || word.startsWith('-') || word.startsWith('!')) return undefined;
    this.#getopt.index += 1;
    return word;
  }

  #setCommand(code: string, glued: string | undefined): void {
    if (this.#hasCommand) throw usage('Invalid commands combination');
    this.#hasCommand = true;
    const command = COMMANDS[code] ?? 'help';
    const word = glued ?? this.#optionalWord();
    const table = word === undefined ? 'conntrack' : tableOf(word);
    if (table === 'dying' || table === 'unconfirmed') {
      if (command !== 'list' && command !== 'version' && command !== 'help') {
        throw usage("Can't do that command with tables `dying' and `unconfirmed'");
      }
    }
    if (table === 'expect' && (command === 'update' || command === 'add')) {
      throw usage(`Can't do --${command} on expectations`);
    }
    Object.assign(this.invocation, { command, table, verb: verbOf(command, table) });
  }

  #setOwn(code: string, word: string): void {
    const { invocation, globals } = this;
    if (code === 'compat') globals.compat = true;
    if (code === 'netns') globals.netns = /^\d+$/.test(word) ? Number(word) : word;
    if (code === 'where') invocation.where = word;
    if (code === 'explain') invocation.explain = true;
    if (code === 'dry-run') invocation.dryRun = true;
  }

  #setFamily(family: Family): void {
    const { invocation } = this;
    if (invocation.family !== undefined && invocation.family !== family) {
      throw usage('mismatched address family');
    }
    invocation.family = family;
  }

  setFamilyByName(word: string): void {
    const family = (['ipv4', 'ipv6'] as const).find((name) => word.startsWith(name));
    if (family === undefined) throw usage(`\`${word}' unsupported protocol`);
    this.#setFamily(family);
  }

  setNetwork(
    member: 'src' | 'dst' | 'tupleSrc' | 'tupleDst',
    mask: string,
    name: string,
    word = '',
  ): void {
    const network = parseNetwork(word);
    this.#setFamily(network.family);
    this.invocation[member] = network;
    // A network is its address and a mask, and as illegal as a mask is.
    if (network.prefix !== undefined) this.invocation.given.add(mask);
    if (network.emptyPrefix) this.invocation.sloppy.push({ name, word });
  }

  setAddress(
    member: 'replySrc' | 'replyDst' | 'maskSrc' | 'maskDst',
    name: string,
    word = '',
  ): void {
    const address = parsePlainAddress(name, word);
    this.#setFamily(address.family);
    this.invocation[member] = address;
  }

  setNat(members: readonly ('srcNat' | 'dstNat')[], name: string, word: string | undefined): void {
    const nat: NatAddress = parseNatAddress(name, word);
    if (nat.address !== undefined) this.#setFamily(nat.address.family);
    for (const member of members) this.invocation[member] = nat;
  }

  setProtocol(word: string): void {
    const protocol = findProtocol(word);
    this.invocation.protocol = protocol;
    this.#protocolChosen = true;
    this.#long = [...LONG_OPTIONS, ...protocolLongOptions(protocol)];
  }

  setTimeout(word: string): void {
    this.invocation.timeout = Number(BigInt.asUintN(32, atol(word)));
    if (unsigned(word, U32) === undefined) this.invocation.sloppy.push({ name: 'timeout', word });
  }

  setStatus(word: string): void {
    const { set, clear } = parseStatus(word, this.#context.warn);
    const { status } = this.invocation;
    this.invocation.status = { set: set | (status?.set ?? 0), clear: clear | (status?.clear ?? 0) };
  }

  setEvents(word: string): void {
    this.invocation.events = (this.invocation.events ?? 0) | parseEvents(word, this.#context.warn);
  }

  setOutput(word: string): void {
    const output = this.invocation.output | parseOutputs(word, this.#context.warn);
    this.invocation.output = output;
    if ((output & Output.save) !== 0 && output !== Output.save) {
      throw failed('cannot combine save output with any other output type, use -o save only');
    }
    if ((output & Output.json) !== 0 && (output & Output.xml) !== 0) {
      throw failed('cannot combine json output with xml, use one of them');
    }
  }

  setMark(word: string): void {
    const mark = parseMark(word);
    if (mark === undefined) throw unexpected(word, 'm');
    this.invocation.mark = mark;
  }

  setNumber(
    member: 'id' | 'zone' | 'origZone' | 'replyZone' | undefined,
    letter: string,
    word: string,
    max: number,
  ): void {
    const number = unsigned(word, max);
    if (number === undefined) throw unexpected(word, letter);
    if (member !== undefined) this.invocation[member] = number;
  }

  setBufferSize(word: string): void {
    this.invocation.bufferSize = Number(atol(word));
  }

  async addLabels(member: 'labels' | 'addLabels', option: string, word: string): Promise<void> {
    const labels = await this.#labelMap();
    // The original checks both orders.
    const other = option === 'label-add' && this.invocation.given.has('label-del');
    if (other) throw bothLabels();
    this.invocation[member].push(...namesOf(word).map((name) => labelBit(labels, name)));
  }

  async deleteLabels(word: string | undefined): Promise<void> {
    const labels = await this.#labelMap();
    if (this.invocation.given.has('label-add')) throw bothLabels();
    if (word === undefined) return;
    this.invocation.deleteLabels.push(...namesOf(word).map((name) => labelBit(labels, name)));
  }

  async loadLabelMap(path: string): Promise<void> {
    if (this.invocation.given.has('labelmap')) {
      throw usage("option `--labelmap' can only be specified once");
    }
    this.invocation.labelMap = await loadLabels(path, this.#context.warn);
  }

  async #labelMap(): Promise<LabelMap> {
    return (this.invocation.labelMap ??= await loadLabels(LABELS, this.#context.warn));
  }

  ignore(letter: string): void {
    this.#context.warn(`WARNING: ignoring -${letter}, deprecated option.`);
  }

  async #finish(): Promise<Invocation | undefined> {
    const { invocation } = this;
    const { given, verb, protocol, values, output } = invocation;
    if (given.has('any-nat') && (given.has('src-nat') || given.has('dst-nat'))) {
      throw usage("cannot specify `--src-nat' or `--dst-nat' with `--any-nat'");
    }
    checkOptions(this.#hasCommand ? verb : undefined, withoutJson(invocation));
    if (!this.#hasCommand) return undefined;
    if (this.#protocolChosen) checkProtocolOptions(protocol, verb, values);
    if ((output & Output.labels) !== 0) await this.#labelMap();
    return invocation;
  }
}

/** Commands that have no output of the original's to choose from print JSON all the same. */
const JSON_TOO: readonly Verb[] = ['count', 'stats', 'expect-count', 'expect-stats', 'expect-get'];

function withoutJson({ given, verb, output }: Invocation): ReadonlySet<string> {
  if (output !== Output.json || !JSON_TOO.includes(verb)) return given;
  return new Set([...given].filter((option) => option !== 'output'));
}

function tableOf(word: string): Table {
  const table = TABLES.find((name) => name.startsWith(word));
  if (table === undefined) throw usage(`unknown type \`${word}'`);
  return table;
}

function unexpected(word: string, letter: string): Error {
  return failed(`unexpected value '${word}' with -${letter} option`);
}

/** `value` or `value/mask`; `value/` has the mask 0. */
function parseMark(word: string): MarkValue | undefined {
  const [text = '', maskText, ...more] = word.split('/');
  const value = unsigned(text, U32);
  const mask = maskText === undefined ? U32 : maskText === '' ? 0 : unsigned(maskText, U32);
  if (value === undefined || mask === undefined || more.length > 0) return undefined;
  return { value, mask };
}

function bothLabels(): Error {
  return failed('cannot use --label-add and --label-del at the same time');
}

/** strtok(3): empty names are passed over. */
function namesOf(list: string): string[] {
  const names = list.split(',').filter((name) => name !== '');
  if (names.length === 0) throw usage(`unknown label '${list}'`);
  return names;
}

function labelBit(labels: LabelMap, name: string): number {
  if (!labels.has(name)) throw usage(`unknown label '${name}'`);
  return labels.bit(name);
}

async function loadLabels(path: string, warn: (line: string) => void): Promise<LabelMap> {
  try {
    if (!existsSync(path)) warn('nfct_labelmap_new: No such file or directory');
    return await lazy.labels().LabelMap.load(path);
  } catch (error) {
    if (!(error instanceof ConntrackError)) throw error;
    throw failed(error.message);
  }
}

/** Reads a command line whose first word is the program; undefined: it has no command. */
export function parseInvocation(
  argv: readonly string[],
  context: ParseContext,
  globals: Globals,
): Promise<Invocation | undefined> {
  return new Parser(argv, context, globals).parse();
}
