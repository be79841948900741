/** One stored record: its columns, its checksum, and how metadata is merged into it. */
import { DatabaseError, formatJson, type JsonValue, parseJson } from '../base/index.ts';
import { checksum } from '../io/index.ts';
import type { SqlRow } from '../sqlite/index.ts';

/** A record as it is stored, without its embedding. */
export interface StoredRecord {
  /** Stable number of the record, ascending in insertion order, never used twice. */
  readonly row: number;
  readonly id: string;
  /** Position of the record's latest change. */
  readonly sequence: number;
  readonly document: string | null;
  readonly uri: string | null;
  /** Canonical JSON object, or `null` for none. */
  readonly metadata: string | null;
  /** Checksum of the record's embedding (see vector-block.ts). */
  readonly vectorChecksum: number;
}

/** The columns of `records`, in the order that `decodeRecord` reads. */
export const RECORD_COLUMNS = 'row, id, sequence, document, uri, metadata, vector_checksum, checksum';

/**
 * Checksum over everything that a record says. Lengths stand before the texts, so that moving a character
 * from one column to the next changes the sum.
 */
export function recordChecksum(record: StoredRecord): number {
  const part = (text: string | null): string => (text === null ? '-' : `${text.length}:${text}`);
  const { id, document, uri, metadata } = record;
  const numbers = `${digitsOf(record.row)},${digitsOf(record.sequence)},${digitsOf(record.vectorChecksum)}`;
  return checksum(`${numbers},${part(id)},${part(document)},${part(uri)},${part(metadata)}`);
}

/**
 * The same text as a template makes of a number. V8 keeps those, for numbers that come again, until it
 * collects the whole heap: 60 bytes for each record that is read.
 */
function digitsOf(value: number): string {
  return Number.isSafeInteger(value) ? value.toFixed(0) : `${value}`;
}

/**
 * Reads a row of `RECORD_COLUMNS` and verifies it, also that it has the id that it was looked up by. Errors:
 * `TESSERA_CORRUPT`, naming the record.
 */
export function decodeRecord(columns: SqlRow, id?: string): StoredRecord {
  const record: StoredRecord = {
    row: columns[0] as number,
    id: columns[1] as string,
    sequence: columns[2] as number,
    document: columns[3] as string | null,
    uri: columns[4] as string | null,
    metadata: columns[5] as string | null,
    vectorChecksum: columns[6] as number,
  };
  // A flipped bit can turn a text into a blob of the same bytes.
  const { id: ownId, document, uri, metadata } = record;
  if (typeof ownId !== 'string' || !isText(document) || !isText(uri) || !isText(metadata)) {
    throw corruptRecord(record.row, null, 'a text is stored as something else');
  }
  if (recordChecksum(record) !== columns[7])
    throw corruptRecord(record.row, record.id, 'its checksum does not agree');
  if (id !== undefined && record.id !== id) {
    throw corruptRecord(record.row, record.id, `the index of ids finds it under ${JSON.stringify(id)}`);
  }
  return record;
}

function isText(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

/** The error for a record that cannot be believed. */
export function corruptRecord(row: number, id: string | null, what: string): DatabaseError {
  const name = id === null ? `row ${row}` : `record ${JSON.stringify(id)} (row ${row})`;
  const message = `The stored bytes of ${name} are damaged: ${what}. Restore the collection from a copy, or salvage the others (tessera repair --salvage).`;
  return new DatabaseError('TESSERA_CORRUPT', message, { details: { row, ...(id === null ? {} : { id }) } });
}

/**
 * Merges a patch into a record's metadata, key by key; a `null` member deletes its key. Both are canonical
 * JSON objects. Returns `null` when no key is left.
 */
export function mergeMetadata(stored: string | null, patch: string): string | null {
  const members = new Map<string, JsonValue>();
  for (const text of [stored, patch]) {
    if (text === null) continue;
    for (const [key, value] of Object.entries(parseJson(text) as { [key: string]: JsonValue })) {
      if (value === null) members.delete(key);
      else members.set(key, value);
    }
  }
  return members.size === 0 ? null : formatJson(Object.fromEntries(members));
}
