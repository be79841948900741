/**
 * The four kinds of write, inside a transaction that the caller holds.
 *
 * Each changed record takes the next number of the change sequence and moves its entry in `changes` there; a
 * deleted one leaves its row behind in `changes` as a tombstone. A call works on its own copy of the state
 * and hands it out by `finish`, so that a call that fails halfway leaves no trace in memory, as its savepoint
 * leaves none in the file.
 */

import type { EmbeddingBatch, RecordBatch } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import type { SqlDatabase, SqlStatement } from '../sqlite/index.ts';
import {
  corruptRecord,
  decodeRecord,
  mergeMetadata,
  RECORD_COLUMNS,
  recordChecksum,
  type StoredRecord,
} from './record.ts';
import { type StoreState, writeState } from './state.ts';
import { VectorTable } from './vector-table.ts';

/** Tombstones are purged once there are more of them than live records, and more than this. */
const TOMBSTONES_KEPT_MIN = 1_000;

/** Writes records; see the top of this file. */
export class RecordWriter {
  readonly #database: SqlDatabase;
  readonly #state: StoreState;
  readonly #insert: SqlStatement;
  readonly #replace: SqlStatement;
  readonly #addChange: SqlStatement;
  readonly #dropChange: SqlStatement;
  readonly #byId: SqlStatement;
  #vectors: VectorTable | null;

  constructor(database: SqlDatabase, state: StoreState) {
    this.#database = database;
    this.#state = { ...state };
    this.#vectors = state.dimension === null ? null : new VectorTable(database, state.dimension);
    this.#insert = database.prepare(
      `INSERT INTO records (${RECORD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#replace = database.prepare(
      `UPDATE records SET sequence = ?, document = ?, uri = ?, metadata = ?, vector_checksum = ?, checksum = ?
       WHERE row = ?`,
    );
    this.#addChange = database.prepare('INSERT INTO changes (sequence, row) VALUES (?, ?)');
    this.#dropChange = database.prepare('DELETE FROM changes WHERE sequence = ?');
    this.#byId = database.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE id = ?`);
  }

  /** Inserts the records whose ids are new; the first of an id twice in the batch wins. */
  add(batch: RecordBatch): void {
    this.#fixDimension(batch.embeddings);
    for (let index = 0; index < batch.ids.length; index++) {
      const isStored = this.#byId.get(batch.ids[index]!) !== undefined;
      if (!isStored) this.#insertRecord(batch, index);
    }
  }

  /** Inserts or updates, in the order of the batch. */
  upsert(batch: RecordBatch): void {
    this.#fixDimension(batch.embeddings);
    for (let index = 0; index < batch.ids.length; index++) {
      const columns = this.#byId.get(batch.ids[index]!);
      if (columns === undefined) this.#insertRecord(batch, index);
      else this.#updateRecord(decodeRecord(columns, batch.ids[index]!), batch, index);
    }
  }

  /** Updates the records that are stored, in the order of the batch; others are ignored. */
  update(batch: RecordBatch): void {
    this.#fixDimension(batch.embeddings);
    for (let index = 0; index < batch.ids.length; index++) {
      const columns = this.#byId.get(batch.ids[index]!);
      if (columns === undefined) continue;
      this.#updateRecord(decodeRecord(columns, batch.ids[index]!), batch, index);
    }
  }

  /** Deletes rows, which must be live. */
  delete(rows: Iterable<number>): void {
    const sequenceOf = this.#database.prepare('SELECT sequence FROM records WHERE row = ?');
    const remove = this.#database.prepare('DELETE FROM records WHERE row = ?');
    for (const row of rows) {
      const [sequence] = sequenceOf.get(row) ?? [];
      if (sequence === undefined) throw corruptRecord(row, null, 'its row is missing');
      this.#change(row, sequence as number);
      remove.run(row);
      this.#vectors!.remove(row);
      this.#state.recordCount--;
      this.#state.tombstoneCount++;
    }
    const tombstonesMax = Math.max(TOMBSTONES_KEPT_MIN, this.#state.recordCount);
    if (this.#state.tombstoneCount > tombstonesMax) this.#purgeTombstones();
  }

  /** Writes what is still in memory and returns the state after the call. */
  finish(): StoreState {
    this.#vectors?.flush();
    writeState(this.#database, this.#state);
    return this.#state;
  }

  #fixDimension(embeddings: EmbeddingBatch | null): void {
    const expected = this.#state.dimension;
    if (embeddings === null || embeddings.dimension === expected) return;
    const isEmpty = embeddings.values.length === 0 || embeddings.present?.includes(1) === false;
    if (isEmpty) return;
    const actual = embeddings.dimension;
    if (expected !== null) {
      const message = `Collection expecting embedding with dimension of ${expected}, got ${actual}. Use the model that wrote the collection, or a new collection.`;
      throw new DatabaseError('TESSERA_DIMENSION_MISMATCH', message, { details: { expected, actual } });
    }
    this.#state.dimension = actual;
    this.#vectors = new VectorTable(this.#database, actual);
  }

  #insertRecord(batch: RecordBatch, index: number): void {
    const embedding = embeddingAt(batch.embeddings, index);
    const id = batch.ids[index]!;
    if (embedding === null) {
      const message = `Expected an embedding for the new record ${JSON.stringify(id)}, got none. Give embeddings with the records that you add.`;
      throw new DatabaseError('TESSERA_INVALID_EMBEDDING', message, { details: { id, index } });
    }
    const patch = batch.metadatas?.[index] ?? null;
    const row = this.#state.nextRow++;
    const record: StoredRecord = {
      row,
      id,
      sequence: this.#change(row, null),
      document: batch.documents?.[index] ?? null,
      uri: batch.uris?.[index] ?? null,
      metadata: patch === null || !patch.includes('null') ? patch : mergeMetadata(null, patch),
      vectorChecksum: this.#vectors!.put(row, embedding),
    };
    const { sequence, document, uri, metadata, vectorChecksum } = record;
    this.#insert.run(row, id, sequence, document, uri, metadata, vectorChecksum, recordChecksum(record));
    this.#state.recordCount++;
  }

  #updateRecord(stored: StoredRecord, batch: RecordBatch, index: number): void {
    const embedding = embeddingAt(batch.embeddings, index);
    const patch = batch.metadatas?.[index] ?? null;
    const record: StoredRecord = {
      row: stored.row,
      id: stored.id,
      sequence: this.#change(stored.row, stored.sequence),
      document: batch.documents?.[index] ?? stored.document,
      uri: batch.uris?.[index] ?? stored.uri,
      metadata: patch === null ? stored.metadata : mergeMetadata(stored.metadata, patch),
      vectorChecksum: embedding === null ? stored.vectorChecksum : this.#vectors!.put(stored.row, embedding),
    };
    const { sequence, document, uri, metadata, vectorChecksum, row } = record;
    this.#replace.run(sequence, document, uri, metadata, vectorChecksum, recordChecksum(record), row);
  }

  /** Gives a row the next sequence number, in place of its former one. */
  #change(row: number, former: number | null): number {
    if (former !== null) this.#dropChange.run(former);
    this.#state.sequence++;
    this.#addChange.run(this.#state.sequence, row);
    return this.#state.sequence;
  }

  #purgeTombstones(): void {
    this.#database.prepare('DELETE FROM changes WHERE row NOT IN (SELECT row FROM records)').run();
    this.#state.tombstoneCount = 0;
    this.#state.purgedSequence = this.#state.sequence;
  }
}

function embeddingAt(embeddings: EmbeddingBatch | null, index: number): Float32Array | null {
  if (embeddings === null || embeddings.present?.[index] === 0) return null;
  const { dimension, values } = embeddings;
  return values.subarray(index * dimension, (index + 1) * dimension);
}
