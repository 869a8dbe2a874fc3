// The results as a picture: bars of what is listed, lines of how it scales.
import { median } from './figures.mjs';

const WIDTH = 860;
const LABEL = 330;
const BAR = 20;
const GAP = 6;
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

function bars({ title, rows }, top) {
  const shown = rows.filter(({ ms }) => ms.length > 0);
  const times = shown.map(({ ms }) => median(ms));
  const scale = (WIDTH - LABEL - 90) / Math.max(...times);
  const lines = [`<text x="0" y="${top + 16}" class="title">${escape(title)}, ms</text>`];
  shown.forEach(({ name }, index) => {
    const y = top + 28 + index * (BAR + GAP);
    const width = Math.max(1, times[index] * scale);
    const kind = name.startsWith('ours') || name.startsWith('nfconntrack') ? 'ours' : 'theirs';
    lines.push(
      `<text x="${LABEL - 8}" y="${y + 15}" text-anchor="end">${escape(name)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" class="${kind}"/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 15}">${times[index].toFixed(0)}</text>`,
    );
  });
  return { lines, height: 28 + shown.length * (BAR + GAP) + 16 };
}

const NAMES = { c: 'C, receive and throw away', ours: 'ours: batches', perEvent: 'ours: batches' };
const short = (value) =>
  value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k` : String(value);

/** Lines over what grows: flows in a table, or subscriptions. */
function scaling({ title, points }, top) {
  const height = 170;
  const along = points[0].flows === undefined ? 'subscriptions' : 'flows';
  const series = Object.keys(NAMES).filter((key) => points[0][key] !== undefined);
  const [first, last] = [points[0][along], points.at(-1)[along]];
  const most = Math.max(...points.flatMap((point) => series.map((key) => point[key])), 1);
  const span = Math.log10(last / first) || 1;
  const x = (value) => LABEL + ((WIDTH - LABEL - 90) * Math.log10(value / first)) / span;
  const y = (value) => top + 30 + height - (height * value) / most;
  const lines = [`<text x="0" y="${top + 16}" class="title">${escape(title)}</text>`];
  for (const key of series) {
    const kind = key === 'c' ? 'theirs' : 'ours';
    const end = points.at(-1);
    const path = points
      .map((point) => `${x(point[along]).toFixed(1)},${y(point[key]).toFixed(1)}`)
      .join(' ');
    lines.push(
      `<polyline points="${path}" class="${kind} line"/>`,
      `<text x="${LABEL - 8}" y="${y(points[0][key]) + 4}" text-anchor="end">${NAMES[key]}</text>`,
      `<text x="${x(end[along]) + 6}" y="${y(end[key]) + 4}">${Number(end[key].toPrecision(3))}</text>`,
    );
  }
  for (const point of points) {
    const at = x(point[along]);
    lines.push(
      `<text x="${at}" y="${top + height + 50}" text-anchor="middle">${short(point[along])}</text>`,
    );
  }
  return { lines, height: height + 70 };
}

/** An SVG of the results that have something to show. */
export function plot(results) {
  const lines = [];
  let top = 8;
  for (const result of results) {
    const { rows, points } = result;
    const several = rows.filter(({ ms }) => ms.length > 0).length > 1;
    const drawing =
      points !== undefined ? scaling(result, top) : several ? bars(result, top) : undefined;
    if (drawing === undefined) continue;
    lines.push(...drawing.lines);
    top += drawing.height;
  }
  const style =
    'text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.ours{fill:#2a7ab8;stroke:#2a7ab8}' +
    '.theirs{fill:#b8b8b8;stroke:#b8b8b8}rect{stroke:none!important}.line{fill:none!important;stroke-width:2}';
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}">` +
    `<style>${style}</style><rect width="${WIDTH}" height="${top}" fill="#fff"/>${lines.join('')}</svg>\n`
  );
}
