import { filterOf } from '../matching';
import { Printer } from '../printer';
import type { Session } from '../session';

/** -C of what --where says, or of expectations; see countAll() for the count of all flows. */
export async function count(session: Session): Promise<number> {
  const { ct, io, invocation, where } = session;
  const entries =
    invocation.table === 'expect'
      ? (await ct.expectations.list({ family: 'ipv4' })).length
      : await ct.flows(filterOf(invocation, where)).count();
  const { isJson } = new Printer(invocation, io);
  await io.write(`${isJson ? JSON.stringify({ entries }) : entries}\n`);
  return 0;
}
