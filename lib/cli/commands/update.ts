import type { FlowChanges } from '../../changes';
import { ConntrackError } from '../../errors';
import type { Flow } from '../../flow';
import type { Invocation } from '../invocation';
import { filterOf, refuseSloppy } from '../matching';
import { vtagOf } from '../new-flow';
import { Printer } from '../printer';
import { type Session, trailer } from '../session';

/** Requests under way at a time. */
const AT_ONCE = 128;
const LABELS = 128;

function changedMark(flow: Flow, { mark }: Invocation): number | undefined {
  if (mark === undefined) return undefined;
  const old = flow.mark ?? 0;
  const wanted = ((old & ~mark.mask) ^ mark.value) >>> 0;
  return wanted === old ? undefined : wanted;
}

/** Bits are added, never taken away. */
function changedStatus(flow: Flow, { status }: Invocation): { set: number } | undefined {
  const set = status?.set ?? 0;
  return (flow.status & set) >>> 0 === set ? undefined : { set };
}

/** As the original, takes labels for a change even if the flow has those to add, or has only others. */
function changedLabels(
  flow: Flow,
  { addLabels, deleteLabels, given }: Invocation,
): FlowChanges['labels'] {
  if (addLabels.length > 0) return { set: addLabels };
  if (!given.has('label-del') || (flow.labels ?? []).length === 0) return undefined;
  const all = Array.from({ length: LABELS }, (_, bit) => bit);
  return { clear: deleteLabels.length > 0 ? deleteLabels : all };
}

type Info = Pick<FlowChanges, 'tcp' | 'sctp' | 'dccp'>;

function changedInfo(flow: Flow, { protocol, values }: Invocation): Info {
  const { state, origVtag, replyVtag } = values;
  switch (protocol?.number) {
    case 6:
      return state === undefined || state === flow.state ? {} : { tcp: { state: state as 'NONE' } };
    case 33:
      return state === undefined || state === flow.state
        ? {}
        : { dccp: { state: state as 'NONE' } };
    case 132: {
      const old = flow.sctp ?? {};
      const sctp = {
        ...old,
        ...(state === undefined ? {} : { state: state as 'NONE' }),
        ...(origVtag === undefined ? {} : { origVtag: vtagOf(origVtag) }),
        ...(replyVtag === undefined ? {} : { replyVtag: vtagOf(replyVtag) }),
      };
      const same =
        sctp.state === old.state &&
        sctp.origVtag === old.origVtag &&
        sctp.replyVtag === old.replyVtag;
      return same ? {} : { sctp };
    }
    default:
      return {};
  }
}

/** What is to become of a flow; undefined: it is like that already. */
function changesOf(flow: Flow, invocation: Invocation): FlowChanges | undefined {
  const { timeout } = invocation;
  const mark = changedMark(flow, invocation);
  const status = changedStatus(flow, invocation);
  const labels = changedLabels(flow, invocation);
  const changes: FlowChanges = {
    ...(timeout === undefined || timeout === flow.timeout ? {} : { timeout }),
    ...(mark === undefined ? {} : { mark }),
    ...(status === undefined ? {} : { status }),
    ...(labels === undefined ? {} : { labels }),
    ...changedInfo(flow, invocation),
  };
  return Object.keys(changes).length === 0 ? undefined : changes;
}

/** Errors of a flow that has gone, and of labels where no rule knows of them: neither is a failure. */
const PASSED_OVER = ['ENOENT', 'ENOSPC'];

/** The flow after the change; undefined: there is nothing to change, or it has gone. */
async function updateOne(session: Session, flow: Flow): Promise<Flow | undefined> {
  const { ct, invocation } = session;
  const changes = changesOf(flow, invocation);
  if (changes === undefined) return undefined;
  if (invocation.dryRun) return flow;
  try {
    await ct.update(flow, changes);
  } catch (error) {
    if (error instanceof ConntrackError && PASSED_OVER.includes(error.code)) return undefined;
    throw error;
  }
  return ct.get(flow);
}

export async function update(session: Session): Promise<number> {
  const { ct, io, invocation, where, batch } = session;
  const filter = filterOf(invocation, where);
  refuseSloppy(invocation);
  const printer = new Printer(invocation, io);
  let count = 0;
  for await (const found of ct.flows(filter).batches()) {
    const flows = [...found];
    for (let first = 0; first < flows.length; first += AT_ONCE) {
      const slice = flows.slice(first, first + AT_ONCE);
      const updated = await Promise.all(slice.map((flow) => updateOne(session, flow)));
      const shown = updated.filter((flow) => flow !== undefined);
      await printer.items(shown);
      count += shown.length;
    }
  }
  const done = invocation.dryRun ? 'would be' : 'have been';
  trailer(session, `${count} flow entries ${done} updated.`);
  return count > 0 || batch ? 0 : 1;
}
