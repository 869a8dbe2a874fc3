import { Batch } from './batch';
import { gapAt, type GapEvent } from './event';
import { type Expectation, expectationAt } from './expectation';
import { ExpectationOffset, Kind } from './layout';
import { milliseconds } from './record';
import type { Records } from './records';

/** The kernel announces no changes of expectations (group NFNLGRP_CONNTRACK_EXP_UPDATE is never used). */
export type ExpectationEventType = 'new' | 'destroy';

/** An expectation that was made, or that is gone: met, expired, deleted, or with its master. */
export interface ExpectationChange {
  readonly type: ExpectationEventType;
  readonly expectation: Expectation;
  /** When the message was read, in ms since the epoch. */
  readonly time: number;
  /** The netlink port whose request caused it; absent for packets and timeouts. */
  readonly portid?: number;
}

export type ExpectationEvent = ExpectationChange | GapEvent;

function changeAt(records: Records, index: number, start: number, kind: number): ExpectationChange {
  const change: ExpectationChange = {
    type: kind === Kind.expectationNew ? 'new' : 'destroy',
    expectation: expectationAt(records, index),
    time: milliseconds(records.u64(start + ExpectationOffset.time)),
  };
  const portid = records.u32(start + ExpectationOffset.portid);
  return portid === 0 ? change : { ...change, portid };
}

/** Events in the order in which the kernel sent them, gaps where it lost some. */
export class ExpectationEventBatch extends Batch<ExpectationEvent> {
  /** How many of the items are gaps; mostly 0. */
  get gaps(): number {
    return this.records.gaps;
  }

  /** @internal */
  override item(index: number): ExpectationEvent {
    const start = this.records.at(index);
    const kind = this.records.u8(start + ExpectationOffset.kind);
    if (kind === Kind.gap) return gapAt(this.records, start);
    return changeAt(this.records, index, start, kind);
  }
}
