/**
 * Which flows a mirror has to keep because they may come to match its filter: those that match it by what
 * of a flow never changes. What may change is taken to be whatever lets the flow match.
 */
import { allOf, anyOf, EVERYTHING, type Leaf, type Node, NOTHING, notOf } from './filter';

/** A flow's tuples, its zones and its id are fixed when it is confirmed. */
function isFixed(leaf: Leaf): boolean {
  if (leaf.kind === 'ipv4' || leaf.kind === 'ipv6') return true;
  return leaf.kind === 'number' && leaf.field !== 'timeout';
}

/** What matches whenever `node` may (or, with `may` false, only when it must). */
function bound(node: Node, may: boolean): Node {
  switch (node.kind) {
    case 'all':
      return allOf(node.nodes.map((inner) => bound(inner, may)));
    case 'any':
      return anyOf(node.nodes.map((inner) => bound(inner, may)));
    case 'not':
      return notOf(bound(node.node, !may));
    default:
      if (isFixed(node)) return node;
      return may ? EVERYTHING : NOTHING;
  }
}

export function scopeOf(tree: Node): Node {
  return bound(tree, true);
}
