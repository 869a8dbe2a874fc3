/** Opens a namespace by its path: `opening.mjs PATH`. Prints as JSON what it came to. */
import { Conntrack } from '../../../dist/index.js';
import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const [netns] = process.argv.slice(2);
say(JSON.stringify(await attempt(() => Conntrack.open({ netns }))));
