import type { FlowBatch } from './batch';
import { type ConntrackEvent, type EventBatch, type EventType, type FlowEvent } from './event';
import { bytesOfExpectation, Expectation } from './expectation';
import type {
  ExpectationChange,
  ExpectationEvent,
  ExpectationEventBatch,
} from './expectation-event';
import { bytesOfFlow, Flow } from './flow';
import { Kind } from './layout';
import { LabelMap } from './labels';
import { native, type NativeFormat } from './native';
import { mustBe } from './options';

export interface FormatOptions {
  /** Begin a line with the family (`-o extended`). XML always has it. */
  extended?: boolean;
  /** Print the id in a line (`-o id`). XML always has it. */
  id?: boolean;
  /** Print when an event happened, by the local clock (`-o timestamp`). */
  timestamp?: boolean;
  /** Print when the flow began and ended (`-o ktimestamp`), which the kernel tells with nf_conntrack_timestamp. */
  ktimestamp?: boolean;
  /** Print the labels by these names (`-o labels`); bits without a name are left out. */
  labels?: LabelMap | undefined;
  /**
   * ms since the epoch, now unless said: with nf_conntrack_timestamp a flow is printed with the seconds that it
   * has lasted.
   */
  now?: number;
  /** The program behind a netlink port, printed of events; see `programOf()`. */
  progname?: ((portid: number) => string | undefined) | undefined;
}

export type FormatItem = Flow | ConntrackEvent | Expectation | ExpectationEvent;

export type FormatKind = 'line' | 'xml' | 'save' | 'json';

/** @internal */
export interface BatchFormatOptions extends FormatOptions {
  /** Of `save`: what the lines are to do; what an event says unless given. */
  verb?: 'A' | 'U' | 'D' | undefined;
}

const STYLES: Readonly<Record<FormatKind, number>> = { line: 0, xml: 1, save: 2, json: 3 };
const FLAGS = [
  ['extended', 1],
  ['id', 2],
  ['timestamp', 4],
  ['ktimestamp', 8],
] as const;
const HIGHEST_LABEL = 127;

/** The text of a map as native code takes it; a map never changes. */
const labelTexts = new WeakMap<LabelMap, string>();

function labelText(labels: LabelMap): string {
  let text = labelTexts.get(labels);
  if (text === undefined) {
    const names = new Map(labels);
    text = Array.from({ length: HIGHEST_LABEL + 1 }, (_, bit) => names.get(bit) ?? '').join('\n');
    labelTexts.set(labels, text);
  }
  return text;
}

function flagsOf(options: FormatOptions): number {
  return FLAGS.filter(([name]) => options[name] === true).reduce((bits, [, bit]) => bits | bit, 0);
}

function checkedLabels(labels: LabelMap | undefined): string | undefined {
  if (labels === undefined) return undefined;
  if (!(labels instanceof LabelMap)) throw mustBe('options.labels', 'a LabelMap', labels);
  return labelText(labels);
}

function programsOf(
  portids: Iterable<number>,
  progname: FormatOptions['progname'],
): (number | string)[] {
  if (progname === undefined) return [];
  return [...new Set(portids)].flatMap((portid) => {
    const name = portid === 0 ? undefined : progname(portid);
    return name === undefined ? [] : [portid, name];
  });
}

function nativeFormat(
  kind: FormatKind,
  options: BatchFormatOptions,
  portids: Iterable<number>,
): NativeFormat {
  return [
    STYLES[kind],
    flagsOf(options),
    options.verb?.charCodeAt(0) ?? 0,
    options.now,
    checkedLabels(options.labels),
    programsOf(portids, options.progname),
  ];
}

const FLOW_KINDS: Readonly<Record<EventType, number>> = {
  new: Kind.new,
  update: Kind.update,
  destroy: Kind.destroy,
};

function formatFlow(
  flow: Flow,
  kind: number,
  { portid = 0, time = 0 }: Partial<FlowEvent>,
  format: NativeFormat,
): string {
  return native().formatFlow(bytesOfFlow(flow), kind, portid, time, ...format);
}

function formatExpectation(
  expectation: Expectation,
  kind: number,
  { portid = 0, time = 0 }: Partial<ExpectationChange>,
  format: NativeFormat,
): string {
  return native().formatExpectation(bytesOfExpectation(expectation), kind, portid, time, ...format);
}

function formatEvent(event: ConntrackEvent | ExpectationEvent, format: NativeFormat): string {
  if (event.type === 'gap') return '';
  if ('flow' in event) return formatFlow(event.flow, FLOW_KINDS[event.type], event, format);
  const kind = event.type === 'new' ? Kind.expectationNew : Kind.expectationDestroy;
  return formatExpectation(event.expectation, kind, event, format);
}

function formatItem(kind: FormatKind, item: FormatItem, options: FormatOptions): string {
  const portids = 'portid' in item && item.portid !== undefined ? [item.portid] : [];
  const format = nativeFormat(kind, options, portids);
  if (item instanceof Flow) return formatFlow(item, Kind.flow, {}, format);
  if (item instanceof Expectation) return formatExpectation(item, Kind.expectation, {}, format);
  return formatEvent(item, format);
}

function formatJson(item: FormatItem): string {
  const isEvent = !(item instanceof Flow) && !(item instanceof Expectation);
  return isEvent ? JSON.stringify(item) : formatItem('json', item, {});
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
  line(item: FormatItem, options: FormatOptions = {}): string {
    return formatItem('line', item, options);
  },

  /** One `<flow>`; `XML_FRAME` has what stands around them. Nothing is escaped, as in the original. */
  xml(item: FormatItem, options: FormatOptions = {}): string {
    return formatItem('xml', item, options);
  },

  /**
   * `-A -t 120 -u SEEN_REPLY -s 192.0.2.1 ...`, a line for `-R`: -A of a flow and of a new one, -U of an update,
   * -D of a destroyed one. Mark, labels, helper, counters and the id are not kept. Expectations have their
   * line, as in the original.
   */
  save(item: FormatItem, options: FormatOptions = {}): string {
    return formatItem('save', item, options);
  },

  /** `JSON.stringify(item)`, byte for byte, and faster; `schema/nfconntrack.schema.json` describes it. */
  json(item: FormatItem): string {
    return formatJson(item);
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
  options: BatchFormatOptions = {},
): Uint8Array {
  return native().formatFlows(batch.records.bytes, ...nativeFormat(kind, options, []));
}

/** @internal A line of each event, with its line feed; gaps are lines of JSON only. */
export function formatEventBatch(
  batch: EventBatch,
  kind: FormatKind,
  options: BatchFormatOptions = {},
): Uint8Array {
  const portids = options.progname === undefined ? [] : batch.columns.portid;
  return native().formatFlows(batch.records.bytes, ...nativeFormat(kind, options, portids));
}

/** @internal The same of events of expectations. */
export function formatExpectationEventBatch(
  batch: ExpectationEventBatch,
  kind: FormatKind,
  options: BatchFormatOptions = {},
): Uint8Array {
  return native().formatExpectations(batch.records.bytes, ...nativeFormat(kind, options, []));
}
