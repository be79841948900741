import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeptCells } from '../vectors/index.ts';
import { keptCellsOf, keptSlots } from './kept-slots.ts';

/** Rows with the checksums of their embeddings. */
type Named = readonly (readonly [row: number, checksum: number])[];

function partOf(named: Named): { rows: Float64Array; checksums: Uint32Array } {
  return {
    rows: Float64Array.from(named, ([row]) => row),
    checksums: Uint32Array.from(named, ([, checksum]) => checksum),
  };
}

/** What is kept, as far as slots are made of it: rows of which each is in the cell of its number modulo 5. */
function keep(inCells: Named, outside: Named): KeptCells {
  const { rows: outsideRows, checksums: outsideChecksums } = partOf(outside);
  const rows = partOf([...inCells].sort(([a], [b]) => a - b));
  const cells = Int32Array.from(rows.rows, cellOf);
  return {
    serial: 1,
    inCells: { ...rows, cells },
    directory: { outsideRows, outsideChecksums },
  } as unknown as KeptCells;
}

const cellOf = (row: number): number => row % 5;

type Changes = [row: number, checksum: number | null][];

/** The rows, checksums and cells of all slots. */
function listed(kept: KeptCells, changed: Changes): [number, number, number][] {
  const { slots, cells } = keptSlots(kept, changed);
  expect(cells.length).toBe(slots.count);
  expect(keptCellsOf(slots, kept)).toEqual(cells);
  return Array.from(cells, (cell, slot) => [slots.rowAt(slot), slots.checksumAt(slot), cell]);
}

describe('slots of kept cells', () => {
  it.each([
    ['dense', 60],
    ['sparse', 2 ** 40],
  ])('are those of a map of rows, for %s row numbers', (_name, rowMax) => {
    const row = fc.integer({ min: 1, max: rowMax });
    const rows = fc.uniqueArray(fc.tuple(row, fc.nat(99)), { selector: ([number]) => number, maxLength: 50 });
    const changes = fc.array(fc.tuple(fc.nat(1e6), row, fc.option(fc.nat(99))), { maxLength: 20 });
    fc.assert(
      fc.property(rows, changes, fc.integer({ min: 1, max: 4 }), (named, picked, share) => {
        const inCells = named.filter((_, i) => i % share !== 0);
        const outside = named.filter((_, i) => i % share === 0);
        const changed = new Map(
          picked.map(([pick, fresh, checksum]) => [
            pick % 2 === 0 ? fresh : (named[pick % Math.max(1, named.length)]?.[0] ?? fresh),
            checksum,
          ]),
        );
        const kept = new Map(inCells);
        const expected = new Map(named);
        for (const [number, checksum] of changed) {
          if (checksum === null) expected.delete(number);
          else expected.set(number, checksum);
        }
        const inOrder = [...expected]
          .sort(([a], [b]) => a - b)
          .map(([number, checksum]) => {
            return [number, checksum, kept.get(number) === checksum ? cellOf(number) : -1];
          });
        expect(listed(keep(inCells, outside), [...changed])).toEqual(inOrder);
      }),
    );
  });

  it('are those of the file itself where nothing changed', () => {
    const kept = keep(
      [
        [3, 1],
        [4, 2],
      ],
      [],
    );
    const { slots, cells } = keptSlots(kept, []);
    expect(cells).toBe(kept.inCells.cells);
    slots.setChecksum(0, 9);
    expect(kept.inCells.checksums[0]).toBe(9);
  });
});
