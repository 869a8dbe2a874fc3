import type { Limits } from '../../stats';
import { filterOf } from '../matching';
import { Printer } from '../printer';
import type { Session } from '../session';

/** How many there are, and of flows how many there may be. */
async function countOf({
  ct,
  invocation,
  where,
}: Session): Promise<Pick<Limits, 'entries'> & Partial<Limits>> {
  if (invocation.table === 'expect') {
    return { entries: (await ct.expectations.list({ family: 'ipv4' })).length };
  }
  if (where !== undefined) return { entries: await ct.flows(filterOf(invocation, where)).count() };
  return ct.limits();
}

export async function count(session: Session): Promise<number> {
  const { io, invocation } = session;
  const found = await countOf(session);
  const { isJson } = new Printer(invocation, io);
  await io.write(`${isJson ? JSON.stringify(found) : found.entries}\n`);
  return 0;
}
