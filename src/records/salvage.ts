/**
 * Saves what can be read of a damaged collection into a copy, and tells what is lost.
 *
 * Nothing of the file is believed but what agrees with its checksum: a record, and its embedding. Damaged
 * pages are walked around. The table of records is read forwards to the first page that cannot be read and
 * backwards to the last, and between the two row by row, since the way to a row may lead past the damage.
 * What should be there is told by what stands beside the records: the index of ids names the ids of rows that
 * cannot be read, and the state how many records there were.
 *
 * The copy is a new file of the current format, whose indexes SQLite makes as the records come in; rows and
 * positions stay. Followers start anew.
 */
import type { Loss } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { isSqlError, type SqlDatabase, type SqlRow } from '../sqlite/index.ts';
import { rowsPerBlock } from './format.ts';
import { decodeRecord, RECORD_COLUMNS } from './record.ts';
import type { RecordCopy } from './record-copy.ts';
import { readState, type StoreState } from './state.ts';
import { bytesOf, embeddingChecksum, VectorBlock } from './vector-block.ts';

/** Rows that are read at a time. */
const PAGE_ROWS = 128;

/** Rows that are looked for one by one between two slices. */
const PROBES_PER_SLICE = 256;

/** What became of a collection's records. */
export interface Salvaged {
  readonly savedCount: number;
  /** Records that are lost, as far as can be told: those listed, or more where the file says so. */
  readonly lostCount: number;
  readonly losses: readonly Loss[];
}

/**
 * Fills a copy with what can be read of a file; yields every millisecond or so. `dimension` is what the
 * catalogue says of it.
 *
 * Errors: `TESSERA_CORRUPT` where nothing can be read at all.
 */
export function* salvage(
  source: SqlDatabase,
  copy: RecordCopy,
  dimension: number | null,
): Generator<void, Salvaged> {
  source.exec('BEGIN');
  try {
    return yield* new Salvage(source, copy, dimension).run();
  } finally {
    source.exec('ROLLBACK');
  }
}

class Salvage {
  readonly #source: SqlDatabase;
  readonly #copy: RecordCopy;
  readonly #dimension: number | null;
  readonly #state: StoreState | null;
  /** Row → id, by the index of ids. */
  readonly #named = new Map<number, string>();
  readonly #losses: Loss[] = [];
  readonly #ids = new Set<string>();
  #savedCount = 0;
  #sequence: number;
  #nextRow: number;
  /** The block that the rows at hand belong to, and what was saved of it. */
  #block: { readonly number: number; readonly stored: VectorBlock; readonly saved: VectorBlock } | null =
    null;

  constructor(source: SqlDatabase, copy: RecordCopy, dimension: number | null) {
    this.#source = source;
    this.#copy = copy;
    this.#state = unlessDamaged(() => readState(source)) ?? null;
    this.#dimension = this.#state?.dimension ?? dimension;
    this.#sequence = this.#state?.sequence ?? 0;
    this.#nextRow = this.#state?.nextRow ?? 1;
  }

  *run(): Generator<void, Salvaged> {
    yield* this.#readNames();
    const sql = `SELECT ${RECORD_COLUMNS} FROM records WHERE row`;
    let after = 0;
    for (const page of this.#pages(`${sql} > ? ORDER BY row LIMIT ?`, 0)) {
      for (const columns of page) this.#save(columns);
      after = page.at(-1)![0] as number;
      yield;
    }
    const tail: SqlRow[] = [];
    for (const page of this.#pages(`${sql} < ? ORDER BY row DESC LIMIT ?`, Number.MAX_SAFE_INTEGER)) {
      const rest = page.filter(([row]) => (row as number) > after);
      tail.push(...rest);
      if (rest.length < page.length) break;
      yield;
    }
    const end = (tail.at(-1)?.[0] as number | undefined) ?? this.#endOfRows();
    yield* this.#probe(after + 1, end);
    for (const columns of tail.reverse()) this.#save(columns);
    this.#flushBlock();
    this.#tellUnread();
    return this.#finish();
  }

  /** What the index of ids says, from both of its ends. It has no checksums: it only names what is lost. */
  *#readNames(): Generator<void, void> {
    const sql = 'SELECT id, row FROM records INDEXED BY sqlite_autoindex_records_1 WHERE id';
    const ends = [
      [`${sql} > ? ORDER BY id LIMIT ?`, ''],
      [`${sql} < ? ORDER BY id DESC LIMIT ?`, '\u{10ffff}'],
    ] as const;
    for (const [statement, start] of ends) {
      for (const page of this.#pages(statement, start)) {
        const [, last] = page.at(-1) as [unknown, number];
        const isMet = this.#named.has(last);
        for (const [id, row] of page) {
          if (typeof id === 'string' && Number.isSafeInteger(row)) this.#named.set(row as number, id);
        }
        if (isMet) break;
        yield;
      }
    }
  }

  /** Pages up to the first that cannot be read: of its rows, those before the damage. */
  *#pages(sql: string, start: number | string): Iterable<SqlRow[]> {
    const statement = unlessDamaged(() => this.#source.prepare(sql));
    if (statement === undefined) return;
    for (let [after, size] = [start, PAGE_ROWS]; size > 0; ) {
      const page = unlessDamaged(() => statement.all(after, size));
      if (page === undefined) {
        size = Math.floor(size / 2);
        continue;
      }
      if (page.length > 0) yield page;
      if (page.length < size) return;
      after = page.at(-1)![0] as number | string;
    }
  }

  /** Looks for each row from one up to, not including, another. */
  *#probe(first: number, end: number): Generator<void, void> {
    const sql = `SELECT ${RECORD_COLUMNS} FROM records WHERE row = ?`;
    const statement = unlessDamaged(() => this.#source.prepare(sql));
    if (statement === undefined) return;
    for (let row = first; row < end; row++) {
      const columns = unlessDamaged(() => statement.get(row) ?? null);
      // Whether there was a record is told by the index of ids.
      if (columns !== undefined && columns !== null) this.#save(columns);
      if (row % PROBES_PER_SLICE === 0) yield;
    }
  }

  /** The row before which all others lie, as far as can be told. */
  #endOfRows(): number {
    const rows = [...this.#named.keys()].filter((row) => row < (this.#state?.nextRow ?? Infinity));
    return this.#state?.nextRow ?? rows.reduce((end, row) => Math.max(end, row + 1), 1);
  }

  #save(columns: SqlRow): void {
    const row = columns[0] as number;
    const message = messageOfDamage(() => {
      const record = decodeRecord(columns);
      if (this.#ids.has(record.id)) throw lost('another record has its id');
      this.#putEmbedding(row, record.vectorChecksum);
      this.#copy.putRecord(columns);
      this.#copy.putChange(record.sequence, row);
      this.#ids.add(record.id);
      this.#sequence = Math.max(this.#sequence, record.sequence);
      this.#nextRow = Math.max(this.#nextRow, row + 1);
      this.#savedCount++;
    });
    const id = typeof columns[1] === 'string' ? columns[1] : (this.#named.get(row) ?? null);
    this.#named.delete(row);
    if (message !== null) this.#losses.push({ row, id, message });
  }

  #putEmbedding(row: number, expected: number): void {
    const dimension = this.#dimension;
    if (dimension === null) throw lost('nothing tells the dimension of its embedding');
    const size = rowsPerBlock(dimension);
    const [number, slot] = [Math.floor((row - 1) / size), (row - 1) % size];
    if (this.#block?.number !== number) {
      this.#flushBlock();
      this.#block = { number, stored: this.#readBlock(number, dimension), saved: new VectorBlock() };
    }
    const { stored, saved } = this.#block!;
    const embedding = stored.embeddings[slot];
    if (embedding === undefined) throw lost('its embedding cannot be read');
    if (embeddingChecksum(row, bytesOf(embedding)) !== expected) {
      throw lost('the checksum of its embedding does not agree');
    }
    saved.embeddings[slot] = embedding;
    saved.checksums[slot] = expected;
  }

  /** A block; empty where it cannot be read. Where a bit of its presence is wrong, the records tell it. */
  #readBlock(number: number, dimension: number): VectorBlock {
    const sql = 'SELECT data FROM vectors WHERE block = ?';
    const data = unlessDamaged(() => this.#source.prepare(sql).get(number))?.[0];
    if (!(data instanceof Uint8Array)) return new VectorBlock();
    const whole = VectorBlock.decode(data, dimension);
    if (whole !== null) return whole;
    const size = rowsPerBlock(dimension);
    const rows = this.#source.prepare('SELECT row FROM records WHERE row > ? AND row <= ?');
    const found = unlessDamaged(() => rows.all(number * size, (number + 1) * size)) ?? [];
    const mended = new Uint8Array(data);
    const presence = found.reduce((bits, [row]) => bits | (1 << (((row as number) - 1) % size)), 0);
    new DataView(mended.buffer).setUint32(0, presence >>> 0, true);
    return VectorBlock.decode(mended, dimension) ?? new VectorBlock();
  }

  #flushBlock(): void {
    if (this.#block === null) return;
    const data = this.#block.saved.encode(this.#dimension!);
    if (data !== null) this.#copy.putBlock(this.#block.number, data);
    this.#block = null;
  }

  /** Rows that the index of ids names and that were not met. */
  #tellUnread(): void {
    for (const [row, id] of this.#named) {
      if (this.#ids.has(id)) continue;
      this.#losses.push({ row, id, message: 'Its page of the file cannot be read.' });
    }
  }

  #finish(): Salvaged {
    if (this.#savedCount === 0 && this.#state === null) {
      const message = `Nothing can be read of ${this.#source.path}. Restore the collection from a copy.`;
      throw new DatabaseError('TESSERA_CORRUPT', message, { details: { path: this.#source.path } });
    }
    this.#copy.finish({
      sequence: this.#sequence,
      nextRow: this.#nextRow,
      recordCount: this.#savedCount,
      tombstoneCount: 0,
      purgedSequence: this.#sequence,
      dimension: this.#dimension,
      isDeleted: false,
    });
    const missing = (this.#state?.recordCount ?? 0) - this.#savedCount;
    const lostCount = Math.max(this.#losses.length, missing);
    return { savedCount: this.#savedCount, lostCount, losses: this.#losses };
  }
}

function lost(what: string): DatabaseError {
  return new DatabaseError('TESSERA_CORRUPT', `The record is damaged: ${what}.`);
}

function messageOfDamage(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
    return error.message;
  }
}

function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // SQLite has many words for damage: of tables that are not there, of a disk that does not give a page.
    if (!isSqlError(error) && !(error instanceof DatabaseError && error.kind === 'corrupt')) throw error;
    return undefined;
  }
}
