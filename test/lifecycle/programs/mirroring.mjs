/**
 * Holds a mirror: `mirroring.mjs OPTIONS`. At `check` it says `equal` once the mirror is the kernel's table, at
 * `gaps` how often events were lost so far; it ends with its input.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Conntrack } from '../../../dist/index.js';
import { heard, say } from './conversation.mjs';

const PATIENCE_MS = 20_000;

const idsOf = (flows) =>
  flows
    .map(({ id, mark }) => `${id} ${mark ?? 0}`)
    .sort()
    .join();

async function isEqual(ct, mirror) {
  if (!mirror.consistent) return false;
  return idsOf(await ct.flows().toArray()) === idsOf(mirror.where().toArray());
}

async function becomesEqual(ct, mirror) {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isEqual(ct, mirror))) {
    if (performance.now() > end) return JSON.stringify(mirror.statistics());
    await sleep(5);
  }
  return 'equal';
}

const signals = { count: 0 };
process.on('SIGUSR2', () => (signals.count += 1));

const ct = await Conntrack.open();
const mirror = await ct.mirror(undefined, JSON.parse(process.argv[2] ?? '{}'));
say('mirrors');
for (;;) {
  const line = await heard();
  if (line === 'check') say(await becomesEqual(ct, mirror));
  else if (line === 'gaps') say(mirror.statistics().gaps > 0 ? 'some' : 'none');
  else if (line === 'signals') say(signals.count > 0 ? 'heard' : 'not heard');
  else break;
}
await ct.close();
