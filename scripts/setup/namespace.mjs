// Namespaces without a name: they end with the last process in them, so nothing is left behind.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { StepError } from './report.mjs';

const AS_ROOT = [];
const AS_USER = ['--user', '--map-root-user'];

/**
 * The command line that starts a program in new namespaces.
 * @param {string[]} kinds options of unshare(1), such as `--net`
 */
export function unshareCommand(kinds) {
  // Root in a container may lack CAP_SYS_ADMIN and still be allowed a user namespace.
  const identities = process.getuid() === 0 ? [AS_ROOT, AS_USER] : [AS_USER];
  let refusal = '';
  for (const identity of identities) {
    const args = [...identity, ...kinds];
    // Some systems grant the namespace and then no right in it; using one is the proof.
    const probe = spawnSync('unshare', [...args, 'ip', 'link', 'set', 'lo', 'up']);
    if (probe.status === 0) return ['unshare', ...args];
    refusal = String(probe.error?.message ?? probe.stderr);
  }
  throw new StepError('This system does not let this user make a private network namespace.', {
    output: refusal,
    remedy: remedy(),
  });
}

function remedy() {
  const settings = [
    ['kernel/unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
    [
      'kernel/apparmor_restrict_unprivileged_userns',
      '1',
      'kernel.apparmor_restrict_unprivileged_userns=0',
    ],
    ['user/max_user_namespaces', '0', 'user.max_user_namespaces=15000'],
  ];
  const forbidding = settings.filter(([path, value]) => readSetting(path) === value);
  if (forbidding.length > 0) {
    const assignments = forbidding.map(([, , assignment]) => assignment).join(' ');
    return `run it as root, or allow user namespaces: sudo sysctl -w ${assignments}`;
  }
  return 'run it as root, or in a container that is given CAP_SYS_ADMIN and CAP_NET_ADMIN.';
}

function readSetting(path) {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
