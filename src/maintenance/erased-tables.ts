/** The tables whose pages may hold texts or embeddings in their gaps, as `RemnantEraser` deals with them. */
import { contentBytes, giveBack, growth, type LeafPage, type SqlDatabase } from '../sqlite/index.ts';

/** Rows that a slice brings into the log: some milliseconds. */
const RECORDS_PER_SLICE = 512;
const BLOCKS_PER_SLICE = 64;

/** Numbers that both drivers give back as they are, and what is 1 less them as well. */
const SAFE = 'BETWEEN -9007199254740990 AND 9007199254740991';

/** Columns of `records`, of which `checksum` is the last (records/format.ts). */
const RECORD_COLUMN_COUNT = 8;

/** One of them. All methods belong inside a write transaction. */
export interface ErasedTable {
  /** Changes the next rows after a key and changes them back. Returns each with the bytes of its blob. */
  touch(after: number): ReadonlyMap<number, number>;
  /** Whether a page is this table's, as far as the rows that were touched tell. */
  owns(page: LeafPage, touched: ReadonlyMap<number, number>): boolean;
  /** Lets a row of a page grow over all that is free in it, and shrink again. */
  clear(page: LeafPage): void;
}

/**
 * The pages of `records`, of the rows that there are now: were it for those to come, a pass might never end.
 * Numbers are read and written as they are, texts not at all.
 */
export class RecordPages implements ErasedTable {
  readonly #database: SqlDatabase;
  readonly #through: number;

  constructor(database: SqlDatabase) {
    this.#database = database;
    const rows = database.prepare(`SELECT max(row) FROM records WHERE row ${SAFE}`);
    this.#through = Number(rows.get()![0]);
  }

  touch(after: number): ReadonlyMap<number, number> {
    const isSafe = `row > ? AND row <= ? AND typeof(sequence) = 'integer' AND sequence ${SAFE}`;
    const select = `SELECT row FROM records WHERE ${isSafe} ORDER BY row LIMIT ?`;
    const found = this.#database.prepare(select).all(after, this.#through, RECORDS_PER_SLICE);
    const rows = found.map(([row]) => row as number);
    const last = rows.at(-1);
    if (last === undefined) return new Map();
    // 0 for 1, and negative ones for greater: none takes more bytes than the one before.
    const change = this.#database.prepare(`UPDATE records SET sequence = 1 - sequence WHERE ${isSafe}`);
    change.run(after, last);
    change.run(after, last);
    return new Map(rows.map((row) => [row, 0]));
  }

  owns({ rows }: LeafPage, touched: ReadonlyMap<number, number>): boolean {
    return (
      rows.every(({ types }) => types.length === RECORD_COLUMN_COUNT) &&
      rows.some(({ key }) => touched.has(key))
    );
  }

  clear(page: LeafPage): void {
    const grown = growth(page, RECORD_COLUMN_COUNT - 1);
    if (grown === null) return;
    const isSafe = `row = ? AND typeof(checksum) = 'integer' AND checksum ${SAFE}`;
    const select = this.#database.prepare(`SELECT checksum FROM records WHERE ${isSafe}`);
    const [checksum] = select.get(grown.key) ?? [];
    if (checksum === undefined) return;
    const grow = this.#database.prepare('UPDATE records SET checksum = zeroblob(?) WHERE row = ?');
    grow.run(grown.blobBytes, grown.key);
    const shrink = this.#database.prepare('UPDATE records SET checksum = ? WHERE row = ?');
    shrink.run(checksum, grown.key);
  }
}

/** The pages of `vectors`, with the first part of each block that there is now. */
export class BlockPages implements ErasedTable {
  readonly #database: SqlDatabase;
  readonly #through: number;

  constructor(database: SqlDatabase) {
    this.#database = database;
    const blocks = database.prepare(`SELECT max(block) FROM vectors WHERE block ${SAFE}`);
    this.#through = Number(blocks.get()![0]);
  }

  touch(after: number): ReadonlyMap<number, number> {
    const select = `SELECT block, data FROM vectors
      WHERE block > ? AND block <= ? AND typeof(data) = 'blob' AND length(data) > 0 ORDER BY block LIMIT ?`;
    const found = this.#database.prepare(select).all(after, this.#through, BLOCKS_PER_SLICE);
    const blocks = found as [number, Uint8Array][];
    const lengths = new Map<number, number>();
    for (const [block, data] of blocks) {
      for (let turn = 0; turn < 2; turn++) {
        data[0]! ^= 255;
        this.#replace(block, data);
      }
      lengths.set(block, data.length);
      giveBack(data);
    }
    return lengths;
  }

  owns({ rows }: LeafPage, touched: ReadonlyMap<number, number>): boolean {
    return rows.some(({ key, types }) => types.length === 2 && contentBytes(types[1]!) === touched.get(key));
  }

  clear(page: LeafPage): void {
    const grown = growth(page, 1);
    if (grown === null) return;
    const [data] = this.#database.prepare('SELECT data FROM vectors WHERE block = ?').get(grown.key) ?? [];
    if (!(data instanceof Uint8Array) || data.length > grown.blobBytes) return;
    const longer = new Uint8Array(grown.blobBytes);
    longer.set(data);
    this.#replace(grown.key, longer);
    this.#replace(grown.key, data);
  }

  #replace(block: number, data: Uint8Array): void {
    this.#database.prepare('UPDATE vectors SET data = ? WHERE block = ?').run(data, block);
  }
}
