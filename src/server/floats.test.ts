import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFloats } from './floats.ts';

const format = (value: number): string => formatFloats(Float32Array.of(value), 0, 1).slice(1, -1);

test('known values have their shortest form, with a point or an exponent', () => {
  const cases: [number, string][] = [
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [-3, '-3.0'],
    [0.1, '0.1'],
    [0.5, '0.5'],
    [0.30000001192092896, '0.3'],
    [0.10000000894069672, '0.10000001'],
    [16777216, '16777216.0'],
    [123456.79, '123456.79'],
    [0.99999994, '0.99999994'],
    [1e-6, '0.000001'],
    [9.5e-7, '9.5e-7'],
    [1e-7, '1e-7'],
    [1e20, '100000000000000000000.0'],
    [1e30, '1e+30'],
    [3.4028234663852886e38, '3.4028235e+38'],
    [-1.401298464324817e-45, '-1e-45'],
    [Number.NaN, 'null'],
    [Number.POSITIVE_INFINITY, 'null'],
    [Number.NEGATIVE_INFINITY, 'null'],
  ];
  for (const [value, text] of cases) expect([value, format(value)]).toEqual([value, text]);
});

test('a range of values is an array', () => {
  const values = Float32Array.of(1, 2.5, -3e-9, Number.NaN);
  expect(formatFloats(values, 1, 4)).toBe('[2.5,-3e-9,null]');
  expect(formatFloats(values, 2, 2)).toBe('[]');
});

/** The fewest significant digits that read back as the value, by trying them all. */
function fewestDigits(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    if (Math.fround(Number(value.toPrecision(digits))) === value) return digits;
  }
  throw new Error(`${value} is no float32`);
}

const countDigits = (text: string): number =>
  text.replace(/e.*$/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '').length;

test('every float32 reads back the same and has no digit too many', () => {
  const anyBits = fc
    .integer({ min: 0, max: 0xffffffff })
    .map((bits) => new Float32Array(Uint32Array.of(bits).buffer)[0]!);
  const component = fc.double({ min: -1, max: 1, noNaN: true }).map(Math.fround);
  fc.assert(
    fc.property(fc.oneof(anyBits, component, fc.float({ noNaN: true })), (value) => {
      if (!Number.isFinite(value) || value === 0) return;
      const text = format(value);
      expect(Math.fround(Number(text))).toBe(value);
      expect(text).toMatch(/[.e]/);
      // Numbers from 2^24 on are written out to the point; otherwise the digits are as few as can be. One
      // more is right where fewer would land half-way between two float32 values.
      if (Math.abs(value) < 2 ** 24) expect(countDigits(text)).toBeLessThanOrEqual(fewestDigits(value) + 1);
    }),
    { numRuns: 20_000 },
  );
});
