/**
 * One WebAssembly memory and the kernels that work on it.
 *
 * The module is compiled once per thread and instantiated once per memory; where the engine has relaxed
 * SIMD, it is the build that uses it. Each table of codes owns a memory of its own, so that dropping the
 * table frees it and no allocator of ours stands between tables. A memory cannot shrink: its owner asks for
 * what it needs and little more, and uses again what it has given up. Growing happens in place, since V8
 * reserves the address space beforehand, and costs no copy. After `reserve` has grown the memory, typed
 * arrays made from the old `buffer` have length 0: whoever holds views makes them anew.
 */
import { assert, DatabaseError } from '../base/index.ts';
import { KERNEL_MODULE_BASE64, RELAXED_KERNEL_MODULE_BASE64 } from './module.generated.ts';
import { PAGE_BYTES, type WasmMemory, wasm } from './wasm.ts';

/**
 * The functions of the module. Positions and sizes are in bytes unless said otherwise; see assembly/ for
 * contracts.
 */
export interface KernelCalls {
  /** Dots (i32) of `count` consecutive rows of `width` i8 codes at `rows` with the i16 codes at `query`. */
  scanRun(rows: number, count: number, width: number, query: number, out: number): void;
  /** The same for the `count` rows whose slots (u32) stand at `slots`. */
  scanList(rows: number, slots: number, count: number, width: number, query: number, out: number): void;
  /** Rotates `width` floats at `vector` in place after multiplying them by `scale`. */
  rotate(vector: number, factors: number, width: number, span: number, rounds: number, scale: number): void;
  /** Writes the bits of `vector − centre` as entry `lane` of `block`, and four sums (f32) to `out`. */
  encodeEntry(vector: number, centre: number, width: number, block: number, lane: number, out: number): void;
  /** Copies one entry over another. */
  moveEntry(from: number, fromLane: number, to: number, toLane: number, width: number): void;
  /** Makes the table of a query for `sumBlock`; writes its step and offset (f32) to `out`. */
  makeTable(query: number, width: number, levels: number, table: number, out: number): void;
  /** Adds up the table for the 32 codes (`bytes` in all) of a block: u16 × 32 to `out`. */
  sumBlock(codes: number, table: number, bytes: number, out: number): void;
  /** Searches the cells as the request at `request` says, for the rotated and moved floats at `query`. */
  searchCells(request: number, query: number): void;
  /** Lists the `k` cells nearest to a vector, and perhaps more, with their scores; returns how many. */
  listNearest(request: number, vector: number, k: number): number;
  /** Which cell's centre is nearest to each of `count` rows: of the first `listed`, or, if 0, of all. */
  nearestCells(request: number, rows: number, count: number, listed: number, out: number): void;
  /** Rotates rows, each multiplied by its scale, moves them by −mean and writes their squared norms. */
  loadRows(
    rows: number,
    count: number,
    factors: number,
    width: number,
    span: number,
    rounds: number,
    mean: number,
    scales: number,
    squares: number,
  ): void;
  /** Codes of `width` floats, i16 if `isWide`, else i8; scale and norm of the residual (f64) to `out`. */
  quantise(vector: number, width: number, levels: number, codes: number, isWide: number, out: number): void;
  /** Dots (f32) of `count` consecutive rows of `width` floats with `direction`. */
  project(rows: number, count: number, width: number, direction: number, out: number): void;
  /**
   * Writes right − left to `direction` and the dots of the rows with it to `sides`; returns the dot in the
   * middle between the two.
   */
  projectBetween(
    rows: number,
    count: number,
    width: number,
    left: number,
    right: number,
    direction: number,
    sides: number,
  ): number;
  /**
   * Writes the means of the rows whose number in `sides` is below `threshold`, and of the others, to `left`
   * and `right`; of those at the threshold every other one is left.
   */
  meansOfHalves(
    rows: number,
    count: number,
    width: number,
    sides: number,
    threshold: number,
    left: number,
    right: number,
  ): void;
  /** target += scale · row, over `width` floats. */
  addScaled(target: number, row: number, width: number, scale: number): void;
  /**
   * Σ row·query (f32) of the `count` rows of `width` floats whose places (u32) stand at `places`, place 0
   * being the row at `rows`.
   */
  dotRows(rows: number, places: number, count: number, width: number, query: number, out: number): void;
  /** Σ (row − query)² (f32) of the same. */
  squaredL2Rows(rows: number, places: number, count: number, width: number, query: number, out: number): void;
  /**
   * The same for four queries of `width` floats that follow one another, with less precision: `count`, which
   * is even, of the first query to `out`, then those of the others.
   */
  dotRowsOfFour(
    rows: number,
    places: number,
    count: number,
    width: number,
    queries: number,
    out: number,
  ): void;
  /** Σ (row − query)² (f32) of those. */
  squaredL2RowsOfFour: KernelCalls['dotRowsOfFour'];
  /** Σ left·right over `width` floats, in float64. */
  dot(left: number, right: number, width: number): number;
  /** Σ (left − right)² over `width` floats, in float64. */
  squaredL2(left: number, right: number, width: number): number;
}

/**
 * One page less than 32-bit addresses reach, so that the address just past a row never wraps round to 0.
 */
const PAGES_MAX = 65_535;

/** The share of what is needed that callers of `Kernel.reserve` have reserved besides. */
export const RESERVED_SHARE: number = 1 / 2;

let compiled: object | undefined;

/** The module for this engine. */
function compile(): object {
  const relaxed = Buffer.from(RELAXED_KERNEL_MODULE_BASE64, 'base64');
  if (wasm.validate(relaxed)) return new wasm.Module(relaxed);
  return new wasm.Module(Buffer.from(KERNEL_MODULE_BASE64, 'base64'));
}

/** A memory with the kernels bound to it. */
export class Kernel {
  readonly calls: KernelCalls;
  readonly #memory: WasmMemory;
  /** Asked of the memory, it would be a call out of the engine each time. */
  #byteLength: number;

  /** Takes at least `byteCount` bytes at once. Errors: as `reserve`. */
  constructor(byteCount: number) {
    compiled ??= compile();
    const pages = pagesFor(byteCount);
    try {
      this.#memory = new wasm.Memory({ initial: pages, maximum: PAGES_MAX });
    } catch (cause) {
      throw outOfMemory(byteCount, cause);
    }
    this.#byteLength = this.#memory.buffer.byteLength;
    this.calls = new wasm.Instance(compiled, { env: { memory: this.#memory } }).exports as KernelCalls;
  }

  /** The memory's bytes, zero until written. Stale after `reserve` returned true. */
  get buffer(): ArrayBuffer {
    return this.#memory.buffer;
  }

  /**
   * Makes the memory hold at least `byteCount` bytes; says whether it grew. Nothing has changed when it
   * throws.
   *
   * Where it has to grow, it grows to `roomy` bytes if it can: each growth costs the garbage collector a look
   * at the whole heap, while bytes that are not written to cost nothing.
   *
   * Errors: `TESSERA_LIMIT_EXCEEDED` beyond 4 GiB or when the system gives no more memory.
   */
  reserve(byteCount: number, roomy: number = byteCount): boolean {
    if (byteCount <= this.#byteLength) return false;
    const held = this.#byteLength / PAGE_BYTES;
    const missing = pagesFor(byteCount) - held;
    const wanted = Math.min(PAGES_MAX, Math.ceil(roomy / PAGE_BYTES)) - held;
    for (const pages of wanted > missing ? [wanted, missing] : [missing]) {
      try {
        this.#memory.grow(pages);
        this.#byteLength = this.#memory.buffer.byteLength;
        return true;
      } catch (cause) {
        if (pages === missing) throw outOfMemory(byteCount, cause);
      }
    }
    return false;
  }
}

function pagesFor(byteCount: number): number {
  assert(Number.isSafeInteger(byteCount) && byteCount > 0, `A memory cannot have ${byteCount} bytes.`);
  const pages = Math.ceil(byteCount / PAGE_BYTES);
  if (pages > PAGES_MAX) throw outOfMemory(byteCount, undefined);
  return pages;
}

function outOfMemory(byteCount: number, cause: unknown): DatabaseError {
  const message = `Expected memory for ${byteCount} bytes of vector codes in one collection, got none. \
One collection's codes may take 4 GiB; split the collection or give the process more memory.`;
  return new DatabaseError('TESSERA_LIMIT_EXCEEDED', message, { details: { byteCount }, cause });
}
