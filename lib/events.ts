import type { Control, Subscribed } from './control';
import { type ConntrackEvent, EventBatch, type EventType } from './event';
import { EventStream, groupsOf, streamOptions, type StreamOptions } from './event-stream';
import { type Filter, isEverything } from './filter';
import { parseFilter } from './filter-parse';
import { compileFilter } from './filter-program';
import { optionalBoolean, options } from './options';
import type { Explanation } from './plan';
import type { Records } from './records';
import { socketFilter } from './socket-filter';

export interface EventsOptions extends StreamOptions {
  /** Which changes to follow; default: all three. */
  types?: readonly EventType[];
  /** See the README: nothing is lost, at a price. */
  reliable?: boolean;
}

/** Multicast groups (enum nfnetlink_groups). */
const GROUPS: Readonly<Record<EventType, number>> = { new: 1, update: 2, destroy: 3 };

const toEventBatch = (records: Records): EventBatch => new EventBatch(records);

/**
 * The kernel's announcements of new, changed and destroyed flows; see EventStream for how they are read.
 */
export class Events extends EventStream<ConntrackEvent, EventBatch> {
  readonly #explanation: Explanation;

  private constructor(subscribed: Subscribed, explanation: Explanation) {
    super(subscribed, toEventBatch);
    this.#explanation = explanation;
  }

  /** @internal */
  static async subscribe(
    control: Control,
    filter: Filter | undefined,
    given: EventsOptions | undefined,
  ): Promise<Events> {
    const known = options('options', given, [
      'types',
      'receiveBuffer',
      'maxReceiveBuffer',
      'queue',
      'reliable',
      'signal',
    ]);
    const tree = parseFilter(filter);
    const { program, explanation } = socketFilter(tree);
    const subscribed = await control.subscribe({
      of: 'flows',
      filter: isEverything(tree) ? undefined : compileFilter(tree),
      socketFilter: program,
      groups: groupsOf(known.types, GROUPS),
      reliable: optionalBoolean('options.reliable', known.reliable) ?? false,
      ...streamOptions(known),
    });
    return new Events(subscribed, explanation);
  }

  /** Where the filter is evaluated: what the kernel does not even queue, what is matched natively, and why. */
  explain(): Explanation {
    const { kernel, native, reasons } = this.#explanation;
    return { kernel: [...kernel], native: [...native], reasons: [...reasons] };
  }
}
