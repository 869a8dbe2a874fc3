// The path that we did not take: libnetfilter_conntrack's parser, and one object a flow through Node-API, by the
// addon of the tests.
import { createRequire } from 'node:module';

import { measured, obey } from './commands.mjs';

const testing = createRequire(import.meta.url)('../../test/native/build/Release/testing.node');
const GET = (1 << 8) | 1;

function list() {
  const capture = new testing.NetlinkCapture([]);
  let count = 0;
  let sum = 0;
  for (const message of capture.dump(GET)) {
    const flow = testing.oraclePeek(message);
    sum += flow.orig_l4proto + flow.orig_port_src + flow.orig_port_dst + flow.timeout;
    count += 1;
  }
  capture.close();
  return { count, sum };
}

await obey({ list: () => measured(list) });
