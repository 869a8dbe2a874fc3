/** Loads the package in a directory and opens: `loading.mjs DIRECTORY [PLATFORM]`. Prints JSON. */
import { createRequire } from 'node:module';

import { attempt } from './attempt.mjs';
import { say } from './conversation.mjs';

const [directory, platform] = process.argv.slice(2);
if (platform !== undefined) Object.defineProperty(process, 'platform', { value: platform });

const loaded = createRequire(import.meta.url)(directory);
let error;
const opened = await attempt(() =>
  loaded.Conntrack.open().catch((reason) => {
    error = reason;
    throw reason;
  }),
);
// The second time is as the first.
const again = await attempt(() => loaded.Conntrack.open());
say(
  JSON.stringify({
    names: Object.keys(loaded).sort(),
    opened,
    again,
    isConntrackError: error instanceof loaded.ConntrackError,
    cause: error?.cause?.message,
  }),
);
