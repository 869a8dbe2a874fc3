/**
 * What a command line may need, loaded when it does: -C starts without everything that lists or changes.
 */
import type * as conntrack from '../conntrack';
import type * as labels from '../labels';
import type * as batchFile from './batch-file';
import type * as count from './commands/count';
import type * as create from './commands/create';
import type * as deleting from './commands/delete';
import type * as event from './commands/event';
import type * as expect from './commands/expect';
import type * as explain from './commands/explain';
import type * as flush from './commands/flush';
import type * as get from './commands/get';
import type * as help from './commands/help';
import type * as list from './commands/list';
import type * as stats from './commands/stats';
import type * as update from './commands/update';
import type * as subcommands from './subcommands';
import type * as where from './where';

/* eslint-disable @typescript-eslint/no-require-imports -- import() would need the names of compiled files */
export const lazy = {
  conntrack: (): typeof conntrack => require('../conntrack') as typeof conntrack,
  labels: (): typeof labels => require('../labels') as typeof labels,
  batchFile: (): typeof batchFile => require('./batch-file') as typeof batchFile,
  count: (): typeof count => require('./commands/count') as typeof count,
  create: (): typeof create => require('./commands/create') as typeof create,
  deleting: (): typeof deleting => require('./commands/delete') as typeof deleting,
  event: (): typeof event => require('./commands/event') as typeof event,
  expect: (): typeof expect => require('./commands/expect') as typeof expect,
  explain: (): typeof explain => require('./commands/explain') as typeof explain,
  flush: (): typeof flush => require('./commands/flush') as typeof flush,
  get: (): typeof get => require('./commands/get') as typeof get,
  help: (): typeof help => require('./commands/help') as typeof help,
  list: (): typeof list => require('./commands/list') as typeof list,
  stats: (): typeof stats => require('./commands/stats') as typeof stats,
  update: (): typeof update => require('./commands/update') as typeof update,
  subcommands: (): typeof subcommands => require('./subcommands') as typeof subcommands,
  where: (): typeof where => require('./where') as typeof where,
};
/* eslint-enable @typescript-eslint/no-require-imports */
