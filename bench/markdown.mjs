// The results as tables for the documentation.
import { median, range } from './figures.mjs';
import { verdicts } from './report.mjs';

const number = (value) => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))));

function table({ title, rows, figures = [] }) {
  const shown = rows.filter(({ ms }) => ms.length > 0);
  const first = shown.length > 0 ? median(shown[0].ms) : undefined;
  const streams = shown.some(({ runs }) => runs[0].perEvent !== undefined);
  const head = streams
    ? ['', 'events/s', 'lost', 'us of CPU an event']
    : ['', 'ms', 'least-most', 'x'];
  const lines = shown.map(({ name, runs, ms }) => {
    const { lost, perEvent, rate } = runs.at(-1);
    if (streams) return [name, number(rate), lost, number(perEvent)];
    const [low, high] = range(ms);
    return [name, number(median(ms)), `${number(low)}-${number(high)}`, number(median(ms) / first)];
  });
  const notes = rows.filter(({ ms }) => ms.length === 0).map(({ name, note }) => [name, note]);
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const body =
    shown.length === 0
      ? []
      : [row(head), row(head.map(() => '---')), ...[...lines, ...notes].map(row), ''];
  return [
    `### ${title[0].toUpperCase()}${title.slice(1)}`,
    '',
    ...body,
    ...figures.map(({ name, value }) => `- ${name}: ${number(value)}`),
    '',
  ];
}

/** A Markdown page of results, with the targets and whether each was met. */
export function markdown(machine, results) {
  const judged = results.flatMap((result) =>
    verdicts(result).map((verdict) => ({ title: result.title, ...verdict })),
  );
  return [
    `Measured on ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}, ${machine.conntrack}, ${machine.date}.`,
    '',
    '| target | asked | measured | |',
    '| --- | --- | --- | --- |',
    ...judged.map(
      ({ title, what, bound, value, met }) =>
        `| ${title}: ${what} | ${bound} | ${number(value)} | ${met ? 'met' : 'missed'} |`,
    ),
    '',
    ...results.flatMap(table),
  ].join('\n');
}
