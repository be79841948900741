/**
 * What the demo prints with: headings, tables, a progress bar. Colours only where a terminal shows them and
 * nobody declined (`NO_COLOR`); without a terminal the progress bar is one line at its end.
 */
const isTerminal = process.stdout.isTTY === true;
const hasColours = isTerminal && process.env.NO_COLOR === undefined;
const width = Math.max(72, Math.min(process.stdout.columns ?? 100, 120));

const paint = (code) => (text) => (hasColours ? `\u001b[${code}m${text}\u001b[0m` : String(text));
export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const cyan = paint(36);

export function heading(text) {
  console.log(`\n${bold(text)}\n${dim('─'.repeat(width))}`);
}

export function say(text) {
  console.log(text);
}

/** Shortens a text to `length` characters. */
function shorten(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/**
 * Prints rows under a line of column names. Numbers stand right, with `digits` after the point; the last
 * column takes the room that is left. A row may ask to be marked.
 */
export function table(columns, rows) {
  const format = (value, { digits = 0 }) =>
    typeof value === 'number' ? value.toFixed(digits) : String(value);
  const cells = rows.map((row) => columns.map((column) => format(row[column.key], column)));
  const widths = columns.map((column, i) =>
    Math.max(column.name.length, ...cells.map((cell) => cell[i].length)),
  );
  const last = columns.length - 1;
  const others = widths.slice(0, last).reduce((total, each) => total + each + 2, 4);
  widths[last] = Math.min(widths[last], Math.max(20, width - others));
  const align = (text, i, isRight) =>
    isRight ? text.padStart(widths[i]) : shorten(text, widths[i]).padEnd(widths[i]);
  const line = (texts, isRight) =>
    texts
      .map((text, i) => align(text, i, isRight(i)))
      .join('  ')
      .trimEnd();

  const isNumeric = (i) => rows.length > 0 && typeof rows[0][columns[i].key] === 'number';
  console.log(
    `    ${dim(
      line(
        columns.map((column) => column.name),
        isNumeric,
      ),
    )}`,
  );
  rows.forEach((row, r) => {
    const text = line(cells[r], isNumeric);
    console.log(row.isMarked ? `  ${green('●')} ${green(text)}` : `    ${text}`);
  });
}

/** Returns a function that draws how many of `total` are done, and how fast. */
export function progressBar(total) {
  const barWidth = 32;
  return (done, perSecond) => {
    const filled = Math.round((done / total) * barWidth);
    const bar = `${cyan('█'.repeat(filled))}${dim('░'.repeat(barWidth - filled))}`;
    const counts = `${thousands(done).padStart(thousands(total).length)} / ${thousands(total)}`;
    const isDone = done === total;
    if (isTerminal)
      process.stdout.write(`\r  ${bar}  ${counts}  ${thousands(perSecond)} records/s  ${isDone ? '\n' : ''}`);
    else if (isDone) console.log(`  ${bar}  ${counts}  ${thousands(perSecond)} records/s`);
  };
}

/** `12345` as `12,345`. */
export function thousands(number) {
  return Math.round(number).toLocaleString('en-GB');
}
