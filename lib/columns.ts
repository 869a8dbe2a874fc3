import { FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import type { Records } from './records';

interface Field {
  readonly offset: number;
  readonly width: 1 | 2 | 4 | 8;
}

const u8 = (offset: number): Field => ({ offset, width: 1 });
const u16 = (offset: number): Field => ({ offset, width: 2 });
const u32 = (offset: number): Field => ({ offset, width: 4 });
const u64 = (offset: number): Field => ({ offset, width: 8 });

const { orig, reply } = FlowOffset;

/** Which bit, in which of the record's presence words, says that a column's value came. */
const PRESENCE = {
  status: [FlowOffset.presence, FlowHas.status],
  timeout: [FlowOffset.presence, FlowHas.timeout],
  mark: [FlowOffset.presence, FlowHas.mark],
  use: [FlowOffset.presence, FlowHas.use],
  id: [FlowOffset.presence, FlowHas.id],
  zone: [FlowOffset.presence, FlowHas.zone],
  state: [FlowOffset.presence, FlowHas.state],
  origPackets: [FlowOffset.presence, FlowHas.origPackets],
  origBytes: [FlowOffset.presence, FlowHas.origBytes],
  replyPackets: [FlowOffset.presence, FlowHas.replyPackets],
  replyBytes: [FlowOffset.presence, FlowHas.replyBytes],
  timestampStart: [FlowOffset.presence, FlowHas.timestampStart],
  timestampStop: [FlowOffset.presence, FlowHas.timestampStop],
  timestampEvent: [FlowOffset.presence, FlowHas.timestampEvent],
  origSport: [orig + TupleOffset.presence, TupleHas.sport],
  origDport: [orig + TupleOffset.presence, TupleHas.dport],
  replySport: [reply + TupleOffset.presence, TupleHas.sport],
  replyDport: [reply + TupleOffset.presence, TupleHas.dport],
  origIcmpType: [orig + TupleOffset.presence, TupleHas.icmpType],
  origIcmpCode: [orig + TupleOffset.presence, TupleHas.icmpCode],
  origIcmpId: [orig + TupleOffset.presence, TupleHas.icmpId],
  origZone: [orig + TupleOffset.presence, TupleHas.zone],
  replyZone: [reply + TupleOffset.presence, TupleHas.zone],
} as const;

export type OptionalColumn = keyof typeof PRESENCE;

/**
 * The fields of a batch's flows as typed arrays, element `i` of each belonging to flow `i`. A column is
 * gathered when it is first read, and kept. Where a flow has no value its element is 0: `present()` tells
 * the two apart.
 */
export class FlowColumns {
  readonly #records: Records;
  readonly #gathered = new Map<string, ArrayBufferView>();

  /** @internal */
  constructor(records: Records) {
    this.#records = records;
  }

  /** What happened: 0 listed, 1 new, 2 update, 3 destroy, 4 a gap (whose other columns mean nothing). */
  get kind(): Uint8Array {
    return this.#narrow('kind', u8(FlowOffset.kind));
  }
  /** AF_INET (2) or AF_INET6 (10). */
  get family(): Uint8Array {
    return this.#narrow('family', u8(FlowOffset.family));
  }
  get protonum(): Uint8Array {
    return this.#narrow('protonum', u8(orig + TupleOffset.protonum));
  }
  /** The number of the state in its protocol's own table. */
  get state(): Uint8Array {
    return this.#narrow('state', u8(FlowOffset.state));
  }
  get origIcmpType(): Uint8Array {
    return this.#narrow('origIcmpType', u8(orig + TupleOffset.icmpType));
  }
  get origIcmpCode(): Uint8Array {
    return this.#narrow('origIcmpCode', u8(orig + TupleOffset.icmpCode));
  }
  get zone(): Uint16Array {
    return this.#half('zone', u16(FlowOffset.zone));
  }
  get origZone(): Uint16Array {
    return this.#half('origZone', u16(orig + TupleOffset.zone));
  }
  get replyZone(): Uint16Array {
    return this.#half('replyZone', u16(reply + TupleOffset.zone));
  }
  get origSport(): Uint16Array {
    return this.#half('origSport', u16(orig + TupleOffset.sport));
  }
  get origDport(): Uint16Array {
    return this.#half('origDport', u16(orig + TupleOffset.dport));
  }
  get replySport(): Uint16Array {
    return this.#half('replySport', u16(reply + TupleOffset.sport));
  }
  get replyDport(): Uint16Array {
    return this.#half('replyDport', u16(reply + TupleOffset.dport));
  }
  get origIcmpId(): Uint16Array {
    return this.#half('origIcmpId', u16(orig + TupleOffset.icmpId));
  }
  get status(): Uint32Array {
    return this.#word('status', u32(FlowOffset.status));
  }
  /** Seconds. */
  get timeout(): Uint32Array {
    return this.#word('timeout', u32(FlowOffset.timeout));
  }
  get mark(): Uint32Array {
    return this.#word('mark', u32(FlowOffset.mark));
  }
  get use(): Uint32Array {
    return this.#word('use', u32(FlowOffset.use));
  }
  get id(): Uint32Array {
    return this.#word('id', u32(FlowOffset.id));
  }
  /** The netlink port that caused an event; 0 for packets and timeouts. */
  get portid(): Uint32Array {
    return this.#word('portid', u32(FlowOffset.portid));
  }
  get origPackets(): BigUint64Array {
    return this.#wide('origPackets', u64(FlowOffset.origPackets));
  }
  get origBytes(): BigUint64Array {
    return this.#wide('origBytes', u64(FlowOffset.origBytes));
  }
  get replyPackets(): BigUint64Array {
    return this.#wide('replyPackets', u64(FlowOffset.replyPackets));
  }
  get replyBytes(): BigUint64Array {
    return this.#wide('replyBytes', u64(FlowOffset.replyBytes));
  }
  /** ns since the epoch: when the message was read. */
  get time(): BigUint64Array {
    return this.#wide('time', u64(FlowOffset.time));
  }
  /** ns since the epoch, as the three others. */
  get timestampStart(): BigUint64Array {
    return this.#wide('timestampStart', u64(FlowOffset.timestampStart));
  }
  get timestampStop(): BigUint64Array {
    return this.#wide('timestampStop', u64(FlowOffset.timestampStop));
  }
  get timestampEvent(): BigUint64Array {
    return this.#wide('timestampEvent', u64(FlowOffset.timestampEvent));
  }
  /** Sixteen bytes a flow, in network order; an IPv4 address in the first four. */
  get origSrc(): Uint8Array {
    return this.#addresses('origSrc', orig + TupleOffset.src);
  }
  get origDst(): Uint8Array {
    return this.#addresses('origDst', orig + TupleOffset.dst);
  }
  get replySrc(): Uint8Array {
    return this.#addresses('replySrc', reply + TupleOffset.src);
  }
  get replyDst(): Uint8Array {
    return this.#addresses('replyDst', reply + TupleOffset.dst);
  }

  /** 1 where a flow has a value of its own in `column`, else 0. */
  present(column: OptionalColumn): Uint8Array {
    return this.#keep(`present ${column}`, () => {
      const { words, length, stride } = this.#records;
      const [offset, flag] = PRESENCE[column];
      const out = new Uint8Array(length);
      let word = (this.#records.at(0) + offset) >> 2;
      for (let i = 0; i < length; i += 1, word += stride >> 2) {
        out[i] = ((words[word] ?? 0) & flag) === 0 ? 0 : 1;
      }
      return out;
    });
  }

  #keep<Column extends ArrayBufferView>(name: string, gather: () => Column): Column {
    let column = this.#gathered.get(name) as Column | undefined;
    if (column === undefined) {
      column = gather();
      this.#gathered.set(name, column);
    }
    return column;
  }

  #narrow(name: string, field: Field): Uint8Array {
    return this.#keep(name, () => this.#gather(field, this.#records.bytes, Uint8Array));
  }

  #half(name: string, field: Field): Uint16Array {
    return this.#keep(name, () => this.#gather(field, this.#records.halfWords, Uint16Array));
  }

  #word(name: string, field: Field): Uint32Array {
    return this.#keep(name, () => this.#gather(field, this.#records.words, Uint32Array));
  }

  #wide(name: string, field: Field): BigUint64Array {
    return this.#keep(name, () => {
      const { words, length, stride } = this.#records;
      const out = new Uint32Array(2 * length);
      let word = (this.#records.at(0) + field.offset) >> 2;
      for (let i = 0; i < length; i += 1, word += stride >> 2) {
        out[2 * i] = words[word] ?? 0;
        out[2 * i + 1] = words[word + 1] ?? 0;
      }
      return new BigUint64Array(out.buffer);
    });
  }

  #addresses(name: string, offset: number): Uint8Array {
    return this.#keep(name, () => {
      const { words, length, stride } = this.#records;
      const out = new Uint32Array(4 * length);
      let word = (this.#records.at(0) + offset) >> 2;
      for (let i = 0; i < length; i += 1, word += stride >> 2) {
        for (let part = 0; part < 4; part += 1) out[4 * i + part] = words[word + part] ?? 0;
      }
      return new Uint8Array(out.buffer);
    });
  }

  #gather<Column extends Uint8Array | Uint16Array | Uint32Array>(
    field: Field,
    source: Column,
    make: new (length: number) => Column,
  ): Column {
    const { length, stride } = this.#records;
    const out = new make(length);
    const step = stride / field.width;
    let at = (this.#records.at(0) + field.offset) / field.width;
    for (let i = 0; i < length; i += 1, at += step) out[i] = source[at] ?? 0;
    return out;
  }
}
