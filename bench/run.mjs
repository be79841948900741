/**
 * Runs one benchmark and prints its table.
 *
 *   npm run bench -- NAME [--json FILE] [--OPTION VALUE]…
 *
 * A benchmark is a module `bench/NAME.bench.mjs` that exports a `title` and `run(options)`. It returns rows,
 * objects with the same members, and perhaps notes; every other option of the command line is handed to it as
 * a string. `--json` also writes the rows to a file, with what a reader needs to judge them: machine, Node,
 * commit and date.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { describeMachine } from './measure.mjs';

const SUFFIX = '.bench.mjs';

/** `name --a b --c` as `{ name, options: { a: 'b', c: '' } }`. */
function parseCommandLine(words) {
  const [name, ...rest] = words;
  const options = {};
  for (let i = 0; i < rest.length; i++) {
    if (!rest[i].startsWith('--')) throw new Error(`Expected --option value, got '${rest[i]}'.`);
    const hasValue = rest[i + 1] !== undefined && !rest[i + 1].startsWith('--');
    options[rest[i].slice(2)] = hasValue ? rest[++i] : '';
  }
  return { name, options };
}

function show(value) {
  if (typeof value !== 'number') return String(value ?? '–');
  const digits = Number.isInteger(value) || Math.abs(value) >= 1_000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Prints rows as a table of Markdown, ready for a document. */
function printTable(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => names.map((name) => show(row[name])));
  const widths = names.map((name, i) => Math.max(name.length, 3, ...cells.map((cell) => cell[i].length)));
  const isNumeric = names.map((name) => rows.some((row) => typeof row[name] === 'number'));
  const line = (texts) =>
    `| ${texts.map((text, i) => text[isNumeric[i] ? 'padStart' : 'padEnd'](widths[i])).join(' | ')} |`;
  console.log(line(names));
  console.log(
    line(widths.map((width, i) => (isNumeric[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))),
  );
  for (const cell of cells) console.log(line(cell));
}

const { name, options } = parseCommandLine(process.argv.slice(2));
const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length));
if (!known.includes(name)) {
  console.error(`Usage: npm run bench -- NAME [--json FILE]\nBenchmarks: ${known.join(', ')}`);
  process.exit(2);
}

const { json, ...others } = options;
const bench = await import(`./${name}${SUFFIX}`);
const machine = describeMachine();
console.log(
  `${bench.title}\n${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.date}\n`,
);
const { rows, notes = [] } = await bench.run(others);
printTable(rows);
for (const note of [notes].flat()) console.log(`\n${note}`);
if (json !== undefined) {
  writeFileSync(json, `${JSON.stringify({ bench: name, options: others, machine, rows, notes }, null, 2)}\n`);
  console.log(`\nWritten to ${json}.`);
}
