/** Two namespaces joined by a veth pair, with addresses of both families that work at once. */
import type { TestNamespace } from './netns';

export interface LinkEnd {
  namespace: TestNamespace;
  /** Name of the interface in its namespace. */
  device: string;
  ipv4: string;
  ipv6: string;
}

export interface Link {
  a: LinkEnd;
  b: LinkEnd;
}

export interface LinkOptions {
  /**
   * Third number of the IPv4 network and the last group of the IPv6 one: `198.51.<subnet>.0/24`,
   * `fd51:<subnet>::/64`. Links of the same namespaces need numbers of their own; 1 unless said.
   */
  subnet?: number;
}

/** `a` gets the host number 1, `b` gets 2; the devices are called `link<subnet>`. */
export function connect(a: TestNamespace, b: TestNamespace, options: LinkOptions = {}): Link {
  const subnet = options.subnet ?? 1;
  const device = `link${subnet}`;
  const link = { a: end(a, device, subnet, 1), b: end(b, device, subnet, 2) };
  a.exec('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', b.path]);
  for (const side of [link.a, link.b]) raise(side);
  for (const side of [link.a, link.b]) addAddresses(side);
  return link;
}

function end(namespace: TestNamespace, device: string, subnet: number, host: number): LinkEnd {
  const ipv6 = `fd51:${subnet.toString(16)}::${host}`;
  return { namespace, device, ipv4: `198.51.${subnet}.${host}`, ipv6 };
}

/** Before any address: one that is there when the link comes up answers nobody for a second. */
function raise({ namespace, device }: LinkEnd): void {
  // No link-local address, which would send packets of its own.
  namespace.exec('ip', ['link', 'set', 'dev', device, 'addrgenmode', 'none', 'up']);
}

function addAddresses({ namespace, device, ipv4, ipv6 }: LinkEnd): void {
  namespace.exec('ip', ['address', 'add', `${ipv4}/24`, 'dev', device]);
  // Duplicate address detection would keep the address from use for a second.
  namespace.exec('ip', ['address', 'add', `${ipv6}/64`, 'dev', device, 'nodad']);
}

/** Sends what goes to `destination` (an address or CIDR) by way of the router's end of a link. */
export function addRoute(from: TestNamespace, destination: string, router: LinkEnd): void {
  const ipv6 = destination.includes(':');
  const via = ipv6 ? router.ipv6 : router.ipv4;
  from.exec('ip', [ipv6 ? '-6' : '-4', 'route', 'add', destination, 'via', via]);
}

/** Makes a namespace a router of both families. */
export function forward(namespace: TestNamespace): void {
  namespace.sysctl('net.ipv4.ip_forward', 1);
  namespace.sysctl('net.ipv6.conf.all.forwarding', 1);
}

/** Addresses of both families that lead nowhere. */
export interface Void {
  ipv4: readonly [string, string];
  ipv6: readonly [string, string];
}

/**
 * Two pairs of addresses between which raw packets can go, both ways, and where nobody is: the kernel
 * tracks the packets on their way out and its devices then drop them, so that it neither resets nor
 * refuses what it knows nothing of.
 */
export function addVoid(namespace: TestNamespace): Void {
  const [device, drain] = ['void', 'drain'];
  namespace.exec('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', drain]);
  // Without ARP, packets go to the device's own hardware address, which the drain's is not.
  const flags = ['addrgenmode', 'none', 'arp', 'off', 'up'];
  namespace.exec('ip', ['link', 'set', 'dev', device, ...flags]);
  namespace.exec('ip', ['link', 'set', 'dev', drain, ...flags]);
  namespace.exec('ip', ['route', 'add', '203.0.113.0/24', 'dev', device]);
  namespace.exec('ip', ['-6', 'route', 'add', 'fd13::/64', 'dev', device]);
  return { ipv4: ['203.0.113.1', '203.0.113.2'], ipv6: ['fd13::1', 'fd13::2'] };
}
