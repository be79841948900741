import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeptCells } from '../vectors/index.ts';
import { keptSlots } from './kept-slots.ts';

/** Rows with the checksums of their embeddings. */
type Named = readonly (readonly [row: number, checksum: number])[];

function partOf(named: Named): { rows: Float64Array; checksums: Uint32Array } {
  return {
    rows: Float64Array.from(named, ([row]) => row),
    checksums: Uint32Array.from(named, ([, checksum]) => checksum),
  };
}

/** What is kept, as far as slots are made of it. */
function keep(cells: readonly Named[], outside: Named): KeptCells {
  const { rows: outsideRows, checksums: outsideChecksums } = partOf(outside);
  const numbered = cells.map((named, cell) => ({ cell, ...partOf(named) }));
  return { serial: 1, cells: numbered, directory: { outsideRows, outsideChecksums } } as unknown as KeptCells;
}

/** The rows and checksums of all slots. */
function listed(kept: KeptCells, changed: [row: number, checksum: number | null][]): [number, number][] {
  const slots = keptSlots(kept, changed);
  return Array.from({ length: slots.count }, (_, slot) => [slots.rowAt(slot), slots.checksumAt(slot)]);
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
      fc.property(rows, changes, fc.integer({ min: 1, max: 4 }), (named, picked, partCount) => {
        const parts = Array.from({ length: partCount }, (_, part) =>
          named.filter((_, i) => i % partCount === part),
        );
        const [outside = [], ...cells] = parts;
        const changed = new Map(
          picked.map(([pick, fresh, checksum]) => [
            pick % 2 === 0 ? fresh : (named[pick % Math.max(1, named.length)]?.[0] ?? fresh),
            checksum,
          ]),
        );
        const expected = new Map(named);
        for (const [number, checksum] of changed) {
          if (checksum === null) expected.delete(number);
          else expected.set(number, checksum);
        }
        const inOrder = [...expected].sort(([a], [b]) => a - b);
        expect(listed(keep(cells, outside), [...changed])).toEqual(inOrder);
      }),
    );
  });

  it('are there once for a row that several cells name', () => {
    const twice: Named = [
      [7, 1],
      [3, 2],
    ];
    expect(listed(keep([twice, twice], []), [])).toEqual([
      [3, 2],
      [7, 1],
    ]);
    const far: Named = [
      [2 ** 40, 1],
      [3, 2],
    ];
    expect(listed(keep([far, far], []), [])).toEqual([
      [3, 2],
      [2 ** 40, 1],
    ]);
  });
});
