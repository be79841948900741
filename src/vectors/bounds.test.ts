import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dot, quantise, squaredL2 } from '../kernel/index.ts';
import { boundCoefficients, lowerBoundLimit } from './bounds.ts';

const QUERY_LEVELS = 32_767;

/** A pair of vectors with components of any float32 size, or of one common magnitude. */
const component = fc.float({ noNaN: true, noDefaultInfinity: true });
const common = fc.tuple(
  fc.constantFrom(1e-42, 1e-20, 1, 1e30, 3e38),
  fc.float({ min: -1, max: 1, noNaN: true }),
);
const pairs = fc.integer({ min: 1, max: 60 }).chain((length) => {
  const sizes = { minLength: length, maxLength: length };
  const mixed = fc.array(component, sizes);
  const even = fc.array(common, sizes).map((parts) => parts.map(([, x]) => x * parts[0]![0]));
  const vector = fc.oneof(mixed, even).map((values) => Float32Array.from(values));
  return fc.tuple(vector, vector);
});

/** Codes of a vector, their scale and the norm of the residual. */
function encode(
  vector: Float32Array,
  levels: number,
): { codes: Int16Array; scale: number; residual: number } {
  const codes = new Int16Array(vector.length);
  return { codes, ...quantise(vector, levels, codes) };
}

test('codes stay within their levels, and scale and residual account for the whole vector', () => {
  fc.assert(
    fc.property(pairs, ([vector]) => {
      const { codes, scale, residual } = encode(vector, 127);
      let lost = 0;
      vector.forEach((x, i) => {
        expect(Math.abs(codes[i]!)).toBeLessThanOrEqual(127);
        lost += (x - scale * codes[i]!) ** 2;
      });
      expect(Math.abs(residual - Math.sqrt(lost))).toBeLessThanOrEqual(1e-13 * residual);
      expect(residual).toBeLessThanOrEqual(0.500001 * scale * Math.sqrt(vector.length));
    }),
  );
});

test('the distance lies between the bounds', () => {
  fc.assert(
    fc.property(pairs, fc.constantFrom('l2', 'ip', 'cosine'), ([row, query], space) => {
      const rowNorm = Math.sqrt(dot(row, row));
      const queryNorm = Math.sqrt(dot(query, query));
      const rowCodes = encode(row, 127);
      const queryCodes = encode(query, QUERY_LEVELS);
      const divisor = space === 'cosine' && rowNorm > 0 ? rowNorm : 1;
      const product = rowCodes.codes.reduce((sum, code, i) => sum + code * queryCodes.codes[i]!, 0);

      const c = boundCoefficients(space, { ...queryCodes, norm: queryNorm });
      const squared = rowNorm * rowNorm;
      const centre = c.base + c.normSquared * squared - c.step * (rowCodes.scale / divisor) * product;
      const margin =
        c.residual * (rowCodes.residual / divisor) +
        c.norm * rowNorm +
        c.normSquaredMargin * squared +
        c.constant;

      const cosine = rowNorm * queryNorm === 0 ? 0 : dot(row, query) / (rowNorm * queryNorm);
      const exact = { l2: squaredL2(row, query), ip: 1 - dot(row, query), cosine: 1 - cosine }[space];
      expect(centre - margin).toBeLessThanOrEqual(exact);
      expect(centre + margin).toBeGreaterThanOrEqual(exact);
    }),
    { numRuns: 1000 },
  );
});

test('the limit admits every value that rounds to the same float32 or a smaller one', () => {
  const doubles = fc.oneof(
    fc.double({ noNaN: true }),
    fc.float({ noNaN: true }),
    fc.double({ min: -1e39, max: 1e39, noNaN: true }),
  );
  fc.assert(
    fc.property(doubles, fc.double({ min: -1e-6, max: 1e-6, noNaN: true }), (upper, shift) => {
      for (const value of [upper, upper * (1 + shift), upper + shift, upper + shift * 1e-39]) {
        if (Math.fround(value) <= Math.fround(upper))
          expect(value).toBeLessThanOrEqual(lowerBoundLimit(upper));
      }
    }),
    { numRuns: 1000 },
  );
});
