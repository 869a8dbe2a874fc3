import type { Family } from './address';
import type { State } from './state';
import type { StatusFlag } from './status';

/**
 * A number, an inclusive range `[from, to]` (`to` may be `Infinity`), or a list of numbers and ranges. An
 * array of two numbers is always a range: as a list write `[80, 443, 443]` or `[[80, 80], [443, 443]]`.
 */
export type Numbers =
  | number
  | readonly [from: number, to: number]
  | readonly (number | readonly [from: number, to: number])[];

/** Numbers that may be beyond 2^53-1 and are then bigint. */
export type WideNumbers =
  | number
  | bigint
  | readonly [from: number | bigint, to: number | bigint]
  | readonly (number | bigint | readonly [from: number | bigint, to: number | bigint])[];

/** An address or a network (`10.0.0.0/8`, `2001:db8::/32`), or a list of them, of both families if need be. */
export type Addresses = string | readonly string[];

/** One direction of a flow. */
export interface DirectionFilter {
  src?: Addresses;
  dst?: Addresses;
  /** Of TCP, UDP, UDP-Lite, SCTP and DCCP. */
  sport?: Numbers;
  dport?: Numbers;
  icmpType?: Numbers;
  icmpCode?: Numbers;
  icmpId?: Numbers;
  /** Of GRE. */
  srckey?: Numbers;
  dstkey?: Numbers;
  /** A zone of this direction alone. */
  zone?: Numbers;
  packets?: WideNumbers;
  bytes?: WideNumbers;
}

/** Flags of Status by name (`'assured'`, `'SEEN_REPLY'`), or bits. */
export type StatusFlags = number | StatusFlag | readonly StatusFlag[];

/**
 * Which flows are meant. All members must hold; a list holds if one of its items does. What a flow has no
 * value for holds nothing but `not`. An unknown member is refused, and so is one that is `undefined`: a
 * misspelling must not make a filter match more.
 */
export interface Filter {
  family?: Family;
  /** Names, or numbers as numbers or as text. */
  protocol?: string | number | readonly (string | number)[];
  orig?: DirectionFilter;
  reply?: DirectionFilter;
  /** One of the four addresses. */
  address?: Addresses;
  /** One of the four ports. */
  port?: Numbers;
  /** Names of TCP's, SCTP's and DCCP's states; one that several protocols have means each of them. */
  state?: State | Lowercase<State> | readonly (State | Lowercase<State>)[];
  status?: { all?: StatusFlags; none?: StatusFlags; any?: StatusFlags };
  mark?: number | { value: number; mask: number };
  zone?: Numbers;
  /** Numbers of label bits, all of which must be set. */
  labels?: number | readonly number[];
  nat?: 'src' | 'dst' | 'any' | 'none';
  helper?: string | readonly string[];
  id?: Numbers;
  /** Seconds left. */
  timeout?: Numbers;
  /** Of both directions together. */
  packets?: WideNumbers;
  bytes?: WideNumbers;
  and?: readonly Filter[];
  or?: readonly Filter[];
  not?: Filter;
}

type Range<T> = readonly [from: T, to: T];

/** A filter as a tree, each leaf with the words that explain() uses for it. */
export type Node =
  | { readonly kind: 'all' | 'any'; readonly nodes: readonly Node[] }
  | { readonly kind: 'not'; readonly node: Node }
  | Leaf;

export type Leaf = { readonly text: string } & (
  | {
      readonly kind: 'number';
      readonly field: NumberField;
      readonly ranges: readonly Range<number>[];
    }
  | { readonly kind: 'wide'; readonly field: WideField; readonly ranges: readonly Range<bigint>[] }
  | {
      readonly kind: 'mask';
      readonly field: 'mark' | 'status';
      readonly value: number;
      readonly mask: number;
    }
  | {
      readonly kind: 'ipv4' | 'ipv6';
      readonly places: readonly Place[];
      readonly ranges: readonly Range<bigint>[];
    }
  | { readonly kind: 'state'; readonly states: readonly StateCode[] }
  | { readonly kind: 'labels'; readonly bits: readonly number[] }
  | { readonly kind: 'helper'; readonly name: string }
);

export type Place = 'origSrc' | 'origDst' | 'replySrc' | 'replyDst';

/** Protoinfo, and the state's number in that protocol's table. */
export interface StateCode {
  readonly protoinfo: number;
  readonly state: number;
}

export type NumberField =
  | 'family'
  | 'protonum'
  | 'timeout'
  | 'id'
  | 'zone'
  | 'anyPort'
  | `${'orig' | 'reply'}${'Sport' | 'Dport' | 'Srckey' | 'Dstkey' | 'IcmpType' | 'IcmpCode' | 'IcmpId' | 'Zone'}`;

export type WideField = 'packets' | 'bytes' | `${'orig' | 'reply'}${'Packets' | 'Bytes'}`;

export const EVERYTHING: Node = { kind: 'all', nodes: [] };
export const NOTHING: Node = { kind: 'any', nodes: [] };

export function isLeaf(node: Node): node is Leaf {
  return node.kind !== 'all' && node.kind !== 'any' && node.kind !== 'not';
}

export function isEverything(node: Node): boolean {
  return node.kind === 'all' && node.nodes.length === 0;
}

export function isNothing(node: Node): boolean {
  return node.kind === 'any' && node.nodes.length === 0;
}

/**
 * Whether it says nothing of a flow that is listed. Of events no bits of the mark do say something: not every one
 * has a mark.
 */
export function matchesAll(node: Node): boolean {
  switch (node.kind) {
    case 'all':
      return node.nodes.every(matchesAll);
    case 'any':
      return node.nodes.some(matchesAll);
    case 'mask':
      return node.mask === 0;
    default:
      return false;
  }
}

/** All of `nodes`, without those that say nothing. */
export function allOf(nodes: readonly Node[]): Node {
  const flat = nodes.flatMap((node) => (node.kind === 'all' ? node.nodes : [node]));
  if (flat.some(isNothing)) return NOTHING;
  return flat.length === 1 ? (flat[0] ?? EVERYTHING) : { kind: 'all', nodes: flat };
}

export function anyOf(nodes: readonly Node[]): Node {
  const flat = nodes.flatMap((node) => (node.kind === 'any' ? node.nodes : [node]));
  if (flat.some(isEverything)) return EVERYTHING;
  return flat.length === 1 ? (flat[0] ?? NOTHING) : { kind: 'any', nodes: flat };
}

export function notOf(node: Node): Node {
  if (isEverything(node)) return NOTHING;
  if (isNothing(node)) return EVERYTHING;
  return node.kind === 'not' ? node.node : { kind: 'not', node };
}

/** The filter in words, as explain() shows it. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case 'all':
      return node.nodes.length === 0 ? 'everything' : node.nodes.map(innerText).join(' and ');
    case 'any':
      return node.nodes.length === 0 ? 'nothing' : node.nodes.map(innerText).join(' or ');
    case 'not':
      return `not ${innerText(node.node)}`;
    default:
      return node.text;
  }
}

function innerText(node: Node): string {
  return node.kind === 'all' || node.kind === 'any' ? `(${nodeText(node)})` : nodeText(node);
}
