/** Flows that may expect others, made by request. */
import type { Conntrack, NewFlow } from '../../lib';

/** A flow of FTP's control connection unless said, with its helper. */
export interface MasterOptions {
  family?: 'ipv4' | 'ipv6';
  helper?: string;
  protocol?: 'tcp' | 'udp';
  /** Of its source, to tell masters apart. */
  sport?: number;
  dport?: number;
  zone?: number;
}

export const CLIENT = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' } as const;
export const SERVER = { ipv4: '192.0.2.2', ipv6: '2001:db8::2' } as const;

export function masterFlow(options: MasterOptions = {}): NewFlow {
  const { family = 'ipv4', helper = 'ftp', protocol = 'tcp', sport = 1000, dport = 21 } = options;
  return {
    protocol,
    orig: { src: CLIENT[family], dst: SERVER[family], sport, dport },
    timeout: 600,
    helper,
    ...(protocol === 'tcp' ? { state: 'ESTABLISHED' } : {}),
    ...(options.zone === undefined ? {} : { zone: options.zone }),
  };
}

/** Makes it, and gives it as it was made. */
export async function createMaster(ct: Conntrack, options: MasterOptions = {}): Promise<NewFlow> {
  const flow = masterFlow(options);
  await ct.create(flow);
  return flow;
}
