import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { FloatRows } from './float-rows.ts';

test('rows keep their content while the store grows in steps of any size', () => {
  const growth = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(1, 3, 300, 16_384), growth, (dimension, steps) => {
      const rows = new FloatRows(dimension);
      const written: number[] = [];
      let count = 0;
      for (const step of steps) {
        count += Math.ceil(step / dimension);
        rows.reserve(count);
        rows.row(count - 1).fill(count);
        written.push(count);
      }
      for (const number of written) {
        const row = rows.row(number - 1);
        expect(row.length).toBe(dimension);
        expect(row.every((x) => x === number)).toBe(true);
      }
    }),
  );
});

test('a row that was not reserved is refused', () => {
  const rows = new FloatRows(4);
  rows.reserve(3);
  expect(() => rows.row(8)).toThrow(AssertionError);
  expect(() => rows.row(1e6)).toThrow(AssertionError);
});
