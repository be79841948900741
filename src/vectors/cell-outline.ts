/**
 * What is known of kept cells before any of their entries is read: their centres, and which rows are in which
 * cell. It is kept in parts of some 64 KB beside the cells, all of them written with every header.
 *
 *   offset  size       field
 *   0       4          version, now 1
 *   4       4          CRC-32 of all bytes from offset 8 on
 *   8       4          width: the dimension rounded up to a multiple of 32; 0 in a part of rows
 *   12      4          count of cells or rows, n
 *
 *   of cells:
 *   16      8·n        f64, sums of squared residuals
 *   …       4·width·n  f32, centres, moved by the mean and rotated
 *   …       4·n        u32, numbers of the cells
 *   …       4·n        u32, counts of entries
 *
 *   of rows, ascending:
 *   16      8·n        f64, row numbers
 *   …       4·n        u32, checksums of the vectors that were encoded
 *   …       4·n        u32, numbers of their cells
 *
 * Every row that is named here stands with that checksum in the cell that is named for it. Rows that entered
 * a cell while cells were being written are left out, since theirs may have been written before.
 */
import type { CentreTaker, RowsInCells } from './clustered-types.ts';
import { aligned, seal, unseal } from './sealed-bytes.ts';

const VERSION = 1;
const HEADER_BYTES = 16;
/** Bytes of a part, about: small enough for the C library to give its memory out again. */
const PART_BYTES = 65_536;
/** Rows of a part. */
export const PART_ROWS: number = PART_BYTES / 16;

/** A cell without its entries; `spread` is the sum of their squared residuals. */
export interface CellSketch {
  readonly cell: number;
  readonly centre: Float32Array;
  readonly spread: number;
  readonly count: number;
}

/** Cells of a part. */
export function partCells(width: number): number {
  return Math.max(1, Math.floor(PART_BYTES / (4 * width)));
}

/** Some cells as a part. O(bytes). */
export function encodeCentres(cells: readonly CellSketch[], width: number): Uint8Array {
  const centres = new Float32Array(cells.length * width);
  cells.forEach(({ centre }, i) => {
    centres.set(centre, i * width);
  });
  return encodePart(width, cells.length, [
    Float64Array.from(cells, ({ spread }) => spread),
    centres,
    Uint32Array.from(cells, ({ cell }) => cell),
    Uint32Array.from(cells, ({ count }) => count),
  ]);
}

/** Some rows as a part. O(bytes). */
export function encodeRows({ rows, checksums, cells }: RowsInCells): Uint8Array {
  return encodePart(0, rows.length, [rows, checksums, cells]);
}

function encodePart(width: number, count: number, columns: readonly ArrayBufferView[]): Uint8Array {
  return seal(VERSION, HEADER_BYTES, columns, (view) => {
    view.setUint32(8, width, true);
    view.setUint32(12, count, true);
  });
}

/** Puts parts together again: gives cells away, and gathers the rows. */
export class OutlineReader {
  readonly rows: RowsInCells;
  readonly #width: number;
  readonly #take: CentreTaker;
  #rowCount = 0;

  /** `rowCount` is that of all parts together. */
  constructor(width: number, rowCount: number, take: CentreTaker) {
    this.#width = width;
    this.#take = take;
    this.rows = {
      rows: new Float64Array(rowCount),
      checksums: new Uint32Array(rowCount),
      cells: new Int32Array(rowCount),
    };
  }

  /** Whether the parts had all the rows. */
  get isWhole(): boolean {
    return this.#rowCount === this.rows.rows.length;
  }

  /** Takes the next part; false if it is damaged, of another width or version, or not the next. */
  read(bytes: Uint8Array): boolean {
    const view = unseal(VERSION, HEADER_BYTES, bytes, (header) => {
      const width = header.getUint32(8, true);
      const isKnown = width === 0 || width === this.#width;
      return isKnown ? HEADER_BYTES + header.getUint32(12, true) * (16 + 4 * width) : undefined;
    });
    if (view === undefined) return false;
    const isOfRows = view.getUint32(8, true) === 0;
    const count = view.getUint32(12, true);
    const { buffer, byteOffset } = aligned(bytes);
    const at = byteOffset + HEADER_BYTES;
    return isOfRows ? this.#readRows(buffer, at, count) : this.#readCentres(buffer, at, count);
  }

  #readRows(buffer: ArrayBufferLike, at: number, count: number): boolean {
    const { rows, checksums, cells } = this.rows;
    const first = this.#rowCount;
    this.#rowCount += count;
    if (count === 0 || this.#rowCount > rows.length) return false;
    const read = new Float64Array(buffer, at, count);
    // Those of a part ascend as they were written.
    if (first > 0 && !(read[0]! > rows[first - 1]!)) return false;
    rows.set(read, first);
    checksums.set(new Uint32Array(buffer, at + 8 * count, count), first);
    cells.set(new Int32Array(buffer, at + 12 * count, count), first);
    return true;
  }

  #readCentres(buffer: ArrayBufferLike, at: number, count: number): boolean {
    const width = this.#width;
    const centres = at + 8 * count;
    const numbers = centres + 4 * width * count;
    const spreads = new Float64Array(buffer, at, count);
    const cells = new Uint32Array(buffer, numbers, count);
    const counts = new Uint32Array(buffer, numbers + 4 * count, count);
    for (let i = 0; i < count; i++) {
      const centre = new Float32Array(buffer, centres + 4 * width * i, width);
      this.#take({ cell: cells[i]!, centre, spread: spreads[i]!, count: counts[i]! });
    }
    return true;
  }
}
