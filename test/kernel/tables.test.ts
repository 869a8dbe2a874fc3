/** The tables beside the one of the living flows. */
import { once } from 'node:events';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { Conntrack, type Flow } from '../../lib';
import { countByCli, listByCli } from '../support/cli';
import { MessageType } from '../support/ctnetlink';
import { TestNamespace } from '../support/netns';
import { differences } from '../support/oracle';
import { syntheticTuple, testing } from '../support/testing';
import { waitFor } from '../support/wait';

/**
 * Listens to DESTROY events with a buffer for one of them, reads none, and has the kernel keep what it
 * has no room for (NETLINK_BROADCAST_ERROR). It dies with its standard input.
 */
const RELIABLE_LISTENER = `
import socket, sys
listener = socket.socket(16, socket.SOCK_RAW, 12)
listener.setsockopt(270, 4, 1)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
listener.bind((0, 4))
print('ready', flush=True)
sys.stdin.read()
`;

async function listenReliably(namespace: TestNamespace): Promise<ChildProcessWithoutNullStreams> {
  const listener = namespace.spawn('python3', ['-c', RELIABLE_LISTENER]);
  await Promise.race([once(listener.stdout, 'data'), once(listener, 'close')]);
  expect(listener.exitCode).toBeNull();
  return listener;
}

function prepared(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.sysctl('nf_conntrack_timestamp', 1);
  namespace.sysctl('nf_conntrack_acct', 1);
  return namespace;
}

const COUNT = 50;
/** What the listener's buffer may hold, and then some. */
const DELIVERED = 5;

afterEach(() => {
  TestNamespace.closeAll();
});

test('dying: flows whose DESTROY event a reliable listener has no room for', async () => {
  const namespace = prepared();
  await using ct = await Conntrack.open({ netns: namespace.path });
  const listener = await listenReliably(namespace);
  try {
    namespace.run(() => testing.fill({ count: COUNT, zone: 3 }));
    const dying = (): Promise<Flow[]> => ct.flows(undefined, { table: 'dying' }).toArray();
    expect(await dying()).toEqual([]);
    namespace.run(() => testing.flush());
    const flows = await dying();
    expect(flows.length).toBeGreaterThanOrEqual(COUNT - DELIVERED);
    for (const flow of flows) expect(flow).toMatchObject({ dying: true, zone: 3, protocol: 'tcp' });
    const all = Array.from({ length: COUNT }, (_, index) => syntheticTuple(index));
    for (const { orig } of flows) {
      const { src, dst, sport, dport } = orig;
      expect(all).toContainEqual({ src, dst, sport, dport });
    }
    expect(new Set(flows.map(({ orig }) => orig.src)).size).toBe(flows.length);
    // They are in no listing of the living, and count for the kernel all the same.
    expect(await ct.flows().count()).toBe(0);
    expect(listByCli(namespace)).toEqual([]);
    expect(countByCli(namespace)).toBeGreaterThanOrEqual(COUNT - DELIVERED);

    const capture = namespace.run(() => new testing.NetlinkCapture());
    const messages = capture.dump(MessageType.ctGetDying);
    capture.close();
    expect(messages.length).toBeGreaterThanOrEqual(COUNT - DELIVERED);
    expect(messages.flatMap((message) => differences(message))).toEqual([]);
  } finally {
    listener.kill('SIGKILL');
    await once(listener, 'close');
  }
  // Nobody has to be told any more.
  await waitFor('the end of the dying', async () => {
    return (await ct.flows(undefined, { table: 'dying' }).count()) === 0;
  });
  await waitFor('the end of all', async () => (await ct.count()) === 0);
});

test('unconfirmed: nothing, since Linux 5.19', async () => {
  const namespace = prepared();
  await using ct = await Conntrack.open({ netns: namespace.path });
  namespace.run(() => testing.fill({ count: COUNT }));
  expect(await ct.flows(undefined, { table: 'unconfirmed' }).toArray()).toEqual([]);
  expect(await ct.flows(undefined, { table: 'conntrack' }).count()).toBe(COUNT);
});
