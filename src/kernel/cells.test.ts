import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededNumbers } from '../base/index.ts';
import { Kernel } from './kernel.ts';

const ENTRIES = 32;

/** Widths of cells, small ones more often, and the widest. */
const widths = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 20 }).map((n) => n * 32) },
  { weight: 1, arbitrary: fc.constantFrom(1024, 1536, 16_384) },
);
const kinds = fc.constantFrom('gaussian', 'zeros', 'one-hot', 'equal', 'tiny', 'large');
type Kind = 'gaussian' | 'zeros' | 'one-hot' | 'equal' | 'tiny' | 'large';

function makeVector(kind: Kind, width: number, chance: () => number): Float32Array {
  const hot = Math.floor(chance() * width);
  const size = { tiny: 1e-12, large: 1e12 }[kind as string] ?? 1;
  return Float32Array.from({ length: width }, (_, i) => {
    if (kind === 'zeros') return 0;
    if (kind === 'one-hot') return i === hot ? 1 : 0;
    return kind === 'equal' ? 0.5 : (chance() + chance() + chance() - 1.5) * size;
  });
}

const norm = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

/** H·v / √n for the matrix H of Hadamard in the natural order, by its definition. */
function hadamard(vector: Float64Array): Float64Array {
  const ones = (bits: number): number => bits.toString(2).replaceAll('0', '').length;
  return vector.map((_, row) => {
    let sum = 0;
    vector.forEach((x, column) => {
      sum += ones(row & column) % 2 === 1 ? -x : x;
    });
    return sum / Math.sqrt(vector.length);
  });
}

describe('rotation', () => {
  test('is signs and Hadamard transforms of the leading and trailing part in turns', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), kinds, fc.nat(), (blocks, kind, seed) => {
        const width = blocks * 32;
        const span = 2 ** Math.floor(Math.log2(width));
        const rounds = 3;
        const chance = seededNumbers(seed);
        const vector = makeVector(kind, width, chance);
        const signs = Float64Array.from({ length: width * rounds }, () => (chance() < 0.5 ? -1 : 1));
        const scale = 0.25;

        const expected = Float64Array.from(vector, (x) => x * scale);
        const factors = new Float32Array(width * rounds);
        for (let round = 0; round < rounds; round++) {
          const start = round % 2 === 1 ? width - span : 0;
          for (let i = 0; i < width; i++) {
            expected[i]! *= signs[round * width + i]!;
            const isInside = i >= start && i < start + span;
            factors[round * width + i] = signs[round * width + i]! * (isInside ? 1 / Math.sqrt(span) : 1);
          }
          expected.set(hadamard(expected.slice(start, start + span)), start);
        }

        const kernel = new Kernel(8 * width * (rounds + 1));
        const floats = new Float32Array(kernel.buffer);
        floats.set(vector);
        floats.set(factors, width);
        kernel.calls.rotate(0, 4 * width, width, span, rounds, scale);
        const tolerance = 1e-5 * norm(vector) + 1e-30;
        for (let i = 0; i < width; i++) expect(Math.abs(floats[i]! - expected[i]!)).toBeLessThan(tolerance);
      }),
      { numRuns: 30 },
    );
  });
});

/** A memory with two blocks, a vector, a centre and room for results. */
function makeBench(width: number): {
  kernel: Kernel;
  floats: Float32Array;
  bytes: Uint8Array;
  words: Uint32Array;
  blocks: readonly [number, number];
  out: number;
} {
  const blockBytes = 4 * width + 400;
  const blocks = [8 * width, 8 * width + blockBytes] as const;
  const out = 8 * width + 2 * blockBytes;
  const kernel = new Kernel(out + 4096);
  const floats = new Float32Array(kernel.buffer);
  const bytes = new Uint8Array(kernel.buffer);
  return { kernel, floats, bytes, words: new Uint32Array(kernel.buffer), blocks, out };
}

/** The sign bits of entry `lane`, by the drawing in assembly/entries.ts. */
function readBits(bytes: Uint8Array, block: number, width: number, lane: number): boolean[] {
  return Array.from({ length: width }, (_, d) => {
    const byte = bytes[block + (d >> 2) * 16 + (lane % 16)]!;
    return ((byte >> ((lane >= 16 ? 4 : 0) + (d & 3))) & 1) === 1;
  });
}

describe('entries', () => {
  test('are the signs of the residual, each in its own place, with the four sums', () => {
    fc.assert(
      fc.property(widths, kinds, kinds, fc.nat(), fc.nat(31), (width, kind, centreKind, seed, lane) => {
        const { kernel, floats, bytes, blocks, out } = makeBench(width);
        const chance = seededNumbers(seed);
        const vector = makeVector(kind, width, chance);
        const centre = makeVector(centreKind, width, chance);
        floats.set(vector);
        floats.set(centre, width);
        bytes.fill(0xa5, blocks[0], blocks[0] + 4 * width);
        const other = readBits(bytes, blocks[0], width, (lane + 7) % ENTRIES);
        kernel.calls.encodeEntry(0, 4 * width, width, blocks[0], lane, out);

        const residual = vector.map((x, i) => x - centre[i]!);
        const bits = Array.from(residual, (r) => r >= 0);
        expect(readBits(bytes, blocks[0], width, lane)).toEqual(bits);
        expect(readBits(bytes, blocks[0], width, (lane + 7) % ENTRIES)).toEqual(other);
        const sums = [0, 0, 0, 0];
        const sizes = [0, 0, 0, 0];
        residual.forEach((r, i) => {
          const terms = [Math.abs(r), r * r, bits[i] ? centre[i]! : -centre[i]!, r * centre[i]!];
          terms.forEach((term, j) => {
            sums[j]! += term;
            sizes[j]! += Math.abs(term);
          });
        });
        sums.forEach((sum, j) => {
          expect(Math.abs(floats[out / 4 + j]! - sum)).toBeLessThanOrEqual(1e-4 * sizes[j]! + 1e-37);
        });
      }),
    );
  });

  test('move with their factors and slots and leave the others alone', () => {
    fc.assert(
      fc.property(widths, fc.nat(), fc.nat(31), fc.nat(31), fc.nat(31), (width, seed, from, to, third) => {
        fc.pre(third !== to);
        const { kernel, bytes, words, blocks } = makeBench(width);
        const chance = seededNumbers(seed);
        for (let i = blocks[0]; i < blocks[1] + 4 * width + 400; i++) bytes[i] = chance() * 256;
        const factor = (block: number, lane: number): number[] =>
          [0, 128, 256].map((offset) => words[(block + 4 * width + offset) / 4 + lane]!);
        const moved = [readBits(bytes, blocks[0], width, from), factor(blocks[0], from)];
        const kept = [readBits(bytes, blocks[1], width, third), factor(blocks[1], third)];
        kernel.calls.moveEntry(blocks[0], from, blocks[1], to, width);
        expect([readBits(bytes, blocks[1], width, to), factor(blocks[1], to)]).toEqual(moved);
        expect([readBits(bytes, blocks[1], width, third), factor(blocks[1], third)]).toEqual(kept);
      }),
    );
  });
});

describe('tables', () => {
  test('give the product of signs and query to within half a step a group', () => {
    fc.assert(
      fc.property(widths, kinds, fc.nat(), (width, kind, seed) => {
        const { kernel, floats, bytes, blocks, out } = makeBench(width);
        const chance = seededNumbers(seed);
        const query = makeVector(kind, width, chance);
        floats.set(query);
        const levels = Math.min(31, Math.floor(65_535 / (width / 4)));
        kernel.calls.makeTable(0, width, levels, 4 * width, out);
        const [step, offset] = floats.subarray(out / 4, out / 4 + 2);
        expect(Math.max(...bytes.subarray(4 * width, 8 * width))).toBeLessThanOrEqual(levels);

        for (let i = blocks[0]; i < blocks[0] + 4 * width; i++) bytes[i] = chance() * 256;
        kernel.calls.sumBlock(blocks[0], 4 * width, 4 * width, out + 64);
        const sums = new Uint16Array(kernel.buffer, out + 64, ENTRIES);
        const size = query.reduce((sum, x) => sum + Math.abs(x), 0);
        for (const lane of [0, 1, 15, 16, 30, 31]) {
          const bits = readBits(bytes, blocks[0], width, lane);
          const product = query.reduce((sum, x, d) => sum + (bits[d] ? x : -x), 0);
          const margin = (step! / 2) * (width / 4) + 1e-4 * size + 1e-30;
          expect(Math.abs(step! * sums[lane]! + offset! - product)).toBeLessThanOrEqual(margin);
        }
      }),
    );
  });

  test('sums of the largest entries do not overflow at any width', () => {
    for (const width of [32, 512, 8192, 16_384]) {
      const { kernel, bytes, blocks, out } = makeBench(width);
      const levels = Math.min(31, Math.floor(65_535 / (width / 4)));
      bytes.fill(levels, 4 * width, 8 * width);
      kernel.calls.sumBlock(blocks[0], 4 * width, 4 * width, out);
      const sums = new Uint16Array(kernel.buffer, out, ENTRIES);
      expect([...sums]).toEqual(Array.from({ length: ENTRIES }, () => levels * (width / 4)));
    }
  });
});

describe('means', () => {
  test('projections and scaled sums are those of a plain loop', () => {
    fc.assert(
      fc.property(
        widths,
        kinds,
        kinds,
        fc.nat(),
        fc.integer({ min: 0, max: 5 }),
        (width, a, b, seed, count) => {
          const kernel = new Kernel(4 * width * (count + 2) + 4096);
          const floats = new Float32Array(kernel.buffer);
          const chance = seededNumbers(seed);
          const direction = makeVector(a, width, chance);
          floats.set(direction);
          const rows = Array.from({ length: count }, () => makeVector(b, width, chance));
          rows.forEach((row, i) => {
            floats.set(row, width * (i + 1));
          });
          const out = 4 * width * (count + 1);
          kernel.calls.project(4 * width, count, width, 0, out);
          rows.forEach((row, i) => {
            const product = row.reduce((sum, x, d) => sum + x * direction[d]!, 0);
            const margin = 1e-5 * norm(row) * norm(direction) + 1e-30;
            expect(Math.abs(floats[out / 4 + i]! - product)).toBeLessThanOrEqual(margin);
          });
          if (count === 0) return;
          kernel.calls.addScaled(0, 4 * width, width, -0.5);
          const expected = direction.map((x, d) => x + Math.fround(rows[0]![d]! * -0.5));
          expect(floats.subarray(0, width)).toEqual(expected);
        },
      ),
    );
  });

  test('halves of rows have the means of a plain loop', () => {
    fc.assert(
      fc.property(widths, kinds, fc.nat(), fc.integer({ min: 1, max: 9 }), (width, kind, seed, count) => {
        const [left, right, direction, rows] = [0, 4 * width, 8 * width, 12 * width];
        const sides = rows + 4 * width * count;
        const kernel = new Kernel(sides + 4 * count);
        const floats = new Float32Array(kernel.buffer);
        const at = (address: number): Float32Array => floats.subarray(address / 4, address / 4 + width);
        const chance = seededNumbers(seed);
        for (let row = -3; row < count; row++)
          at(rows + 4 * width * row).set(makeVector(kind, width, chance));
        const [from, to] = [at(left).slice(), at(right).slice()];
        const middle = kernel.calls.projectBetween(rows, count, width, left, right, direction, sides);
        expect(at(direction)).toEqual(to.map((x, d) => x - from[d]!));
        const margin = 1e-5 * (norm(from) + norm(to)) ** 2 + 1e-30;
        expect(Math.abs(middle - (norm(to) ** 2 - norm(from) ** 2) / 2)).toBeLessThanOrEqual(margin);
        const products = floats.slice(sides / 4, sides / 4 + count);
        // A threshold that is a product, so that a row lies on the border.
        const threshold = products[seed % count]!;
        kernel.calls.meansOfHalves(rows, count, width, sides, threshold, left, right);
        const isLeft = (i: number): boolean =>
          products[i]! < threshold || (products[i] === threshold && i % 2 === 0);
        for (const [address, isMeant] of [[left, true] as const, [right, false] as const]) {
          const meant = Array.from({ length: count }, (_, i) => i).filter((i) => isLeft(i) === isMeant);
          const lengths = meant.reduce((sum, i) => sum + norm(at(rows + 4 * width * i)), 0);
          const mean = Float64Array.from({ length: width }, (_, d) => {
            const sum = meant.reduce((total, i) => total + at(rows + 4 * width * i)[d]!, 0);
            return sum / Math.max(1, meant.length);
          });
          const error = norm(at(address).map((x, d) => x - mean[d]!));
          expect(error).toBeLessThanOrEqual(1e-5 * lengths + 1e-30);
        }
      }),
    );
  });
});
