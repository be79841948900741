import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { seededNumbers } from '../base/index.ts';
import { openSqlDatabase } from './database.ts';
import {
  contentBytes,
  growth,
  isWhole,
  type LeafPage,
  payloadWithBlob,
  readLeafPage,
  rowBytes,
} from './leaf-page.ts';

const SEED = 20_261_130;

interface Samples {
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** Rows and free bytes of each, as SQLite has them. */
  readonly told: ReadonlyMap<number, readonly number[]>;
  /** Lengths of the blobs by their keys. */
  readonly stored: ReadonlyMap<number, number>;
}

/** Pages of a table in which rows of all lengths have come, changed and gone. */
function samples(pageBytes: number): Samples {
  const path = join(temporaryDirectory(), 'a.sqlite3');
  const database = openSqlDatabase({ path, readOnly: false, busyTimeoutMs: 10 });
  database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA secure_delete = ON; CREATE TABLE t (a, b)`);
  const chance = seededNumbers(SEED);
  const remove = database.prepare('DELETE FROM t WHERE rowid = ?');
  const put = database.prepare('INSERT OR REPLACE INTO t (rowid, a, b) VALUES (?, ?, zeroblob(?))');
  database.write(() => {
    for (let i = 0; i < 900; i++) {
      const row = Math.floor(chance() * 400) - 20;
      // Keys of up to seven bytes.
      const key = row < 0 ? Math.floor(2 ** (40 - row / 2)) : row;
      const length = Math.floor(chance() < 0.05 ? chance() * 9_000 : chance() * 300);
      if (chance() < 0.25) remove.run(key);
      else put.run(key, Math.floor(chance() * 2 ** 40), length);
    }
  });
  const rows = database.prepare('SELECT rowid, length(b) FROM t').all() as [number, number][];
  const sql = "SELECT pageno, ncell, unused FROM dbstat WHERE name = 't' AND pagetype = 'leaf'";
  const leaves = database.prepare(sql).all() as number[][];
  database.close();
  const bytes = readFileSync(path);
  const pageOf = (number: number): Uint8Array => bytes.subarray((number - 1) * pageBytes, number * pageBytes);
  return {
    pages: new Map(leaves.map(([number]) => [number!, pageOf(number!)])),
    told: new Map(leaves.map(([number, ...facts]) => [number!, facts])),
    stored: new Map(rows),
  };
}

describe.each([512, 2_048, 4_096, 65_536])('pages of %i bytes', (pageBytes) => {
  it(`are read as SQLite reads them (seed ${SEED})`, () => {
    const { pages, told, stored } = samples(pageBytes);
    expect(pages.size).toBeGreaterThan(1);
    for (const [number, bytes] of pages) {
      const { rows, freeBytes } = readLeafPage(bytes)!;
      expect([rows.length, freeBytes]).toEqual(told.get(number));
      expect(rows.map(({ types }) => types.length)).toEqual(rows.map(() => 2));
      for (const { key, types } of rows)
        expect([key, contentBytes(types[1]!)]).toEqual([key, stored.get(key)]);
    }
  });

  it('are refused where parts lie over each other or are missing', () => {
    const [page] = [...samples(pageBytes).pages.values()].filter(
      (bytes) => readLeafPage(bytes)!.rows.length > 2,
    );
    const damaged = (change: (view: DataView) => void): LeafPage | null => {
      const bytes = Uint8Array.from(page!);
      change(new DataView(bytes.buffer));
      return readLeafPage(bytes);
    };
    expect(damaged(() => {})).not.toBeNull();
    expect(damaged((view) => view.setUint8(0, 5))).toBeNull();
    expect(damaged((view) => view.setUint16(3, view.getUint16(3) + 1))).toBeNull();
    expect(damaged((view) => view.setUint16(10, view.getUint16(8)))).toBeNull();
    expect(damaged((view) => view.setUint16(8, view.getUint16(8) + 1))).toBeNull();
    expect(damaged((view) => view.setUint8(7, view.getUint8(7) + 1))).toBeNull();
    expect(damaged((view) => view.setUint16(1, pageBytes - 2))).toBeNull();
  });

  it('may be filled by any of their rows but for two bytes, and not overfilled', () => {
    for (const bytes of samples(pageBytes).pages.values()) {
      const page = readLeafPage(bytes)!;
      for (const row of page.rows) {
        const taken = rowBytes(row.key, payloadWithBlob(row, 1, growth(page, row, 1)), pageBytes);
        const room = row.bytes + page.freeBytes;
        expect(taken).toBeLessThanOrEqual(room);
        if (page.rows.length > 1 && isWhole(row, page)) expect(room - taken).toBeLessThanOrEqual(2);
      }
    }
  });
});

it('the bytes of a content follow from its serial type', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 1012].map(contentBytes)).toEqual([
    0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0, 1, 1, 500,
  ]);
});
