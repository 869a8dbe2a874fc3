/** An FTP dialogue that the kernel's helper reads: enough of one for it to expect a data connection. */
import { once } from 'node:events';
import type { Socket } from 'node:net';

import type { TestNamespace } from './netns';
import { TcpConnection, type ClientTuple, type Route } from './traffic';

export const FTP_PORT = 21;

const open = new Set<FtpDialogue>();

/** Has a helper look at what goes to a port, from the first packet on. */
export function attachHelper(
  namespace: TestNamespace,
  name: string,
  transport: 'tcp' | 'udp',
  port: number,
): void {
  const rule = `${transport} dport ${port} ct helper set "${name}"`;
  namespace.nft(`
    table inet helpers {
      ct helper ${name} { type "${name}" protocol ${transport}; l3proto inet; }
      chain pre { type filter hook prerouting priority 0; ${rule}; }
      chain out { type filter hook output priority 0; ${rule}; }
    }`);
}

/** Sends a line and gives it as it arrives at the other end. */
async function tell(from: Socket, to: Socket, line: string): Promise<string> {
  const heard = once(to, 'data') as Promise<[Buffer]>;
  from.write(`${line}\r\n`);
  return String((await heard)[0]).trimEnd();
}

/** A control connection, logged in. `FtpDialogue.closeAll()` after each test. */
export class FtpDialogue {
  readonly #connection: TcpConnection;
  readonly #address: string;

  private constructor(connection: TcpConnection, address: string) {
    this.#connection = connection;
    this.#address = address;
    open.add(this);
  }

  static async open(route: Omit<Route, 'port'>): Promise<FtpDialogue> {
    const connection = await TcpConnection.open({ ...route, port: FTP_PORT });
    const dialogue = new FtpDialogue(connection, route.address);
    // The helper trusts a line only behind another one, in either direction.
    const { client, server } = connection;
    await tell(server, client, '220 ready');
    await tell(client, server, 'USER anonymous');
    await tell(server, client, '230 welcome');
    return dialogue;
  }

  static closeAll(): void {
    for (const dialogue of open) dialogue.close();
  }

  get tuple(): ClientTuple {
    return this.#connection.tuple;
  }

  /** The server names a port for the client to connect to. */
  async passive(port: number): Promise<void> {
    const { client, server } = this.#connection;
    await tell(client, server, 'PASV');
    await tell(server, client, passiveAnswer(this.#address, port));
  }

  close(): void {
    open.delete(this);
    const { client, server, listener } = this.#connection;
    for (const end of [client, server]) {
      end.on('error', () => undefined);
      end.destroy();
    }
    listener.close();
  }
}

function passiveAnswer(address: string, port: number): string {
  if (address.includes(':')) return `229 Entering Extended Passive Mode (|||${port}|)`;
  const words = [...address.split('.'), port >> 8, port & 0xff];
  return `227 Entering Passive Mode (${words.join(',')})`;
}
