/** Kept cells with all that they consist of, which the database itself never holds at once. */
import { decodeCell, encodeCell, type StoredCell } from '../../src/vectors/cell-codec.ts';
import type { CellsHeader, SlotOf } from '../../src/vectors/clustered-types.ts';
import type { CellStore, ClusteredIndex, KeptCells } from '../../src/vectors/index.ts';

/** A cell that was kept, under its number. */
export interface NumberedCell {
  readonly cell: number;
  readonly content: StoredCell;
}

/** What is kept, with the contents of the cells; `undefined` where it cannot be believed. */
export function loadKept(
  store: CellStore,
  width: number,
): (KeptCells & { readonly contents: NumberedCell[] }) | undefined {
  const contents: NumberedCell[] = [];
  const kept = store.load(width, () => (cell, content) => {
    contents.push({ cell, content: decodeCell(encodeCell(content), width)! });
  });
  return kept && { ...kept, contents };
}

/** Lets an index take over cells; `slotOf` gives slots below `slotCount`, or −1. */
export function takeOverCells(
  index: ClusteredIndex,
  header: CellsHeader,
  cells: readonly NumberedCell[],
  { slotCount, slotOf }: { readonly slotCount: number; readonly slotOf: SlotOf },
): void {
  const cellCount = 1 + Math.max(-1, ...cells.map(({ cell }) => cell));
  const take = index.restoreCells(header, cellCount, slotCount);
  for (const { cell, content } of cells) take(cell, content);
  const named = cells.map(({ cell, content: { rows, checksums } }) => ({ cell, rows, checksums }));
  index.nameEntries(header, named, slotCount, slotOf);
}
