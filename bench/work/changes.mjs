// Creating and deleting.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { inTurn } from '../figures.mjs';

const lines = (count) =>
  Array.from({ length: count }, (_, index) => {
    const number = Math.floor(index / 4);
    const tcp = Math.floor(index / 2) % 2 === 0;
    const last = 1 + Math.floor(number / 50_000);
    const [src, dst] = [`10.0.0.${1 + (index % 4)}`, `192.0.2.${last}`];
    const ports = `--sport ${1024 + (number % 50_000)} --dport ${index % 100 === 0 ? 8080 : 443}`;
    const rest = tcp ? `-p tcp ${ports} --state ESTABLISHED` : `-p udp ${ports}`;
    return `-A -t 3600 -u SEEN_REPLY,ASSURED -s ${src} -d ${dst} ${rest}\n`;
  }).join('');

export async function create({ floor, ours, js, timed, sizes, rounds, scratch }) {
  const batch = join(scratch, 'flows');
  writeFileSync(batch, lines(sizes.create));
  const rows = await inTurn(
    [
      { name: 'C, the same batches', go: () => floor.ask(`fill 0 ${sizes.create}`) },
      { name: 'ours: createMany()', go: () => ours.ask(`create ${sizes.create}`) },
      { name: 'netlink in pure JS', go: () => js.ask(`create ${sizes.create}`) },
      { name: 'conntrack -R', go: () => timed(`exec conntrack -R ${batch}`) },
    ],
    Math.min(rounds, 5),
    () => floor.ask('flush'),
  );
  const problems = rows.flatMap(({ name, runs }) =>
    runs.flatMap(({ count = sizes.create, code = 0 }) =>
      count === sizes.create && code === 0 ? [] : [`${name}: ${count} flows, exit code ${code}`],
    ),
  );
  return {
    title: `create ${sizes.create} flows`,
    rows,
    problems,
    targets: [
      { name: 'ours: createMany()', against: 'C, the same batches', atMost: 1.25 },
      { name: 'ours: createMany()', against: 'conntrack -R', atMost: 0.3 },
    ],
  };
}

export async function remove({ floor, ours, timed, sizes, rounds }) {
  const NAME = 'ours: deleteWhere()';
  const WITH = 'ours: deleteWhere() with receipts';
  await floor.ask('flush');
  const rows = await inTurn(
    [
      { name: 'conntrack -D -s', go: () => timed('exec conntrack -D -s 10.0.0.1') },
      { name: NAME, go: () => ours.ask('delete') },
      { name: WITH, go: () => ours.ask('delete-receipts') },
    ],
    Math.min(rounds, 5),
    () => floor.ask(`fill 0 ${sizes.flows}`),
  );
  await floor.ask('flush');
  const wanted = sizes.flows / 4;
  const problems = rows.flatMap(({ name, runs }) =>
    runs.flatMap(({ count = wanted, receipts = wanted, code = 0 }) =>
      count === wanted && receipts === wanted && code === 0
        ? []
        : [`${name}: ${count} deleted, ${receipts} receipts, exit code ${code}`],
    ),
  );
  return {
    title: `delete ${wanted} of ${sizes.flows} flows by address`,
    rows,
    problems,
    targets: [
      { name: NAME, against: 'conntrack -D -s', atMost: 0.25 },
      { name: WITH, against: 'conntrack -D -s', atMost: 0.3 },
    ],
  };
}
