/** Brings a process to a stage of its life and ends it there: `process.mjs STAGE ENDING`. */
import { say } from './conversation.mjs';
import { stages } from './stages.mjs';

const [stage, ending] = process.argv.slice(2);

const stop = await stages[stage]();
say('reached');
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
  default:
    // A signal comes from outside.
    setInterval(() => undefined, 1000);
    break;
}
