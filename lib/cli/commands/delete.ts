import type { Conntrack } from '../../conntrack';
import type { Flow } from '../../flow';
import { filterOf, refuseSloppy } from '../matching';
import { Printer } from '../printer';
import { type Session, trailer } from '../session';

/** Deletes each of them, by tuple, zone and id; those that were still there. */
async function deleteEach(ct: Conntrack, flows: readonly Flow[]): Promise<Flow[]> {
  const { missing, failed } = await ct.deleteMany(flows);
  const [first] = failed;
  if (first !== undefined) throw first.error;
  const gone = new Set(missing);
  return flows.filter((_flow, index) => !gone.has(index));
}

export async function deleteFlows(session: Session): Promise<number> {
  const { ct, io, invocation, where, batch } = session;
  const filter = filterOf(invocation, where);
  refuseSloppy(invocation);
  const printer = new Printer(invocation, io);
  let count = 0;
  for await (const found of ct.flows(filter).batches()) {
    const deleted = invocation.dryRun ? [...found] : await deleteEach(ct, [...found]);
    await printer.items(deleted);
    count += deleted.length;
  }
  const done = invocation.dryRun ? 'would be' : 'have been';
  trailer(session, `${count} flow entries ${done} deleted.`);
  return count > 0 || batch ? 0 : 1;
}
