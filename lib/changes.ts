/** What may be changed of a flow. */
import {
  labelWords,
  type StatusBits,
  statusBits,
  writeHelper,
  writeSeqAdjust,
  writeSynproxy,
} from './attributes';
import type { DccpInfo, SctpInfo, SeqAdjust, Synproxy, TcpInfo } from './flow';
import { FlowHas, FlowOffset, TailType } from './layout';
import { integer, options } from './options';
import { writeProtoinfo } from './protoinfo';
import type { RecordWriter } from './record-writer';
import { Status, UNCHANGEABLE } from './status';

/** What is to become of a flow. What is left out stays as it is. */
export interface FlowChanges {
  /** Seconds. */
  timeout?: number;
  /** With a mask only its bits change. */
  mark?: number | { value: number; mask: number };
  /** Flags to set (the kernel clears neither SEEN_REPLY nor ASSURED), or to set and to clear. */
  status?: StatusBits | { set?: StatusBits; clear?: StatusBits };
  /** All the labels it is to have, or those to set and to clear. */
  labels?: readonly number[] | { set?: readonly number[]; clear?: readonly number[] };
  /** `''` takes the helper away. */
  helper?: string;
  tcp?: TcpInfo;
  sctp?: SctpInfo;
  dccp?: DccpInfo;
  seqAdjust?: SeqAdjust;
  synproxy?: Synproxy;
}

/** Bits to set and to clear in a status that is not known yet. */
export interface StatusDelta {
  readonly set: number;
  readonly clear: number;
}

const U32 = 0xffff_ffff;

const CHANGES = [
  'timeout', 'mark', 'status', 'labels', 'helper', 'tcp', 'sctp', 'dccp', 'seqAdjust', 'synproxy',
] as const; // prettier-ignore

function writeMark(record: RecordWriter, name: string, mark: FlowChanges['mark']): void {
  if (mark === undefined) return;
  if (typeof mark === 'number') {
    record.optionalU32(FlowOffset.mark, FlowHas.mark, integer(name, mark, 0, U32));
    return;
  }
  const known = options(name, mark, ['value', 'mask']);
  const mask = integer(`${name}.mask`, known.mask, 0, U32);
  const value = integer(`${name}.value`, known.value, 0, U32);
  // The kernel takes (old & ~mask) ^ value: bits outside of the mask would flip.
  if ((value & ~mask) !== 0) {
    throw new RangeError(`${name}.value (${value}) has bits that ${name}.mask (${mask}) has not`);
  }
  record.optionalU32(FlowOffset.mark, FlowHas.mark, value);
  record.tailWords(TailType.markMask, [mask]);
}

function writeLabels(record: RecordWriter, name: string, labels: FlowChanges['labels']): void {
  if (labels === undefined) return;
  if (Array.isArray(labels)) {
    record.tailWords(TailType.labels, labelWords(name, labels));
    return;
  }
  const known = options(name, labels as { set?: readonly number[]; clear?: readonly number[] }, [
    'set',
    'clear',
  ]);
  const { set: wanted = [], clear: unwanted = [] } = known;
  const set = labelWords(`${name}.set`, wanted);
  const clear = labelWords(`${name}.clear`, unwanted);
  if (set.some((word, index) => (word & (clear[index] ?? 0)) !== 0)) {
    throw new TypeError(`${name} must not set and clear the same label`);
  }
  record.tailWords(TailType.labels, set);
  record.tailWords(
    TailType.labelsMask,
    set.map((word, index) => word | (clear[index] ?? 0)),
  );
}

function statusDelta(name: string, status: FlowChanges['status']): StatusDelta | undefined {
  if (status === undefined) return undefined;
  if (typeof status === 'number' || Array.isArray(status))
    return { set: statusBits(name, status), clear: 0 };
  const known = options(name, status as { set?: StatusBits; clear?: StatusBits }, ['set', 'clear']);
  const { set: wanted = 0, clear: unwanted = 0 } = known;
  const set = statusBits(`${name}.set`, wanted);
  const clear = statusBits(`${name}.clear`, unwanted);
  if ((set & clear) !== 0) throw new TypeError(`${name} must not set and clear the same flag`);
  return { set, clear };
}

/**
 * The status that `delta` makes of `status`; undefined where the kernel would not make it, and not say so: it
 * passes over its own bits (IPS_UNCHANGEABLE_MASK), and over those that are to be cleared.
 */
export function changedStatus(status: number, { set, clear }: StatusDelta): number | undefined {
  const wanted = ((status | set) & ~clear) >>> 0;
  const ignored = (wanted & ~status & UNCHANGEABLE) | (status & ~wanted & ~REFUSED);
  return ignored === 0 ? wanted : undefined;
}

/** Bits whose change the kernel refuses itself (ctnetlink_change_status()). */
const REFUSED =
  Status.expected | Status.confirmed | Status.dying | Status.seenReply | Status.assured;

/**
 * Writes changes, but for those of the status, which depend on the status a flow has: it returns them.
 * `protonum` is undefined where they are for flows of any protocol.
 */
export function writeChanges(
  record: RecordWriter,
  name: string,
  changes: FlowChanges,
  protonum?: number,
): StatusDelta | undefined {
  const known = options(name, changes, CHANGES);
  if (Object.values(known).every((value: unknown) => value === undefined))
    throw new TypeError(`${name} must not be empty`);
  const { timeout, helper, seqAdjust, synproxy } = known;
  if (timeout !== undefined) {
    const seconds = integer(`${name}.timeout`, timeout, 0, U32);
    record.optionalU32(FlowOffset.timeout, FlowHas.timeout, seconds);
  }
  writeMark(record, `${name}.mark`, known.mark);
  writeLabels(record, `${name}.labels`, known.labels);
  if (helper !== undefined) writeHelper(record, `${name}.helper`, helper);
  writeProtoinfo(record, name, known, protonum, 'change');
  if (seqAdjust !== undefined) writeSeqAdjust(record, `${name}.seqAdjust`, seqAdjust);
  if (synproxy !== undefined) writeSynproxy(record, `${name}.synproxy`, synproxy);
  return statusDelta(`${name}.status`, known.status);
}
