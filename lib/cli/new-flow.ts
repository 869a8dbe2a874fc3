/** The flow that -I and -A make, and the one that -G looks up. */
import type { NatRange } from '../nat';
import { type NewFlow, replyIcmpType } from '../new-flow';
import type { FlowKey, TupleLike } from '../key';
import { portKind } from '../protocol';
import type { Address, NatAddress } from './addresses';
import { failed } from './failure';
import type { Invocation } from './invocation';

type Side = 'orig' | 'reply';

const NO_ADDRESS = { ipv4: '0.0.0.0', ipv6: '::' } as const;

const invalid = (): Error => failed('Operation failed: invalid parameters');

function addressText(address: Address | undefined, { family }: Invocation): string {
  return address?.text ?? NO_ADDRESS[family ?? 'ipv4'];
}

/** What tells flows between the same addresses apart; what was not given is 0. */
function memberValues(invocation: Invocation, side: Side): TupleLike {
  const { protocol, values } = invocation;
  const protonum = protocol?.number ?? 0;
  const [sport = 0, dport = 0] =
    side === 'orig' ? [values.sport, values.dport] : [values.replySport, values.replyDport];
  switch (portKind(protonum)) {
    case 'ports':
      return { sport, dport };
    case 'gre':
      return { srckey: sport, dstkey: dport };
    case 'icmp':
      return icmpValues(protonum, invocation, side);
    case 'none':
      return {};
  }
}

function icmpValues(protonum: number, { values }: Invocation, side: Side): TupleLike {
  const { icmpType = 0, icmpCode = 0, icmpId = 0 } = values;
  const answer = replyIcmpType('orig', icmpType, protonum);
  return { icmpType: side === 'orig' ? icmpType : answer, icmpCode, icmpId };
}

function tupleOf(invocation: Invocation, side: Side): TupleLike {
  const { src, dst, replySrc, replyDst, origZone, replyZone } = invocation;
  const [from, to] = side === 'orig' ? [src, dst] : [replySrc, replyDst];
  const zone = side === 'orig' ? origZone : replyZone;
  return {
    src: addressText(from, invocation),
    dst: addressText(to, invocation),
    ...memberValues(invocation, side),
    ...(zone === undefined || zone === 0 ? {} : { zone }),
  };
}

/** A tuple the other way round, with the zone of its own side. */
function turned(tuple: TupleLike, invocation: Invocation, side: Side): TupleLike {
  const { src, dst, sport, dport, srckey, dstkey } = tuple;
  const icmp = tuple.icmpType === undefined ? {} : memberValues(invocation, side);
  const zone = side === 'orig' ? invocation.origZone : invocation.replyZone;
  return {
    src: dst,
    dst: src,
    ...(sport === undefined ? {} : { sport: dport, dport: sport }),
    ...(srckey === undefined ? {} : { srckey: dstkey, dstkey: srckey }),
    ...icmp,
    ...(zone === undefined || zone === 0 ? {} : { zone }),
  };
}

/** Both tuples: one that is not begun is the other one turned round. */
function tuplesOf(invocation: Invocation): Record<Side, TupleLike> {
  const { given } = invocation;
  const [orig, reply] = [tupleOf(invocation, 'orig'), tupleOf(invocation, 'reply')];
  const hasOrig = given.has('src') || given.has('dst');
  const hasReply = given.has('reply-src') || given.has('reply-dst');
  if (hasOrig && !hasReply) return { orig, reply: turned(orig, invocation, 'reply') };
  if (!hasOrig && hasReply) return { orig: turned(reply, invocation, 'orig'), reply };
  return { orig, reply };
}

function natRange(nat: NatAddress | undefined): NatRange | undefined {
  if (nat === undefined) return undefined;
  const { address, port } = nat;
  if (address === undefined && port === undefined) return undefined;
  return {
    ...(address === undefined ? {} : { address: address.text }),
    ...(port === undefined ? {} : { port }),
  };
}

function natOf({ srcNat, dstNat }: Invocation): NewFlow['nat'] {
  const [src, dst] = [natRange(srcNat), natRange(dstNat)];
  if (src === undefined && dst === undefined) return undefined;
  return { ...(src === undefined ? {} : { src }), ...(dst === undefined ? {} : { dst }) };
}

/** The kernel's flags of TCP flows (IP_CT_TCP_FLAG_*). */
const SACK_PERM = 0x02;
const CLOSE_INIT = 0x04;
const BE_LIBERAL = 0x08;
const CLOSING = ['TIME_WAIT', 'CLOSE', 'SYN_SENT2'];

/** A forged flow knows no window: its packets would all be invalid unless the kernel is liberal with it. */
function tcpOf(state: string | undefined): NewFlow['tcp'] {
  const closing = state !== undefined && CLOSING.includes(state);
  const flags = BE_LIBERAL | SACK_PERM | (closing ? CLOSE_INIT : 0);
  const both = { value: flags, mask: flags };
  return {
    ...(state === undefined
      ? {}
      : { state: state as NonNullable<NonNullable<NewFlow['tcp']>['state']> }),
    origFlags: both,
    replyFlags: both,
  };
}

/** The original reads and writes tags in the host's byte order, and what it saved must stay what it was. */
export function vtagOf(value: number | undefined): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value ?? 0);
  return bytes.readUInt32BE();
}

function protoinfoOf({ protocol, values }: Invocation): Pick<NewFlow, 'tcp' | 'sctp' | 'dccp'> {
  const { state, role, origVtag, replyVtag } = values;
  switch (protocol?.number) {
    case 6:
      return { tcp: tcpOf(state) };
    case 132: {
      const tags = { origVtag: vtagOf(origVtag), replyVtag: vtagOf(replyVtag) };
      return { sctp: { state: state as 'NONE', ...tags } };
    }
    case 33:
      return { dccp: { state: state as 'NONE', ...(role === undefined ? {} : { role }) } };
    default:
      return {};
  }
}

/** The flow to be made. */
export function newFlowOf(invocation: Invocation): NewFlow {
  const { protocol, timeout, status, mark, zone, addLabels } = invocation;
  return {
    protonum: protocol?.number ?? 0,
    ...tuplesOf(invocation),
    timeout,
    ...(status === undefined ? {} : { status: status.set }),
    ...(mark === undefined ? {} : { mark: mark.value }),
    ...(zone === undefined ? {} : { zone }),
    ...(addLabels.length === 0 ? {} : { labels: addLabels }),
    nat: natOf(invocation),
    ...protoinfoOf(invocation),
  };
}

/** The key of the flow to be looked up, by its original tuple. */
export function keyOf(invocation: Invocation): FlowKey {
  const { given, protocol } = invocation;
  if (!given.has('src')) throw invalid();
  return { protonum: protocol?.number ?? 0, orig: tupleOf(invocation, 'orig') };
}
