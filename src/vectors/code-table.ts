/**
 * The 8-bit codes of all rows, where the kernels can reach them, and the scratch places of a search.
 *
 *   offset                    field
 *   0                         query codes     i16 × width
 *   2·width                   query floats    f32 × width
 *   6·width                   row floats      f32 × width   the row that is coded
 *   10·width                  dots            i32 × BATCH
 *   10·width + 4·BATCH        list of slots   u32 × BATCH
 *   10·width + 8·BATCH        factors         f64 × 2       scale and residual norm of the last coded vector
 *   10·width + 8·BATCH + 16   codes           i8 × width for slot 0, then slot 1, …
 *
 * `width` is the dimension rounded up to a multiple of 16 and what lies beyond the dimension stays zero,
 * which changes no sum. Every offset is therefore a multiple of 16.
 */
import { assert } from '../base/index.ts';
import { Kernel, RESERVED_SHARE } from '../kernel/index.ts';

/**
 * Rows per call of a kernel: enough to make the call cheap, few enough for the dots to stay in the
 * first-level cache.
 */
export const BATCH = 1024;

const ROW_LEVELS = 127;

/** A query as the codes see it. */
export interface QuantisedQuery {
  readonly scale: number;
  readonly residual: number;
}

/** Codes and factors by slot. A search is `loadQuery` and then scans; nothing else may come between. */
export class CodeTable {
  readonly #dimension: number;
  readonly #width: number;
  readonly #queryLevels: number;
  readonly #kernel: Kernel;
  readonly #codesAt: number;
  #queryFloats!: Float32Array;
  #rowFloats!: Float32Array;
  #dots!: Int32Array;
  #list!: Uint32Array;
  #lastFactors!: Float64Array;
  #factors = new Float64Array(0);
  /** Slots that there is room for. */
  #count = 0;

  constructor(dimension: number) {
    this.#dimension = dimension;
    this.#width = Math.ceil(dimension / 16) * 16;
    // The sum of `dimension` products of codes must stay below 2^31.
    this.#queryLevels = Math.min(32_767, Math.floor((2 ** 31 - 1) / (ROW_LEVELS * dimension)));
    this.#codesAt = 10 * this.#width + 8 * BATCH + 16;
    this.#kernel = new Kernel(this.#codesAt + this.#width);
    this.#bindViews();
  }

  /** Bytes that are in use; more are reserved. */
  get bytes(): number {
    return this.#codesAt + this.#count * this.#width + this.#factors.byteLength;
  }

  /** Scale and residual norm of slot i at 2i and 2i + 1. Replaced by `reserve`. */
  get factors(): Float64Array {
    return this.#factors;
  }

  /** The dots of the last scan. Replaced by `reserve`, as `list`. */
  get dots(): Int32Array {
    return this.#dots;
  }

  /** Where the caller of `scanList` writes up to `BATCH` slots. */
  get list(): Uint32Array {
    return this.#list;
  }

  /** Makes room for the slots below `count`. Errors: `TESSERA_LIMIT_EXCEEDED`, with nothing changed. */
  reserve(count: number): void {
    const needed = this.#codesAt + count * this.#width;
    if (this.#kernel.reserve(needed, needed * (1 + RESERVED_SHARE))) this.#bindViews();
    this.#count = Math.max(this.#count, count);
    if (this.#factors.length < 2 * count) {
      const grown = new Float64Array(Math.max(2 * count, Math.ceil(this.#factors.length * 1.5)));
      grown.set(this.#factors);
      this.#factors = grown;
    }
  }

  /**
   * Encodes `row` for a reserved slot. The factors are those of the row divided by `divisor`: its norm
   * where the codes stand for the normalised row (the codes themselves are the same), else 1.
   */
  set(slot: number, row: Float32Array, divisor: number): void {
    const width = this.#width;
    this.#rowFloats.set(row);
    this.#quantise(this.#rowFloats, ROW_LEVELS, this.#codesAt + slot * width, 0);
    const size = divisor === 0 ? 1 : divisor;
    this.#factors[2 * slot] = this.#lastFactors[0]! / size;
    this.#factors[2 * slot + 1] = this.#lastFactors[1]! / size;
  }

  /** Puts a query where the kernels find it. */
  loadQuery(query: Float32Array): QuantisedQuery {
    this.#queryFloats.set(query);
    this.#quantise(this.#queryFloats, this.#queryLevels, 0, 1);
    return { scale: this.#lastFactors[0]!, residual: this.#lastFactors[1]! };
  }

  /** Dots of the query with the codes of `count` slots from `first` on, at most `BATCH`. */
  scanRun(first: number, count: number): void {
    assert(count <= BATCH, 'A run of slots is longer than a batch.');
    const width = this.#width;
    this.#kernel.calls.scanRun(this.#codesAt + first * width, count, width, 0, this.#dots.byteOffset);
  }

  /** Dots of the query with the codes of the first `count` slots of `list`. */
  scanList(count: number): void {
    assert(count <= BATCH, 'A list of slots is longer than a batch.');
    const listAt = this.#list.byteOffset;
    this.#kernel.calls.scanList(this.#codesAt, listAt, count, this.#width, 0, this.#dots.byteOffset);
  }

  /** Codes of a vector, padded with zeros, i16 if `isWide`, else i8; their factors to `#lastFactors`. */
  #quantise(vector: Float32Array, levels: number, codesAt: number, isWide: 0 | 1): void {
    const { byteOffset } = vector;
    const out = this.#lastFactors.byteOffset;
    this.#kernel.calls.quantise(byteOffset, this.#width, levels, codesAt, isWide, out);
  }

  #bindViews(): void {
    const buffer = this.#kernel.buffer;
    const width = this.#width;
    this.#queryFloats = new Float32Array(buffer, 2 * width, this.#dimension);
    this.#rowFloats = new Float32Array(buffer, 6 * width, this.#dimension);
    this.#dots = new Int32Array(buffer, 10 * width, BATCH);
    this.#list = new Uint32Array(buffer, 10 * width + 4 * BATCH, BATCH);
    this.#lastFactors = new Float64Array(buffer, this.#codesAt - 16, 2);
  }
}
