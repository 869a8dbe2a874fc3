/** Flows that are expected because of others: by helpers that read traffic, by us, by conntrack(8). */
import type { Conntrack, Expectation, NewExpectation } from '../../lib';
import {
  createExpectationByCli,
  deleteExpectationByCli,
  listExpectationsByCli,
} from '../support/cli-expectation';
import { attachHelper, FTP_PORT, FtpDialogue } from '../support/ftp';
import { CLIENT, createMaster, masterFlow, SERVER } from '../support/master';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { TcpConnection } from '../support/traffic';
import { without } from '../support/without';

const DATA_PORT = 50_000;
const HOME = { ipv4: '127.0.0.1', ipv6: '::1' } as const;
const WHOLE = {
  ipv4: '255.255.255.255',
  ipv6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
} as const;
const FAMILIES = ['ipv4', 'ipv6'] as const;

/** What is expected of the server's end of masterFlow(), from any port. */
function dataConnection(dport = DATA_PORT, family: 'ipv4' | 'ipv6' = 'ipv4'): NewExpectation {
  return {
    protocol: 'tcp',
    tuple: { src: SERVER[family], dst: CLIENT[family], dport },
    master: masterFlow({ family }),
  };
}

/** The only one there is. */
async function only(ct: Conntrack): Promise<Expectation> {
  const expectations = await ct.expectations.list();
  expect(expectations).toHaveLength(1);
  return expectations[0]!;
}

async function ports(ct: Conntrack): Promise<(number | undefined)[]> {
  const expectations = await ct.expectations.list();
  return expectations.map(({ tuple }) => tuple.dport).sort((a, b) => (a ?? 0) - (b ?? 0));
}

/** A namespace whose FTP connections have their helper. */
function helped(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.track();
  namespace.sysctl('nf_conntrack_events', 1);
  attachHelper(namespace, 'ftp', 'tcp', FTP_PORT);
  return namespace;
}

/** A data connection to `port`, and the flow that the kernel made of it. */
async function connectTo(
  namespace: TestNamespace,
  ct: Conntrack,
  address: string,
  port: number,
): Promise<{ expected: boolean; master: object | undefined }> {
  const route = { client: namespace, server: namespace, address, port };
  const connection = await TcpConnection.open(route);
  const key = { protocol: 'tcp', orig: connection.tuple };
  const flow = await ct.get(key);
  await connection.close();
  return { expected: flow!.expected, master: flow!.master?.toJSON() };
}

afterEach(async () => {
  FtpDialogue.closeAll();
  await closeOpened();
  TestNamespace.closeAll();
});

describe.each(FAMILIES)('a passive FTP transfer over %s', (family) => {
  const address = HOME[family];

  async function announced(): Promise<{
    namespace: TestNamespace;
    ct: Conntrack;
    dialogue: FtpDialogue;
  }> {
    const namespace = helped();
    const ct = await openIn(namespace);
    const dialogue = await FtpDialogue.open({ client: namespace, server: namespace, address });
    await dialogue.passive(DATA_PORT);
    return { namespace, ct, dialogue };
  }

  test('is listed, related to its master, and as conntrack lists it', async () => {
    const { namespace, ct, dialogue } = await announced();
    const expectation = await only(ct);
    expect(expectation.toJSON()).toEqual({
      family,
      protocol: 'tcp',
      protonum: 6,
      tuple: { src: address, dst: address, sport: 0, dport: DATA_PORT },
      mask: { src: WHOLE[family], dst: WHOLE[family], sport: 0, dport: 0xffff },
      master: { protocol: 'tcp', ...dialogue.tuple },
      id: expect.any(Number),
      timeout: expect.any(Number),
      flags: 0,
      flagNames: [],
      class: 0,
      helper: 'ftp',
    });
    expect(expectation.timeout).toBeGreaterThan(0);

    const [byCli] = listExpectationsByCli(namespace, family);
    expect(byCli).toMatchObject({
      protonum: expectation.protonum,
      tuple: expectation.tuple.toJSON(),
      mask: expectation.mask.toJSON(),
      master: dialogue.tuple,
      flags: [],
      class: 0,
      helper: 'ftp',
    });

    const master = await ct.get(expectation.masterKey);
    expect(master).toMatchObject({ helper: 'ftp', protocol: 'tcp' });
    expect(master!.orig).toMatchObject(dialogue.tuple);
    expect(await ct.expectations.list({ master: master! })).toHaveLength(1);
  });

  test('is listed with its own family only', async () => {
    const { ct } = await announced();
    const [other] = FAMILIES.filter((word) => word !== family);
    expect(await ct.expectations.list({ family })).toHaveLength(1);
    expect(await ct.expectations.list({ family: other! })).toEqual([]);
  });

  test('is found by its tuple, and by any that it covers', async () => {
    const { ct } = await announced();
    const { id } = await only(ct);
    const get = (src: string, sport: number | undefined, dport: number): Promise<unknown> =>
      ct.expectations.get({ protocol: 'tcp', tuple: { src, dst: address, sport, dport } });
    expect(await get(address, undefined, DATA_PORT)).toMatchObject({ id, zone: 0 });
    expect(await get(address, 4711, DATA_PORT)).toMatchObject({ id });
    expect(await get(address, undefined, DATA_PORT + 1)).toBeUndefined();
    expect(await get(SERVER[family], undefined, DATA_PORT)).toBeUndefined();
  });

  test('is gone once its connection comes, which has the master', async () => {
    const { namespace, ct, dialogue } = await announced();
    const flow = await connectTo(namespace, ct, address, DATA_PORT);
    expect(flow).toEqual({ expected: true, master: dialogue.tuple });
    expect(await ct.expectations.list()).toEqual([]);
    const stats = await ct.expectations.stats();
    const sum = (name: 'new' | 'create' | 'delete'): number =>
      stats.reduce((all, cpu) => all + cpu[name]!, 0);
    // The helper sees the server's line once as it leaves and once as it arrives.
    expect(sum('new')).toBe(1);
    expect(sum('create')).toBeGreaterThan(0);
    expect(sum('delete')).toBe(sum('create'));
    expect(stats.map(({ cpu }) => cpu)).toEqual([...stats.keys()]);
    const byCli = namespace.exec('conntrack', ['-S', 'expect']);
    for (const { cpu, new: met, create, delete: gone } of stats) {
      const wanted = `expect_new=${met} expect_create=${create} expect_delete=${gone}`;
      expect(byCli).toMatch(new RegExp(`cpu=${cpu}\\s+${wanted}`));
    }
  });

  test('is no longer expected once we have deleted it', async () => {
    const { namespace, ct } = await announced();
    const expectation = await only(ct);
    expect(await ct.expectations.delete(expectation)).toBe(true);
    expect(await ct.expectations.delete(expectation)).toBe(false);
    expect(listExpectationsByCli(namespace, family)).toEqual([]);
    const flow = await connectTo(namespace, ct, address, DATA_PORT);
    expect(flow).toEqual({ expected: false, master: undefined });
  });
});

describe.each(FAMILIES)('an expectation of ours, over %s', (family) => {
  test('is what conntrack lists', async () => {
    const namespace = TestNamespace.create();
    const ct = await openIn(namespace);
    const master = await createMaster(ct, { family, helper: 'sip', protocol: 'udp', dport: 5060 });
    const src = { ipv4: '198.51.100.77', ipv6: '2001:db8:77::77' }[family];
    const mask = { ipv4: '255.255.0.0', ipv6: 'ffff:ffff:ffff::' }[family];
    await ct.expectations.create({
      protocol: 'udp',
      tuple: { src, dst: CLIENT[family], sport: 0x1234, dport: 7078 },
      mask: { src: mask, sport: 0xff00 },
      master,
      flags: ['PERMANENT', 'INACTIVE'],
      class: 1,
      helper: 'sip',
      timeout: 5000,
    });
    const [byCli, ...others] = listExpectationsByCli(namespace, family);
    expect(others).toEqual([]);
    expect(byCli).toMatchObject({
      protonum: 17,
      tuple: { src, dst: CLIENT[family], sport: 0x1234, dport: 7078 },
      mask: { src: mask, dst: WHOLE[family], sport: 0xff00, dport: 0xffff },
      master: master.orig,
      flags: ['PERMANENT', 'INACTIVE'],
      class: 1,
      helper: 'sip',
    });
    // The kernel's own would be 180.
    expect(byCli!.timeout).toBeGreaterThan(180);
    expect(byCli!.timeout).toBeLessThanOrEqual(5000);

    const expectation = await only(ct);
    expect(expectation).toMatchObject({ permanent: true, inactive: true, userspace: false });
    expect(expectation.flagNames).toEqual(byCli!.flags);
    expect(expectation.mask.toJSON()).toEqual(byCli!.mask);
  });

  test('compares nothing of its source that it does not have', async () => {
    const ct = await openIn(TestNamespace.create());
    const master = await createMaster(ct, { family });
    const tuple = { dst: CLIENT[family], dport: 1 };
    await ct.expectations.create({ protocol: 'tcp', tuple, master });
    const none = { ipv4: '0.0.0.0', ipv6: '::' }[family];
    const made = await only(ct);
    expect(made.tuple.toJSON()).toEqual({ src: none, dst: CLIENT[family], sport: 0, dport: 1 });
    expect(made.mask.toJSON()).toEqual({ src: none, dst: WHOLE[family], sport: 0, dport: 0xffff });
    const [anyone, port] = [SERVER[family], 4711];
    const covered = { src: anyone, dst: CLIENT[family], sport: port, dport: 1 };
    expect(await ct.expectations.get({ protocol: 'tcp', tuple: covered })).toBeDefined();
  });

  test('compares all of its source that it has', async () => {
    const ct = await openIn(TestNamespace.create());
    const master = await createMaster(ct, { family });
    const tuple = { src: SERVER[family], dst: CLIENT[family], sport: 20, dport: 1 };
    await ct.expectations.create({ protocol: 'tcp', tuple, master });
    const { mask } = await only(ct);
    expect(mask.toJSON()).toMatchObject({ src: WHOLE[family], sport: 0xffff });
    const other = { ...tuple, sport: 21 };
    expect(await ct.expectations.get({ protocol: 'tcp', tuple: other })).toBeUndefined();
    expect(await ct.expectations.delete({ protocol: 'tcp', tuple: other })).toBe(false);
    expect(await ct.expectations.delete({ protocol: 'tcp', tuple })).toBe(true);
    expect(await ct.expectations.list()).toEqual([]);
  });

  test('keeps how its master is translated, and its function', async () => {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct, { family });
    const src = { ipv4: '203.0.113.9', ipv6: '2001:db8:9::9' }[family];
    await ct.expectations.create({
      ...dataConnection(DATA_PORT, family),
      nat: { dir: 'reply', tuple: { src, sport: 1234 } },
      fn: 'nat-follow-master',
    });
    const expectation = await only(ct);
    expect(expectation.fn).toBe('nat-follow-master');
    expect(expectation.nat!.dir).toBe('reply');
    expect(expectation.nat!.tuple).toMatchObject({ src, sport: 1234 });
    expect(expectation.toJSON().nat).toMatchObject({ dir: 'reply', tuple: { src, sport: 1234 } });

    await ct.expectations.flush();
    await ct.expectations.create({
      ...dataConnection(DATA_PORT, family),
      nat: { dir: 'orig', tuple: { src } },
    });
    const { nat, fn } = await only(ct);
    expect([nat!.dir, nat!.tuple.src, nat!.tuple.sport, fn]).toEqual(['orig', src, 0, undefined]);
  });

  test('can be made again of what was listed, and of its JSON', async () => {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct, { family });
    await ct.expectations.create({
      ...dataConnection(DATA_PORT, family),
      mask: { src: { ipv4: '255.255.255.0', ipv6: 'ffff::' }[family] },
      nat: { dir: 'reply', tuple: { src: SERVER[family], sport: 1234 } },
      flags: ['permanent'],
      fn: 'nat-follow-master',
    });
    const first = await only(ct);
    const kept = without(first.toJSON(), 'id', 'timeout');
    for (const again of [first, JSON.parse(JSON.stringify(first)) as NewExpectation]) {
      await ct.expectations.flush();
      await ct.expectations.create(again);
      expect((await only(ct)).toJSON()).toMatchObject(kept);
    }
  });

  test('may name its master in every way that a flow can be named', async () => {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct, { family });
    const orig = { src: CLIENT[family], dst: SERVER[family], sport: 1000, dport: 21 };
    const reply = { src: SERVER[family], dst: CLIENT[family], sport: 21, dport: 1000 };
    const flow = await ct.get({ protocol: 'tcp', orig });
    const masters = [
      flow!,
      flow!.orig,
      orig,
      { ...orig, protocol: 'tcp' },
      { ...orig, protonum: 6 },
      { protocol: '6', orig },
      { protocol: 'tcp', reply },
    ];
    for (const master of masters) {
      await ct.expectations.create({ ...dataConnection(DATA_PORT, family), master });
      const [made, ...others] = await ct.expectations.list({
        master: 'orig' in master || 'reply' in master ? master : { protocol: 'tcp', ...orig },
      });
      expect(others).toEqual([]);
      expect(made!.master.toJSON()).toEqual({ protocol: 'tcp', ...orig });
      expect(await ct.expectations.delete(made!)).toBe(true);
    }
  });
});

test.each(FAMILIES)('conntrack makes it over %s, and we list and delete it', async (family) => {
  const namespace = TestNamespace.create();
  const ct = await openIn(namespace);
  await createMaster(ct, { family, helper: 'sip', protocol: 'udp', dport: 5060 });
  const tuple = { src: SERVER[family], dst: CLIENT[family], sport: 0, dport: 7078 };
  const mask = { src: WHOLE[family], dst: WHOLE[family], sport: 0, dport: 0xffff };
  const master = { src: CLIENT[family], dst: SERVER[family], sport: 1000, dport: 5060 };
  createExpectationByCli(namespace, { tuple, mask, master, timeout: 30 });
  const expectation = await only(ct);
  expect(expectation.toJSON()).toMatchObject({
    family,
    protocol: 'udp',
    tuple,
    mask,
    master: { protocol: 'udp', ...master },
    helper: 'sip',
  });
  expect(await ct.expectations.delete(expectation)).toBe(true);
  expect(listExpectationsByCli(namespace, family)).toEqual([]);
});

test.each(FAMILIES)('we make it over %s, and conntrack deletes it', async (family) => {
  const namespace = TestNamespace.create();
  const ct = await openIn(namespace);
  const master = await createMaster(ct, { family, helper: 'sip', protocol: 'udp', dport: 5060 });
  const tuple = { src: SERVER[family], dst: CLIENT[family], sport: 5, dport: 7078 };
  await ct.expectations.create({ protocol: 'udp', tuple, master });
  expect(await ct.expectations.list()).toHaveLength(1);
  deleteExpectationByCli(namespace, tuple);
  expect(await ct.expectations.list()).toEqual([]);
});

describe('an expectation of ours, of real traffic', () => {
  const address = HOME.ipv4;

  async function expecting(
    more: Partial<NewExpectation>,
  ): Promise<{ namespace: TestNamespace; ct: Conntrack; dialogue: FtpDialogue }> {
    const namespace = helped();
    const ct = await openIn(namespace);
    const dialogue = await FtpDialogue.open({ client: namespace, server: namespace, address });
    await ct.expectations.create({
      protocol: 'tcp',
      tuple: { dst: address, dport: DATA_PORT },
      master: dialogue.tuple,
      ...more,
    });
    return { namespace, ct, dialogue };
  }

  test('is met once', async () => {
    const { namespace, ct, dialogue } = await expecting({});
    const met = { expected: true, master: dialogue.tuple };
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toEqual(met);
    expect(await ct.expectations.list()).toEqual([]);
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toMatchObject({ expected: false });
  });

  test('is met again and again while it is PERMANENT', async () => {
    const { namespace, ct, dialogue } = await expecting({ flags: 1 });
    const met = { expected: true, master: dialogue.tuple };
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toEqual(met);
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toEqual(met);
    expect(await ct.expectations.list()).toHaveLength(1);
  });

  test('is not met while it is INACTIVE', async () => {
    const { namespace, ct } = await expecting({ flags: ['inactive'] });
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toMatchObject({ expected: false });
    expect(await ct.expectations.list()).toHaveLength(1);
  });

  test('is not met from an address that its mask excludes', async () => {
    const { namespace, ct } = await expecting({
      tuple: { src: '10.0.0.0', dst: address, dport: DATA_PORT },
      mask: { src: '255.0.0.0' },
    });
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toMatchObject({ expected: false });
    expect(await ct.expectations.list()).toHaveLength(1);
  });

  test('is met from an address that its mask lets in', async () => {
    const { namespace, ct } = await expecting({
      tuple: { src: '127.9.9.9', dst: address, dport: DATA_PORT },
      mask: { src: '255.0.0.0' },
    });
    expect(await connectTo(namespace, ct, address, DATA_PORT)).toMatchObject({ expected: true });
  });

  test('goes with its master', async () => {
    const { ct, dialogue } = await expecting({ flags: 1 });
    expect(await ct.delete({ protocol: 'tcp', orig: dialogue.tuple })).toBe(true);
    expect(await ct.expectations.list()).toEqual([]);
  });
});

describe('other protocols', () => {
  test.each([
    ['gre', { srckey: 7, dstkey: 9 }, { srckey: 0xffff, dstkey: 0xffff }],
    ['icmp', { icmpType: 8, icmpCode: 0, icmpId: 77 }, { icmpId: 0xffff }],
    ['sctp', { sport: 1, dport: 2 }, { sport: 0xffff, dport: 0xffff }],
    ['udplite', { dport: 2 }, { sport: 0, dport: 0xffff }],
    ['89', {}, {}],
  ])('%s', async (protocol, members, mask) => {
    const ct = await openIn(TestNamespace.create());
    const master = { protocol: 'tcp', ...(await createMaster(ct)).orig };
    const tuple = { src: SERVER.ipv4, dst: CLIENT.ipv4, ...members };
    await ct.expectations.create({ protocol, tuple, master });
    const expectation = await only(ct);
    expect(expectation.protocol).toBe(protocol);
    expect(expectation.master.protocol).toBe('tcp');
    expect(expectation.tuple.toJSON()).toMatchObject(tuple);
    expect(expectation.mask.toJSON()).toMatchObject({ src: WHOLE.ipv4, ...mask });
    const again = JSON.parse(JSON.stringify(expectation)) as NewExpectation;
    expect(await ct.expectations.delete({ protocol, tuple })).toBe(true);
    await ct.expectations.create(again);
    expect((await only(ct)).tuple.toJSON()).toEqual(expectation.tuple.toJSON());
  });
});

describe('zones', () => {
  const ZONE = 5;

  async function zoned(): Promise<Conntrack> {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct);
    await createMaster(ct, { zone: ZONE });
    await ct.expectations.create(dataConnection());
    await ct.expectations.create({ ...dataConnection(), zone: ZONE });
    return ct;
  }

  test('the kernel does not say them, but looks in the one that is asked for', async () => {
    const ct = await zoned();
    const key = { protocol: 'tcp', tuple: dataConnection().tuple };
    const all = await ct.expectations.list();
    expect(all.map(({ zone }) => zone)).toEqual([undefined, undefined]);
    const found = await ct.expectations.get({ ...key, zone: ZONE });
    const plain = await ct.expectations.get(key);
    expect([found!.zone, plain!.zone]).toEqual([ZONE, 0]);
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set([found!.id, plain!.id]));
    expect(await ct.expectations.get({ ...key, zone: 6 })).toBeUndefined();
    expect((await ct.get(found!.masterKey))!.zone).toBe(ZONE);
  });

  test('those of a master are listed by its zone', async () => {
    const ct = await zoned();
    const { orig } = masterFlow();
    const flow = await ct.get({ protocol: 'tcp', orig, zone: ZONE });
    const ways = [
      { master: flow! },
      { master: { protocol: 'tcp', orig, zone: ZONE } },
      { master: { protocol: 'tcp', orig }, zone: ZONE },
      { master: { protocol: 'tcp', ...orig }, zone: ZONE },
    ];
    const [wanted] = await ct.expectations.list(ways[0]);
    for (const way of ways) {
      const listed = await ct.expectations.list(way);
      expect(listed.map(({ id, zone }) => [id, zone])).toEqual([[wanted!.id, ZONE]]);
    }
    const [other] = await ct.expectations.list({ master: { protocol: 'tcp', orig } });
    expect(other!.id).not.toBe(wanted!.id);
  });

  test('a delete leaves the same tuple in another zone alone', async () => {
    const ct = await zoned();
    const key = { protocol: 'tcp', tuple: dataConnection().tuple };
    expect(await ct.expectations.delete({ ...key, zone: ZONE })).toBe(true);
    expect(await ct.expectations.delete({ ...key, zone: ZONE })).toBe(false);
    expect(await ct.expectations.get(key)).toBeDefined();
  });

  test('what was listed is deleted, in whatever zone it is, and nothing else', async () => {
    const ct = await zoned();
    const { id } = (await ct.expectations.get({
      protocol: 'tcp',
      tuple: dataConnection().tuple,
      zone: ZONE,
    }))!;
    const listed = (await ct.expectations.list()).find((one) => one.id === id)!;
    expect(await ct.expectations.delete(listed)).toBe(true);
    expect((await only(ct)).id).not.toBe(id);
    expect(await ct.expectations.delete(listed)).toBe(false);
    const json = JSON.parse(JSON.stringify(await only(ct))) as Expectation;
    expect(await ct.expectations.delete(json)).toBe(true);
    expect(await ct.expectations.list()).toEqual([]);
  });

  test('a zone of one direction is the zone of its expectations', async () => {
    const ct = await openIn(TestNamespace.create());
    const flow = masterFlow();
    const reply = { src: SERVER.ipv4, dst: CLIENT.ipv4, sport: 21, dport: 1000 };
    await ct.create({ ...flow, orig: { ...flow.orig, zone: ZONE }, reply });
    const [made] = await ct.flows().toArray();
    expect(made!.orig.zone).toBe(ZONE);
    await ct.expectations.create({ ...dataConnection(), master: made! });
    const key = { protocol: 'tcp', tuple: dataConnection().tuple, zone: ZONE };
    expect(await ct.expectations.get(key)).toBeDefined();
    expect(await ct.expectations.list({ master: made! })).toHaveLength(1);
    expect(await ct.expectations.delete(await only(ct))).toBe(true);
  });
});

describe('ids', () => {
  test('one that has taken the place of a listed one is left alone', async () => {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct);
    await ct.expectations.create(dataConnection());
    const listed = await only(ct);
    // The new one may get the old one's place in memory, and so its id, where nothing can tell them apart.
    for (let tries = 0; tries < 20 && (await only(ct)).id === listed.id; tries += 1) {
      await ct.expectations.flush();
      await ct.expectations.create(dataConnection());
    }
    const other = await only(ct);
    expect(other.id).not.toBe(listed.id);
    expect(await ct.expectations.get(listed)).toBeUndefined();
    expect(await ct.expectations.delete(listed)).toBe(false);
    expect((await only(ct)).id).toBe(other.id);
    const byTuple = without(listed.toJSON(), 'id');
    expect(await ct.expectations.delete(byTuple)).toBe(true);
  });
});

describe('many at a time', () => {
  test('those of one helper go, and no others', async () => {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct);
    const irc = await createMaster(ct, { helper: 'irc', dport: 6667 });
    const ipv6 = await createMaster(ct, { family: 'ipv6' });
    await ct.expectations.create(dataConnection(1));
    await ct.expectations.create({ ...dataConnection(2), master: irc });
    await ct.expectations.create({ ...dataConnection(3, 'ipv6'), master: ipv6 });
    await ct.expectations.deleteByHelper('tftp');
    await ct.expectations.deleteByHelper('ft');
    expect(await ports(ct)).toEqual([1, 2, 3]);
    await ct.expectations.deleteByHelper('ftp');
    expect(await ports(ct)).toEqual([2]);
  });

  test('flush takes all, or a family', async () => {
    const namespace = TestNamespace.create();
    const ct = await openIn(namespace);
    const irc = await createMaster(ct, { helper: 'irc', dport: 6667 });
    const zoned = await createMaster(ct, { helper: 'irc', dport: 6667, zone: 3 });
    await createMaster(ct, { family: 'ipv6' });
    const fill = async (): Promise<void> => {
      await ct.expectations.create({ ...dataConnection(1), master: irc });
      await ct.expectations.create({ ...dataConnection(2), master: irc });
      await ct.expectations.create({ ...dataConnection(3), master: zoned });
      await ct.expectations.create(dataConnection(4, 'ipv6'));
    };
    await fill();
    await ct.expectations.flush({ family: 'ipv4' });
    expect(await ports(ct)).toEqual([4]);
    await ct.expectations.flush({ family: 'ipv4' });
    await ct.expectations.flush({ family: 'ipv6' });
    expect(await ports(ct)).toEqual([]);
    await fill();
    await ct.expectations.flush();
    expect(await ports(ct)).toEqual([]);
    expect(listExpectationsByCli(namespace)).toEqual([]);
    expect(await ct.count()).toBe(3);
  });

  test('a long listing has each of them once', async () => {
    const COUNT = 600;
    const ct = await openIn(TestNamespace.create());
    const masters = Array.from({ length: COUNT }, (_, index) =>
      masterFlow({ sport: 2000 + index }),
    );
    expect((await ct.createMany(masters)).failed).toEqual([]);
    for (const [index, master] of masters.entries()) {
      await ct.expectations.create({ ...dataConnection(10_000 + index), master });
    }
    const listed = await ports(ct);
    expect(listed).toEqual(masters.map((_, index) => 10_000 + index));
    const of = await ct.expectations.list({ master: masters[100]! });
    expect(of.map(({ tuple }) => tuple.dport)).toEqual([10_100]);
  });

  test('a further one takes the place of the oldest where a helper allows only one', async () => {
    const ct = await openIn(TestNamespace.create());
    await createMaster(ct);
    await ct.expectations.create(dataConnection(1));
    await ct.expectations.create(dataConnection(2));
    expect(await ports(ct)).toEqual([2]);
  });
});

test('an expectation stays valid when all that it came from is gone', async () => {
  const ct = await openIn(TestNamespace.create());
  await createMaster(ct);
  await ct.expectations.create(dataConnection());
  const expectation = await only(ct);
  const before = JSON.stringify(expectation);
  await ct.expectations.flush();
  await ct.close();
  expect(JSON.stringify(expectation)).toBe(before);
});
