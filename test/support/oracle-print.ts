/** What libnetfilter_conntrack 1.0.9 prints of a message, which is what conntrack(8) 1.4.7 does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EventType, FormatOptions } from '../../lib';
import { LabelMap } from '../../lib';
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

/** A connlabel.conf for both opinions; `remove()` when done. */
export class LabelFile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'nfconntrack-labels-'));
  readonly path = join(this.#directory, 'connlabel.conf');

  constructor(names: ReadonlyMap<number, string>) {
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
