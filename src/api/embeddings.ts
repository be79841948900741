/**
 * Embeddings from the forms in which callers hand them in to one block of float32 values.
 *
 * A column is an array with one entry a record: an array of numbers, a `Float32Array` or `Float64Array`, or
 * base64 of little-endian float32 bytes (what Chroma's clients send on writes). Base64 does not mix with the
 * others within one column. Everything is rounded to float32 here, once; what is not finite afterwards is
 * refused.
 */
import { DatabaseError, Double, type ErrorDetails, finish, type Pieces, show } from '../base/index.ts';
import { base64Size, decodeFloats } from './base64.ts';
import { LIMITS } from './limits.ts';
import type { EmbeddingBatch } from './records.ts';

/** An embedding as callers may hand it in. */
export type EmbeddingInput = readonly number[] | Float32Array | Float64Array;

/** How a column of embeddings is called in messages, and whether rows may be `null`. */
export interface EmbeddingOptions {
  readonly field: string;
  readonly allowNull: boolean;
}

/** Embeddings in a batch in which none is missing. */
export function embeddingCount({ dimension, values }: EmbeddingBatch): number {
  return dimension === 0 ? 0 : values.length / dimension;
}

/**
 * Components that one piece packs: a millisecond or two, and four more where the first write to a page of
 * memory takes 16 µs. Not fewer, since up to so many are read at the call itself (docs/api.md).
 */
const PACKED_PER_PIECE = 262_144;
/** Components that one piece checks, of what was packed: a tenth of a millisecond. */
const CHECKED_PER_PIECE = 65_536;

/**
 * Packs a column of embeddings. An empty column, or one of `null`s alone, has the dimension 0.
 *
 * Errors: `TESSERA_INVALID_EMBEDDING` (`details.reason` `'type'` for wrong JSON types),
 * `TESSERA_DIMENSION_MISMATCH` when rows differ in dimension, `TESSERA_LIMIT_EXCEEDED` over
 * `LIMITS.dimensionMax`. O(count × dimension).
 */
export function packEmbeddings(value: unknown, options: EmbeddingOptions): EmbeddingBatch {
  return finish(packInPieces(value, options));
}

/** `packEmbeddings` in pieces, for a thread that must not stand still. `value` is not to change meanwhile. */
export function* packInPieces(value: unknown, options: EmbeddingOptions): Pieces<EmbeddingBatch> {
  const { field } = options;
  if (!Array.isArray(value)) {
    throw typeFault(`Expected ${field} to be an array of embeddings, got ${describe(value)}.`, { field });
  }
  const rows = value as readonly unknown[];
  const first = rows.findIndex((row) => row !== null && row !== undefined);
  if (first < 0) {
    if (rows.length > 0 && !options.allowNull) throw missing(field, 0);
    const present = rows.length === 0 ? null : new Uint8Array(rows.length);
    return { dimension: 0, values: new Float32Array(0), present };
  }
  const isBase64 = typeof rows[first] === 'string';
  const dimension = isBase64
    ? base64Dimension(rows[first] as string, first)
    : dimensionOf(rows[first], first, field);
  checkDimension(dimension, field);

  const values = new Float32Array(rows.length * dimension);
  const present = new Uint8Array(rows.length);
  let presentCount = 0;
  const rowsPerPiece = Math.ceil(PACKED_PER_PIECE / dimension);
  for (let i = 0; i < rows.length; i++) {
    if (i > 0 && i % rowsPerPiece === 0) yield;
    const row = rows[i];
    if (row === null || row === undefined) {
      if (!options.allowNull) throw missing(field, i);
      continue;
    }
    present[i] = 1;
    presentCount++;
    if ((typeof row === 'string') !== isBase64) {
      throw typeFault(`Expected ${field} to be all base64 strings or all arrays of numbers, got both.`, {
        field,
      });
    }
    const target = values.subarray(i * dimension, (i + 1) * dimension);
    if (isBase64) copyBase64(row as string, target, i);
    else copyNumbers(row, target, i, field);
  }
  const batch = { dimension, values, present: presentCount === rows.length ? null : present };
  for (let from = 0; from < values.length; from += CHECKED_PER_PIECE) {
    if (values.length > CHECKED_PER_PIECE) yield;
    const flaw = firstNotFinite(values.subarray(from, from + CHECKED_PER_PIECE));
    if (flaw >= 0) throw notFinite(batch, from + flaw, field, isBase64);
  }
  return batch;
}

function copyNumbers(row: unknown, target: Float32Array, index: number, field: string): void {
  if (dimensionOf(row, index, field) !== target.length) {
    throw mismatch(target.length, dimensionOf(row, index, field), index, field);
  }
  if (!Array.isArray(row)) {
    target.set(row as Float32Array | Float64Array);
    return;
  }
  for (let i = 0; i < row.length; i++) {
    const number: unknown = row[i];
    target[i] = typeof number === 'number' ? number : exactNumber(number, index, i, field);
  }
}

/** Numbers that `parseJson` keeps apart from plain ones. */
function exactNumber(value: unknown, row: number, component: number, field: string): number {
  if (value instanceof Double) return value.value;
  if (typeof value === 'bigint') return Number(value);
  throw typeFault(`Expected ${field}[${row}][${component}] to be a number, got ${show(value)}.`, {
    field,
    index: row,
  });
}

function dimensionOf(row: unknown, index: number, field: string): number {
  if (Array.isArray(row) || row instanceof Float32Array || row instanceof Float64Array) return row.length;
  throw typeFault(
    `Expected ${field}[${index}] to be an array of numbers, a Float32Array or a base64 string, got ${describe(row)}.`,
    { field, index },
  );
}

/** The place of the first component that is infinite or not a number; −1 where there is none. */
function firstNotFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    // Infinity − Infinity and NaN − NaN are NaN; every finite number gives 0.
    if (values[i]! - values[i]! !== 0) return i;
  }
  return -1;
}

function notFinite(
  { dimension, values }: EmbeddingBatch,
  component: number,
  field: string,
  isBase64: boolean,
): DatabaseError {
  const index = Math.floor(component / dimension);
  const value = values[component];
  const message = isBase64
    ? `Non-finite float value at embedding index ${index}: ${value}`
    : `Validation error: ${field}: Embeddings must not contain NaN or Infinity values. ` +
      `${field}[${index}][${component % dimension}] is ${value} as a 32-bit float.`;
  return new DatabaseError('TESSERA_INVALID_EMBEDDING', message, {
    details: { field, index, component: component % dimension },
  });
}

function checkDimension(dimension: number, field: string): void {
  if (dimension === 0) {
    throw new DatabaseError(
      'TESSERA_INVALID_EMBEDDING',
      `Validation error: ${field}: Each embedding must have at least 1 dimension`,
      { details: { field } },
    );
  }
  if (dimension > LIMITS.dimensionMax) {
    throw new DatabaseError(
      'TESSERA_LIMIT_EXCEEDED',
      `Expected ${field} of at most ${LIMITS.dimensionMax} dimensions, got ${dimension}.`,
      { details: { field, limit: LIMITS.dimensionMax, dimension } },
    );
  }
}

function base64Dimension(text: string, index: number): number {
  const size = base64Size(text);
  if (size === null) {
    throw base64Fault(
      `Invalid base64 string at embedding index ${index}: expected padding to a multiple of 4 characters, ` +
        `got ${text.length} characters.`,
      index,
    );
  }
  if (size % 4 !== 0) {
    throw base64Fault(
      `Invalid byte length: ${size} bytes cannot be converted to 32-bit floats at embedding index ${index}. ` +
        'Expected a multiple of 4.',
      index,
    );
  }
  return size / 4;
}

function copyBase64(text: string, target: Float32Array, index: number): void {
  const dimension = base64Dimension(text, index);
  if (dimension !== target.length) throw mismatch(target.length, dimension, index, 'embeddings');
  const flaw = decodeFloats(text, target);
  if (flaw < 0) return;
  throw base64Fault(
    `Invalid base64 string at embedding index ${index}: ${show(text[flaw])} at character ${flaw}.`,
    index,
  );
}

function base64Fault(message: string, index: number): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_EMBEDDING', message, { details: { index } });
}

function mismatch(expected: number, found: number, index: number, field: string): DatabaseError {
  return new DatabaseError(
    'TESSERA_DIMENSION_MISMATCH',
    `Inconsistent dimensions in provided embeddings. Expected ${expected} as in the first, got ${found} at ` +
      `${field}[${index}].`,
    { details: { field, index, expected, found } },
  );
}

function missing(field: string, index: number): DatabaseError {
  return typeFault(`Expected ${field}[${index}] to be an embedding, got null.`, { field, index });
}

function typeFault(message: string, details: ErrorDetails): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_EMBEDDING', message, { details: { ...details, reason: 'type' } });
}

/** Typed arrays would be shown as objects with a thousand members. */
function describe(value: unknown): string {
  return ArrayBuffer.isView(value) ? `a ${Object.prototype.toString.call(value).slice(8, -1)}` : show(value);
}
