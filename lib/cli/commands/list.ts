import { usage } from '../failure';
import { filterOf, wantedOf } from '../matching';
import { Printer } from '../printer';
import { type Session, trailer } from '../session';

/** Options that compare, which do not go with -z: it would zero the counters of what is not shown. */
const COMPARING = [
  'src', 'dst', 'reply-src', 'reply-dst', 'protonum', 'mark', 'secmark', 'status', 'zone', 'label', 'id',
  'orig-zone', 'reply-zone', 'src-nat', 'dst-nat', 'any-nat',
]; // prettier-ignore

function checkZero({ invocation: { given }, where }: Session): void {
  if (!given.has('zero')) return;
  if (where !== undefined || COMPARING.some((option) => given.has(option))) {
    throw usage("Can't use -z with filtering parameters");
  }
}

export async function list(session: Session): Promise<number> {
  const { ct, io, invocation, where } = session;
  const { table, given, family } = invocation;
  filterOf(invocation, where);
  checkZero(session);
  const zeroCounters = given.has('zero') && table === 'conntrack';
  const filter = zeroCounters ? family && { family } : wantedOf(invocation, where);
  const printer = new Printer(invocation, io);
  let shown = 0;
  const tables = { table: table as 'conntrack' | 'dying' | 'unconfirmed', zeroCounters };
  for await (const batch of ct.flows(filter, tables).batches()) {
    await printer.batch(batch);
    shown += batch.length;
  }
  await printer.end();
  trailer(session, `${shown} flow entries have been shown.`);
  return 0;
}
