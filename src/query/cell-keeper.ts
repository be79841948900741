/**
 * Writes the cells of a vector index behind, into the collection's file: slice by slice, only what changed.
 *
 * Once the index is far enough ahead of what is kept, the cells changed since then are added, some at a time,
 * each slice in a transaction of its own that gives way to whoever holds the write lock. The last slice
 * replaces the header and with it the position, and then the superseded cells are removed. Until the header
 * is replaced, the former one with all its cells stands; so a process may be killed at any moment.
 *
 * No slice waits for the disk: what is kept can be made anew, and losing the latest of it costs a little
 * time at the next opening.
 */
import { DatabaseError } from '../base/index.ts';
import type { RecordStore } from '../records/index.ts';
import {
  type BeginLoading,
  type CellPlace,
  CellStore,
  type ClusteredIndex,
  type ClusteredTuning,
  type KeptCells,
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
  readonly outsideRows: Float64Array;
  readonly outsideChecksums: Uint32Array;
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

  /** The kept cells, if they can be believed, as `CellStore.load`. Belongs inside a transaction. */
  load(begin: BeginLoading): KeptCells | undefined {
    const kept = this.#cells.load(this.#width, begin);
    if (kept === undefined) return undefined;
    this.#serial = kept.serial;
    this.#places = new Map(kept.directory.places);
    this.#position = kept.directory.position;
    this.#outsideCount = kept.directory.outsideRows.length;
    return kept;
  }

  /**
   * Does one slice, if one is due or `isForced`; returns whether it did. Must not be called inside a
   * transaction. Where another connection holds the write lock, nothing is done; nor where the pages to write
   * to are damaged, since the index itself wants for nothing. Other errors: those of SQLite.
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
    return this.#write(this.#saving!, index);
  }

  /** Gives up what is being written. */
  #abandon(vectors: ClusteredIndex): void {
    if (this.#saving === undefined) return;
    this.#saving = undefined;
    this.#serial = undefined;
    vectors.endSaving(false);
  }

  #isDue(index: KeptIndex, isForced: boolean): boolean {
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
    this.#saving = {
      position,
      measuredCount: vectors.measuredCount,
      queue: changed,
      places: isContinued ? new Map(this.#places) : new Map(),
      outsideRows: Float64Array.from(outside, (slot) => slots.rowAt(slot)),
      outsideChecksums: Uint32Array.from(outside, (slot) => slots.checksumAt(slot)),
    };
  }

  #write(saving: Saving, { vectors, slots }: KeptIndex): boolean {
    let isOvertaken = false;
    const slice = (): void => {
      this.#serial ??= this.#cells.takeOver();
      isOvertaken = this.#cells.serial() !== this.#serial;
      if (isOvertaken) return;
      this.#addCells(saving, vectors, slots);
      if (saving.queue.length > 0) return;
      const { header } = vectors;
      const { position, places, outsideRows, outsideChecksums } = saving;
      const directory = { ...header!, position, places, outsideRows, outsideChecksums };
      saving.measuredCount = vectors.measuredCount;
      this.#serial = this.#cells.commit(this.#serial, directory);
      // Who began before this commit has no say any more, so whatever is not named now is garbage.
      const named = new Set([...places.values()].map(({ id }) => id));
      this.#garbage = this.#cells.ids().filter((id) => !named.has(id));
    };
    const done = this.#store.writeBehind(slice);
    if (isOvertaken) this.#abandon(vectors);
    if (!done || isOvertaken) return false;
    if (saving.queue.length > 0) return true;
    this.#saving = undefined;
    this.#ignoresKept = false;
    this.#places = saving.places;
    this.#position = saving.position;
    this.#measuredCount = saving.measuredCount;
    this.#outsideCount = saving.outsideRows.length;
    vectors.endSaving(true);
    return true;
  }

  #addCells({ queue, places }: Saving, vectors: ClusteredIndex, slots: SlotRows): void {
    for (let written = 0; queue.length > 0 && written < SLICE_BYTES; ) {
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
  }

  #sweep(): boolean {
    return this.#store.writeBehind(() => {
      const isOurs = this.#cells.serial() === this.#serial;
      this.#garbage = isOurs ? this.#cells.sweep(this.#garbage) : [];
    });
  }
}

/**
 * Position that the cells in the file stand for; 0 where there are none, or their header cannot be read.
 * Belongs inside a transaction.
 */
export function keptPosition(store: RecordStore, dimension: number): number {
  return new CellStore(store.database).status(widthFor(dimension)).position;
}
