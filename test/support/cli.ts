/** The installed conntrack(8) as a second opinion: its table, taken apart line by line. */
import type { TestNamespace } from './netns';

/** One direction, with the words of the line: numbers are parsed, nothing is added. */
export interface CliTuple {
  src: string;
  dst: string;
  sport?: number;
  dport?: number;
  icmpType?: number;
  icmpCode?: number;
  icmpId?: number;
  srckey?: number;
  dstkey?: number;
  zone?: number;
  packets?: bigint;
  bytes?: bigint;
}

export interface CliFlow {
  /** "ipv4", "ipv6" */
  family: string;
  /** AF_INET, AF_INET6 */
  l3num: number;
  /** "tcp", "unknown" */
  protocol: string;
  protonum: number;
  timeout?: number;
  state?: string;
  orig: CliTuple;
  reply: CliTuple;
  /** The words in brackets: UNREPLIED, and one of HW_OFFLOAD, OFFLOAD, ASSURED. */
  flags: string[];
  mark?: number;
  secmark?: number;
  secctx?: string;
  zone?: number;
  /** Seconds since the flow began. */
  deltaTime?: number;
  /** ms since the epoch, whole seconds; with nf_conntrack_timestamp. */
  start?: number;
  stop?: number;
  helper?: string;
  use?: number;
  id?: number;
  /** Names of connlabel.conf; bits without a name are not in the line. */
  labels?: string[];
  /** The line itself. */
  line: string;
}

const HEAD = /^(\S+) +(\d+) (\S+) +(\d+) (?:(\d+) )?(?:([A-Z][A-Z0-9_]*) )?/;
const TIME = /\[(start|stop)=([^\]]*)\]/g;
const FLAG = /\[([A-Z_]+)\]/g;
/** Label names may hold blanks, and stand last. */
const LABELS = / labels(?:=(.*))?$/;

const TUPLE_NUMBERS: Record<string, 'sport' | 'dport' | 'icmpType' | 'icmpCode' | 'icmpId'> = {
  sport: 'sport',
  dport: 'dport',
  type: 'icmpType',
  code: 'icmpCode',
  id: 'icmpId',
};

/** Lists a namespace's table with everything that conntrack(8) shows. */
export function listByCli(namespace: TestNamespace, filter: readonly string[] = []): CliFlow[] {
  const args = ['-L', ...filter, '-o', 'extended,id,ktimestamp,labels'];
  // The times are printed in the local zone, without its name.
  const lines = namespace.exec('conntrack', args, { env: { TZ: 'UTC' } }).split('\n');
  return lines.filter((line) => line !== '').map(parseCliLine);
}

/** The number of flows, by `conntrack -C`. */
export function countByCli(namespace: TestNamespace): number {
  return Number(namespace.exec('conntrack', ['-C']));
}

/** A line of `conntrack -L -o extended,id,ktimestamp,labels`, printed with TZ=UTC. */
export function parseCliLine(line: string): CliFlow {
  const head = HEAD.exec(line);
  if (head === null) throw new Error(`not a line of conntrack: ${line}`);
  const [, family = '', l3num, protocol = '', protonum, timeout, state] = head;
  const labels = LABELS.exec(line);
  const body = line.slice(head[0].length, labels?.index);
  const { orig, reply, rest } = splitDirections(wordsOf(body));
  return {
    family,
    l3num: Number(l3num),
    protocol,
    protonum: Number(protonum),
    ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
    ...(state === undefined ? {} : { state }),
    orig: parseTuple(orig),
    reply: parseTuple(reply),
    flags: [...body.matchAll(FLAG)].map(([, flag = '']) => flag),
    ...parseRest(rest),
    ...parseTimes(body),
    ...(labels === null ? {} : { labels: namesOf(labels[1]) }),
    line,
  };
}

function namesOf(list: string | undefined): string[] {
  return list === undefined || list === '' ? [] : list.split(',');
}

type Word = [name: string, value: string];

function wordsOf(body: string): Word[] {
  const plain = body.replaceAll(TIME, '').replaceAll(FLAG, '');
  return [...plain.matchAll(/(\S+?)=(\S*)/g)].map(([, name = '', value = '']) => [name, value]);
}

/** Words that belong to a direction; `id` and `zone` also stand behind both, for the flow. */
const OF_TUPLE = new Set([
  ...['src', 'dst', 'sport', 'dport', 'type', 'code', 'id', 'srckey', 'dstkey'],
  ...['zone-orig', 'zone-reply', 'packets', 'bytes'],
]);

function splitDirections(words: Word[]): { orig: Word[]; reply: Word[]; rest: Word[] } {
  const starts = words.flatMap(([name], i) => (name === 'src' ? [i] : []));
  const [first = 0, second = words.length] = starts;
  const behind = words.findIndex(([name], i) => i > second && !OF_TUPLE.has(name));
  const end = behind === -1 ? words.length : behind;
  return {
    orig: words.slice(first, second),
    reply: words.slice(second, end),
    rest: words.slice(end),
  };
}

function parseTuple(words: Word[]): CliTuple {
  const tuple: CliTuple = { src: '', dst: '' };
  for (const [name, value] of words) setTupleWord(tuple, name, value);
  return tuple;
}

function setTupleWord(tuple: CliTuple, name: string, value: string): void {
  const number = TUPLE_NUMBERS[name];
  if (number !== undefined) tuple[number] = Number(value);
  else if (name === 'src' || name === 'dst') tuple[name] = value;
  else if (name === 'srckey' || name === 'dstkey') tuple[name] = Number(value);
  else if (name === 'packets' || name === 'bytes') tuple[name] = BigInt(value);
  else tuple.zone = Number(value);
}

function parseRest(words: Word[]): Partial<CliFlow> {
  const flow: Partial<CliFlow> = {};
  for (const [name, value] of words) {
    if (name === 'mark' || name === 'secmark' || name === 'zone') flow[name] = Number(value);
    else if (name === 'use' || name === 'id') flow[name] = Number(value);
    else if (name === 'secctx' || name === 'helper') flow[name] = value;
    else if (name === 'delta-time') flow.deltaTime = Number(value);
    else throw new Error(`conntrack printed an unknown word: ${name}=${value}`);
  }
  return flow;
}

function parseTimes(body: string): { start?: number; stop?: number } {
  const times: { start?: number; stop?: number } = {};
  for (const [, name, value = ''] of body.matchAll(TIME)) {
    times[name === 'stop' ? 'stop' : 'start'] = Date.parse(`${value} UTC`);
  }
  return times;
}
