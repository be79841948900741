/** The tables whose pages may hold texts or embeddings in their gaps, as `RemnantPass` deals with them. */
import { DatabaseError } from '../base/index.ts';
import { RECORD_COLUMNS, type RecordStore } from '../records/index.ts';
import { contentBytes, giveBack, growth, isWhole, type LeafPage, type LeafRow } from '../sqlite/index.ts';

/** Rows that a slice brings into the log: a millisecond or two. */
const RECORDS_PER_SLICE = 256;
const BLOCKS_PER_SLICE = 32;

/** Numbers that both drivers give back as they are, in pairs of an even one and the next. */
const SAFE = 'BETWEEN -9007199254740990 AND 9007199254740991';

/** One of them. All methods belong inside a transaction. */
export interface ErasedTable {
  /** The key of the last row there is: were it for those to come, a pass might never end. */
  lastKey(store: RecordStore): number;
  /** Changes the next rows after a key and changes them back. Returns each with the bytes of its blob. */
  touch(store: RecordStore, after: number, last: number): ReadonlyMap<number, number>;
  /** Whether a page is this table's, as far as the rows that were touched tell. */
  owns(page: LeafPage, touched: ReadonlyMap<number, number>): boolean;
  /** Lets a row of a page grow over all that is free in it, and shrink again. Returns whether one could. */
  clear(store: RecordStore, page: LeafPage): boolean;
}

const COLUMNS = RECORD_COLUMNS.split(', ');

/**
 * The pages of `records`. An update gives each column the type that its definition prefers, which is another
 * for a value that is damaged: such rows are left alone.
 */
class RecordPages implements ErasedTable {
  lastKey({ database }: RecordStore): number {
    return Number(database.prepare(`SELECT max(row) FROM records WHERE row ${SAFE}`).get()![0]);
  }

  touch({ database }: RecordStore, after: number, last: number): ReadonlyMap<number, number> {
    const texts = ['id', 'document', 'uri', 'metadata'].map((name) => `typeof(${name}) IN ('text', 'null')`);
    const numbers = ['sequence', 'vector_checksum', 'checksum'].map((name) => `typeof(${name}) = 'integer'`);
    const isSafe = ['row > ?', 'row <= ?', ...texts, ...numbers, `sequence ${SAFE}`].join(' AND ');
    const select = `SELECT row FROM records WHERE ${isSafe} ORDER BY row LIMIT ?`;
    const rows = database.prepare(select).all(after, last, RECORDS_PER_SLICE) as [number][];
    const end = rows.at(-1)?.[0];
    if (end === undefined) return new Map();
    // The other one of its pair: both take as many bytes, so that the row is written over where it is.
    const exchange = `UPDATE records SET sequence = sequence + 1 - 2 * (sequence & 1) WHERE ${isSafe}`;
    for (let turn = 0; turn < 2; turn++) database.prepare(exchange).run(after, end);
    return new Map(rows.map(([row]) => [row, 0]));
  }

  owns({ rows }: LeafPage, touched: ReadonlyMap<number, number>): boolean {
    const isOwn = rows.every(({ types }) => types.length === COLUMNS.length);
    return isOwn && rows.some(({ key }) => touched.has(key));
  }

  clear(store: RecordStore, page: LeafPage): boolean {
    const row = wholeFirst(page).find(({ key }) => isSound(store, key));
    if (row === undefined) return false;
    const { database } = store;
    const [checksum] = database.prepare('SELECT checksum FROM records WHERE row = ?').get(row.key)!;
    const length = growth(page, row, COLUMNS.indexOf('checksum'));
    database.prepare('UPDATE records SET checksum = zeroblob(?) WHERE row = ?').run(length, row.key);
    database.prepare('UPDATE records SET checksum = ? WHERE row = ?').run(checksum!, row.key);
    return true;
  }
}

/** The pages of `vectors`, each with the first part of some blocks. */
class BlockPages implements ErasedTable {
  lastKey({ database }: RecordStore): number {
    return Number(database.prepare(`SELECT max(block) FROM vectors WHERE block ${SAFE}`).get()![0]);
  }

  touch({ database }: RecordStore, after: number, last: number): ReadonlyMap<number, number> {
    const select = `SELECT block, data FROM vectors
      WHERE block > ? AND block <= ? AND typeof(data) = 'blob' AND length(data) > 0 ORDER BY block LIMIT ?`;
    const blocks = database.prepare(select).all(after, last, BLOCKS_PER_SLICE) as [number, Uint8Array][];
    const replace = database.prepare('UPDATE vectors SET data = ? WHERE block = ?');
    const lengths = new Map<number, number>();
    for (const [block, data] of blocks) {
      for (let turn = 0; turn < 2; turn++) {
        data[0]! ^= 255;
        replace.run(data, block);
      }
      lengths.set(block, data.length);
      giveBack(data);
    }
    return lengths;
  }

  owns({ rows }: LeafPage, touched: ReadonlyMap<number, number>): boolean {
    return rows.some(({ key, types }) => types.length === 2 && contentBytes(types[1]!) === touched.get(key));
  }

  clear(store: RecordStore, page: LeafPage): boolean {
    const { dimension } = store.liveState();
    for (const row of wholeFirst(page)) {
      const data = dimension === null ? null : store.soundBlock(row.key, dimension);
      if (data === null) continue;
      const longer = new Uint8Array(growth(page, row, 1));
      longer.set(data);
      const replace = store.database.prepare('UPDATE vectors SET data = ? WHERE block = ?');
      replace.run(longer, row.key);
      replace.run(data, row.key);
      return true;
    }
    return false;
  }
}

/** All of them. */
export const ERASED_TABLES: readonly (new () => ErasedTable)[] = [RecordPages, BlockPages];

/** The rows of a page, first those for which no other page is written. */
function wholeFirst(page: LeafPage): readonly LeafRow[] {
  return [...page.rows].sort((a, b) => Number(isWhole(b, page)) - Number(isWhole(a, page)));
}

function isSound(store: RecordStore, row: number): boolean {
  try {
    return store.byRow(row) !== undefined;
  } catch (error) {
    if (error instanceof DatabaseError && error.kind === 'corrupt') return false;
    throw error;
  }
}
