import { filterOf } from '../matching';
import { Printer } from '../printer';
import type { Session } from '../session';

async function countOf({ ct, invocation, where }: Session): Promise<number> {
  if (invocation.table === 'expect') {
    return (await ct.expectations.list({ family: invocation.family ?? 'ipv4' })).length;
  }
  if (where !== undefined) return ct.flows(filterOf(invocation, where)).count();
  return ct.count();
}

export async function count(session: Session): Promise<number> {
  const { io, invocation } = session;
  const found = await countOf(session);
  const { isJson } = new Printer(invocation, io);
  await io.write(`${isJson ? JSON.stringify({ count: found }) : found}\n`);
  return 0;
}
