/** The file of -R: command lines, one to a line. */
import { usage } from './failure';
import type { Invocation } from './invocation';
import { LETTERS } from './option-table';

const BLANK = /[ \t\n]/;
/** What the original has room for. */
const LONGEST_WORD = 1023;
const MOST_WORDS = 254;

/** Words between blanks; quotes hold blanks, and within them a backslash holds the next character. */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let begun = false;
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (quoted && character === '\\') {
      at += 1;
      word += line.charAt(at);
    } else if (character === '"') {
      quoted = !quoted;
      begun = true;
    } else if (!quoted && BLANK.test(character)) {
      if (begun) words.push(checked(word));
      [word, begun] = ['', false];
    } else {
      word += character;
      begun = true;
    }
  }
  if (begun) words.push(checked(word));
  if (words.length >= MOST_WORDS) throw usage('too many arguments');
  return words;
}

function checked(word: string): string {
  if (word.length > LONGEST_WORD) throw usage('Parameter too long!');
  return word;
}

/** The lines that say something; the first word of each is a program's, as in an argument list. */
export function* commandLines(text: string): Generator<string[]> {
  for (const line of text.split('\n')) {
    const trimmed = line.replace(/^[ \t]+/, '');
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    yield ['conntrack', ...splitLine(trimmed)];
  }
}

const ALLOWED = ['create', 'add', 'update', 'delete', 'flush'];

/** As the original calls a command that a file must not have; it takes one for another. */
function nameOf({ command, table }: Invocation): string {
  const letter = table === 'expect' && command === 'create' ? 'C' : LETTERS[command];
  return `-${letter}${table === 'expect' ? ' expect' : ''}`;
}

export function checkBatched(invocation: Invocation | undefined): Invocation {
  if (invocation === undefined) throw notAllowed('unknown');
  const { command, table } = invocation;
  if (table !== 'conntrack' || !ALLOWED.includes(command)) throw notAllowed(nameOf(invocation));
  return invocation;
}

function notAllowed(name: string): Error {
  return usage(`Cannot use command \`${name}' with --load-file`);
}
