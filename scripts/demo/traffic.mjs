// What the demonstration's client does. Every function rejects unless the answer was the right one.
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

import { CLIENT, PORTS, SERVER, SERVICE } from './network.mjs';

const ANSWER_MS = 3000;

/** One HTTP request; with `agent` the connection stays open after it. */
export async function request(family, path, agent = false) {
  const sent = http.get({
    host: SERVICE[family],
    port: PORTS.http.service,
    localAddress: CLIENT[family],
    path,
    agent,
    timeout: ANSWER_MS,
  });
  sent.once('timeout', () => sent.destroy(new Error(`no answer to GET ${path} over ${family}`)));
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  if (response.statusCode !== 200) throw new Error(`HTTP status ${String(response.statusCode)}`);
  return text;
}

/** One connection to a port where nobody listens; resolves when it is refused. */
export async function refused(family) {
  const to = { host: SERVER[family], port: 1, localAddress: CLIENT[family] };
  const [error] = await once(net.connect(to).once('connect', fail), 'error');
  if (error.code !== 'ECONNREFUSED') throw error;
}

function fail() {
  this.destroy(new Error('a closed port accepted a connection'));
}

/** One datagram and its echo. */
export async function echo(family, text) {
  const socket = dgram.createSocket(family === 'ipv4' ? 'udp4' : 'udp6');
  try {
    socket.bind(0, CLIENT[family]);
    await once(socket, 'listening');
    socket.send(text, PORTS.echo.service, SERVICE[family]);
    const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
    if (String(message) !== text) throw new Error('the echo differs from what was sent');
  } finally {
    socket.close();
  }
}

/** Two ICMP echo requests and their replies. */
export async function ping(family) {
  const args = ['-n', '-q', '-c', '2', '-i', '0.3', '-W', '2', '-I', CLIENT[family]];
  const child = spawn('ping', [...args, SERVER[family]], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`ping over ${family}: ${output.trim()}`);
}
