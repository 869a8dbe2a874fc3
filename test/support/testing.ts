/** The tests' own addon (test/native), typed. Every call is synchronous and throws a `SystemError`. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What the addon throws: `code` is the errno's name ("EPERM"), `errno` its positive number. */
export interface SystemError extends Error {
  code: string;
  errno: number;
}

export type IpVersion = 4 | 6;

/** A socket of the addon's making; whoever gets it has to close it. */
export interface Endpoint {
  fd: number;
  port: number;
}

export interface RawSendOptions {
  /** Any address, local or not: the packet then goes out with a header of its own. */
  src?: string;
  ttl?: number;
}

export interface ConnectOptions {
  src?: string;
  sport?: number;
  /** How long to wait for the handshake, in ms; 0 leaves it to itself. 5000 unless said. */
  timeout?: number;
}

/** Flows that are all alike but for their numbers; see `syntheticTuple()`. */
export interface SyntheticFlows {
  family?: IpVersion;
  /** TCP (established) unless said. */
  proto?: 6 | 17;
  /** Seconds; 3600 unless said. */
  timeout?: number;
  /** IPS_* bits besides CONFIRMED; SEEN_REPLY | ASSURED unless said. */
  status?: number;
  zone?: number;
  mark?: number;
  /** Requests in one send, at most 128; 64 unless said. */
  batch?: number;
}

export interface FillOptions extends SyntheticFlows {
  count: number;
  /** Number of the first flow; 0 unless said. */
  first?: number;
}

export interface ChurnOptions extends SyntheticFlows {
  /** Flows that exist at a time, at most 65536; 4096 unless said. */
  live?: number;
  /** After so many seconds it ends by itself; 60 unless said. */
  seconds?: number;
}

export interface Churn {
  /** Flows made and deleted so far. */
  readonly operations: number;
  /** Ends the thread, deletes what it left, and gives `operations`. Throws what the thread met. */
  stop(): number;
}

export interface Answer {
  /** 0 is an acknowledgement. */
  errno: number;
  code?: string;
  messages: Buffer[];
  extack?: string;
  /** Of the attribute that the kernel blames, from the start of the message. */
  offset?: number;
}

/** Messages byte for byte, each a Buffer with its nlmsghdr. Opened in the thread's namespace. */
export interface NetlinkCapture {
  /** What the kernel granted for events, in bytes of its own accounting (1280 an event). */
  readonly receiveBuffer: number;
  /** Events that found no room, since the capture was opened. */
  drops(): number;
  /** Waits for a first event and takes all that are there. Throws ENOBUFS after an overrun. */
  drain(timeoutMs?: number): Buffer[];
  /** `type`: `MessageType`; `family`: AF_* or 0 for all; `attributes`: a filter, encoded. */
  dump(type: number, family?: number, attributes?: Uint8Array): Buffer[];
  /** `flags`: NLM_F_* besides REQUEST and ACK; `payload`: all that follows the nlmsghdr. */
  request(type: number, flags: number, payload: Uint8Array): Answer;
  close(): void;
}

/**
 * What libnetfilter_conntrack reads in a message: every attribute that is set, by the name it has
 * there. Addresses are Buffers in network order, ports and ids numbers, labels sorted bit numbers.
 */
export interface OraclePeek {
  /** The library would have ended the process (`__abi_breakage()`); then nothing else is here. */
  abi?: true;
  orig_ipv4_src?: Buffer;
  orig_ipv4_dst?: Buffer;
  repl_ipv4_src?: Buffer;
  repl_ipv4_dst?: Buffer;
  orig_ipv6_src?: Buffer;
  orig_ipv6_dst?: Buffer;
  repl_ipv6_src?: Buffer;
  repl_ipv6_dst?: Buffer;
  orig_port_src?: number;
  orig_port_dst?: number;
  repl_port_src?: number;
  repl_port_dst?: number;
  icmp_type?: number;
  icmp_code?: number;
  icmp_id?: number;
  orig_l3proto?: number;
  repl_l3proto?: number;
  orig_l4proto?: number;
  repl_l4proto?: number;
  tcp_state?: number;
  snat_ipv4?: Buffer;
  dnat_ipv4?: Buffer;
  snat_port?: number;
  dnat_port?: number;
  timeout?: number;
  mark?: number;
  orig_counter_packets?: bigint;
  repl_counter_packets?: bigint;
  orig_counter_bytes?: bigint;
  repl_counter_bytes?: bigint;
  use?: number;
  id?: number;
  status?: number;
  tcp_flags_orig?: number;
  tcp_flags_repl?: number;
  tcp_mask_orig?: number;
  tcp_mask_repl?: number;
  master_ipv4_src?: Buffer;
  master_ipv4_dst?: Buffer;
  master_ipv6_src?: Buffer;
  master_ipv6_dst?: Buffer;
  master_port_src?: number;
  master_port_dst?: number;
  master_l3proto?: number;
  master_l4proto?: number;
  secmark?: number;
  orig_nat_seq_correction_pos?: number;
  orig_nat_seq_offset_before?: number;
  orig_nat_seq_offset_after?: number;
  repl_nat_seq_correction_pos?: number;
  repl_nat_seq_offset_before?: number;
  repl_nat_seq_offset_after?: number;
  sctp_state?: number;
  sctp_vtag_orig?: number;
  sctp_vtag_repl?: number;
  helper_name?: string;
  dccp_state?: number;
  dccp_role?: number;
  dccp_handshake_seq?: bigint;
  tcp_wscale_orig?: number;
  tcp_wscale_repl?: number;
  zone?: number;
  secctx?: string;
  timestamp_start?: bigint;
  timestamp_stop?: bigint;
  /** There is some; the library does not say how much. */
  helper_info?: true;
  connlabels?: number[];
  connlabels_mask?: number[];
  orig_zone?: number;
  repl_zone?: number;
  snat_ipv6?: Buffer;
  dnat_ipv6?: Buffer;
  synproxy_isn?: number;
  synproxy_its?: number;
  synproxy_tsoff?: number;
}

export interface Decoded {
  /** False: the message is cut short or a length in it lies. */
  complete: boolean;
  /** The exchange format of lib/layout.ts: header, one record with its port id, tail. */
  batch: Uint8Array;
}

interface TestingAddon {
  /** A new network namespace with `lo` up; gone when its descriptor and all sockets are. */
  newNamespace: () => number;
  /** Opens a namespace by its path; without one, that of the calling thread. */
  openNamespace: (path?: string) => number;
  /** Moves the calling thread. */
  enterNamespace: (fd: number) => void;
  closeFd: (fd: number) => void;

  /** Addresses are literals; port 0 or none lets the kernel choose. */
  listenTcp: (address: string, port?: number) => Endpoint;
  connectTcp: (address: string, port: number, options?: ConnectOptions) => Endpoint;
  bindUdp: (address: string, port?: number) => Endpoint;
  /** One packet; `payload` is what follows the IP header. */
  rawSend: (
    family: IpVersion,
    protonum: number,
    dst: string,
    payload: Uint8Array,
    options?: RawSendOptions,
  ) => void;

  /** The number of flows made: one that existed is not counted, any other failure throws. */
  fill: (options: FillOptions) => number;
  /** Deletes what `fill()` makes of the same options; the number that was there. */
  unfill: (options: FillOptions) => number;
  /** Deletes every flow of the namespace. */
  flush: () => void;

  /** EBADMSG: the library refuses the message. EINVAL: it is not a whole one. */
  oraclePeek: (message: Uint8Array) => OraclePeek;
  /**
   * What libnetfilter_conntrack prints of a message; fails as oraclePeek() does. `messageType`: NFCT_T_*,
   * `outputType`: NFCT_O_*, `flags`: NFCT_OF_*; `labelMap` is the path of a connlabel.conf.
   */
  oraclePrint: (
    message: Uint8Array,
    messageType: number,
    outputType: number,
    flags: number,
    labelMap?: string,
  ) => Buffer;
  oraclePrintExpectation: (
    message: Uint8Array,
    messageType: number,
    outputType: number,
    flags: number,
  ) => Buffer;

  /** The core's decoder on a message about a flow; EINVAL: nlmsg_len is beyond the bytes. */
  decode: (message: Uint8Array) => Decoded;
  decodeExpectation: (message: Uint8Array) => Decoded;

  /** `groups`: multicast groups 1..6. `receiveBuffer`: bytes to ask for, 256 MiB unless said. */
  NetlinkCapture: new (
    groups?: readonly number[],
    options?: { receiveBuffer?: number },
  ) => NetlinkCapture;
  Churn: new (options?: ChurnOptions) => Churn;
}

const PATH = join(__dirname, '../native/build/Release/testing.node');

export const testing = createRequire(__filename)(PATH) as TestingAddon;

/** Starts a thread in the calling thread's namespace that makes and deletes flows of its own. */
export function churn(options?: ChurnOptions): Churn {
  return new testing.Churn(options);
}

export interface SyntheticTuple {
  src: string;
  dst: string;
  sport: number;
  dport: number;
}

/** The original tuple of the flow that `fill()` makes with number `index`. */
export function syntheticTuple(index: number, family: IpVersion = 4): SyntheticTuple {
  const sport = 1024 + (index % 60_000);
  if (family === 4) {
    const src = [10, (index >> 16) & 0xff, (index >> 8) & 0xff, index & 0xff].join('.');
    return { src, dst: '192.0.2.1', sport, dport: 80 };
  }
  return { src: syntheticIpv6(index), dst: 'fd00:ffff::1', sport, dport: 80 };
}

/** As inet_ntop() writes it: a lone zero group is not shortened, the longest run of them is. */
function syntheticIpv6(index: number): string {
  const high = index >>> 16;
  const low = (index & 0xffff).toString(16);
  if (high > 0) return `fd00::${high.toString(16)}:${low}`;
  return index === 0 ? 'fd00::' : `fd00::${low}`;
}
