/** Writing a FlowRecord for native code, field by field and with its presence bits. */
import { addressBytes } from './address';
import { FLOW_SIZE, FlowOffset, TupleOffset } from './layout';

export class RecordWriter {
  readonly bytes = new Uint8Array(FLOW_SIZE);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

  u8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little);
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, this.#little);
  }

  /** Sets a bit of the record's own presence. */
  has(flag: number): void {
    this.flag(FlowOffset.presence, flag);
  }

  flag(at: number, flag: number): void {
    const flags = this.#view.getUint32(at, this.#little);
    this.#view.setUint32(at, flags | flag, this.#little);
  }
}

/** One of a record's tuples. */
export class TupleWriter {
  readonly #record: RecordWriter;
  readonly #at: number;

  constructor(record: RecordWriter, at: number) {
    this.#record = record;
    this.#at = at;
  }

  address(offset: number, flag: number, address: string): void {
    addressBytes(address).forEach((value, index) => {
      this.#record.u8(this.#at + offset + index, value);
    });
    this.#flag(flag);
  }

  u16(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#record.u16(this.#at + offset, value);
    this.#flag(flag);
  }

  u8(offset: number, flag: number, value: number | undefined): void {
    if (value === undefined) return;
    this.#record.u8(this.#at + offset, value);
    this.#flag(flag);
  }

  /** An IPv4 address as a number. */
  ipv4(offset: number, flag: number, value: number): void {
    for (let byte = 0; byte < 4; byte += 1) {
      this.#record.u8(this.#at + offset + byte, (value >>> (24 - 8 * byte)) & 0xff);
    }
    this.#flag(flag);
  }

  family(family: number): void {
    this.#record.u8(this.#at + TupleOffset.family, family);
  }

  #flag(flag: number): void {
    this.#record.flag(this.#at + TupleOffset.presence, flag);
  }
}

