// The demonstration's network: this namespace is client and gateway, a second one is the server.
//
//   client 10.0.0.2 --[ NAT, watched by conntrack ]-- 192.0.2.1 ==veth== 192.0.2.80 server
//
// The client only knows a service address that no machine has; the gateway translates both ends.
// All addresses are of the ranges for private use and documentation (RFC 1918, 4193, 5737, 3849).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const CLIENT = { ipv4: '10.0.0.2', ipv6: 'fd00::2' };
export const GATEWAY = { ipv4: '192.0.2.1', ipv6: '2001:db8:1::1' };
export const SERVER = { ipv4: '192.0.2.80', ipv6: '2001:db8:1::80' };
export const SERVICE = { ipv4: '198.51.100.80', ipv6: '2001:db8::80' };
export const PORTS = { http: { service: 80, server: 8080 }, echo: { service: 7, server: 7007 } };

const VETH = 'gateway';
const VETH_PEER = 'server';

/** IPv6 can be off for the whole kernel. */
export const hasIpv6 = () => existsSync('/proc/net/if_inet6');
const families = () => (hasIpv6() ? ['ipv4', 'ipv6'] : ['ipv4']);

const SETTINGS = {
  nf_conntrack_acct: 1,
  nf_conntrack_timestamp: 1,
  // Short, so that flows also end while someone watches.
  nf_conntrack_tcp_timeout_time_wait: 1,
  nf_conntrack_tcp_timeout_close: 1,
  nf_conntrack_udp_timeout: 2,
  nf_conntrack_udp_timeout_stream: 2,
  nf_conntrack_icmp_timeout: 2,
  nf_conntrack_icmpv6_timeout: 2,
};

function program(name, args, input) {
  const { status, error, stderr } = spawnSync(name, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${[name, ...args].join(' ')}: ${error?.message ?? stderr}`);
}

/** Runs lines of ip(8) commands. */
export const ip = (...lines) => program('ip', ['-batch', '-'], `${lines.join('\n')}\n`);

const PREFIX = { ipv4: '24', ipv6: '64' };
/** nodad: an IPv6 address that is still being checked for duplicates cannot be used. */
export const addressLine = (device, family, address) =>
  `addr add ${address}/${PREFIX[family]} dev ${device}${family === 'ipv6' ? ' nodad' : ''}`;

/** Everything below changes the namespace it runs in; it must never be the host's. */
export function requirePrivateNamespace() {
  let parents;
  try {
    parents = readlinkSync(`/proc/${String(process.ppid)}/ns/net`);
  } catch {
    return; // a parent in another user namespace cannot be looked at: we are in one of our own
  }
  if (parents === readlinkSync('/proc/self/ns/net')) {
    throw new Error('The demonstration changes the network it runs in: start it with npm start.');
  }
}

/** Makes links, addresses, translation rules and the server; resolves when it answers. */
export async function makeNetwork() {
  const server = await startServer();
  ip(
    'link set lo up',
    `link add ${VETH} type veth peer name ${VETH_PEER} netns ${String(server.pid)}`,
    `link set ${VETH} up`,
    ...families().map((family) => addressLine(VETH, family, GATEWAY[family])),
    ...families().map((family) => addressLine('lo', family, CLIENT[family])),
    ...families().map((family) => `route add ${SERVICE[family]} via ${SERVER[family]}`),
  );
  await server.configure({ device: VETH_PEER, families: families() });
  program('nft', ['-f', '-'], translation());
  return { withoutSettings: applySettings(), close: () => server.close() };
}

function translation() {
  const words = { ipv4: 'ip', ipv6: 'ip6' };
  const rules = (line) => families().map((family) => `    ${line(words[family], family)}`);
  const redirect = (protocol, { service, server }) =>
    rules(
      (word, family) =>
        `${word} daddr ${SERVICE[family]} ${protocol} dport ${String(service)} ` +
        `dnat ${word} to ${bracketed(SERVER[family])}:${String(server)}`,
    );
  return [
    'table inet demo {',
    '  chain output {',
    '    type nat hook output priority -100;',
    ...redirect('tcp', PORTS.http),
    ...redirect('udp', PORTS.echo),
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority 100;',
    ...rules((word, family) => `${word} saddr ${CLIENT[family]} oifname "${VETH}" masquerade`),
    '  }',
    '}',
    '',
  ].join('\n');
}

const bracketed = (address) => (address.includes(':') ? `[${address}]` : address);

/** The names of the settings that cannot be made here, as where /proc/sys is read-only. */
function applySettings() {
  return Object.entries(SETTINGS).flatMap(([name, value]) => {
    try {
      writeFileSync(`/proc/sys/net/netfilter/${name}`, String(value));
      return [];
    } catch {
      return [name];
    }
  });
}

async function startServer() {
  const script = fileURLToPath(new URL('server.mjs', import.meta.url));
  const child = spawn('unshare', ['--net', process.execPath, script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const heard = async (wanted) => {
    const { value } = await lines.next();
    if (value !== wanted) throw new Error(`The server ended before it was ${wanted}.`);
  };
  await heard('started');
  return {
    pid: child.pid,
    async configure(network) {
      child.stdin.write(`${JSON.stringify(network)}\n`);
      await heard('ready');
    },
    async close() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      if (child.exitCode === null) await ended;
    },
  };
}
