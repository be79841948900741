/**
 * The cells of a collection in its own file, so that opening it need not make them anew.
 *
 *   cells         id → a cell as bytes (cell-codec.ts), or a part of the outline of all (cell-outline.ts)
 *   cells_header  one row: a serial number, and as bytes which cells there are and what they stand for
 *
 * `load` reads the outline, a quarter of all, and `read` one cell when it is needed. A cell that changes
 * gets a new id, and the old one goes when the header no longer names it. The header is replaced in one
 * transaction, so that whatever moment a reader sees, the header names a complete set of cells as of one
 * position of the change sequence. Everything carries a checksum; cells and parts carry it in the header as
 * well, so that a cell of another day is noticed. Where anything of header and outline does not agree there
 * are no kept cells, and they are made anew; a cell that does not agree is the owner's to replace.
 *
 * Several processes may keep cells of one collection. The serial number grows with every header, and whoever
 * finds another than the one it stands on has no say any more, unless it starts from nothing (`takeOver`).
 *
 * The header, little-endian:
 *
 *   offset   size      field
 *   0        4         version, now 2
 *   4        4         CRC-32 of all bytes from offset 8 on
 *   8        4         width: the dimension rounded up to a multiple of 32
 *   12       4         seed of the rotation
 *   16       8         f64, position in the change sequence
 *   24       4         number of cells, c
 *   28       4         number of rows outside cells, r
 *   32       4         number of measured recalls, m
 *   36       4         rows that were there when the recalls were measured, and still are
 *   40       4         number of parts of the outline, p
 *   44       4         number of rows in those parts
 *   48       8·m       f64, the measured recalls
 *   …        4·width   f32, the mean, rotated
 *   …        8·c       f64, ids of the cells
 *   …        8·p       f64, ids of the parts
 *   …        8·r       f64, row numbers of the rows outside cells
 *   …        4·c       u32, numbers of the cells
 *   …        4·c       u32, checksums of the cells
 *   …        4·p       u32, checksums of the parts
 *   …        4·r       u32, checksums of the vectors of the rows outside cells
 */
import { DatabaseError } from '../base/index.ts';
import { giveBack, type SqlDatabase } from '../sqlite/index.ts';
import { decodeCell, type StoredCell } from './cell-codec.ts';
import { OutlineReader } from './cell-outline.ts';
import type { CellsHeader, CentreTaker, RowsInCells } from './clustered-types.ts';
import { seal, storedChecksum, unseal } from './sealed-bytes.ts';

const VERSION = 2;
const HEADER_BYTES = 48;
/** Superseded cells that one call of `sweep` removes: their pages are overwritten with zeros. */
const SWEPT = 16;

/** Where a cell lies in the file. */
export interface CellPlace {
  readonly id: number;
  readonly checksum: number;
}

/** What the header says, beside the mean and the rotation. */
export interface CellsDirectory extends CellsHeader {
  /** Position of the change sequence that the cells stand for. */
  readonly position: number;
  /** Cell → its place. */
  readonly places: ReadonlyMap<number, CellPlace>;
  /** Where the parts of the outline are, in their order, and how many rows they name. */
  readonly parts: readonly CellPlace[];
  readonly rowCount: number;
  /** Rows that are in no cell, and the checksums of their vectors. */
  readonly outsideRows: Float64Array;
  readonly outsideChecksums: Uint32Array;
}

/** What is kept, in short. */
export interface KeptStatus {
  readonly serial: number;
  readonly position: number;
  readonly outsideCount: number;
}

/** All that is kept of a collection but the cells themselves, and what the outline says of their centres. */
export interface KeptCells {
  readonly serial: number;
  readonly directory: CellsDirectory;
  readonly inCells: RowsInCells;
}

/** Prepares for cells numbered below `cellCount`, and returns what takes their centres. */
export type BeginLoading = (directory: CellsDirectory, cellCount: number) => CentreTaker;

/** The tables and their definitions, to the letter as SQLite keeps them in files of this version. */
const TABLES: readonly (readonly [name: string, definition: string])[] = [
  ['cells', 'CREATE TABLE cells (id INTEGER PRIMARY KEY, data BLOB NOT NULL)'],
  [
    'cells_header',
    `CREATE TABLE cells_header (
        id INTEGER PRIMARY KEY CHECK (id = 1), serial INTEGER NOT NULL, data BLOB NOT NULL
      )`,
  ],
];

/** See the top of this file. Every call happens inside a transaction of the caller. */
export class CellStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * Serial number and position of the header, and how many rows are outside the cells; position 0 where it
   * names no cells or cannot be read.
   */
  status(width: number): KeptStatus {
    const row = this.#headerRow();
    const directory = row && decodeHeader(row.data, width);
    return {
      serial: row?.serial ?? 0,
      position: directory?.position ?? 0,
      outsideCount: directory?.outsideRows.length ?? 0,
    };
  }

  /** The serial number alone, 0 where there is no header. */
  serial(): number {
    return this.#headerRow()?.serial ?? 0;
  }

  /**
   * Gives the centres of the kept cells, one after the other, to what `begin` returns, and tells which rows
   * are in them. `undefined` where there are none, or anything is damaged or of another width or version:
   * then those that were given are to be forgotten. Errors: those of `begin` and of what it returns.
   */
  load(width: number, begin: BeginLoading): KeptCells | undefined {
    return unlessDamaged(() => this.#load(width, begin));
  }

  #load(width: number, begin: BeginLoading): KeptCells | undefined {
    const row = this.#headerRow();
    const directory = row && decodeHeader(row.data, width);
    if (row === undefined || directory === undefined) return undefined;
    let cellCount = 0;
    for (const cell of directory.places.keys()) cellCount = Math.max(cellCount, cell + 1);
    const take = begin(directory, cellCount);
    const left = new Set(directory.places.keys());
    const reader = new OutlineReader(width, directory.rowCount, (sketch) => {
      if (left.delete(sketch.cell)) take(sketch);
    });
    for (const part of directory.parts) {
      const bytes = this.#bytesAt(part);
      if (bytes === undefined || !reader.read(bytes)) return undefined;
      giveBack(bytes);
    }
    if (left.size > 0 || !reader.isWhole) return undefined;
    return { serial: row.serial, directory, inCells: reader.rows };
  }

  /**
   * Gives one cell to `take`, for the time of the call: `undefined` where it is gone, damaged, or another one
   * than was meant. Errors: those of `take`, and of SQLite but for damage.
   */
  read(place: CellPlace, width: number, take: (content: StoredCell | undefined) => void): void {
    const bytes = unlessDamaged(() => (this.#isWhole(...TABLES[0]!) ? this.#bytesAt(place) : undefined));
    take(bytes && decodeCell(bytes, width));
    if (bytes !== undefined) giveBack(bytes);
  }

  /** The bytes at a place, unless they are others by what they say of themselves. */
  #bytesAt(place: CellPlace): Uint8Array | undefined {
    const bytes = this.#database.prepare('SELECT data FROM cells WHERE id = ?').get(place.id)?.[0];
    if (!(bytes instanceof Uint8Array) || bytes.length < 8) return undefined;
    return storedChecksum(bytes) === place.checksum ? bytes : undefined;
  }

  /**
   * Starts from nothing: no cells are kept, and whoever stood on another serial number has no say any more.
   */
  takeOver(): number {
    for (const [name, definition] of TABLES) {
      if (this.#isWhole(name, definition)) continue;
      this.#database.exec(`DROP TABLE IF EXISTS ${name}; ${definition}`);
    }
    const serial = (this.#headerRow()?.serial ?? 0) + 1;
    this.#putHeader(serial, new Uint8Array(0));
    return serial;
  }

  /** Adds a cell that no header names yet. */
  add(bytes: Uint8Array): CellPlace {
    this.#database.prepare('INSERT INTO cells (data) VALUES (?)').run(bytes);
    const [id] = this.#database.prepare('SELECT last_insert_rowid()').get()!;
    return { id: id as number, checksum: storedChecksum(bytes) };
  }

  /** Replaces the header; returns its serial number. */
  commit(serial: number, directory: CellsDirectory): number {
    this.#putHeader(serial + 1, encodeHeader(directory));
    return serial + 1;
  }

  /** Removes some cells with these ids; returns those that are left. */
  sweep(ids: readonly number[]): number[] {
    const statement = this.#database.prepare('DELETE FROM cells WHERE id = ?');
    for (const id of ids.slice(0, SWEPT)) statement.run(id);
    return ids.slice(SWEPT);
  }

  /** Removes all that is kept; whoever stood on it has no say any more. */
  clear(): void {
    if (this.#headerRow() !== undefined) this.#database.exec('DELETE FROM cells; DELETE FROM cells_header');
  }

  /** Ids of all cells in the file, whether a header names them or not. */
  ids(): number[] {
    if (this.#headerRow() === undefined) return [];
    return this.#database
      .prepare('SELECT id FROM cells')
      .all()
      .map(([id]) => id as number);
  }

  #putHeader(serial: number, data: Uint8Array): void {
    const statement = 'INSERT OR REPLACE INTO cells_header (id, serial, data) VALUES (1, ?, ?)';
    this.#database.prepare(statement).run(serial, data);
  }

  /** Whether a table is there and defined as it was made: one bit in its text can give it other columns. */
  #isWhole(name: string, definition: string): boolean {
    const table = this.#database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(name);
    return table?.[0] === definition;
  }

  #headerRow(): { serial: number; data: Uint8Array } | undefined {
    return unlessDamaged(() => this.#readHeaderRow());
  }

  #readHeaderRow(): { serial: number; data: Uint8Array } | undefined {
    if (!TABLES.every(([name, definition]) => this.#isWhole(name, definition))) return undefined;
    const [serial, data] = this.#database.prepare('SELECT serial, data FROM cells_header').get() ?? [];
    if (typeof serial !== 'number' || !(data instanceof Uint8Array)) return undefined;
    return { serial, data };
  }
}

/** What `read` gives; `undefined` where pages of the file that it needs are damaged. */
function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'TESSERA_CORRUPT') return undefined;
    throw error;
  }
}

function encodeHeader(directory: CellsDirectory): Uint8Array {
  const { places, parts, mean, recalls, outsideRows, outsideChecksums } = directory;
  const entries = [...places];
  const columns = [
    recalls,
    mean,
    Float64Array.from(entries, ([, place]) => place.id),
    Float64Array.from(parts, ({ id }) => id),
    outsideRows,
    Uint32Array.from(entries, ([cell]) => cell),
    Uint32Array.from(entries, ([, place]) => place.checksum),
    Uint32Array.from(parts, (part) => part.checksum),
    outsideChecksums,
  ];
  return seal(VERSION, HEADER_BYTES, columns, (view) => {
    view.setUint32(8, mean.length, true);
    view.setUint32(12, directory.rotationSeed, true);
    view.setFloat64(16, directory.position, true);
    view.setUint32(24, places.size, true);
    view.setUint32(28, outsideRows.length, true);
    view.setUint32(32, recalls.length, true);
    view.setUint32(36, directory.measuredRows, true);
    view.setUint32(40, parts.length, true);
    view.setUint32(44, directory.rowCount, true);
  });
}

function decodeHeader(bytes: Uint8Array, width: number): CellsDirectory | undefined {
  const view = unseal(VERSION, HEADER_BYTES, bytes, (header) =>
    header.getUint32(8, true) === width ? headerSize(width, countsIn(header)) : undefined,
  );
  if (view === undefined) return undefined;
  const { cells: cellCount, parts: partCount, outside: outsideCount, recalls: recallCount } = countsIn(view);
  let at = HEADER_BYTES;
  const take = (size: number): ArrayBuffer => {
    at += size;
    // Not `slice`, with which a Buffer gives a view of the same memory.
    return new Uint8Array(bytes.subarray(at - size, at)).buffer;
  };
  const recalls = new Float64Array(take(8 * recallCount));
  const mean = new Float32Array(take(4 * width));
  const ids = new Float64Array(take(8 * cellCount));
  const partIds = new Float64Array(take(8 * partCount));
  const outsideRows = new Float64Array(take(8 * outsideCount));
  const cells = new Uint32Array(take(4 * cellCount));
  const checksums = new Uint32Array(take(4 * cellCount));
  const partChecksums = new Uint32Array(take(4 * partCount));
  const places = new Map<number, CellPlace>();
  cells.forEach((cell, i) => {
    places.set(cell, { id: ids[i]!, checksum: checksums[i]! });
  });
  return {
    rotationSeed: view.getUint32(12, true),
    mean,
    recalls,
    measuredRows: view.getUint32(36, true),
    position: view.getFloat64(16, true),
    places,
    parts: Array.from(partIds, (id, i) => ({ id, checksum: partChecksums[i]! })),
    rowCount: view.getUint32(44, true),
    outsideRows,
    outsideChecksums: new Uint32Array(take(4 * outsideCount)),
  };
}

interface HeaderCounts {
  readonly cells: number;
  readonly parts: number;
  readonly outside: number;
  readonly recalls: number;
}

function countsIn(header: DataView): HeaderCounts {
  const [cells, outside, recalls, parts] = [24, 28, 32, 40].map((at) => header.getUint32(at, true));
  return { cells: cells!, parts: parts!, outside: outside!, recalls: recalls! };
}

function headerSize(width: number, { cells, parts, outside, recalls }: HeaderCounts): number {
  return HEADER_BYTES + 8 * recalls + 4 * width + 16 * cells + 12 * parts + 12 * outside;
}
