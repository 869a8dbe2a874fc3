/** One tuple several times, in zones of its own. */
import type { Flow } from '../../lib';
import { Conversation, PORTS, REVERSED } from '../support/conversation';
import { TestNamespace } from '../support/netns';
import { Protonum, udpDatagram, type Ends, type Ports } from '../support/packets';
import { Scenario } from '../support/scenario';

type Family = 'ipv4' | 'ipv6';

/**
 * Sends equal datagrams whose only difference is their lifetime, by which the rules put them into
 * zones: `{ 5: 'zone set 5' }` is a rule for those of lifetime 5.
 */
class Sender {
  readonly tuple: Ends & Ports;
  readonly #talk: Conversation;

  constructor(namespace: TestNamespace, family: Family, zones: Readonly<Record<number, string>>) {
    this.#talk = new Conversation(namespace, family, Protonum.udp);
    this.tuple = { ...this.#talk.there, ...PORTS };
    const lifetime = family === 'ipv4' ? 'ip ttl' : 'ip6 hoplimit';
    const rules = Object.entries(zones).map(([ttl, zone]) => `${lifetime} ${ttl} ct ${zone};`);
    namespace.nft(`table inet zones {
      chain out { type filter hook output priority raw; ${rules.join('\n')} }
    }`);
  }

  send(ttl: number): void {
    this.#talk.send(udpDatagram(this.tuple), { ttl });
  }

  answer(ttl: number): void {
    this.#talk.answer(udpDatagram({ ...this.#talk.back, ...REVERSED }), { ttl });
  }
}

async function watched(): Promise<Scenario> {
  const namespace = TestNamespace.create();
  namespace.track();
  return Scenario.open(namespace);
}

function zonesOf(flow: Flow): (number | undefined)[] {
  return [flow.zone, flow.orig.zone, flow.reply.zone];
}

afterEach(async () => {
  await Scenario.closeAll();
  TestNamespace.closeAll();
});

describe.each(['ipv4', 'ipv6'] as const)('over %s', (family) => {
  test('the same tuple in three zones is three flows', async () => {
    const scenario = await watched();
    const sender = new Sender(scenario.namespace, family, { 5: 'zone set 5', 9: 'zone set 65535' });
    for (const ttl of [64, 5, 9]) sender.send(ttl);
    const flows = await scenario.flows(Protonum.udp);
    expect(flows.map(zonesOf).sort()).toEqual([
      [0, undefined, undefined],
      [5, undefined, undefined],
      [65_535, undefined, undefined],
    ]);
    for (const flow of flows) expect(flow.orig).toMatchObject(sender.tuple);
    for (const { id, zone } of flows) {
      const found = await scenario.ct.get({ protocol: 'udp', orig: sender.tuple, zone });
      expect(found).toMatchObject({ id, zone });
    }
    const key = { protocol: 'udp', orig: sender.tuple };
    expect(await scenario.ct.get(key)).toMatchObject({ zone: 0 });
    expect(await scenario.ct.get({ ...key, zone: 6 })).toBeUndefined();
    expect(await scenario.differences()).toEqual([]);
    expect(scenario.events.map(({ type, flow }) => [type, flow.zone])).toEqual([
      ['new', 0],
      ['new', 5],
      ['new', 65_535],
    ]);
  });

  test('an answer counts in its own zone only', async () => {
    const scenario = await watched();
    const sender = new Sender(scenario.namespace, family, { 5: 'zone set 5', 9: 'zone set 9' });
    for (const ttl of [5, 9]) sender.send(ttl);
    sender.answer(9);
    const flows = await scenario.flows(Protonum.udp);
    expect(flows.map(({ zone, seenReply }) => [zone, seenReply]).sort()).toEqual([
      [5, false],
      [9, true],
    ]);
    expect(await scenario.differences()).toEqual([]);
    const [, , answered] = scenario.events;
    expect(answered).toMatchObject({ type: 'update', flow: { zone: 9, seenReply: true } });
  });

  test('columns have the zones, and know which came', async () => {
    const scenario = await watched();
    const sender = new Sender(scenario.namespace, family, {
      5: 'zone set 5',
      7: OF_ORIG,
      8: OF_REPLY,
    });
    for (const ttl of [5, 7, 8]) sender.send(ttl);
    const seen: number[][] = [];
    for await (const { columns, length } of scenario.ct.flows().batches()) {
      for (let i = 0; i < length; i += 1) {
        const names = ['zone', 'origZone', 'replyZone'] as const;
        seen.push(names.flatMap((name) => [columns[name][i]!, columns.present(name)[i]!]));
      }
    }
    expect(seen.sort()).toEqual([
      [0, 0, 0, 0, 8, 1],
      [0, 0, 7, 1, 0, 0],
      [5, 1, 0, 0, 0, 0],
    ]);
    expect(await scenario.differences()).toEqual([]);
  });

  const OF_ORIG = 'original zone set 7';
  const OF_REPLY = 'reply zone set 8';

  test('the original direction has a zone of its own', async () => {
    const scenario = await watched();
    const sender = new Sender(scenario.namespace, family, { 7: OF_ORIG });
    sender.send(7);
    // The answer is in no zone.
    sender.answer(64);
    const flow = await scenario.flow(Protonum.udp);
    expect(zonesOf(flow)).toEqual([0, 7, undefined]);
    expect(flow.seenReply).toBe(true);
    const { src, dst, sport, dport } = flow.reply;
    const reply = { src: src!, dst: dst!, sport: sport!, dport: dport! };
    const found = async (key: object): Promise<number | undefined> =>
      (await scenario.ct.get({ protocol: 'udp', ...key }))?.id;
    expect(await found({ orig: { ...sender.tuple, zone: 7 } })).toBe(flow.id);
    expect(await found({ reply })).toBe(flow.id);
    expect(await found({ orig: sender.tuple })).toBeUndefined();
    expect(await found({ orig: sender.tuple, zone: 7 })).toBe(flow.id);
    expect(await found({ reply: { ...reply, zone: 7 } })).toBeUndefined();
    expect(await scenario.differences()).toEqual([]);
    for (const event of scenario.events) expect(zonesOf(event.flow)).toEqual([0, 7, undefined]);
  });

  test('the reply direction has a zone of its own', async () => {
    const scenario = await watched();
    const sender = new Sender(scenario.namespace, family, { 8: OF_REPLY, 9: 'zone set 8' });
    sender.send(8);
    sender.answer(9);
    const flow = await scenario.flow(Protonum.udp);
    expect(zonesOf(flow)).toEqual([0, undefined, 8]);
    expect(flow.seenReply).toBe(true);
    const found = await scenario.ct.get({ protocol: 'udp', orig: sender.tuple });
    expect(found).toMatchObject({ id: flow.id });
    expect(await scenario.differences()).toEqual([]);
  });

  test('equal tuples of two zones are told apart by their translation on the other side', async () => {
    const scenario = await watched();
    const zones = { 7: 'original zone set 7', 8: 'original zone set 8' };
    const sender = new Sender(scenario.namespace, family, zones);
    const [ip, address] = family === 'ipv4' ? ['ip', '203.0.113.99'] : ['ip6', 'fd13::99'];
    scenario.namespace.nft(`table inet nat {
      chain post { type nat hook postrouting priority srcnat; udp dport 2222 snat ${ip} to ${address}; }
    }`);
    for (const ttl of [7, 8]) sender.send(ttl);
    const flows = await scenario.flows(Protonum.udp);
    expect(flows.map(zonesOf).sort()).toEqual([
      [0, 7, undefined],
      [0, 8, undefined],
    ]);
    for (const flow of flows) {
      expect(flow.orig).toMatchObject(sender.tuple);
      expect(flow.reply).toMatchObject({ dst: address });
      expect(flow.srcNat).toBe(true);
    }
    expect(new Set(flows.map(({ reply }) => reply.dport)).size).toBe(2);
    expect(await scenario.differences()).toEqual([]);
  });
});
