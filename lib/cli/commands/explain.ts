import type { Filter } from '../../filter';
import type { Explanation } from '../../plan';
import { filterOf, wantedOf } from '../matching';
import { Printer } from '../printer';
import type { Session } from '../session';

async function explanationOf({ ct, invocation, where }: Session): Promise<Explanation> {
  // Checks masks, which mean nothing without an address.
  filterOf(invocation, where);
  const filter: Filter | undefined = wantedOf(invocation, where);
  if (invocation.command !== 'event') return ct.flows(filter).explain();
  const events = await ct.events(filter);
  events.close();
  return events.explain();
}

function section(title: string, lines: readonly string[]): string {
  const first = title.padEnd(8);
  if (lines.length === 0) return `${first}-\n`;
  return lines.map((line, index) => `${index === 0 ? first : ' '.repeat(8)}${line}\n`).join('');
}

/** Says where the filter of a command is evaluated, and does nothing else. */
export async function explain(session: Session): Promise<number> {
  const { io, invocation } = session;
  const { kernel, native, reasons } = await explanationOf(session);
  const { isJson } = new Printer(invocation, io);
  await io.write(
    isJson
      ? `${JSON.stringify({ kernel, native, reasons })}\n`
      : section('kernel', kernel) + section('native', native) + section('why', reasons),
  );
  return 0;
}
