/** Makes what nobody closes, and forgets it: `abandoned.mjs KIND`. Collects garbage until it is killed. */
import { Conntrack } from '../../../dist/index.js';
import { heard, say } from './conversation.mjs';

const [kind] = process.argv.slice(2);
const MANY = 8;
const { signal } = new AbortController();

const kinds = {
  /** Loops over listings, left half-way without return(). */
  async listings(ct) {
    const batches = ct.flows().batches();
    await batches.next();
    return batches;
  },
  async 'listings flow by flow'(ct) {
    const flows = ct.flows()[Symbol.asyncIterator]();
    await flows.next();
    return flows;
  },
  async 'listings under a signal'(ct) {
    const batches = ct.flows(undefined, { signal }).batches();
    await batches.next();
    return batches;
  },
  /** Subscriptions that were never read. */
  subscriptions(ct) {
    return ct.events();
  },
  'subscriptions under a signal'(ct) {
    return ct.events(undefined, { signal });
  },
  /** Loops over events, left half-way. */
  async 'loops over events'(ct) {
    const events = (await ct.events())[Symbol.asyncIterator]();
    await events.next();
    return events;
  },
  mirrors(ct) {
    return ct.mirror();
  },
  async 'changes of mirrors'(ct) {
    const changes = (await ct.mirror()).changes();
    await changes.next();
    return changes;
  },
  'subscriptions that resync'(ct) {
    return ct.events(undefined, { resync: true });
  },
  async namespaces() {
    const ct = await Conntrack.open();
    return [ct, await ct.events(), await ct.count()];
  },
};

const ct = await Conntrack.open();
say('opened');
await heard();
const made = await Promise.all(Array.from({ length: MANY }, () => kinds[kind](ct)));
say('made');
await heard();
made.length = 0;
say('forgets');
setInterval(() => globalThis.gc(), 20);
// The signal and the Conntrack stay.
globalThis.kept = [signal, ct];
