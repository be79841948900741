/**
 * The encoder's kernels on one memory that threads share: the weights of a model lie in it once, and every
 * thread has a part of its own for what it computes.
 *
 * The memory is made by whoever loads the model and handed to the other threads, each of which binds the
 * kernels to it anew. Pages that nobody has written to cost address space and nothing else.
 */
import { assert, DatabaseError } from '../base/index.ts';
import { ENCODER_MODULE_BASE64 } from './encoder.generated.ts';
import { PAGE_BYTES, type WasmMemory, wasm } from './wasm.ts';

/** What `multiply` does with a product: set it, set it with 0 for what is negative, or add it. */
export const MULTIPLY_MODES = { set: 0, rectify: 1, add: 2 } as const;

/**
 * The functions of the module. Positions are in bytes, sizes in floats; see assembly/encoder/ for contracts.
 */
export interface EncoderCalls {
  /**
   * out = rows · weights + bias, for `count` rows (a multiple of 4) of `width` floats. The weights lie in
   * panels of 8 columns (`packRow`); `mode` is one of `MULTIPLY_MODES`.
   */
  multiply(
    rows: number,
    count: number,
    width: number,
    weights: number,
    columns: number,
    bias: number,
    out: number,
    mode: number,
  ): void;
  /**
   * out = (row − mean) / √(variance + epsilon) · scale + bias, for `count` rows of a multiple of 16 floats.
   */
  normaliseRows(
    rows: number,
    count: number,
    width: number,
    scale: number,
    bias: number,
    epsilon: number,
    out: number,
  ): void;
  /**
   * Attention among `count` rows of queries, keys and values in `heads` heads of `width` floats, a multiple
   * of 32. `scores` is room for `count` floats, rounded up to a multiple of 4.
   */
  attend(
    rows: number,
    count: number,
    heads: number,
    width: number,
    scale: number,
    scores: number,
    out: number,
  ): void;
}

/**
 * A shared memory declares the most it may have; `SHARED_MEMORY` of scripts/build-kernels.mjs is the same.
 */
const PAGES_MAX = 4096;

/** Columns in a panel of weights; those of assembly/encoder/multiply.ts. */
const PANEL_COLUMNS = 8;

/** A memory that can be handed to other threads. */
export type SharedMemory = WasmMemory<SharedArrayBuffer>;

let compiled: object | undefined;

/** A shared memory with the encoder's kernels bound to it. */
export class EncoderKernel {
  readonly memory: SharedMemory;
  readonly calls: EncoderCalls;

  constructor(memory: SharedMemory) {
    compiled ??= new wasm.Module(Buffer.from(ENCODER_MODULE_BASE64, 'base64'));
    this.memory = memory;
    this.calls = new wasm.Instance(compiled, { env: { memory: this.memory } }).exports as EncoderCalls;
  }

  /** `length` floats at a position. */
  floats(at: number, length: number): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.memory.buffer, at, length);
  }
}

/** A memory of at least so many bytes. Errors: `TESSERA_LIMIT_EXCEEDED` when the system has none for it. */
export function makeSharedMemory(byteCount: number): SharedMemory {
  const initial = Math.ceil(byteCount / PAGE_BYTES);
  try {
    return new wasm.Memory({ initial, maximum: PAGES_MAX, shared: true });
  } catch (cause) {
    throw outOfMemory(byteCount, cause);
  }
}

function outOfMemory(byteCount: number, cause: unknown): DatabaseError {
  const message = `Expected memory for ${byteCount} bytes of an embedding model, got none. \
Use fewer threads or give the process more memory.`;
  return new DatabaseError('TESSERA_LIMIT_EXCEEDED', message, { details: { byteCount }, cause });
}

/**
 * Brings one row of a matrix of `width` rows into its place in panels of 8 columns; `panels` is the whole
 * matrix in that form.
 */
export function packRow(row: Float32Array, index: number, width: number, panels: Float32Array): void {
  assert(row.length % PANEL_COLUMNS === 0 && panels.length === width * row.length, 'No matrix of that form.');
  for (let column = 0; column < row.length; column += PANEL_COLUMNS) {
    const at = column * width + index * PANEL_COLUMNS;
    for (let i = 0; i < PANEL_COLUMNS; i++) panels[at + i] = row[column + i]!;
  }
}
