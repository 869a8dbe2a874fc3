import type { Control } from './control';
import { type ConntrackEvent, EventBatch, type EventType } from './event';
import {
  type EventSource,
  EventStream,
  groupsOf,
  streamOptions,
  type StreamOptions,
} from './event-stream';
import { type Filter, isEverything, type Node } from './filter';
import { parseFilter } from './filter-parse';
import { compileFilter } from './filter-program';
import { MIRROR_DEFAULTS, mirrorPlan, scopeOf } from './mirror-scope';
import { optionalBoolean, options } from './options';
import type { Explanation } from './plan';
import type { Records } from './records';
import { resyncSource } from './resync-source';
import { socketFilter } from './socket-filter';

export interface EventsOptions extends StreamOptions {
  /** Which changes to follow; default: all three. */
  types?: readonly EventType[];
  /**
   * The kernel keeps a DESTROY event that finds no room, and tries again, and adds what other events would
   * have told to the flow's next one (NETLINK_BROADCAST_ERROR, Linux 2.6.30); we read no faster than events
   * are taken. The price: every sender of the namespace waits for this reader, the order of events of
   * different flows is lost, and flows that are gone take room in the table until they are told of. The mode
   * is left, and `statistics().reliable` false, when the table is three quarters full; what is lost then
   * stands in gaps. It cannot be left by a process that is stopped (SIGSTOP, a debugger, the freezer).
   * Default: false.
   */
  reliable?: boolean;
  /**
   * Behind a gap, events marked `synthetic` tell what became of the flows meanwhile, as far as it can be told
   * by comparing: the table is mirrored for that, see Mirror for what it takes. Default: false.
   */
  resync?: boolean;
}

/** Multicast groups (enum nfnetlink_groups). */
const GROUPS: Readonly<Record<EventType, number>> = { new: 1, update: 2, destroy: 3 };

/** What both ways of following events want. */
type Asked = ReturnType<typeof streamOptions> & {
  readonly filter: Uint32Array | undefined;
  readonly reliable: boolean;
};

/** The kinds of events have the numbers of their groups. */
function resynced(
  control: Control,
  tree: Node,
  kinds: number,
  { queue, filter, ...asked }: Asked,
): Promise<EventSource> {
  const { resyncInterval, maxFlows } = MIRROR_DEFAULTS;
  const mirror = { ...asked, ...mirrorPlan(scopeOf(tree)), resyncInterval, maxFlows };
  return resyncSource(control, { mirror, queue, kinds, filter });
}

const toEventBatch = (records: Records): EventBatch => new EventBatch(records);

/**
 * The kernel's announcements of new, changed and destroyed flows; see EventStream for how they are read.
 */
export class Events extends EventStream<ConntrackEvent, EventBatch> {
  readonly #explanation: Explanation;

  private constructor(source: EventSource, explanation: Explanation) {
    super(source, toEventBatch);
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
      'resync',
      'signal',
    ]);
    const tree = parseFilter(filter);
    const groups = groupsOf(known.types, GROUPS);
    const asked: Asked = {
      ...streamOptions(known),
      filter: isEverything(tree) ? undefined : compileFilter(tree),
      reliable: optionalBoolean('options.reliable', known.reliable) ?? false,
    };
    if (optionalBoolean('options.resync', known.resync) === true) {
      const { explanation } = socketFilter(scopeOf(tree));
      return new Events(await resynced(control, tree, groups, asked), explanation);
    }
    const { program, explanation } = socketFilter(tree);
    const subscribed = await control.subscribe({
      of: 'flows',
      socketFilter: program,
      groups,
      ...asked,
    });
    return new Events(subscribed, explanation);
  }

  /**
   * Where the filter is evaluated: what the kernel does not even queue, what is matched natively, and why. A
   * long filter that `net.core.optmem_max` has no room for is matched natively as a whole.
   */
  explain(): Explanation {
    const { kernel, native, reasons } = this.#explanation;
    return { kernel: [...kernel], native: [...native], reasons: [...reasons] };
  }
}
