/** The tests' own tools, on the real kernel: a test is worth what its instruments are. */
import { execFileSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { countByCli, listByCli, parseCliLine, type CliFlow } from '../support/cli';
import {
  addressBytes,
  attributesOfMessage,
  be32,
  Cta,
  eventKind,
  Family,
  Flag,
  FLOW_GROUPS,
  message,
  MessageType,
  payload,
  tuple,
} from '../support/ctnetlink';
import { addRoute, addVoid, connect, forward } from '../support/link';
import { TestNamespace } from '../support/netns';
import {
  checksum,
  crc32c,
  dccpPacket,
  greV0,
  grePptp,
  icmpEcho,
  icmpTimestamp,
  icmpv6Echo,
  Protonum,
  sctpChunk,
  sctpPacket,
  tcpSegment,
  udpDatagram,
  udpLiteDatagram,
  type TcpFlag,
} from '../support/packets';
import {
  churn,
  syntheticTuple,
  testing,
  type NetlinkCapture,
  type OraclePeek,
} from '../support/testing';
import { ping, sendPacket, TcpConnection, UdpExchange } from '../support/traffic';
import { waitFor } from '../support/wait';

const HOME = '127.0.0.1';

function ownNamespace(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

function trackedNamespace(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.track();
  return namespace;
}

function capture(namespace: TestNamespace, receiveBuffer?: number): NetlinkCapture {
  const options = receiveBuffer === undefined ? {} : { receiveBuffer };
  return namespace.run(() => new testing.NetlinkCapture(FLOW_GROUPS, options));
}

function onlyFlow(namespace: TestNamespace, protonum: number): CliFlow {
  const flows = listByCli(namespace).filter((flow) => flow.protonum === protonum);
  expect(flows).toHaveLength(1);
  return flows[0]!;
}

afterEach(() => {
  TestNamespace.closeAll();
});

describe('TestNamespace', () => {
  test('is another namespace, and only inside run()', () => {
    const home = ownNamespace();
    const namespace = TestNamespace.create();
    const inside = namespace.run(ownNamespace);
    expect(inside).not.toBe(home);
    expect(readlinkSync(namespace.path)).toBe(inside);
    expect(ownNamespace()).toBe(home);
  });

  test('runs within one another and comes back after an error', () => {
    const home = ownNamespace();
    const outer = TestNamespace.create();
    const inner = TestNamespace.create();
    outer.run(() => {
      const name = ownNamespace();
      expect(() =>
        inner.run<never>(() => {
          throw new Error(ownNamespace());
        }),
      ).toThrow(readlinkSync(inner.path));
      expect(ownNamespace()).toBe(name);
    });
    expect(ownNamespace()).toBe(home);
  });

  test('refuses an asynchronous function', () => {
    const namespace = TestNamespace.create();
    expect(() => namespace.run(() => Promise.resolve())).toThrow(TypeError);
    expect(() => namespace.run(async () => undefined)).toThrow(TypeError);
  });

  test('has loopback up and nothing else', () => {
    const namespace = TestNamespace.create();
    const links: unknown = JSON.parse(namespace.exec('ip', ['-json', 'link', 'show', 'up']));
    expect(links).toMatchObject([{ ifname: 'lo' }]);
  });

  test('keeps its sysctls to itself', () => {
    const first = TestNamespace.create();
    const second = TestNamespace.create();
    first.sysctl('nf_conntrack_acct', 1);
    second.sysctl('nf_conntrack_acct', 0);
    expect(first.sysctl('nf_conntrack_acct')).toBe('1');
    expect(second.sysctl('net.netfilter.nf_conntrack_acct')).toBe('0');
  });

  test('says what a failing program printed', () => {
    const namespace = TestNamespace.create();
    expect(() => namespace.exec('ip', ['link', 'show', 'nosuch'])).toThrow(/nosuch/);
    expect(() => {
      namespace.nft('nonsense');
    }).toThrow(/syntax error/);
    expect(namespace.tryExec('false', []).status).toBe(1);
    expect(() => namespace.exec('/nonexistent', [])).toThrow(/ENOENT/);
  });

  test('is closed once', () => {
    const namespace = TestNamespace.create();
    const path = namespace.path;
    namespace.close();
    namespace.close();
    expect(existsSync(path)).toBe(false);
    expect(() => namespace.run(ownNamespace)).toThrow('closed');
  });

  test('loads an error with the name of its errno', () => {
    expect(() => testing.openNamespace('/nonexistent')).toThrow(
      expect.objectContaining({ code: 'ENOENT', errno: 2 }),
    );
  });
});

describe('fill', () => {
  test('makes as many flows as it says, and unfill deletes them', () => {
    const namespace = TestNamespace.create();
    expect(namespace.run(() => testing.fill({ count: 10_000 }))).toBe(10_000);
    expect(countByCli(namespace)).toBe(10_000);
    expect(namespace.run(() => testing.fill({ count: 10_010 }))).toBe(10);
    expect(namespace.run(() => testing.unfill({ first: 9_000, count: 2_000 }))).toBe(1_010);
    expect(countByCli(namespace)).toBe(9_000);
    namespace.run(testing.flush);
    expect(countByCli(namespace)).toBe(0);
  });

  test.each([4, 6] as const)('makes the IPv%i flows that syntheticTuple() names', (family) => {
    const namespace = TestNamespace.create();
    const made = [0, 1, 65_535, 65_536, 200_000];
    for (const first of made) {
      namespace.run(() => testing.fill({ first, count: 1, family, proto: 17, timeout: 100 }));
    }
    const listed = listByCli(namespace).map(({ orig }) => orig);
    expect(listed).toHaveLength(made.length);
    for (const index of made) expect(listed).toContainEqual(syntheticTuple(index, family));
  });

  test('sets zone, mark, status and timeout', () => {
    const namespace = TestNamespace.create();
    namespace.run(() => testing.fill({ count: 1, zone: 7, mark: 0xffffffff, timeout: 500 }));
    namespace.run(() => testing.fill({ count: 1, zone: 8, status: 0, proto: 17 }));
    const [tcp, udp] = [onlyFlow(namespace, 6), onlyFlow(namespace, 17)];
    expect(tcp).toMatchObject({ zone: 7, mark: 0xffffffff, state: 'ESTABLISHED' });
    expect(tcp).toMatchObject({ flags: ['ASSURED'] });
    expect(tcp.timeout).toBeLessThanOrEqual(500);
    expect(udp).toMatchObject({ zone: 8, flags: ['UNREPLIED'] });
    expect(namespace.run(() => testing.unfill({ count: 1, zone: 9 }))).toBe(0);
    expect(namespace.run(() => testing.unfill({ count: 1, zone: 7 }))).toBe(1);
  });

  test('refuses what it cannot make', () => {
    expect(() => testing.fill({ count: 1, proto: 1 as 6 })).toThrow('proto');
    expect(() => testing.fill({ count: 1, family: 5 as 4 })).toThrow('family');
    expect(() => testing.fill({} as { count: number })).toThrow('count');
  });
});

test('churn makes and deletes flows beside others and leaves none', async () => {
  const namespace = TestNamespace.create();
  namespace.run(() => testing.fill({ count: 100 }));
  const running = namespace.run(() => churn({ live: 1000 }));
  await waitFor('a churn of 20 000 operations', () => running.operations >= 20_000);
  expect(countByCli(namespace)).toBeGreaterThan(100);
  expect(running.stop()).toBeGreaterThanOrEqual(20_000);
  expect(countByCli(namespace)).toBe(100);
});

describe('NetlinkCapture', () => {
  test('takes the events of its namespace, whole', () => {
    const namespace = TestNamespace.create();
    const other = TestNamespace.create();
    const events = capture(namespace);
    namespace.run(() => testing.fill({ count: 3 }));
    other.run(() => testing.fill({ count: 5 }));
    namespace.run(testing.flush);
    const messages = events.drain(1000);
    const kinds = messages.map(eventKind);
    expect(kinds).toEqual(['new', 'new', 'new', 'destroy', 'destroy', 'destroy']);
    for (const octets of messages) expect(octets.readUInt32LE(0)).toBe(octets.length);
    expect(events.drops()).toBe(0);
    expect(events.drain()).toEqual([]);
    events.close();
    expect(() => events.drain()).toThrow('EBADF');
  });

  test('joins only the groups that it is given', () => {
    const namespace = TestNamespace.create();
    const events = namespace.run(() => new testing.NetlinkCapture([3]));
    namespace.run(() => testing.fill({ count: 2 }));
    namespace.run(testing.flush);
    expect(events.drain(1000).map(eventKind)).toEqual(['destroy', 'destroy']);
  });

  test('dumps a table, of one family or of both', () => {
    const namespace = TestNamespace.create();
    namespace.run(() => testing.fill({ count: 1000 }));
    namespace.run(() => testing.fill({ count: 10, family: 6 }));
    const tables = capture(namespace);
    expect(tables.dump(MessageType.ctGet)).toHaveLength(1010);
    expect(tables.dump(MessageType.ctGet, Family.ipv6)).toHaveLength(10);
    expect(tables.dump(MessageType.ctGetDying)).toEqual([]);
    expect(tables.dump(MessageType.expGet)).toEqual([]);
    expect(() => tables.dump(0x1ff)).toThrow('EINVAL');
  });

  test('gives answer, errno and ext-ack of a request', () => {
    const namespace = TestNamespace.create();
    const requests = capture(namespace);
    namespace.run(() => testing.fill({ count: 1 }));
    const key = tuple(Cta.tupleOrig, { ...syntheticTuple(0), protonum: Protonum.tcp });
    const found = requests.request(MessageType.ctGet, 0, payload(Family.ipv4, key));
    expect(found).toMatchObject({ errno: 0, messages: [expect.any(Buffer)] });

    const missing = tuple(Cta.tupleOrig, { ...syntheticTuple(1), protonum: Protonum.tcp });
    const absent = requests.request(MessageType.ctGet, 0, payload(Family.ipv4, missing));
    expect(absent).toMatchObject({ errno: 2, code: 'ENOENT', messages: [] });

    const short = Buffer.concat([key, Buffer.from([6, 0, Cta.mark, 0, 1, 2, 0, 0])]);
    const refused = requests.request(MessageType.ctNew, Flag.create, payload(Family.ipv4, short));
    expect(refused).toMatchObject({ code: 'ERANGE', extack: expect.stringMatching(/policy/) });
    // After the nlmsghdr, the nfgenmsg and the tuple.
    expect(refused.offset).toBe(16 + 4 + key.length);
  });

  test('says so when it was overrun', () => {
    const namespace = TestNamespace.create();
    const small = capture(namespace, 4096);
    namespace.run(() => testing.fill({ count: 100 }));
    expect(() => small.drain(1000)).toThrow('ENOBUFS');
    expect(small.drain().length + small.drops()).toBe(100);
    expect(small.drops()).toBeGreaterThan(0);
  });
});

describe('the oracle', () => {
  function address(octets: Buffer | undefined): string {
    return octets === undefined ? '' : octets.join('.');
  }

  function tupleOf(peek: OraclePeek, side: 'orig' | 'repl'): CliFlow['orig'] {
    return {
      src: address(peek[`${side}_ipv4_src`]),
      dst: address(peek[`${side}_ipv4_dst`]),
      sport: peek[`${side}_port_src`]!,
      dport: peek[`${side}_port_dst`]!,
      packets: peek[`${side}_counter_packets`]!,
      bytes: peek[`${side}_counter_bytes`]!,
    };
  }

  test('agrees with conntrack(8) on a TCP connection', async () => {
    const namespace = trackedNamespace();
    namespace.sysctl('nf_conntrack_acct', 1);
    namespace.sysctl('nf_conntrack_timestamp', 1);
    using connection = await TcpConnection.open({
      client: namespace,
      server: namespace,
      address: HOME,
    });
    await connection.exchange(1000);
    const [octets] = capture(namespace).dump(MessageType.ctGet);
    const peek = testing.oraclePeek(octets!);
    const listed = onlyFlow(namespace, Protonum.tcp);
    expect(tupleOf(peek, 'orig')).toEqual(listed.orig);
    expect(tupleOf(peek, 'repl')).toEqual(listed.reply);
    expect(listed.orig).toMatchObject(connection.tuple);
    expect(peek).toMatchObject({ id: listed.id, mark: listed.mark, tcp_state: 3 });
    expect(listed).toMatchObject({ state: 'ESTABLISHED', flags: ['ASSURED'] });
    expect(Number(peek.timestamp_start! / 1_000_000_000n) * 1000).toBe(listed.start);
  });

  const wellFormed = message(
    payload(
      Family.ipv4,
      tuple(Cta.tupleOrig, { src: '10.0.0.1', dst: '10.0.0.2', protonum: 6, sport: 1, dport: 2 }),
      be32(Cta.mark, 0),
    ),
  );

  test('reads a message that no kernel sent, and tells zero from absent', () => {
    const peek = testing.oraclePeek(wellFormed);
    expect(peek).toMatchObject({ mark: 0, orig_port_src: 1, orig_port_dst: 2, orig_l4proto: 6 });
    expect(peek.orig_ipv4_src).toEqual(addressBytes('10.0.0.1'));
    expect(peek).not.toHaveProperty('timeout');
    expect(peek).not.toHaveProperty('zone');
  });

  test('survives what the library would exit for, again and again', () => {
    const odd = Buffer.from(wellFormed);
    const mark = attributesOfMessage(odd).find(({ type }) => type === Cta.mark)!;
    odd.writeUInt16LE(6, mark.offset);
    for (let i = 0; i < 100; i++) expect(testing.oraclePeek(odd)).toEqual({ abi: true });
    expect(testing.oraclePeek(wellFormed)).toHaveProperty('mark', 0);
  });

  test('refuses what is not a whole message', () => {
    expect(() => testing.oraclePeek(wellFormed.subarray(0, 19))).toThrow('EINVAL');
    expect(() => testing.oraclePeek(wellFormed.subarray(0, -1))).toThrow('EINVAL');
    expect(() => testing.decode(wellFormed.subarray(0, -1))).toThrow('EINVAL');
  });

  test('stands beside the core, which decodes the same message', () => {
    const { complete, batch } = testing.decode(wellFormed);
    expect(complete).toBe(true);
    const words = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    expect(words.getUint32(0, true)).toBe(1);
    const cut = message(payload(Family.ipv4, Buffer.from([9, 0, Cta.mark, 0, 0, 0, 0, 0])));
    expect(testing.decode(cut).complete).toBe(false);
  });
});

describe('a link', () => {
  test.each(['ipv4', 'ipv6'] as const)('carries %s at once', async (family) => {
    const { a, b } = connect(trackedNamespace(), trackedNamespace());
    using connection = await TcpConnection.open({
      client: a.namespace,
      server: b.namespace,
      address: b[family],
    });
    expect(await connection.exchange()).toBe(100);
    for (const { namespace } of [a, b]) {
      expect(onlyFlow(namespace, Protonum.tcp)).toMatchObject({
        family,
        state: 'ESTABLISHED',
        orig: { ...connection.tuple, src: a[family], dst: b[family] },
      });
    }
  });

  test('makes no flow by itself', () => {
    const { a, b } = connect(trackedNamespace(), trackedNamespace());
    expect(listByCli(a.namespace)).toEqual([]);
    expect(listByCli(b.namespace)).toEqual([]);
  });

  test.each(['ipv4', 'ipv6'] as const)('joins others to a router that NATs %s', async (family) => {
    const [client, router, server] = [1, 2, 3].map(() => TestNamespace.create());
    const inner = connect(client!, router!, { subnet: 1 });
    const outer = connect(router!, server!, { subnet: 2 });
    forward(router!);
    addRoute(client!, family === 'ipv4' ? '198.51.2.0/24' : 'fd51:2::/64', inner.b);
    const ip = family === 'ipv4' ? 'ip' : 'ip6';
    router!.nft(`
      table inet nat {
        chain pre { type nat hook prerouting priority dstnat;
          ${ip} daddr ${inner.b[family]} tcp dport 8080 dnat ${ip} to ${outer.b[family]}; }
        chain post { type nat hook postrouting priority srcnat; oifname "link2" masquerade; }
      }`);
    using connection = await TcpConnection.open({
      client: client!,
      server: server!,
      address: outer.b[family],
      port: 8080,
      target: { address: inner.b[family], port: 8080 },
    });
    await connection.exchange();
    expect(onlyFlow(router!, Protonum.tcp)).toMatchObject({
      orig: { src: inner.a[family], dst: inner.b[family], dport: 8080 },
      reply: { src: outer.b[family], dst: outer.a[family], sport: 8080 },
    });
  });
});

describe('traffic', () => {
  const route = (namespace: TestNamespace) => ({
    client: namespace,
    server: namespace,
    address: HOME,
  });

  test('closes a connection in order', async () => {
    const namespace = trackedNamespace();
    using connection = await TcpConnection.open({ ...route(namespace), sport: 2345 });
    expect(connection.tuple).toMatchObject({ src: HOME, sport: 2345 });
    await connection.exchange();
    await connection.close();
    expect(onlyFlow(namespace, Protonum.tcp)).toMatchObject({ state: 'TIME_WAIT' });
  });

  test('resets a connection', async () => {
    const namespace = trackedNamespace();
    using connection = await TcpConnection.open(route(namespace));
    await connection.reset();
    expect(onlyFlow(namespace, Protonum.tcp)).toMatchObject({ state: 'CLOSE' });
  });

  test('says at once that nobody listens', () => {
    const namespace = TestNamespace.create();
    expect(() => namespace.run(() => testing.connectTcp(HOME, 9))).toThrow('ECONNREFUSED');
    expect(() => namespace.run(() => testing.connectTcp('localhost', 9))).toThrow('EINVAL');
  });

  test.each([HOME, '::1'])('exchanges datagrams over %s', async (address) => {
    const namespace = trackedNamespace();
    using exchange = await UdpExchange.open({ ...route(namespace), address });
    await exchange.send('lost');
    const unreplied = onlyFlow(namespace, Protonum.udp);
    exchange.close();
    expect(unreplied).toMatchObject({ flags: ['UNREPLIED'], orig: exchange.tuple });

    using second = await UdpExchange.open({ ...route(namespace), address });
    expect(String(await second.request('ping'))).toBe('ping');
    const flows = listByCli(namespace).map(({ flags }) => flags);
    expect(flows).toContainEqual([]);
  });

  test.each([HOME, '::1'])('pings %s', (address) => {
    const namespace = trackedNamespace();
    ping(namespace, address, address, 4711);
    const protonum = address === HOME ? Protonum.icmp : Protonum.icmpv6;
    const type = address === HOME ? 8 : 128;
    expect(onlyFlow(namespace, protonum)).toMatchObject({
      orig: { icmpType: type, icmpCode: 0, icmpId: 4711 },
      flags: [],
    });
  });
});

describe('packets', () => {
  const ports = { sport: 1111, dport: 2222 };

  test('have the checksums of their standards', () => {
    // RFC 1071, section 3, and RFC 3720, appendix B.4.
    expect(checksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(0xffff & ~0xddf2);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  const [src, dst] = ['203.0.113.1', '203.0.113.2'];
  const ends = { src, dst, ...ports };

  // An invalid packet makes no flow, and nf_conntrack_checksum is on.
  test.each([
    ['tcp', Protonum.tcp, tcpSegment({ ...ends, flags: ['syn'] }), ports],
    ['udp', Protonum.udp, udpDatagram(ends), ports],
    ['dccp', Protonum.dccp, dccpPacket({ ...ends, type: 'request' }), {}],
    ['gre', Protonum.gre, grePptp(77), { srckey: 0, dstkey: 77 }],
    ['gre', Protonum.gre, greV0(), { srckey: 0, dstkey: 0 }],
    ['icmp', Protonum.icmp, icmpTimestamp({ id: 9 }), { icmpType: 13, icmpId: 9 }],
    ['sctp', Protonum.sctp, sctpPacket({ ...ports, vtag: 0, chunks: [sctpChunk.init(1)] }), ports],
    ['udplite', Protonum.udplite, udpLiteDatagram(ends), ports],
    ['unknown', Protonum.unknown, Buffer.from('anything'), {}],
  ])('make an IPv4 flow of %s', (protocol, protonum, octets, fields) => {
    const namespace = trackedNamespace();
    expect(addVoid(namespace).ipv4).toEqual([src, dst]);
    sendPacket(namespace, protonum, dst, octets, { src });
    expect(onlyFlow(namespace, protonum)).toMatchObject({
      protocol,
      orig: { src, dst, ...fields },
      flags: ['UNREPLIED'],
    });
  });

  const far = { src: 'fd13::1', dst: 'fd13::2', ...ports };

  test.each([
    ['tcp', Protonum.tcp, tcpSegment({ ...far, flags: ['syn'] }), ports],
    ['udp', Protonum.udp, udpDatagram(far), ports],
    ['udplite', Protonum.udplite, udpLiteDatagram(far), ports],
    ['icmpv6', Protonum.icmpv6, icmpv6Echo({ ...far, id: 9 }), { icmpType: 128, icmpId: 9 }],
    ['unknown', Protonum.unknown, Buffer.from('anything'), {}],
  ])('make an IPv6 flow of %s', (protocol, protonum, octets, fields) => {
    const namespace = trackedNamespace();
    expect(addVoid(namespace).ipv6).toEqual([far.src, far.dst]);
    sendPacket(namespace, protonum, far.dst, octets, { src: far.src });
    expect(onlyFlow(namespace, protonum)).toMatchObject({
      protocol,
      orig: { src: far.src, dst: far.dst, ...fields },
      flags: ['UNREPLIED'],
    });
  });

  test('go out under a header of the kernel too, with a lifetime of their own', () => {
    const namespace = trackedNamespace();
    for (const [protonum, to] of [
      [Protonum.icmp, '127.0.0.1'],
      [Protonum.icmpv6, '::1'],
    ] as const) {
      const octets = to === '::1' ? icmpv6Echo({ src: to, dst: to, id: 5 }) : icmpEcho({ id: 5 });
      sendPacket(namespace, protonum, to, octets, { ttl: 1 });
      expect(onlyFlow(namespace, protonum)).toMatchObject({ orig: { icmpId: 5 }, flags: [] });
    }
  });

  test('are refused with addresses of the other family, or none', () => {
    expect(() => testing.rawSend(4, 253, '::1', Buffer.of(1))).toThrow('EAFNOSUPPORT');
    expect(() => testing.rawSend(6, 253, '::1', Buffer.of(1), { src: HOME })).toThrow(
      'EAFNOSUPPORT',
    );
    expect(() => testing.rawSend(4, 253, 'localhost', Buffer.of(1))).toThrow('EINVAL');
  });

  test('take a TCP connection through its states', () => {
    const namespace = trackedNamespace();
    addVoid(namespace);
    const state = (): string | undefined => onlyFlow(namespace, Protonum.tcp).state;
    const send = (back: boolean, seq: number, ack: number, ...flags: TcpFlag[]): void => {
      const reversed = { src: dst, dst: src, sport: ports.dport, dport: ports.sport };
      const from = back ? reversed : ends;
      const octets = tcpSegment({ ...from, seq, ack, flags });
      sendPacket(namespace, Protonum.tcp, from.dst, octets, { src: from.src });
    };
    send(false, 1000, 0, 'syn');
    expect(state()).toBe('SYN_SENT');
    send(true, 5000, 1001, 'syn', 'ack');
    expect(state()).toBe('SYN_RECV');
    send(false, 1001, 5001, 'ack');
    expect(state()).toBe('ESTABLISHED');
    send(false, 1001, 5001, 'fin', 'ack');
    expect(state()).toBe('FIN_WAIT');
    send(true, 5001, 1002, 'ack');
    expect(state()).toBe('CLOSE_WAIT');
    send(true, 5001, 1002, 'fin', 'ack');
    expect(state()).toBe('LAST_ACK');
    send(false, 1002, 5002, 'ack');
    expect(state()).toBe('TIME_WAIT');
  });

  test('take an SCTP association through its states', () => {
    const namespace = trackedNamespace();
    addVoid(namespace);
    const state = (): string | undefined => onlyFlow(namespace, Protonum.sctp).state;
    const there = (vtag: number, chunk: Buffer): void => {
      const octets = sctpPacket({ ...ports, vtag, chunks: [chunk] });
      sendPacket(namespace, Protonum.sctp, dst, octets, { src });
    };
    const back = (vtag: number, chunk: Buffer): void => {
      const reversed = { sport: ports.dport, dport: ports.sport };
      const octets = sctpPacket({ ...reversed, vtag, chunks: [chunk] });
      sendPacket(namespace, Protonum.sctp, src, octets, { src: dst });
    };
    const [client, server] = [0x11111111, 0x22222222];
    there(0, sctpChunk.init(client));
    expect(state()).toBe('CLOSED');
    back(client, sctpChunk.initAck(server));
    expect(state()).toBe('COOKIE_WAIT');
    there(server, sctpChunk.cookieEcho());
    expect(state()).toBe('COOKIE_ECHOED');
    back(client, sctpChunk.cookieAck());
    expect(state()).toBe('ESTABLISHED');
    there(server, sctpChunk.data());
    back(client, sctpChunk.sack());
    there(server, sctpChunk.heartbeat());
    back(client, sctpChunk.heartbeatAck());
    expect(state()).toBe('ESTABLISHED');
    there(server, sctpChunk.shutdown());
    expect(state()).toBe('SHUTDOWN_SENT');
    back(client, sctpChunk.shutdownAck());
    expect(state()).toBe('SHUTDOWN_ACK_SENT');
    there(server, sctpChunk.shutdownComplete());
    expect(state()).toBe('CLOSED');
  });

  test('end an SCTP association by an ABORT, and begin one by a HEARTBEAT', () => {
    const namespace = trackedNamespace();
    addVoid(namespace);
    const send = (chunk: Buffer): void => {
      const octets = sctpPacket({ ...ports, vtag: 7, chunks: [chunk] });
      sendPacket(namespace, Protonum.sctp, dst, octets, { src });
    };
    send(sctpChunk.heartbeat());
    expect(onlyFlow(namespace, Protonum.sctp).state).toBe('HEARTBEAT_SENT');
    send(sctpChunk.abort());
    expect(onlyFlow(namespace, Protonum.sctp).state).toBe('CLOSED');
  });
});

describe('lines of conntrack(8)', () => {
  test('with every field', () => {
    const line =
      'ipv4     2 tcp      6 431997 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=44515 dport=21 ' +
      'zone-orig=6 packets=4 bytes=221 src=10.0.0.2 dst=10.0.0.1 sport=21 dport=44515 ' +
      'zone-reply=7 packets=3 bytes=169 [ASSURED] mark=5 secctx=system_u:object_r:unlabeled_t:s0 ' +
      'zone=9 delta-time=3 [start=Mon Nov 23 03:48:14 2026] helper=ftp use=1 id=3625976378 ' +
      'labels=eth0-in,voip call';
    expect(parseCliLine(line)).toEqual({
      family: 'ipv4',
      l3num: 2,
      protocol: 'tcp',
      protonum: 6,
      timeout: 431997,
      state: 'ESTABLISHED',
      orig: {
        ...{ src: '10.0.0.1', dst: '10.0.0.2', sport: 44515, dport: 21 },
        ...{ zone: 6, packets: 4n, bytes: 221n },
      },
      reply: {
        ...{ src: '10.0.0.2', dst: '10.0.0.1', sport: 21, dport: 44515 },
        ...{ zone: 7, packets: 3n, bytes: 169n },
      },
      flags: ['ASSURED'],
      mark: 5,
      secctx: 'system_u:object_r:unlabeled_t:s0',
      zone: 9,
      deltaTime: 3,
      start: Date.UTC(2026, 10, 23, 3, 48, 14),
      helper: 'ftp',
      use: 1,
      id: 3625976378,
      labels: ['eth0-in', 'voip call'],
      line,
    });
  });

  test('of an offloaded flow, which has neither timeout nor state', () => {
    const line =
      'ipv4     2 tcp      6 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 ' +
      'sport=2 dport=1 [OFFLOAD] mark=0 use=2 id=7 labels';
    const flow = parseCliLine(line);
    expect(flow).toMatchObject({ flags: ['OFFLOAD'], labels: [], id: 7, use: 2 });
    expect(flow).not.toHaveProperty('timeout');
    expect(flow).not.toHaveProperty('state');
  });

  test('of nothing', () => {
    expect(() => parseCliLine('conntrack: something else')).toThrow('not a line');
  });
});

describe('waitFor', () => {
  test('gives what it waited for, zero and the empty string too', async () => {
    let looks = 0;
    expect(await waitFor('three looks', () => ++looks === 3 && 'three')).toBe('three');
    expect(await waitFor('zero', () => 0)).toBe(0);
  });

  test('gives up', async () => {
    const never = waitFor('a miracle', () => undefined, { timeout: 20, interval: 5 });
    await expect(never).rejects.toThrow('a miracle');
  });
});

test('the addon works for root of an unprivileged user namespace', () => {
  const script = `
    const testing = require(process.argv[1]);
    const namespace = testing.newNamespace();
    testing.enterNamespace(namespace);
    const capture = new testing.NetlinkCapture([1]);
    const made = testing.fill({ count: 100 });
    const events = capture.drain(1000).length;
    testing.rawSend(4, 253, '127.0.0.1', Buffer.from('x'), { src: '192.0.2.1' });
    console.log(JSON.stringify({ made, events, granted: capture.receiveBuffer > 0 }));`;
  const addon = join(__dirname, '../native/build/Release/testing.node');
  const args = ['-Ur', process.execPath, '-e', script, addon];
  const output = execFileSync('unshare', args, { encoding: 'utf8', timeout: 30_000 });
  expect(JSON.parse(output)).toEqual({ made: 100, events: 100, granted: true });
});
