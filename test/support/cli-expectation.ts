/** The installed conntrack(8) as a second opinion on expectations. */
import type { TestNamespace } from './netns';

export interface CliEnds {
  src: string;
  dst: string;
  /** Absent where the protocol has no ports. */
  sport?: number;
  dport?: number;
}

export interface CliExpectation {
  timeout: number;
  protonum: number;
  tuple: CliEnds;
  mask: CliEnds;
  master: CliEnds;
  /** PERMANENT, INACTIVE, USERSPACE */
  flags: string[];
  class: number;
  helper?: string;
  /** The line itself. */
  line: string;
}

type Version = 'ipv4' | 'ipv6';

/** `conntrack -L expect`, which shows one family at a time. */
export function listExpectationsByCli(
  namespace: TestNamespace,
  family: Version = 'ipv4',
): CliExpectation[] {
  const lines = namespace.exec('conntrack', ['-L', 'expect', '-f', family]).split('\n');
  return lines.filter((line) => line !== '').map(parseExpectationLine);
}

type Word = readonly [name: string, value: string];

export function parseExpectationLine(line: string): CliExpectation {
  const words = [...line.matchAll(/(\S+?)=(\S*)/g)].map(([, name = '', value = '']): Word => [
    name,
    value,
  ]);
  const of = (name: string): string | undefined => words.find(([word]) => word === name)?.[1];
  const helper = of('helper');
  return {
    timeout: parseInt(line, 10),
    protonum: Number(of('proto')),
    tuple: endsAt(words, 'src'),
    mask: endsAt(words, 'mask-src'),
    master: endsAt(words, 'master-src'),
    flags: / ([A-Z,]+) class=/.exec(line)?.[1]?.split(',') ?? [],
    class: Number(of('class')),
    ...(helper === undefined ? {} : { helper }),
    line,
  };
}

/** Source, destination, and two ports if there are any, from the word `first` on. */
function endsAt(words: readonly Word[], first: string): CliEnds {
  const start = words.findIndex(([name]) => name === first);
  const [src, dst, sport, dport] = words.slice(start, start + 4);
  const ends = { src: src?.[1] ?? '', dst: dst?.[1] ?? '' };
  if (sport?.[0] !== 'sport' || dport?.[0] !== 'dport') return ends;
  return { ...ends, sport: Number(sport[1]), dport: Number(dport[1]) };
}

export interface CliNewExpectation {
  /** Of UDP: 1.4.7 writes TCP's port where the protocol belongs. */
  tuple: Required<CliEnds>;
  mask: Required<CliEnds>;
  master: Required<CliEnds>;
  timeout: number;
}

/** `conntrack -I expect`, of UDP. */
export function createExpectationByCli(namespace: TestNamespace, made: CliNewExpectation): void {
  const { tuple, mask, master, timeout } = made;
  namespace.exec('conntrack', [
    ...['-I', 'expect', '-p', 'udp', '-t', String(timeout)],
    ...['--orig-src', master.src, '--orig-dst', master.dst],
    ...['--orig-port-src', String(master.sport), '--orig-port-dst', String(master.dport)],
    ...['--tuple-src', tuple.src, '--tuple-dst', tuple.dst],
    ...['--tuple-port-src', String(tuple.sport), '--tuple-port-dst', String(tuple.dport)],
    ...['--mask-src', mask.src, '--mask-dst', mask.dst],
    ...['--mask-port-src', String(mask.sport), '--mask-port-dst', String(mask.dport)],
  ]);
}

/** `conntrack -D expect`, of UDP. Its exit code says nothing: 1 is success. */
export function deleteExpectationByCli(namespace: TestNamespace, tuple: Required<CliEnds>): void {
  namespace.tryExec('conntrack', [
    ...['-D', 'expect', '-p', 'udp', '-s', tuple.src, '-d', tuple.dst],
    ...['--sport', String(tuple.sport), '--dport', String(tuple.dport)],
    // It wants these as well, and the kernel ignores them.
    ...['--reply-port-src', '1', '--reply-port-dst', '2'],
  ]);
}
