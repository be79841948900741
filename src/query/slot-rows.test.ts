import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlotRows } from './slot-rows.ts';

/** Ascending rows whose gaps are hard for guessing: even, wild, in lumps, or growing without measure. */
const gaps: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc.array(fc.constant(1), { maxLength: 300 }),
  fc.array(fc.constantFrom(1, 1, 1, 2), { maxLength: 300 }),
  fc.array(fc.constantFrom(1, 1_000_000), { maxLength: 300 }),
  fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 300 }),
  fc.nat(45).map((count) => Array.from({ length: count }, (_, i) => 2 ** i)),
  fc.nat(45).map((count) => Array.from({ length: count }, (_, i) => 2 ** (44 - i))),
);

function rowsOf(steps: readonly number[]): Float64Array {
  let row = 0;
  return Float64Array.from(steps, (gap) => {
    row += gap;
    return row;
  });
}

function slotsOf(rows: Float64Array): SlotRows {
  return new SlotRows(
    rows.slice(),
    Uint32Array.from(rows, (row) => row % 1_000),
  );
}

describe('the slot of a row', () => {
  test('is found however unevenly the rows are spread, and that of no other row', () => {
    fc.assert(
      fc.property(gaps, (steps) => {
        const rows = rowsOf(steps);
        const slots = slotsOf(rows);
        const known = new Set(rows);
        rows.forEach((row, slot) => {
          expect(slots.slotOf(row)).toBe(slot);
          expect(slots.rowAt(slot)).toBe(row);
          for (const other of [row - 1, row + 1]) if (!known.has(other)) expect(slots.slotOf(other)).toBe(-1);
        });
        expect(slots.slotOf(0)).toBe(-1);
        expect(slots.slotOf(Number.MAX_SAFE_INTEGER)).toBe(-1);
      }),
    );
  });

  test('is found after rows were added at the end and others left out', () => {
    const changes = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 100 });
    fc.assert(
      fc.property(gaps, changes, fc.integer({ min: 2, max: 5 }), (steps, added, nth) => {
        let rows = [...rowsOf(steps)];
        const slots = slotsOf(Float64Array.from(rows));
        const check = (): void => {
          expect(slots.count).toBe(rows.length);
          rows.forEach((row, slot) => {
            expect(slots.slotOf(row)).toBe(slot);
            expect(slots.checksumAt(slot)).toBe(row % 1_000);
          });
        };
        for (const gap of added) {
          const row = (rows.at(-1) ?? 0) + gap;
          expect(slots.push(row, row % 1_000)).toBe(rows.length);
          rows.push(row);
        }
        check();
        const isKept = (slot: number): boolean => slot % nth !== 0;
        const slotOf = slots.compact(isKept);
        rows.forEach((row, slot) => {
          expect(slotOf[slot]).toBe(isKept(slot) ? slots.slotOf(row) : -1);
        });
        rows = rows.filter((_, slot) => isKept(slot));
        check();
        const next = (rows.at(-1) ?? 0) + 7;
        rows.push(next);
        slots.push(next, next % 1_000);
        check();
      }),
    );
  });
});

test('the first slot after a row is that of the next larger row', () => {
  fc.assert(
    fc.property(gaps, fc.nat(), (steps, row) => {
      const rows = rowsOf(steps);
      for (const asked of [row, ...rows]) {
        const expected = rows.findIndex((other) => other > asked);
        expect(slotsOf(rows).firstAfter(asked)).toBe(expected === -1 ? rows.length : expected);
      }
    }),
    { numRuns: 30 },
  );
});

test('another checksum replaces the former one', () => {
  const slots = new SlotRows(Float64Array.of(3, 8), Uint32Array.of(1, 2));
  slots.setChecksum(1, 4_294_967_295);
  expect([slots.checksumAt(0), slots.checksumAt(1)]).toEqual([1, 4_294_967_295]);
});
