/**
 * Writes the cells of a vector index behind, into the collection's file: slice by slice, only what changed.
 *
 * Once the index is far enough ahead of what is kept, the cells changed since then are added, some at a time,
 * each slice in a transaction of its own that gives way to whoever holds the write lock; then the outline of
 * all cells, a quarter as many bytes, from which an opener begins. The last slice replaces the header and
 * with it the position, and then the superseded cells are removed. Until the header is replaced, the former
 * one with all its cells stands; so a process may be killed at any moment.
 *
 * No slice waits for the disk: what is kept can be made anew, and losing the latest of it costs a little
 * time at the next opening.
 */
import { DatabaseError } from '../base/index.ts';
import type { RecordStore } from '../records/index.ts';
import {
  type BeginLoading,
  type CellPlace,
  type CellReader,
  CellStore,
  type CellsDirectory,
  type ClusteredIndex,
  type ClusteredTuning,
  encodeCentres,
  encodeRows,
  type KeptCells,
  PART_ROWS,
  partCells,
  widthFor,
} from '../vectors/index.ts';
import type { SlotRows } from './slot-rows.ts';

/** Constants that change how often cells are kept. */
export interface KeeperTuning {
  /** Cells are kept once this many changes, and this share of the records, have passed since. */
  readonly lagMin: number;
  readonly lagShare: number;
}

/** Constants of the vector index and of how it is kept. */
export interface IndexTuning {
  readonly cells?: Partial<ClusteredTuning>;
  readonly keeper?: Partial<KeeperTuning>;
}

/**
 * What is not kept is made anew after opening: 4,096 rows take about 0.1 s in the background, a sixteenth of
 * a million 2 s. Keeping a cell for one changed row writes all of it, about 15 KB.
 */
const TUNING: KeeperTuning = { lagMin: 4096, lagShare: 1 / 16 };
/** While there are rows to be taken in, cells are kept this many times as rarely: they would change again. */
const BUSY_FACTOR = 8;

/** Cells are not kept before they hold this share of the rows: most of them would change again. */
const OUTSIDE_SHARE_MAX = 0.5;

/** Bytes of cells that one slice writes: about a millisecond. */
const SLICE_BYTES = 262_144;

/** Cells that are being written, and what they will stand for. */
interface Saving {
  readonly position: number;
  /** Set when the header is written. */
  measuredCount: number;
  readonly queue: number[];
  readonly places: Map<number, CellPlace>;
  /** What is left of the outline, its parts so far, and the rows that they name. */
  readonly outline: Generator<OutlinePart, undefined>;
  readonly parts: CellPlace[];
  rowCount: number;
  readonly outsideRows: Float64Array;
  readonly outsideChecksums: Uint32Array;
}

/** A part of the outline, and the rows that it names. */
interface OutlinePart {
  readonly bytes: Uint8Array;
  readonly rowCount: number;
}

/** What a slice needs to know of the index. */
export interface KeptIndex {
  readonly vectors: ClusteredIndex;
  readonly slots: SlotRows;
  /** The position that the index stands for. */
  readonly position: number;
  /** Whether it has rows to take in. */
  readonly isBusy: boolean;
}

/** See the top of this file. */
export class CellKeeper {
  readonly #store: RecordStore;
  readonly #cells: CellStore;
  readonly #width: number;
  readonly #tuning: KeeperTuning;
  /** The header that `#places` is of; `undefined` where this index does not go on from what is kept. */
  #serial: number | undefined;
  #places = new Map<number, CellPlace>();
  #position = 0;
  /** Measurements of the recall that the index had made when it was kept. */
  #measuredCount = 0;
  /** Rows that are in no kept cell. */
  #outsideCount = 0;
  /** Rows that the index has not found in the kept cells. */
  #lostCount = 0;
  #saving: Saving | undefined;
  #garbage: number[] = [];
  /** Whether the pages of the tables are damaged, so that no more is tried. */
  #isBarred = false;
  #ignoresKept: boolean;

  /** `ignoresKept`: whether what is kept was found to be wrong, and is to be replaced. */
  constructor(
    store: RecordStore,
    dimension: number,
    tuning: Partial<KeeperTuning> = {},
    ignoresKept: boolean = false,
  ) {
    this.#store = store;
    this.#cells = new CellStore(store.database);
    this.#width = widthFor(dimension);
    this.#tuning = { ...TUNING, ...tuning };
    this.#ignoresKept = ignoresKept;
  }

  /** Whether what is kept is wrong and was not replaced yet. */
  get ignoresKept(): boolean {
    return this.#ignoresKept;
  }

  /** Position that the kept cells stand for, as far as is known here; 0 where there are none. */
  get position(): number {
    return this.#position;
  }

  /** What reads the cells of a directory that `load` gave. Every call belongs inside a transaction. */
  reader({ places }: CellsDirectory): CellReader {
    return (cell, take) => {
      const place = places.get(cell);
      if (place === undefined) take(undefined);
      else this.#cells.read(place, this.#width, take);
    };
  }

  /**
   * The kept cells, if they can be believed, as `CellStore.load`; those that a header names and that cannot
   * are to be replaced. Belongs inside a transaction.
   */
  load(begin: BeginLoading): KeptCells | undefined {
    const kept = this.#cells.load(this.#width, begin);
    if (kept === undefined) {
      this.#ignoresKept = this.#cells.status(this.#width).position > 0;
      return undefined;
    }
    this.#serial = kept.serial;
    this.#places = new Map(kept.directory.places);
    this.#position = kept.directory.position;
    this.#outsideCount = kept.directory.outsideRows.length;
    return kept;
  }

  /**
   * Does one slice, if one is due or `isForced`; returns whether it did. Must not be called inside a
   * transaction. Where another connection holds the write lock, nothing is done, unless `isForced`, which
   * waits for it as writes do; nor where the pages to write to are damaged, since the index itself wants for
   * nothing. Other errors: those of SQLite.
   */
  step(index: KeptIndex, isForced: boolean): boolean {
    if (this.#isBarred) return false;
    try {
      return this.#step(index, isForced);
    } catch (error) {
      // What the slice noted of the file is undone there.
      this.#abandon(index.vectors);
      if (!(error instanceof DatabaseError) || error.code !== 'TESSERA_CORRUPT') throw error;
      this.#isBarred = true;
      return false;
    }
  }

  #step(index: KeptIndex, isForced: boolean): boolean {
    if (this.#saving === undefined) {
      if (this.#garbage.length > 0) return this.#sweep();
      if (!this.#isDue(index, isForced)) return false;
      this.#begin(index);
    }
    return this.#write(this.#saving!, index, isForced);
  }

  /** Gives up what is being written. */
  #abandon(vectors: ClusteredIndex): void {
    if (this.#saving === undefined) return;
    this.#saving = undefined;
    this.#serial = undefined;
    vectors.endSaving(false);
  }

  #isDue(index: KeptIndex, isForced: boolean): boolean {
    if (index.vectors.lostCount !== this.#lostCount) {
      // Who opens the file next is not to miss them as well.
      this.#lostCount = index.vectors.lostCount;
      this.#position = 0;
    }
    if (!index.vectors.isSavable || !this.#isLate(index, isForced)) return false;
    if (this.#ignoresKept) return true;
    // Another process may have kept its cells meanwhile, which serve as well.
    const status = this.#store.read(() => this.#cells.status(this.#width));
    if (status.serial === this.#serial) return true;
    this.#serial = undefined;
    this.#position = Math.min(status.position, index.position);
    this.#outsideCount = status.outsideCount;
    this.#measuredCount = index.vectors.measuredCount;
    return this.#isLate(index, isForced);
  }

  /** Whether what is kept is too far behind: by changes, or by rows that cells have taken in since. */
  #isLate({ vectors, position, isBusy }: KeptIndex, isForced: boolean): boolean {
    const absorbed = Math.max(0, this.#outsideCount - vectors.outsideCount);
    const behind = position - this.#position + absorbed;
    // Opened with the recall of former rows, an index would look for the present ones with too little effort.
    const isMeasured = !isBusy && vectors.measuredCount !== this.#measuredCount;
    if (isForced) return isMeasured || behind > 0 || this.#position === 0;
    const { lagMin, lagShare } = this.#tuning;
    const enough = Math.max(lagMin, vectors.liveCount * lagShare) * (isBusy ? BUSY_FACTOR : 1);
    return (isMeasured || behind >= enough) && vectors.outsideCount <= vectors.liveCount * OUTSIDE_SHARE_MAX;
  }

  #begin({ vectors, slots, position }: KeptIndex): void {
    const isContinued = this.#serial !== undefined;
    if (!isContinued) vectors.endSaving(false);
    const { changed, outside } = vectors.beginSaving();
    const places = isContinued ? new Map(this.#places) : new Map<number, CellPlace>();
    this.#saving = {
      position,
      measuredCount: vectors.measuredCount,
      queue: changed,
      places,
      outline: outlineOf(places, vectors, slots, this.#width),
      parts: [],
      rowCount: 0,
      outsideRows: Float64Array.from(outside, (slot) => slots.rowAt(slot)),
      outsideChecksums: Uint32Array.from(outside, (slot) => slots.checksumAt(slot)),
    };
  }

  #write(saving: Saving, { vectors, slots }: KeptIndex, waits: boolean): boolean {
    let isOvertaken = false;
    let isWhole = false;
    const slice = (): void => {
      this.#serial ??= this.#cells.takeOver();
      isOvertaken = this.#cells.serial() !== this.#serial;
      if (isOvertaken) return;
      const written = this.#addCells(saving, vectors, slots);
      isWhole = this.#addOutline(saving, written);
      if (!isWhole) return;
      const { header } = vectors;
      const { position, places, parts, rowCount, outsideRows, outsideChecksums } = saving;
      const directory = { ...header!, position, places, parts, rowCount, outsideRows, outsideChecksums };
      saving.measuredCount = vectors.measuredCount;
      this.#serial = this.#cells.commit(this.#serial, directory);
      // Who began before this commit has no say any more, so whatever is not named now is garbage.
      const named = new Set([...places.values(), ...parts].map(({ id }) => id));
      this.#garbage = this.#cells.ids().filter((id) => !named.has(id));
    };
    const done = this.#writeBehind(slice, waits);
    if (isOvertaken) this.#abandon(vectors);
    if (!done || isOvertaken) return false;
    if (!isWhole) return true;
    this.#saving = undefined;
    this.#ignoresKept = false;
    this.#places = saving.places;
    this.#position = saving.position;
    this.#measuredCount = saving.measuredCount;
    this.#outsideCount = saving.outsideRows.length;
    vectors.endSaving(true);
    return true;
  }

  /** Whether it was done; a lock that is not given up in time is no fault of the index. */
  #writeBehind(slice: () => void, waits: boolean): boolean {
    try {
      return this.#store.writeBehind(slice, waits);
    } catch (error) {
      if (error instanceof DatabaseError && error.code === 'TESSERA_BUSY') return false;
      throw error;
    }
  }

  /** Returns how many bytes it has written. */
  #addCells({ queue, places }: Saving, vectors: ClusteredIndex, slots: SlotRows): number {
    let written = 0;
    while (queue.length > 0 && written < SLICE_BYTES) {
      const cell = queue.pop()!;
      const bytes = vectors.encodeCell(
        cell,
        (slot) => slots.rowAt(slot),
        (slot) => slots.checksumAt(slot),
      );
      if (bytes === undefined) {
        places.delete(cell);
        continue;
      }
      places.set(cell, this.#cells.add(bytes));
      written += bytes.length;
    }
    return written;
  }

  /** Goes on where `#addCells` has left off; returns whether all is written. */
  #addOutline(saving: Saving, writtenBefore: number): boolean {
    for (let written = writtenBefore; written < SLICE_BYTES; ) {
      const part = saving.outline.next().value;
      if (part === undefined) return true;
      saving.parts.push(this.#cells.add(part.bytes));
      saving.rowCount += part.rowCount;
      written += part.bytes.length;
    }
    return false;
  }

  #sweep(): boolean {
    return this.#store.writeBehind(() => {
      const isOurs = this.#cells.serial() === this.#serial;
      this.#garbage = isOurs ? this.#cells.sweep(this.#garbage) : [];
    });
  }
}

/**
 * The outline of cells at `places`, part by part. Between two parts slots may get other numbers, and rows may
 * leave and enter cells; those that have entered since `beginSaving` are not named.
 */
function* outlineOf(
  places: ReadonlyMap<number, CellPlace>,
  vectors: ClusteredIndex,
  slots: SlotRows,
  width: number,
): Generator<OutlinePart, undefined> {
  const kept = [...places.keys()];
  const step = partCells(width);
  for (let first = 0; first < kept.length; first += step) {
    yield {
      bytes: encodeCentres(vectors.sketchesOf(kept.slice(first, first + step)), width),
      rowCount: 0,
    };
  }
  for (let slot = 0; slot < slots.count; ) {
    const named: number[] = [];
    let last = slots.rowAt(slot);
    for (; slot < slots.count && named.length < PART_ROWS; slot++) {
      last = slots.rowAt(slot);
      if (places.has(vectors.keptCellOf(slot))) named.push(slot);
    }
    if (named.length === 0) return undefined;
    const rows = Float64Array.from(named, (one) => slots.rowAt(one));
    const checksums = Uint32Array.from(named, (one) => slots.checksumAt(one));
    const cells = Int32Array.from(named, (one) => vectors.keptCellOf(one));
    yield { bytes: encodeRows({ rows, checksums, cells }), rowCount: named.length };
    slot = slots.firstAfter(last);
  }
  return undefined;
}

/**
 * Position that the cells in the file stand for; 0 where there are none, or their header cannot be read.
 * Belongs inside a transaction.
 */
export function keptPosition(store: RecordStore, dimension: number): number {
  return new CellStore(store.database).status(widthFor(dimension)).position;
}
