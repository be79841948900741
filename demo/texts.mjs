/** Reads the texts that come with the demo (see `scripts/make-demo-texts.mjs`). */
import { readFileSync } from 'node:fs';

const readLines = (name) =>
  readFileSync(new URL(`./texts/${name}`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** The texts: objects with `id`, `text` and `metadata`. */
export function readTexts() {
  return readLines('texts.jsonl').map(({ id, text, ...metadata }) => ({ id, text, metadata }));
}

/** The sentences: objects with `id`, `text`, and in `relevant` the id of the text that they illustrate. */
export function readSentences() {
  return readLines('queries.jsonl');
}
