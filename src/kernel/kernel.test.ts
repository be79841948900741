import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DatabaseError, seededNumbers } from '../base/index.ts';
import { Kernel } from './kernel.ts';
import { KERNEL_MODULE_BASE64, RELAXED_KERNEL_MODULE_BASE64 } from './module.generated.ts';
import { dot, quantise, scanList, scanRun, squaredL2 } from './scalar.ts';

/** The part of WebAssembly that the tests look at. */
interface Wasm {
  validate(bytes: Uint8Array): boolean;
  readonly Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): unknown;
    exports(module: object): { readonly name: string }[];
  };
}
const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

/** The largest query code for which 127 · code · width fits into 31 bits. */
const queryCodeMax = (width: number): number => Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * width)));

interface CodeCase {
  readonly width: number;
  readonly rows: Int8Array;
  readonly query: Int16Array;
}

const widths = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 38 }).map((n) => n * 16) },
  { weight: 1, arbitrary: fc.constantFrom(1024, 4096, 16_384) },
);

/** Rows of codes, random or at the extremes, where the 32-bit sums come closest to overflowing. */
const codeCases: fc.Arbitrary<CodeCase> = fc
  .tuple(
    widths,
    fc.integer({ min: 0, max: 9 }),
    fc.integer(),
    fc.constantFrom('random', 'high', 'low', 'mixed'),
  )
  .map(([width, count, seed, kind]) => {
    const max = queryCodeMax(width);
    let state = seed | 1;
    const next = (limit: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      const sign = state & 0x10000 ? 1 : -1;
      if (kind === 'high') return limit;
      if (kind === 'low') return -limit;
      return kind === 'mixed' ? sign * limit : sign * ((state >>> 8) % (limit + 1));
    };
    const rows = Int8Array.from({ length: width * count }, () => next(127));
    return { width, rows, query: Int16Array.from({ length: width }, () => next(max)) };
  });

describe('scans of codes', () => {
  test('a run gives the dots of the oracle', () => {
    fc.assert(
      fc.property(codeCases, ({ width, rows, query }) => {
        const count = rows.length / width;
        const kernel = new Kernel(width * 2 + rows.length + count * 4);
        new Int16Array(kernel.buffer, 0, width).set(query);
        new Int8Array(kernel.buffer, width * 2, rows.length).set(rows);
        const out = width * 2 + rows.length;
        kernel.calls.scanRun(width * 2, count, width, 0, out);
        const expected = new Int32Array(count);
        scanRun(rows, 0, count, width, query, expected);
        expect(new Int32Array(kernel.buffer, out, count)).toEqual(expected);
      }),
    );
  });

  test('a list gives the dots of the oracle, in the order of the list, repetitions included', () => {
    const cases = fc.tuple(codeCases, fc.array(fc.nat(), { maxLength: 9 }));
    fc.assert(
      fc.property(cases, ([{ width, rows, query }, picks]) => {
        const count = rows.length / width;
        const slots = Uint32Array.from(count === 0 ? [] : picks, (pick) => pick % count);
        const list = width * 2 + rows.length;
        const out = list + slots.byteLength;
        const kernel = new Kernel(out + slots.length * 4);
        new Int16Array(kernel.buffer, 0, width).set(query);
        new Int8Array(kernel.buffer, width * 2, rows.length).set(rows);
        new Uint32Array(kernel.buffer, list, slots.length).set(slots);
        kernel.calls.scanList(width * 2, list, slots.length, width, 0, out);
        const expected = new Int32Array(slots.length);
        scanList(rows, 0, slots, width, query, expected);
        expect(new Int32Array(kernel.buffer, out, slots.length)).toEqual(expected);
      }),
    );
  });

  test('writes nothing beyond the dots asked for', () => {
    const kernel = new Kernel(4096);
    const bytes = new Uint8Array(kernel.buffer);
    bytes.fill(7);
    kernel.calls.scanRun(1024, 3, 16, 0, 512);
    expect(bytes.subarray(524, 1024).every((byte) => byte === 7)).toBe(true);
  });
});

/**
 * Finite float32 values of every size, with the ends of the range and zeros of both signs more often than
 * chance.
 */
const floats = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    0,
    -0,
    1.401298464324817e-45,
    -1e-40,
    3.4028234663852886e38,
    -3.4028234663852886e38,
    1,
    1e-20,
  ),
);
const vectorPairs = fc
  .oneof({ weight: 9, arbitrary: fc.nat(600) }, { weight: 1, arbitrary: fc.constantFrom(4097, 16_384) })
  .chain((length) => {
    const vector = fc.array(floats, { minLength: Math.min(length, 64), maxLength: Math.min(length, 64) });
    // Long vectors repeat a short drawn one with a shift, since drawing 16,384 numbers a case would take
    // minutes.
    const stretch = (part: number[], step: number): Float32Array =>
      Float32Array.from({ length }, (_, i) => part[(i * step) % part.length]!);
    return fc.tuple(vector, vector).map(([a, b]) => [stretch(a, 1), stretch(b, 3)] as const);
  });

/** Runs a kernel over two vectors padded with zeros to a multiple of eight. */
function onKernel(name: 'dot' | 'squaredL2', left: Float32Array, right: Float32Array): number {
  const width = Math.ceil(left.length / 8) * 8;
  const kernel = new Kernel(width * 8 + 1);
  new Float32Array(kernel.buffer, 0, width).set(left);
  new Float32Array(kernel.buffer, width * 4, width).set(right);
  return kernel.calls[name](0, width * 4, width);
}

/** Runs a kernel over many rows with one query, all padded with zeros to a multiple of eight. */
function onRows(
  name: 'dotRows' | 'squaredL2Rows',
  rows: readonly Float32Array[],
  places: Uint32Array,
  query: Float32Array,
): Float32Array {
  const width = Math.ceil(query.length / 8) * 8;
  const listAt = 4 * width;
  const outAt = listAt + 4 * places.length;
  const rowsAt = Math.ceil((outAt + 4 * places.length) / 16) * 16;
  const kernel = new Kernel(rowsAt + 4 * width * rows.length + 1);
  const floats = new Float32Array(kernel.buffer);
  floats.set(query);
  new Uint32Array(kernel.buffer, listAt, places.length).set(places);
  rows.forEach((row, i) => {
    floats.set(row, rowsAt / 4 + i * width);
  });
  kernel.calls[name](rowsAt, listAt, places.length, width, 0, outAt);
  return floats.slice(outAt / 4, outAt / 4 + places.length);
}

/** The same with four queries; the sums of each query follow those of the one before. */
function onRowsOfFour(
  name: 'dotRowsOfFour' | 'squaredL2RowsOfFour',
  rows: readonly Float32Array[],
  places: Uint32Array,
  queries: readonly Float32Array[],
): Float32Array {
  const width = Math.ceil(queries[0]!.length / 8) * 8;
  const listAt = 16 * width;
  const outAt = listAt + 4 * places.length;
  const rowsAt = Math.ceil((outAt + 16 * places.length) / 16) * 16;
  const kernel = new Kernel(rowsAt + 4 * width * rows.length + 1);
  const floats = new Float32Array(kernel.buffer);
  queries.forEach((query, i) => {
    floats.set(query, i * width);
  });
  new Uint32Array(kernel.buffer, listAt, places.length).set(places);
  rows.forEach((row, i) => {
    floats.set(row, rowsAt / 4 + i * width);
  });
  kernel.calls[name](rowsAt, listAt, places.length, width, 0, outAt);
  return floats.slice(outAt / 4, outAt / 4 + 4 * places.length);
}

describe('sums of many rows in float32', () => {
  const ROUNDING = 2 ** -24;
  const LEAST = 2 ** -149;

  /**
   * How far a sum of terms, whose absolute values are `total` in all, may be off by the promise of a kernel
   * that adds it up in so many parts.
   */
  function boundOf(total: number, length: number, parts: number): number {
    const width = Math.ceil(length / 8) * 8;
    const roundings = (Math.ceil(width / parts) + 6) * ROUNDING;
    // As in the source's reference; and what vanishes is off by a least float each.
    return (roundings / (1 - roundings)) * total + width * LEAST;
  }

  const scales = fc.constantFrom(1, 1, 1e-3, 1e15, 1e-15, 1e18, 1e-22, 1e-40);
  const cases = fc
    .record({
      length: fc.oneof(
        { weight: 20, arbitrary: fc.integer({ min: 1, max: 200 }) },
        { weight: 1, arbitrary: fc.constantFrom(1536, 4097, 16_384) },
      ),
      count: fc.integer({ min: 0, max: 40 }),
      seed: fc.integer(),
      rowScale: scales,
      queryScale: scales,
      kind: fc.constantFrom('mixed', 'positive', 'near the query'),
    })
    .map(({ length, count, seed, rowScale, queryScale, kind }) => {
      const chance = seededNumbers(seed);
      const draw = (scale: number): Float32Array =>
        Float32Array.from({ length }, () => scale * (kind === 'positive' ? chance() : 2 * chance() - 1));
      const query = draw(queryScale);
      const near = (): Float32Array => query.map((x) => x * (1 + 1e-6 * chance()));
      const rowCount = length > 1_000 ? 3 : 12;
      const rows = Array.from({ length: rowCount }, () =>
        kind === 'near the query' ? near() : draw(rowScale),
      );
      return {
        rows,
        query,
        places: Uint32Array.from({ length: count }, () => Math.floor(chance() * rowCount)),
      };
    });

  const terms = {
    dot: (x: number, y: number) => x * y,
    squaredL2: (x: number, y: number) => (x - y) ** 2,
  };

  /** Checks sums of the listed rows with one query. */
  function check(
    sums: Float32Array,
    term: (x: number, y: number) => number,
    { rows, places }: { rows: readonly Float32Array[]; places: Uint32Array },
    query: Float32Array,
    parts: number,
  ): void {
    expect(sums.length).toBe(places.length);
    places.forEach((place, i) => {
      let sum = 0;
      let total = 0;
      query.forEach((x, d) => {
        const value = term(x, rows[place]![d]!);
        sum += value;
        total += Math.abs(value);
      });
      // What overflows float32 is promised nothing.
      if (total > 1e38) return;
      expect(Math.abs(sums[i]! - sum)).toBeLessThanOrEqual(boundOf(total, query.length, parts));
    });
  }

  test.each(['dot', 'squaredL2'] as const)(
    '%sRows is as near to the sum in float64 as it promises',
    (name) => {
      fc.assert(
        fc.property(cases, (drawn) => {
          const sums = onRows(`${name}Rows`, drawn.rows, drawn.places, drawn.query);
          check(sums, terms[name], drawn, drawn.query, 16);
        }),
        { numRuns: 400 },
      );
    },
  );

  test.each(['dot', 'squaredL2'] as const)('%sRowsOfFour is as near, for each query', (name) => {
    fc.assert(
      fc.property(cases, ({ rows, query, places }) => {
        const even = places.subarray(0, places.length & ~1);
        const queries = [query, rows[0]!, query.map((x) => -x / 3), rows.at(-1)!];
        const sums = onRowsOfFour(`${name}RowsOfFour`, rows, even, queries);
        queries.forEach((each, i) => {
          const own = sums.subarray(i * even.length, (i + 1) * even.length);
          check(own, terms[name], { rows, places: even }, each, 4);
        });
      }),
      { numRuns: 400 },
    );
  });

  test('a sum that overflows is infinite or no number, and no other row is the worse for it', () => {
    const huge = new Float32Array(16).fill(3e38);
    const mixed = huge.map((x, i) => (i % 2 === 0 ? x : -x));
    const rows = [new Float32Array(16).fill(1), huge, mixed];
    const places = Uint32Array.of(0, 1, 2, 0);
    const dots = onRows('dotRows', rows, places, new Float32Array(16).fill(2));
    expect([dots[0], dots[3]]).toEqual([32, 32]);
    expect(Number.isFinite(dots[1]) || Number.isFinite(dots[2])).toBe(false);
    const squares = onRows('squaredL2Rows', rows, places, new Float32Array(16).fill(2));
    expect([...squares]).toEqual([16, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 16]);
  });
});

describe('sums over floats', () => {
  test.each([
    ['dot', dot],
    ['squaredL2', squaredL2],
  ] as const)('%s gives the bits of the oracle', (name, oracle) => {
    fc.assert(
      fc.property(vectorPairs, ([left, right]) => {
        expect(onKernel(name, left, right)).toBe(oracle(left, right));
      }),
    );
  });

  test('the oracles agree with a plain loop to within the rounding of float64', () => {
    fc.assert(
      fc.property(vectorPairs, ([left, right]) => {
        let plainDot = 0;
        let plainL2 = 0;
        let magnitude = 0;
        for (let i = 0; i < left.length; i++) {
          plainDot += left[i]! * right[i]!;
          plainL2 += (left[i]! - right[i]!) ** 2;
          magnitude += Math.abs(left[i]! * right[i]!);
        }
        expect(Math.abs(dot(left, right) - plainDot)).toBeLessThanOrEqual(1e-11 * magnitude);
        expect(Math.abs(squaredL2(left, right) - plainL2)).toBeLessThanOrEqual(1e-11 * plainL2);
      }),
    );
  });

  test('the largest and smallest float32 values neither overflow nor vanish', () => {
    const largest = new Float32Array(16_384).fill(3.4028234663852886e38);
    const smallest = new Float32Array(9).fill(1.401298464324817e-45);
    expect(onKernel('dot', largest, largest)).toBeCloseTo(16_384 * 3.4028234663852886e38 ** 2, -70);
    expect(
      Number.isFinite(
        onKernel(
          'squaredL2',
          largest,
          largest.map((x) => -x),
        ),
      ),
    ).toBe(true);
    expect(onKernel('dot', smallest, smallest)).toBeGreaterThan(0);
  });
});

describe('codes of vectors', () => {
  test('are those of the oracle, with the bits of its scale and residual', () => {
    const levels = fc.constantFrom(127, 1032, 32_767);
    fc.assert(
      fc.property(vectorPairs, levels, ([vector], count) => {
        const width = Math.ceil(vector.length / 8) * 8;
        const isWide = count > 127 ? 1 : 0;
        const kernel = new Kernel(16 + width * 6);
        new Float32Array(kernel.buffer, 16, width).set(vector);
        kernel.calls.quantise(16, width, count, 16 + 4 * width, isWide, 0);
        const CodeArray = isWide ? Int16Array : Int8Array;
        const expected = new CodeArray(width);
        const factors = quantise(vector, count, expected);
        expect(new CodeArray(kernel.buffer, 16 + 4 * width, width)).toEqual(expected);
        expect([...new Float64Array(kernel.buffer, 0, 2)]).toEqual([factors.scale, factors.residual]);
      }),
    );
  });
});

describe('the memory', () => {
  test('each build imports one memory and exports the kernels, nothing else', () => {
    const builds = [KERNEL_MODULE_BASE64, RELAXED_KERNEL_MODULE_BASE64];
    const modules = builds
      .map((text) => Buffer.from(text, 'base64'))
      .filter((bytes) => wasm.validate(bytes))
      .map((bytes) => new wasm.Module(bytes));
    expect(modules.length).toBeGreaterThanOrEqual(1);
    for (const module of modules) {
      expect(wasm.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
      const names = wasm.Module.exports(module).map(({ name }) => name);
      expect(names.sort()).toEqual(Object.keys(new Kernel(1).calls).sort());
    }
    expect(Object.keys(new Kernel(1).calls).sort()).toEqual([
      'addScaled',
      'dot',
      'dotRows',
      'dotRowsOfFour',
      'encodeEntry',
      'listNearest',
      'loadRows',
      'makeTable',
      'meansOfHalves',
      'moveEntry',
      'nearestCells',
      'project',
      'projectBetween',
      'quantise',
      'rotate',
      'scanList',
      'scanRun',
      'searchCells',
      'squaredL2',
      'squaredL2Rows',
      'squaredL2RowsOfFour',
      'sumBlock',
    ]);
  });

  test('grows in place, keeps its bytes, and tells whether it grew', () => {
    const kernel = new Kernel(1);
    new Uint8Array(kernel.buffer)[5] = 99;
    expect(kernel.reserve(65_536)).toBe(false);
    expect(kernel.reserve(65_537)).toBe(true);
    expect(kernel.buffer.byteLength).toBe(131_072);
    expect(new Uint8Array(kernel.buffer)[5]).toBe(99);
  });

  test('refuses to grow beyond 32-bit addresses and stays usable', () => {
    const kernel = new Kernel(1);
    expect(() => kernel.reserve(2 ** 32)).toThrow(DatabaseError);
    expect(kernel.buffer.byteLength).toBe(65_536);
    expect(() => new Kernel(2 ** 33)).toThrow(/4 GiB/);
  });
});
