/** Waits for an event that does not come: does that keep the process alive? */
import { Conntrack } from '../../../dist/index.js';
import { say } from './conversation.mjs';

const [mode] = process.argv.slice(2);

const ct = await Conntrack.open();
const events = await ct.events();
if (mode === 'unref first') events.unref();
if (mode !== 'unread') {
  void events
    .batches()
    .next()
    .then(() => say('an event'));
}
if (mode === 'unref later') events.unref();
if (mode === 'ref again') events.unref().ref();
say('waits');
process.once('beforeExit', () => say('nothing keeps it'));
