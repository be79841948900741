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
 * The centres themselves are coded in the same way, with the origin as their centre, so that the cells that
 * are near to a vector are found without multiplying it with every centre (kernel/assembly/centres.ts).
 *
 * A cell's blocks are a list from the newest on; only the newest may be partly filled, and places without an
 * entry have the base −∞, which no threshold lets pass. So entries are dense and a removal frees its space.
 */
import { assert } from '../base/index.ts';
import { CANDIDATES_MAX, centreBlockBytesFor, ENTRIES, FACT_BYTES, FIELD } from './cell-layout.ts';
import { CellMarks } from './cell-marks.ts';
import { CENTRE_LEVELS, CellMemory, NO_BLOCK } from './cell-memory.ts';
import type { CellSketch } from './cell-outline.ts';
import type { CellRequest } from './cell-request.ts';
import { CellRows } from './cell-rows.ts';
import type { Rotation } from './rotation.ts';

/** What a search in cells found; `slots` is overwritten by the next search. */
export interface CellCandidates {
  readonly slots: Uint32Array;
  readonly count: number;
  readonly visited: number;
  readonly scanned: number;
  /** Cells that the search came to and whose entries were not read: it is to be made again when they are. */
  readonly unread: readonly number[];
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
  /** Rows under work; the row that `add` adds is one of them. */
  readonly rows: CellRows;
  /**
   * Cells whose entries or centre have changed, and those made or given back, since the owner cleared it.
   */
  readonly changed: Set<number> = new Set();
  /** The row of `rows` that `add` adds. */
  current = 0;
  readonly #dimension: number;
  readonly #isCentred: boolean;
  readonly #memory: CellMemory;
  readonly #request: number;
  readonly #candidateSlots = new Uint32Array(CANDIDATES_MAX);
  #cellCount = 0;
  readonly #freeCells: number[] = [];
  readonly #marks: CellMarks;
  /** A block of no cell, to compare entries in. */
  #scratchBlock: number | undefined;
  /** Sum of ‖r‖² over the entries of each cell, as far as known. */
  #spreads = new Float64Array(0);

  /** `isCentred`: whether queries are moved by the mean as rows are (l2 and cosine), or not (ip). */
  constructor(dimension: number, rotation: Rotation, isCentred: boolean) {
    this.#dimension = dimension;
    this.#isCentred = isCentred;
    this.#memory = new CellMemory(rotation);
    this.#marks = new CellMarks(this.#memory);
    this.#request = this.#memory.at.request / 4;
    this.rows = new CellRows(dimension, this.#memory);
  }

  /** One more than the largest number of a cell. */
  get cellCount(): number {
    return this.#cellCount;
  }

  /** Cells in use. */
  get liveCellCount(): number {
    return this.#cellCount - this.#freeCells.length;
  }

  /** Bytes held. */
  get bytes(): number {
    return (
      this.#memory.byteCount + this.#marks.bytes + this.#spreads.byteLength + this.#candidateSlots.byteLength
    );
  }

  get width(): number {
    return this.#memory.width;
  }

  /** Where `search` wants the query, unrotated. */
  get query(): Float32Array {
    const { floats, at } = this.#memory;
    return new Float32Array(floats.buffer, at.query, this.#dimension);
  }

  /** The mean of the rows, rotated: what all rows are moved by before anything else. */
  get mean(): Float32Array {
    return this.#memory.vector(this.#memory.at.mean);
  }

  /** A cell without its entries; the centre is a view. */
  sketchOf(cell: number): CellSketch {
    const [centre, spread, count] = [this.centreOf(cell), this.#spreads[cell]!, this.countOf(cell)];
    return { cell, centre, spread, count };
  }

  /** The centre of a cell, rotated and moved. */
  centreOf(cell: number): Float32Array {
    return this.#memory.vector(this.#centreAt(cell));
  }

  countOf(cell: number): number {
    return this.#memory.words[this.#factAt(cell) + 5]!;
  }

  /** Mean squared distance of the cell's entries from its centre, as far as known. */
  spreadOf(cell: number): number {
    const radius = this.#memory.floats[this.#factAt(cell) + 3]!;
    return radius * radius;
  }

  /** Makes an empty cell with `centre`, rotated and moved. Errors: `TESSERA_LIMIT_EXCEEDED`. */
  createCell(centre: Float32Array): number {
    const cell = this.#freeCells.pop() ?? this.#appendCell();
    const { words } = this.#memory;
    const fact = this.#factAt(cell);
    words[fact + 4] = NO_BLOCK;
    words[fact + 5] = 0;
    this.#setCentre(cell, centre);
    this.changed.add(cell);
    return cell;
  }

  /** Gives the number of an empty cell back. */
  freeCell(cell: number): void {
    assert(this.countOf(cell) === 0, 'A cell with entries cannot be given back.');
    const { floats } = this.#memory;
    floats[this.#factAt(cell) + 1] = Number.NaN;
    // No score is lower: neither a search nor a row comes here.
    this.#setCentreFactors(cell, Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0);
    this.#freeCells.push(cell);
    this.changed.add(cell);
  }

  isFree(cell: number): boolean {
    return Number.isNaN(this.#memory.floats[this.#factAt(cell) + 1]!);
  }

  /**
   * Adds the current row to a cell as an entry for `slot`; returns the entry. `own` as at the top. Errors:
   * `TESSERA_LIMIT_EXCEEDED`, with nothing changed.
   */
  add(cell: number, slot: number, own: number): number {
    const count = this.countOf(cell);
    const lane = count % ENTRIES;
    if (lane === 0) this.#prependBlock(cell, this.#memory.takeBlock());
    const { floats, words, at, calls } = this.#memory;
    const fact = this.#factAt(cell);
    const block = words[fact + 4]!;
    const row = this.rows.addressOf(this.current);
    calls.encodeEntry(row, this.#centreAt(cell), this.width, this.#memory.blockAt(block), lane, at.out);
    const out = at.out / 4;
    const squared = floats[out + 1]!;
    const slope = slopeOf(floats[out]!, squared);
    const place = this.#factorsAt(block) + lane;
    floats[place] = floats[out + 3]! - slope * floats[out + 2]! + own;
    floats[place + ENTRIES] = slope;
    words[place + 2 * ENTRIES] = slot;
    words[fact + 5] = count + 1;
    this.#marks.forget();
    this.#spreads[cell]! += squared;
    this.#noteSpread(cell);
    this.changed.add(cell);
    return block * ENTRIES + lane;
  }

  /**
   * Removes an entry. The last entry of the cell takes its place: the slot of that one is returned, which
   * is the removed entry's own slot if it was the last.
   */
  remove(cell: number, entry: number): number {
    const memory = this.#memory;
    const { floats, words } = memory;
    const fact = this.#factAt(cell);
    const count = words[fact + 5]!;
    const block = Math.floor(entry / ENTRIES);
    const lane = entry % ENTRIES;
    const lastBlock = words[fact + 4]!;
    const lastLane = (count - 1) % ENTRIES;
    const lastAt = this.#factorsAt(lastBlock) + lastLane;
    const moved = words[lastAt + 2 * ENTRIES]!;
    if (block !== lastBlock || lane !== lastLane) {
      memory.calls.moveEntry(memory.blockAt(lastBlock), lastLane, memory.blockAt(block), lane, this.width);
    }
    floats[lastAt] = Number.NEGATIVE_INFINITY;
    this.#spreads[cell]! *= (count - 1) / count;
    words[fact + 5] = count - 1;
    this.#marks.forget();
    if (lastLane === 0) {
      words[fact + 4] = words[this.#nextAt(lastBlock)]!;
      memory.giveBlock(lastBlock);
    }
    this.changed.add(cell);
    return moved;
  }

  /**
   * Whether an entry is that of row `current` of `rows`. Components next to nothing may have another sign
   * where the row was rotated by other instructions.
   */
  agrees(cell: number, entry: number): boolean {
    this.#scratchBlock ??= this.#memory.takeBlock();
    const { at, calls, bytes } = this.#memory;
    const scratch = this.#memory.blockAt(this.#scratchBlock);
    const row = this.rows.addressOf(this.current);
    calls.encodeEntry(row, this.#centreAt(cell), this.width, scratch, 0, at.out);
    const block = Math.floor(entry / ENTRIES);
    calls.moveEntry(this.#memory.blockAt(block), entry % ENTRIES, scratch, 1, this.width);
    let differing = 0;
    for (let i = scratch; i < scratch + 4 * this.width; i += 16) {
      for (let bits = (bytes[i]! ^ bytes[i + 1]!) & 15; bits !== 0; bits &= bits - 1) differing++;
    }
    return differing <= Math.max(1, this.width / 64);
  }

  /** Gives the slot of every entry the number that `slotOf` has for it. */
  renumber(slotOf: Int32Array): void {
    const { words } = this.#memory;
    this.#marks.forget();
    for (let cell = 0; cell < this.#cellCount; cell++) {
      let rest = this.countOf(cell);
      for (const block of this.#blocksOf(cell)) {
        const at = this.#factorsAt(block) + 2 * ENTRIES;
        const end = at + Math.min(ENTRIES, rest);
        for (let i = at; i < end; i++) words[i] = slotOf[words[i]!]!;
        rest -= ENTRIES;
      }
    }
  }

  /** The entry that would take the place of a removed one. */
  lastEntryOf(cell: number): number {
    const { words } = this.#memory;
    const fact = this.#factAt(cell);
    return words[fact + 4]! * ENTRIES + ((words[fact + 5]! - 1) % ENTRIES);
  }

  /** Copies of a cell's entries, in the order of `slotsOf`. */
  entriesOf(cell: number): CellEntries & { readonly slots: Uint32Array } {
    const { floats, words, bytes } = this.#memory;
    const count = this.countOf(cell);
    const codeBytes = 4 * this.width;
    const base = new Float32Array(count);
    const slope = new Float32Array(count);
    const slots = new Uint32Array(count);
    const codes = new Uint8Array(codeBytes * Math.ceil(count / ENTRIES));
    this.#blocksOf(cell).forEach((block, i) => {
      const first = i * ENTRIES;
      const end = Math.min(ENTRIES, count - first);
      const at = this.#factorsAt(block);
      base.set(floats.subarray(at, at + end), first);
      slope.set(floats.subarray(at + ENTRIES, at + ENTRIES + end), first);
      slots.set(words.subarray(at + 2 * ENTRIES, at + 2 * ENTRIES + end), first);
      const start = this.#memory.blockAt(block);
      codes.set(bytes.subarray(start, start + codeBytes), i * codeBytes);
    });
    return { centre: this.centreOf(cell).slice(), spread: this.#spreads[cell]!, base, slope, slots, codes };
  }

  /**
   * Takes the mean, and makes room for so many cells that are to be sketched, with about so many entries, in
   * one step: a memory that grows bit by bit is looked at by the garbage collector as often. Errors:
   * `TESSERA_LIMIT_EXCEEDED`.
   */
  begin(mean: Float32Array, cellCount: number, entryCount: number): void {
    this.mean.set(mean);
    this.#memory.reserveCells(cellCount);
    this.#memory.reserveBlocks(cellCount + Math.ceil(entryCount / ENTRIES));
  }

  /**
   * Makes a cell with a given number, not in use, whose entries `readEntries` gives it later: a search that
   * comes to it says so in `CellCandidates.unread`. Errors: `TESSERA_LIMIT_EXCEEDED`.
   */
  sketchCell({ cell, centre, spread, count }: CellSketch): void {
    while (this.#cellCount <= cell) this.freeCell(this.#appendCell());
    this.#freeCells.splice(this.#freeCells.lastIndexOf(cell), 1);
    this.#setCentre(cell, centre);
    this.#setCount(cell, count, spread);
    this.changed.delete(cell);
  }

  /** Says how many entries of a cell that is not read yet are still meant. */
  resizeSketch(cell: number, count: number): void {
    const share = count / Math.max(1, this.countOf(cell));
    this.#setCount(cell, count, this.#spreads[cell]! * share);
  }

  /**
   * Gives a cell that was sketched its entries, as `entriesOf` gave them but for the slots, which
   * `nameEntries` gives them. Errors: `TESSERA_LIMIT_EXCEEDED`, with the cell as it was.
   */
  readEntries(cell: number, { base, slope, codes, spread }: CellEntries): void {
    const codeBytes = 4 * this.width;
    const count = base.length;
    const blocks = Array.from({ length: Math.ceil(count / ENTRIES) }, () => this.#memory.takeBlock());
    const { floats, bytes } = this.#memory;
    blocks.forEach((block, i) => {
      const first = i * ENTRIES;
      const end = Math.min(count, first + ENTRIES);
      this.#prependBlock(cell, block, end - first);
      const at = this.#factorsAt(block);
      floats.set(base.subarray(first, end), at);
      floats.set(slope.subarray(first, end), at + ENTRIES);
      bytes.set(codes.subarray(i * codeBytes, (i + 1) * codeBytes), this.#memory.blockAt(block));
    });
    this.#setCount(cell, count, spread);
  }

  /** Says of a cell that was sketched that it has no entries any more. */
  loseEntries(cell: number): void {
    this.#setCount(cell, 0, 0);
    this.changed.add(cell);
  }

  /** Gives all entries of a cell that was just read their slots. Returns them in the order of `slots`. */
  nameEntries(cell: number, slots: Uint32Array): Uint32Array {
    const { words } = this.#memory;
    this.#marks.forget();
    const entries = new Uint32Array(slots.length);
    this.#blocksOf(cell).forEach((block, i) => {
      const first = i * ENTRIES;
      const end = Math.min(slots.length, first + ENTRIES);
      words.set(slots.subarray(first, end), this.#factorsAt(block) + 2 * ENTRIES);
      for (let j = first; j < end; j++) entries[j] = block * ENTRIES + j - first;
    });
    return entries;
  }

  /** Slots of a cell's entries, the last one last; with the entries themselves in `entries` if given. */
  slotsOf(cell: number, entries?: number[]): number[] {
    const { words } = this.#memory;
    const slots: number[] = [];
    const count = this.countOf(cell);
    for (const block of this.#blocksOf(cell)) {
      const at = this.#factorsAt(block) + 2 * ENTRIES;
      for (let lane = 0; lane < ENTRIES && slots.length < count; lane++) {
        slots.push(words[at + lane]!);
        entries?.push(block * ENTRIES + lane);
      }
    }
    return slots;
  }

  /**
   * The `count` cells whose centres are nearest to that of `cell`, from the nearest on: itself, and others.
   */
  neighboursOf(cell: number, count: number): Uint32Array {
    const { calls, at, cells, floats, words } = this.#memory;
    const listed = calls.listNearest(at.request, this.#centreAt(cell), count);
    const scores = floats.subarray(cells.hopes / 4, cells.hopes / 4 + listed);
    const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, count);
    return Uint32Array.from(order, (i) => words[cells.list / 4 + i]!);
  }

  /** Makes room in the mask for the slots below `slotCount`. */
  reserveMask(slotCount: number): void {
    this.#memory.reserveMask(Math.ceil(slotCount / ENTRIES));
  }

  /** Candidates for the `k` best scores for the query in `query`, which is multiplied by `scale`. */
  search(request: CellRequest, scale: number): CellCandidates {
    const { k, mask, places } = request;
    if (mask !== undefined) this.#marks.load(mask);
    // Listing may make the memory grow, which replaces its views.
    const isListed = mask !== undefined && places !== undefined;
    const hasLists = isListed && this.#marks.list(mask, places, this.#cellCount);
    const { at, calls, floats, words, width, rotation } = this.#memory;
    if (this.#dimension < width) this.#memory.vector(at.query).fill(0, this.#dimension);
    calls.rotate(at.query, at.factors, width, rotation.span, rotation.rounds, scale);
    if (this.#isCentred) calls.addScaled(at.query, at.mean, width, -1);
    const fields = this.#request;
    words[fields + FIELD.mask] = mask === undefined ? 0 : this.#memory.mask;
    words[fields + FIELD.hasLists] = hasLists ? 1 : 0;
    words[fields + FIELD.k] = k;
    floats[fields + FIELD.slack] = request.slack;
    floats[fields + FIELD.doubt] = request.doubt;
    floats[fields + FIELD.spread] = request.spread;
    floats[fields + FIELD.reach] = request.reach;
    calls.searchCells(at.request, at.query);
    const count = words[fields + FIELD.candidateCount]!;
    const pairs = at.candidates / 4;
    for (let i = 0; i < count; i++) this.#candidateSlots[i] = words[pairs + 2 * i + 1]!;
    const visited = words[fields + FIELD.visited]!;
    const unread = words[fields + FIELD.unread] === 0 ? [] : this.#takeUnread();
    return { slots: this.#candidateSlots, count, visited, scanned: words[fields + FIELD.scanned]!, unread };
  }

  /** The cells that the last search has marked, whose marks are taken away. */
  #takeUnread(): number[] {
    const { words } = this.#memory;
    const unread: number[] = [];
    for (let cell = 0; cell < this.#cellCount; cell++) {
      const mark = this.#factAt(cell) + 7;
      if (words[mark] === 1) unread.push(cell);
      words[mark] = 0;
    }
    return unread;
  }

  /** Writes a cell's centre in every form. The cell has no entries. */
  #setCentre(cell: number, centre: Float32Array): void {
    const memory = this.#memory;
    const { at, calls, floats, width } = memory;
    const address = this.#centreAt(cell);
    floats.set(centre, address / 4);
    calls.quantise(address, width, CENTRE_LEVELS, memory.cells.codes + cell * width, 0, at.out);
    const scale = new Float64Array(floats.buffer, at.out, 1)[0]!;
    const block = this.#centreBlockAt(cell);
    calls.encodeEntry(address, at.origin, width, block, cell % ENTRIES, at.out);
    const squared = floats[at.out / 4 + 1]!;
    const slope = slopeOf(floats[at.out / 4]!, squared);
    const half = -squared / 2;
    const base = this.#isCentred ? half : 0;
    this.#setCentreFactors(cell, base, slope, half, Math.sqrt(squared));
    const fact = this.#factAt(cell);
    floats[fact] = scale;
    floats[fact + 1] = squared;
    floats[fact + 2] = base;
    this.#spreads[cell] = 0;
    this.#noteSpread(cell);
  }

  #setCentreFactors(cell: number, base: number, slope: number, near: number, norm: number): void {
    const { floats } = this.#memory;
    const place = this.#centreBlockAt(cell) / 4 + this.width + (cell % ENTRIES);
    floats[place] = base;
    floats[place + ENTRIES] = slope;
    floats[place + 2 * ENTRIES] = near;
    floats[place + 3 * ENTRIES] = norm;
  }

  /** The blocks of a cell, the newest last. */
  #blocksOf(cell: number): number[] {
    const { words } = this.#memory;
    const blocks: number[] = [];
    let block = words[this.#factAt(cell) + 4]!;
    for (let rest = this.countOf(cell); rest > 0; rest -= ENTRIES) {
      blocks.push(block);
      block = words[this.#nextAt(block)]!;
    }
    return blocks.reverse();
  }

  #setCount(cell: number, count: number, spread: number): void {
    this.#memory.words[this.#factAt(cell) + 5] = count;
    this.#marks.forget();
    this.#spreads[cell] = spread;
    this.#noteSpread(cell);
  }

  #noteSpread(cell: number): void {
    const { floats, words } = this.#memory;
    const fact = this.#factAt(cell);
    floats[fact + 3] = Math.sqrt(this.#spreads[cell]! / Math.max(1, words[fact + 5]!));
  }

  /** Gives a cell a new block; of its places all but the first `taken` are marked as empty. */
  #prependBlock(cell: number, block: number, taken = 0): void {
    const { floats, words } = this.#memory;
    const fact = this.#factAt(cell);
    const factors = this.#factorsAt(block);
    if (taken < ENTRIES) {
      floats.fill(Number.NEGATIVE_INFINITY, factors + taken, factors + ENTRIES);
      floats.fill(0, factors + ENTRIES + taken, factors + 2 * ENTRIES);
    }
    words[this.#nextAt(block)] = words[fact + 4]!;
    words[fact + 4] = block;
  }

  #appendCell(): number {
    const cell = this.#cellCount;
    this.#memory.reserveCells(cell + 1);
    const { words, cellCapacity } = this.#memory;
    if (this.#spreads.length < cellCapacity) {
      const grown = new Float64Array(cellCapacity);
      grown.set(this.#spreads);
      this.#spreads = grown;
    }
    const fact = this.#factAt(cell);
    words[fact + 4] = NO_BLOCK;
    words[fact + 5] = 0;
    words[fact + 6] = 0;
    words[fact + 7] = 0;
    if (cell % ENTRIES === 0) this.#clearCentreBlock(cell);
    words[this.#request + FIELD.cellCount] = ++this.#cellCount;
    return cell;
  }

  /** Says of a block of centres that there are no cells. */
  #clearCentreBlock(first: number): void {
    const { bytes } = this.#memory;
    const start = this.#centreBlockAt(first);
    bytes.fill(0, start, start + 4 * this.width);
    for (let cell = first; cell < first + ENTRIES; cell++) {
      this.#setCentreFactors(cell, Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0);
    }
  }

  /** Places in words. */
  #factAt(cell: number): number {
    return (this.#memory.cells.facts + cell * FACT_BYTES) / 4;
  }

  #factorsAt(block: number): number {
    return this.#memory.blockAt(block) / 4 + this.width;
  }

  #nextAt(block: number): number {
    return this.#factorsAt(block) + 3 * ENTRIES;
  }

  /** Places in bytes. */
  #centreAt(cell: number): number {
    return this.#memory.cells.centres + 4 * this.width * cell;
  }

  #centreBlockAt(cell: number): number {
    const { cells, width } = this.#memory;
    return cells.centreBlocks + Math.floor(cell / ENTRIES) * centreBlockBytesFor(width);
  }
}

/** f of the estimate, from Σ|r| and Σr². */
function slopeOf(size: number, squared: number): number {
  return size > 0 ? squared / size : 0;
}
