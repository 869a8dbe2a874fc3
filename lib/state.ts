import { Protoinfo } from './layout';

/** enum tcp_conntrack of <linux/netfilter/nf_conntrack_tcp.h>. */
const TCP = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const;

/** enum sctp_conntrack of <linux/netfilter/nf_conntrack_sctp.h>; HEARTBEAT_ACKED until Linux 6.2. */
const SCTP = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
  'HEARTBEAT_SENT',
  'HEARTBEAT_ACKED',
] as const;

/** enum ct_dccp_states of the kernel's nf_conntrack_dccp.h, until Linux 6.16. */
const DCCP = [
  'NONE',
  'REQUEST',
  'RESPOND',
  'PARTOPEN',
  'OPEN',
  'CLOSEREQ',
  'CLOSING',
  'TIMEWAIT',
  'IGNORE',
  'INVALID',
] as const;

export type TcpState = (typeof TCP)[number];
export type SctpState = (typeof SCTP)[number];
export type DccpState = (typeof DCCP)[number];
/** A state of a protocol that has one, or the number of one that is newer than this library. */
export type State = TcpState | SctpState | DccpState | `${number}`;

function table(protoinfo: number): readonly State[] {
  switch (protoinfo) {
    case Protoinfo.tcp:
      return TCP;
    case Protoinfo.dccp:
      return DCCP;
    case Protoinfo.sctp:
      return SCTP;
    default:
      return [];
  }
}

const NUMBERS = new Map(
  [Protoinfo.tcp, Protoinfo.sctp, Protoinfo.dccp].map((protoinfo) => [
    protoinfo as number,
    new Map(table(protoinfo).map((name, state) => [name as string, state])),
  ]),
);

/** The number of a state in one protocol; undefined if it has none of this name. */
export function stateNumber(protoinfo: number, name: string): number | undefined {
  return NUMBERS.get(protoinfo)?.get(name);
}

/** The codes of a state in each protocol that has one of this name. */
export function stateCodes(name: string): { protoinfo: number; state: number }[] {
  return [Protoinfo.tcp, Protoinfo.sctp, Protoinfo.dccp].flatMap((protoinfo) => {
    const state = (table(protoinfo) as readonly string[]).indexOf(name);
    return state < 0 ? [] : [{ protoinfo, state }];
  });
}

export function stateName(protoinfo: number, state: number): State {
  return table(protoinfo)[state] ?? `${state}`;
}
