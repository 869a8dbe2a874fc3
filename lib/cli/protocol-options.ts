/** Options that a protocol brings with it, which exist behind its `-p` only. */
import { readFileSync } from 'node:fs';

import { Protoinfo } from '../layout';
import { stateCodes } from '../state';
import { atoi, plain, strtoul, unsigned } from './c-numbers';
import { usage } from './failure';
import type { LongOption } from './getopt';
import { type Checked, type Pair, requirePair, type Verb, walk } from './legality';

/** What the options of protocols set. */
export interface ProtocolValues {
  sport?: number;
  dport?: number;
  replySport?: number;
  replyDport?: number;
  maskSport?: number;
  maskDport?: number;
  tupleSport?: number;
  tupleDport?: number;
  icmpType?: number;
  icmpCode?: number;
  icmpId?: number;
  state?: string;
  origVtag?: number;
  replyVtag?: number;
  /** 0 of the client, 1 of the server. */
  role?: number;
}

type ValueName = keyof ProtocolValues;

/** The columns of a protocol's table of legality. */
type Column = 'match' | 'update' | 'make' | 'get' | 'expect-make' | 'expect-match';

const COLUMNS: readonly Column[] = [
  'match',
  'update',
  'make',
  'get',
  'expect-make',
  'expect-match',
];

function columnOf(verb: Verb): Column | undefined {
  switch (verb) {
    case 'list':
    case 'event':
    case 'delete':
      return 'match';
    case 'update':
    case 'get':
      return verb;
    case 'create':
    case 'add':
      return 'make';
    case 'expect-create':
      return 'expect-make';
    case 'expect-delete':
    case 'expect-get':
      return 'expect-match';
    default:
      return undefined;
  }
}

type Parse = (word: string) => number | string;

interface ProtocolOption {
  readonly value: ValueName;
  /** As messages call it. */
  readonly name: string;
  readonly aliases: readonly string[];
  /** By column: required, optional, of a pair, illegal. */
  readonly rules: string;
  readonly parse: Parse;
  /** Whether a word says what it seems to; what does not is 0 or cut off. */
  readonly clean: (word: string) => boolean;
}

export interface Protocol {
  /** Undefined: a protocol that has no options. */
  readonly name: string | undefined;
  readonly number: number;
  readonly options: readonly ProtocolOption[];
  readonly pairs: readonly Pair[];
}

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;

const port: Parse = (word) => atoi(word, 16);
const key: Parse = (word) => Number(BigInt.asUintN(16, strtoul(word).value));
const isPlain = (max: number) => (word: string) => plain(word, max) !== undefined;
const isKey = (word: string): boolean => unsigned(word, U16) !== undefined;
const always = (): boolean => true;

function option(
  [value, name, ...aliases]: readonly [ValueName, string, ...string[]],
  rules: string,
  parse: Parse,
  clean: (word: string) => boolean,
): ProtocolOption {
  return { value, name, aliases, rules, parse, clean };
}

// Columns:                -L -E -D, -U, -I -A, -G, -I expect, -D -G expect
function portOptions(): ProtocolOption[] {
  const clean = isPlain(U16);
  return [
    option(['sport', 'sport', 'orig-port-src'], 'ooPPRR', port, clean),
    option(['dport', 'dport', 'orig-port-dst'], 'ooPPRR', port, clean),
    option(['replySport', 'reply-port-src'], 'ooPP-R', port, clean),
    option(['replyDport', 'reply-port-dst'], 'ooPP-R', port, clean),
    option(['maskSport', 'mask-port-src'], '----R-', port, clean),
    option(['maskDport', 'mask-port-dst'], '----R-', port, clean),
    option(['tupleSport', 'tuple-port-src'], '----R-', port, clean),
    option(['tupleDport', 'tuple-port-dst'], '----R-', port, clean),
  ];
}

function keyOptions(): ProtocolOption[] {
  return [
    option(['sport', 'srckey', 'orig-key-src'], 'ooPPRR', key, isKey),
    option(['dport', 'dstkey', 'orig-key-dst'], 'ooPPRR', key, isKey),
    option(['replySport', 'reply-key-src'], 'ooPPRR', key, isKey),
    option(['replyDport', 'reply-key-dst'], 'ooPPRR', key, isKey),
    option(['maskSport', 'mask-key-src'], '----R-', key, isKey),
    option(['maskDport', 'mask-key-dst'], '----R-', key, isKey),
    option(['tupleSport', 'tuple-key-src'], '----R-', key, isKey),
    option(['tupleDport', 'tuple-key-dst'], '----R-', key, isKey),
  ];
}

function icmpOptions(name: 'icmp' | 'icmpv6'): ProtocolOption[] {
  return [
    option(['icmpType', `${name}-type`], 'ooRR--', (word) => atoi(word, 8), isPlain(U8)),
    option(['icmpCode', `${name}-code`], 'ooRR--', (word) => atoi(word, 8), isPlain(U8)),
    option(['icmpId', `${name}-id`], 'oooo--', port, isPlain(U16)),
  ];
}

function portPairs(reply: string): Pair[] {
  return [
    { names: ['sport', 'dport'], message: "you have to specify `--sport' and `--dport'" },
    { names: ['replySport', 'replyDport'], message: reply },
  ];
}

const PORT_PAIRS = portPairs("you have to specify `--reply-src-port' and `--reply-dst-port'");
const DCCP_PAIRS = portPairs("you have to specify `--reply-port-src' and `--report-port-dst'");
const GRE_PAIRS: readonly Pair[] = [
  { names: ['sport', 'dport'], message: "you have to specify `--srckey' and `--dstkey'" },
  {
    names: ['replySport', 'replyDport'],
    message: "you have to specify `--reply-src-key' and `--reply-dst-key'",
  },
];

/** A state of the protocol; `unknown` begins the message about another word. */
function state(
  protocol: 'TCP' | 'SCTP' | 'DCCP',
  unknown: string,
  refused: readonly string[] = [],
): Parse {
  const protoinfo = Protoinfo[protocol.toLowerCase() as 'tcp' | 'sctp' | 'dccp'];
  return (word) => {
    // Another name of the same state.
    const name = protocol === 'TCP' && word === 'LISTEN' ? 'SYN_SENT2' : word;
    const codes = stateCodes(name).filter((code) => code.protoinfo === protoinfo);
    if (codes.length === 0 || refused.includes(name)) throw usage(`${unknown} state \`${word}'`);
    return name;
  };
}

function role(word: string): number {
  const index = ['client', 'server'].findIndex((name) => name.startsWith(word.toLowerCase()));
  if (index < 0 || word === '') throw usage(`Unknown DCCP role \`${word}'`);
  return index;
}

const vtag: Parse = (word) => atoi(word, 32);

const TCP_OPTIONS = [
  ...portOptions(),
  option(['state', 'state'], 'ooRo--', state('TCP', 'unknown TCP'), always),
];
const SCTP_OPTIONS = [
  ...portOptions(),
  option(
    ['state', 'state'],
    'ooRo--',
    state('SCTP', 'unknown SCTP', ['HEARTBEAT_SENT', 'HEARTBEAT_ACKED']),
    always,
  ),
  option(['origVtag', 'orig-vtag'], '-oRoR-', vtag, isPlain(U32)),
  option(['replyVtag', 'reply-vtag'], '-oRoR-', vtag, isPlain(U32)),
];
const DCCP_OPTIONS = [
  ...portOptions(),
  option(['state', 'state'], 'ooRo--', state('DCCP', 'Unknown DCCP'), always),
  option(['role', 'role'], '--RoR-', role, always),
];

const KNOWN: readonly Protocol[] = [
  { name: 'tcp', number: 6, options: TCP_OPTIONS, pairs: PORT_PAIRS },
  { name: 'udp', number: 17, options: portOptions(), pairs: PORT_PAIRS },
  { name: 'udplite', number: 136, options: portOptions(), pairs: PORT_PAIRS },
  { name: 'icmp', number: 1, options: icmpOptions('icmp'), pairs: [] },
  { name: 'icmpv6', number: 58, options: icmpOptions('icmpv6'), pairs: [] },
  { name: 'sctp', number: 132, options: SCTP_OPTIONS, pairs: PORT_PAIRS },
  { name: 'dccp', number: 33, options: DCCP_OPTIONS, pairs: DCCP_PAIRS },
  { name: 'gre', number: 47, options: keyOptions(), pairs: GRE_PAIRS },
];

export const PROTOCOLS = KNOWN;

/** getprotobyname(3), as far as /etc/protocols has it. */
function systemProtocol(name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync('/etc/protocols', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [official, number, ...aliases] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    if (number !== undefined && [official, ...aliases].includes(name)) return Number(number);
  }
  return undefined;
}

/** A protocol by name or number. One that /etc/protocols alone knows has no options, whatever its number. */
export function findProtocol(word: string): Protocol {
  const named = KNOWN.find(({ name }) => name === word.toLowerCase());
  if (named !== undefined) return named;
  const system = systemProtocol(word);
  if (system !== undefined) return { name: undefined, number: system, options: [], pairs: [] };
  const number = unsigned(word, U8);
  if (number === undefined) throw usage(`\`${word}' unsupported protocol`);
  return (
    KNOWN.find((protocol) => protocol.number === number) ?? {
      name: undefined,
      number,
      options: [],
      pairs: [],
    }
  );
}

const CODE = 'protocol:';

export function protocolLongOptions({ options }: Protocol): LongOption[] {
  return options.flatMap(({ value, name, aliases }) =>
    [name, ...aliases].map((each) => ({ name: each, takes: 'argument', code: CODE + value })),
  );
}

export interface ProtocolWord {
  readonly name: string;
  readonly word: string;
  /** It says what it seems to. */
  readonly clean: boolean;
}

/** Takes an option of the protocol; undefined: the code is none of it. */
export function setProtocolOption(
  protocol: Protocol | undefined,
  code: string,
  word: string,
  values: ProtocolValues,
): ProtocolWord | undefined {
  const found = protocol?.options.find(({ value }) => CODE + value === code);
  if (found === undefined) return undefined;
  Object.assign(values, { [found.value]: found.parse(word) });
  return { name: found.name, word, clean: found.clean(word) };
}

/** Throws for the first option of the protocol that must not be there, or must be and is not. */
export function checkProtocolOptions(
  protocol: Protocol | undefined,
  verb: Verb,
  values: ProtocolValues,
): void {
  const column = columnOf(verb);
  if (protocol === undefined || column === undefined) return;
  const place = COLUMNS.indexOf(column);
  const rules = protocol.options.map(({ rules: all }) => all[place] ?? '-');
  const checked: Checked[] = protocol.options.map(({ name, value }, index) => ({
    name,
    given: values[value] !== undefined,
    rule: rules[index] ?? '-',
  }));
  walk(checked);
  if (rules.includes('P')) {
    requirePair(protocol.pairs, (name) => values[name as ValueName] !== undefined);
  }
}
