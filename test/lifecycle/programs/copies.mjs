/** Two copies of the package in one process: `copies.mjs OTHER`. Prints JSON. */
import { createRequire } from 'node:module';

import * as first from '../../../dist/index.js';
import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const second = createRequire(import.meta.url)(process.argv[2]);

async function use({ Conntrack }) {
  const ct = await Conntrack.open();
  const mirror = await ct.mirror();
  const changes = mirror.changes();
  return { ct, mirror, changes };
}

const key = { protocol: 'udp', orig: { src: '10.9.9.1', dst: '10.9.9.2', sport: 1, dport: 2 } };
const both = await Promise.all([use(first), use(second)]);
await both[0].ct.create({ ...key, timeout: 60 });
const seen = await Promise.all(both.map(async ({ changes }) => (await changes.next()).value.type));
const sizes = both.map(({ mirror }) => mirror.size);
await both[0].ct.close();
const still = await attempt(() => both[1].ct.count());
await both[1].ct.close();
say(JSON.stringify({ same: first.Conntrack === second.Conntrack, seen, sizes, still }));
