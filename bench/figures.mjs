// Medians, ranges and ratios.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const range = (values) => [Math.min(...values), Math.max(...values)];

/**
 * Lets each of `contenders` ({name, go}) go once in each round, in turn: what disturbs the machine for a while
 * disturbs all of them. The first round warms up and does not count.
 */
export async function inTurn(contenders, rounds, before = () => undefined) {
  const results = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, go } of contenders) {
      await before(name);
      const result = await go();
      if (round > 0) results.get(name).push(result);
    }
  }
  return [...results].map(([name, runs]) => ({ name, runs, ms: runs.map(({ ms }) => ms) }));
}

/** Medians of `key` over the rounds of two contenders, one divided by the other. */
export function ratio(rows, name, against, key = 'ms') {
  const of = (wanted) => {
    const row = rows.find((each) => each.name === wanted);
    return row === undefined ? NaN : median(row.runs.map((run) => run[key]));
  };
  return of(name) / of(against);
}
