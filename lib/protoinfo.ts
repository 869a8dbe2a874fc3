/** What a protocol's tracker remembers of a flow (CTA_PROTOINFO): of TCP, SCTP and DCCP. */
import type { DccpInfo, SctpInfo, TcpFlags, TcpInfo } from './flow';
import { FlowHas, FlowOffset, Protoinfo, TailType } from './layout';
import { integer, mustBe, options, string } from './options';
import { protocolName } from './protocol';
import type { RecordWriter } from './record-writer';
import { stateNumber } from './state';

const U8 = 0xff;
const U32 = 0xffff_ffff;
const U48 = 2 ** 48 - 1;
const MAX_WINDOW_SCALE = 14;
/** IP_CT_TCP_FLAG_WINDOW_SCALE of <linux/netfilter/nf_conntrack_tcp.h>. */
const WINDOW_SCALE = 1;
const KINDS = ['tcp', 'sctp', 'dccp'] as const;
type Kind = (typeof KINDS)[number];
const SCALES = ['origWindowScale', 'replyWindowScale'] as const;
const FLAGS = ['origFlags', 'replyFlags'] as const;

const PROTOINFO: Readonly<Record<number, Kind>> = {
  6: 'tcp',
  33: 'dccp',
  132: 'sctp',
};

/** What may be given of it. */
export interface ProtocolDetails {
  /** Short for the state of `tcp`, `sctp` or `dccp`. */
  state?: string | undefined;
  tcp?: TcpInfo | undefined;
  sctp?: SctpInfo | undefined;
  dccp?: DccpInfo | undefined;
}

/** What it is given for: a new flow starts from nothing, of a flow that is there the rest stays. */
export type Purpose = 'create' | 'change';

function optionalInteger(name: string, value: unknown, max: number): number | undefined {
  return value === undefined ? undefined : integer(name, value, 0, max);
}

function numberOfState(name: string, value: unknown, protoinfo: number): number {
  const text = string(name, value).toUpperCase();
  const named = stateNumber(protoinfo, text);
  if (named !== undefined) return named;
  if (/^\d{1,3}$/.test(text)) return integer(name, Number(text), 0, U8);
  throw mustBe(name, 'a state of this protocol', value);
}

/** The state, which may be said in two places. */
function stateOf(name: string, kind: Kind, short: unknown, own: unknown): number | undefined {
  const protoinfo = Protoinfo[kind];
  const first = short === undefined ? undefined : numberOfState(`${name}.state`, short, protoinfo);
  const second =
    own === undefined ? undefined : numberOfState(`${name}.${kind}.state`, own, protoinfo);
  if (first !== undefined && second !== undefined && first !== second) {
    throw new TypeError(
      `${name}.state is ${String(short)}, but ${name}.${kind}.state is ${String(own)}`,
    );
  }
  return first ?? second;
}

type Flags = { value: number; mask: number } | undefined;

function tcpFlags(name: string, given: TcpFlags | undefined, purpose: Purpose): Flags {
  if (given === undefined) return undefined;
  const known = options(name, given, ['value', 'mask']);
  const value = integer(`${name}.value`, known.value, 0, U8);
  const mask = integer(`${name}.mask`, known.mask, 0, U8);
  // The kernel lists flags with a mask of 0: of a new flow that means all of them.
  return { value, mask: mask === 0 && purpose === 'create' ? U8 : mask };
}

function writeTcp(
  record: RecordWriter,
  name: string,
  tcp: TcpInfo,
  state: number | undefined,
  purpose: Purpose,
): void {
  const known = options(name, tcp, ['state', ...SCALES, ...FLAGS]);
  const flags = FLAGS.map((member) => tcpFlags(`${name}.${member}`, known[member], purpose));
  const scales = SCALES.map((member) =>
    optionalInteger(`${name}.${member}`, known[member], MAX_WINDOW_SCALE),
  );
  if (scales.some((scale) => scale !== undefined))
    scale(record, name, scales, flags, known, purpose);
  record.optionalU8(FlowOffset.state, FlowHas.state, state);
  writeFlags(record, FlowOffset.origTcpFlags, FlowHas.origTcpFlags, flags[0]);
  writeFlags(record, FlowOffset.replyTcpFlags, FlowHas.replyTcpFlags, flags[1]);
}

function writeFlags(record: RecordWriter, offset: number, flag: number, flags: Flags): void {
  if (flags === undefined) return;
  record.u8(offset, flags.value);
  record.u8(offset + 1, flags.mask);
  record.has(flag);
}

/**
 * Writes both window scales, and into `flags` what makes them count: the kernel takes them only together, and
 * only where both directions have the flag (nlattr_to_tcp()).
 */
function scale(
  record: RecordWriter,
  name: string,
  scales: readonly (number | undefined)[],
  flags: Flags[],
  given: Partial<TcpInfo>,
  purpose: Purpose,
): void {
  const [orig, reply] = scales;
  if (orig === undefined || reply === undefined) {
    const missing = orig === undefined ? SCALES[0] : SCALES[1];
    throw new TypeError(
      `${name}.${missing} is missing: the kernel takes both window scales together`,
    );
  }
  if (purpose === 'create' && orig === 0 && reply === 0) return;
  for (const [index, member] of FLAGS.entries()) {
    const { value, mask } = flags[index] ?? { value: 0, mask: 0 };
    if ((mask & WINDOW_SCALE) !== 0 && (value & WINDOW_SCALE) === 0) {
      // Listed with no mask: a flow whose directions have not agreed on scaling.
      if (given[member]?.mask === 0) return;
      throw new TypeError(`${name}.${member} takes window scaling away, which the scales need`);
    }
    flags[index] = { value: value | WINDOW_SCALE, mask: mask | WINDOW_SCALE };
  }
  record.optionalU8(FlowOffset.origWindowScale, FlowHas.origWindowScale, orig);
  record.optionalU8(FlowOffset.replyWindowScale, FlowHas.replyWindowScale, reply);
}

/** The kernel takes the three together only (nlattr_to_sctp()), so that none can be left as it is. */
function writeSctp(
  record: RecordWriter,
  name: string,
  sctp: SctpInfo,
  state: number | undefined,
  purpose: Purpose,
): void {
  const known = options(name, sctp, ['state', 'origVtag', 'replyVtag']);
  const origVtag = optionalInteger(`${name}.origVtag`, known.origVtag, U32);
  const replyVtag = optionalInteger(`${name}.replyVtag`, known.replyVtag, U32);
  const unsaid = origVtag === undefined && replyVtag === undefined && purpose === 'create';
  const whole = unsaid ? { state, origVtag: 0, replyVtag: 0 } : { state, origVtag, replyVtag };
  for (const member of ['state', 'origVtag', 'replyVtag'] as const) {
    if (whole[member] !== undefined) continue;
    throw new TypeError(
      `${name}.${member} is missing: the kernel takes state and both vtags together`,
    );
  }
  record.optionalU8(FlowOffset.state, FlowHas.state, whole.state);
  record.optionalU32(FlowOffset.origVtag, FlowHas.origVtag, whole.origVtag);
  record.optionalU32(FlowOffset.replyVtag, FlowHas.replyVtag, whole.replyVtag);
}

function writeDccp(
  record: RecordWriter,
  name: string,
  dccp: DccpInfo,
  state: number | undefined,
): void {
  const known = options(name, dccp, ['state', 'role', 'handshakeSeq']);
  const role = optionalInteger(`${name}.role`, known.role, 1);
  const sequence = optionalInteger(`${name}.handshakeSeq`, known.handshakeSeq, U48);
  record.optionalU8(FlowOffset.state, FlowHas.state, state);
  record.optionalU8(FlowOffset.dccpRole, FlowHas.dccpRole, role);
  if (sequence !== undefined) record.tailU64(TailType.dccpHandshakeSeq, sequence);
}

function doesNotGo(name: string, protonum: number): TypeError {
  return new TypeError(`${name} does not go with the protocol ${protocolName(protonum)}`);
}

/** Which kind is given, if by its state alone. */
function kindOf(
  name: string,
  details: ProtocolDetails,
  protonum: number | undefined,
): Kind | undefined {
  const { state, tcp, sctp, dccp } = details;
  const count = Number(tcp !== undefined) + Number(sctp !== undefined) + Number(dccp !== undefined);
  if (count > 1) throw new TypeError(`${name} must have one of tcp, sctp and dccp, not several`);
  const given = count === 0 ? undefined : KINDS.find((kind) => details[kind] !== undefined);
  if (state === undefined || protonum === undefined) return given;
  const own = PROTOINFO[protonum];
  if (own === undefined) throw doesNotGo(`${name}.state`, protonum);
  return given ?? own;
}

/** Writes it; `protonum` is undefined where it is for flows of any protocol. */
export function writeProtoinfo(
  record: RecordWriter,
  name: string,
  details: ProtocolDetails,
  protonum: number | undefined,
  purpose: Purpose,
): void {
  const kind = kindOf(name, details, protonum);
  if (kind === undefined) return;
  const info = details[kind];
  // A member that is no object is refused where its members are checked.
  const own: unknown = (info as { state?: unknown } | null | undefined)?.state;
  const state = stateOf(name, kind, details.state, own);
  record.u8(FlowOffset.protoinfo, Protoinfo[kind]);
  if (info === undefined && kind !== 'sctp') {
    record.optionalU8(FlowOffset.state, FlowHas.state, state);
    return;
  }
  const { tcp = {}, sctp = {}, dccp = {} } = details;
  const at = `${name}.${kind}`;
  if (kind === 'tcp') writeTcp(record, at, tcp, state, purpose);
  if (kind === 'sctp') writeSctp(record, at, sctp, state, purpose);
  if (kind === 'dccp') writeDccp(record, at, dccp, state);
  if (protonum !== undefined && PROTOINFO[protonum] !== kind) throw doesNotGo(at, protonum);
}
