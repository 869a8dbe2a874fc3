/** Commands on the table of expectations. */
import type { ExpectationKey } from '../../expectation-key';
import type { NewExpectation } from '../../new-expectation';
import type { TupleLike } from '../../key';
import { portKind } from '../../protocol';
import { failed } from '../failure';
import type { Invocation } from '../invocation';
import { Printer } from '../printer';
import { type Session, trailer } from '../session';

export async function listExpectations(session: Session): Promise<number> {
  const { ct, io, invocation } = session;
  const expectations = await ct.expectations.list({ family: invocation.family ?? 'ipv4' });
  const printer = new Printer(invocation, io);
  await printer.items(expectations);
  await printer.end();
  trailer(session, `${expectations.length} expectations have been shown.`);
  return 0;
}

/** A pair of ports, by the names that they have in a protocol. */
function portsOf(protonum: number, sport = 0, dport = 0): TupleLike {
  switch (portKind(protonum)) {
    case 'ports':
      return { sport, dport };
    case 'gre':
      return { srckey: sport, dstkey: dport };
    default:
      return {};
  }
}

function keyOf({ protocol, src, dst, values }: Invocation): ExpectationKey {
  const protonum = protocol?.number ?? 0;
  return {
    protonum,
    tuple: {
      src: src?.text,
      dst: dst?.text,
      ...portsOf(protonum, values.sport, values.dport),
    },
  };
}

const missing = (): Error => failed('Operation failed: No such file or directory');

export async function getExpectation(session: Session): Promise<number> {
  const { ct, io, invocation } = session;
  const expectation = await ct.expectations.get(keyOf(invocation));
  if (expectation === undefined) throw missing();
  // A look-up knows the zone, which the kernel does not send and the original does not print.
  const listed = await ct.expectations.list({ family: expectation.family });
  const shown = listed.find(({ id }) => id === expectation.id) ?? expectation;
  await new Printer(invocation, io).items([shown]);
  return 0;
}

/** The original counts none that it deletes, and calls that a failure; scripts know it. */
export async function deleteExpectation(session: Session): Promise<number> {
  const { ct, invocation } = session;
  if (!(await ct.expectations.delete(keyOf(invocation)))) throw missing();
  trailer(session, '0 expectations have been shown.');
  return 1;
}

function expectationOf(invocation: Invocation): NewExpectation {
  const { protocol, values, src, dst, tupleSrc, tupleDst, maskSrc, maskDst, timeout } = invocation;
  const protonum = protocol?.number ?? 0;
  return {
    protonum,
    tuple: {
      src: tupleSrc?.text,
      dst: tupleDst?.text,
      ...portsOf(protonum, values.tupleSport, values.tupleDport),
    },
    mask: {
      src: maskSrc?.text,
      dst: maskDst?.text,
      ...portsOf(protonum, values.maskSport, values.maskDport),
    },
    master: {
      src: src?.text,
      dst: dst?.text,
      ...portsOf(protonum, values.sport, values.dport),
    },
    timeout,
  };
}

export async function createExpectation(session: Session): Promise<number> {
  await session.ct.expectations.create(expectationOf(session.invocation));
  return 0;
}
