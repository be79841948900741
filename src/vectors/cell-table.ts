/**
 * Cells: centres and one-bit codes of the vectors nearest to each, where the kernels can reach them.
 *
 * A vector x of a cell with centre c is coded by the signs s of its residual r = x − c, all rotated, and two
 * floats. With f = ‖r‖² / Σ|r| the estimate of RaBitQ (Gao & Long, SIGMOD 2024) for any query q is
 *
 *   ⟨x, q⟩ = ⟨c, q⟩ + ⟨r, c⟩ + ⟨r, q − c⟩  ≈  ⟨c, q⟩ + base + slope·⟨s, q⟩
 *   base = ⟨r, c⟩ − f·⟨s, c⟩ + own         slope = f
 *
 * whose error has the size of ‖r‖·‖q − c‖ / √width, whatever the length of q. ⟨s, q⟩ comes from one table per
 * query, the same for all cells. `own` is what the space adds for x alone.
 *
 * A cell's blocks are a list from the newest on; only the newest may be partly filled, and places without an
 * entry have the base −∞, which no threshold lets pass. So entries are dense and a removal frees its space.
 */
import { assert } from '../base/index.ts';
import { Kernel } from '../kernel/index.ts';
import { CANDIDATES_MAX, FACT_BYTES, type Layout, layOut } from './cell-layout.ts';
import { quantise } from './quantise.ts';
import type { Rotation } from './rotation.ts';

const ENTRIES = 32;
const CENTRE_LEVELS = 127;
const NO_BLOCK = 0xffffffff;

/** What a search in cells is told. */
export interface CellRequest {
  readonly k: number;
  /** How far past the middle between the best centre and the k-th entry centres are still visited. */
  readonly slack: number;
  /** How many times its usual error an estimate is trusted to be off at most. */
  readonly doubt: number;
  /** Which slots count; all, if absent. */
  readonly mask: Uint32Array | undefined;
}

/** What a search in cells found; `slots` is overwritten by the next search. */
export interface CellCandidates {
  readonly slots: Uint32Array;
  readonly count: number;
  readonly visited: number;
  readonly scanned: number;
}

/** All that a cell consists of, but for the slots of its entries; entries of a block follow one another. */
export interface CellEntries {
  readonly centre: Float32Array;
  /** Sum of the squared residuals. */
  readonly spread: number;
  readonly base: Float32Array;
  readonly slope: Float32Array;
  /** 4 · width bytes for every 32 entries. */
  readonly codes: Uint8Array;
}

/** See the top of this file. Cells are numbered densely from 0; freed numbers are used again. */
export class CellTable {
  readonly #dimension: number;
  readonly #rotation: Rotation;
  readonly #isCentred: boolean;
  readonly #blockBytes: number;
  readonly #levels: number;
  readonly #queryLevels: number;
  readonly #kernel: Kernel;
  readonly #candidateSlots = new Uint32Array(CANDIDATES_MAX);
  readonly #quantised = new Float64Array(2);
  #layout: Layout;
  #floats!: Float32Array;
  #words!: Uint32Array;
  #cellCount = 0;
  #blockCount = 0;
  readonly #freeCells: number[] = [];
  readonly #freeBlocks: number[] = [];
  /** Sum of ‖r‖² over the entries of each cell, as far as known. */
  #spreads = new Float64Array(0);

  /** `isCentred`: whether queries are moved by the mean as rows are (l2 and cosine), or not (ip). */
  constructor(dimension: number, rotation: Rotation, isCentred: boolean) {
    this.#dimension = dimension;
    this.#rotation = rotation;
    this.#isCentred = isCentred;
    const { width } = rotation;
    this.#blockBytes = width * 4 + 12 * ENTRIES + 16;
    // The sum over all groups of four dimensions has to fit into 16 bits.
    this.#levels = Math.min(31, Math.floor(65_535 / (width / 4)));
    this.#queryLevels = Math.min(32_767, Math.floor((2 ** 31 - 1) / (CENTRE_LEVELS * width)));
    this.#layout = layOut(rotation, 64, 1024);
    this.#kernel = new Kernel(this.#layout.at.blocks);
    this.#bind();
    this.#floats.set(rotation.factors, this.#layout.at.factors / 4);
  }

  /** One more than the largest number of a cell. */
  get cellCount(): number {
    return this.#cellCount;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#kernel.buffer.byteLength + this.#spreads.byteLength + this.#candidateSlots.byteLength;
  }

  get width(): number {
    return this.#rotation.width;
  }

  /** Where `loadRow` wants the row, unrotated; what lies beyond the dimension must stay zero. */
  get row(): Float32Array {
    return this.#view('vector').subarray(0, this.#dimension);
  }

  /** Where `search` wants the query, likewise. */
  get query(): Float32Array {
    return this.#view('query').subarray(0, this.#dimension);
  }

  /** The mean of the rows, rotated: what all rows are moved by before anything else. */
  get mean(): Float32Array {
    return this.#view('mean');
  }

  /** The centre of a cell, rotated and moved. */
  centreOf(cell: number): Float32Array {
    const start = this.#layout.at.centres / 4 + cell * this.width;
    return this.#floats.subarray(start, start + this.width);
  }

  /** Row `index` of the sample. */
  sampleRow(index: number): Float32Array {
    const start = this.#layout.at.sample / 4 + index * this.width;
    return this.#floats.subarray(start, start + this.width);
  }

  /** The loaded row, rotated and moved. */
  get rotatedRow(): Float32Array {
    return this.#view('vector');
  }

  countOf(cell: number): number {
    return this.#words[this.#factAt(cell) + 5]!;
  }

  /** Mean squared distance of the cell's entries from its centre, as far as known. */
  spreadOf(cell: number): number {
    return this.#floats[this.#factAt(cell) + 3]! ** 2;
  }

  /** Rotates and moves the row that was put into `row`, after multiplying it by `scale`. */
  loadRow(scale: number): void {
    const { vector, mean } = this.#layout.at;
    this.#pad('vector');
    this.#rotate(vector, scale);
    this.#kernel.calls.addScaled(vector, mean, this.width, -1);
  }

  /** Rotates the row in `row` without moving it: what the mean is made of. */
  rotateRow(scale: number): void {
    this.#pad('vector');
    this.#rotate(this.#layout.at.vector, scale);
  }

  /** Makes an empty cell with `centre`, rotated and moved. Errors: `TESSERA_LIMIT_EXCEEDED`. */
  createCell(centre: Float32Array): number {
    const cell = this.#freeCells.pop() ?? this.#appendCell();
    const fact = this.#factAt(cell);
    this.#words[fact + 4] = NO_BLOCK;
    this.#words[fact + 5] = 0;
    this.setCentre(cell, centre);
    return cell;
  }

  /** Gives an empty cell another centre. */
  setCentre(cell: number, centre: Float32Array): void {
    assert(this.countOf(cell) === 0, 'The centre of a cell with entries cannot change.');
    const { width } = this;
    this.centreOf(cell).set(centre);
    const codes = new Int8Array(this.#kernel.buffer, this.#layout.at.codes + cell * width, width);
    quantise(this.centreOf(cell), CENTRE_LEVELS, codes, 0, this.#quantised, 0);
    let squared = 0;
    for (let i = 0; i < width; i++) squared += centre[i]! * centre[i]!;
    const fact = this.#factAt(cell);
    this.#floats[fact] = this.#quantised[0]!;
    this.#floats[fact + 1] = squared;
    this.#spreads[cell] = 0;
    this.#noteSpread(cell);
  }

  /** Gives the number of an empty cell back. */
  freeCell(cell: number): void {
    assert(this.countOf(cell) === 0, 'A cell with entries cannot be given back.');
    // Not a number: no vector is nearer to it than to another.
    this.#floats[this.#factAt(cell) + 1] = Number.NaN;
    this.#freeCells.push(cell);
  }

  isFree(cell: number): boolean {
    return Number.isNaN(this.#floats[this.#factAt(cell) + 1]!);
  }

  /**
   * Adds the loaded row to a cell as an entry for `slot`; returns the entry. `own` as at the top. Errors:
   * `TESSERA_LIMIT_EXCEEDED`, with nothing changed.
   */
  add(cell: number, slot: number, own: number): number {
    const count = this.countOf(cell);
    const lane = count % ENTRIES;
    if (lane === 0) this.#prependBlock(cell);
    const fact = this.#factAt(cell);
    const block = this.#words[fact + 4]!;
    const { vector, centres, out } = this.#layout.at;
    const centre = centres + cell * this.width * 4;
    this.#kernel.calls.encodeEntry(vector, centre, this.width, this.#blockAt(block), lane, out);
    const [size, squared, signed, product] = this.#floats.subarray(out / 4, out / 4 + 4);
    const slope = size! > 0 ? squared! / size! : 0;
    const at = this.#factorsAt(block) + lane;
    this.#floats[at] = product! - slope * signed! + own;
    this.#floats[at + ENTRIES] = slope;
    this.#words[at + 2 * ENTRIES] = slot;
    this.#words[fact + 5] = count + 1;
    this.#spreads[cell]! += squared!;
    this.#noteSpread(cell);
    return block * ENTRIES + lane;
  }

  /**
   * Removes an entry. The last entry of the cell takes its place: the slot of that one is returned, which
   * is the removed entry's own slot if it was the last.
   */
  remove(cell: number, entry: number): number {
    const fact = this.#factAt(cell);
    const count = this.#words[fact + 5]!;
    const block = Math.floor(entry / ENTRIES);
    const lane = entry % ENTRIES;
    const lastBlock = this.#words[fact + 4]!;
    const lastLane = (count - 1) % ENTRIES;
    const lastAt = this.#factorsAt(lastBlock) + lastLane;
    const moved = this.#words[lastAt + 2 * ENTRIES]!;
    if (block !== lastBlock || lane !== lastLane) {
      const { calls } = this.#kernel;
      calls.moveEntry(this.#blockAt(lastBlock), lastLane, this.#blockAt(block), lane, this.width);
    }
    this.#floats[lastAt] = Number.NEGATIVE_INFINITY;
    this.#spreads[cell]! *= (count - 1) / count;
    this.#words[fact + 5] = count - 1;
    if (lastLane === 0) {
      this.#words[fact + 4] = this.#words[this.#nextAt(lastBlock)]!;
      this.#freeBlocks.push(lastBlock);
    }
    return moved;
  }

  /** The entry that would take the place of a removed one. */
  lastEntryOf(cell: number): number {
    const fact = this.#factAt(cell);
    return this.#words[fact + 4]! * ENTRIES + ((this.#words[fact + 5]! - 1) % ENTRIES);
  }

  /** Copies of a cell's entries, the oldest first: in the order of `slotsOf` with its blocks reversed. */
  entriesOf(cell: number): CellEntries & { readonly slots: Uint32Array } {
    const count = this.countOf(cell);
    const codeBytes = 4 * this.width;
    const base = new Float32Array(count);
    const slope = new Float32Array(count);
    const slots = new Uint32Array(count);
    const codes = new Uint8Array(codeBytes * Math.ceil(count / ENTRIES));
    const memory = new Uint8Array(this.#kernel.buffer);
    const blocks = this.blocksOf(cell).reverse();
    blocks.forEach((block, i) => {
      const first = i * ENTRIES;
      const end = Math.min(ENTRIES, count - first);
      const at = this.#factorsAt(block);
      base.set(this.#floats.subarray(at, at + end), first);
      slope.set(this.#floats.subarray(at + ENTRIES, at + ENTRIES + end), first);
      slots.set(this.#words.subarray(at + 2 * ENTRIES, at + 2 * ENTRIES + end), first);
      const start = this.#blockAt(block);
      codes.set(memory.subarray(start, start + codeBytes), i * codeBytes);
    });
    return { centre: this.centreOf(cell).slice(), spread: this.#spreads[cell]!, base, slope, slots, codes };
  }

  /**
   * Makes a cell with a given number, not in use, from what `entriesOf` gave. Returns its entries in the
   * order of `slots`. Errors: `TESSERA_LIMIT_EXCEEDED`.
   */
  restoreCell(cell: number, from: CellEntries, slots: Uint32Array): number[] {
    while (this.#cellCount <= cell) this.freeCell(this.#appendCell());
    this.#freeCells.splice(this.#freeCells.indexOf(cell), 1);
    this.setCentre(cell, from.centre);
    const codeBytes = 4 * this.width;
    const entries: number[] = [];
    const fact = (): number => this.#factAt(cell);
    for (let first = 0; first < slots.length; first += ENTRIES) {
      const end = Math.min(slots.length, first + ENTRIES);
      this.#prependBlock(cell);
      const block = this.#words[fact() + 4]!;
      const at = this.#factorsAt(block);
      this.#floats.set(from.base.subarray(first, end), at);
      this.#floats.set(from.slope.subarray(first, end), at + ENTRIES);
      this.#words.set(slots.subarray(first, end), at + 2 * ENTRIES);
      const start = (first / ENTRIES) * codeBytes;
      const memory = new Uint8Array(this.#kernel.buffer);
      memory.set(from.codes.subarray(start, start + codeBytes), this.#blockAt(block));
      for (let i = first; i < end; i++) entries.push(block * ENTRIES + i - first);
    }
    this.#words[fact() + 5] = slots.length;
    this.#spreads[cell] = from.spread;
    this.#noteSpread(cell);
    return entries;
  }

  /** The blocks of a cell, from the newest on. */
  blocksOf(cell: number): number[] {
    const blocks: number[] = [];
    let block = this.#words[this.#factAt(cell) + 4]!;
    for (let rest = this.countOf(cell); rest > 0; rest -= ENTRIES) {
      blocks.push(block);
      block = this.#words[this.#nextAt(block)]!;
    }
    return blocks;
  }

  /** Slots of a cell's entries, in no order; with the entries themselves in `entries` if given. */
  slotsOf(cell: number, entries?: number[]): number[] {
    const slots: number[] = [];
    let inBlock = this.countOf(cell) % ENTRIES || ENTRIES;
    for (const block of this.blocksOf(cell)) {
      const at = this.#factorsAt(block) + 2 * ENTRIES;
      for (let lane = 0; lane < inBlock; lane++) {
        slots.push(this.#words[at + lane]!);
        entries?.push(block * ENTRIES + lane);
      }
      inBlock = ENTRIES;
    }
    return slots;
  }

  /** The cell whose centre is nearest to the loaded row; −1 if there is none. */
  nearestCell(): number {
    const { vector } = this.#layout.at;
    const nearest = this.#nearest(this.#quantise(vector), 0, this.#cellCount);
    return nearest === this.#cellCount ? -1 : nearest;
  }

  /** The same among the first `count` cells written to `list`, at least one of them in use. */
  nearestListed(count: number): number {
    const { vector, list } = this.#layout.at;
    return this.list[this.#nearest(this.#quantise(vector), list, count)]!;
  }

  /** Where the caller of `nearestListed` puts numbers of cells. */
  get list(): Uint32Array {
    return this.#words.subarray(this.#layout.at.list / 4, this.#layout.at.list / 4 + this.#cellCount);
  }

  /**
   * Fills `list` with the `count` cells nearest to the centre of `cell`, itself among them; says how many.
   */
  listNeighbours(cell: number, count: number): number {
    const { centres } = this.#layout.at;
    const scale = this.#quantise(centres + cell * this.width * 4);
    this.#nearest(scale, 0, this.#cellCount);
    const dots = new Int32Array(this.#kernel.buffer, this.#layout.at.dots, this.#cellCount);
    const near: { cell: number; distance: number }[] = [];
    for (let other = 0; other < this.#cellCount; other++) {
      if (this.isFree(other)) continue;
      const fact = this.#factAt(other);
      const dot = dots[other]! * this.#floats[fact]! * scale;
      near.push({ cell: other, distance: this.#floats[fact + 1]! - 2 * dot });
    }
    near.sort((a, b) => a.distance - b.distance);
    const listed = Math.min(count, near.length);
    for (let i = 0; i < listed; i++) this.list[i] = near[i]!.cell;
    return listed;
  }

  /** The mean of these rows of the sample; of none, zeros. Overwrites the query. */
  meanOfSample(indices: readonly number[]): Float32Array {
    const { query, sample } = this.#layout.at;
    const rowBytes = 4 * this.width;
    const mean = this.#view('query').fill(0);
    for (const i of indices) {
      this.#kernel.calls.addScaled(query, sample + i * rowBytes, this.width, 1 / indices.length);
    }
    return mean.slice();
  }

  /** Adds the loaded row to the sum that `takeSum` returns and makes zero. Overwrites the query. */
  addToSum(): void {
    const { query, vector } = this.#layout.at;
    this.#kernel.calls.addScaled(query, vector, this.width, 1);
  }

  takeSum(): Float32Array {
    const view = this.#view('query');
    const sum = view.slice();
    view.fill(0);
    return sum;
  }

  /** Dots of the first `count` rows of the sample with `direction`, valid until the next call. */
  projectSample(direction: Float32Array, count: number): Float32Array {
    const { table, sample, best } = this.#layout.at;
    this.#view('table').set(direction);
    this.#kernel.calls.project(sample, count, this.width, table, best);
    return this.#floats.subarray(best / 4, best / 4 + count);
  }

  /** Product of the loaded row with `direction`. */
  projectRow(direction: Float32Array): number {
    const { table, vector, best } = this.#layout.at;
    this.#view('table').set(direction);
    this.#kernel.calls.project(vector, 1, this.width, table, best);
    return this.#floats[best / 4]!;
  }

  /** Makes room in the mask for the slots below `slotCount`. */
  reserveMask(slotCount: number): void {
    const words = Math.ceil(slotCount / 32);
    if (words > this.#layout.maskCapacity) this.#grow(this.#layout.cellCapacity, words * 2);
  }

  /** Candidates for the `k` best scores for the query in `query`, which is multiplied by `scale`. */
  search(request: CellRequest, scale: number): CellCandidates {
    const { at } = this.#layout;
    const { calls } = this.#kernel;
    const { width } = this;
    this.#pad('query');
    this.#rotate(at.query, scale);
    if (this.#isCentred) calls.addScaled(at.query, at.mean, width, -1);
    const queryScale = this.#quantise(at.query);
    calls.makeTable(at.query, width, this.#levels, at.table, at.out);
    calls.project(at.query, 1, width, at.query, at.out + 8);
    const out = at.out / 4;
    const { k, mask } = request;
    if (mask !== undefined) this.#loadMask(mask);
    this.#words.set([
      this.#cellCount,
      width,
      at.queryCodes,
      at.codes,
      at.facts,
      at.dots,
      at.heap,
      at.blocks,
      this.#blockBytes,
      at.table,
      mask === undefined ? 0 : at.mask,
      at.best,
      k,
      at.candidates,
      CANDIDATES_MAX,
    ]);
    const floats = this.#floats;
    floats[15] = queryScale;
    floats[16] = floats[out + 2]!;
    floats[17] = floats[out]!;
    floats[18] = floats[out + 1]!;
    floats[19] = request.slack;
    floats[20] = request.doubt;
    calls.searchCells(at.request, at.sums);
    const count = this.#words[23]!;
    const pairs = at.candidates / 4;
    for (let i = 0; i < count; i++) this.#candidateSlots[i] = this.#words[pairs + 2 * i + 1]!;
    return { slots: this.#candidateSlots, count, visited: this.#words[21]!, scanned: this.#words[22]! };
  }

  #loadMask(mask: Uint32Array): void {
    const capacity = this.#layout.maskCapacity;
    const words = Math.min(capacity, mask.length);
    const start = this.#layout.at.mask / 4;
    this.#words.set(words === mask.length ? mask : mask.subarray(0, words), start);
    this.#words.fill(0, start + words, start + capacity);
  }

  /** Codes of the `width` floats at `at` as a query; returns their scale. */
  #quantise(at: number): number {
    const { width } = this;
    const codes = new Int16Array(this.#kernel.buffer, this.#layout.at.queryCodes, width);
    quantise(this.#floats.subarray(at / 4, at / 4 + width), this.#queryLevels, codes, 0, this.#quantised, 0);
    return this.#quantised[0]!;
  }

  #nearest(scale: number, list: number, count: number): number {
    const { codes, facts, queryCodes, dots } = this.#layout.at;
    return this.#kernel.calls.nearestCell(codes, facts, list, count, this.width, queryCodes, scale, dots);
  }

  #rotate(at: number, scale: number): void {
    const { width, span, rounds } = this.#rotation;
    this.#kernel.calls.rotate(at, this.#layout.at.factors, width, span, rounds, scale);
  }

  #pad(place: 'vector' | 'query'): void {
    if (this.#dimension < this.width) this.#view(place).fill(0, this.#dimension);
  }

  #noteSpread(cell: number): void {
    const fact = this.#factAt(cell);
    const spread = this.#spreads[cell]! / Math.max(1, this.#words[fact + 5]!);
    this.#floats[fact + 3] = Math.sqrt(spread);
    this.#floats[fact + 2] = this.#isCentred ? -this.#floats[fact + 1]! / 2 : 0;
  }

  #prependBlock(cell: number): void {
    const block = this.#freeBlocks.pop() ?? this.#appendBlock();
    const fact = this.#factAt(cell);
    const factors = this.#factorsAt(block);
    this.#floats.fill(Number.NEGATIVE_INFINITY, factors, factors + ENTRIES);
    this.#floats.fill(0, factors + ENTRIES, factors + 2 * ENTRIES);
    this.#words[this.#nextAt(block)] = this.#words[fact + 4]!;
    this.#words[fact + 4] = block;
  }

  #appendCell(): number {
    if (this.#cellCount === this.#layout.cellCapacity) {
      this.#grow(this.#cellCount * 2, this.#layout.maskCapacity);
    }
    const cell = this.#cellCount++;
    this.#words[this.#factAt(cell) + 4] = NO_BLOCK;
    this.#words[this.#factAt(cell) + 5] = 0;
    return cell;
  }

  #appendBlock(): number {
    this.#reserveBlocks(this.#blockCount + 1);
    return this.#blockCount++;
  }

  /** Grows by an eighth at least, since growing makes all views anew. */
  #reserveBlocks(count: number): void {
    const needed = this.#layout.at.blocks + count * this.#blockBytes;
    if (needed <= this.#kernel.buffer.byteLength) return;
    const roomy = Math.ceil(needed + count * this.#blockBytes * 0.125);
    if (this.#kernel.reserve(roomy)) this.#bind();
  }

  #factAt(cell: number): number {
    return (this.#layout.at.facts + cell * FACT_BYTES) / 4;
  }

  #blockAt(block: number): number {
    return this.#layout.at.blocks + block * this.#blockBytes;
  }

  #factorsAt(block: number): number {
    return (this.#blockAt(block) + this.width * 4) / 4;
  }

  #nextAt(block: number): number {
    return this.#factorsAt(block) + 3 * ENTRIES;
  }

  #view(place: 'vector' | 'query' | 'mean' | 'table'): Float32Array {
    const start = this.#layout.at[place] / 4;
    return this.#floats.subarray(start, start + this.width);
  }

  #bind(): void {
    const { buffer } = this.#kernel;
    this.#floats = new Float32Array(buffer);
    this.#words = new Uint32Array(buffer);
    if (this.#spreads.length < this.#layout.cellCapacity) {
      const grown = new Float64Array(this.#layout.cellCapacity);
      grown.set(this.#spreads);
      this.#spreads = grown;
    }
  }

  /** Moves everything that is not of fixed size to where it belongs with more room. */
  #grow(cellCapacity: number, maskCapacity: number): void {
    const from = this.#layout;
    const to = layOut(this.#rotation, cellCapacity, maskCapacity);
    const blockBytes = this.#blockCount * this.#blockBytes;
    this.#kernel.reserve(to.at.blocks + blockBytes);
    const bytes = new Uint8Array(this.#kernel.buffer);
    // From the last place to the first: every place moves up, into room that the ones after it have left.
    bytes.copyWithin(to.at.blocks, from.at.blocks, from.at.blocks + blockBytes);
    for (const place of ['centres', 'codes', 'facts'] as const) {
      const size = { centres: 4 * this.width, codes: this.width, facts: FACT_BYTES }[place];
      bytes.copyWithin(to.at[place], from.at[place], from.at[place] + from.cellCapacity * size);
    }
    this.#layout = to;
    this.#bind();
  }
}
