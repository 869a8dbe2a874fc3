/** Packets by hand, both ways, between two hosts that are not there: nobody else answers. */
import { addVoid } from './link';
import type { TestNamespace } from './netns';
import type { Ends, Ports } from './packets';
import { sendPacket } from './traffic';

/** For the packets of a conversation, as far as its protocol has ports. */
export const PORTS: Ports = { sport: 1111, dport: 2222 };
/** For those that go back. */
export const REVERSED: Ports = { sport: PORTS.dport, dport: PORTS.sport };

export interface PacketOptions {
  /** 64 unless said. */
  ttl?: number;
}

export class Conversation {
  /** The addresses of its first packet. */
  readonly there: Ends;
  readonly back: Ends;
  readonly #namespace: TestNamespace;
  readonly #protonum: number;

  /** Adds the two hosts to the namespace: there can be one conversation in each. */
  constructor(namespace: TestNamespace, family: 'ipv4' | 'ipv6', protonum: number) {
    const [src, dst] = addVoid(namespace)[family];
    this.#namespace = namespace;
    this.#protonum = protonum;
    this.there = { src, dst };
    this.back = { src: dst, dst: src };
  }

  /** `octets` is what follows the IP header. */
  send(octets: Uint8Array, options: PacketOptions = {}): void {
    this.#send(this.there, octets, options);
  }

  answer(octets: Uint8Array, options: PacketOptions = {}): void {
    this.#send(this.back, octets, options);
  }

  #send({ src, dst }: Ends, octets: Uint8Array, options: PacketOptions): void {
    sendPacket(this.#namespace, this.#protonum, dst, octets, { src, ...options });
  }
}
