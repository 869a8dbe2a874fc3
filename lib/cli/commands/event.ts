import { setTimeout as pause } from 'node:timers/promises';

import type { EventType, GapEvent } from '../../event';
import { EventMask } from '../keywords';
import { wantedOf } from '../matching';
import { Printer } from '../printer';
import { say, type Session, trailer } from '../session';

const TYPES: readonly EventType[] = ['new', 'update', 'destroy'];
/** What the library takes for a buffer at the least. */
const SMALLEST_BUFFER = 4096;
const LARGEST_BUFFER = 2 ** 31 - 1;
const LONG_MS = 2 ** 30;

function typesOf(mask: number | undefined): EventType[] {
  return TYPES.filter((type) => mask === undefined || (mask & EventMask[type]) !== 0);
}

function bufferOf(session: Session): { receiveBuffer?: number } {
  const { bufferSize } = session.invocation;
  if (bufferSize === undefined) return {};
  // The kernel grants the double of what it is asked for; the original asks, the library says what to grant.
  return { receiveBuffer: Math.min(Math.max(2 * bufferSize, SMALLEST_BUFFER), LARGEST_BUFFER) };
}

function sayBuffer({ io, invocation }: Session, receiveBuffer: number): void {
  if (invocation.bufferSize === undefined) return;
  io.error(`NOTICE: Netlink socket buffer size has been set to ${receiveBuffer} bytes.\n`);
}

/** What to do about it, by the first reason. */
const REMEDIES: Readonly<Record<GapEvent['reason'], string>> = {
  overrun: "the kernel's buffer was full, see --buffer-size",
  queue: 'what reads the output is too slow',
  malformed: 'they were not understood',
};

/** Loss is never silent. */
function sayGap(session: Session, gap: GapEvent, what: string): void {
  const missing = gap.kernelDrops + gap.queueDrops + gap.malformed;
  say(session, `WARNING: ${missing} ${what} are missing: ${REMEDIES[gap.reason]}.`);
}

/** Nothing to listen to: waits to be interrupted. */
async function idle(session: Session): Promise<void> {
  const signal = session.io.interrupted();
  while (!signal.aborted) await pause(LONG_MS, undefined, { signal }).catch(() => undefined);
}

function closeOnInterrupt(session: Session, stream: { close(): void }): void {
  const signal = session.io.interrupted();
  if (signal.aborted) stream.close();
  signal.addEventListener('abort', () => {
    stream.close();
  });
}

async function printFlowEvents(session: Session, printer: Printer): Promise<number> {
  const { ct, invocation, where } = session;
  const types = typesOf(invocation.events);
  const filter = wantedOf(invocation, where);
  if (types.length === 0) {
    await idle(session);
    return 0;
  }
  const events = await ct.events(filter, { types, ...bufferOf(session) });
  sayBuffer(session, events.statistics().receiveBuffer);
  closeOnInterrupt(session, events);
  let shown = 0;
  for await (const batch of events.batches()) {
    await printer.events(batch);
    shown += batch.length - batch.gaps;
    if (batch.gaps === 0) continue;
    for (const event of batch) if (event.type === 'gap') sayGap(session, event, 'flow events');
  }
  return shown;
}

async function printExpectationEvents(session: Session, printer: Printer): Promise<number> {
  const events = await session.ct.expectations.events();
  closeOnInterrupt(session, events);
  let shown = 0;
  for await (const event of events) {
    if (event.type === 'gap') {
      sayGap(session, event, 'expectation events');
      if (printer.isJson) await session.io.write(`${JSON.stringify(event)}\n`);
      continue;
    }
    await printer.items([event]);
    shown += 1;
  }
  return shown;
}

export async function event(session: Session): Promise<number> {
  const printer = new Printer(session.invocation, session.io);
  const ofExpectations = session.invocation.table === 'expect';
  const shown = await (ofExpectations
    ? printExpectationEvents(session, printer)
    : printFlowEvents(session, printer));
  await printer.end();
  trailer(session, `${shown} ${ofExpectations ? 'expectation' : 'flow'} events have been shown.`);
  return 0;
}
