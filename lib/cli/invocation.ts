/** What a command line asks for. */
import type { Family } from '../address';
import type { LabelMap } from '../labels';
import type { Address, NatAddress, Network } from './addresses';
import type { StatusWords } from './keywords';
import type { Verb } from './legality';
import type { Command, Table } from './option-table';
import type { Protocol, ProtocolValues } from './protocol-options';

/** As -m has it: `(mark & mask) == value`, or the bits of a mark to be set. */
export interface MarkValue {
  readonly value: number;
  readonly mask: number;
}

export interface Invocation {
  command: Command;
  table: Table;
  verb: Verb;
  /** The options that were given, by their first names. */
  given: Set<string>;
  family: Family | undefined;
  protocol: Protocol | undefined;
  values: ProtocolValues;
  src?: Network;
  dst?: Network;
  replySrc?: Address;
  replyDst?: Address;
  maskSrc?: Address;
  maskDst?: Address;
  tupleSrc?: Network;
  tupleDst?: Network;
  srcNat?: NatAddress;
  dstNat?: NatAddress;
  timeout?: number;
  status?: StatusWords;
  mark?: MarkValue;
  id?: number;
  zone?: number;
  origZone?: number;
  replyZone?: number;
  /** Bits of `Output`. */
  output: number;
  /** Bits of `EventMask`; undefined: all. */
  events?: number;
  bufferSize?: number;
  /** Numbers of label bits. */
  labels: number[];
  addLabels: number[];
  /** Empty: all of them. */
  deleteLabels: number[];
  /** Loaded if an option asked for it. */
  labelMap?: LabelMap;
  /** Words that were no number, or too large a one, and have become one all the same. */
  sloppy: { name: string; word: string }[];
  where?: string;
  explain: boolean;
  dryRun: boolean;
}

export function emptyInvocation(): Invocation {
  return {
    command: 'help',
    table: 'conntrack',
    verb: 'help',
    given: new Set(),
    family: undefined,
    protocol: undefined,
    values: {},
    output: 0,
    labels: [],
    addLabels: [],
    deleteLabels: [],
    sloppy: [],
    explain: false,
    dryRun: false,
  };
}
