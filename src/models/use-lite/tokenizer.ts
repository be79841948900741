/**
 * The tokenizer of the Universal Sentence Encoder lite: SentencePiece's unigram model.
 *
 * A text is brought to NFKC, gets a space before it, and every space becomes U+2581 (▁). Of all ways to write
 * it as pieces of the vocabulary, the one with the greatest sum of the pieces' scores is taken; of two sums
 * that are equal, the one whose last piece starts later. A character that begins no piece is the unknown
 * token, id 0, with score 0, and neighbouring unknown tokens are one.
 *
 * No piece has a ▁ anywhere but at its start, so every best way is cut before each ▁, and words can be done
 * one after the other: memory for one word, and an end as soon as there are as many tokens as are wanted. The
 * scores are summed over the whole text nevertheless, for they are rounded, and rounding decides between ways
 * that are as good as equal: that is how tokens come out as the model's own tokenizer gives them.
 *
 * A sum of exactly 0 counts as none yet, as it does there; it occurs at the start of a text alone.
 */
import { assert } from '../../base/index.ts';
import type { TokenCounter } from '../../embed/index.ts';

/** Pieces with their scores, by id; the score of some is missing and counts as 0. */
export type Vocabulary = readonly (readonly [piece: string, score: number | null])[];

/** The first ids are not pieces: unknown, start, end, and three that nobody uses. */
const RESERVED_COUNT = 6;
const UNKNOWN = 0;
const SPACE = '\u2581';

/** One node of the tree of pieces: the characters that may follow, and the piece that ends here. */
interface PieceNode {
  next: Map<string, PieceNode> | undefined;
  id: number;
}

/** See the top of this file. */
export class UnigramTokenizer implements TokenCounter {
  readonly maxTokens: number;
  readonly #root: PieceNode = { next: undefined, id: -1 };
  readonly #scores: Float64Array;

  /** `maxTokens` is how many tokens of a text the model reads. */
  constructor(vocabulary: Vocabulary, maxTokens: number) {
    this.maxTokens = maxTokens;
    this.#scores = new Float64Array(vocabulary.length);
    for (let id = RESERVED_COUNT; id < vocabulary.length; id++) {
      const [piece, score] = vocabulary[id]!;
      assert(!piece.includes(SPACE, 1), `The piece ${id} has a space within.`);
      this.#scores[id] = score ?? 0;
      this.#insert(piece, id);
    }
  }

  /** How many tokens `text` has, however many the model reads. */
  countTokens(text: string): number {
    return this.encode(text, Number.POSITIVE_INFINITY).length;
  }

  /** The first tokens of `text`, by default as many as the model reads. */
  encode(text: string, limit: number = this.maxTokens): number[] {
    const tokens: number[] = [];
    if (text === '') return tokens;
    let sum = 0;
    for (const word of wordsOf(text)) {
      sum = this.#encodeWord([...word], sum, tokens);
      if (tokens.length >= limit) {
        tokens.length = limit;
        break;
      }
    }
    return tokens;
  }

  /** Appends the tokens of a word to `tokens`; takes and returns the sum of the scores up to it. */
  #encodeWord(symbols: readonly string[], sum: number, tokens: number[]): number {
    const sums = new Float64Array(symbols.length + 1);
    const ids = new Int32Array(symbols.length + 1);
    const starts = new Int32Array(symbols.length + 1);
    sums[0] = sum;
    for (let start = 0; start < symbols.length; start++) {
      const offer = (id: number, end: number): void => {
        const offered = sums[start]! + this.#scores[id]!;
        if (sums[end] !== 0 && offered < sums[end]!) return;
        sums[end] = offered;
        ids[end] = id;
        starts[end] = start;
      };
      let node = this.#root.next?.get(symbols[start]!);
      let isKnown = false;
      for (let end = start + 1; node !== undefined; node = node.next?.get(symbols[end++]!)) {
        if (node.id < 0) continue;
        offer(node.id, end);
        isKnown = true;
      }
      if (!isKnown) offer(UNKNOWN, start + 1);
    }
    const reversed: number[] = [];
    for (let end = symbols.length; end > 0; end = starts[end]!) reversed.push(ids[end]!);
    for (const id of reversed.reverse()) {
      if (id !== UNKNOWN || tokens.at(-1) !== UNKNOWN) tokens.push(id);
    }
    return sums[symbols.length]!;
  }

  #insert(piece: string, id: number): void {
    let node = this.#root;
    for (const symbol of piece) {
      node.next ??= new Map();
      let next = node.next.get(symbol);
      if (next === undefined) {
        next = { next: undefined, id: -1 };
        node.next.set(symbol, next);
      }
      node = next;
    }
    node.id = id;
  }
}

/** The words of a text as the model sees them, each with the ▁ before it. */
function* wordsOf(text: string): Generator<string> {
  const normal = text.normalize('NFKC').replaceAll(' ', SPACE);
  if (normal === '') return;
  let start = 0;
  let prefix = SPACE;
  for (;;) {
    const end = normal.indexOf(SPACE, start + (prefix === '' ? 1 : 0));
    if (end < 0) break;
    yield prefix + normal.slice(start, end);
    start = end;
    prefix = '';
  }
  yield prefix + normal.slice(start);
}
