/**
 * The part of an event filter that the kernel can evaluate before it queues a message: classic BPF on the
 * socket. It may let through too much, which is then matched natively, never too little; what it rejects
 * takes no room in the receive buffer.
 */
import { endianness } from 'node:os';

import { AF_INET, AF_INET6 } from './address';
import { isLeaf, type Leaf, type Node, nodeText, type Place } from './filter';
import { conditionsOf, type Explanation } from './plan';

/** One instruction: struct sock_filter. */
interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** <linux/bpf_common.h>, <linux/filter.h>. */
const LD_IMM = 0x00;
const LD_W_ABS = 0x20;
const LD_H_IND = 0x48;
const LD_W_IND = 0x40;
const LD_B_IND = 0x50;
const LD_B_ABS = 0x30;
const LD_H_ABS = 0x28;
const LDX_IMM = 0x01;
const TAX = 0x07;
const JA = 0x05;
const JEQ = 0x15;
const JGE = 0x35;
const JGT = 0x25;
const RET = 0x06;
const ACCEPT = 0xffff_ffff;
const SKF_AD_OFF = 0xffff_f000;
const NLATTR = SKF_AD_OFF + 12;
const NLATTR_NEST = SKF_AD_OFF + 16;

/** Behind nlmsghdr and nfgenmsg. */
const ATTRIBUTES = 20;
const NFGEN_FAMILY = 16;
const HEADER = 4;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;

/** Three instructions a range. */
const MAX_RANGES = 256;
/** BPF_MAXINSNS: the kernel refuses a longer program. */
const MAX_INSTRUCTIONS = 4096;

const op = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });

/** The path to an attribute: types of nests, the outermost first. */
type Path = readonly number[];

interface Condition {
  readonly path: Path;
  readonly load: number;
  readonly ranges: readonly (readonly [number, number])[];
}

const IPV4_PATHS: Readonly<Record<Place, Path>> = {
  origSrc: [CTA_TUPLE_ORIG, CTA_TUPLE_IP, 1],
  origDst: [CTA_TUPLE_ORIG, CTA_TUPLE_IP, 2],
  replySrc: [CTA_TUPLE_REPLY, CTA_TUPLE_IP, 1],
  replyDst: [CTA_TUPLE_REPLY, CTA_TUPLE_IP, 2],
};

const PORT_PATHS: Partial<Record<string, Path>> = {
  origSport: [CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, 2],
  origDport: [CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, 3],
  replySport: [CTA_TUPLE_REPLY, CTA_TUPLE_PROTO, 2],
  replyDport: [CTA_TUPLE_REPLY, CTA_TUPLE_PROTO, 3],
};

/** The condition that a leaf is, if every event carries what it looks at. */
function conditionOf(leaf: Leaf): Condition | undefined {
  if (leaf.kind === 'ipv4') {
    const [place, ...others] = leaf.places;
    if (place === undefined || others.length > 0) return undefined;
    const ranges = leaf.ranges.map(([from, to]): [number, number] => [Number(from), Number(to)]);
    return { path: IPV4_PATHS[place], load: LD_W_IND, ranges };
  }
  if (leaf.kind !== 'number') return undefined;
  if (leaf.field === 'protonum') {
    return {
      path: [CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM],
      load: LD_B_IND,
      ranges: leaf.ranges,
    };
  }
  const path = PORT_PATHS[leaf.field];
  return path && { path, load: LD_H_IND, ranges: leaf.ranges };
}

/** Goes on behind itself if the value is in a range, else rejects. */
function inRanges(ranges: readonly (readonly [number, number])[]): Instruction[] {
  const checks = ranges.flatMap(([from, to], index) => {
    // Over the other ranges and the rejection.
    const toMatch = 3 * (ranges.length - 1 - index) + 1;
    return [op(JGE, from, 0, 2), op(JGT, to, 1, 0), op(JA, toMatch)];
  });
  return [...checks, op(RET, 0)];
}

/** Loads the value at the end of a path; a message that lacks it does not match. */
function load({ path, load: size }: Condition): Instruction[] {
  const steps = path.flatMap((type, depth) => [
    op(LDX_IMM, type),
    op(LD_W_ABS, depth === 0 ? NLATTR : NLATTR_NEST),
    op(JEQ, 0, 0, 1),
    op(RET, 0),
  ]);
  return [op(LD_IMM, ATTRIBUTES), ...steps, op(TAX, 0), op(size, HEADER)];
}

function family(number: number): Instruction[] {
  return [op(LD_B_ABS, NFGEN_FAMILY), op(JEQ, number, 1, 0), op(RET, 0)];
}

function familyOf(node: Node): number | undefined {
  if (node.kind === 'ipv4') return AF_INET;
  if (node.kind === 'ipv6') return AF_INET6;
  if (node.kind !== 'number' || node.field !== 'family') return undefined;
  return node.ranges[0]?.[0];
}

function instructionsOf(node: Node): Instruction[] {
  const condition = isLeaf(node) ? conditionOf(node) : undefined;
  if (condition === undefined || condition.ranges.length > MAX_RANGES) return [];
  return [...load(condition), ...inRanges(condition.ranges)];
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(8 * instructions.length);
  const codes = new Uint16Array(bytes.buffer);
  const values = new Uint32Array(bytes.buffer);
  instructions.forEach(({ code, jt, jf, k }, index) => {
    codes[4 * index] = code;
    bytes[8 * index + 2] = jt;
    bytes[8 * index + 3] = jf;
    values[2 * index + 1] = k;
  });
  return bytes;
}

/** Our own messages to ourselves pass (NetlinkSocket::is_congested()): NLMSG_NOOP, in host order. */
const NLMSG_TYPE = 4;
const NLMSG_NOOP = endianness() === 'LE' ? 0x0100 : 0x0001;
const MARKER = [op(LD_H_ABS, NLMSG_TYPE), op(JEQ, NLMSG_NOOP, 0, 1), op(RET, ACCEPT)];

export interface SocketFilter {
  /** An array of struct sock_filter; empty where there is nothing to filter. */
  readonly program: Uint8Array;
  readonly explanation: Explanation;
}

/** What of a filter a socket can do. */
export function socketFilter(tree: Node): SocketFilter {
  const conditions = conditionsOf(tree);
  const explanation: Explanation = { kernel: [], native: [], reasons: [] };
  const instructions = [...MARKER];
  const families = new Set(conditions.map(familyOf).filter((number) => number !== undefined));
  for (const number of families) instructions.push(...family(number));
  for (const node of conditions) {
    let own = instructionsOf(node);
    if (instructions.length + own.length + 1 > MAX_INSTRUCTIONS) own = [];
    instructions.push(...own);
    if (own.length > 0 || (node.kind === 'number' && node.field === 'family')) {
      explanation.kernel.push(nodeText(node));
    } else {
      explanation.native.push(nodeText(node));
      explanation.reasons.push(
        `${nodeText(node)}: not every event carries it in one place, or it is too long`,
      );
    }
  }
  const says = instructions.length > MARKER.length;
  return {
    program: says ? encode([...instructions, op(RET, ACCEPT)]) : new Uint8Array(0),
    explanation,
  };
}
