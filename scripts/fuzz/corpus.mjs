// Writes test/fuzz/corpus.txt anew: what the kernel of this machine says of real traffic, and what the
// library gives the addon for it, each as a line of "TARGET HEX". Run it as root, by hand, when messages,
// records or programs have changed: node scripts/fuzz/corpus.mjs
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { prepare } from '../prepare.mjs';
import { unshareCommand } from '../setup/namespace.mjs';
import { command } from '../setup/report.mjs';
import { inRoot } from '../setup/root.mjs';

const require = createRequire(import.meta.url);
const INSIDE = 'NFCONNTRACK_CORPUS';
const NLMSGHDR = 16;
const EXPECTATIONS = 2;
const GET = { flows: 0x101, expectations: 0x201, stats: 0x104 };
const GROUPS = [1, 2, 3, 4, 5, 6];
// As test/fuzz/request.cc counts.
const REQUEST = { create: 0, add: 1, update: 2, delete: 3, expectations: 4, key: 6, pattern: 7 };

const RULES = `
  table inet t {
    ct helper ftp-helper { type "ftp" protocol tcp; }
    chain out { type filter hook output priority 0; ct state new counter; tcp dport 21 ct helper set "ftp-helper"; ct mark set 7; }
    chain in { type filter hook input priority 0; ct label 3; ct state new counter; }
  }
  table inet n {
    chain nat { type nat hook output priority -100; tcp dport 8080 redirect to :8081; }
  }`;

const FILTERS = [
  {},
  { protocol: 'tcp', state: ['established', 'time_wait'], orig: { dport: [80, [8000, 8100]] } },
  { address: ['127.0.0.0/8', '10.0.0.1'], not: { mark: { value: 1, mask: 3 } } },
  { orig: { src: ['::1', 'fd00::/8'] }, reply: { sport: 8081 }, port: [1, 65535] },
  { or: [{ nat: 'dst' }, { helper: 'ftp' }, { labels: [3, 127] }, { bytes: [0, 5000] }] },
  { status: { all: ['assured'], none: ['dying'] }, zone: 0, timeout: [1, 9000], family: 'ipv4' },
];

const lines = new Set();
const add = (target, ...parts) =>
  lines.add(`${target} ${Buffer.concat(parts.map((part) => Buffer.from(part))).toString('hex')}`);

function write(path, text) {
  writeFileSync(`/proc/sys/net/netfilter/${path}`, `${text}`);
}

function prepareNamespace() {
  const { status, stderr } = spawnSync('nft', ['-f', '-'], { input: RULES });
  if (status !== 0) throw new Error(String(stderr));
  for (const name of ['acct', 'timestamp', 'events']) write(`nf_conntrack_${name}`, 1);
}

function traffic(testing) {
  for (const address of ['127.0.0.1', '::1']) {
    const server = testing.listenTcp(address, 8081);
    const client = testing.connectTcp(address, 8080);
    testing.closeFd(client.fd);
    testing.closeFd(server.fd);
    const ftp = testing.listenTcp(address, 21);
    testing.closeFd(testing.connectTcp(address, 21).fd);
    testing.closeFd(ftp.fd);
  }
  const ports = [0x12, 0x34, 0x00, 0x35, 0, 12, 0, 0, 1, 2, 3, 4];
  for (const protonum of [17, 136, 132, 33, 47, 253]) {
    testing.rawSend(4, protonum, '127.0.0.1', Buffer.from([...ports, 0, 0, 0, 0, 0, 0, 0, 0]));
  }
  testing.rawSend(4, 1, '127.0.0.1', Buffer.from([8, 0, 0xf7, 0xfd, 0, 1, 0, 1]));
  testing.fill({ count: 1 });
  testing.fill({ count: 1, family: 6, proto: 17, zone: 9, mark: 0x80000001 });
}

async function changes(Conntrack) {
  const ct = await Conntrack.open();
  const flow = (dport, more) => ({
    protocol: 'tcp',
    orig: { src: '10.9.0.1', dst: '10.9.0.2', sport: 40_000, dport },
    timeout: 600,
    ...more,
  });
  await ct.create(flow(1, { mark: 5, state: 'established', labels: [3, 100], helper: 'ftp' }));
  await ct.create(flow(2, { nat: { src: { address: '192.0.2.9', port: [5000, 6000] } } }));
  const master = { protocol: 'tcp', orig: flow(1).orig };
  const tuple = { src: '10.9.0.2', dst: '10.9.0.1', dport: 50_000 };
  const expectation = { protocol: 'tcp', tuple, master, timeout: 300 };
  const attempts = [
    () => ct.expectations.create(expectation),
    () => ct.expectations.delete(expectation),
    () => ct.expectations.create(expectation),
    () => ct.update(flow(1), { mark: 9, timeout: 60 }),
    () => ct.get(flow(1)),
    () => ct.delete(flow(2)),
  ];
  for (const attempt of attempts) await attempt();
  return ct;
}

/** Everything that is asked of the addon's control, as it is asked. */
function recordRequests(addon) {
  const { Control } = addon;
  addon.Control = class Recorder extends Control {};
  const record = (name, which, index) => {
    const value = function (...args) {
      add('request', [which(args)], args[index]);
      return Control.prototype[name].apply(this, args);
    };
    Object.defineProperty(addon.Control.prototype, name, { value });
  };
  record('change', ([kind]) => kind, 1);
  record('get', () => REQUEST.key, 0);
  record('createExpectation', () => REQUEST.expectations, 0);
  for (const name of ['getExpectation', 'listExpectations', 'deleteExpectation']) {
    record(name, () => REQUEST.expectations + 1, 0);
  }
}

function addMessages(testing, capture) {
  const dumped = [GET.flows, GET.expectations, GET.stats].map((type) => capture.dump(type));
  const messages = [...capture.drain(), ...dumped.flat()];
  for (const message of messages) {
    const expects = message.readUInt16LE(4) >> 8 === EXPECTATIONS;
    add(expects ? 'expectation' : 'flow', message.subarray(NLMSGHDR));
  }
  add('message', ...messages.slice(0, 3));
  add('message', dumped[2][0]);
  return dumped[0];
}

function addFilters(messages) {
  const { parseFilter } = require(inRoot('dist/filter-parse.js'));
  const { compileFilter } = require(inRoot('dist/filter-program.js'));
  for (const [index, filter] of FILTERS.entries()) {
    const program = compileFilter(parseFilter(filter));
    const message = messages[index % messages.length];
    add(
      'filter',
      new Uint8Array(Uint16Array.of(program.length).buffer),
      new Uint8Array(program.buffer),
      message.subarray(NLMSGHDR),
    );
  }
}

/** As the kernel answers a request it does not like. */
function addRefusals(capture) {
  for (const type of [0x101, 0x200, 0x1ff]) {
    const { messages, errno } = capture.request(type, 0, Buffer.of(2, 0, 0, 0, 4, 0, 1, 0x80));
    const refusal = Buffer.alloc(40);
    refusal.writeUInt32LE(40, 0);
    refusal.writeUInt16LE(2, 4);
    refusal.writeInt32LE(-errno, 16);
    add('message', refusal, ...messages);
  }
}

await command(async () => {
  await prepare({ forTests: true });
  if (process.env[INSIDE] === undefined) {
    const [unshare, ...args] = unshareCommand(['--net']);
    const env = { ...process.env, [INSIDE]: '1' };
    const own = [process.execPath, process.argv[1]];
    const { status } = spawnSync(unshare, [...args, ...own], { env, stdio: 'inherit' });
    process.exitCode = status ?? 1;
    return;
  }
  spawnSync('ip', ['link', 'set', 'lo', 'up']);
  prepareNamespace();
  const testing = require(inRoot('test/native/build/Release/testing.node'));
  const { Conntrack } = require(inRoot('dist/index.js'));
  const { native } = require(inRoot('dist/native.js'));
  recordRequests(native());
  const capture = new testing.NetlinkCapture(GROUPS);
  traffic(testing);
  const ct = await changes(Conntrack);
  const flows = addMessages(testing, capture);
  for (const message of flows.slice(0, 3)) {
    add('request', [REQUEST.update], testing.decode(message).batch);
    add('request', [REQUEST.pattern], testing.decode(message).batch.subarray(24));
  }
  addFilters(flows);
  addRefusals(capture);
  capture.close();
  await ct.close();
  writeFileSync(inRoot('test/fuzz/corpus.txt'), `${[...lines].sort().join('\n')}\n`);
  process.stdout.write(`${String(lines.size)} inputs\n`);
});
