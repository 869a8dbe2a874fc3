// The TypeScript alone: lib/ into dist/.
import { make } from './prepare.mjs';
import { endOnSignals } from './setup/child.mjs';
import { library } from './setup/library.mjs';
import { nodeModules } from './setup/modules.mjs';
import { command } from './setup/report.mjs';

endOnSignals();
await command(() => make([nodeModules, library]));
