/**
 * Everything that needs descriptors, with 0, 1, 2, ... of them to be had. Prints as JSON what each attempt
 * came to, and whether as many were left behind it as before.
 */
import { closeSync, openSync } from 'node:fs';

import { Conntrack } from '../../../dist/index.js';
import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const MOST = 8;

/** Takes all descriptors that there are. */
function takeAll() {
  const taken = [];
  for (;;) {
    try {
      taken.push(openSync('/dev/null'));
    } catch (error) {
      if (error.code === 'EMFILE') return taken;
      throw error;
    }
  }
}

function give(taken, count) {
  for (const fd of taken.splice(0, count)) closeSync(fd);
}

const ct = await Conntrack.open();
const mirror = await ct.mirror(undefined, { resyncInterval: 5 });
const attempts = {
  async open() {
    await (await Conntrack.open()).close();
  },
  async events() {
    (await ct.events()).close();
  },
  async mirror() {
    await (await ct.mirror()).close();
  },
  async reliable() {
    (await ct.events(undefined, { reliable: true })).close();
  },
  async flows() {
    await ct.flows().count();
  },
};

const came = [];
let taken = takeAll();
for (const [name, run] of Object.entries(attempts)) {
  for (let free = 0; free <= MOST; free++) {
    give(taken, free);
    const result = await attempt(run);
    // A closed Conntrack's own go with it.
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const rest = takeAll();
    came.push({ name, free, result, left: rest.length });
    taken = [...taken, ...rest];
  }
}
const { dumps } = mirror.statistics();
await new Promise((resolve) => setTimeout(resolve, 100));
const { dumps: more, failedDumps } = mirror.statistics();
const works = await attempt(() => ct.count());
give(taken, taken.length);
await ct.close();
say(JSON.stringify({ came, works, lists: more > dumps && failedDumps === 0 }));
