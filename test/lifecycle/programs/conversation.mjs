/** Lines with the test that started this program. */
import { createInterface } from 'node:readline';

let lines;

/** @param {string} line */
export function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Gives the next line; only meanwhile does it keep the process alive. */
export async function heard() {
  lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  process.stdin.ref();
  const { value } = await lines.next();
  process.stdin.unref();
  return value;
}
