import { Batch, flowAt } from './batch';
import { FlowColumns } from './columns';
import type { Flow } from './flow';
import { FlowHas, FlowOffset, GapOffset, GapReason, Kind } from './layout';
import { milliseconds } from './record';
import type { Records } from './records';

export type EventType = 'new' | 'update' | 'destroy';

/** A change of a flow that the kernel announced. */
export interface FlowEvent {
  readonly type: EventType;
  /** What the message carried; events carry less than a listing (see the README). */
  readonly flow: Flow;
  /**
   * When it happened, in ms since the epoch: by the kernel's clock where it sent a time
   * (CTA_TIMESTAMP_EVENT: Linux 6.14 and nf_conntrack_timestamp), else when the message was read.
   */
  readonly time: number;
  /** The netlink port whose request caused it; absent for packets and timeouts. */
  readonly portid?: number;
  /**
   * True: the kernel's announcement was lost, and this was found by comparing (`resync`); several changes may
   * then be one, and `time` is when it was found, or last heard of.
   */
  readonly synthetic?: true;
}

/** Why events are missing. */
export type GapCause = 'overrun' | 'queue' | 'malformed';

/** Events are missing here, between the item before and the one after. */
export interface GapEvent {
  readonly type: 'gap';
  /**
   * The first of `reasons`: `'overrun'` (the kernel could not queue them: the receive buffer was full),
   * `'queue'` (our own queue was full: the consumer was too slow), `'malformed'` (not understood).
   */
  readonly reason: GapCause;
  readonly reasons: readonly GapCause[];
  /** How many the kernel dropped, by its own count. */
  readonly kernelDrops: number;
  /** How many our queue had no room for. */
  readonly queueDrops: number;
  /** How many could not be decoded. */
  readonly malformed: number;
  /** ms since the epoch: when the last event before the gap was read. */
  readonly since: number;
  /** When the last of the missing ones was noticed. */
  readonly until: number;
}

export type ConntrackEvent = FlowEvent | GapEvent;

const CAUSES: readonly (readonly [number, GapCause])[] = [
  [GapReason.overrun, 'overrun'],
  [GapReason.queue, 'queue'],
  [GapReason.malformed, 'malformed'],
];

function typeOf(kind: number): EventType {
  if (kind === Kind.new) return 'new';
  return kind === Kind.update ? 'update' : 'destroy';
}

/** @internal The gap that stands at `start`, in a batch of any records. */
export function gapAt(records: Records, start: number): GapEvent {
  const bits = records.u8(start + GapOffset.reasons);
  const reasons = CAUSES.filter(([bit]) => (bits & bit) !== 0).map(([, cause]) => cause);
  return {
    type: 'gap',
    reason: reasons[0] ?? 'overrun',
    reasons,
    kernelDrops: records.u64(start + GapOffset.kernelDrops),
    queueDrops: records.u64(start + GapOffset.queueDrops),
    malformed: records.u64(start + GapOffset.malformed),
    since: milliseconds(records.u64(start + GapOffset.since)),
    until: milliseconds(records.u64(start + GapOffset.until)),
  };
}

function flowEventAt(records: Records, index: number, start: number, kind: number): FlowEvent {
  const timed = (records.u32(start + FlowOffset.presence) & FlowHas.timestampEvent) !== 0;
  const time = records.u64(start + (timed ? FlowOffset.timestampEvent : FlowOffset.time));
  const event = { type: typeOf(kind), flow: flowAt(records, index), time: milliseconds(time) };
  if (records.u8(start + FlowOffset.synthetic) !== 0) return { ...event, synthetic: true };
  const portid = records.u32(start + FlowOffset.portid);
  return portid === 0 ? event : { ...event, portid };
}

/** Events in the order in which the kernel sent them, gaps where it lost some. */
export class EventBatch extends Batch<ConntrackEvent> {
  /** The flows' fields as typed arrays. */
  readonly columns = new FlowColumns(this.records);

  /** How many of the items are gaps; mostly 0. */
  get gaps(): number {
    return this.records.gaps;
  }

  /** @internal */
  override item(index: number): ConntrackEvent {
    const start = this.records.at(index);
    const kind = this.records.u8(start + FlowOffset.kind);
    if (kind === Kind.gap) return gapAt(this.records, start);
    return flowEventAt(this.records, index, start, kind);
  }
}
