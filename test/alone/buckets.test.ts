/** The kernel's hash table changes its size while tables are listed and mirrored. */
import { Conntrack, type Flow } from '../../lib';
import { initialNamespace, lendingSysctl } from '../support/machine';
import { TestNamespace } from '../support/netns';
import { identityOf } from '../support/said';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';

const FLOWS = 20_000;
const SIZES = [65_536, 262_144, 131_072];
const initial = initialNamespace();

afterEach(() => {
  TestNamespace.closeAll();
});

const identities = (flows: Iterable<Flow>): string[] => [...flows].map(identityOf).sort();

(initial === undefined ? test.skip : test)('a mirror stays the table', async () => {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  await using ct = await Conntrack.open({ netns: namespace.path });
  // A mirror that lists again and again, since its buffer is too small for anything.
  await using mirror = await ct.mirror(undefined, { receiveBuffer: 4096, maxReceiveBuffer: 4096 });
  let resized = 0;
  await lendingSysctl(initial!, 'nf_conntrack_buckets', async (set) => {
    for (let round = 0; round < 6; round += 1) {
      const first = (round % 2) * FLOWS;
      const filled = namespace.run(() => testing.fill({ first, count: FLOWS }));
      expect(filled).toBe(round < 2 ? FLOWS : FLOWS / 2);
      const listing = ct.flows().toArray();
      for (const size of SIZES) {
        await set(size);
        resized += 1;
      }
      // A listing ends, whatever the table does under it; what it has seen is of the table.
      for (const flow of await listing) expect(flow.orig.dport).toBe(80);
      namespace.run(() => testing.unfill({ first, count: FLOWS / 2 }));
    }
  });
  expect(resized).toBe(6 * SIZES.length);
  await waitFor('the mirror to be the table', async () => {
    if (!mirror.consistent) return false;
    return mirror.size === (await ct.count());
  });
  expect(identities(mirror.where({}))).toEqual(identities(await ct.flows().toArray()));
  expect(mirror.size).toBeGreaterThan(FLOWS / 2);
  expect(mirror.statistics().gaps).toBeGreaterThan(0);
});
