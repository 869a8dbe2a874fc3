// One preparation at a time in one clone. The kernel's lock goes away with its holders, so a killed
// run leaves nothing to clean up.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

import { shareLock } from './child.mjs';
import { root } from './root.mjs';

const onDescriptor3 = (descriptor) => ({ stdio: ['ignore', 'ignore', 'ignore', descriptor] });

/** Runs `work` while holding the clone's lock; without flock(1) on the machine, unguarded. */
export async function locked(work) {
  // flock(2) locks belong to the open file, so the lock that flock(1) takes on ours stays with us.
  const descriptor = openSync(root, 'r');
  try {
    const attempt = spawnSync('flock', ['--nonblock', '3'], onDescriptor3(descriptor));
    if (attempt.status === 1) await waitFor(descriptor);
    shareLock(descriptor);
    return await work();
  } finally {
    shareLock(undefined);
    closeSync(descriptor);
  }
}

function waitFor(descriptor) {
  process.stderr.write('Another run is preparing this directory; waiting for it.\n');
  const child = spawn('flock', ['3'], onDescriptor3(descriptor));
  return new Promise((resolve) => child.once('close', resolve).once('error', resolve));
}
