/**
 * What every namespace of the machine feels for a moment, and other tests would fail of: these run when nothing else
 * does.
 */
import { Conntrack } from '../../lib';
import { countByCli } from '../support/cli';
import { initialNamespace, lendingSysctl } from '../support/machine';
import { TestNamespace } from '../support/netns';
import { ping } from '../support/traffic';

const HOME = '127.0.0.1';
const initial = initialNamespace();

afterEach(() => {
  TestNamespace.closeAll();
});

function tryPing(namespace: TestNamespace, id: number): string {
  try {
    ping(namespace, HOME, HOME, id);
    return 'sent';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

(initial === undefined ? test.skip : test)('nf_conntrack_max keeps the table at 5', async () => {
  const namespace = TestNamespace.create();
  namespace.track();
  await using ct = await Conntrack.open({ netns: namespace.path });
  const outcomes: string[] = [];
  const counts: number[] = [];
  // Every namespace of the machine has the limit meanwhile: what can be done outside is done outside.
  await lendingSysctl(initial!, 'nf_conntrack_max', async (set) => {
    await set(5);
    for (let id = 1; id <= 5; id += 1) outcomes.push(tryPing(namespace, id));
    counts.push(await ct.count());
    for (let id = 6; id <= 10; id += 1) outcomes.push(tryPing(namespace, id));
    counts.push(await ct.count());
  });
  expect(counts).toEqual([5, 5]);
  expect(outcomes).toEqual([...Array<string>(5).fill('sent'), ...Array<string>(5).fill('EPERM')]);
  expect(countByCli(namespace)).toBe(5);
  expect(tryPing(namespace, 11)).toBe('sent');
  expect(await ct.count()).toBe(6);
});
