import { describe, expect, onTestFinished, test } from 'vitest';
import { addOutline, loadKept, type NumberedCell } from '../../test/support/cell-loading.ts';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { SMALL_TUNING } from '../../test/support/kept-cells.ts';
import { seededNumbers } from '../base/index.ts';
import { openSqlDatabase, type SqlDatabase } from '../sqlite/index.ts';
import { decodeCell, encodeCell } from './cell-codec.ts';
import { type CellPlace, CellStore, type CellsDirectory } from './cell-store.ts';
import { ClusteredIndex } from './clustered-index.ts';

const DIMENSION = 8;
const WIDTH = 32;
const COUNT = 120;

interface Scene {
  readonly database: SqlDatabase;
  readonly store: CellStore;
  readonly directory: CellsDirectory;
  readonly serial: number;
}

/** A database with the cells of a small index, of which each 40th row is outside. */
function scene(): Scene {
  const database = openSqlDatabase({ path: ':memory:', readOnly: false, busyTimeoutMs: 1_000 });
  onTestFinished(() => database.close());
  const store = new CellStore(database);
  const draw = FAMILIES.gaussian(DIMENSION, seededNumbers(1));
  const options = { space: 'l2', dimension: DIMENSION, random: seededNumbers(2) } as const;
  const index = new ClusteredIndex(options, SMALL_TUNING);
  for (let slot = 0; slot < COUNT; slot++) index.set(slot, draw());
  while (index.maintain(0, () => 0));
  for (let slot = 0; slot < COUNT; slot += 40) index.set(slot, draw());
  const { changed, outside } = index.beginSaving();
  const places = new Map<number, CellPlace>();
  const cells: NumberedCell[] = [];
  let serial = store.takeOver();
  for (const cell of changed) {
    const bytes = index.encodeCell(
      cell,
      (slot) => slot + 1,
      (slot) => slot * 3,
    );
    if (bytes === undefined) continue;
    places.set(cell, store.add(bytes));
    cells.push({ cell, content: decodeCell(bytes, WIDTH)! });
  }
  const outsideRows = Float64Array.from(outside, (slot) => slot + 1);
  const outsideChecksums = Uint32Array.from(outside, (slot) => slot * 3);
  const outline = addOutline(store, cells, WIDTH);
  const directory = { ...index.header!, position: 77, places, ...outline, outsideRows, outsideChecksums };
  serial = store.commit(serial, directory);
  return { database, store, directory, serial };
}

function bytesOf(database: SqlDatabase, table: string, id: number): Uint8Array {
  return new Uint8Array(database.prepare(`SELECT data FROM ${table} WHERE id = ?`).get(id)![0] as Uint8Array);
}

function putBytes(database: SqlDatabase, table: string, id: number, bytes: Uint8Array): void {
  database.prepare(`UPDATE ${table} SET data = ? WHERE id = ?`).run(bytes, id);
}

describe('kept cells', () => {
  test('come back as they were given, all rows once', () => {
    const { store, directory, serial } = scene();
    const kept = loadKept(store, WIDTH)!;
    expect(kept.serial).toBe(serial);
    expect(kept.directory).toEqual(directory);
    expect(directory.recalls.length).toBeGreaterThan(0);
    expect(directory.measuredRows).toBe(COUNT - 3);
    const rows = kept.contents.flatMap(({ content }) => [...content.rows]);
    expect(rows.length).toBeGreaterThan(0);
    expect([...rows, ...directory.outsideRows].sort((a, b) => a - b)).toEqual(
      Array.from({ length: COUNT }, (_, i) => i + 1),
    );
    const { inCells } = kept;
    expect([...inCells.rows]).toEqual(rows.sort((a, b) => a - b));
    expect([...inCells.checksums]).toEqual(Array.from(inCells.rows, (row) => (row - 1) * 3));
    inCells.rows.forEach((row, i) => {
      const { content } = kept.contents.find(({ cell }) => cell === inCells.cells[i])!;
      expect(content.rows).toContain(row);
    });
    for (const { content } of kept.contents) {
      expect([...content.checksums]).toEqual(Array.from(content.rows, (row) => (row - 1) * 3));
    }
    expect(store.status(WIDTH)).toEqual({ serial, position: 77, outsideCount: 3 });
  });

  test('are none before anything was kept, and after someone has started from nothing', () => {
    const database = openSqlDatabase({ path: ':memory:', readOnly: false, busyTimeoutMs: 1_000 });
    onTestFinished(() => database.close());
    const empty = new CellStore(database);
    expect(loadKept(empty, WIDTH)).toBeUndefined();
    expect(empty.status(WIDTH)).toEqual({ serial: 0, position: 0, outsideCount: 0 });
    expect(empty.ids()).toEqual([]);
    const { store, serial } = scene();
    expect(store.takeOver()).toBe(serial + 1);
    expect(loadKept(store, WIDTH)).toBeUndefined();
    expect(store.status(WIDTH)).toEqual({ serial: serial + 1, position: 0, outsideCount: 0 });
  });

  test('are refused by an index of another width', () => {
    const { store } = scene();
    expect(loadKept(store, 64)).toBeUndefined();
    expect(store.status(64).position).toBe(0);
  });

  test('are refused when any byte of the header is another one, or its end is missing', () => {
    const { database, store } = scene();
    const intact = bytesOf(database, 'cells_header', 1);
    for (let i = 0; i < intact.length; i++) {
      const bytes = intact.slice();
      bytes[i]! ^= 1 << (i % 8);
      putBytes(database, 'cells_header', 1, bytes);
      expect(loadKept(store, WIDTH), `byte ${i}`).toBeUndefined();
      putBytes(database, 'cells_header', 1, intact.slice(0, i));
      expect(loadKept(store, WIDTH), `cut off at ${i}`).toBeUndefined();
    }
    putBytes(database, 'cells_header', 1, intact);
    expect(loadKept(store, WIDTH)).toBeDefined();
  });

  test.each([
    ['a cell', ({ places }: CellsDirectory) => [...places.values()][0]!],
    ['the centres', ({ parts }: CellsDirectory) => parts[0]!],
    ['the rows', ({ parts }: CellsDirectory) => parts.at(-1)!],
  ])('are refused when any byte of %s is another one, or its end is missing', (_, placeIn) => {
    const { database, store, directory } = scene();
    const { id } = placeIn(directory);
    const intact = bytesOf(database, 'cells', id);
    for (let i = 0; i < intact.length; i++) {
      const bytes = intact.slice();
      bytes[i]! ^= 1 << (i % 8);
      putBytes(database, 'cells', id, bytes);
      expect(loadKept(store, WIDTH), `byte ${i}`).toBeUndefined();
    }
    for (let end = 0; end < intact.length; end += 97) {
      putBytes(database, 'cells', id, intact.slice(0, end));
      expect(loadKept(store, WIDTH), `cut off at ${end}`).toBeUndefined();
    }
    putBytes(database, 'cells', id, intact);
    expect(loadKept(store, WIDTH)).toBeDefined();
  });

  test('are refused when parts of the outline are missing, doubled or in another order', () => {
    const { store, directory, serial } = scene();
    const [first, second, ...rest] = directory.parts as [CellPlace, CellPlace];
    const { rowCount } = directory;
    let at = serial;
    const isLoaded = (parts: CellPlace[], count = rowCount): boolean => {
      at = store.commit(at, { ...directory, parts, rowCount: count });
      return loadKept(store, WIDTH) !== undefined;
    };
    expect(isLoaded([second, first, ...rest])).toBe(true);
    expect(isLoaded([first, ...rest])).toBe(false);
    expect(isLoaded([first, second, ...rest.slice(0, -1)])).toBe(false);
    expect(isLoaded([first, first, ...rest])).toBe(false);
    expect(isLoaded([first, second, ...rest, rest.at(-1)!], 2 * rowCount)).toBe(false);
    expect(isLoaded([first, second, ...rest], rowCount + 1)).toBe(false);
    expect(isLoaded([first, second, ...rest], rowCount - 1)).toBe(false);
  });

  test('are refused when a cell is missing, or is a sound one of another day', () => {
    const { database, store, directory } = scene();
    const [first, second] = [...directory.places.values()] as [CellPlace, CellPlace];
    const intact = bytesOf(database, 'cells', first.id);
    putBytes(database, 'cells', first.id, bytesOf(database, 'cells', second.id));
    expect(loadKept(store, WIDTH)).toBeUndefined();
    putBytes(database, 'cells', first.id, intact);
    expect(loadKept(store, WIDTH)).toBeDefined();
    database.exec(`DELETE FROM cells WHERE id = ${first.id}`);
    expect(loadKept(store, WIDTH)).toBeUndefined();
  });
});

test.each([
  ['cells_header', 'id INTEGER PRIMARY KEY CHECK (id = 1), sevial INTEGER NOT NULL, data BLOB NOT NULL'],
  ['cells_header', 'id INTEGER PRIMARY KEY CHECK (id = 3), serial INTEGER NOT NULL, data BLOB NOT NULL'],
  ['cells', 'id INTEGER PRIMARY KEY, dada BLOB NOT NULL'],
])('a definition of %s that damage has changed leaves no cells, and is made anew', (name, columns) => {
  const { database, store, directory } = scene();
  database.exec(`DROP TABLE ${name}; CREATE TABLE ${name} (${columns})`);
  expect(loadKept(store, WIDTH)).toBeUndefined();
  expect(store.status(WIDTH)).toEqual({ serial: 0, position: 0, outsideCount: 0 });
  expect([store.serial(), store.ids()]).toEqual([0, []]);
  store.clear();
  const serial = store.takeOver();
  const { id } = store.add(new Uint8Array(8));
  const nothing = { places: new Map<number, CellPlace>(), parts: [], rowCount: 0 };
  store.commit(serial, { ...directory, ...nothing });
  expect(loadKept(store, WIDTH)!.directory).toEqual({ ...directory, ...nothing });
  expect(store.ids()).toContain(id);
});

test('a cell comes back from its bytes wherever they lie in memory', () => {
  const { database, directory } = scene();
  const [{ id }] = [...directory.places.values()] as [CellPlace];
  const bytes = bytesOf(database, 'cells', id);
  for (let offset = 0; offset < 8; offset++) {
    const moved = new Uint8Array(bytes.length + 8).subarray(offset, offset + bytes.length);
    moved.set(bytes);
    expect(encodeCell(decodeCell(moved, WIDTH)!)).toEqual(bytes);
  }
});

test('superseded cells are removed a few at a time', () => {
  const { store } = scene();
  const bytes = new Uint8Array(24);
  const garbage = Array.from({ length: 40 }, () => store.add(bytes).id);
  const named = store.ids().filter((id) => !garbage.includes(id));
  let left = garbage;
  for (let calls = 0; left.length > 0; calls++) {
    const next = store.sweep(left);
    expect(next.length).toBeLessThan(left.length);
    expect(store.ids()).toEqual([...named, ...next]);
    expect(calls).toBeLessThan(garbage.length);
    left = next;
  }
  expect(loadKept(store, WIDTH)).toBeDefined();
});
