/**
 * The model at work: tokens of texts in, embeddings out.
 *
 * A pass takes up to `PASS_ROWS` tokens of any number of texts, one row a token and without padding: all
 * products are made for the rows together, attention for each text apart. No element of a row depends on what
 * other texts are in the pass, so a text has the same embedding, to the bit, alone and among others.
 *
 * One pass works in `SCRATCH_BYTES` of the shared memory:
 *
 *   first    256 a row   states before the first layer
 *   state    512 a row   x and y of layout.ts
 *   normal   512 a row   normalised states, then what attention gives
 *   wide    1536 a row   queries, keys and values, then the second half's middle
 *   scores               of one token with all others
 */
import { assert, type Pieces } from '../../base/index.ts';
import { type EncoderKernel, MULTIPLY_MODES } from '../../kernel/index.ts';
import {
  DIMENSION,
  FEED_WIDTH,
  HEADS,
  LAYOUT,
  type Layer,
  type Linear,
  NORM_EPSILON,
  TOKEN_WIDTH,
  TOKENS_MAX,
} from './layout.ts';

/**
 * Tokens of a pass. Twice the longest text, so that no pass is less than half full; 512 and more are no
 * faster and take 11 KB of memory each.
 */
export const PASS_ROWS: number = 2 * TOKENS_MAX;

const STATE = PASS_ROWS * TOKEN_WIDTH * 4;
const NORMAL = STATE + PASS_ROWS * DIMENSION * 4;
const WIDE = NORMAL + PASS_ROWS * DIMENSION * 4;
const SCORES = WIDE + PASS_ROWS * FEED_WIDTH * 4;

/** Bytes of shared memory that one encoder works in. */
export const SCRATCH_BYTES: number = SCORES + TOKENS_MAX * 4;

/** Tokens of one text, as the tokenizer gives them. */
export type Tokens = readonly number[];

/** See the top of this file. */
export class Encoder {
  readonly #kernel: EncoderKernel;
  readonly #scratch: number;

  /** Works in the `SCRATCH_BYTES` from `scratch` on; the weights lie at the beginning of the memory. */
  constructor(kernel: EncoderKernel, scratch: number) {
    this.#kernel = kernel;
    this.#scratch = scratch;
  }

  /** Embeds texts of at most `TOKENS_MAX` tokens each, row after row; pauses every few milliseconds. */
  *embed(texts: readonly Tokens[]): Pieces<Float32Array> {
    const embeddings = new Float32Array(texts.length * DIMENSION);
    let from = 0;
    while (from < texts.length) {
      let rows = 0;
      let to = from;
      while (to < texts.length && rows + texts[to]!.length <= PASS_ROWS && to - from < PASS_ROWS) {
        rows += texts[to++]!.length;
      }
      assert(to > from, 'A text has more tokens than a pass.');
      yield* this.#pass(texts.slice(from, to), embeddings.subarray(from * DIMENSION, to * DIMENSION));
      from = to;
    }
    return embeddings;
  }

  *#pass(texts: readonly Tokens[], embeddings: Float32Array): Pieces<void> {
    let states = this.#scratch;
    let rows = this.#enter(texts);
    for (const layer of LAYOUT.layers) {
      yield* this.#layer(layer, states, fourfold(rows), texts);
      states = this.#scratch + STATE;
    }
    this.#pool(texts);
    rows = texts.length;
    this.#multiply(
      LAYOUT.last,
      this.#scratch + NORMAL,
      fourfold(rows),
      this.#scratch + WIDE,
      MULTIPLY_MODES.set,
    );
    embeddings.set(this.#kernel.floats(this.#scratch + WIDE, rows * DIMENSION));
    for (let row = 0; row < rows; row++)
      finishRow(embeddings.subarray(row * DIMENSION, (row + 1) * DIMENSION));
    yield;
  }

  /** Writes the tokens' first states; returns how many there are. */
  #enter(texts: readonly Tokens[]): number {
    let row = 0;
    const out = this.#kernel.floats(this.#scratch, PASS_ROWS * TOKEN_WIDTH);
    const timing = this.#kernel.floats(LAYOUT.timing, TOKENS_MAX * TOKEN_WIDTH);
    for (const tokens of texts) {
      for (const [position, id] of tokens.entries()) {
        const embedding = this.#kernel.floats(LAYOUT.embedding + id * TOKEN_WIDTH * 4, TOKEN_WIDTH);
        for (let i = 0; i < TOKEN_WIDTH; i++) {
          const once = Math.fround(embedding[i]! + timing[position * TOKEN_WIDTH + i]!);
          out[row * TOKEN_WIDTH + i] = embedding[i]! + once;
        }
        row++;
      }
    }
    return row;
  }

  /** One layer, from `input` into the states. */
  *#layer(layer: Layer, input: number, rows: number, texts: readonly Tokens[]): Pieces<void> {
    const { calls } = this.#kernel;
    const { width, norm, qkv, project, adjust, feedNorm, feedIn, feedOut } = layer;
    const [states, normal, wide] = [STATE, NORMAL, WIDE].map((at) => this.#scratch + at) as [
      number,
      number,
      number,
    ];
    calls.normaliseRows(input, rows, width, norm.scale, norm.bias, NORM_EPSILON, normal);
    this.#multiply(qkv, normal, rows, wide, MULTIPLY_MODES.set);
    yield;
    let row = 0;
    for (const { length } of texts) {
      const at = wide + row * 3 * width * 4;
      const scale = (width / HEADS) ** -0.5;
      if (length > 0) {
        const out = normal + row * width * 4;
        calls.attend(at, length, HEADS, width / HEADS, scale, this.#scratch + SCORES, out);
      }
      row += length;
    }
    yield;
    if (adjust !== null) this.#multiply(adjust, input, rows, states, MULTIPLY_MODES.set);
    this.#multiply(project, normal, rows, states, MULTIPLY_MODES.add);
    yield;
    calls.normaliseRows(states, rows, DIMENSION, feedNorm.scale, feedNorm.bias, NORM_EPSILON, normal);
    this.#multiply(feedIn, normal, rows, wide, MULTIPLY_MODES.rectify);
    yield;
    this.#multiply(feedOut, wide, rows, states, MULTIPLY_MODES.add);
    yield;
  }

  #multiply(
    { width, columns, weights, bias }: Linear,
    rows: number,
    count: number,
    out: number,
    mode: number,
  ): void {
    this.#kernel.calls.multiply(rows, count, width, weights, columns, bias, out, mode);
  }

  /** The mean state of every text; 0 of one without tokens, as the model's graph has it. */
  #pool(texts: readonly Tokens[]): void {
    const states = this.#kernel.floats(this.#scratch + STATE, PASS_ROWS * DIMENSION);
    const means = this.#kernel.floats(this.#scratch + NORMAL, texts.length * DIMENSION).fill(0);
    let at = 0;
    for (const [text, { length }] of texts.entries()) {
      const mean = means.subarray(text * DIMENSION, (text + 1) * DIMENSION);
      for (const end = at + length * DIMENSION; at < end; at += DIMENSION) {
        for (let i = 0; i < DIMENSION; i++) mean[i]! += states[at + i]!;
      }
      if (length > 1) for (let i = 0; i < DIMENSION; i++) mean[i]! /= length;
    }
  }
}

/** What a text's embedding is made of at last, in place: tanh, and length 1. */
export function finishRow(row: Float32Array): Float32Array {
  let squares = 0;
  for (let i = 0; i < row.length; i++) {
    const value = Math.tanh(row[i]!);
    row[i] = value;
    squares += value * value;
  }
  const factor = 1 / Math.sqrt(squares);
  for (let i = 0; i < row.length; i++) row[i]! *= factor;
  return row;
}

function fourfold(count: number): number {
  return Math.ceil(count / 4) * 4;
}
