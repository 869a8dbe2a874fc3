/**
 * Namespaces by their names, in a mount namespace where /run is this program's own. Prints what it found
 * as JSON.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';

import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

// conntrack(8) reports success on stderr.
const run = (command, ...args) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Makes a namespace and one flow in it, and gives the port that tells the flow. */
function make(name, port) {
  run('ip', 'netns', 'add', name);
  const flow = ['-s', '192.0.2.1', '-d', '192.0.2.2', '-p', 'udp', '-t', '300'];
  const ports = ['--sport', String(port), '--dport', '53'];
  run('ip', 'netns', 'exec', name, 'conntrack', '-I', ...flow, ...ports);
}

const ports = async (ct) => (await ct.flows().toArray()).map((flow) => flow.orig.sport);

async function failure(netns) {
  try {
    await Conntrack.open({ netns });
    return 'opened';
  } catch ({ name, message, code, errno, syscall, hint }) {
    return { name, message, code, errno, syscall, hint };
  }
}

run('mount', '-t', 'tmpfs', 'tmpfs', '/run');
mkdirSync('/run/netns');
make('alpha', 1001);
make('beta', 1002);
symlinkSync('/run/netns/beta', '/run/link');

const alpha = await Conntrack.open({ netns: 'alpha' });
const beta = await Conntrack.open({ netns: 'beta' });
const byPath = await Conntrack.open({ netns: '/run/netns/alpha' });
const byLink = await Conntrack.open({ netns: '/run/link' });
const found = {
  alpha: await ports(alpha),
  beta: await ports(beta),
  byPath: await ports(byPath),
  byLink: await ports(byLink),
  own: await ports(await Conntrack.open()),
};

run('ip', 'netns', 'delete', 'alpha');
make('alpha', 1003);
const after = {
  pinned: await ports(alpha),
  anew: await ports(await Conntrack.open({ netns: 'alpha' })),
};

run('ip', 'netns', 'delete', 'beta');
writeFileSync('/run/netns/file', '');
const refused = {
  gone: await failure('beta'),
  never: await failure('gamma'),
  file: await failure('file'),
};
say(JSON.stringify({ found, after, refused }));
