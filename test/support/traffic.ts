/**
 * Real connections in namespaces. The sockets are made by the testing addon inside the namespace and
 * given to Node as descriptors: Node makes its own on its next tick, when the thread is outside again.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Socket, type Server } from 'node:net';

import type { TestNamespace } from './netns';
import { icmpEcho, icmpv6Echo, Protonum } from './packets';
import { testing, type RawSendOptions } from './testing';

export interface Route {
  client: TestNamespace;
  server: TestNamespace;
  /** Where the server listens; an address literal. */
  address: string;
  port?: number;
  /** Where the client connects to, if that is not where the server listens (DNAT). */
  target?: { address: string; port?: number };
  /** The client's own address and port, if the kernel is not to choose them. */
  src?: string;
  sport?: number;
}

/** The original tuple, as the client sees it. */
export interface ClientTuple {
  src: string;
  dst: string;
  sport: number;
  dport: number;
}

/** A TCP connection with both its ends in this process. Open ends keep it alive: use `using`. */
export class TcpConnection implements Disposable {
  private constructor(
    readonly client: Socket,
    readonly server: Socket,
    readonly tuple: ClientTuple,
    readonly listener: Server,
  ) {}

  static async open(route: Route): Promise<TcpConnection> {
    const bound = route.server.run(() => testing.listenTcp(route.address, route.port));
    const listener = createServer({ allowHalfOpen: true });
    listener.listen({ fd: bound.fd });
    await once(listener, 'listening');
    try {
      const accepted = once(listener, 'connection') as Promise<[Socket]>;
      const client = connectSocket(route, bound.port);
      const [server] = await accepted;
      return new TcpConnection(client, server, clientTuple(client), listener);
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  /** Sends `octets` both ways, and gives the number that arrived in each. */
  async exchange(octets = 100): Promise<number> {
    const there = received(this.server, octets);
    this.client.write(Buffer.alloc(octets, 'c'));
    await there;
    const back = received(this.client, octets);
    this.server.write(Buffer.alloc(octets, 's'));
    return back;
  }

  /** An ordinary end: the client's FIN, the server's, and the last acknowledgement. */
  async close(): Promise<void> {
    const closed = [closing(this.client), closing(this.server)];
    this.client.resume();
    this.server.resume();
    const seen = once(this.server, 'end');
    this.client.end();
    await seen;
    this.server.end();
    await Promise.all(closed);
    this.listener.close();
  }

  /** The client's RST. */
  async reset(): Promise<void> {
    // The server's end meets ECONNRESET, which is what was asked for.
    this.server.on('error', () => undefined);
    const closed = [closing(this.client), closing(this.server)];
    this.server.resume();
    this.client.resetAndDestroy();
    await Promise.all(closed);
    this.listener.close();
  }

  /** Clean-up, whatever state it is in. */
  [Symbol.dispose](): void {
    for (const end of [this.client, this.server]) {
      end.on('error', () => undefined);
      end.destroy();
    }
    this.listener.close();
  }
}

function connectSocket(route: Route, listening: number): Socket {
  const { address, port } = targetOf(route, listening);
  const { fd } = route.client.run(() =>
    testing.connectTcp(address, port, {
      ...(route.src === undefined ? {} : { src: route.src }),
      ...(route.sport === undefined ? {} : { sport: route.sport }),
    }),
  );
  return new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
}

interface Target {
  address: string;
  port: number;
}

function targetOf(route: Route, listening: number): Target {
  const target = route.target;
  return { address: target?.address ?? route.address, port: target?.port ?? listening };
}

function clientTuple(client: Socket): ClientTuple {
  return {
    src: client.localAddress ?? '',
    dst: client.remoteAddress ?? '',
    sport: client.localPort ?? 0,
    dport: client.remotePort ?? 0,
  };
}

async function received(socket: Socket, octets: number): Promise<number> {
  let count = 0;
  await new Promise<void>((resolve, reject) => {
    const onData = (data: Buffer): void => {
      count += data.length;
      if (count < octets) return;
      socket.off('data', onData);
      socket.off('error', reject);
      resolve();
    };
    socket.on('data', onData);
    socket.once('error', reject);
  });
  return count;
}

function closing(socket: Socket): Promise<unknown> {
  return socket.closed ? Promise.resolve() : new Promise((done) => socket.once('close', done));
}

/** A UDP server that answers what it gets, and a client of it. Both keep the process alive. */
export class UdpExchange implements Disposable {
  #closed = false;
  /** The original tuple, as the client sees it. */
  readonly tuple: ClientTuple;

  private constructor(
    readonly client: UdpSocket,
    readonly server: UdpSocket,
    target: Target,
  ) {
    const { address: src, port: sport } = client.address();
    this.tuple = { src, dst: target.address, sport, dport: target.port };
    server.on('message', (message, peer) => {
      server.send(message, peer.port, peer.address);
    });
  }

  static async open(route: Route): Promise<UdpExchange> {
    const server = await udpSocket(route.server, route.address, route.port);
    try {
      const target = targetOf(route, server.address().port);
      return new UdpExchange(await udpClient(route, target), server, target);
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** Sends a datagram and gives the answer. */
  async request(payload: string | Uint8Array = 'ping'): Promise<Buffer> {
    const answer = once(this.client, 'message') as Promise<[Buffer]>;
    this.client.send(payload);
    return (await answer)[0];
  }

  /** Sends a datagram that the server does not answer. */
  async send(payload: string | Uint8Array = 'ping'): Promise<void> {
    this.server.removeAllListeners('message');
    await new Promise<void>((resolve, reject) => {
      this.client.send(payload, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.client.close();
    this.server.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function udpClient(route: Route, target: Target): Promise<UdpSocket> {
  const own = route.src ?? (target.address.includes(':') ? '::' : '0.0.0.0');
  const client = await udpSocket(route.client, own, route.sport);
  const connected = once(client, 'connect');
  client.connect(target.port, target.address);
  try {
    await connected;
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

async function udpSocket(
  namespace: TestNamespace,
  address: string,
  port?: number,
): Promise<UdpSocket> {
  const { fd } = namespace.run(() => testing.bindUdp(address, port));
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const listening = once(socket, 'listening');
  socket.bind({ fd });
  await listening;
  return socket;
}

/** One packet of `protonum` from inside a namespace, with or without a source address of its own. */
export function sendPacket(
  namespace: TestNamespace,
  protonum: number,
  dst: string,
  payload: Uint8Array,
  options: RawSendOptions = {},
): void {
  const family = dst.includes(':') ? 6 : 4;
  namespace.run(() => {
    testing.rawSend(family, protonum, dst, payload, options);
  });
}

/** An echo request of either family; the kernel at `dst` answers it. */
export function ping(namespace: TestNamespace, src: string, dst: string, id: number): void {
  if (dst.includes(':')) {
    sendPacket(namespace, Protonum.icmpv6, dst, icmpv6Echo({ src, dst, id }));
  } else {
    sendPacket(namespace, Protonum.icmp, dst, icmpEcho({ id }), { src });
  }
}
