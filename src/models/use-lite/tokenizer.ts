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
 *
 * Texts may be megabytes long and one word. So the work is in pieces, and a text is brought to NFKC part by
 * part, each of which begins with a character that no other composes with: one of ASCII, or an ideograph.
 */
import { assert, finish, type Pieces } from '../../base/index.ts';
import type { TokenCounter } from '../../embed/index.ts';
import { Word } from './word.ts';

/** Pieces with their scores, by id; the score of some is missing and counts as 0. */
export type Vocabulary = readonly (readonly [piece: string, score: number | null])[];

/** The first ids are not pieces: unknown, start, end, and three that nobody uses. */
const RESERVED_COUNT = 6;
const UNKNOWN = 0;
const SPACE = '\u2581';
/** Characters between two pauses: a millisecond, or less. */
const PIECE_CHARACTERS = 2_048;
/** Pieces of the vocabulary that are taken in between two pauses: a millisecond. */
const PIECE_PIECES = 1_000;

/** One node of the tree of pieces: the characters that may follow, and the piece that ends here. */
interface PieceNode {
  next: Map<number, PieceNode> | undefined;
  id: number;
}

/** See the top of this file. */
export class UnigramTokenizer implements TokenCounter {
  readonly maxTokens: number;
  readonly #root: PieceNode = { next: undefined, id: -1 };
  readonly #scores: Float64Array;

  private constructor(count: number, maxTokens: number) {
    this.maxTokens = maxTokens;
    this.#scores = new Float64Array(count);
  }

  /** `maxTokens` is how many tokens of a text the model reads. */
  static *make(vocabulary: Vocabulary, maxTokens: number): Pieces<UnigramTokenizer> {
    const made = new UnigramTokenizer(vocabulary.length, maxTokens);
    for (let id = RESERVED_COUNT; id < vocabulary.length; id++) {
      const [piece, score] = vocabulary[id]!;
      assert(!piece.includes(SPACE, 1), `The piece ${id} has a space within.`);
      made.#scores[id] = score ?? 0;
      made.#insert(piece, id);
      if (id % PIECE_PIECES === 0) yield;
    }
    return made;
  }

  /** How many tokens `text` has, however many the model reads. */
  countTokens(text: string): number {
    return finish(this.countInPieces(text));
  }

  /** The same, pausing every millisecond. */
  *countInPieces(text: string): Pieces<number> {
    return (yield* this.tokens(text, Number.POSITIVE_INFINITY)).length;
  }

  /** The first tokens of `text`, by default as many as the model reads. */
  encode(text: string, limit: number = this.maxTokens): number[] {
    return finish(this.tokens(text, limit));
  }

  /** The same, pausing every millisecond. */
  *tokens(text: string, limit: number = this.maxTokens): Pieces<number[]> {
    const tokens: number[] = [];
    const word = new Word();
    let sum = 0;
    let done = 0;
    for (const part of wordParts(text)) {
      if (part.startsWith(SPACE) && word.length > 0) {
        sum = yield* this.#take(word, sum, tokens);
        if (tokens.length >= limit) break;
      }
      word.append(part);
      done += part.length;
      if (done < PIECE_CHARACTERS) continue;
      done = 0;
      yield;
    }
    if (tokens.length < limit) yield* this.#take(word, sum, tokens);
    if (tokens.length > limit) tokens.length = limit;
    return tokens;
  }

  /** Appends a word's tokens and empties it; takes and returns the sum of the scores up to it. */
  *#take(word: Word, sum: number, tokens: number[]): Pieces<number> {
    const { length } = word;
    word.begin(sum);
    for (let from = 0; from < length; from += PIECE_CHARACTERS) {
      if (from > 0) yield;
      this.#advance(word, from, Math.min(from + PIECE_CHARACTERS, length));
    }
    const first = tokens.length;
    let done = 0;
    for (let end = length; end > 0; end = word.starts[end]!) {
      const id = word.ids[end]!;
      if (id !== UNKNOWN || end === length || tokens.at(-1) !== UNKNOWN) tokens.push(id);
      if (++done % PIECE_CHARACTERS === 0) yield;
    }
    joinReversed(tokens, first);
    word.length = 0;
    return word.sums[length]!;
  }

  /** Offers every piece that starts from `from` on and before `to`. */
  #advance(word: Word, from: number, to: number): void {
    const { characters, length } = word;
    for (let start = from; start < to; start++) {
      let node = this.#root.next?.get(characters[start]!);
      let isKnown = false;
      for (let end = start + 1; node !== undefined; end++) {
        if (node.id >= 0) {
          word.offer(node.id, start, end, this.#scores[node.id]!);
          isKnown = true;
        }
        node = end < length ? node.next?.get(characters[end]!) : undefined;
      }
      if (!isKnown) word.offer(UNKNOWN, start, start + 1, this.#scores[UNKNOWN]!);
    }
  }

  #insert(piece: string, id: number): void {
    let node = this.#root;
    for (const symbol of piece) {
      const character = symbol.codePointAt(0)!;
      node.next ??= new Map();
      let next = node.next.get(character);
      if (next === undefined) {
        next = { next: undefined, id: -1 };
        node.next.set(character, next);
      }
      node = next;
    }
    node.id = id;
  }
}

/** Turns round the tokens from `first` on, and drops the first of them that is unknown after another. */
function joinReversed(tokens: number[], first: number): void {
  if (tokens.at(-1) === UNKNOWN && tokens[first - 1] === UNKNOWN) tokens.pop();
  for (let left = first, right = tokens.length - 1; left < right; left++, right--) {
    const id = tokens[left]!;
    tokens[left] = tokens[right]!;
    tokens[right] = id;
  }
}

/** The words of a text as the model sees them, each with the ▁ before it; long ones in parts, without it. */
function* wordParts(text: string): Generator<string> {
  let isFirst = true;
  for (const normal of normalParts(text)) {
    const part = (isFirst ? SPACE : '') + normal.replaceAll(' ', SPACE);
    isFirst = false;
    let start = 0;
    for (let end = part.indexOf(SPACE, 1); end >= 0; end = part.indexOf(SPACE, start + 1)) {
      yield part.slice(start, end);
      start = end;
    }
    yield part.slice(start);
  }
}

/** A text in NFKC, part by part; see the top of this file. */
function* normalParts(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = start + PIECE_CHARACTERS;
    while (end < text.length && !isApart(text.charCodeAt(end))) end++;
    yield text.slice(start, end).normalize('NFKC');
    start = end;
  }
}

/** Whether NFKC before and from a character on does not depend on the other: ASCII, and ideographs. */
function isApart(unit: number): boolean {
  return unit < 0x80 || (unit >= 0x4e00 && unit <= 0x9fff);
}
