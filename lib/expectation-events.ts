import type { Control, Subscribed } from './control';
import { EventStream, groupsOf, streamOptions, type StreamOptions } from './event-stream';
import {
  type ExpectationEvent,
  ExpectationEventBatch,
  type ExpectationEventType,
} from './expectation-event';
import { options } from './options';

export interface ExpectationEventsOptions extends StreamOptions {
  /** Which changes to follow; default: both. */
  types?: readonly ExpectationEventType[];
}

/** Multicast groups (enum nfnetlink_groups). */
const GROUPS: Readonly<Record<ExpectationEventType, number>> = { new: 4, destroy: 6 };

const NO_FILTER = new Uint8Array(0);

/** The kernel's announcements of expectations made and gone; see EventStream for how they are read. */
export class ExpectationEvents extends EventStream<ExpectationEvent, ExpectationEventBatch> {
  private constructor(subscribed: Subscribed) {
    super(subscribed, (records) => new ExpectationEventBatch(records));
  }

  /** @internal */
  static async subscribe(
    control: Control,
    given: ExpectationEventsOptions | undefined,
  ): Promise<ExpectationEvents> {
    const known = options('options', given, [
      'types',
      'receiveBuffer',
      'maxReceiveBuffer',
      'queue',
      'signal',
    ]);
    const subscribed = await control.subscribe({
      of: 'expectations',
      filter: undefined,
      socketFilter: NO_FILTER,
      groups: groupsOf(known.types, GROUPS),
      reliable: false,
      ...streamOptions(known),
    });
    return new ExpectationEvents(subscribed);
  }
}
