import { type FlowBatch, recordsOf } from './batch';
import type { ConntrackEvent, EventBatch, EventType, FlowEvent } from './event';
import { bytesOfExpectation, Expectation } from './expectation';
import type {
  ExpectationChange,
  ExpectationEvent,
  ExpectationEventBatch,
} from './expectation-event';
import { bytesOfFlow, Flow } from './flow';
import {
  type BatchFormatOptions,
  type FormatKind,
  type FormatOptions,
  nativeFormat,
  timeOf,
} from './format-options';
import { Kind } from './layout';
import { native, type NativeFormat } from './native';
import { integer, mustBe, oneOf } from './options';

export type { BatchFormatOptions, FormatKind, FormatOptions } from './format-options';

export type FormatItem = Flow | ConntrackEvent | Expectation | ExpectationEvent;

type Event = Exclude<FormatItem, Flow | Expectation>;

const MAX_PORTID = 2 ** 32 - 1;

const FLOW_KINDS: Readonly<Record<EventType, number>> = {
  new: Kind.new,
  update: Kind.update,
  destroy: Kind.destroy,
};
const EXPECTATION_KINDS: Readonly<Record<ExpectationChange['type'], number>> = {
  new: Kind.expectationNew,
  destroy: Kind.expectationDestroy,
};

function portidOf({ portid }: FlowEvent | ExpectationChange): number {
  return portid === undefined ? 0 : integer('item.portid', portid, 0, MAX_PORTID);
}

function kindOf<Type extends string>(type: Type, kinds: Readonly<Record<Type, number>>): number {
  return kinds[oneOf('item.type', type, Object.keys(kinds) as Type[])];
}

function formatEvent(event: FlowEvent | ExpectationChange, format: NativeFormat): string {
  const portid = portidOf(event);
  const time = timeOf('item.time', event.time);
  if ('flow' in event) {
    const kind = kindOf(event.type, FLOW_KINDS);
    return native().formatFlow(bytesOfFlow(event.flow), kind, portid, time, ...format);
  }
  const kind = kindOf(event.type, EXPECTATION_KINDS);
  const record = bytesOfExpectation(event.expectation);
  return native().formatExpectation(record, kind, portid, time, ...format);
}

function isEvent(item: unknown): item is Event {
  if (typeof item !== 'object' || item === null) return false;
  const { type, flow, expectation } = item as Partial<Record<string, unknown>>;
  return type === 'gap' || flow instanceof Flow || expectation instanceof Expectation;
}

function formatItem(kind: FormatKind, item: FormatItem, given?: FormatOptions): string {
  if (item instanceof Flow) {
    const format = nativeFormat(kind, given, []);
    return native().formatFlow(bytesOfFlow(item), Kind.flow, 0, 0, ...format);
  }
  if (item instanceof Expectation) {
    const format = nativeFormat(kind, given, []);
    return native().formatExpectation(bytesOfExpectation(item), Kind.expectation, 0, 0, ...format);
  }
  if (!isEvent(item)) throw mustBe('item', 'a Flow, an Expectation, or an event of either', item);
  if (item.type === 'gap') return '';
  return formatEvent(item, nativeFormat(kind, given, [portidOf(item)]));
}

function formatJson(item: FormatItem, given?: FormatOptions): string {
  return isEvent(item) ? JSON.stringify(item) : formatItem('json', item, given);
}

/**
 * The texts of conntrack(8) 1.4.9, byte for byte, of one flow, expectation, or event of either; without a line
 * feed. A field is there if the kernel sent it. Of a gap, which conntrack(8) does not know, there is only JSON;
 * its other texts are empty. Lines are whole, however long: the original cuts them at 4096 bytes, and at 1024
 * those of events and of what was changed.
 */
export const format = {
  /**
   * `tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=...`; of an event with `[NEW]` and, where a program caused
   * it, ` [USERSPACE] portid=7`.
   */
  line(item: FormatItem, options?: FormatOptions): string {
    return formatItem('line', item, options);
  },

  /** One `<flow>`; `XML_FRAME` has what stands around them. Nothing is escaped, as in the original. */
  xml(item: FormatItem, options?: FormatOptions): string {
    return formatItem('xml', item, options);
  },

  /**
   * `-A -t 120 -u SEEN_REPLY -s 192.0.2.1 ...`, a line for `-R`: -A of a flow and of a new one, -U of an update,
   * -D of a destroyed one. Mark, labels, helper, counters and the id are not kept. Expectations have their
   * line, as in the original.
   */
  save(item: FormatItem, options?: FormatOptions): string {
    return formatItem('save', item, options);
  },

  /**
   * `JSON.stringify(item)`, byte for byte, whatever the options; of flows and expectations faster.
   * `schema/nfconntrack.schema.json` describes it.
   */
  json(item: FormatItem, options?: FormatOptions): string {
    return formatJson(item, options);
  },
};

/** What stands before and behind the `<flow>`s of flows and of expectations. */
export const XML_FRAME = {
  flows: {
    header: '<?xml version="1.0" encoding="utf-8"?>\n<conntrack>\n',
    footer: '</conntrack>\n',
  },
  expectations: {
    header: '<?xml version="1.0" encoding="utf-8"?>\n<expect>\n',
    footer: '</expect>\n',
  },
} as const;

/** @internal A line of each flow, with its line feed. */
export function formatBatch(
  batch: FlowBatch,
  kind: FormatKind,
  options?: BatchFormatOptions,
): Uint8Array {
  return native().formatFlows(recordsOf(batch).bytes, ...nativeFormat(kind, options, []));
}

/** @internal A line of each event, with its line feed; gaps are lines of JSON only. */
export function formatEventBatch(
  batch: EventBatch,
  kind: FormatKind,
  options?: BatchFormatOptions,
): Uint8Array {
  // A gap has no port, and where others have theirs it has something else.
  const { columns } = batch;
  const named = options?.progname !== undefined;
  const portids = named ? columns.portid.filter((_, i) => columns.kind[i] !== Kind.gap) : [];
  return native().formatFlows(recordsOf(batch).bytes, ...nativeFormat(kind, options, portids));
}

/** @internal The same of events of expectations. */
export function formatExpectationEventBatch(
  batch: ExpectationEventBatch,
  kind: FormatKind,
  options?: BatchFormatOptions,
): Uint8Array {
  return native().formatExpectations(recordsOf(batch).bytes, ...nativeFormat(kind, options, []));
}
