/**
 * The memory of a table of cells: views, blocks and regions (drawn in cell-layout.ts), and the part of the
 * kernels' request that says where everything is.
 *
 * It belongs to one table and grows in small steps, since WebAssembly memory cannot shrink: blocks that were
 * given back are used first.
 */
import { DatabaseError } from '../base/index.ts';
import { Kernel, type KernelCalls, RESERVED_SHARE } from '../kernel/index.ts';
import {
  blockBytesFor,
  CANDIDATES_MAX,
  type CellPlace,
  ENTRIES,
  FACT_BYTES,
  FIELD,
  type FixedPlace,
  layOutCells,
  layOutFixed,
} from './cell-layout.ts';
import { CENTRE_DOUBT, ESTIMATE_DEVIATION } from './effort.ts';
import type { Rotation } from './rotation.ts';

/** Codes of centres lie between plus and minus this. */
export const CENTRE_LEVELS = 127;
/** Says that there is no block. */
export const NO_BLOCK = 0xffffffff;
const FIRST_CELLS = 32;

/** Blocks that follow one another and serve as one. */
interface Region {
  readonly first: number;
  readonly blocks: number;
}

/** See the top of this file. Addresses are in bytes; `floats`, `words` and `bytes` are the whole memory. */
export class CellMemory {
  readonly rotation: Rotation;
  readonly calls: KernelCalls;
  readonly blockBytes: number;
  readonly at: Readonly<Record<FixedPlace, number>>;
  /** Replaced, as the next three, whenever the memory grows. */
  floats!: Float32Array;
  words!: Uint32Array;
  bytes!: Uint8Array;
  /** Where the places of the cells are by now. */
  cells!: Readonly<Record<CellPlace, number>>;
  cellCapacity = 0;
  readonly #kernel: Kernel;
  #blockCount = 0;
  readonly #freeBlocks: number[] = [];
  #cellRegion: Region = { first: 0, blocks: 0 };
  #maskRegion: Region = { first: 0, blocks: 0 };
  #marksRegion: Region = { first: 0, blocks: 0 };
  /** Words of the mask there is room for, and where. */
  maskCapacity = 0;

  constructor(rotation: Rotation) {
    const { width } = rotation;
    this.rotation = rotation;
    this.blockBytes = blockBytesFor(width);
    this.at = layOutFixed(rotation);
    this.#kernel = new Kernel(this.at.blocks);
    this.calls = this.#kernel.calls;
    this.#bind();
    this.floats.set(rotation.factors, this.at.factors / 4);
    this.#describe();
    this.reserveCells(FIRST_CELLS);
  }

  get width(): number {
    return this.rotation.width;
  }

  /** One more than the largest number of a block. */
  get blockCount(): number {
    return this.#blockCount;
  }

  /** Bytes that are in use; more are reserved. */
  get byteCount(): number {
    return this.blockAt(this.#blockCount);
  }

  /** Where the mask is. */
  get mask(): number {
    return this.blockAt(this.#maskRegion.first);
  }

  /** Where the marks are, once `reserveMarks` has made room for them. */
  get marks(): number {
    return this.blockAt(this.#marksRegion.first);
  }

  /** A view of `width` floats. */
  vector(address: number): Float32Array {
    return new Float32Array(this.floats.buffer, address, this.width);
  }

  blockAt(block: number): number {
    return this.at.blocks + block * this.blockBytes;
  }

  /** A block of any contents. Errors: `TESSERA_LIMIT_EXCEEDED`, with nothing changed. */
  takeBlock(): number {
    return this.#freeBlocks.pop() ?? this.#append(1);
  }

  giveBlock(block: number): void {
    this.#freeBlocks.push(block);
  }

  /** Makes room for so many blocks more, in one step. Errors: `TESSERA_LIMIT_EXCEEDED`. */
  reserveBlocks(count: number): void {
    this.#reserve(this.#blockCount + count);
  }

  /** Makes room for so many cells. Errors: `TESSERA_LIMIT_EXCEEDED`, with nothing changed. */
  reserveCells(count: number): void {
    if (count <= this.cellCapacity) return;
    const roomy = Math.max(count, this.cellCapacity * 1.25);
    const capacity = Math.ceil(roomy / ENTRIES) * ENTRIES;
    const places = layOutCells(this.width, capacity);
    const region = this.#appendRegion(places.end);
    const from = this.cells;
    const had = this.cellCapacity;
    const start = this.blockAt(region.first);
    const cells = {} as Record<CellPlace, number>;
    for (const [name, offset] of Object.entries(places)) cells[name as CellPlace] = start + offset;
    if (had > 0) {
      this.bytes.copyWithin(cells.facts, from.facts, from.facts + FACT_BYTES * had);
      this.bytes.copyWithin(cells.centreBlocks, from.centreBlocks, from.codes);
      this.bytes.copyWithin(cells.codes, from.codes, from.codes + this.width * had);
      this.bytes.copyWithin(cells.centres, from.centres, from.end);
    }
    this.#release(this.#cellRegion);
    this.#cellRegion = region;
    this.cells = cells;
    this.cellCapacity = capacity;
    const { words } = this;
    const base = this.at.request / 4;
    for (const name of ['facts', 'codes', 'hopes', 'list', 'dots', 'heap'] as const) {
      words[base + FIELD[name]] = cells[name];
    }
    words[base + FIELD.centres] = cells.centreBlocks;
  }

  /** Makes room for a mask of so many words. Errors: `TESSERA_LIMIT_EXCEEDED`, with nothing changed. */
  reserveMask(wordCount: number): void {
    if (wordCount <= this.maskCapacity) return;
    const capacity = Math.ceil((wordCount * 1.25) / ENTRIES) * ENTRIES;
    const region = this.#appendRegion(4 * capacity);
    this.#release(this.#maskRegion);
    this.#maskRegion = region;
    this.maskCapacity = capacity;
  }

  /** Makes room for marks of so many words; false where there is no memory for them. */
  reserveMarks(wordCount: number): boolean {
    const bytes = 4 * wordCount;
    if (bytes <= this.#marksRegion.blocks * this.blockBytes) return true;
    try {
      const region = this.#appendRegion(Math.ceil(bytes * 1.25));
      this.#release(this.#marksRegion);
      this.#marksRegion = region;
      return true;
    } catch (error) {
      if (error instanceof DatabaseError && error.code === 'TESSERA_LIMIT_EXCEEDED') return false;
      throw error;
    }
  }

  /** Writes what of the request never changes. */
  #describe(): void {
    const { words, floats, at, width } = this;
    const base = at.request / 4;
    words[base + FIELD.width] = width;
    words[base + FIELD.blockBytes] = this.blockBytes;
    words[base + FIELD.capacity] = CANDIDATES_MAX;
    for (const name of ['blocks', 'queryCodes', 'table', 'sums', 'best', 'candidates'] as const) {
      words[base + FIELD[name]] = at[name];
    }
    // The sum over all groups of four dimensions has to fit into 16 bits, that of all products into 31.
    floats[base + FIELD.tableLevels] = Math.min(31, Math.floor(65_535 / (width / 4)));
    floats[base + FIELD.queryLevels] = Math.min(32_767, Math.floor((2 ** 31 - 1) / (CENTRE_LEVELS * width)));
    floats[base + FIELD.centreDoubt] = (CENTRE_DOUBT * ESTIMATE_DEVIATION) / Math.sqrt(width);
  }

  #reserve(blockCount: number): void {
    const needed = this.blockAt(blockCount);
    const roomy = needed + this.#blockCount * this.blockBytes * RESERVED_SHARE;
    if (this.#kernel.reserve(needed, roomy)) this.#bind();
  }

  #append(count: number): number {
    this.#reserve(this.#blockCount + count);
    const first = this.#blockCount;
    this.#blockCount += count;
    return first;
  }

  #appendRegion(byteCount: number): Region {
    const blocks = Math.ceil(byteCount / this.blockBytes);
    return { first: this.#append(blocks), blocks };
  }

  #release({ first, blocks }: Region): void {
    for (let i = blocks - 1; i >= 0; i--) this.#freeBlocks.push(first + i);
  }

  #bind(): void {
    const { buffer } = this.#kernel;
    this.floats = new Float32Array(buffer);
    this.words = new Uint32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }
}
