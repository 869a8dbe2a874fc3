import { inspect } from 'node:util';

import { addressText, AF_INET6 } from './address';
import { TupleHas, TupleOffset } from './layout';
import { IPPROTO_GRE } from './protocol';
import { u16, u32, u64, u8 } from './record';

/** A tuple as plain data; an absent member is one that the kernel did not send. */
export interface TupleData {
  src?: string;
  dst?: string;
  sport?: number;
  dport?: number;
  icmpType?: number;
  icmpCode?: number;
  icmpId?: number;
  srckey?: number;
  dstkey?: number;
  zone?: number;
}

export interface DirectionData extends TupleData {
  packets?: number;
  bytes?: number;
}

/** Drops the members that are undefined. */
export function present<T extends object>(data: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as T;
}

/**
 * One direction's addresses (CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_TUPLE_MASTER). What the kernel did not
 * send is undefined, so that port 0 and zone 0 can be seen.
 */
export class Tuple {
  readonly #record: string;
  readonly #at: number;

  /** @internal */
  constructor(record: string, at: number) {
    this.#record = record;
    this.#at = at;
  }

  #has(flag: number): boolean {
    return (u32(this.#record, this.#at + TupleOffset.presence) & flag) !== 0;
  }

  #u16(offset: number, flag: number): number | undefined {
    return this.#has(flag) ? u16(this.#record, this.#at + offset) : undefined;
  }

  #u8(offset: number, flag: number): number | undefined {
    return this.#has(flag) ? u8(this.#record, this.#at + offset) : undefined;
  }

  #address(offset: number, flag: number): string | undefined {
    if (!this.#has(flag)) return undefined;
    return addressText(this.#record, this.#at + offset, this.#family);
  }

  get #family(): number {
    return u8(this.#record, this.#at + TupleOffset.family);
  }

  get #isGre(): boolean {
    return u8(this.#record, this.#at + TupleOffset.protonum) === IPPROTO_GRE;
  }

  /** IP protocol number (CTA_PROTO_NUM). */
  get protonum(): number | undefined {
    return this.#u8(TupleOffset.protonum, TupleHas.protonum);
  }

  /** The source address, as inet_ntop(3) writes it. */
  get src(): string | undefined {
    return this.#address(TupleOffset.src, TupleHas.src);
  }

  get dst(): string | undefined {
    return this.#address(TupleOffset.dst, TupleHas.dst);
  }

  /** Of TCP, UDP, UDP-Lite, SCTP and DCCP. */
  get sport(): number | undefined {
    return this.#isGre ? undefined : this.#u16(TupleOffset.sport, TupleHas.sport);
  }

  get dport(): number | undefined {
    return this.#isGre ? undefined : this.#u16(TupleOffset.dport, TupleHas.dport);
  }

  /** Of ICMP and ICMPv6. */
  get icmpType(): number | undefined {
    return this.#u8(TupleOffset.icmpType, TupleHas.icmpType);
  }

  get icmpCode(): number | undefined {
    return this.#u8(TupleOffset.icmpCode, TupleHas.icmpCode);
  }

  get icmpId(): number | undefined {
    return this.#u16(TupleOffset.icmpId, TupleHas.icmpId);
  }

  /** Of GRE: the key of PPTP's version 1, 0 in version 0. The kernel sends it as a port. */
  get srckey(): number | undefined {
    return this.#isGre ? this.#u16(TupleOffset.sport, TupleHas.sport) : undefined;
  }

  get dstkey(): number | undefined {
    return this.#isGre ? this.#u16(TupleOffset.dport, TupleHas.dport) : undefined;
  }

  /** The zone of this direction alone (CTA_TUPLE_ZONE, Linux 4.3). */
  get zone(): number | undefined {
    return this.#u16(TupleOffset.zone, TupleHas.zone);
  }

  /** @internal */
  get isIpv6(): boolean {
    return this.#family === AF_INET6;
  }

  toJSON(): TupleData {
    return present<TupleData>({
      src: this.src,
      dst: this.dst,
      sport: this.sport,
      dport: this.dport,
      icmpType: this.icmpType,
      icmpCode: this.icmpCode,
      icmpId: this.icmpId,
      srckey: this.srckey,
      dstkey: this.dstkey,
      zone: this.zone,
    });
  }

  [inspect.custom](): TupleData {
    return this.toJSON();
  }
}

/** Where a flow's record keeps the counters of one direction. */
export interface CounterPlace {
  readonly packets: number;
  readonly bytes: number;
  readonly hasPackets: number;
  readonly hasBytes: number;
}

/** One direction of a flow: its tuple, and what was counted in it. */
export class Direction extends Tuple {
  readonly #flow: string;
  readonly #presence: number;
  readonly #counters: CounterPlace;

  /** @internal */
  constructor(flow: string, at: number, presence: number, counters: CounterPlace) {
    super(flow, at);
    this.#flow = flow;
    this.#presence = presence;
    this.#counters = counters;
  }

  /**
   * Packets counted (CTA_COUNTERS_*), exact to 2^53-1. Absent while nf_conntrack_acct is 0, and in NEW
   * and UPDATE events, which carry no counters.
   */
  get packets(): number | undefined {
    if ((this.#presence & this.#counters.hasPackets) === 0) return undefined;
    return u64(this.#flow, this.#counters.packets);
  }

  /** Bytes counted, IP headers included. */
  get bytes(): number | undefined {
    if ((this.#presence & this.#counters.hasBytes) === 0) return undefined;
    return u64(this.#flow, this.#counters.bytes);
  }

  override toJSON(): DirectionData {
    return { ...super.toJSON(), ...present({ packets: this.packets, bytes: this.bytes }) };
  }
}
