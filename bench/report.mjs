// The results as a table for people.
import { median, range, ratio } from './figures.mjs';

const number = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function judged({ rows, figures = [] }, target) {
  const value =
    target.figure === undefined
      ? ratio(rows, target.name, target.against)
      : figures.find(({ name }) => name === target.figure).value;
  const { atMost, atLeast } = target;
  const met = atMost === undefined ? value >= atLeast : value <= atMost;
  const what = target.figure ?? `${target.name} / ${target.against}`;
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return { what, value, bound, met };
}

/** The targets of a result, and whether each is met. */
export const verdicts = (result) => result.targets.map((target) => judged(result, target));

function rowText({ name, runs, ms, note }, first) {
  if (ms.length === 0) return `  ${name.padEnd(48)} ${note}`;
  const [low, high] = range(ms);
  const times = `${number(median(ms)).padStart(7)} ms (${number(low)}-${number(high)})`;
  const relative = first === undefined ? '' : `${number(median(ms) / first).padStart(7)} x`;
  const { lost, perEvent, rate } = runs.at(-1);
  const more =
    lost === undefined
      ? ''
      : `  lost ${lost}` +
        (perEvent === undefined ? '' : `, ${number(perEvent)} us of CPU an event`) +
        (rate === undefined ? '' : `, ${number(rate / 1000)} k/s`);
  return `  ${name.padEnd(48)} ${times.padEnd(24)}${relative}${more}`;
}

export function text(result) {
  const { title, rows, figures = [], problems } = result;
  const first = rows[0]?.ms.length > 0 ? median(rows[0].ms) : undefined;
  return [
    title,
    ...rows.map((row) => rowText(row, first)),
    ...figures.map(({ name, value }) => `  ${name}: ${number(value)}`),
    ...verdicts(result).map(
      ({ what, value, bound, met }) =>
        `  ${met ? 'met   ' : 'missed'}  ${what}: ${number(value)}, ${bound}`,
    ),
    ...problems.map((problem) => `  WRONG: ${problem}`),
    '',
  ].join('\n');
}
