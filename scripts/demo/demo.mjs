// The library at work: live events of real connections through a real NAT, then the table.
// scripts/start.mjs starts it in a network namespace without a name, which ends with it.
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

import { Conntrack } from 'nfconntrack';

import {
  CLIENT,
  hasIpv6,
  makeNetwork,
  requirePrivateNamespace,
  SERVER,
  SERVICE,
} from './network.mjs';
import { bold, eventLines, flowLines, write } from './screen.mjs';
import { echo, ping, refused, request } from './traffic.mjs';

const BETWEEN_MS = 400;
const LAST_DESTROY_MS = 6000;
const SHOWN_EVERY_MS = 50;
const SHOWN_ATTEMPTS = 40;
const WHOLE_MS = 18_000;

const families = hasIpv6() ? ['ipv4', 'ipv6'] : ['ipv4'];

followParent();
endAtTheLatest();
await main();

/** stdin is a pipe of the process that started us: its end is that process's end. */
function followParent() {
  process.stdin.resume().on('close', () => process.exit(1));
  process.stdin.unref?.();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.on(signal, () => process.exit(code));
  }
}

function endAtTheLatest() {
  setTimeout(() => {
    process.stderr.write(`The demonstration did not end within ${String(WHOLE_MS / 1000)} s.\n`);
    process.exit(1);
  }, WHOLE_MS).unref();
}

async function main() {
  requirePrivateNamespace();
  const network = await makeNetwork();
  introduce(network);

  const ct = await Conntrack.open();
  const events = await ct.events();
  const seen = { new: 0, update: 0, destroy: 0, gap: 0 };
  const watching = watch(events, seen);
  const agent = new http.Agent({ keepAlive: true });

  await makeTraffic();
  await untilDestroyed(ct, seen);
  await makeLastingTraffic(agent);
  await allShown(events, seen);
  const flows = await ct.flows().toArray();
  const [counted, limits] = [await ct.count(), await ct.limits()];
  const statistics = await allShown(events, seen);
  events.close();
  await watching;
  agent.destroy();

  write('', bold('The table now'), ...flows.flatMap(flowLines));
  await deleteSome(ct);
  summarize({ seen, statistics, flows, counted, limits });
  await ct.close();
  await network.close();
}

/** Deletes what a filter matches, and shows the receipts: the flows with their last counters. */
async function deleteSome(ct) {
  const { deleted, matched, flows } = await ct.deleteWhere({ protocol: 'udp' }, { receipts: true });
  const title = `Deleted by the filter { protocol: 'udp' }: ${String(deleted)} of ${String(matched)}`;
  write('', bold(title), ...flows.flatMap(flowLines));
}

function introduce({ withoutSettings }) {
  write(
    bold('A private network: this client, a gateway that translates, and a server'),
    ...families.map(
      (family) =>
        `  client ${CLIENT[family]}, service ${SERVICE[family]}, server ${SERVER[family]}`,
    ),
  );
  if (withoutSettings.length > 0) write(`  cannot be set here: ${withoutSettings.join(', ')}`);
  write('', bold('Events as they happen'));
}

async function watch(events, seen) {
  for await (const event of events) {
    seen[event.type] += 1;
    write(...eventLines(event));
  }
}

async function makeTraffic() {
  for (const family of families) {
    for (const act of [() => request(family, '/index'), () => echo(family, 'hello'), ping]) {
      await act(family);
      await pause(BETWEEN_MS);
    }
  }
  await refused('ipv4');
}

/** The kernel drops a flow whose time is up when it next meets it: at the latest in a listing. */
async function untilDestroyed(ct, seen) {
  const deadline = performance.now() + LAST_DESTROY_MS;
  while (seen.destroy < seen.new && performance.now() < deadline) {
    await ct.flows().count();
    await pause(BETWEEN_MS);
  }
}

async function makeLastingTraffic(agent) {
  for (const family of families) {
    await request(family, '/kept-open', agent);
    await echo(family, 'once more');
  }
}

/** Resolves with the statistics when every event that was received has been shown. */
async function allShown(events, seen) {
  const shown = () => seen.new + seen.update + seen.destroy;
  for (let attempt = 0; attempt < SHOWN_ATTEMPTS; attempt += 1) {
    await pause(SHOWN_EVERY_MS);
    const statistics = events.statistics();
    if (statistics.received === shown()) return statistics;
  }
  throw new Error(`${String(events.statistics().received)} events came, ${String(shown())} shown.`);
}

function summarize({ seen, statistics, flows, counted, limits }) {
  const kinds = ['new', 'update', 'destroy'].map((kind) => `${String(seen[kind])} ${kind}`);
  const lost = [statistics.kernelDrops, statistics.queueDrops].map(String);
  write(
    '',
    bold('Summary'),
    `  events  ${String(statistics.received)} received: ${kinds.join(', ')}`,
    `  lost    ${lost[0]} in the kernel, ${lost[1]} in the queue`,
    `  flows   ${String(flows.length)} listed, ${String(counted)} counted by the kernel, at most ${String(limits.max)}`,
  );
  if (seen.new === 0 || seen.destroy === 0 || flows.length === 0) {
    throw new Error('The traffic did not show up in the events or in the table.');
  }
}
