/**
 * One WebAssembly memory and the kernels that work on it.
 *
 * The module is compiled once per thread and instantiated once per memory. Each index owns a memory of its
 * own, so that closing the index frees it and no allocator of ours stands between indexes; growing happens
 * in place, since V8 reserves the address space beforehand, and costs no copy. After `reserve` has grown
 * the memory, typed arrays made from the old `buffer` have length 0: whoever holds views makes them anew.
 */
import { assert, DatabaseError } from '../base/index.ts';
import { KERNEL_MODULE_BASE64 } from './module.generated.ts';

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
  /** Searches the cells as the request at `request` says; `sums` is scratch of 80 bytes. */
  searchCells(request: number, sums: number): void;
  /** Which of `count` cells, all or those listed (u32), has the centre nearest to the codes of a vector. */
  nearestCell(
    codes: number,
    facts: number,
    list: number,
    count: number,
    width: number,
    query: number,
    queryScale: number,
    dots: number,
  ): number;
  /** Dots (f32) of `count` consecutive rows of `width` floats with `direction`. */
  project(rows: number, count: number, width: number, direction: number, out: number): void;
  /** target += scale · row, over `width` floats. */
  addScaled(target: number, row: number, width: number, scale: number): void;
  /** Σ left·right over `width` floats, in float64. */
  dot(left: number, right: number, width: number): number;
  /** Σ (left − right)² over `width` floats, in float64. */
  squaredL2(left: number, right: number, width: number): number;
}

/** What we use of WebAssembly; the compiler's library for Node does not declare it. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WasmMemory;
}
const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

const PAGE_BYTES = 65_536;
/**
 * One page less than 32-bit addresses reach, so that the address just past a row never wraps round to 0.
 */
const PAGES_MAX = 65_535;

let compiled: object | undefined;

/** A memory with the kernels bound to it. */
export class Kernel {
  readonly calls: KernelCalls;
  readonly #memory: WasmMemory;

  /** Takes at least `byteCount` bytes at once. Errors: as `reserve`. */
  constructor(byteCount: number) {
    compiled ??= new wasm.Module(Buffer.from(KERNEL_MODULE_BASE64, 'base64'));
    const pages = pagesFor(byteCount);
    try {
      this.#memory = new wasm.Memory({ initial: pages, maximum: PAGES_MAX });
    } catch (cause) {
      throw outOfMemory(byteCount, cause);
    }
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
   * Errors: `TESSERA_LIMIT_EXCEEDED` beyond 4 GiB or when the system gives no more memory.
   */
  reserve(byteCount: number): boolean {
    const missing = pagesFor(byteCount) - this.#memory.buffer.byteLength / PAGE_BYTES;
    if (missing <= 0) return false;
    try {
      this.#memory.grow(missing);
    } catch (cause) {
      throw outOfMemory(byteCount, cause);
    }
    return true;
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
