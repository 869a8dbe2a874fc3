// What the benchmarks share.
import { median } from './figures.mjs';

export const OURS = {
  batches: 'ours: batches, five columns summed',
  flows: 'ours: for await, five fields read',
  array: 'ours: toArray()',
};

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Complains of contenders whose sums are too far apart for the timeouts that ran out in between. */
export function same(rows, names, flows) {
  const sums = names.map((name) =>
    median(rows.find((row) => row.name === name).runs.map(({ sum }) => sum)),
  );
  const spread = Math.max(...sums) - Math.min(...sums);
  // A timeout loses a second in a second; nothing here takes a minute.
  return spread <= 60 * flows
    ? []
    : [`${names.join(', ')} read different things: ${sums.join(' ')}`];
}
