/**
 * Which flows a mirror has to keep because they may come to match its filter: those that match it by what
 * of a flow never changes. What may change is taken to be whatever lets the flow match.
 */
import type { MirrorRequest } from './control';
import {
  allOf,
  anyOf,
  EVERYTHING,
  isEverything,
  type Leaf,
  type Node,
  NOTHING,
  notOf,
} from './filter';
import { compileFilter } from './filter-program';
import { planOf } from './plan';
import { socketFilter } from './socket-filter';

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

/** What a mirror is, unless said otherwise; ms. */
export const MIRROR_DEFAULTS = { maxFlows: 2 ** 22, resyncInterval: 60_000 };

/** The parts of a scope that the kernel, the socket and the mirror itself evaluate. */
export function mirrorPlan(
  scope: Node,
): Pick<MirrorRequest, 'kernel' | 'scope' | 'socketFilter' | 'filter'> {
  return {
    kernel: planOf(scope).kernel,
    scope: isEverything(scope) ? undefined : compileFilter(scope),
    socketFilter: socketFilter(scope).program,
    filter: undefined,
  };
}
