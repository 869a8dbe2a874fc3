import type { Flow } from '../../flow';
import type { Tuple } from '../../tuple';
import { failed } from '../failure';
import type { Invocation } from '../invocation';
import { keyOf } from '../new-flow';
import { Printer } from '../printer';
import { type Session, trailer } from '../session';

function hasReply(reply: Tuple, { replySrc, replyDst, values }: Invocation): boolean {
  const { replySport, replyDport } = values;
  return (
    (replySrc === undefined || reply.src === replySrc.text) &&
    (replyDst === undefined || reply.dst === replyDst.text) &&
    (replySport === undefined || (reply.sport ?? reply.srckey) === replySport) &&
    (replyDport === undefined || (reply.dport ?? reply.dstkey) === replyDport)
  );
}

/** Whether a flow that was found is also what the other options say. */
function isWanted(flow: Flow, invocation: Invocation): boolean {
  const { id, labels, values } = invocation;
  const own = flow.labels ?? [];
  return (
    (id === undefined || flow.id === id) &&
    (values.state === undefined || flow.state === values.state) &&
    labels.every((label) => own.includes(label)) &&
    hasReply(flow.reply, invocation)
  );
}

export async function get(session: Session): Promise<number> {
  const { ct, io, invocation } = session;
  const flow = await ct.get(keyOf(invocation));
  if (flow === undefined) throw failed("Operation failed: such conntrack doesn't exist");
  const shown = isWanted(flow, invocation) ? [flow] : [];
  await new Printer(invocation, io).items(shown);
  trailer(session, `${shown.length} flow entries have been shown.`);
  return shown.length === 0 ? 1 : 0;
}
