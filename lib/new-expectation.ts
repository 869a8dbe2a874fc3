/** What may be given to a new expectation. */
import { type Family, familyOf } from './address';
import {
  ExpectationFlag,
  expectationFlag,
  type ExpectationFlagName,
  NAT_DIRECTIONS,
  type NatDirection,
} from './expectation';
import {
  type Expected,
  expectedMembers,
  expectedOf,
  type ExpectedTuple,
  EXPECTATION_MEMBERS,
  type MasterKey,
  SOURCE_PORT,
  writeExpected,
  writeMaster,
  type WrittenMaster,
} from './expectation-key';
import { type TupleLike, writeTuple } from './key';
import { ExpectationHas, ExpectationOffset, TailType } from './layout';
import { integer, mustBe, oneOf, options, refuseUnknown, string } from './options';
import { portKind, protocolName } from './protocol';
import type { RecordWriter } from './record-writer';

/**
 * An expectation to be made. An `Expectation` that was listed, or its JSON, is one, if its master is still
 * there.
 */
export interface NewExpectation {
  family?: Family | undefined;
  /** Of the expected flow: name or number as text; or `protonum`. */
  protocol?: string | undefined;
  protonum?: number | undefined;
  /** What is left out of its source (`src`, `sport`) is not compared. */
  tuple: ExpectedTuple;
  /**
   * Which bits of the source are compared: an address, and a number for the port. Default: all bits of what
   * `tuple` has, none of what it leaves out. The kernel compares the destination as a whole.
   */
  mask?: TupleLike | undefined;
  /** The flow it belongs to, which must have a helper. A tuple is of the expected protocol unless it says. */
  master: MasterKey;
  /** The zone of the master, if that does not say it. */
  zone?: number | undefined;
  /** Seconds until it expires; default: what the helper has for its class. */
  timeout?: number | undefined;
  /** PERMANENT and INACTIVE; bits, or names. */
  flags?: number | readonly ExpectationFlagName[] | undefined;
  /** Which of the helper's kinds of expectations it is; default 0. Any other goes with `helper`. */
  class?: number | undefined;
  /**
   * Name of the master's helper. Older kernels give the expected flow a helper of this name, and look at
   * `class` only if there is one; newer ones take the master's whatever is said. So no other is accepted.
   */
  helper?: string | undefined;
  /** Name of a kernel function that prepares the expected flow, such as `nat-follow-master`. */
  fn?: string | undefined;
  /** See ExpectationNat. Of `tuple` the kernel keeps `src` and its port. */
  nat?: { dir: NatDirection; tuple: TupleLike } | undefined;
}

const U16 = 0xffff;
const U32 = 0xffff_ffff;
/** NF_CT_HELPER_NAME_LEN, without its NUL. */
const MAX_HELPER = 15;
/** More than any function's name has. */
const MAX_FN = 63;
const SETTABLE = ExpectationFlag.permanent | ExpectationFlag.inactive;

const NO_ADDRESS = { ipv4: '0.0.0.0', ipv6: '::' } as const;
const WHOLE_ADDRESS = {
  ipv4: '255.255.255.255',
  ipv6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
} as const;

/** What the kernel makes of the destination's part of a mask, whatever is asked for. */
function refuseNarrowDestination(name: string, mask: TupleLike, family: Family): void {
  const wanted = {
    dst: WHOLE_ADDRESS[family],
    dport: U16,
    dstkey: U16,
    icmpType: 0xff,
    icmpCode: 0xff,
  };
  for (const [member, whole] of Object.entries(wanted)) {
    const value = mask[member as keyof typeof wanted];
    if (value === undefined || value === whole) continue;
    throw new RangeError(
      `${name}.${member} must be ${whole}, not ${value}: the kernel compares the destination as a whole`,
    );
  }
}

/** One part of the source's mask: as given, or all of what the tuple has, or nothing. */
function maskPart<T>(name: string, given: unknown, mask: T | undefined, whole: T, none: T): T {
  if (mask === undefined) return given === undefined ? none : whole;
  if (given === undefined && mask !== none) {
    throw new TypeError(`${name} compares what the tuple leaves out`);
  }
  return mask;
}

function writeMask(record: RecordWriter, name: string, expected: Expected, mask: TupleLike): void {
  const { given, whole, protonum, family } = expected;
  const members = expectedMembers(name, mask);
  refuseNarrowDestination(name, members, family);
  const port = SOURCE_PORT[portKind(protonum)];
  const parts: TupleLike = {
    // Types of ICMP that are no query are refused, even in a mask, of which nothing is used but the source.
    ...whole,
    dst: WHOLE_ADDRESS[family],
    src: maskPart(`${name}.src`, given.src, members.src, WHOLE_ADDRESS[family], NO_ADDRESS[family]),
  };
  if (whole.dport !== undefined) parts.dport = U16;
  if (whole.dstkey !== undefined) parts.dstkey = U16;
  if (port !== undefined) {
    parts[port] = maskPart(`${name}.${port}`, given[port], members[port], U16, 0);
  }
  for (const other of Object.values(SOURCE_PORT)) {
    if (other === undefined || other === port || members[other] === undefined) continue;
    throw new TypeError(`${name}.${other} does not go with the protocol ${protocolName(protonum)}`);
  }
  writeTuple(record.tuple(ExpectationOffset.mask), name, parts, protonum, family);
  record.has(ExpectationHas.mask);
}

function flagBits(name: string, value: unknown): number {
  const bits = typeof value === 'number' ? integer(name, value, 0, U32) : namedFlags(name, value);
  if ((bits & ~SETTABLE) !== 0) {
    throw new RangeError(`${name} must be of PERMANENT and INACTIVE: others are the kernel's own`);
  }
  return bits;
}

function namedFlags(name: string, value: unknown): number {
  if (!Array.isArray(value)) throw mustBe(name, 'bits, or an array of flags', value);
  return value.reduce<number>((bits, item: unknown, index) => {
    const bit = expectationFlag(string(`${name}[${index}]`, item));
    if (bit === undefined) throw mustBe(`${name}[${index}]`, 'the name of a flag', item);
    return bits | bit;
  }, 0);
}

/** A name that the kernel knows something by. */
export function nameBytes(name: string, value: unknown, max: number): Buffer {
  const bytes = Buffer.from(string(name, value));
  if (bytes.length === 0 || bytes.length > max || bytes.includes(0)) {
    throw new RangeError(`${name} must have 1 to ${max} bytes, and no NUL`);
  }
  return bytes;
}

export function helperName(name: string, value: unknown): string {
  return nameBytes(name, value, MAX_HELPER).toString();
}

function writeClass(record: RecordWriter, name: string, expectation: NewExpectation): void {
  if (expectation.class === undefined) return;
  const number = integer(`${name}.class`, expectation.class, 0, U32);
  if (number !== 0 && expectation.helper === undefined) {
    throw new TypeError(`${name}.class goes with ${name}.helper: older kernels ignore it without`);
  }
  record.optionalU32(ExpectationOffset.class, ExpectationHas.class, number);
}

function writeNat(
  record: RecordWriter,
  name: string,
  nat: NonNullable<NewExpectation['nat']>,
  { protonum, family }: Expected,
): void {
  const { dir, tuple } = options(name, nat, ['dir', 'tuple']);
  const direction = NAT_DIRECTIONS.indexOf(oneOf(`${name}.dir`, dir, NAT_DIRECTIONS));
  const members = expectedMembers(`${name}.tuple`, tuple);
  const src = string(`${name}.tuple.src`, members.src);
  if (familyOf(src) !== family) {
    throw mustBe(`${name}.tuple.src`, `an ${family} address as the rest is`, src);
  }
  const kind = portKind(protonum);
  if (kind === 'icmp') {
    throw new TypeError(`${name} does not go with the protocol ${protocolName(protonum)}`);
  }
  const port = SOURCE_PORT[kind];
  // The kernel lists the port as one of the master's protocol.
  const source = port === undefined ? {} : { [port]: members.sport ?? members.srckey ?? 0 };
  const rest = { ports: { dport: 0 }, gre: { dstkey: 0 }, none: {} }[kind];
  const kept = { src, dst: NO_ADDRESS[family], ...rest, ...source };
  writeTuple(record.tuple(ExpectationOffset.nat), `${name}.tuple`, kept, protonum, family);
  record.u32(ExpectationOffset.natDir, direction);
  record.has(ExpectationHas.natDir | ExpectationHas.nat);
}

/** Writes an expectation that is to be made; throws a TypeError or RangeError that names what is wrong. */
export function writeNewExpectation(
  record: RecordWriter,
  name: string,
  expectation: NewExpectation,
): WrittenMaster {
  if (typeof expectation !== 'object' || (expectation as unknown) === null) {
    throw mustBe(name, 'an object', expectation);
  }
  refuseUnknown(name, expectation, EXPECTATION_MEMBERS);
  const { mask = {}, master, zone, timeout, flags = 0, helper, fn, nat } = expectation;
  const expected = expectedOf(name, expectation);
  const { protonum, family } = expected;
  writeExpected(record, name, expected);
  writeMask(record, `${name}.mask`, expected, mask);
  const written = writeMaster(record, name, { master, zone }, protonum, family);
  if (timeout !== undefined) {
    const seconds = integer(`${name}.timeout`, timeout, 0, U32);
    record.optionalU32(ExpectationOffset.timeout, ExpectationHas.timeout, seconds);
  }
  record.optionalU32(
    ExpectationOffset.flags,
    ExpectationHas.flags,
    flagBits(`${name}.flags`, flags),
  );
  writeClass(record, name, expectation);
  if (helper !== undefined) {
    record.tailBytes(TailType.helper, nameBytes(`${name}.helper`, helper, MAX_HELPER));
  }
  if (fn !== undefined) record.tailBytes(TailType.expectFn, nameBytes(`${name}.fn`, fn, MAX_FN));
  if (nat !== undefined) writeNat(record, `${name}.nat`, nat, expected);
  return written;
}
