// The server in its own namespace: HTTP and a UDP echo. It lives as long as its stdin is open.
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import { createInterface } from 'node:readline';

import { addressLine, ip, PORTS, SERVER } from './network.mjs';

// Ctrl-C reaches the whole process group; the end is the client's to say.
process.on('SIGINT', () => undefined);
process.stdout.write('started\n');

for await (const line of createInterface({ input: process.stdin })) {
  await serve(JSON.parse(line));
  process.stdout.write('ready\n');
}
process.exit(0);

async function serve({ device, families }) {
  ip(
    `link set ${device} up`,
    ...families.map((family) => addressLine(device, family, SERVER[family])),
  );
  for (const family of families) {
    const pages = http.createServer(answer).listen(PORTS.http.server, SERVER[family]);
    const echo = dgram.createSocket(family === 'ipv4' ? 'udp4' : 'udp6');
    echo.on('message', (message, { port, address }) => echo.send(message, port, address));
    echo.bind(PORTS.echo.server, SERVER[family]);
    await Promise.all([once(pages, 'listening'), once(echo, 'listening')]);
  }
}

function answer(request, response) {
  response.end(`${request.url} for ${request.socket.remoteAddress}\n`.repeat(200));
}
