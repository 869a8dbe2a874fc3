/** Another process that writes to the library's sockets as if it were the kernel. */
import { readFileSync } from 'node:fs';

import { Cta, Flag, message, MessageType, payload, tuple } from './ctnetlink';
import type { TestNamespace } from './netns';

const NETLINK_NETFILTER = 12;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const EPERM = 1;
const AF_INET = 2;
const HEADER = 16;

/** More than the tests ask on one socket. */
const SEQUENCES = 120;

const SEND = `
import socket, sys
line = sys.stdin.buffer.read()
data = bytes.fromhex(line.decode())
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, ${NETLINK_NETFILTER})
for port in sys.argv[1:]:
    s.sendto(data, (int(port), 0))
`;

/** A flow and an expectation that are only in forged messages. */
export const FORGED = { src: '203.0.113.66', dst: '203.0.113.67', sport: 666, dport: 667 };

export interface NetlinkPort {
  portid: number;
  /** Bytes that wait to be read, as the kernel charges them. */
  queued: number;
}

/** The sockets to netfilter in a namespace. */
export function netlinkPorts(namespace: TestNamespace): NetlinkPort[] {
  const table = namespace.run(() => readFileSync('/proc/thread-self/net/netlink', 'utf8'));
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, family, portid]) => Number(family) === NETLINK_NETFILTER && portid !== '0')
    .map(([, , portid, , queued]) => ({ portid: Number(portid), queued: Number(queued) }));
}

function verdict(type: number, sequence: number, errno: number): Buffer {
  const body = Buffer.alloc(4 + HEADER);
  body.writeInt32LE(-errno, 0);
  return message(body, { type, sequence });
}

function flow(sequence: number, flags: number): Buffer {
  const { src, dst, sport, dport } = FORGED;
  const body = payload(
    AF_INET,
    tuple(Cta.tupleOrig, { ...FORGED, protonum: 6 }),
    tuple(Cta.tupleReply, { src: dst, dst: src, sport: dport, dport: sport, protonum: 6 }),
  );
  return message(body, { type: MessageType.ctNew, sequence, flags });
}

function expectation(sequence: number): Buffer {
  const fields = { ...FORGED, protonum: 6 };
  const body = payload(AF_INET, tuple(1, fields), tuple(2, fields), tuple(3, fields));
  return message(body, { type: MessageType.expNew, sequence, flags: Flag.create });
}

/** What could pass for an answer to any request, or for an event. */
function forgeries(): Buffer {
  const sequences = Array.from({ length: SEQUENCES }, (_, index) => index);
  return Buffer.concat(
    sequences.flatMap((sequence) => [
      flow(sequence, sequence === 0 ? Flag.create : 0),
      expectation(sequence),
      verdict(NLMSG_ERROR, sequence, EPERM),
      verdict(NLMSG_DONE, sequence, 0),
    ]),
  );
}

/** Sends them to every socket; `under` starts the sender, as setpriv(1) does. Gives its exit code. */
export function forge(namespace: TestNamespace, under: readonly string[] = []): number {
  const ports = netlinkPorts(namespace).map(({ portid }) => String(portid));
  const [command = '', ...args] = [...under, 'python3', '-c', SEND, ...ports];
  return namespace.tryExec(command, args, { input: forgeries().toString('hex') }).status;
}
