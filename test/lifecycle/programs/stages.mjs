/**
 * Stages in the life of a program that uses the library. Each resolves when it is reached, and gives a
 * function that stops asking for more and closes nothing: what is left must not keep the process alive.
 */
import { Conntrack } from '../../../dist/index.js';

const LOAD = 1000;

/** Kept, so that the garbage collection does not end it. */
const kept = [];

function keep(each) {
  kept.push(each);
  return each;
}

/** Lists the table again and again; resolves at the first batch. */
function list(ct) {
  let going = true;
  return new Promise((resolve, reject) => {
    const endlessly = async () => {
      while (going) {
        const batches = keep(ct.flows().batches());
        for (let more = true; going && more;) {
          more = !(await batches.next()).done;
          resolve(() => (going = false));
        }
      }
    };
    // Closing cuts a listing.
    endlessly().catch((error) => error.code === 'ERR_CLOSED' || reject(error));
  });
}

/** Follows events; resolves after the first `count`. */
async function follow(ct, count, options) {
  const events = keep(await ct.events(undefined, options));
  const stop = () => events.unref();
  let seen = 0;
  const reached = new Promise((resolve, reject) => {
    const endlessly = async () => {
      if (count === 0) setImmediate(resolve, stop);
      for await (const batch of events.batches()) {
        seen += batch.length;
        if (seen >= count) resolve(stop);
      }
    };
    endlessly().catch(reject);
  });
  return reached;
}

async function open() {
  return keep(await Conntrack.open());
}

export const stages = {
  async opened() {
    await open();
    return () => undefined;
  },

  async asking() {
    const ct = await open();
    const key = { protocol: 'tcp', orig: { src: '::1', dst: '::1', sport: 1, dport: 2 } };
    let going = true;
    const endlessly = async () => {
      while (going) await Promise.all([ct.get(key), ct.stats(), ct.limits()]);
    };
    void endlessly();
    await ct.count();
    return () => (going = false);
  },

  async listing() {
    return list(await open());
  },

  async waiting() {
    return follow(await open(), 0, { types: ['update'] });
  },

  async loaded() {
    return follow(await open(), LOAD);
  },

  async overrun() {
    return follow(await open(), LOAD, { receiveBuffer: 4096, queue: 100 });
  },

  async mirroring() {
    const ct = await open();
    const mirror = keep(await ct.mirror(undefined, { receiveBuffer: 4096, resyncInterval: 1 }));
    keep(await ct.events(undefined, { receiveBuffer: 4096, resync: true }));
    keep(await ct.events(undefined, { receiveBuffer: 4096, queue: 10, reliable: true }));
    const changes = mirror.changes({ queue: 100 });
    const endlessly = async () => {
      for await (const change of changes) kept[0] = change;
    };
    void endlessly();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return () => changes.unref();
  },

  async unread() {
    const ct = await open();
    keep(await ct.events());
    keep(await ct.events(undefined, { queue: 10 }));
    return () => undefined;
  },

  async closing() {
    const ct = await open();
    await Promise.all([list(ct), follow(ct, LOAD), follow(ct, 0, { types: ['update'] })]);
    keep(await ct.events());
    keep(await ct.mirror());
    void ct.close();
    return () => undefined;
  },
};
