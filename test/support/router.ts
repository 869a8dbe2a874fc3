/** A client and a server, and the router between them whose flows a test looks at. */
import { addRoute, connect, forward, type Link, type LinkEnd } from './link';
import { TestNamespace } from './netns';

export interface Routed {
  client: TestNamespace;
  router: TestNamespace;
  server: TestNamespace;
  /** `a` is the client's end, `b` the router's. */
  inner: Link;
  /** `a` is the router's end, `b` the server's. */
  outer: Link;
}

export interface RoutedOptions {
  /** The number of the link to the server, see `connect()`; 2 unless said. */
  outerSubnet?: number;
}

/** The client knows the way to the server; the server knows no way back, which is left to NAT. */
export function routed({ outerSubnet = 2 }: RoutedOptions = {}): Routed {
  const client = TestNamespace.create();
  const router = TestNamespace.create();
  const server = TestNamespace.create();
  const inner = connect(client, router, { subnet: 1 });
  const outer = connect(router, server, { subnet: outerSubnet });
  forward(router);
  for (const end of [inner.b, outer.a]) addLinkLocal(end);
  for (const address of [outer.b.ipv4, outer.b.ipv6]) addRoute(client, address, inner.b);
  return { client, router, server, inner, outer };
}

/** A router asks for its neighbours from an address of its own, where the packet's is another's. */
function addLinkLocal({ namespace, device }: LinkEnd): void {
  namespace.exec('ip', ['address', 'add', 'fe80::1/64', 'dev', device, 'nodad']);
}
