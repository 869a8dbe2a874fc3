/** What two views of a table have to agree on: which flows there are, and all of them that events tell. */
import type { Flow, FlowEvent, MirrorChange } from '../../lib';
import { testing } from '../support/testing';

export function keyOf(flow: Flow): string {
  const { src, dst, sport, dport, icmpType, icmpCode, icmpId, zone } = flow.orig;
  const ports = [sport, dport, icmpType, icmpCode, icmpId].map((each) => each ?? '');
  return [flow.protocol, src, dst, ...ports, flow.zone, zone ?? ''].join(' ');
}

export function signatureOf(flow: Flow): string {
  const labels = (flow.labels ?? []).join(',');
  const { id, status, mark, state = '', helper = '' } = flow;
  return `id=${id} status=${status} mark=${mark ?? 0} ${state} labels=${labels} helper=${helper}`;
}

export type Content = Map<string, string>;

export function contentOf(flows: Iterable<Flow>): Content {
  const content: Content = new Map();
  for (const flow of flows) {
    const key = keyOf(flow);
    if (content.has(key)) throw new Error(`${key} twice`);
    content.set(key, signatureOf(flow));
  }
  return content;
}

/** How two views differ: at most a few lines; none if they agree. */
export function differences(expected: Content, found: Content): string[] {
  const lines: string[] = [];
  for (const [key, signature] of expected) {
    const other = found.get(key);
    if (other !== signature)
      lines.push(`${key}: expected ${signature}, found ${other ?? 'nothing'}`);
  }
  for (const key of found.keys()) {
    if (!expected.has(key)) lines.push(`${key}: expected nothing, found ${found.get(key) ?? ''}`);
  }
  return lines.slice(0, 5);
}

/** Ids and marks of a table as libnetfilter_conntrack reads its messages, sorted. */
export function oracleOf(messages: readonly Buffer[]): string[] {
  return messages
    .map((message) => testing.oraclePeek(message))
    .map(({ id, status, mark, zone }) => [id, status, mark, zone ?? 0].join(' '))
    .sort();
}

export function summaryOf(flows: Iterable<Flow>): string[] {
  return [...flows]
    .map(({ id, status, mark, zone }) => [id, status, mark ?? 0, zone].join(' '))
    .sort();
}

/** A table made of changes alone. */
export class Replay {
  readonly content: Content = new Map();
  /** Changes that do not fit what was there. */
  readonly misfits: string[] = [];
  changes = 0;
  synthetic = 0;

  apply(change: MirrorChange): void {
    const key = keyOf(change.flow);
    const known = this.content.get(key);
    this.changes += 1;
    if (change.synthetic) this.synthetic += 1;
    const fits = change.type === 'add' ? known === undefined : known !== undefined;
    if (!fits) this.misfits.push(`${change.type} of ${key}, which was ${known ?? 'not there'}`);
    if (change.before !== undefined && signatureOf(change.before) !== known) {
      this.misfits.push(`${key}: before ${signatureOf(change.before)}, was ${known ?? 'nothing'}`);
    }
    if (change.type === 'remove') this.content.delete(key);
    else this.content.set(key, signatureOf(change.flow));
  }
}

export function idsOf(flows: Iterable<Flow>): Content {
  const content: Content = new Map();
  for (const flow of flows) content.set(keyOf(flow), `${flow.id}`);
  return content;
}

/** Which flows there must be, by events alone. */
export class Heard {
  readonly content: Content = new Map();

  apply({ type, flow }: FlowEvent): void {
    const key = keyOf(flow);
    if (type !== 'destroy') this.content.set(key, `${flow.id}`);
    // Of a flow that another one has followed, it means nothing.
    else if (this.content.get(key) === `${flow.id}`) this.content.delete(key);
  }
}
