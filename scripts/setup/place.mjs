// Where tests run: namespaces of their own, that end with them.
import { unshareCommand } from './namespace.mjs';

// Tests may make namespaces with a name; the names live in a place that ends with the tests.
const SCRIPT = `
if [ -d /run/netns ]; then mount -t tmpfs tmpfs /run/netns
else mount -t tmpfs tmpfs /run && mkdir /run/netns
fi && ip link set lo up && exec "$@"`;

/** The command line that starts another one there. */
export function inPrivatePlace(commandLine) {
  return [...unshareCommand(['--mount', '--net']), 'sh', '-c', SCRIPT, 'sh', ...commandLine];
}
