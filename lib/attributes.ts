/** Attributes that new flows and changes have in common. */
import type { SeqAdjust, Synproxy } from './flow';
import { TailType } from './layout';
import { integer, mustBe, options, string } from './options';
import type { RecordWriter } from './record-writer';
import { statusBit, type StatusFlag } from './status';

/** Bits of Status, or flags by name. */
export type StatusBits = number | readonly StatusFlag[];

const U32 = 0xffff_ffff;
const MAX_LABEL = 127;
const LABEL_WORDS = 4;
/** NF_CT_HELPER_NAME_LEN, without its NUL. */
const MAX_HELPER = 15;

export function statusBits(name: string, value: unknown): number {
  if (typeof value === 'number') return integer(name, value, 0, U32);
  if (!Array.isArray(value)) throw mustBe(name, 'bits, or an array of status flags', value);
  let bits = 0;
  // entries() sees holes, which forEach() passes over.
  for (const [index, item] of (value as unknown[]).entries()) {
    const bit = statusBit(string(`${name}[${index}]`, item));
    if (bit === undefined) throw mustBe(`${name}[${index}]`, 'the name of a status flag', item);
    bits |= bit;
  }
  return bits;
}

/** The label bits as the kernel's words, of which there are four. */
export function labelWords(name: string, value: unknown): number[] {
  if (!Array.isArray(value)) throw mustBe(name, 'an array of label numbers', value);
  const words = new Array<number>(LABEL_WORDS).fill(0);
  for (const [index, item] of (value as unknown[]).entries()) {
    const bit = integer(`${name}[${index}]`, item, 0, MAX_LABEL);
    words[bit >> 5] = (words[bit >> 5] ?? 0) | (1 << (bit & 31));
  }
  return words;
}

export function writeHelper(record: RecordWriter, name: string, value: unknown): void {
  const bytes = Buffer.from(string(name, value));
  if (bytes.length > MAX_HELPER || bytes.includes(0)) {
    throw new RangeError(`${name} must have at most ${MAX_HELPER} bytes, and no NUL`);
  }
  record.tailBytes(TailType.helper, bytes);
}

export function writeSeqAdjust(record: RecordWriter, name: string, value: SeqAdjust): void {
  const known = options(name, value, ['orig', 'reply']);
  for (const side of ['orig', 'reply'] as const) {
    const adjustment = known[side];
    if (adjustment === undefined) continue;
    const at = `${name}.${side}`;
    const { position, offsetBefore, offsetAfter } = options(at, adjustment, [
      'position',
      'offsetBefore',
      'offsetAfter',
    ]);
    record.tailWords(side === 'orig' ? TailType.origSeqAdjust : TailType.replySeqAdjust, [
      integer(`${at}.position`, position, 0, U32),
      integer(`${at}.offsetBefore`, offsetBefore, -(2 ** 31), 2 ** 31 - 1),
      integer(`${at}.offsetAfter`, offsetAfter, -(2 ** 31), 2 ** 31 - 1),
    ]);
  }
}

export function writeSynproxy(record: RecordWriter, name: string, value: Synproxy): void {
  const { isn, its, tsoff } = options(name, value, ['isn', 'its', 'tsoff']);
  record.tailWords(TailType.synproxy, [
    integer(`${name}.isn`, isn, 0, U32),
    integer(`${name}.its`, its, 0, U32),
    integer(`${name}.tsoff`, tsoff, 0, U32),
  ]);
}
