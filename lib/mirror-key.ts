/** Writing a key into a buffer that native code reads: most keys without an allocation, all others as ct.get() does. */
import { AF_INET } from './address';
import { encodeKey, type FlowKey, type TupleKey, type TupleLike } from './key';
import { FLOW_SIZE, FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { IPPROTO_TCP, IPPROTO_UDP } from './protocol';

const PROTOCOLS = new Map<unknown, number>([
  ['tcp', IPPROTO_TCP],
  ['udp', IPPROTO_UDP],
]);
const PORTS = TupleHas.src | TupleHas.dst | TupleHas.sport | TupleHas.dport | TupleHas.protonum;
const MEMBERS = new Set(['src', 'dst', 'sport', 'dport']);
const U16 = 0xffff;
const ZERO = 48;
const DOT = 46;

/** Not null, and without getters of a class, which cost more than this saves. */
function isPlainObject(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= U16 && Number.isInteger(value);
}

/** Whether the tuple says exactly what tells flows of TCP and UDP apart. */
function isOfPorts(tuple: TupleKey | TupleLike): boolean {
  if (!isPlainObject(tuple)) return false;
  for (const member in tuple) {
    if (!MEMBERS.has(member)) return false;
  }
  return isPort(tuple.sport) && isPort(tuple.dport);
}

export class KeyBuffer {
  readonly bytes = new Uint8Array(new ArrayBuffer(FLOW_SIZE));
  readonly #halves = new Uint16Array(this.bytes.buffer);
  readonly #words = new Uint32Array(this.bytes.buffer);

  /** Writes `key`, or throws as ct.get() would. */
  write(key: FlowKey): void {
    if (!this.#writeFast(key)) this.bytes.set(encodeKey(key));
  }

  /** A key of IPv4, of TCP or UDP, with its ports, and no zone; false if it is of another kind. */
  #writeFast(key: FlowKey): boolean {
    if (!isPlainObject(key)) return false;
    const protonum = PROTOCOLS.get(key.protocol);
    const isOrig = key.orig !== undefined;
    const tuple = isOrig ? key.orig : key.reply;
    if (protonum === undefined || typeof tuple !== 'object' || !isOfPorts(tuple)) return false;
    if (key.zone !== undefined || key.family !== undefined || key.protonum !== undefined) {
      return false;
    }
    this.bytes.fill(0);
    const start = isOrig ? FlowOffset.orig : FlowOffset.reply;
    if (
      !this.#address(tuple.src, start + TupleOffset.src) ||
      !this.#address(tuple.dst, start + TupleOffset.dst)
    ) {
      return false;
    }
    this.#halves[(start + TupleOffset.sport) >> 1] = tuple.sport ?? 0;
    this.#halves[(start + TupleOffset.dport) >> 1] = tuple.dport ?? 0;
    this.bytes[start + TupleOffset.protonum] = protonum;
    this.bytes[start + TupleOffset.family] = AF_INET;
    this.bytes[FlowOffset.family] = AF_INET;
    this.#words[(start + TupleOffset.presence) >> 2] = PORTS;
    this.#words[FlowOffset.presence >> 2] = isOrig ? FlowHas.orig : FlowHas.reply;
    return true;
  }

  /** An IPv4 literal's four bytes; false if it is none, or written in another way. */
  #address(text: unknown, at: number): boolean {
    if (typeof text !== 'string') return false;
    let octet = 0;
    let digits = 0;
    let written = 0;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code === DOT) {
        if (digits === 0 || octet > 255 || written === 3) return false;
        this.bytes[at + written] = octet;
        written += 1;
        octet = 0;
        digits = 0;
        continue;
      }
      const digit = code - ZERO;
      if (digit < 0 || digit > 9 || (digits > 0 && octet === 0) || digits === 3) return false;
      octet = 10 * octet + digit;
      digits += 1;
    }
    if (digits === 0 || octet > 255 || written !== 3) return false;
    this.bytes[at + 3] = octet;
    return true;
  }
}
