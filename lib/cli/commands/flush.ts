import { type Session, trailer } from '../session';

export async function flush(session: Session): Promise<number> {
  const { ct, invocation } = session;
  const { table, family } = invocation;
  if (table === 'expect') {
    await ct.expectations.flush();
    trailer(session, 'expectation table has been emptied.');
    return 0;
  }
  await ct.flush(family === undefined ? undefined : { family });
  // Also in a batch, as the original says it.
  trailer({ ...session, batch: false }, 'connection tracking table has been emptied.');
  return 0;
}
