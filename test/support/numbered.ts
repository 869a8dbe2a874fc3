/** Flows that `fill()` made, told by the number that is in their source address. */
import type { Flow, FlowBatch } from '../../lib';

const AF_INET6 = 10;

/**
 * The number in an address of sixteen octets, as a column has it; undefined if it is not one of a
 * flow that `fill()` made: those come from 10.0.0.0/8 and fd00::/64.
 */
function numberIn(addresses: Uint8Array, at: number, family: number): number | undefined {
  const octet = (index: number): number => addresses[at + index]!;
  const first = family === AF_INET6 ? 12 : 0;
  const low = (octet(first + 1) << 16) | (octet(first + 2) << 8) | octet(first + 3);
  if (family !== AF_INET6) return octet(0) === 10 ? low : undefined;
  return octet(0) === 0xfd && octet(1) === 0 ? low : undefined;
}

/** The numbers of a batch's flows, of those that have one. */
export function numbersIn(batch: FlowBatch): number[] {
  const { origSrc, family } = batch.columns;
  const numbers: number[] = [];
  for (let i = 0; i < batch.length; i++) {
    const number = numberIn(origSrc, 16 * i, family[i]!);
    if (number !== undefined) numbers.push(number);
  }
  return numbers;
}

function hexGroup(text: string | undefined): number {
  return text === undefined || text === '' ? 0 : parseInt(text, 16);
}

/** The number of one flow. */
export function numberOf(flow: Flow): number | undefined {
  const src = flow.orig.src ?? '';
  if (flow.family === 'ipv4') {
    const [first, a = 0, b = 0, c = 0] = src.split('.').map(Number);
    return first === 10 ? (a << 16) | (b << 8) | c : undefined;
  }
  const [prefix, host = ''] = src.split('::');
  if (prefix !== 'fd00') return undefined;
  const groups = host.split(':');
  return hexGroup(groups.at(-2)) * 0x10000 + hexGroup(groups.at(-1));
}

/** Counts how often each number came. */
export class Tally {
  readonly #seen: Uint8Array;

  constructor(count: number) {
    this.#seen = new Uint8Array(count);
  }

  add(number: number): void {
    this.#seen[number]! += 1;
  }

  /** Those that did not come, and those that came more than once. */
  get deviations(): { missing: number[]; repeated: number[] } {
    const missing: number[] = [];
    const repeated: number[] = [];
    this.#seen.forEach((times, number) => {
      if (times === 0) missing.push(number);
      if (times > 1) repeated.push(number);
    });
    return { missing, repeated };
  }
}

export const COMPLETE = { missing: [], repeated: [] };
