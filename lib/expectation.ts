import { inspect } from 'node:util';

import { type Family, familyName } from './address';
import type { FlowKey } from './key';
import {
  EXPECTATION_SIZE,
  ExpectationHas,
  ExpectationOffset,
  TailType,
  TupleOffset,
} from './layout';
import { protocolName } from './protocol';
import { u16, u32, u8 } from './record';
import type { Records } from './records';
import { findTail, tailText } from './tail';
import { present, Tuple, type TupleData } from './tuple';

/** The bits of an expectation's flags (NF_CT_EXPECT_* of <linux/netfilter/nf_conntrack_common.h>). */
export const ExpectationFlag = {
  /** It stays when it is met, and may be met again. */
  permanent: 1 << 0,
  /** Nothing meets it. */
  inactive: 1 << 1,
  /** A helper in user space made it; the kernel's own to set. */
  userspace: 1 << 2,
} as const;

/** The kernel's names of the bits, in their order. */
const FLAGS = [
  [ExpectationFlag.permanent, 'PERMANENT'],
  [ExpectationFlag.inactive, 'INACTIVE'],
  [ExpectationFlag.userspace, 'USERSPACE'],
] as const;

/** A flag by the kernel's name, or by its name in ExpectationFlag. */
export type ExpectationFlagName = (typeof FLAGS)[number][1] | keyof typeof ExpectationFlag;

const BITS = new Map<string, number>([
  ...FLAGS.map(([bit, name]) => [name, bit] as const),
  ...Object.entries(ExpectationFlag),
]);

/** @internal The bit of a flag's name; undefined if it is none. */
export function expectationFlag(name: string): number | undefined {
  return BITS.get(name);
}

/** A direction of a flow. */
export type NatDirection = 'orig' | 'reply';

/** @internal IP_CT_DIR_*, by their place. */
export const NAT_DIRECTIONS: readonly NatDirection[] = ['orig', 'reply'];

export interface MasterData extends TupleData {
  protocol: string;
}

/** The original tuple of the flow that an expectation belongs to, with that flow's protocol. */
export class Master extends Tuple {
  /** The protocol's name, or its number as text. */
  get protocol(): string {
    return protocolName(this.protonum ?? 0);
  }

  override toJSON(): MasterData {
    return { protocol: this.protocol, ...super.toJSON() };
  }
}

export interface ExpectationNat {
  /** The expected flow's direction relative to its master. */
  readonly dir: NatDirection;
  /**
   * `src` and its port are the original ones, which the expected flow is mapped back to, so that its
   * recipient meets what it expects. The kernel keeps nothing else of this tuple.
   */
  readonly tuple: Tuple;
}

/** An expectation as plain data: what `JSON.stringify` writes. Absent is what the kernel did not send. */
export interface ExpectationData {
  family: Family;
  protocol: string;
  protonum: number;
  tuple: TupleData;
  mask: TupleData;
  master: MasterData;
  zone?: number;
  id: number;
  timeout?: number;
  flags: number;
  flagNames: string[];
  class: number;
  helper?: string;
  fn?: string;
  nat?: { dir: NatDirection; tuple: TupleData };
}

/** @internal The record of an expectation and, behind it, its tail. */
export let bytesOfExpectation: (expectation: Expectation) => string;

/**
 * A flow that the kernel expects because of another one, its master (`struct nf_conntrack_expect` over
 * ctnetlink): the data connection of FTP, the media of a call. It never changes and stays valid for ever;
 * members are decoded when they are read.
 */
export class Expectation {
  readonly #record: string;

  static {
    bytesOfExpectation = (expectation) => expectation.#record;
  }

  /** @internal `record` is an ExpectationRecord's bytes and, behind them, its tail. */
  constructor(record: string) {
    this.#record = record;
  }

  #has(flag: number): boolean {
    return (u32(this.#record, ExpectationOffset.presence) & flag) !== 0;
  }

  #text(type: number): string | undefined {
    const entry = findTail(this.#record, EXPECTATION_SIZE, type);
    return entry && tailText(this.#record, entry);
  }

  get family(): Family {
    return familyName(u8(this.#record, ExpectationOffset.family));
  }

  /** IP protocol number of the expected flow. */
  get protonum(): number {
    return u8(this.#record, ExpectationOffset.tuple + TupleOffset.protonum);
  }

  /** The protocol's name, or its number as text. */
  get protocol(): string {
    return protocolName(this.protonum);
  }

  /** What the expected flow's first packet looks like (CTA_EXPECT_TUPLE), as far as `mask` says. */
  get tuple(): Tuple {
    return new Tuple(this.#record, ExpectationOffset.tuple);
  }

  /**
   * Which bits of `tuple` are compared (CTA_EXPECT_MASK): those of the source, `src` and its port, may be
   * fewer than all; the destination is always compared as a whole.
   */
  get mask(): Tuple {
    return new Tuple(this.#record, ExpectationOffset.mask);
  }

  /** The original tuple of the flow whose helper expects this one (CTA_EXPECT_MASTER). */
  get master(): Master {
    return new Master(this.#record, ExpectationOffset.master);
  }

  /** Its master as Conntrack.get() looks it up. The zone is part of it where it is known. */
  get masterKey(): FlowKey {
    const { master, zone } = this;
    return { protonum: master.protonum, orig: master, zone };
  }

  /**
   * The zone of its master. The kernel does not say it: it is known of an expectation that was looked up
   * with `get()`, or listed by its master, and of no other.
   */
  get zone(): number | undefined {
    return this.#has(ExpectationHas.zone) ? u16(this.#record, ExpectationOffset.zone) : undefined;
  }

  /**
   * A 32-bit hash of the expectation's place in the kernel's memory and of its tuple (CTA_EXPECT_ID); see
   * Flow.id for what it can tell apart.
   */
  get id(): number {
    return u32(this.#record, ExpectationOffset.id);
  }

  /** Seconds until it expires (CTA_EXPECT_TIMEOUT). */
  get timeout(): number | undefined {
    return this.#has(ExpectationHas.timeout)
      ? u32(this.#record, ExpectationOffset.timeout)
      : undefined;
  }

  /** Bits of `ExpectationFlag` (CTA_EXPECT_FLAGS). */
  get flags(): number {
    return u32(this.#record, ExpectationOffset.flags);
  }

  /** The kernel's names of the flags that are set. */
  get flagNames(): string[] {
    return FLAGS.filter(([bit]) => (this.flags & bit) !== 0).map(([, name]) => name);
  }

  /** It stays when it is met, and may be met again. */
  get permanent(): boolean {
    return (this.flags & ExpectationFlag.permanent) !== 0;
  }

  /** Nothing meets it. */
  get inactive(): boolean {
    return (this.flags & ExpectationFlag.inactive) !== 0;
  }

  /** A helper in user space made it. */
  get userspace(): boolean {
    return (this.flags & ExpectationFlag.userspace) !== 0;
  }

  /** Which of its helper's kinds of expectations it is, each with limits of its own (CTA_EXPECT_CLASS). */
  get class(): number {
    return u32(this.#record, ExpectationOffset.class);
  }

  /** Name of its master's helper (CTA_EXPECT_HELP_NAME). */
  get helper(): string | undefined {
    return this.#text(TailType.helper);
  }

  /** Name of the kernel function that the expected flow is prepared with (CTA_EXPECT_FN). */
  get fn(): string | undefined {
    return this.#text(TailType.expectFn);
  }

  /** Present where the master is translated and its helper noted how (CTA_EXPECT_NAT). */
  get nat(): ExpectationNat | undefined {
    if (!this.#has(ExpectationHas.nat)) return undefined;
    const dir = NAT_DIRECTIONS[u32(this.#record, ExpectationOffset.natDir)] ?? 'orig';
    return { dir, tuple: new Tuple(this.#record, ExpectationOffset.nat) };
  }

  toJSON(): ExpectationData {
    const { nat } = this;
    return present<ExpectationData>({
      family: this.family,
      protocol: this.protocol,
      protonum: this.protonum,
      tuple: this.tuple.toJSON(),
      mask: this.mask.toJSON(),
      master: this.master.toJSON(),
      zone: this.zone,
      id: this.id,
      timeout: this.timeout,
      flags: this.flags,
      flagNames: this.flagNames,
      class: this.class,
      helper: this.helper,
      fn: this.fn,
      nat: nat && { dir: nat.dir, tuple: nat.tuple.toJSON() },
    });
  }

  [inspect.custom](): ExpectationData {
    return this.toJSON();
  }
}

/** @internal Expectation `index` of a batch; it does not keep the batch alive. */
export function expectationAt(records: Records, index: number): Expectation {
  const { tailOffset, tailLength } = ExpectationOffset;
  return new Expectation(records.string(index, tailOffset, tailLength));
}
