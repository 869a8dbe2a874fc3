/** The command line, from words to an exit code. */
import { basename } from 'node:path';

import { ConntrackError } from '../errors';
import type { Filter } from '../filter';
import { countAll } from './count-all';
import { failureOf } from './errors';
import { CliFailure, failed, usage, USAGE_FAILURE } from './failure';
import { type Identity, identityOf, prefixOf, tryLine, versionLine } from './identity';
import type { Invocation } from './invocation';
import { type Io, isBrokenPipe } from './io';
import type { Verb } from './legality';
import { lazy } from './lazy';
import { type Globals, parseInvocation } from './parse';
import { openConntrack, type Run } from './session';
import { packageVersion } from './version';

const SUBCOMMANDS = ['doctor', 'sysctl', 'demo'];

/** What a shell sees of a program that SIGPIPE has ended. */
const BROKEN_PIPE = 128 + 13;

/** Each is loaded when it is asked for: a program that counts starts without those that list. */
const RUNS: Readonly<Partial<Record<Verb, () => Run>>> = {
  list: () => lazy.list().list,
  get: () => lazy.get().get,
  create: () => lazy.create().create,
  add: () => lazy.create().create,
  delete: () => lazy.deleting().deleteFlows,
  update: () => lazy.update().update,
  flush: () => lazy.flush().flush,
  event: () => lazy.event().event,
  count: () => lazy.count().count,
  stats: () => lazy.stats().stats,
  'expect-list': () => lazy.expect().listExpectations,
  'expect-get': () => lazy.expect().getExpectation,
  'expect-create': () => lazy.expect().createExpectation,
  'expect-delete': () => lazy.expect().deleteExpectation,
  'expect-flush': () => lazy.flush().flush,
  'expect-event': () => lazy.event().event,
  'expect-count': () => lazy.count().count,
  'expect-stats': () => lazy.stats().stats,
};

function runOf({ verb, explain: explained }: Invocation): Run {
  if (explained) return lazy.explain().explain;
  const run = RUNS[verb]?.();
  if (run === undefined) throw failed(`${verb} is not known`);
  return run;
}

/** What is said for the whole program. */
interface Settings extends Globals {
  readonly version: string;
}

const identity = ({ compat, version }: Settings): Identity => identityOf(compat, version);

function parse(
  argv: readonly string[],
  io: Io,
  settings: Settings,
): Promise<Invocation | undefined> {
  const warn = (line: string): void => io.error(`${line}\n`);
  return parseInvocation(argv, { env: io.env, warn }, settings);
}

const WITH_WHERE: readonly Verb[] = ['list', 'delete', 'update', 'event', 'count'];
const WITH_DRY_RUN: readonly Verb[] = ['delete', 'update'];

function checkOwnOptions({ where, explain: explained, dryRun, verb }: Invocation): void {
  const illegal = (name: string): Error => usage(`Illegal option \`--${name}' with this command`);
  if (where !== undefined && !WITH_WHERE.includes(verb)) throw illegal('where');
  if (explained && !WITH_WHERE.includes(verb)) throw illegal('explain');
  if (dryRun && !WITH_DRY_RUN.includes(verb)) throw illegal('dry-run');
}

async function whereOf({ where, labelMap }: Invocation): Promise<Filter | undefined> {
  if (where === undefined) return undefined;
  const { parseWhere } = lazy.where();
  const { LabelMap } = lazy.labels();
  const labels = labelMap ?? (/label/i.test(where) ? await LabelMap.load() : undefined);
  return parseWhere(where, (name) => (labels?.has(name) ? labels.bit(name) : undefined));
}

/** Runs one command in a namespace that is opened for it. */
async function runOne(invocation: Invocation, io: Io, settings: Settings): Promise<number> {
  checkOwnOptions(invocation);
  const where = await whereOf(invocation);
  const { verb } = invocation;
  try {
    if (verb === 'count' && where === undefined && !invocation.explain) {
      return await countAll(invocation, io, settings.netns);
    }
    const run = runOf(invocation);
    const ct = await openConntrack(settings.netns);
    try {
      const session = { ct, io, identity: identity(settings), invocation, where, batch: false };
      return await run(session);
    } finally {
      await ct.close();
    }
  } catch (error) {
    throw listenFailure(error, verb, io) ?? failureOf(error, verb);
  }
}

/** As the original says that it may not listen. */
function listenFailure(error: unknown, verb: Verb, io: Io): Error | undefined {
  if (!(error instanceof ConntrackError) || error.code !== 'EPERM') return undefined;
  if (verb === 'expect-event') return failed("Can't open handler");
  if (verb !== 'event') return undefined;
  io.error('mnl_socket_bind: Operation not permitted\n');
  return failed("Can't open netlink socket");
}

/** All lines are read and checked before the first of them is carried out. */
async function runBatch(path: string, io: Io, settings: Settings): Promise<number> {
  const { checkBatched, commandLines } = lazy.batchFile();
  const invocations: Invocation[] = [];
  for (const argv of commandLines(readBatch(path, io))) {
    const invocation = checkBatched(await parse(argv, io, settings));
    checkOwnOptions(invocation);
    invocations.push(invocation);
  }
  const ct = await openConntrack(settings.netns);
  try {
    for (const invocation of invocations) {
      const where = await whereOf(invocation);
      const session = { ct, io, identity: identity(settings), invocation, where, batch: true };
      const run = runOf(invocation);
      const code = await runInBatch(invocation, () => run(session));
      if (code !== 0) return code;
    }
    return 0;
  } finally {
    await ct.close();
  }
}

async function runInBatch({ verb }: Invocation, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    throw failureOf(error, verb);
  }
}

function readBatch(path: string, io: Io): string {
  try {
    return io.read(path);
  } catch {
    throw usage(`Failed to open file ${path} for reading`);
  }
}

/** The settings that stand before everything, and what is left of the words. */
function leading(argv: readonly string[], settings: Settings): string[] {
  const rest = [...argv];
  while (rest.length > 1) {
    const word = rest[1] ?? '';
    if (word === '--compat') settings.compat = true;
    else if (word.startsWith('--netns=')) settings.netns = word.slice(8);
    else if (word === '--netns' && rest.length > 2) settings.netns = rest.splice(2, 1)[0];
    else break;
    rest.splice(1, 1);
  }
  if (typeof settings.netns === 'string' && /^\d+$/.test(settings.netns)) {
    settings.netns = Number(settings.netns);
  }
  return rest;
}

async function dispatch(given: readonly string[], io: Io, settings: Settings): Promise<number> {
  const argv = leading(given, settings);
  const [, first = '', file] = argv;
  if (SUBCOMMANDS.includes(first)) {
    const { runSubcommand } = lazy.subcommands();
    return runSubcommand(argv.slice(1), io, settings.netns);
  }
  if ((first === '-R' || first === '--load-file') && file !== undefined) {
    return runBatch(file, io, settings);
  }
  const invocation = await parse(argv, io, settings);
  if (invocation === undefined || invocation.command === 'help') {
    const { helpText } = lazy.help();
    await io.write(helpText(identity(settings), invocation?.protocol));
    return 0;
  }
  if (invocation.command === 'version') {
    await io.write(`${versionLine(identity(settings))}\n`);
    return 0;
  }
  return runOne(invocation, io, settings);
}

function report({ message, exitCode }: CliFailure, io: Io, settings: Settings): number {
  const who = identity(settings);
  const help = exitCode === USAGE_FAILURE ? `${tryLine(who)}\n` : '';
  io.error(`${prefixOf(who)}${message}\n${help}`);
  return exitCode;
}

/** Runs the command line `argv`, whose first word is the program; gives the exit code. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const settings: Settings = {
    compat: basename(argv[0] ?? '') === 'conntrack' || argv.includes('--compat'),
    netns: undefined,
    version: packageVersion(),
  };
  try {
    return await dispatch(argv, io, settings);
  } catch (error) {
    if (isBrokenPipe(error)) return BROKEN_PIPE;
    if (error instanceof CliFailure) return report(error, io, settings);
    if (error instanceof ConntrackError) return report(failed(error.message), io, settings);
    throw error;
  }
}
