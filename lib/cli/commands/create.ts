import { Status } from '../../status';
import { failed } from '../failure';
import { newFlowOf } from '../new-flow';
import { type Session, trailer } from '../session';

/** -I and -A. */
export async function create(session: Session): Promise<number> {
  const { ct, invocation } = session;
  const { command, status } = invocation;
  // The kernel's answer to it; the library leaves the bit out, so that a listed flow can be made again.
  if (((status?.set ?? 0) & Status.expected) !== 0) {
    throw failed('Operation failed: Device or resource busy');
  }
  const flow = newFlowOf(invocation);
  await (command === 'create' ? ct.create(flow) : ct.add(flow));
  trailer(session, `1 flow entries have been ${command === 'create' ? 'created' : 'added'}.`);
  return 0;
}
