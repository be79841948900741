import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededNumbers } from '../base/index.ts';
import { EncoderKernel, MULTIPLY_MODES, makeSharedMemory, packRow } from './encoder-kernel.ts';
import { scalarEncoder } from './scalar-encoder.ts';

/** The kernels and the oracle on equal memories full of numbers; positions are in floats. */
function pair(seed: number, scale = 1): { wasm: Float32Array; plain: Float32Array; kernel: EncoderKernel } {
  const kernel = new EncoderKernel(makeSharedMemory(4 * 64 * 1024));
  const random = seededNumbers(seed);
  const wasm = kernel.floats(0, 64 * 1024);
  for (let i = 0; i < wasm.length; i++) wasm[i] = (random() * 2 - 1) * scale;
  return { wasm, plain: Float32Array.from(wasm), kernel };
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

function greatestDifference(left: Float32Array, right: Float32Array): number {
  return left.reduce((greatest, value, i) => Math.max(greatest, Math.abs(value - right[i]!)), 0);
}

describe('kernels of the encoder', () => {
  test('a product has the bits of its definition, in every mode', () => {
    const sizes = fc.record({
      seed: seeds,
      count: fc.integer({ min: 1, max: 5 }).map((n) => n * 4),
      width: fc.integer({ min: 1, max: 70 }),
      columns: fc.integer({ min: 1, max: 6 }).map((n) => n * 8),
      mode: fc.constantFrom(...Object.values(MULTIPLY_MODES)),
    });
    fc.assert(
      fc.property(sizes, ({ seed, count, width, columns, mode }) => {
        const { wasm, plain, kernel } = pair(seed);
        // Rows, then weights, bias and the product, each where the largest case has room for it.
        const [rows, weights, bias, out] = [0, 8_192, 16_384, 20_480].map((at) => at * 4);
        const call = [rows!, count, width, weights!, columns, bias!, out!, mode] as const;
        kernel.calls.multiply(...call);
        scalarEncoder(plain).multiply(...call);
        expect(greatestDifference(wasm, plain)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('a row comes into panels so that a product reads each column', () => {
    const panels = new Float32Array(2 * 16);
    packRow(
      Float32Array.from({ length: 16 }, (_, i) => i),
      0,
      2,
      panels,
    );
    packRow(
      Float32Array.from({ length: 16 }, (_, i) => 100 + i),
      1,
      2,
      panels,
    );
    expect([...panels.slice(0, 16)]).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102, 103, 104, 105, 106, 107,
    ]);
    expect([...panels.slice(16, 18), ...panels.slice(24, 26)]).toEqual([8, 9, 108, 109]);
    expect(() => packRow(new Float32Array(9), 0, 2, panels)).toThrow(/No matrix/);
  });

  test('normalised rows agree with float64 to the rounding of float32', () => {
    const sizes = fc.record({
      seed: seeds,
      count: fc.integer({ min: 1, max: 9 }),
      width: fc.integer({ min: 1, max: 40 }).map((n) => n * 16),
      scale: fc.constantFrom(0.001, 1, 1000),
    });
    fc.assert(
      fc.property(sizes, ({ seed, count, width, scale }) => {
        const { wasm, plain, kernel } = pair(seed);
        // A large mean, which must not cancel the variance away.
        for (const floats of [wasm, plain]) {
          for (let i = 0; i < count * width; i++) floats[i] = (floats[i]! + 3) * scale;
        }
        const [factors, bias, out] = [8_192, 12_288, 16_384].map((at) => at * 4);
        const call = [0, count, width, factors!, bias!, 1e-6, out!] as const;
        kernel.calls.normaliseRows(...call);
        scalarEncoder(plain).normaliseRows(...call);
        expect(greatestDifference(wasm, plain)).toBeLessThan(5e-5);
      }),
      { numRuns: 60 },
    );
  });

  test('attention agrees with float64, whatever the number of tokens and however far the scores lie apart', () => {
    const sizes = fc.record({
      seed: seeds,
      count: fc.integer({ min: 1, max: 19 }),
      heads: fc.integer({ min: 1, max: 4 }),
      width: fc.constantFrom(32, 64, 128),
      scale: fc.constantFrom(0.1, 1, 30),
    });
    fc.assert(
      fc.property(sizes, ({ seed, count, heads, width, scale }) => {
        const { wasm, plain, kernel } = pair(seed);
        const [scores, out] = [32_768, 40_960].map((at) => at * 4);
        const call = [0, count, heads, width, scale, scores!, out!] as const;
        kernel.calls.attend(...call);
        scalarEncoder(plain).attend(...call);
        const length = count * heads * width;
        const [got, wanted] = [wasm, plain].map((floats) => floats.slice(40_960, 40_960 + length));
        expect(greatestDifference(got!, wanted!)).toBeLessThan(scale === 30 ? 2e-3 : 3e-6);
      }),
      { numRuns: 60 },
    );
  });

  test('threads that have the memory see what one of them wrote', () => {
    const memory = makeSharedMemory(1000);
    new EncoderKernel(memory).floats(64, 1)[0] = 7;
    expect(new EncoderKernel(memory).floats(64, 1)[0]).toBe(7);
    expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  test('memory that the system does not give is a typed error', () => {
    expect(() => makeSharedMemory(2 ** 40)).toThrow(
      expect.objectContaining({ code: 'TESSERA_LIMIT_EXCEEDED' }),
    );
  });
});
