/** One write, from the columns that a caller or a request body hands in to a validated `RecordBatch`. */
import { DatabaseError, type ErrorCode, finish, type Pieces, show } from '../base/index.ts';
import { packInPieces } from './embeddings.ts';
import { LIMITS } from './limits.ts';
import { encodeMetadataInto, MetadataKeySet } from './metadata.ts';
import type { EmbeddingBatch, RecordBatch } from './records.ts';
import { isWellFormed, utf8Size } from './text.ts';

/** The three writes that take records. */
export type WriteVerb = 'add' | 'upsert' | 'update';

/** Columns as they arrive, none of them checked. `null` and `undefined` both mean "not given". */
export interface BatchInput {
  readonly ids: unknown;
  readonly embeddings?: unknown;
  readonly documents?: unknown;
  readonly uris?: unknown;
  readonly metadatas?: unknown;
}

/**
 * Validates the columns of a write and packs them.
 *
 * `add` and `upsert` need `embeddings`. `update` may leave them out, or give `null` for single rows; `null`
 * metadata members delete keys in `update` and `upsert`. The reserved metadata keys `chroma:document` and
 * `chroma:uri` become the document and the URI of a row that has none of its own.
 *
 * Errors (`details.reason` is `'type'` for wrong JSON types): `TESSERA_INVALID_ID`, `TESSERA_BATCH_MISMATCH`,
 * `TESSERA_INVALID_DOCUMENT`, `TESSERA_INVALID_ARGUMENT` for URIs, and those of `packEmbeddings` and
 * `encodeMetadata`.
 */
export function parseBatch(input: BatchInput, verb: WriteVerb): RecordBatch {
  return finish(parseBatchInPieces(input, verb));
}

/** `parseBatch` in pieces, for a thread that must not stand still. `input` is not to change meanwhile. */
export function* parseBatchInPieces(input: BatchInput, verb: WriteVerb): Pieces<RecordBatch> {
  const columns = yield* parseColumnsInPieces(input, verb);
  return { ...columns, embeddings: yield* parseEmbeddingsInPieces(input.embeddings ?? null, verb) };
}

/** Rows of metadata that one piece encodes: about a millisecond. */
const METADATAS_PER_PIECE = 1_024;

/** `parseBatch` for everything but the embeddings, of which only the number of rows is checked; in pieces. */
export function* parseColumnsInPieces(
  input: BatchInput,
  verb: WriteVerb,
): Pieces<Omit<RecordBatch, 'embeddings'>> {
  const ids = parseIds(input.ids);
  checkLengths(ids.length, input);
  let documents = parseTexts(input.documents ?? null, 'documents');
  let uris = parseTexts(input.uris ?? null, 'uris');
  const keys = new MetadataKeySet();
  let metadatas: (string | null)[] | null = null;
  if (isGiven(input.metadatas)) {
    const allowNull = verb !== 'add';
    const rows = columnOf(input.metadatas, 'metadatas', 'TESSERA_INVALID_METADATA');
    metadatas = [];
    for (let i = 0; i < rows.length; i++) {
      if (i > 0 && i % METADATAS_PER_PIECE === 0) yield;
      const encoded = encodeMetadataInto(keys, rows[i], { allowNull, field: 'metadatas', index: i });
      metadatas.push(encoded.text);
      if (encoded.document !== null)
        documents = withReserved(documents, ids.length, i, encoded.document, 'documents');
      if (encoded.uri !== null) uris = withReserved(uris, ids.length, i, encoded.uri, 'uris');
    }
  }
  return { ids, documents, uris, metadatas, metadataKeys: keys.toArray() };
}

/**
 * The `embeddings` column of a write, in pieces: needed by `add` and `upsert`, while `update` may leave it or
 * rows of it out.
 */
export function* parseEmbeddingsInPieces(value: unknown, verb: WriteVerb): Pieces<EmbeddingBatch | null> {
  if (value === null) {
    if (verb === 'update') return null;
    throw typeFault('TESSERA_INVALID_EMBEDDING', `Expected embeddings in ${verb}, got none.`, 'embeddings');
  }
  const batch = yield* packInPieces(value, { field: 'embeddings', allowNull: verb === 'update' });
  // A column without a single embedding says the same as no column, and need not be told apart further down.
  return batch.dimension === 0 && batch.present !== null ? null : batch;
}

/**
 * Validates a list of record ids.
 *
 * Errors: `TESSERA_INVALID_ID` for an empty or over-long id, for a lone surrogate, and (`details.reason`
 * `'type'`) for anything but strings.
 */
export function parseIds(value: unknown): string[] {
  // A copy, so that what was checked is what is written, whatever becomes of the caller's array meanwhile.
  const ids = [...columnOf(value, 'ids', 'TESSERA_INVALID_ID')];
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (typeof id !== 'string') {
      throw typeFault('TESSERA_INVALID_ID', `Expected ids[${i}] to be a string, got ${show(id)}.`, 'ids', i);
    }
    if (id.length === 0) throw invalidId('Empty ID, ID must have at least one character', i);
    if (id.length > LIMITS.idLengthMax) {
      throw invalidId(
        `Expected ids of at most ${LIMITS.idLengthMax} characters, got ${id.length} at ids[${i}].`,
        i,
      );
    }
    if (!isWellFormed(id)) throw invalidId(`Expected ids[${i}] to be well-formed: ${LONE_SURROGATE}`, i);
  }
  return ids as string[];
}

const LONE_SURROGATE =
  'it has half of a surrogate pair, which has no UTF-8 form and would be stored as another text. ' +
  'The text was probably cut inside a character.';

function parseTexts(value: unknown, field: 'documents' | 'uris'): (string | null)[] | null {
  if (value === null) return null;
  const rows = columnOf(value, field, codeOf(field));
  const texts: (string | null)[] = new Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const text = rows[i] ?? null;
    if (text !== null && typeof text !== 'string') {
      throw typeFault(
        codeOf(field),
        `Expected ${field}[${i}] to be a string or null, got ${show(text)}.`,
        field,
        i,
      );
    }
    if (text !== null) checkText(text, field, i);
    texts[i] = text;
  }
  return texts;
}

function checkText(text: string, field: 'documents' | 'uris', index: number): void {
  const size = utf8Size(text, LIMITS.documentBytesMax);
  if (size > LIMITS.documentBytesMax) {
    throw new DatabaseError(
      'TESSERA_LIMIT_EXCEEDED',
      `Expected ${field} of at most ${LIMITS.documentBytesMax} bytes, got ${size} at ${field}[${index}].`,
      { details: { field, index, limit: LIMITS.documentBytesMax, size } },
    );
  }
  if (isWellFormed(text)) return;
  throw new DatabaseError(codeOf(field), `Expected ${field}[${index}] to be well-formed: ${LONE_SURROGATE}`, {
    details: { field, index },
  });
}

/** Puts a text from the metadata into a row that was given none. */
function withReserved(
  column: (string | null)[] | null,
  rowCount: number,
  index: number,
  text: string,
  field: 'documents' | 'uris',
): (string | null)[] {
  checkText(text, field, index);
  const filled = column ?? new Array<string | null>(rowCount).fill(null);
  filled[index] ??= text;
  return filled;
}

function checkLengths(idCount: number, input: BatchInput): void {
  const columns = [input.embeddings, input.documents, input.uris, input.metadatas];
  if (columns.every((column) => !Array.isArray(column) || column.length === idCount)) return;
  const counts = columns.map((column) => (Array.isArray(column) ? String(column.length) : 'no'));
  throw new DatabaseError(
    'TESSERA_BATCH_MISMATCH',
    'Inconsistent number of IDs, embeddings, documents, URIs and metadatas. Expected every column to have as many ' +
      `rows as ids, got ${idCount} ids, ${counts[0]} embeddings, ${counts[1]} documents, ${counts[2]} uris and ` +
      `${counts[3]} metadatas.`,
    { details: { idCount } },
  );
}

function isGiven(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function codeOf(field: 'documents' | 'uris'): ErrorCode {
  return field === 'documents' ? 'TESSERA_INVALID_DOCUMENT' : 'TESSERA_INVALID_ARGUMENT';
}

function columnOf(value: unknown, field: string, code: ErrorCode): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw typeFault(code, `Expected ${field} to be an array, got ${show(value)}.`, field);
}

function invalidId(message: string, index: number): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_ID', message, { details: { index } });
}

function typeFault(code: ErrorCode, message: string, field: string, index?: number): DatabaseError {
  return new DatabaseError(code, message, { details: { field, index, reason: 'type' } });
}
