/**
 * Cuts a long text into parts that a model reads whole: at sentences, where one is too long at words, and
 * where even a word is, anywhere between two characters.
 *
 * Parts are counted in tokens of the model that is to read them. The counts of sentences are added up, which
 * is quick and close, and each part is then counted as a whole, since tokens may differ where sentences meet.
 * Parts overlap by whole sentences, as many as fit into the overlap and leave room for the next one: what
 * stands at the seam of two parts can be found in one of them. Every character that is no white space is in a
 * part.
 */
import { DatabaseError, show } from '../base/index.ts';
import type { TokenCounter } from './embedding-function.ts';

/** How to split. */
export interface SplitOptions {
  /** Counts as the model does: `await embeddingFunction.tokenCounter()`. */
  readonly counter: TokenCounter;
  /** Tokens of a part at most; by default as many as the model reads. */
  readonly maxTokens?: number | undefined;
  /** Tokens that a part may share with the one before it. */
  readonly overlapTokens?: number | undefined;
}

/** One part of a text. */
export interface TextPart {
  readonly text: string;
  /** Where it stands in the whole, in UTF-16 units: `whole.slice(start, end) === text`. */
  readonly start: number;
  readonly end: number;
  readonly tokenCount: number;
}

/** A stretch of the text without white space at its ends, and its tokens. */
interface Unit {
  readonly start: number;
  readonly end: number;
  readonly tokenCount: number;
}

/**
 * The parts of a text, in order; a text of white space has none.
 *
 * Errors: `TESSERA_INVALID_ARGUMENT`.
 */
export function splitText(text: string, options: SplitOptions): TextPart[] {
  if (typeof text !== 'string') throw invalid('text', 'a string', text);
  const { counter } = options;
  if (typeof counter?.countTokens !== 'function') throw invalid('counter', 'a counter of tokens', counter);
  const max = options.maxTokens ?? counter.maxTokens;
  const overlap = options.overlapTokens ?? 0;
  if (!Number.isSafeInteger(max) || max < 1) throw invalid('maxTokens', 'an integer from 1', max);
  if (!Number.isSafeInteger(overlap) || overlap < 0 || overlap >= max) {
    throw invalid('overlapTokens', `an integer from 0 and below ${max}`, overlap);
  }
  return new Splitter(text, counter, max, overlap).parts();
}

/**
 * Characters that are segmented at once: V8's segmenter takes time with the square of a text's length, a
 * millisecond for this many, and a quarter of an hour for two million.
 */
const WINDOW_CHARACTERS = 1_024;
/** A sentence or a word that is longer is no sentence and no word. */
const WINDOW_CHARACTERS_MAX = 16_384;

class Splitter {
  readonly #text: string;
  readonly #counter: TokenCounter;
  readonly #max: number;
  readonly #overlap: number;

  constructor(text: string, counter: TokenCounter, max: number, overlap: number) {
    this.#text = text;
    this.#counter = counter;
    this.#max = max;
    this.#overlap = overlap;
  }

  parts(): TextPart[] {
    const whole = this.#unit(0, this.#text.length);
    if (whole === null) return [];
    if (whole.tokenCount <= this.#max) return [this.#part(whole)];
    const units = [...this.#fitting()];
    const parts: TextPart[] = [];
    let first = 0;
    while (first < units.length) {
      let last = this.#lastFitting(units, first);
      let part = this.#join(units, first, last);
      while (part.tokenCount > this.#max && last > first) part = this.#join(units, first, --last);
      parts.push(this.#part(part));
      if (last === units.length - 1) break;
      first = this.#nextFirst(units, first, last);
    }
    return parts;
  }

  /** Units that fit into a part each: sentences, and what had to be cut out of longer ones. */
  *#fitting(): Iterable<Unit> {
    for (const sentence of this.#segments(0, this.#text.length, 'sentence')) {
      if (sentence.tokenCount <= this.#max) yield sentence;
      else {
        for (const word of this.#segments(sentence.start, sentence.end, 'word')) yield* this.#halves(word);
      }
    }
  }

  *#halves(unit: Unit): Iterable<Unit> {
    const { start, end, tokenCount } = unit;
    let middle = (start + end) >> 1;
    // Not between the halves of a surrogate pair.
    if (/[\udc00-\udfff]/.test(this.#text[middle] ?? '')) middle--;
    // A single character that takes more than a part is a part all the same.
    if (tokenCount <= this.#max || middle <= start) return yield unit;
    for (const [from, to] of [
      [start, middle],
      [middle, end],
    ] as const) {
      const half = this.#unit(from, to);
      if (half !== null) yield* this.#halves(half);
    }
  }

  *#segments(start: number, end: number, granularity: 'sentence' | 'word'): Iterable<Unit> {
    const segmenter = new Intl.Segmenter(undefined, { granularity });
    let from = start;
    let to = start;
    for (const { index, segment, isWordLike = true } of segmentsOf(this.#text.slice(start, end), segmenter)) {
      // A full stop stays with the word before it.
      if (isWordLike || /^\s/.test(segment)) {
        const unit = this.#unit(from, to);
        if (unit !== null) yield unit;
        from = start + index;
      }
      to = start + index + segment.length;
    }
    const unit = this.#unit(from, to);
    if (unit !== null) yield unit;
  }

  /** The last unit of a part that begins with `first`, by the sum of their tokens. */
  #lastFitting(units: readonly Unit[], first: number): number {
    let last = first;
    let sum = units[first]!.tokenCount;
    while (last + 1 < units.length && sum + units[last + 1]!.tokenCount <= this.#max) {
      sum += units[++last]!.tokenCount;
    }
    return last;
  }

  /** The unit that the next part begins with: as far back as the overlap and the next unit allow. */
  #nextFirst(units: readonly Unit[], first: number, last: number): number {
    const room = Math.min(this.#overlap, this.#max - units[last + 1]!.tokenCount);
    let next = last + 1;
    let sum = 0;
    while (next - 1 > first && sum + units[next - 1]!.tokenCount <= room) sum += units[--next]!.tokenCount;
    return next;
  }

  #join(units: readonly Unit[], first: number, last: number): Unit {
    if (first === last) return units[first]!;
    return this.#unit(units[first]!.start, units[last]!.end)!;
  }

  /** A stretch without the white space at its ends; `null` where there is nothing else. */
  #unit(start: number, end: number): Unit | null {
    const text = this.#text.slice(start, end);
    const trimmed = text.trim();
    if (trimmed === '') return null;
    const from = start + text.indexOf(trimmed);
    return { start: from, end: from + trimmed.length, tokenCount: this.#counter.countTokens(trimmed) };
  }

  #part({ start, end, tokenCount }: Unit): TextPart {
    return { text: this.#text.slice(start, end), start, end, tokenCount };
  }
}

/**
 * The segments of a text, window by window. A segment that a window ends with is looked at again with what
 * follows it; one that fills a window is given a larger one, and at last cut where that ends.
 */
function* segmentsOf(
  text: string,
  segmenter: Intl.Segmenter,
): Iterable<Pick<Intl.SegmentData, 'index' | 'segment' | 'isWordLike'>> {
  let size = WINDOW_CHARACTERS;
  for (let from = 0; from < text.length; ) {
    let end = Math.min(from + size, text.length);
    // Not between the halves of a surrogate pair.
    if (end < text.length && /[\udc00-\udfff]/.test(text[end]!)) end--;
    const found = [...segmenter.segment(text.slice(from, end))];
    if (end < text.length && found.length === 1 && size < WINDOW_CHARACTERS_MAX) {
      size *= 2;
      continue;
    }
    const last = end < text.length && found.length > 1 ? found.pop()! : null;
    for (const segment of found) yield { ...segment, index: from + segment.index };
    from = last === null ? end : from + last.index;
    size = WINDOW_CHARACTERS;
  }
}

function invalid(name: string, expectation: string, value: unknown): DatabaseError {
  const message = `Expected ${name} to be ${expectation}, got ${show(value)}.`;
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: name } });
}
