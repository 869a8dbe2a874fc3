/** From a filter's tree to the words that native/core/filter.h runs. */
import type { Leaf, Node, Place } from './filter';
import { FilterField, FilterOp, FilterPlace } from './layout';

const HEAD = 2;
const U32 = 0xffff_ffffn;

function node(operation: number, body: readonly number[]): number[] {
  return [operation, body.length + HEAD, ...body];
}

function places(names: readonly Place[]): number {
  return names.reduce((bits, name) => bits | FilterPlace[name], 0);
}

/** A bigint as `count` words, the highest first. */
function words(value: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Number((value >> BigInt(32 * (count - 1 - index))) & U32),
  );
}

function labelWords(bits: readonly number[]): number[] {
  const out = new Array<number>((Math.max(...bits) >> 5) + 1).fill(0);
  for (const bit of bits) out[bit >> 5] = ((out[bit >> 5] ?? 0) | (1 << (bit & 31))) >>> 0;
  return out;
}

function helperWords(name: string): number[] {
  const bytes = Buffer.from(name);
  const padded = Buffer.alloc((bytes.length + 3) & ~3);
  bytes.copy(padded);
  return [bytes.length, ...new Uint32Array(new Uint8Array(padded).buffer)];
}

function leafWords(leaf: Leaf): number[] {
  switch (leaf.kind) {
    case 'number':
      return node(FilterOp.number, [FilterField[leaf.field], ...leaf.ranges.flat()]);
    case 'wide':
      return node(FilterOp.wide, [
        FilterField[leaf.field],
        ...leaf.ranges.flat().flatMap((value) => words(value, 2).reverse()),
      ]);
    case 'mask':
      return node(FilterOp.mask, [FilterField[leaf.field], leaf.value, leaf.mask]);
    case 'ipv4':
      return node(FilterOp.ipv4, [places(leaf.places), ...leaf.ranges.flat().map(Number)]);
    case 'ipv6':
      return node(FilterOp.ipv6, [
        places(leaf.places),
        ...leaf.ranges.flat().flatMap((value) => words(value, 4)),
      ]);
    case 'state':
      return node(
        FilterOp.state,
        leaf.states.map(({ protoinfo, state }) => (protoinfo << 8) | state),
      );
    case 'labels':
      return node(FilterOp.labels, labelWords(leaf.bits));
    case 'helper':
      return node(FilterOp.helper, helperWords(leaf.name));
  }
}

function nodeWords(tree: Node): number[] {
  switch (tree.kind) {
    case 'all':
      return node(FilterOp.all, tree.nodes.flatMap(nodeWords));
    case 'any':
      return node(FilterOp.any, tree.nodes.flatMap(nodeWords));
    case 'not':
      return node(FilterOp.not, nodeWords(tree.node));
    default:
      return leafWords(tree);
  }
}

export function compileFilter(tree: Node): Uint32Array {
  return Uint32Array.from(nodeWords(tree));
}
