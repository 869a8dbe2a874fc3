import { inspect } from 'node:util';

import { type Family, familyName } from './address';
import { FLOW_SIZE, FlowHas, FlowOffset, Protoinfo, TailType, TupleOffset } from './layout';
import { protocolName } from './protocol';
import { milliseconds, u16, u32, u64, u8 } from './record';
import { type DccpState, type SctpState, type State, stateName, type TcpState } from './state';
import { Status, statusFlags } from './status';
import {
  findTail,
  tailBits,
  tailBytes,
  type TailEntry,
  tailI32,
  tailText,
  tailU32,
  tailU64,
} from './tail';
import { Direction, type DirectionData, present, Tuple, type TupleData } from './tuple';

/** Flags of one direction of a TCP flow (IP_CT_TCP_FLAG_*), and which of them mean something. */
export interface TcpFlags {
  value: number;
  mask: number;
}

export interface TcpInfo {
  state?: TcpState | `${number}`;
  /** Window scale shifts (RFC 7323). */
  origWindowScale?: number;
  replyWindowScale?: number;
  origFlags?: TcpFlags;
  replyFlags?: TcpFlags;
}

export interface SctpInfo {
  state?: SctpState | `${number}`;
  /** Verification tags (RFC 9260). */
  origVtag?: number;
  replyVtag?: number;
}

export interface DccpInfo {
  state?: DccpState | `${number}`;
  /** 0: the original direction is the client's; 1: the server's. */
  role?: number;
  /** The 48-bit sequence number of the handshake (RFC 4340). */
  handshakeSeq?: number;
}

/** How far sequence numbers are shifted behind `position`. */
export interface SeqAdjustment {
  position: number;
  offsetBefore: number;
  offsetAfter: number;
}

export interface SeqAdjust {
  orig?: SeqAdjustment;
  reply?: SeqAdjustment;
}

export interface Synproxy {
  /** Initial sequence number. */
  isn: number;
  /** Initial timestamp. */
  its: number;
  /** Offset of timestamps. */
  tsoff: number;
}

/** In ms since the epoch; batches have them exactly, in ns. */
export interface Timestamps {
  start?: number;
  /** In DESTROY events only. */
  stop?: number;
}

/** A flow as plain data: what `JSON.stringify` writes. Absent is what the kernel did not send. */
export interface FlowData {
  family: Family;
  protocol: string;
  protonum: number;
  state?: State;
  orig: DirectionData;
  reply: DirectionData;
  zone: number;
  id: number;
  status: number;
  statusFlags: string[];
  timeout?: number;
  mark?: number;
  secmark?: number;
  secctx?: string;
  use?: number;
  labels?: number[];
  helper?: string;
  /** Hexadecimal. */
  helperInfo?: string;
  master?: TupleData;
  timestamps?: Timestamps;
  tcp?: TcpInfo;
  sctp?: SctpInfo;
  dccp?: DccpInfo;
  seqAdjust?: SeqAdjust;
  synproxy?: Synproxy;
}

const ORIG_COUNTERS = {
  packets: FlowOffset.origPackets,
  bytes: FlowOffset.origBytes,
  hasPackets: FlowHas.origPackets,
  hasBytes: FlowHas.origBytes,
};
const REPLY_COUNTERS = {
  packets: FlowOffset.replyPackets,
  bytes: FlowOffset.replyBytes,
  hasPackets: FlowHas.replyPackets,
  hasBytes: FlowHas.replyBytes,
};

/** @internal The record of a flow and, behind it, its tail. */
export let bytesOfFlow: (flow: Flow) => string;

/**
 * A flow as one message of the kernel told it (`struct nf_conn` over ctnetlink). It never changes, stays
 * valid for ever and holds about 300 bytes. Members are decoded when they are read; what the message did
 * not carry is undefined.
 */
export class Flow {
  readonly #record: string;

  static {
    bytesOfFlow = (flow) => flow.#record;
  }

  /** @internal `record` is a FlowRecord's bytes and, behind them, its tail. */
  constructor(record: string) {
    this.#record = record;
  }

  get #presence(): number {
    return u32(this.#record, FlowOffset.presence);
  }

  #has(flag: number): boolean {
    return (this.#presence & flag) !== 0;
  }

  #u32(offset: number, flag: number): number | undefined {
    return this.#has(flag) ? u32(this.#record, offset) : undefined;
  }

  #u8(offset: number, flag: number): number | undefined {
    return this.#has(flag) ? u8(this.#record, offset) : undefined;
  }

  #time(offset: number, flag: number): number | undefined {
    return this.#has(flag) ? milliseconds(u64(this.#record, offset)) : undefined;
  }

  #tail(type: number): TailEntry | undefined {
    if (this.#record.length === FLOW_SIZE) return undefined;
    return findTail(this.#record, FLOW_SIZE, type);
  }

  get family(): Family {
    return familyName(u8(this.#record, FlowOffset.family));
  }

  /** IP protocol number (CTA_PROTO_NUM). */
  get protonum(): number {
    return u8(this.#record, FlowOffset.orig + TupleOffset.protonum);
  }

  /** The protocol's name, or its number as text. */
  get protocol(): string {
    return protocolName(this.protonum);
  }

  /** What the first packet looked like. */
  get orig(): Direction {
    return new Direction(this.#record, FlowOffset.orig, this.#presence, ORIG_COUNTERS);
  }

  /** What a reply to it looks like; under NAT not simply the reverse of `orig`. */
  get reply(): Direction {
    return new Direction(this.#record, FlowOffset.reply, this.#presence, REPLY_COUNTERS);
  }

  /** State of a TCP, SCTP or DCCP flow (CTA_PROTOINFO_*_STATE). */
  get state(): State | undefined {
    if (!this.#has(FlowHas.state)) return undefined;
    return stateName(u8(this.#record, FlowOffset.protoinfo), u8(this.#record, FlowOffset.state));
  }

  /** Bits of `Status` (CTA_STATUS). */
  get status(): number {
    return u32(this.#record, FlowOffset.status);
  }

  /** The kernel's names of the bits that are set. */
  get statusFlags(): string[] {
    return statusFlags(this.status);
  }

  get expected(): boolean {
    return (this.status & Status.expected) !== 0;
  }

  /** Packets were seen in both directions; `conntrack` prints [UNREPLIED] where not. */
  get seenReply(): boolean {
    return (this.status & Status.seenReply) !== 0;
  }

  /** It is not dropped early when the table is full. */
  get assured(): boolean {
    return (this.status & Status.assured) !== 0;
  }

  get confirmed(): boolean {
    return (this.status & Status.confirmed) !== 0;
  }

  get srcNat(): boolean {
    return (this.status & Status.srcNat) !== 0;
  }

  get dstNat(): boolean {
    return (this.status & Status.dstNat) !== 0;
  }

  get dying(): boolean {
    return (this.status & Status.dying) !== 0;
  }

  get fixedTimeout(): boolean {
    return (this.status & Status.fixedTimeout) !== 0;
  }

  /** A flow table forwards its packets; then it has neither timeout nor TCP state. */
  get offload(): boolean {
    return (this.status & Status.offload) !== 0;
  }

  get hwOffload(): boolean {
    return (this.status & Status.hwOffload) !== 0;
  }

  /** Seconds until it expires, if nothing more is seen of it (CTA_TIMEOUT). */
  get timeout(): number | undefined {
    return this.#u32(FlowOffset.timeout, FlowHas.timeout);
  }

  /** The connection mark (CTA_MARK). Events leave out a mark of 0 that did not change. */
  get mark(): number | undefined {
    return this.#u32(FlowOffset.mark, FlowHas.mark);
  }

  /** Until Linux 2.6.36 (CTA_SECMARK). */
  get secmark(): number | undefined {
    return this.#u32(FlowOffset.secmark, FlowHas.secmark);
  }

  /** Security context (CTA_SECCTX). */
  get secctx(): string | undefined {
    const entry = this.#tail(TailType.secctx);
    return entry && tailText(this.#record, entry);
  }

  /** The zone of both directions (CTA_ZONE); 0 is the default zone. */
  get zone(): number {
    return u16(this.#record, FlowOffset.zone);
  }

  /**
   * A 32-bit hash of the flow's place in the kernel's memory and of its tuple (CTA_ID). Zone, tuple and id
   * together identify a flow among those of one moment: two flows of a large table may share an id, and
   * one that follows another with the same tuple at once may get the other's place, and so its id.
   */
  get id(): number {
    return u32(this.#record, FlowOffset.id);
  }

  /** References to it in the kernel (CTA_USE); in listings only. */
  get use(): number | undefined {
    return this.#u32(FlowOffset.use, FlowHas.use);
  }

  /** Numbers of the connlabel bits that are set (CTA_LABELS, Linux 3.9). */
  get labels(): number[] | undefined {
    const entry = this.#tail(TailType.labels);
    return entry && tailBits(this.#record, entry);
  }

  /** Name of its helper (CTA_HELP_NAME). */
  get helper(): string | undefined {
    const entry = this.#tail(TailType.helper);
    return entry && tailText(this.#record, entry);
  }

  /** Data of a user-space helper (CTA_HELP_INFO, Linux 3.6). */
  get helperInfo(): Buffer | undefined {
    const entry = this.#tail(TailType.helperInfo);
    return entry && tailBytes(this.#record, entry);
  }

  /** The original tuple of the flow whose helper expected this one (CTA_TUPLE_MASTER). */
  get master(): Tuple | undefined {
    const entry = this.#tail(TailType.master);
    return entry && new Tuple(this.#record, entry.start);
  }

  /** Needs the sysctl nf_conntrack_timestamp (CTA_TIMESTAMP, Linux 2.6.38). */
  get timestamps(): Timestamps | undefined {
    const start = this.#time(FlowOffset.timestampStart, FlowHas.timestampStart);
    const stop = this.#time(FlowOffset.timestampStop, FlowHas.timestampStop);
    if (start === undefined && stop === undefined) return undefined;
    return present<Timestamps>({ start, stop });
  }

  /**
   * When this was read from the kernel, in ms since the epoch; `timeout` counts from then. Of events and of a
   * mirror's flows.
   */
  get knownSince(): number | undefined {
    return this.#time(FlowOffset.time, FlowHas.time);
  }

  /** When its counters were, of a flow of a mirror: only dumps and DESTROY events tell them. */
  get countersKnownSince(): number | undefined {
    const entry = this.#tail(TailType.countersTime);
    return entry && milliseconds(tailU64(this.#record, entry));
  }

  get tcp(): TcpInfo | undefined {
    if (u8(this.#record, FlowOffset.protoinfo) !== Protoinfo.tcp) return undefined;
    return present<TcpInfo>({
      state: this.state as TcpState | undefined,
      origWindowScale: this.#u8(FlowOffset.origWindowScale, FlowHas.origWindowScale),
      replyWindowScale: this.#u8(FlowOffset.replyWindowScale, FlowHas.replyWindowScale),
      origFlags: this.#tcpFlags(FlowOffset.origTcpFlags, FlowHas.origTcpFlags),
      replyFlags: this.#tcpFlags(FlowOffset.replyTcpFlags, FlowHas.replyTcpFlags),
    });
  }

  get sctp(): SctpInfo | undefined {
    if (u8(this.#record, FlowOffset.protoinfo) !== Protoinfo.sctp) return undefined;
    return present<SctpInfo>({
      state: this.state as SctpState | undefined,
      origVtag: this.#u32(FlowOffset.origVtag, FlowHas.origVtag),
      replyVtag: this.#u32(FlowOffset.replyVtag, FlowHas.replyVtag),
    });
  }

  get dccp(): DccpInfo | undefined {
    if (u8(this.#record, FlowOffset.protoinfo) !== Protoinfo.dccp) return undefined;
    const handshake = this.#tail(TailType.dccpHandshakeSeq);
    return present<DccpInfo>({
      state: this.state as DccpState | undefined,
      role: this.#u8(FlowOffset.dccpRole, FlowHas.dccpRole),
      handshakeSeq: handshake && tailU64(this.#record, handshake),
    });
  }

  /** Where a helper or SYNPROXY changed the length of the stream (CTA_SEQ_ADJ_*). */
  get seqAdjust(): SeqAdjust | undefined {
    const orig = this.#seqAdjustment(TailType.origSeqAdjust);
    const reply = this.#seqAdjustment(TailType.replySeqAdjust);
    return orig === undefined && reply === undefined
      ? undefined
      : present<SeqAdjust>({ orig, reply });
  }

  /** What SYNPROXY remembers (CTA_SYNPROXY, Linux 4.17). */
  get synproxy(): Synproxy | undefined {
    const entry = this.#tail(TailType.synproxy);
    if (entry === undefined) return undefined;
    const value = (index: number): number => tailU32(this.#record, entry, index);
    return { isn: value(0), its: value(1), tsoff: value(2) };
  }

  #tcpFlags(offset: number, flag: number): TcpFlags | undefined {
    if (!this.#has(flag)) return undefined;
    return { value: u8(this.#record, offset), mask: u8(this.#record, offset + 1) };
  }

  #seqAdjustment(type: number): SeqAdjustment | undefined {
    const entry = this.#tail(type);
    if (entry === undefined) return undefined;
    return {
      position: tailU32(this.#record, entry, 0),
      offsetBefore: tailI32(this.#record, entry, 1),
      offsetAfter: tailI32(this.#record, entry, 2),
    };
  }

  /** The flow as plain data, as the command line's `-o json` writes it. */
  toJSON(): FlowData {
    return present<FlowData>({
      family: this.family,
      protocol: this.protocol,
      protonum: this.protonum,
      state: this.state,
      orig: this.orig.toJSON(),
      reply: this.reply.toJSON(),
      zone: this.zone,
      id: this.id,
      status: this.status,
      statusFlags: this.statusFlags,
      timeout: this.timeout,
      mark: this.mark,
      secmark: this.secmark,
      secctx: this.secctx,
      use: this.use,
      labels: this.labels,
      helper: this.helper,
      helperInfo: this.helperInfo?.toString('hex'),
      master: this.master?.toJSON(),
      timestamps: this.timestamps,
      tcp: this.tcp,
      sctp: this.sctp,
      dccp: this.dccp,
      seqAdjust: this.seqAdjust,
      synproxy: this.synproxy,
    });
  }

  [inspect.custom](): FlowData {
    return this.toJSON();
  }
}
