/** Labels and marks, as rules set them. */
import type { Flow, FlowEvent } from '../../lib';
import { parseCliLine } from '../support/cli';
import { addVoid } from '../support/link';
import { TestNamespace } from '../support/netns';
import { Protonum, udpDatagram } from '../support/packets';
import { Scenario } from '../support/scenario';
import { sendPacket } from '../support/traffic';

/** A namespace whose rules look at the datagrams that leave it. */
async function watched(...rules: string[]): Promise<Scenario> {
  const namespace = TestNamespace.create();
  namespace.track();
  namespace.nft(`table inet rules {
    chain out { type filter hook output priority 0; ${rules.join('\n')} }
  }`);
  addVoid(namespace);
  return Scenario.open(namespace);
}

const [SRC, DST] = ['203.0.113.1', '203.0.113.2'];

/** One datagram to a port; all come from the same one. */
function send({ namespace }: Scenario, dport: number, ttl = 64): void {
  const octets = udpDatagram({ src: SRC, dst: DST, sport: 1000, dport });
  sendPacket(namespace, Protonum.udp, DST, octets, { src: SRC, ttl });
}

async function flowTo(scenario: Scenario, dport: number): Promise<Flow> {
  const key = { src: SRC, dst: DST, sport: 1000, dport };
  const flow = await scenario.ct.get({ protocol: 'udp', orig: key });
  expect(flow).toBeDefined();
  return flow!;
}

function shown<Name extends keyof Flow>(
  events: readonly FlowEvent[],
  name: Name,
): [string, Flow[Name]][] {
  return events.map(({ type, flow }) => [type, flow[name]]);
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe('labels', () => {
  test('are the numbers of the bits that are set', async () => {
    const scenario = await watched(
      'udp dport 1 ct label set 0;',
      'udp dport 2 ct label set 127;',
      ...[0, 31, 32, 63, 64, 126].map((bit) => `udp dport 3 ct label set ${bit};`),
    );
    for (const port of [1, 2, 3, 4]) send(scenario, port);
    expect((await flowTo(scenario, 1)).labels).toEqual([0]);
    expect((await flowTo(scenario, 2)).labels).toEqual([127]);
    expect((await flowTo(scenario, 3)).labels).toEqual([0, 31, 32, 63, 64, 126]);
    expect((await flowTo(scenario, 4)).labels).toBeUndefined();
    expect(await scenario.differences()).toEqual([]);
  });

  test('are absent where no rule knows of them', async () => {
    const scenario = await watched();
    send(scenario, 1);
    expect((await flowTo(scenario, 1)).labels).toBeUndefined();
    expect(await scenario.differences()).toEqual([]);
  });

  test('come in the event of their change', async () => {
    const scenario = await watched(
      'udp dport 1 ip ttl 64 ct label set 5;',
      'udp dport 1 ip ttl 63 ct label set 77;',
      'udp dport 1 ip ttl 62 ct mark set 1;',
    );
    send(scenario, 1);
    for (const ttl of [63, 63, 62]) send(scenario, 1, ttl);
    expect((await flowTo(scenario, 1)).labels).toEqual([5, 77]);
    expect(await scenario.differences()).toEqual([]);
    // A label that is there already is no change; nor is it news of another change.
    expect(shown(scenario.events, 'labels')).toEqual([
      ['new', [5]],
      ['update', [5, 77]],
      ['update', undefined],
    ]);
  });

  test('have the names that conntrack(8) finds for them', async () => {
    const scenario = await watched('udp dport 1 ct label set 3;', 'udp dport 1 ct label set 90;');
    send(scenario, 1);
    const { labels, id } = await flowTo(scenario, 1);
    const names = new Map([
      [2, 'two'],
      [3, 'web-client'],
      [90, 'voip call'],
    ]);
    const [line] = listWithNames(scenario.namespace, names);
    expect(line).toMatchObject({ id, labels: labels!.map((bit) => names.get(bit)) });
    expect(line!.labels).toEqual(['web-client', 'voip call']);
  });

  /** With a connlabel.conf of the test's own, in a mount namespace of the command's own. */
  function listWithNames(
    namespace: TestNamespace,
    names: ReadonlyMap<number, string>,
  ): ReturnType<typeof parseCliLine>[] {
    const config = [...names].map(([bit, name]) => `${bit} ${name}\n`).join('');
    const script = [
      'mount -t tmpfs tmpfs /etc',
      'mkdir /etc/xtables',
      'cat > /etc/xtables/connlabel.conf',
      'exec conntrack -L -p udp -o extended,id,ktimestamp,labels',
    ].join(' && ');
    const lines = namespace.exec('unshare', ['--mount', 'sh', '-c', script], { input: config });
    return lines.trimEnd().split('\n').map(parseCliLine);
  }
});

describe('marks', () => {
  test('are in each listing, and zero where none was set', async () => {
    const scenario = await watched(
      'udp dport 1 ct mark set 0xffffffff;',
      'udp dport 2 ct mark set 1;',
    );
    for (const port of [1, 2, 3]) send(scenario, port);
    expect((await flowTo(scenario, 1)).mark).toBe(0xffffffff);
    expect((await flowTo(scenario, 2)).mark).toBe(1);
    expect((await flowTo(scenario, 3)).mark).toBe(0);
    expect(await scenario.differences()).toEqual([]);
  });

  test('are in events where they are set or have changed, be it to zero', async () => {
    const scenario = await watched(
      'udp dport 1 ip ttl 63 ct mark set 0x80000000;',
      'udp dport 1 ip ttl 62 ct mark set 0;',
    );
    send(scenario, 1);
    for (const ttl of [63, 63, 62]) send(scenario, 1, ttl);
    expect(await scenario.differences()).toEqual([]);
    expect(shown(scenario.events, 'mark')).toEqual([
      ['new', undefined],
      ['update', 0x80000000],
      ['update', 0],
    ]);
  });

  test('go from the packet to the connection', async () => {
    const scenario = await watched('udp dport 1 meta mark set 0x2a;', 'ct mark set meta mark;');
    send(scenario, 1);
    expect((await flowTo(scenario, 1)).mark).toBe(42);
    expect(await scenario.differences()).toEqual([]);
    expect(shown(scenario.events, 'mark')).toEqual([['new', 42]]);
  });

  test('changed by a request, they name who asked', async () => {
    const scenario = await watched();
    send(scenario, 1);
    scenario.namespace.exec('conntrack', ['-U', '-s', SRC, '-m', '9']);
    expect(await scenario.differences()).toEqual([]);
    const [made, changed] = scenario.events;
    expect(made).not.toHaveProperty('portid');
    expect(changed).toMatchObject({ type: 'update', flow: { mark: 9 } });
    expect(changed!.type === 'update' && changed!.portid).toBeGreaterThan(0);
  });
});
