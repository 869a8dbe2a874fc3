/** What libnetfilter_conntrack 1.0.9 prints of a message, which is what conntrack(8) 1.4.7 does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { format, LabelMap, type EventType, type FormatOptions } from '../../lib';
import { eventKind } from './ctnetlink';
import { flowOf } from './oracle';
import { testing } from './testing';

/** NFCT_T_*, NFCT_O_*, NFCT_OF_* of <libnetfilter_conntrack/libnetfilter_conntrack.h>. */
const MESSAGE_TYPE: Readonly<Record<EventType | 'flow', number>> = {
  flow: 0,
  new: 1,
  update: 2,
  destroy: 4,
};
const OUTPUT_TYPE = { line: 0, xml: 1 } as const;
const OUTPUT_FLAG = { extended: 1, timestamp: 2, id: 4, ktimestamp: 8 } as const;

export type OracleKind = keyof typeof OUTPUT_TYPE;

/** Of bits at the ends of words and of the whole. */
export const LABEL_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'eth0-in'],
  [1, 'voip call'],
  [31, 'last-of-word'],
  [32, 'first-of-word'],
  [127, 'last'],
]);

/** A connlabel.conf for both opinions; `remove()` when done. */
export class LabelFile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'nfconntrack-labels-'));
  readonly path = join(this.#directory, 'connlabel.conf');

  constructor(names = LABEL_NAMES) {
    writeFileSync(this.path, [...names].map(([bit, name]) => `${bit} ${name}\n`).join(''));
  }

  async load(): Promise<LabelMap> {
    return LabelMap.load(this.path);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }
}

function outputFlags(options: FormatOptions): number {
  return Object.entries(OUTPUT_FLAG)
    .filter(([name]) => options[name as keyof typeof OUTPUT_FLAG] === true)
    .reduce((bits, [, bit]) => bits | bit, 0);
}

/** Of a message about a flow; `type` as which event it came, or that it was listed. */
export function oraclePrint(
  kind: OracleKind,
  type: EventType | 'flow',
  message: Uint8Array,
  options: FormatOptions,
  labels?: LabelFile,
): string {
  const asked = [MESSAGE_TYPE[type], OUTPUT_TYPE[kind], outputFlags(options)] as const;
  const path = options.labels === undefined ? undefined : labels?.path;
  return testing.oraclePrint(message, ...asked, path).toString();
}

/** Of a message about an expectation. */
export function oraclePrintExpectation(
  kind: OracleKind,
  type: EventType | 'flow',
  message: Uint8Array,
  options: FormatOptions,
): string {
  const asked = [MESSAGE_TYPE[type], OUTPUT_TYPE[kind], outputFlags(options)] as const;
  return testing.oraclePrintExpectation(message, ...asked).toString();
}

/**
 * Compares within one second, since the oracle asks time(2) for the time: what begins within a tick of a
 * second's begin, or ends in another one, is tried again. `compare` is given the time, in ms.
 */
export function withinOneSecond<T>(compare: (now: number) => T): T {
  const TICK = 20;
  for (;;) {
    const start = Date.now();
    if (start % 1000 < TICK) continue;
    const result = compare(start);
    if (Math.floor(Date.now() / 1000) === Math.floor(start / 1000)) return result;
  }
}

const EVERYTHING: FormatOptions = { extended: true, id: true, ktimestamp: true };

function printDifference(
  kind: OracleKind,
  type: EventType | 'flow',
  message: Buffer,
  asked: FormatOptions,
): string[] {
  const flow = flowOf(message);
  const item = type === 'flow' ? flow : { type, flow, time: 0 };
  return withinOneSecond((now) => {
    const theirs = oraclePrint(kind, type, message, asked);
    const ours = format[kind](item, { ...asked, now });
    return ours === theirs ? [] : [`ours is ${ours}, the oracle's ${theirs}`];
  });
}

/** Where our text of a message about a flow is not libnetfilter_conntrack's; mostly []. */
export function printDifferences(message: Buffer): string[] {
  return (['line', 'xml'] as const).flatMap((kind) =>
    (['flow', eventKind(message)] as const).flatMap((type) =>
      [{}, EVERYTHING].flatMap((options) => printDifference(kind, type, message, options)),
    ),
  );
}
