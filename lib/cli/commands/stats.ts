import type { CpuStats, ExpectationStats } from '../../stats';
import { Printer } from '../printer';
import type { Session } from '../session';

/** The counters that a kernel may send, by their names in the original, in its order. */
const NAMES: readonly (readonly [keyof CpuStats, string])[] = [
  ['found', 'found'],
  ['invalid', 'invalid'],
  ['insert', 'insert'],
  ['insertFailed', 'insert_failed'],
  ['drop', 'drop'],
  ['earlyDrop', 'early_drop'],
  ['error', 'error'],
  ['searchRestart', 'search_restart'],
  ['clashResolve', 'clash_resolve'],
  ['chainTooLong', 'chaintoolong'],
];

const EXPECTATION_NAMES: readonly (readonly [keyof ExpectationStats, string])[] = [
  ['new', 'expect_new'],
  ['create', 'expect_create'],
  ['delete', 'expect_delete'],
];

function line<Stats extends { cpu: number }>(
  stats: Stats,
  names: readonly (readonly [keyof Stats, string])[],
): string {
  const counters = names.flatMap(([member, name]) => {
    const value = stats[member];
    return value === undefined ? [] : [`${name}=${String(value)} `];
  });
  return `cpu=${String(stats.cpu).padEnd(4)}\t${counters.join('')}`;
}

export async function stats(session: Session): Promise<number> {
  const { ct, io, invocation } = session;
  const { isJson } = new Printer(invocation, io);
  const lines =
    invocation.table === 'expect'
      ? (await ct.expectations.stats()).map((cpu) =>
          isJson ? JSON.stringify(cpu) : line(cpu, EXPECTATION_NAMES),
        )
      : (await ct.stats()).map((cpu) => (isJson ? JSON.stringify(cpu) : line(cpu, NAMES)));
  await io.write(lines.map((text) => `${text}\n`).join(''));
  return 0;
}
