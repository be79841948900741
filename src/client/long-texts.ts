/** Texts that are longer than their model reads: who is told of them, and how. */
import { inTurns, type Pieces, show, warn } from '../base/index.ts';
import { type EmbeddingFunction, estimateTokens, type TokenCounter } from '../embed/index.ts';

/** A document of which the model has read only the beginning. */
export interface LongText {
  readonly id: string;
  readonly tokenCount: number;
  readonly maxTokens: number;
  /** Whether `tokenCount` is an estimate by the text's length, since the function does not count tokens. */
  readonly isEstimate?: true;
}

/** What a write has to say. */
export interface WriteReport {
  /**
   * Documents that are longer than the model reads; empty where the function says nothing of it. They are
   * stored whole, and found by their beginning: `splitText` makes parts that are read whole.
   */
  readonly longTexts: readonly LongText[];
}

/** Characters that are counted before other work may come in: one to two milliseconds. */
const PIECE_CHARACTERS = 4_096;

/**
 * The documents that are longer than the function's model reads. No token is of less than a character, so
 * that short ones need no counting.
 */
export async function findLongTexts(
  embeddingFunction: EmbeddingFunction | undefined,
  ids: readonly string[],
  documents: readonly unknown[],
): Promise<LongText[]> {
  const counter = await embeddingFunction?.tokenCounter?.();
  if (counter !== undefined) return inTurns(count(counter, ids, documents));
  const maxTokens = embeddingFunction?.maxTokens;
  if (maxTokens === undefined) return [];
  const found = await inTurns(count({ maxTokens, countTokens: estimateTokens }, ids, documents));
  return found.map((text) => ({ ...text, isEstimate: true }));
}

function* count(
  counter: TokenCounter,
  ids: readonly string[],
  documents: readonly unknown[],
): Pieces<LongText[]> {
  const { maxTokens } = counter;
  const found: LongText[] = [];
  let characters = 0;
  for (const [i, document] of documents.entries()) {
    if (typeof document !== 'string' || document.length + MARK_TOKENS <= maxTokens) continue;
    const tokenCount = yield* tokensOf(document, counter);
    characters += document.length;
    if (characters >= PIECE_CHARACTERS) {
      characters = 0;
      yield;
    }
    if (tokenCount > maxTokens) found.push({ id: ids[i]!, tokenCount, maxTokens });
  }
  return found;
}

function* tokensOf(text: string, counter: TokenCounter): Pieces<number> {
  return counter.countInPieces === undefined ? counter.countTokens(text) : yield* counter.countInPieces(text);
}

/** Tokens that models put around a text, which are no characters of it. */
const MARK_TOKENS = 2;

/** Tells of long texts once for each collection: whoever writes many has the reports. */
export function warnOfLongTexts(collection: string, [first]: readonly LongText[]): void {
  if (first === undefined) return;
  warn(
    'TESSERA_LONG_TEXT',
    `The model of the collection ${show(collection)} reads ${first.maxTokens} tokens of a text, and the document of ` +
      `${show(first.id)} has ${first.isEstimate ? 'by an estimate ' : ''}${first.tokenCount}: it is found by its beginning alone. Cut long texts with splitText, or ` +
      'by `tessera ingest`. What add, upsert and update return lists every such document.',
  );
}
