/** Which embedding function a collection uses, and what is said when there is none and texts come along. */
import { type CollectionInfo, type EmbeddingBatch, packEmbeddings } from '../api/index.ts';
import { DatabaseError, show } from '../base/index.ts';
import {
  buildEmbeddingFunction,
  describeEmbeddingFunction,
  type EmbeddingFunction,
  type EmbeddingModels,
  isSameFunction,
  type StoredEmbeddingFunction,
  showFunction,
  storedEmbeddingFunction,
} from '../embed/index.ts';
import { checkSignal } from './connection.ts';

/** Embeds the texts of one collection. */
export class Embedder {
  /**
   * Whether nobody has said which function the collection has. While it holds nothing, that is the default
   * one: it is stored with the first documents, and until then only as the collection was when last seen.
   */
  readonly isUndecided: boolean;
  readonly embeddingFunction: EmbeddingFunction | undefined;
  /** Why there is none: a reason, made an error where it is thrown, or what building the function threw. */
  readonly #absence: string | DatabaseError;
  readonly #info: CollectionInfo;

  /**
   * Chooses between the function that the caller passed and the one that the collection was made with.
   *
   * `null` declares that the collection takes embeddings only. A stored function that cannot be built is no
   * error before a text has to be embedded: lists of collections must not depend on it.
   *
   * Errors: `TESSERA_EMBEDDING_FUNCTION` when the two are known by name, and not the same.
   */
  constructor(
    passed: EmbeddingFunction | null | undefined,
    info: CollectionInfo,
    models: EmbeddingModels | null,
  ) {
    this.#info = info;
    const stored = storedEmbeddingFunction(info.configuration.embeddingFunction);
    this.isUndecided = passed === undefined && stored === null && models !== null;
    if (passed) {
      checkConflict(passed, stored, info.name);
      this.embeddingFunction = passed;
      this.#absence = '';
      return;
    }
    this.#absence = absenceReason(passed, stored, this.isUndecided);
    if (passed === null) return;
    if (this.isUndecided && info.dimension === null) this.embeddingFunction = models!.makeDefault();
    if (stored === null) return;
    try {
      this.embeddingFunction = buildEmbeddingFunction(stored, models) ?? undefined;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      this.#absence = error;
    }
  }

  /**
   * Embeddings of documents; rows that are `null` are refused unless `allowNull`, and then stay without one.
   */
  async embedDocuments(
    documents: readonly unknown[],
    allowNull: boolean,
    signal: AbortSignal | undefined,
  ): Promise<(EmbeddingRow | null)[]> {
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
    const generated = texts.length === 0 ? [] : await this.#generate(texts, 'generate', signal);
    for (const [i, row] of rows.entries()) embedded[row] = generated[i]!;
    return embedded;
  }

  /** Embeddings of query texts. */
  async embedQueries(texts: readonly unknown[], signal: AbortSignal | undefined): Promise<EmbeddingBatch> {
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
      texts.length === 0 ? [] : await this.#generate([...texts] as string[], 'generateForQueries', signal);
    return packEmbeddings(generated, { field: 'queryTexts', allowNull: false });
  }

  async #generate(
    texts: string[],
    method: 'generate' | 'generateForQueries',
    signal: AbortSignal | undefined,
  ): Promise<readonly EmbeddingRow[]> {
    const { embeddingFunction } = this;
    if (embeddingFunction === undefined) {
      throw typeof this.#absence === 'string' ? absence(this.#info.name, this.#absence) : this.#absence;
    }
    const name = show(embeddingFunction.name ?? 'unnamed');
    const options = signal === undefined ? {} : { signal };
    let embeddings: readonly EmbeddingRow[];
    try {
      embeddings =
        method === 'generateForQueries' && embeddingFunction.generateForQueries !== undefined
          ? await embeddingFunction.generateForQueries(texts, options)
          : await embeddingFunction.generate(texts, options);
    } catch (cause) {
      checkSignal(signal);
      if (cause instanceof DatabaseError) throw cause;
      const reason = cause instanceof Error ? cause.message : show(cause);
      throw failure(`The embedding function ${name} failed: ${reason}`, cause);
    }
    if (!Array.isArray(embeddings) || embeddings.length !== texts.length) {
      const found = Array.isArray(embeddings) ? `${embeddings.length}` : show(embeddings);
      throw failure(`Expected ${texts.length} embeddings from the embedding function ${name}, got ${found}.`);
    }
    this.#checkDimension(embeddings as readonly EmbeddingRow[], name);
    return embeddings;
  }

  /** The store would refuse another dimension as well, but cannot say which functions are at odds. */
  #checkDimension(embeddings: readonly EmbeddingRow[], name: string): void {
    const { dimension, name: collection, configuration } = this.#info;
    const other = dimension === null ? undefined : embeddings.find((row) => row?.length !== dimension);
    if (typeof other?.length !== 'number') return;
    const stored = storedEmbeddingFunction(configuration.embeddingFunction);
    const origin = stored?.type === 'known' ? `made with ${showFunction(stored)}` : 'made with another model';
    throw new DatabaseError(
      'TESSERA_DIMENSION_MISMATCH',
      `Expected embeddings of dimension ${dimension}, as the collection ${show(collection)} has, ${origin}; got one of ` +
        `dimension ${other.length} from the embedding function ${name}. Use the function that made the collection.`,
      { details: { collection, expected: dimension, actual: other.length } },
    );
  }
}

type EmbeddingRow = readonly number[] | Float32Array;

/**
 * Whether a function may take the place of the stored one by `modify`, which embeds nothing anew: where the
 * collection has had no embeddings yet, or they are of the same model. Errors: `TESSERA_EMBEDDING_FUNCTION`.
 */
export function checkExchange(passed: EmbeddingFunction, info: CollectionInfo): void {
  const stored = storedEmbeddingFunction(info.configuration.embeddingFunction);
  if (info.dimension === null || stored?.type !== 'known' || stored.name === 'default') return;
  const given = namedFunction(passed, stored);
  if (given !== null && isSameFunction(given, stored)) return;
  throw new DatabaseError(
    'TESSERA_EMBEDDING_FUNCTION',
    `The collection ${show(info.name)} holds embeddings of the embedding function ${showFunction(stored)}, and modify ` +
      `cannot exchange it for ${given === null ? 'a function without a name' : showFunction(given)}: embeddings of ` +
      'different functions cannot be compared. Call collection.reembed({ embeddingFunction }), which embeds the documents anew.',
    { details: { collection: info.name, stored: stored.name, passed: passed.name ?? null } },
  );
}

/** A function as it would be stored beside `stored`; `null` where it has no name. */
function namedFunction(
  passed: EmbeddingFunction,
  stored: StoredEmbeddingFunction & { readonly type: 'known' },
): StoredEmbeddingFunction | null {
  if (!passed.name) return null;
  const described = describeEmbeddingFunction(passed);
  return described.type === 'known' ? described : { ...stored, name: passed.name };
}

/** Chroma's clients store `default` without being asked, so it contradicts nothing. */
function checkConflict(
  passed: EmbeddingFunction,
  stored: StoredEmbeddingFunction | null,
  collection: string,
): void {
  if (stored?.type !== 'known' || stored.name === 'default') return;
  const given = namedFunction(passed, stored);
  if (given === null || isSameFunction(given, stored)) return;
  throw new DatabaseError(
    'TESSERA_EMBEDDING_FUNCTION',
    `The collection ${show(collection)} was made with the embedding function ${showFunction(stored)}, got ` +
      `${showFunction(given)}. Embeddings of different functions cannot be compared: pass the same function, or leave ` +
      'embeddingFunction out.',
    { details: { collection, stored: stored.name, passed: passed.name } },
  );
}

function absenceReason(
  passed: null | undefined,
  stored: StoredEmbeddingFunction | null,
  isUndecided: boolean,
): string {
  if (isUndecided) return 'it holds embeddings, and nothing says which function made them';
  if (passed === null) return 'it was opened with embeddingFunction: null';
  if (stored?.type === 'known') {
    return (
      `it was made with the embedding function ${showFunction(stored)}, which is not registered in this process ` +
      '(see registerEmbeddingFunction)'
    );
  }
  return stored?.type === 'legacy'
    ? 'it was made with a function that could not be stored'
    : 'it was given none';
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
