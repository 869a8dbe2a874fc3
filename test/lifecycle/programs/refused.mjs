/**
 * Everything that asks the kernel, without the rights to: `refused.mjs [NETNS]`. Prints as JSON what each
 * attempt came to.
 */
import { Conntrack } from '../../../dist/index.js';
import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const [netns] = process.argv.slice(2);
const key = { protocol: 'tcp', orig: { src: '::1', dst: '::1', sport: 1, dport: 2 } };

let ct;
const came = {
  open: await attempt(async () => {
    ct = await Conntrack.open();
  }),
};
if (came.open === 'done') {
  came.get = await attempt(() => ct.get(key));
  came.count = await attempt(() => ct.count());
  came.limits = await attempt(() => ct.limits());
  came.stats = await attempt(() => ct.stats());
  came.flows = await attempt(() => ct.flows().toArray());
  came.events = await attempt(() => ct.events());
  // One failure spoils nothing.
  came.again = await attempt(() => ct.count());
  await ct.close();
}
if (netns !== undefined) came.elsewhere = await attempt(() => Conntrack.open({ netns }));
came.init = await attempt(() => Conntrack.open({ netns: process.ppid }));
say(JSON.stringify(came));
