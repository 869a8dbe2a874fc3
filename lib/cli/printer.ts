/** Flows, events and expectations on their way to stdout, in the format that -o names. */
import type { FlowBatch } from '../batch';
import type { EventBatch } from '../event';
import type { Expectation } from '../expectation';
import type { ExpectationChange } from '../expectation-event';
import type { Flow } from '../flow';
import {
  type BatchFormatOptions,
  format,
  formatBatch,
  formatEventBatch,
  type FormatKind,
  XML_FRAME,
} from '../format';
import { programOf } from '../program';
import type { Invocation } from './invocation';
import type { Io } from './io';
import { Output } from './keywords';

export function kindOf(output: number): FormatKind {
  if ((output & Output.xml) !== 0) return 'xml';
  if ((output & Output.save) !== 0) return 'save';
  return (output & Output.json) !== 0 ? 'json' : 'line';
}

/** Which words of -o mean something to which command. */
const HEEDED: Readonly<Record<string, number>> = {
  list: Output.ktimestamp | Output.labels,
  get: Output.ktimestamp | Output.labels,
  update: Output.labels,
  delete: 0,
  event: Output.timestamp | Output.ktimestamp | Output.labels,
};

function optionsOf({ command, output, labelMap }: Invocation): BatchFormatOptions {
  const heeded = HEEDED[command] ?? 0;
  const asked = (bit: number): boolean => (output & bit) !== 0;
  return {
    extended: asked(Output.extended),
    id: asked(Output.id),
    timestamp: asked(Output.timestamp & heeded),
    ktimestamp: asked(Output.ktimestamp & heeded),
    ...((heeded & Output.labels) !== 0 && labelMap !== undefined ? { labels: labelMap } : {}),
    ...(command === 'delete' ? { verb: 'D' } : {}),
    ...(command === 'event' ? { progname: programOf } : {}),
  };
}

/** Commands whose XML stands in a frame, and whether its end is written. */
const FRAMES: Readonly<Record<string, 'whole' | 'begun'>> = {
  list: 'whole',
  event: 'whole',
  get: 'begun',
};

export class Printer {
  readonly #io: Io;
  readonly #kind: FormatKind;
  readonly #options: BatchFormatOptions;
  readonly #frame: { readonly header: string; readonly footer: string } | undefined;
  readonly #framing: 'whole' | 'begun' | undefined;
  #begun = false;

  constructor(invocation: Invocation, io: Io) {
    const { command, table, output } = invocation;
    this.#io = io;
    this.#kind = kindOf(output);
    // The original knows no -o save of expectations.
    if (table === 'expect' && this.#kind === 'save') this.#kind = 'line';
    this.#options = optionsOf(invocation);
    this.#framing = this.#kind === 'xml' ? FRAMES[command] : undefined;
    this.#frame = table === 'expect' ? XML_FRAME.expectations : XML_FRAME.flows;
  }

  async batch(batch: FlowBatch): Promise<void> {
    if (batch.length === 0) return;
    await this.#begin();
    await this.#io.write(formatBatch(batch, this.#kind, this.#options));
  }

  async events(batch: EventBatch): Promise<void> {
    const count = this.#kind === 'json' ? batch.length : batch.length - batch.gaps;
    if (count === 0) return;
    await this.#begin();
    await this.#io.write(formatEventBatch(batch, this.#kind, this.#options));
  }

  async items(items: readonly (Flow | Expectation | ExpectationChange)[]): Promise<void> {
    if (items.length === 0) return;
    await this.#begin();
    const lines = items.map((item) => format[this.#kind](item, this.#options));
    await this.#io.write(`${lines.join('\n')}\n`);
  }

  /** JSON of anything else, which is all that there is of it. */
  get isJson(): boolean {
    return this.#kind === 'json';
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    if (this.#framing !== undefined) await this.#io.write(this.#frame?.header ?? '');
  }

  /** Behind the last one. */
  async end(): Promise<void> {
    if (this.#begun && this.#framing === 'whole') await this.#io.write(this.#frame?.footer ?? '');
  }
}
