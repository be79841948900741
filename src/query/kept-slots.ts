/** From kept cells to slots: a collection's rows without reading its records. */
import type { KeptCells } from '../vectors/index.ts';
import { SlotRows } from './slot-rows.ts';

/** Rows in slots, and the kept cell of each: −1 for those that are in none, or have another vector there. */
export interface KeptSlots {
  readonly slots: SlotRows;
  readonly cells: Int32Array;
}

/**
 * The rows that kept cells name, as changed since, with the checksums of their embeddings. `changed` are the
 * rows that have changed, with a checksum, or `null` for those that are gone. Nothing is copied where nothing
 * changed; otherwise O(rows).
 */
export function keptSlots(
  { directory, inCells }: KeptCells,
  changed: readonly [row: number, checksum: number | null][],
): KeptSlots {
  const { outsideRows, outsideChecksums } = directory;
  const gone = new Set<number>();
  const others = new Map<number, number>();
  outsideRows.forEach((row, i) => void others.set(row, outsideChecksums[i]!));
  for (const [row, checksum] of changed) {
    if (checksum !== null) {
      others.set(row, checksum);
      continue;
    }
    gone.add(row);
    others.delete(row);
  }
  if (gone.size === 0 && others.size === 0) {
    return { slots: new SlotRows(inCells.rows, inCells.checksums), cells: inCells.cells };
  }
  return merge(inCells, others, gone);
}

/** Rows in cells, those that are gone left out, and others, which stay in a cell only with its checksum. */
function merge(
  { rows, checksums, cells }: KeptCells['inCells'],
  others: ReadonlyMap<number, number>,
  gone: ReadonlySet<number>,
): KeptSlots {
  const added = Float64Array.from(others.keys()).sort();
  const most = rows.length + added.length;
  const all = new Float64Array(most);
  const checksumOf = new Uint32Array(most);
  const cellOf = new Int32Array(most);
  let count = 0;
  let next = 0;
  const put = (row: number, checksum: number, cell: number): void => {
    all[count] = row;
    checksumOf[count] = checksum;
    cellOf[count++] = cell;
  };
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    for (; next < added.length && added[next]! < row; next++)
      put(added[next]!, others.get(added[next]!)!, -1);
    if (added[next] === row) {
      const checksum = others.get(row)!;
      put(row, checksum, checksum === checksums[i] ? cells[i]! : -1);
      next++;
    } else if (!gone.has(row)) {
      put(row, checksums[i]!, cells[i]!);
    }
  }
  for (; next < added.length; next++) put(added[next]!, others.get(added[next]!)!, -1);
  return {
    slots: new SlotRows(all.slice(0, count), checksumOf.slice(0, count)),
    cells: cellOf.slice(0, count),
  };
}

/** The same for slots that are known from elsewhere. O(rows). */
export function keptCellsOf(slots: SlotRows, { inCells }: KeptCells): Int32Array {
  const cells = new Int32Array(slots.count).fill(-1);
  slots.slotsOf(inCells.rows, inCells.checksums).forEach((slot, i) => {
    if (slot < slots.count) cells[slot] = inCells.cells[i]!;
  });
  return cells;
}
