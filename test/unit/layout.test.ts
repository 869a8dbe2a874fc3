import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { LAYOUT_VERSION } from '../../lib/layout';
import { native } from '../../lib/native';

const ROOT = join(__dirname, '../..');

test('both sides of the layout are generated from its source', () => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/generate-layout.mjs'), '--check']);
});

test('the addon has the layout of the library', () => {
  expect(native().layoutVersion).toBe(LAYOUT_VERSION);
});
