/** A callback of onBatch() that throws, first with a handler for uncaught exceptions, then without. */
import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

const WANTED = 3;

const ct = await Conntrack.open();
const events = await ct.events();
let caught = 0;
let batches = 0;

process.on('uncaughtException', (error) => {
  if (error.message !== 'thrown on purpose') throw error;
  caught += 1;
  if (caught < WANTED) return;
  process.removeAllListeners('uncaughtException');
  say(`caught ${caught} of ${batches}`);
});
events.onBatch(() => {
  batches += 1;
  throw new Error('thrown on purpose');
});
say('reads');
