/** A chart of the growth of a query's cost, as SVG with no styles from outside, light and dark alike. */

const WIDTH = 720;
const HEIGHT = 440;
const MARGIN = { left: 74, right: 24, top: 54, bottom: 58 };
const INK = '#777';
const LINE = '#3b7dd8';

/** Where values stand: logarithmic on both sides. */
function makeScales(points, fit) {
  const rows = points.map((point) => point.rows);
  const fitted = rows.map((count) => fit.factor * count ** fit.exponent);
  const times = [...points.map((point) => point.ms), ...fitted];
  const span = (values, widen) => [
    Math.log10(Math.min(...values) / widen),
    Math.log10(Math.max(...values) * widen),
  ];
  const [left, right] = span(rows, 1.25);
  const [bottom, top] = span(times, 2);
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  return {
    x: (count) => MARGIN.left + ((Math.log10(count) - left) / (right - left)) * inner.width,
    y: (ms) => MARGIN.top + (1 - (Math.log10(ms) - bottom) / (top - bottom)) * inner.height,
    yTicks: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].filter(
      (ms) => Math.log10(ms) >= bottom && Math.log10(ms) <= top,
    ),
  };
}

const at = (value) => value.toFixed(1);

function text(x, y, content, anchor = 'middle', more = '') {
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${more}>${content}</text>`;
}

function line(x1, y1, x2, y2, more = '') {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"${more}/>`;
}

/** The chart of points `{ rows, ms, recall }` with the line `ms = factor × rows^exponent` fitted to them. */
export function drawGrowth(points, fit) {
  const { x, y, yTicks } = makeScales(points, fit);
  const end = { x: WIDTH - MARGIN.right, y: HEIGHT - MARGIN.bottom };
  const [first, last] = [points[0].rows, points.at(-1).rows];
  const fitted = (count) => y(fit.factor * count ** fit.exponent);
  const grid = ` stroke="${INK}" stroke-opacity="0.25"`;
  const label = (count) => (count >= 1_000_000 ? `${count / 1_000_000} M` : `${count / 1_000}k`);
  const heading = `CPU milliseconds a query over rows, both logarithmic; exponent ${fit.exponent.toFixed(2)}`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${heading}</title>`,
    `<g font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    text(MARGIN.left, 26, heading, 'start', ' font-size="15"'),
    ...yTicks.map((ms) => line(MARGIN.left, y(ms), end.x, y(ms), grid)),
    ...yTicks.map((ms) => text(MARGIN.left - 8, y(ms) + 4, `${ms} ms`, 'end')),
    ...points.map(({ rows }) => line(x(rows), MARGIN.top, x(rows), end.y, grid)),
    ...points.map(({ rows }) => text(x(rows), end.y + 18, label(rows))),
    text(
      (MARGIN.left + end.x) / 2,
      HEIGHT - 14,
      'rows of 512 dimensions; 10 neighbours, recall beside each point',
    ),
    line(x(first), fitted(first), x(last), fitted(last), ` stroke="${INK}" stroke-dasharray="6 5"`),
    `<polyline fill="none" stroke="${LINE}" stroke-width="2" points="${points
      .map(({ rows, ms }) => `${at(x(rows))},${at(y(ms))}`)
      .join(' ')}"/>`,
    ...points.map(({ rows, ms }) => `<circle cx="${at(x(rows))}" cy="${at(y(ms))}" r="4" fill="${LINE}"/>`),
    ...points.map(({ rows, ms, recall }) => text(x(rows), y(ms) - 10, recall.toFixed(3))),
    '</g>',
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}
