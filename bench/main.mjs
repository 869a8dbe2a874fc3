// The benchmarks, in a network namespace of their own: started by bench.mjs.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { inRoot } from '../scripts/setup/root.mjs';
import { Contender, killAll, timed } from './contender.mjs';
import { markdown } from './markdown.mjs';
import { plot } from './plot.mjs';
import { text, verdicts } from './report.mjs';
import { create, remove } from './work/changes.mjs';
import { commandLine } from './work/command-line.mjs';
import { blocked, churn, idle, packets, perEvent } from './work/events.mjs';
import { filtered, list, stream } from './work/list.mjs';
import { sizesOfTables, subscriptions } from './work/scaling.mjs';

const FULL = {
  ...{ flows: 200_000, create: 100_000, stream: 1_000_000, seconds: 10, blockMs: 2000 },
  ...{ packets: 1_000_000, packetRate: 100_000, scale: [1000, 10_000, 100_000, 1_000_000] },
  ...{ scaleSeconds: 3, rounds: 7 },
};
const QUICK = {
  ...{ flows: 20_000, create: 10_000, stream: 100_000, seconds: 1, blockMs: 500 },
  ...{ packets: 50_000, packetRate: 50_000, scale: [1000, 10_000, 100_000] },
  ...{ scaleSeconds: 0.5, rounds: 2 },
};
const WORKS = {
  ...{ list, filtered, stream, 'command-line': commandLine, churn, packets, 'per-event': perEvent },
  ...{ blocked, idle, delete: remove, create, scaling: sizesOfTables, subscriptions },
};

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    out: { type: 'string', default: 'build/bench' },
  },
});

function sysctl(name, value) {
  writeFileSync(`/proc/sys/net/netfilter/${name}`, `${value}\n`);
}

/** A device that swallows packets, with all of 10.0.0.0/8 behind it, and a rule that tracks them. */
function network() {
  sysctl('nf_conntrack_acct', 1);
  sysctl('nf_conntrack_events', 1);
  const ip = (...args) => execFileSync('ip', args);
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'sink', 'type', 'ifb');
  ip('addr', 'add', '172.31.0.1/32', 'dev', 'sink');
  ip('link', 'set', 'sink', 'up');
  ip('route', 'add', '10.0.0.0/8', 'dev', 'sink', 'src', '172.31.0.1');
  const rule =
    'table inet bench { chain out { type filter hook output priority 0; ct state new accept; }; }';
  execFileSync('nft', ['-f', '-'], { input: rule });
}

/** No more flows than the machine allows. */
function affordable(sizes) {
  const max = Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'));
  const limit = max === 0 ? Infinity : Math.floor(max * 0.95);
  return {
    ...sizes,
    stream: Math.min(sizes.stream, limit),
    packets: Math.min(sizes.packets, limit),
    scale: sizes.scale.filter((flows) => flows <= limit),
  };
}

function machine() {
  const [{ model }] = cpus();
  const version = (command, args) => spawnSync(command, args, { encoding: 'utf8' }).stdout.trim();
  return {
    cpu: `${String(cpus().length)} x ${model}`,
    kernel: release(),
    node: process.version,
    conntrack: version('conntrack', ['-V']),
    date: new Date().toISOString().slice(0, 10),
  };
}

const script = (name) => inRoot('bench/contenders', `${name}.mjs`);
const node = (name, ...args) => new Contender(name, process.execPath, [...args, script(name)]);

function contenders() {
  const floor = inRoot('build/bench/floor');
  return {
    floor: new Contender('floor', floor),
    listener: new Contender('listener', floor),
    ours: node('ours', '--expose-gc'),
    js: node('js-netlink'),
    spawned: node('spawn'),
    slow: node('slow'),
  };
}

async function runWorks(names, env) {
  const results = [];
  for (const name of names) {
    const result = { work: name, ...(await WORKS[name](env)) };
    process.stdout.write(`${text(result)}\n`);
    results.push(result);
  }
  return results;
}

function write(results) {
  const directory = inRoot(options.out);
  mkdirSync(directory, { recursive: true });
  const judged = results.map((result) => ({ ...result, targets: verdicts(result) }));
  const whole = { machine: machine(), quick: options.quick, results: judged };
  writeFileSync(join(directory, 'results.json'), `${JSON.stringify(whole, null, 1)}\n`);
  writeFileSync(join(directory, 'results.svg'), plot(results));
  writeFileSync(join(directory, 'results.md'), markdown(whole.machine, results));
  process.stdout.write(`${options.out}/results.json, .svg, .md\n`);
}

async function main() {
  const names = options.only ?? Object.keys(WORKS);
  const unknown = names.filter((name) => !Object.hasOwn(WORKS, name));
  if (unknown.length > 0) {
    process.stderr.write(
      `no such work: ${unknown.join(', ')}; there are ${Object.keys(WORKS).join(', ')}\n`,
    );
    return 2;
  }
  network();
  const sizes = affordable(options.quick ? QUICK : FULL);
  const scratch = mkdtempSync(join(tmpdir(), 'nfconntrack-bench-'));
  const programs = contenders();
  try {
    const command = `${process.execPath} ${inRoot('dist/cli.js')}`;
    const env = {
      ...programs,
      // The package ends the process at the first overrun, with a message of its own.
      newJs: () =>
        new Contender('netlink in pure JS', process.execPath, [script('js-netlink')], 'ignore'),
      timed,
      command,
      scratch,
      sizes,
      rounds: sizes.rounds,
    };
    const results = await runWorks(names, env);
    write(results);
    const problems = results.flatMap((result) => result.problems);
    process.stdout.write(
      problems.length === 0 ? 'every counter adds up\n' : `${problems.length} problems\n`,
    );
    return problems.length === 0 ? 0 : 1;
  } finally {
    await Promise.all(Object.values(programs).map((program) => program.end()));
    rmSync(scratch, { recursive: true });
  }
}

process.once('exit', killAll);
process.exitCode = await main();
