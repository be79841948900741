/** Which embedding function a collection uses, and what is said when there is none and texts come along. */
import { type EmbeddingBatch, packEmbeddings } from '../api/index.ts';
import { DatabaseError, type JsonValue, show } from '../base/index.ts';
import { buildEmbeddingFunction, type EmbeddingFunction, storedEmbeddingFunction } from '../embed/index.ts';

/** Embeds the texts of one collection. */
export class Embedder {
  readonly embeddingFunction: EmbeddingFunction | undefined;
  readonly #absence: DatabaseError | null;

  /**
   * Chooses between the function that the caller passed and the one that the collection was made with.
   *
   * `null` declares that the collection takes embeddings only. A stored function that cannot be built is no
   * error before a text has to be embedded: lists of collections must not depend on it.
   *
   * Errors: `TESSERA_EMBEDDING_FUNCTION` when both have a name, and not the same.
   */
  constructor(
    passed: EmbeddingFunction | null | undefined,
    storedValue: JsonValue | null,
    collection: string,
  ) {
    const stored = storedEmbeddingFunction(storedValue);
    const storedName = stored?.type === 'known' ? stored.name : null;
    if (passed) {
      checkConflict(passed.name, storedName, collection);
      this.embeddingFunction = passed;
      this.#absence = null;
      return;
    }
    this.#absence = absence(collection, absenceReason(passed, storedName, stored?.type === 'legacy'));
    if (passed === null) return;
    try {
      this.embeddingFunction = buildEmbeddingFunction(stored) ?? undefined;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      this.#absence = error;
    }
  }

  /**
   * Embeddings of documents; rows that are `null` are refused unless `allowNull`, and then stay without one.
   */
  async embedDocuments(documents: readonly unknown[], allowNull: boolean): Promise<(EmbeddingRow | null)[]> {
    const texts: string[] = [];
    const rows: number[] = [];
    for (const [i, document] of documents.entries()) {
      if (typeof document === 'string') {
        texts.push(document);
        rows.push(i);
      } else if (!allowNull || (document !== null && document !== undefined)) {
        throw new DatabaseError(
          'TESSERA_INVALID_DOCUMENT',
          `Expected documents[${i}] to be a string to embed, got ${show(document)}. Pass embeddings for records ` +
            'without a document.',
          { details: { index: i, reason: 'type' } },
        );
      }
    }
    const embedded = new Array<EmbeddingRow | null>(documents.length).fill(null);
    const generated = texts.length === 0 ? [] : await this.#generate(texts, 'generate');
    for (const [i, row] of rows.entries()) embedded[row] = generated[i]!;
    return embedded;
  }

  /** Embeddings of query texts. */
  async embedQueries(texts: readonly unknown[]): Promise<EmbeddingBatch> {
    for (const [i, text] of texts.entries()) {
      if (typeof text !== 'string') {
        throw new DatabaseError(
          'TESSERA_INVALID_ARGUMENT',
          `Expected queryTexts[${i}] to be a string, got ${show(text)}.`,
          { details: { index: i, reason: 'type' } },
        );
      }
    }
    const generated =
      texts.length === 0 ? [] : await this.#generate([...texts] as string[], 'generateForQueries');
    return packEmbeddings(generated, { field: 'queryTexts', allowNull: false });
  }

  async #generate(
    texts: string[],
    method: 'generate' | 'generateForQueries',
  ): Promise<readonly EmbeddingRow[]> {
    const { embeddingFunction } = this;
    if (embeddingFunction === undefined) throw this.#absence!;
    const name = show(embeddingFunction.name ?? 'unnamed');
    let embeddings: readonly EmbeddingRow[];
    try {
      embeddings =
        method === 'generateForQueries' && embeddingFunction.generateForQueries !== undefined
          ? await embeddingFunction.generateForQueries(texts)
          : await embeddingFunction.generate(texts);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : show(cause);
      throw failure(`The embedding function ${name} failed: ${reason}`, cause);
    }
    if (Array.isArray(embeddings) && embeddings.length === texts.length) return embeddings;
    const found = Array.isArray(embeddings) ? `${embeddings.length}` : show(embeddings);
    throw failure(`Expected ${texts.length} embeddings from the embedding function ${name}, got ${found}.`);
  }
}

type EmbeddingRow = readonly number[] | Float32Array;

/** Chroma's clients store `default` without being asked, so it contradicts nothing. */
function checkConflict(passedName: string | undefined, storedName: string | null, collection: string): void {
  if (!passedName || !storedName || passedName === storedName) return;
  if (passedName === 'default' || storedName === 'default') return;
  throw new DatabaseError(
    'TESSERA_EMBEDDING_FUNCTION',
    `The collection ${show(collection)} was made with the embedding function ${show(storedName)}, got ` +
      `${show(passedName)}. Embeddings of different functions cannot be compared: pass the same function, or leave ` +
      'embeddingFunction out.',
    { details: { collection, stored: storedName, passed: passedName } },
  );
}

function absenceReason(passed: null | undefined, storedName: string | null, isLegacy: boolean): string {
  if (passed === null) return 'it was opened with embeddingFunction: null';
  if (storedName !== null) {
    return (
      `it was made with the embedding function ${show(storedName)}, which is not registered in this process ` +
      '(see registerEmbeddingFunction)'
    );
  }
  return isLegacy ? 'it was made with a function that could not be stored' : 'it was given none';
}

function absence(collection: string, reason: string): DatabaseError {
  return new DatabaseError(
    'TESSERA_EMBEDDING_FUNCTION',
    `The collection ${show(collection)} has no embedding function to embed texts with: ${reason}. Pass embeddings ` +
      '(queryEmbeddings in a query), or an embeddingFunction when the collection is created or opened.',
    { details: { collection } },
  );
}

function failure(message: string, cause?: unknown): DatabaseError {
  return new DatabaseError('TESSERA_EMBEDDING_FUNCTION', message, { cause });
}
