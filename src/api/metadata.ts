/**
 * Metadata: from what callers hand in to the canonical JSON text that is stored, and back.
 *
 * Values are strings, booleans, 64-bit integers, floats, and arrays of one of these. The text keeps integers
 * and floats apart by their spelling (`1` and `1.0`), because filters, the schema and other languages'
 * clients do. In JavaScript a number with an integral value is an integer; `new Double(1)` says that a float
 * is meant, and a `bigint` is always an integer, exact up to 64 bits.
 *
 * Only own enumerable string keys count, and they are only ever read, never assigned, so that a key called
 * `__proto__` is a key like any other.
 */
import { DatabaseError, Double, formatFloat, show } from '../base/index.ts';
import { LIMITS } from './limits.ts';
import type { MetadataKey, MetadataType } from './records.ts';
import { utf8Size } from './text.ts';

/** A metadata value as it is read: integers beyond 2^53 come back as the nearest number. */
export type MetadataValue = string | number | boolean | string[] | number[] | boolean[];

/** Metadata of a record or a collection as it is read. */
export type Metadata = Record<string, MetadataValue>;

/** A metadata value as it may be written: `Double` forces a float, `bigint` an integer of 64 bits. */
export type MetadataInputValue =
  | string
  | number
  | boolean
  | bigint
  | Double
  | readonly string[]
  | readonly boolean[]
  | readonly (number | bigint | Double)[];

/** Metadata as it may be written; `undefined` members are left out. */
export type MetadataInput = { readonly [key: string]: MetadataInputValue | undefined };

/** Metadata of an update or upsert, merged key by key; `null` deletes a key. */
export type MetadataChanges = { readonly [key: string]: MetadataInputValue | null | undefined };

/** What `encodeMetadata` found. */
export interface EncodedMetadata {
  /** Canonical JSON object; `null` when nothing is to be stored. */
  readonly text: string | null;
  /** Each key that is set, with its type. */
  readonly keys: MetadataKey[];
  /** The value of the reserved key `chroma:document`, which becomes the record's document. */
  readonly document: string | null;
  /** The value of the reserved key `chroma:uri`, which becomes the record's URI. */
  readonly uri: string | null;
}

/** Where a metadata object stands, for messages, and what it may hold. */
export interface MetadataOptions {
  /** Update and upsert: a `null` member, or an empty array, deletes the key. */
  readonly allowNull: boolean;
  /** Name of the column, such as `metadatas`. */
  readonly field: string;
  /** Place in the column, from 0. */
  readonly index?: number;
}

const TYPES: readonly MetadataType[] = ['string', 'int', 'float', 'bool'];
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const EXPECTED_VALUE = 'a string, a number, a boolean or an array of one of these';

/** The keys of a batch with their types, and each key's JSON spelling, so that it is made once a batch. */
export class MetadataKeySet {
  readonly #entries = new Map<string, { readonly json: string; mask: number }>();

  /**
   * Notes that `key` is set to a value of `type`, or merely mentioned (`null`); gives the key's JSON
   * spelling.
   */
  note(key: string, type: MetadataType | null): string {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { json: JSON.stringify(key), mask: 0 };
      this.#entries.set(key, entry);
    }
    if (type !== null) entry.mask |= 1 << TYPES.indexOf(type);
    return entry.json;
  }

  /** Every key with every type that it was set to, in order of first mention. */
  toArray(): MetadataKey[] {
    const keys: MetadataKey[] = [];
    for (const [key, { mask }] of this.#entries) {
      for (let i = 0; i < TYPES.length; i++) if ((mask & (1 << i)) !== 0) keys.push({ key, type: TYPES[i]! });
    }
    return keys;
  }
}

/**
 * Encodes the metadata of one record.
 *
 * `null`, `undefined` and `{}` give the text `null`: nothing is stored. An empty array stores nothing under
 * its key.
 *
 * Errors: `TESSERA_INVALID_METADATA` (with `details.reason` `'type'` for values of a kind that metadata
 * cannot hold), `TESSERA_UNSUPPORTED` for sparse vectors, `TESSERA_LIMIT_EXCEEDED` over
 * `LIMITS.metadataBytesMax`.
 */
export function encodeMetadata(value: unknown, options: MetadataOptions): EncodedMetadata {
  const keys = new MetadataKeySet();
  const encoded = encodeMetadataInto(keys, value, options);
  return { ...encoded, keys: keys.toArray() };
}

/** `encodeMetadata` for a whole batch: notes the keys in a set that the rows share. */
export function encodeMetadataInto(
  keys: MetadataKeySet,
  value: unknown,
  options: MetadataOptions,
): Omit<EncodedMetadata, 'keys'> {
  if (value === null || value === undefined) return { text: null, document: null, uri: null };
  if (!isRecord(value)) {
    throw typeFault(`Expected ${place(options)} to be an object or null, got ${show(value)}.`, options);
  }
  let members = '';
  let document: string | null = null;
  let uri: string | null = null;
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    if (key === 'chroma:document') document = reservedText(member, key, options);
    else if (key === 'chroma:uri') uri = reservedText(member, key, options);
    else {
      const text = encodeMember(keys, key, member, options);
      if (text !== '') members += members === '' ? text : `,${text}`;
    }
  }
  if (members === '') return { text: null, document, uri };
  const text = `{${members}}`;
  checkSize(text, place(options));
  return { text, document, uri };
}

/**
 * Encodes the metadata of a collection, which holds scalars only; `null` members are dropped.
 *
 * `null` and `undefined` give `null`. Errors: `TESSERA_INVALID_METADATA`, `TESSERA_UNSUPPORTED`,
 * `TESSERA_LIMIT_EXCEEDED`, as `encodeMetadata`.
 */
export function encodeCollectionMetadata(value: unknown, field = 'metadata'): string | null {
  if (value === null || value === undefined) return null;
  const options: MetadataOptions = { allowNull: true, field };
  if (!isRecord(value))
    throw typeFault(`Expected ${field} to be an object or null, got ${show(value)}.`, options);
  const names = Object.keys(value);
  if (names.length === 0) {
    throw fault(`Validation error: ${field}: Metadata cannot be empty. Leave it out, or set a key.`, options);
  }
  const keys = new MetadataKeySet();
  const members: string[] = [];
  for (const key of names) {
    const member = value[key];
    if (key === '') throw fault(`Validation error: ${field}: Metadata key cannot be empty`, options);
    if (isReservedStart(key)) {
      throw fault(`Validation error: ${field}: Metadata key cannot start with '#' or '$': ${key}`, options);
    }
    if (Array.isArray(member)) {
      throw fault(
        `Validation error: ${field}: Expected ${show(key)} to be a string, a number or a boolean, got an array. ` +
          'Metadata of collections holds no arrays; metadata of records does.',
        options,
      );
    }
    if (member !== null && member !== undefined) members.push(encodeMember(keys, key, member, options));
  }
  if (members.length === 0) return null;
  const text = `{${members.join(',')}}`;
  checkSize(text, field);
  return text;
}

/**
 * Reads a text that `encodeMetadata` wrote as a plain object; integers beyond 2^53 become the nearest number.
 */
export function decodeMetadata(text: string): Metadata {
  return JSON.parse(text) as Metadata;
}

/** One `"key":value`, or `''` for a member that stores nothing. */
function encodeMember(keys: MetadataKeySet, key: string, value: unknown, options: MetadataOptions): string {
  if (key === '' || isReservedStart(key)) {
    throw fault(
      `Validation error: ${options.field}: Invalid metadata at index ${options.index ?? 0}. ` +
        `Expected keys that are not empty and do not start with '#' or '$', got ${show(key)}.`,
      options,
    );
  }
  if (value === null) {
    if (options.allowNull) return `${keys.note(key, null)}:null`;
    throw typeFault(
      `Expected ${place(options)}[${show(key)}] to be ${EXPECTED_VALUE}, got null. Leave the key out; ` +
        'null deletes a key, in update and upsert alone.',
      options,
    );
  }
  if (Array.isArray(value)) return encodeArray(keys, key, value, options);
  const type = scalarType(value);
  if (type === null) throw unusable(key, value, options);
  checkFinite(value, key, options);
  return `${keys.note(key, type)}:${formatScalar(value, type)}`;
}

function encodeArray(keys: MetadataKeySet, key: string, values: unknown[], options: MetadataOptions): string {
  if (values.length === 0) return options.allowNull ? `${keys.note(key, null)}:null` : '';
  let type = scalarType(values[0]);
  for (let i = 0; i < values.length; i++) {
    const found = scalarType(values[i]);
    if (found === null) throw unusable(`${key}[${i}]`, values[i], options);
    checkFinite(values[i], key, options);
    if (found === type) continue;
    if (!isNumeric(found) || !isNumeric(type)) {
      throw typeFault(
        `Expected the values of ${place(options)}[${show(key)}] to be of one type, got ${type} and ${found}.`,
        options,
      );
    }
    type = 'float';
  }
  const elementType = type!;
  const texts = values.map((value) => formatScalar(value, elementType));
  return `${keys.note(key, elementType)}:[${texts.join(',')}]`;
}

function scalarType(value: unknown): MetadataType | null {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isSafeInteger(value) ? 'int' : 'float';
    case 'bigint':
      return value >= INT64_MIN && value <= INT64_MAX ? 'int' : 'float';
    default:
      return value instanceof Double ? 'float' : null;
  }
}

function isNumeric(type: MetadataType | null): boolean {
  return type === 'int' || type === 'float';
}

/** `value` has been checked by `scalarType`; `type` may be the wider type of the array it stands in. */
function formatScalar(value: unknown, type: MetadataType): string {
  if (type === 'float') return formatFloat(numberOf(value));
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function numberOf(value: unknown): number {
  return value instanceof Double ? value.value : Number(value);
}

function checkFinite(value: unknown, key: string, options: MetadataOptions): void {
  if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(numberOf(value))) return;
  throw fault(
    `Expected ${place(options)}[${show(key)}] to be a finite number, got ${String(numberOf(value))}.`,
    options,
  );
}

function reservedText(value: unknown, key: string, options: MetadataOptions): string | null {
  if (typeof value === 'string') return value;
  if (value === null && options.allowNull) return null;
  throw typeFault(`Expected ${place(options)}[${show(key)}] to be a string, got ${show(value)}.`, options);
}

/** Objects in the sense of JSON: no arrays, dates, maps or typed arrays; of any realm and any prototype. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]' && !(value instanceof Double);
}

function isReservedStart(key: string): boolean {
  return key.startsWith('#') || key.startsWith('$');
}

function checkSize(text: string, where: string): void {
  const size = utf8Size(text, LIMITS.metadataBytesMax);
  if (size <= LIMITS.metadataBytesMax) return;
  throw new DatabaseError(
    'TESSERA_LIMIT_EXCEEDED',
    `Expected ${where} to take at most ${LIMITS.metadataBytesMax} bytes as JSON, got ${size}. ` +
      'Long texts belong into the document.',
    { details: { limit: LIMITS.metadataBytesMax, size } },
  );
}

function place(options: MetadataOptions): string {
  return options.index === undefined ? options.field : `${options.field}[${options.index}]`;
}

function fault(message: string, options: MetadataOptions): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_METADATA', message, {
    details: { field: options.field, index: options.index },
  });
}

function typeFault(message: string, options: MetadataOptions): DatabaseError {
  return new DatabaseError('TESSERA_INVALID_METADATA', message, {
    details: { field: options.field, index: options.index, reason: 'type' },
  });
}

function unusable(key: string, value: unknown, options: MetadataOptions): DatabaseError {
  if (isRecord(value) && isSparseVector(value)) return refusedSparseVector(key, value, options);
  return typeFault(
    `Expected ${place(options)}[${show(key)}] to be ${EXPECTED_VALUE}, got ${show(value)}.`,
    options,
  );
}

/** `#type` may be left out. */
function isSparseVector({ '#type': tag, indices, values }: Record<string, unknown>): boolean {
  return (tag === 'sparse_vector' || tag === undefined) && Array.isArray(indices) && Array.isArray(values);
}

/** What is wrong with a sparse vector: with itself, or else that it is one. */
function refusedSparseVector(
  key: string,
  value: Record<string, unknown>,
  options: MetadataOptions,
): DatabaseError {
  const indices = value['indices'] as readonly unknown[];
  const values = value['values'] as readonly unknown[];
  const where = `${place(options)}[${show(key)}]`;
  const isIndex = (index: unknown): boolean =>
    Number.isInteger(index) && (index as number) >= 0 && (index as number) <= LIMITS.unsignedMax;
  const isNumber = (number: unknown): boolean => isNumeric(scalarType(number));
  if (!indices.every(isIndex) || !values.every(isNumber)) {
    return typeFault(`Expected ${where} to have indices of 32 bits and numbers as values.`, options);
  }
  if (indices.length !== values.length) {
    const counts = `${indices.length} and ${values.length}`;
    return fault(`Expected ${where} to have as many indices as values, got ${counts}.`, options);
  }
  if (!indices.every((index, i) => i === 0 || (indices[i - 1] as number) < (index as number))) {
    return fault(`Expected ${where} to have indices in strictly ascending order.`, options);
  }
  return new DatabaseError(
    'TESSERA_UNSUPPORTED',
    `Unimplemented: Sparse vector is not supported for local chroma: ${key}`,
    { details: { field: options.field, index: options.index, key } },
  );
}
