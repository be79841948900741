/** Kept cells with all that they consist of, which the database itself never holds at once. */
import { decodeCell, encodeCell, type StoredCell } from '../../src/vectors/cell-codec.ts';
import type { CellsHeader, RowsInCells } from '../../src/vectors/clustered-types.ts';
import {
  type CellPlace,
  type CellStore,
  type ClusteredIndex,
  encodeCentres,
  encodeRows,
  type KeptCells,
  PART_ROWS,
} from '../../src/vectors/index.ts';

/** A cell that was kept, under its number. */
export interface NumberedCell {
  readonly cell: number;
  readonly content: StoredCell;
}

/** What is kept, with the contents of the cells; `undefined` where any of it cannot be believed. */
export function loadKept(
  store: CellStore,
  width: number,
): (KeptCells & { readonly contents: NumberedCell[] }) | undefined {
  const kept = store.load(width, () => () => {});
  if (kept === undefined) return undefined;
  const contents: NumberedCell[] = [];
  for (const [cell, place] of kept.directory.places) {
    store.read(place, width, (content) => {
      if (content !== undefined) contents.push({ cell, content: decodeCell(encodeCell(content), width)! });
    });
  }
  return contents.length === kept.directory.places.size ? { ...kept, contents } : undefined;
}

/** The rows of cells, ascending. */
function rowsIn(cells: readonly NumberedCell[]): RowsInCells {
  const all = cells.flatMap(({ cell, content: { rows, checksums } }) =>
    Array.from(rows, (row, i) => ({ row, checksum: checksums[i]!, cell })),
  );
  all.sort((a, b) => a.row - b.row);
  return {
    rows: Float64Array.from(all, ({ row }) => row),
    checksums: Uint32Array.from(all, ({ checksum }) => checksum),
    cells: Int32Array.from(all, ({ cell }) => cell),
  };
}

/** Adds the outline of cells to those that are kept, for a directory that is to name it. */
export function addOutline(
  store: CellStore,
  cells: readonly NumberedCell[],
  width: number,
): { parts: CellPlace[]; rowCount: number } {
  const { rows, checksums, cells: numbers } = rowsIn(cells);
  const sketches = cells.map(({ cell, content: { centre, spread, rows } }) => {
    return { cell, centre, spread, count: rows.length };
  });
  const parts = sketches.map((sketch) => store.add(encodeCentres([sketch], width)));
  for (let first = 0; first < rows.length; first += PART_ROWS) {
    const end = first + PART_ROWS;
    const part = {
      rows: rows.slice(first, end),
      checksums: checksums.slice(first, end),
      cells: numbers.slice(first, end),
    };
    parts.push(store.add(encodeRows(part)));
  }
  return { parts, rowCount: rows.length };
}

/** The slot of a row whose vector has a checksum; −1 if the row has none, or another vector. */
export type SlotOf = (row: number, checksum: number) => number;

/** Lets an index take over cells; `slotOf` gives slots below `slotCount`, or −1. */
export function takeOverCells(
  index: ClusteredIndex,
  header: CellsHeader,
  cells: readonly NumberedCell[],
  { slotCount, slotOf }: { readonly slotCount: number; readonly slotOf: SlotOf },
): void {
  const cellCount = 1 + Math.max(-1, ...cells.map(({ cell }) => cell));
  const take = index.sketchCells(header, cellCount, slotCount);
  const cellOf = new Int32Array(slotCount).fill(-1);
  let keptCount = 0;
  for (const { cell, content } of cells) {
    const { centre, spread, rows, checksums } = content;
    take({ cell, centre, spread, count: rows.length });
    keptCount += rows.length;
    rows.forEach((row, i) => {
      const slot = slotOf(row, checksums[i]!);
      if (slot !== -1) cellOf[slot] = cell;
    });
  }
  const read = new Map(cells.map(({ cell, content }) => [cell, content]));
  index.nameCells(
    header,
    { cells: cellOf, keptCount },
    (cell, give) => give(read.get(cell)),
    (rows, checksums) => Uint32Array.from(rows, (row, i) => slotOf(row, checksums[i]!)),
  );
}
