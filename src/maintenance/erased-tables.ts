/** The tables whose pages may hold texts or embeddings in their gaps, as `RemnantPass` deals with them. */
import { DatabaseError } from '../base/index.ts';
import { RECORD_COLUMNS, type RecordStore } from '../records/index.ts';
import { contentBytes, giveBack, growth, isWhole, type LeafPage, type LeafRow } from '../sqlite/index.ts';

/**
 * Rows that a slice brings into the log at most, and bytes of texts or embeddings after which it takes no
 * more: a few milliseconds.
 */
export const ROWS_PER_SLICE_MAX = 256;
const BYTES_PER_SLICE = 524_288;

/** Records that are read at once. */
const RECORDS_PER_READ = 16;

/** Numbers that both drivers give back as they are. */
const SAFE = 'BETWEEN -9007199254740990 AND 9007199254740991';

/** What became of a slice's rows. */
export interface Touched {
  /** The rows that were changed and changed back, each with the bytes of its blob. */
  readonly rows: ReadonlyMap<number, number>;
  /** The last row that was looked at; `null` where there is none. */
  readonly last: number | null;
  /** Rows that were left as they are, for they are damaged. */
  readonly damagedCount: number;
}

/** One of them. All methods belong inside a transaction. */
export interface ErasedTable {
  /** The key of the last row there is: were it for those to come, a pass might never end. */
  lastKey(store: RecordStore): number;
  /**
   * Changes the next rows after a key and changes them back, at most `limit`. Only those whose checksums
   * agree: to SQLite, a damaged one may come out longer or shorter than it lies there. Errors:
   * `TESSERA_CORRUPT` where the table cannot be read.
   */
  touch(store: RecordStore, after: number, last: number, limit: number): Touched;
  /** Whether a page is this table's, as far as the rows that were touched tell. */
  owns(page: LeafPage, touched: ReadonlyMap<number, number>): boolean;
  /** Lets a row of a page grow over all that is free in it, and shrink again. Returns whether one could. */
  clear(store: RecordStore, page: LeafPage): boolean;
}

const COLUMNS = RECORD_COLUMNS.split(', ');

/** The pages of `records`. */
class RecordPages implements ErasedTable {
  lastKey({ database }: RecordStore): number {
    return Number(database.prepare(`SELECT max(row) FROM records WHERE row ${SAFE}`).get()![0]);
  }

  touch(store: RecordStore, after: number, last: number, limit: number): Touched {
    // The other one of a pair of an even number and the next, which both take as many bytes.
    const sql = 'UPDATE records SET sequence = sequence + 1 - 2 * (sequence & 1) WHERE row = ?';
    const exchange = store.database.prepare(sql);
    const rows = new Map<number, number>();
    let [end, count, damagedCount, bytes] = [after, 0, 0, 0];
    while (count < limit && bytes < BYTES_PER_SLICE) {
      const found = store.examine(end, Math.min(limit - count, RECORDS_PER_READ));
      const known = found.filter(({ row }) => row <= last);
      for (const { row, record } of known) {
        end = row;
        if (record === null) damagedCount++;
        else {
          for (let turn = 0; turn < 2; turn++) exchange.run(row);
          rows.set(row, 0);
          bytes += 4 * ((record.document?.length ?? 0) + (record.metadata?.length ?? 0));
        }
      }
      count += known.length;
      if (known.length < found.length || found.length === 0) break;
    }
    return { rows, last: count === 0 ? null : end, damagedCount };
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

  touch(store: RecordStore, after: number, last: number, limit: number): Touched {
    const { dimension } = store.liveState();
    const next = store.database.prepare(
      'SELECT block FROM vectors WHERE block > ? AND block <= ? ORDER BY block LIMIT ?',
    );
    const blocks = next.all(after, last, limit) as [number][];
    const replace = store.database.prepare('UPDATE vectors SET data = ? WHERE block = ?');
    const rows = new Map<number, number>();
    let [end, damagedCount, bytes] = [after, 0, 0];
    for (const [block] of blocks) {
      if (bytes >= BYTES_PER_SLICE) break;
      end = block;
      const data = dimension === null ? null : store.soundBlock(block, dimension);
      if (data === null) {
        damagedCount++;
        continue;
      }
      for (let turn = 0; turn < 2; turn++) {
        data[0]! ^= 255;
        replace.run(data, block);
      }
      rows.set(block, data.length);
      bytes += data.length;
      giveBack(data);
    }
    return { rows, last: blocks.length === 0 ? null : end, damagedCount };
  }

  owns({ rows }: LeafPage, touched: ReadonlyMap<number, number>): boolean {
    const lengths = rows.map(({ key, types }) => [touched.get(key), contentBytes(types[1] ?? 0)] as const);
    const isOwn = rows.every(({ types }) => types.length === 2 && types[0] === 0);
    const known = lengths.filter(([expected]) => expected !== undefined);
    return isOwn && known.length > 0 && known.every(([expected, actual]) => actual === expected);
  }

  clear(store: RecordStore, page: LeafPage): boolean {
    const { dimension } = store.liveState();
    for (const row of wholeFirst(page)) {
      const data = dimension === null ? null : store.soundBlock(row.key, dimension);
      if (data === null || data.length !== contentBytes(row.types[1]!)) continue;
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
