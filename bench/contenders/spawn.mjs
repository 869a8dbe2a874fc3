// What Node programs do today: start `conntrack -L` and read its lines.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { measured, obey } from './commands.mjs';

const LINE = /^(\S+)\s+(\d+)\s+(\d+).*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+).*?mark=(\d+)/;

async function list(...filter) {
  const child = spawn('conntrack', ['-L', ...filter], { stdio: ['ignore', 'pipe', 'ignore'] });
  let count = 0;
  let sum = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [, , protonum, timeout, , , sport, dport, mark] = LINE.exec(line);
    sum += Number(protonum) + Number(sport) + Number(dport) + Number(timeout) + Number(mark);
    count += 1;
  }
  if (child.exitCode === null) await once(child, 'exit');
  return { count, sum };
}

await obey({
  list: () => measured(() => list()),
  filtered: () => measured(() => list('-p', 'tcp', '--dport', '8080')),
});
