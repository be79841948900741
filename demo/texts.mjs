/** Reads the texts that come with the demo (see `scripts/make-demo-texts.mjs`). */
import { readFileSync } from 'node:fs';

export const DIMENSION = 512;

const read = (name) => readFileSync(new URL(`./texts/${name}`, import.meta.url));
const readLines = (name) =>
  read(name)
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/**
 * An IEEE 754 half as a number: 1 bit sign, 5 bits exponent, 10 bits fraction. None of ours is infinite or
 * NaN.
 */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const rowsOf = (values) => {
  return Array.from({ length: values.length / DIMENSION }, (_, i) =>
    values.subarray(i * DIMENSION, (i + 1) * DIMENSION),
  );
};

/** The texts: objects with `id`, `text`, `embedding` and `metadata`. */
export function readTexts() {
  const halves = read('embeddings.f16');
  const values = Float32Array.from({ length: halves.length / 2 }, (_, i) =>
    fromHalf(halves.readUInt16LE(i * 2)),
  );
  const embeddings = rowsOf(values);
  return readLines('texts.jsonl').map(({ id, text, ...metadata }, i) => {
    return { id, text, metadata, embedding: embeddings[i] };
  });
}

/**
 * The queries: objects with `id`, `text`, `embedding`, and in `relevant` the id of the text they illustrate.
 */
export function readQueries() {
  const bytes = read('queries.f32');
  const embeddings = rowsOf(
    Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4)),
  );
  return readLines('queries.jsonl').map((query, i) => ({ ...query, embedding: embeddings[i] }));
}
