/** Names of IP protocols that conntrack tells apart (RFC 790 ff., <netinet/in.h>). */
const NAMES: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  47: 'gre',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
};

const NUMBERS = new Map(Object.entries(NAMES).map(([number, name]) => [name, Number(number)]));

export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_DCCP = 33;
export const IPPROTO_GRE = 47;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_SCTP = 132;

/** The name of a protocol, or its number as text. */
export function protocolName(protonum: number): string {
  return NAMES[protonum] ?? String(protonum);
}

/** The number of a protocol that protocolName() wrote, case aside; undefined if it is none. */
export function protocolNumber(protocol: string): number | undefined {
  const named = NUMBERS.get(protocol.toLowerCase());
  if (named !== undefined) return named;
  const number = /^\d{1,3}$/.test(protocol) ? Number(protocol) : NaN;
  return number <= 255 ? number : undefined;
}

export type PortKind = 'ports' | 'icmp' | 'gre' | 'none';

/** What tells two flows of a protocol between the same addresses apart. */
export function portKind(protonum: number): PortKind {
  switch (protonum) {
    case 6:
    case 17:
    case 33:
    case 132:
    case 136:
      return 'ports';
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return 'icmp';
    case IPPROTO_GRE:
      return 'gre';
    default:
      return 'none';
  }
}
