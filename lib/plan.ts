/**
 * What of a filter the kernel can do. The rest, and all of it once more, is matched natively: the kernel's
 * part may leave in too much, never leave out too much.
 */
import { AF_INET, AF_INET6, familyNumber } from './address';
import { EVERYTHING, type Leaf, type Node, nodeText, type NumberField, type Place } from './filter';
import { BATCH_SIZE, FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from './protocol';
import { BatchWriter, type TupleWriter } from './record-writer';

/** Where a filter is evaluated, in words for a person. */
export interface Explanation {
  /** What the kernel leaves out itself. */
  kernel: string[];
  /** What is matched natively, before anything reaches JavaScript. */
  native: string[];
  /** Why the kernel is not asked for the rest. */
  reasons: string[];
}

/** The kernel's part, as native code takes it. */
export interface KernelPart {
  /** A FlowRecord whose presence says what is asked for. */
  readonly pattern: Uint8Array;
  readonly markMask: number;
  readonly statusMask: number;
}

export interface Plan {
  readonly kernel: KernelPart;
  readonly explanation: Explanation;
  /** The kernel's part says all that the filter says, if this kernel knows every attribute of it. */
  readonly whole: boolean;
}

/** Which of the kernel's filters find exactly what they should; see probe(). */
export interface KernelFacts {
  /** CTA_FILTER on an IPv4 address (Linux 5.8). */
  readonly ipv4Addresses: boolean;
  /** On an IPv6 address: inverted in Linux 5.8 to 6.18 at least. */
  readonly ipv6Addresses: boolean;
  /** On protocol and port, of TCP and UDP. */
  readonly ports: boolean;
  /** On ports of SCTP: ignored in Linux 6.18. */
  readonly sctpPorts: boolean;
  /** CTA_MARK with CTA_MARK_MASK. */
  readonly mark: boolean;
  /** CTA_STATUS with CTA_STATUS_MASK (Linux 5.15). */
  readonly status: boolean;
  /** CTA_ZONE (Linux 6.8). */
  readonly zone: boolean;
}

/**
 * What is assumed before probe() has looked: filters that are right where they exist, since a kernel without
 * them leaves in too much, which is then matched natively; and none that is known to be wrong somewhere.
 */
let facts: KernelFacts = {
  ipv4Addresses: true,
  ipv6Addresses: false,
  ports: true,
  sctpPorts: false,
  mark: true,
  status: true,
  zone: true,
};
let probed = false;

/** Lets later plans go by what was found out. */
export function learnFacts(found: KernelFacts): KernelFacts {
  facts = found;
  probed = true;
  return found;
}

function unsupported(what: string, known: string): string {
  return probed ? `this kernel's filter on ${what} is missing or wrong, as tried out` : known;
}

type Side = 'orig' | 'reply';

const SIDES: Readonly<Record<Place, readonly [Side, 'src' | 'dst']>> = {
  origSrc: ['orig', 'src'],
  origDst: ['orig', 'dst'],
  replySrc: ['reply', 'src'],
  replyDst: ['reply', 'dst'],
};

/** Members of a tuple that CTA_FILTER compares. */
const MEMBERS: Partial<Record<NumberField, readonly [Side, TupleMember]>> = {
  origSport: ['orig', 'sport'],
  origDport: ['orig', 'dport'],
  replySport: ['reply', 'sport'],
  replyDport: ['reply', 'dport'],
  origIcmpType: ['orig', 'icmpType'],
  origIcmpCode: ['orig', 'icmpCode'],
  origIcmpId: ['orig', 'icmpId'],
};

type TupleMember = keyof typeof TupleHas;

/** Whether CTA_FILTER compares a member in flows of a protocol, or ignores it. */
function compares(member: TupleMember, protonum: number): boolean {
  if (member !== 'sport' && member !== 'dport') {
    return protonum === IPPROTO_ICMP || protonum === IPPROTO_ICMPV6;
  }
  if (protonum === IPPROTO_SCTP) return facts.sctpPorts;
  return protonum === IPPROTO_TCP || protonum === IPPROTO_UDP;
}

function exactly(leaf: {
  readonly ranges: readonly (readonly [number, number])[];
}): number | undefined {
  const [only, ...others] = leaf.ranges;
  return only !== undefined && others.length === 0 && only[0] === only[1] ? only[0] : undefined;
}

class Planner {
  readonly #batch = new BatchWriter(1);
  readonly #record = this.#batch.next();
  readonly #tuples = {
    orig: this.#record.tuple(FlowOffset.orig),
    reply: this.#record.tuple(FlowOffset.reply),
  };
  readonly #sides = new Set<Side>();
  readonly #taken = new Set<string>();
  readonly #explanation: Explanation = { kernel: [], native: [], reasons: [] };
  readonly #conditions: readonly Node[];
  #protonum: number | undefined;
  #family = 0;
  #statusValue = 0;
  #statusMask = 0;
  #markMask = 0;

  constructor(tree: Node) {
    this.#conditions = conditionsOf(tree);
  }

  plan(): Plan {
    // The family and the protocol decide what the kernel does with the rest.
    for (const node of this.#conditions) this.#learn(node);
    for (const node of this.#conditions) {
      const reason = this.#refusal(node);
      if (reason === undefined) {
        this.#explanation.kernel.push(nodeText(node));
      } else {
        this.#explanation.native.push(nodeText(node));
        this.#explanation.reasons.push(`${nodeText(node)}: ${reason}`);
      }
    }
    return {
      kernel: this.#part(),
      explanation: this.#explanation,
      whole: this.#explanation.native.length === 0,
    };
  }

  #learn(node: Node): void {
    if (node.kind === 'ipv4') this.#family ||= AF_INET;
    if (node.kind === 'ipv6') this.#family ||= AF_INET6;
    if (node.kind !== 'number') return;
    if (node.field === 'family') this.#family ||= exactly(node) ?? 0;
    if (node.field === 'protonum') this.#protonum ??= exactly(node);
  }

  /** Takes a condition into the kernel's part, or says why not. */
  #refusal(node: Node): string | undefined {
    switch (node.kind) {
      case 'all':
      case 'any':
      case 'not':
        return 'the kernel knows neither "or" nor "not"';
      case 'ipv4':
        if (facts.ipv4Addresses) return this.#address(node);
        return unsupported('IPv4 addresses', '');
      case 'ipv6':
        if (facts.ipv6Addresses) return this.#address(node);
        return unsupported(
          'IPv6 addresses',
          'the kernel (5.8 to 6.18 at least) inverts its comparison of IPv6 addresses',
        );
      case 'mask':
        return node.field === 'mark' ? this.#mark(node) : this.#status(node);
      case 'number':
        return this.#number(node);
      default:
        return 'the kernel has no such filter';
    }
  }

  #address(leaf: Leaf & { kind: 'ipv4' | 'ipv6' }): string | undefined {
    const [place, ...others] = leaf.places;
    const [range, ...more] = leaf.ranges;
    if (place === undefined || others.length > 0)
      return 'the kernel compares one address at a time';
    if (range === undefined || more.length > 0 || range[0] !== range[1]) {
      return 'the kernel compares exact addresses only';
    }
    if (!this.#claim(place)) return 'the kernel compares each address once';
    if (this.#family !== familyNumber(leaf.kind)) return 'the filter is about another family';
    const [side, end] = SIDES[place];
    if (leaf.kind === 'ipv4') {
      this.#tuple(side).ipv4(TupleOffset[end], TupleHas[end], Number(range[0]));
    } else {
      this.#tuple(side).ipv6(TupleOffset[end], TupleHas[end], range[0]);
    }
    return undefined;
  }

  #number(leaf: Leaf & { kind: 'number' }): string | undefined {
    const value = exactly(leaf);
    if (value === undefined) return 'the kernel compares exact values only';
    const claimed = this.#claim(leaf.field);
    if (!claimed) return 'the kernel compares each value once';
    if (leaf.field === 'family')
      return value === this.#family ? undefined : 'another family is asked for';
    if (leaf.field === 'protonum') return this.#protocol(value);
    if (leaf.field === 'zone') return this.#zone(value);
    const member = MEMBERS[leaf.field];
    if (member === undefined) return 'the kernel has no such filter';
    return this.#member(member, value);
  }

  #protocol(value: number): string | undefined {
    if (!facts.ports) return unsupported('protocols', '');
    if (value !== this.#protonum) return 'another protocol is asked for';
    this.#tuple('orig').u8(TupleOffset.protonum, TupleHas.protonum, value);
    return undefined;
  }

  #member([side, member]: readonly [Side, TupleMember], value: number): string | undefined {
    if (!facts.ports) return unsupported('ports', '');
    if (this.#protonum === undefined) return 'the kernel compares it only together with a protocol';
    if (!compares(member, this.#protonum)) return 'the kernel ignores it for this protocol';
    const tuple = this.#tuple(side);
    tuple.u8(TupleOffset.protonum, TupleHas.protonum, this.#protonum);
    if (member === 'icmpType' || member === 'icmpCode') {
      tuple.u8(TupleOffset[member], TupleHas[member], value);
    } else {
      tuple.u16(TupleOffset[member], TupleHas[member], value);
    }
    return undefined;
  }

  #zone(value: number): string | undefined {
    if (!facts.zone) return unsupported('zones', '');
    // A flow with a zone in one direction alone is not in zone 0 for the kernel.
    if (value === 0)
      return 'the kernel takes zone 0 for no filter, or leaves out flows with a zone per direction';
    this.#record.u16(FlowOffset.zone, value);
    this.#record.has(FlowHas.zone);
    return undefined;
  }

  #mark(leaf: Leaf & { kind: 'mask' }): string | undefined {
    if (!facts.mark) return unsupported('marks', '');
    if (!this.#claim('mark')) return 'the kernel compares one mark';
    if (leaf.mask === 0) return 'the kernel refuses an empty mask';
    this.#record.u32(FlowOffset.mark, leaf.value);
    this.#record.has(FlowHas.mark);
    this.#markMask = leaf.mask;
    return undefined;
  }

  #status(leaf: Leaf & { kind: 'mask' }): string | undefined {
    if (!facts.status) return unsupported('status', '');
    const contradicts = ((this.#statusValue ^ leaf.value) & this.#statusMask & leaf.mask) !== 0;
    if (contradicts) return 'it contradicts another condition';
    this.#statusValue |= leaf.value;
    this.#statusMask |= leaf.mask;
    this.#record.u32(FlowOffset.status, this.#statusValue);
    this.#record.has(FlowHas.status);
    return undefined;
  }

  #claim(what: string): boolean {
    if (this.#taken.has(what)) return false;
    this.#taken.add(what);
    return true;
  }

  #tuple(side: Side): TupleWriter {
    this.#sides.add(side);
    this.#record.has(FlowHas[side]);
    return this.#tuples[side];
  }

  #part(): KernelPart {
    this.#record.u8(FlowOffset.family, this.#family);
    for (const side of this.#sides) this.#tuples[side].family(this.#family);
    return {
      pattern: this.#batch.finish().slice(BATCH_SIZE),
      markMask: this.#markMask >>> 0,
      statusMask: this.#statusMask >>> 0,
    };
  }
}

/** The conditions of a tree, all of which must hold. */
export function conditionsOf(tree: Node): readonly Node[] {
  return tree.kind === 'all' ? tree.nodes : [tree];
}

/** The plan of listing what `tree` says. */
export function planOf(tree: Node): Plan {
  return new Planner(tree).plan();
}

/** The plan of listing it from where the kernel filters nothing, for the reason given. */
export function nativePlanOf(tree: Node, reason: string): Plan {
  const native = conditionsOf(tree).map(nodeText);
  const reasons = native.map((text) => `${text}: ${reason}`);
  return { ...planOf(EVERYTHING), explanation: { kernel: [], native, reasons } };
}
