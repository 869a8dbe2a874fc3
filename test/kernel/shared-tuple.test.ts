/**
 * Two flows that have a tuple in common: one's original is the other's reply, both without a zone, while
 * their other directions are in zones of their own. The kernel's look-up by that tuple finds one of them
 * only, and the other can be named by its other tuple alone.
 */
import type { Conntrack, Flow, NewFlow } from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { identitiesOf } from '../support/said';

const THERE = { src: '10.0.0.1', dst: '10.0.0.2', sport: 1, dport: 2 };
const BACK = { src: '10.0.0.2', dst: '10.0.0.1', sport: 2, dport: 1 };
const UDP = { protocol: 'udp', timeout: 1000 };
const ONE: NewFlow = { ...UDP, orig: THERE, reply: { ...BACK, zone: 1 }, mark: 1 };
const OTHER: NewFlow = { ...UDP, orig: { ...BACK, zone: 4 }, reply: THERE, mark: 2 };

let namespace: TestNamespace;
let ct: Conntrack;

beforeEach(async () => {
  namespace = TestNamespace.create();
  ct = await openIn(namespace);
});

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

async function both(): Promise<[Flow, Flow]> {
  await ct.create(ONE);
  await ct.create(OTHER);
  expect(countByCli(namespace)).toBe(2);
  const [one] = await ct.flows({ mark: 1 }).toArray();
  const [other] = await ct.flows({ mark: 2 }).toArray();
  return [one!, other!];
}

function marks(): (number | undefined)[] {
  return listByCli(namespace)
    .map(({ mark }) => mark)
    .sort();
}

describe.each([
  [1, 2],
  [2, 1],
])('of the flows with the marks %i and %i', (mark, left) => {
  async function mine(): Promise<Flow> {
    return (await both())[mark - 1]!;
  }

  test('delete() takes the first', async () => {
    expect(await ct.delete(await mine())).toBe(true);
    expect(marks()).toEqual([left]);
  });

  test('deleteMany() takes the first', async () => {
    expect(await ct.deleteMany([await mine()])).toMatchObject({ done: 1, gone: 0 });
    expect(marks()).toEqual([left]);
  });

  test('deleteWhere() takes the first', async () => {
    const flow = await mine();
    const { flows, ...rest } = await ct.deleteWhere({ mark }, { receipts: true });
    expect(rest).toMatchObject({ matched: 1, deleted: 1, gone: 0 });
    expect(identitiesOf(flows!)).toEqual(identitiesOf([flow]));
    expect(marks()).toEqual([left]);
  });

  test('flush() takes the first', async () => {
    await mine();
    await ct.flush({ mark });
    expect(marks()).toEqual([left]);
  });

  test('get() finds the first', async () => {
    const flow = await mine();
    expect((await ct.get(flow))?.id).toBe(flow.id);
  });

  test('update() changes the first', async () => {
    await ct.update(await mine(), { mark: 9 });
    expect(marks()).toEqual([left, 9]);
  });

  test('updateWhere() changes the first', async () => {
    await mine();
    expect(await ct.updateWhere({ mark }, { mark: 9 })).toMatchObject({ matched: 1, updated: 1 });
    expect(marks()).toEqual([left, 9]);
  });
});
