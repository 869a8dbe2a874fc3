/**
 * Does everything that the library can do, in its own namespace or in another one: `least.mjs [NETNS]`.
 * Prints as JSON who it is and what each attempt came to.
 */
import { readFileSync } from 'node:fs';

import { Conntrack, diagnose } from '../../../dist/index.js';
import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const [netns] = process.argv.slice(2);

function whoever() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const capabilities = (name) =>
    Number(new RegExp(`^${name}:\\s+(\\w+)`, 'm').exec(status)[1].replace(/^/, '0x'));
  return {
    uid: process.getuid(),
    effective: capabilities('CapEff'),
    bounding: capabilities('CapBnd'),
    noNewPrivileges: /^NoNewPrivs:\s+1/m.test(status),
  };
}

const master = { protocol: 'tcp', orig: { src: '::1', dst: '::2', sport: 1000, dport: 21 } };
const made = { ...master, timeout: 60, state: 'established', helper: 'ftp' };
const expected = { protocol: 'tcp', tuple: { src: '::2', dst: '::1', dport: 2000 }, master };

const ct = await Conntrack.open(netns === undefined ? {} : { netns });
const events = await ct.events();
const came = {
  create: await attempt(() => ct.create(made)),
  get: await attempt(() => ct.get(master)),
  update: await attempt(() => ct.update(master, { mark: 1 })),
  flows: await attempt(() => ct.flows({ mark: 1 }).toArray()),
  zeroed: await attempt(() => ct.flows(undefined, { zeroCounters: true }).count()),
  count: await attempt(() => ct.count()),
  limits: await attempt(() => ct.limits()),
  stats: await attempt(() => ct.stats()),
  event: await attempt(() => events[Symbol.asyncIterator]().next()),
  expect: await attempt(() => ct.expectations.create(expected)),
  expectations: await attempt(() => ct.expectations.list()),
  expectationEvents: await attempt(async () => (await ct.expectations.events()).close()),
  updateWhere: await attempt(() => ct.updateWhere({ mark: 1 }, { mark: 2 })),
  deleteWhere: await attempt(() => ct.deleteWhere({ mark: 2 }, { receipts: true })),
  flush: await attempt(() => ct.flush()),
  sysctlGet: await attempt(() => ct.sysctl.get('nf_conntrack_acct')),
  sysctlSet: await attempt(() => ct.sysctl.set('nf_conntrack_acct', 1)),
  diagnose: await attempt(() => diagnose()),
};
events.close();
await ct.close();
say(JSON.stringify({ ...whoever(), came }));
