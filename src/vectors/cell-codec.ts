/**
 * A cell as bytes, to be kept beside the records and read back without encoding its entries anew.
 *
 *   offset          size     field
 *   0               4        version, now 1
 *   4               4        CRC-32 of all bytes from offset 8 on
 *   8               4        width: the dimension rounded up to a multiple of 32
 *   12              4        count of entries
 *   16              8        f64, sum of the squared residuals of the entries
 *   24              4·width  f32, the centre, moved by the mean and rotated
 *   …               8·count  f64, the entries' row numbers
 *   …               4·count  u32, checksums of the vectors that were encoded
 *   …               4·count  f32, base of each entry
 *   …               4·count  f32, slope of each entry
 *   …               4·width  for every 32 entries, their codes as in kernel/assembly/entries.ts
 *
 * Numbers are little-endian. Entries are named by row numbers, which never change, and not by slots, which
 * are given anew whenever a collection is loaded. The codes mean something only together with the seed of
 * the rotation and the mean of the index, which the caller keeps once for all cells.
 */
import type { CellEntries } from './cell-table.ts';
import { aligned, seal, unseal } from './sealed-bytes.ts';

const VERSION = 1;
const HEADER_BYTES = 24;

/** A cell as `encodeCell` takes and `decodeCell` gives it. */
export interface StoredCell extends CellEntries {
  readonly rows: Float64Array;
  readonly checksums: Uint32Array;
}

/** The cell as bytes. O(bytes). */
export function encodeCell(cell: StoredCell): Uint8Array {
  const count = cell.rows.length;
  const width = cell.centre.length;
  const columns = [cell.centre, cell.rows, cell.checksums, cell.base, cell.slope, cell.codes];
  return seal(VERSION, HEADER_BYTES, columns, (view) => {
    view.setUint32(8, width, true);
    view.setUint32(12, count, true);
    view.setFloat64(16, cell.spread, true);
  });
}

/**
 * The cell that was encoded, as views of the bytes where that is possible; `undefined` if the bytes are
 * damaged, of another width or version.
 */
export function decodeCell(bytes: Uint8Array, width: number): StoredCell | undefined {
  const view = unseal(VERSION, HEADER_BYTES, bytes, (header) =>
    header.getUint32(8, true) === width ? sizeOf(width, header.getUint32(12, true)) : undefined,
  );
  if (view === undefined) return undefined;
  const count = view.getUint32(12, true);
  const { buffer, byteOffset } = aligned(bytes);
  let at = byteOffset + HEADER_BYTES;
  const skip = (size: number): number => {
    at += size;
    return at - size;
  };
  return {
    spread: view.getFloat64(16, true),
    centre: new Float32Array(buffer, skip(4 * width), width),
    rows: new Float64Array(buffer, skip(8 * count), count),
    checksums: new Uint32Array(buffer, skip(4 * count), count),
    base: new Float32Array(buffer, skip(4 * count), count),
    slope: new Float32Array(buffer, skip(4 * count), count),
    codes: new Uint8Array(buffer, at, 4 * width * Math.ceil(count / 32)),
  };
}

function sizeOf(width: number, count: number): number {
  return HEADER_BYTES + 4 * width + 20 * count + 4 * width * Math.ceil(count / 32);
}
