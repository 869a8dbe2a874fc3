/** Brings a worker to a stage of its life and ends it there; `terminate` is what its maker does. */
import { parentPort, workerData } from 'node:worker_threads';

import { stages } from './stages.mjs';

const { stage, ending } = workerData;

const stop = await stages[stage]();
parentPort.postMessage('reached');
switch (ending) {
  case 'exit':
    process.exit(7);
    break;
  case 'throw':
    setImmediate(() => {
      throw new Error('thrown on purpose');
    });
    break;
  case 'natural':
    stop();
    break;
  case 'terminate':
    setInterval(() => undefined, 1000);
    break;
}
