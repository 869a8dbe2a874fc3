/** Words instead of a command's letter: doctor, sysctl, demo. The original would have ignored them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Conntrack } from '../conntrack';
import { diagnose } from '../doctor';
import { ConntrackError } from '../errors';
import type { Finding } from '../findings';
import type { SysctlEntry, SysctlName } from '../sysctl';
import { failed, usage } from './failure';
import type { Io } from './io';
import { openConntrack } from './session';

interface Words {
  readonly json: boolean;
  readonly netns: string | number | undefined;
  readonly rest: readonly string[];
}

type Subcommand = (io: Io, words: Words) => Promise<number>;

const WIDTH = 79;

/** `given` is the namespace that was named before the word. */
function readWords(args: readonly string[], given: string | number | undefined): Words {
  const rest: string[] = [];
  let json = false;
  let netns = given;
  for (let at = 0; at < args.length; at += 1) {
    const [name, glued] = splitOption(args[at] ?? '');
    if (name === '--compat') continue;
    if (name !== '-o' && name !== '--output' && name !== '--netns') {
      if (name.startsWith('-')) throw usage(`unknown option \`${name}'`);
      rest.push(args[at] ?? '');
      continue;
    }
    const value = glued ?? args[(at += 1)];
    if (value === undefined) throw usage(`option \`${name}' requires an argument`);
    if (name === '--netns') netns = /^\d+$/.test(value) ? Number(value) : value;
    else if (value === 'json') json = true;
    else throw usage(`Bad parameter \`${value}'`);
  }
  return { json, netns, rest };
}

function splitOption(word: string): [string, string?] {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1;
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

/** Lines of at most a terminal's width, each behind `indent`. */
function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line].join('\n');
}

function findingText({ severity, what, remedy }: Finding): string {
  return `\n${severity}:\n${wrapped(what, '  ')}\n${wrapped(`-> ${remedy}`, '  ')}\n`;
}

async function doctor(io: Io, { json, netns, rest }: Words): Promise<number> {
  if (rest.length > 0) throw usage(`unknown word \`${rest[0] ?? ''}'`);
  const diagnosis = await diagnose(netns === undefined ? undefined : { netns });
  const { kernel, findings } = diagnosis;
  const summary =
    findings.length === 0 ? 'nothing hinders connection tracking here' : `${findings.length} found`;
  await io.write(
    json
      ? `${JSON.stringify(diagnosis)}\n`
      : `Linux ${kernel}: ${summary}\n${findings.map(findingText).join('')}`,
  );
  return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
}

function sysctlText({ name, value }: Pick<SysctlEntry, 'name' | 'value'>): string {
  return `net.netfilter.${name} = ${value}`;
}

async function sysctlWord(ct: Conntrack, word: string): Promise<SysctlEntry> {
  const [name = '', text] = word.split(/=(.*)/s);
  if (text !== undefined) {
    if (!/^\s*-?\d{1,15}\s*$/.test(text)) throw usage(`\`${text}' is no number`);
    await ct.sysctl.set(name.trim() as SysctlName, Number(text));
  }
  const bare = name.trim().replace(/^net\.netfilter\./, '') as SysctlName;
  const value = await ct.sysctl.get(bare);
  const listed = (await ct.sysctl.list()).find((entry) => entry.name === bare);
  return listed ?? { name: bare, value, writable: false };
}

async function sysctl(io: Io, { json, netns, rest }: Words): Promise<number> {
  const ct = await openConntrack(netns);
  try {
    const entries: SysctlEntry[] = rest.length === 0 ? await ct.sysctl.list() : [];
    for (const word of rest) entries.push(await sysctlWord(ct, word));
    const lines = entries.map((entry) => (json ? JSON.stringify(entry) : sysctlText(entry)));
    await io.write(lines.map((line) => `${line}\n`).join(''));
    return 0;
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw usage(error.message);
    throw error;
  } finally {
    await ct.close();
  }
}

/** From dist/ or lib/cli/ up to the package. */
function demoProgram(): string | undefined {
  return ['..', '../..']
    .map((up) => join(__dirname, up, 'scripts/demo/run.mjs'))
    .find((path) => existsSync(path));
}

async function demo(): Promise<number> {
  const program = demoProgram();
  if (program === undefined) throw failed('this installation lacks scripts/demo');
  const { status } = spawnSync(process.execPath, [program], { stdio: 'inherit' });
  return status ?? 1;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = { doctor, sysctl, demo };

/** Runs the sub-command that is the first word. */
export async function runSubcommand(
  [word = '', ...rest]: readonly string[],
  io: Io,
  netns: string | number | undefined,
): Promise<number> {
  try {
    return (await SUBCOMMANDS[word]?.(io, readWords(rest, netns))) ?? 1;
  } catch (error) {
    if (error instanceof ConntrackError) throw failed(error.message);
    throw error;
  }
}
