/**
 * Opens everything that the library opens, and prints as JSON what a child of this process finds among
 * its descriptors before and meanwhile, without the numbers, which differ each time.
 */
import { execFileSync } from 'node:child_process';

import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

// The shell's own descriptor of the directory is gone when it is looked at.
const LIST = 'for fd in /proc/self/fd/*; do readlink "$fd" || true; done';

const inherited = () =>
  execFileSync('sh', ['-c', LIST], { encoding: 'utf8' })
    .split('\n')
    .map((target) => target.replace(/\d+/g, ''))
    .sort();

const before = inherited();
const ct = await Conntrack.open();
const events = await ct.events();
const batches = ct.flows().batches();
await batches.next();
const during = inherited();
events.close();
await batches.return();
await ct.close();
say(JSON.stringify({ before, during }));
