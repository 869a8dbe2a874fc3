/** Opens, lists, subscribes, asks and closes, over and over. */
import { Conntrack } from '../../../dist/index.js';
import { heard, say } from './conversation.mjs';

const WARM = 20;
const CYCLES = 200;

async function cycle(number) {
  const ct = await Conntrack.open();
  const events = await ct.events();
  for await (const flow of ct.flows()) {
    // Most listings are left in the middle.
    if (number % 10 !== 0 && flow.id !== undefined) break;
  }
  await ct.count();
  const unread = await ct.events(undefined, { types: ['new'] });
  // Half of them are left to the Conntrack.
  if (number % 2 === 0) events.close();
  if (number % 3 === 0) unread.close();
  await ct.close();
}

for (let number = 0; number < CYCLES; number++) {
  await cycle(number);
  if (number !== WARM) continue;
  say('warm');
  await heard();
}
say('done');
await heard();
