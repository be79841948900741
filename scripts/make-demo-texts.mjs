/**
 * Makes `demo/texts/`: 2,000 WordNet glosses and some queries, out of a directory of many more.
 *
 *   node scripts/make-demo-texts.mjs DATA_DIRECTORY
 *
 * DATA_DIRECTORY holds `texts-100000.jsonl.gz` and `queries-1000.jsonl.gz`. Of the texts only those from
 * WordNet are taken, because their licence lets us pass them on. What comes out is the same for the same
 * input:
 *
 *   texts.jsonl      one object a line: id, text and the metadata of the demo
 *   queries.jsonl    id, text, and the id of the gloss that the sentence was written to illustrate
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

const TEXT_COUNT = 2_000;

/** Sentences about things that one can see or hear: their neighbours can be judged by any reader. */
const QUERY_IDS = [
  ...['q36', 'q144', 'q146', 'q172', 'q445', 'q539', 'q574', 'q580', 'q587', 'q596'],
  ...['q605', 'q792', 'q806', 'q861', 'q892', 'q928', 'q939', 'q940', 'q956', 'q968'],
];

/** Sections of WordNet that speak of concrete things. */
const SECTIONS = new Set([
  ...['noun.animal', 'noun.artifact', 'noun.body', 'noun.event', 'noun.feeling', 'noun.food', 'noun.object'],
  ...['noun.phenomenon', 'noun.plant', 'noun.substance', 'verb.consumption', 'verb.motion', 'verb.weather'],
]);

const source = process.argv[2];
if (source === undefined) {
  console.error('Usage: node scripts/make-demo-texts.mjs DATA_DIRECTORY');
  process.exit(2);
}
const target = path.join(import.meta.dirname, '../demo/texts');

function readLines(name) {
  const text = gunzipSync(readFileSync(path.join(source, name))).toString('utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function writeLines(name, values) {
  writeFileSync(path.join(target, name), `${values.map((value) => JSON.stringify(value)).join('\n')}\n`);
}

/**
 * Rows of the chosen texts, ascending: those that the queries illustrate, then words in use, then the rest.
 */
function chooseRows(texts, wantedIds) {
  const rank = (text) => (wantedIds.has(text.id) ? 0 : text.frequency > 0 ? 1 : 2);
  const rows = [...texts.keys()].filter((row) => {
    const text = texts[row];
    return text.source === 'wordnet' && (SECTIONS.has(text.section) || wantedIds.has(text.id));
  });
  rows.sort((a, b) => rank(texts[a]) - rank(texts[b]) || a - b);
  return rows.slice(0, TEXT_COUNT).sort((a, b) => a - b);
}

mkdirSync(target, { recursive: true });
const queries = readLines('queries-1000.jsonl.gz');
const chosen = QUERY_IDS.map((id) => queries.find((query) => query.id === id));
const texts = readLines('texts-100000.jsonl.gz');
const textRows = chooseRows(texts, new Set(chosen.map(({ relevant }) => relevant)));

writeLines(
  'texts.jsonl',
  textRows.map((row) => {
    const { id, text, section, pos, lemma, synonyms, frequency, length } = texts[row];
    return { id, text, section, pos, lemma, synonyms, frequency, length };
  }),
);
writeLines(
  'queries.jsonl',
  chosen.map(({ id, text, relevant }) => ({ id, text, relevant })),
);
console.log(`${textRows.length} texts and ${chosen.length} queries written to ${target}`);
