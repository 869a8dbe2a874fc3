// The native addon alone, with the compiler and libraries that are there.
import { make } from './prepare.mjs';
import { nativeAddon } from './setup/addon.mjs';
import { endOnSignals } from './setup/child.mjs';
import { nodeModules } from './setup/modules.mjs';
import { command } from './setup/report.mjs';

endOnSignals();
await command(() => make([nodeModules, nativeAddon]));
