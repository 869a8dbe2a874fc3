/** A parent and its forked children, each with a mirror: `family.mjs [child]`. Prints JSON. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

const CHILDREN = 3;

const ct = await Conntrack.open();
const mirror = await ct.mirror();

async function parent() {
  const children = Array.from({ length: CHILDREN }, () =>
    fork(fileURLToPath(import.meta.url), ['child']),
  );
  const sizes = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0]));
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  for (const child of children) child.kill('SIGKILL');
  await exits;
  say(JSON.stringify({ sizes, own: mirror.size, listed: await ct.flows().count() }));
  await ct.close();
}

if (process.argv[2] === 'child') {
  process.send(mirror.size);
  // Until it is killed.
  setInterval(() => undefined, 1000);
} else {
  await parent();
}
