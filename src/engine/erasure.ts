/**
 * What stays in files of records that are deleted, and when it goes: trigrams and cells, copies in the gaps
 * of pages (maintenance/remnants.ts), and former states of pages in write-ahead logs.
 *
 * All of it goes when a collection is settled. When nothing was called for a while, and at closing, logs are
 * emptied, and gaps are cleared where that is quickly done, or is little beside what was changed.
 */
import { DatabaseError } from '../base/index.ts';
import { erase, vacuum } from '../maintenance/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { OpenCollection, OpenCollections } from './open-collections.ts';

/** How long `settle` tries to empty write-ahead logs that others are using. */
const FOLDING_MS_MAX = 500;

/** How long closing may take for gaps: who closes waits for it, and a service manager may not wait long. */
const CLOSING_MS_MAX = 1_000;

/** Records of a collection whose gaps are cleared unasked: a pass takes a quarter of a second. */
const RECORDS_UNASKED_MAX = 20_000;

/**
 * Of more records, so many changes for each must have been made. A change writes 4 to 23 pages, the fewer the
 * more are made at once, and a pass 0.13 to 0.2 for each record (dimensions 24 to 1,536), so that passes
 * write no more than the changes did.
 */
const CHANGES_PER_RECORD = 1 / 20;

/** See the top of this file. */
export class Erasure {
  readonly #open: OpenCollections;
  readonly #catalogue: Catalogue;
  readonly #isReader: boolean;
  readonly #nowMs: () => number;
  /** Collections written to since their write-ahead logs were last emptied. */
  readonly #unfolded = new Set<string>();
  /** Collections whose gaps are being cleared between calls, and up to which change. */
  readonly #underway = new Map<string, number>();

  /** `isReader` says that another engine of this process looks after files. */
  constructor(open: OpenCollections, catalogue: Catalogue, isReader: boolean, nowMs: () => number) {
    this.#open = open;
    this.#catalogue = catalogue;
    this.#isReader = isReader;
    this.#nowMs = nowMs;
  }

  /** Takes note that a collection's file is written to. */
  note(id: string): void {
    this.#unfolded.add(id);
  }

  /** Whether former states of pages may be in write-ahead logs. */
  get isUnfolded(): boolean {
    return this.#unfolded.size > 0 || this.#catalogue.isUnfolded;
  }

  /** Leaves nothing of what is deleted by now in any file, slice by slice. */
  *settle(find: () => OpenCollection | null): Generator<void, void> {
    const goal = this.#isReader ? 0 : (find()?.remnants.goal() ?? 0);
    while (this.#settleSlice(find(), goal)) yield;
    // Others of this directory read for milliseconds; one that reads for longer is not waited for.
    const endMs = this.#nowMs() + FOLDING_MS_MAX;
    for (this.fold(); this.isUnfolded && this.#nowMs() < endMs; this.fold()) yield;
  }

  #settleSlice(collection: OpenCollection | null, goal: number): boolean {
    if (collection === null) return false;
    this.#unfolded.add(collection.id);
    if (this.#isReader) return false;
    const { store, remnants } = collection;
    return erase(store) || remnants.step(goal) || vacuum(store);
  }

  /**
   * For a moment when nothing was called for a while: empties the logs, unless gaps are to be cleared before.
   * Returns the collections for which `tidy` has something to do.
   */
  calm(): string[] {
    const due = this.#isReader ? [] : [...this.#unfolded].filter((id) => this.#begin(id));
    if (due.length === 0) this.fold();
    return due;
  }

  /** Clears some gaps of a collection, if that is under way. Returns whether more is left. */
  tidy({ id, remnants }: OpenCollection): boolean {
    const goal = this.#underway.get(id);
    if (goal === undefined) return false;
    if (remnants.step(goal)) return true;
    this.#underway.delete(id);
    return false;
  }

  /** Empties the write-ahead logs that nobody else is using. */
  fold(): void {
    try {
      for (const id of this.#unfolded) {
        const collection = this.#open.peek(id);
        if (collection === undefined || collection.store.database.foldLog()) this.#unfolded.delete(id);
      }
      this.#catalogue.fold();
    } catch (error) {
      // A full or failing disk: what is acknowledged is in the log, and the next call hears of it.
      if (!(error instanceof DatabaseError)) throw error;
    }
  }

  /** Clears gaps and empties logs, which the last one to close a file does: others may have it for long. */
  close(): void {
    const endMs = this.#nowMs() + CLOSING_MS_MAX;
    for (const id of this.#unfolded) {
      if (!this.#begin(id)) continue;
      const collection = this.#open.peek(id)!;
      while (this.#nowMs() < endMs && this.tidy(collection));
    }
    this.fold();
  }

  /** Begins to clear the gaps of a collection where that is worth its while. Returns whether it is. */
  #begin(id: string): boolean {
    const collection = this.#open.peek(id);
    if (collection === undefined) return false;
    try {
      const { changeCount, recordCount, goal } = collection.remnants.outstanding();
      const isFew = recordCount <= RECORDS_UNASKED_MAX;
      if (changeCount === 0 || (!isFew && changeCount < recordCount * CHANGES_PER_RECORD)) return false;
      this.#underway.set(id, goal);
      return true;
    } catch (error) {
      // It is gone, or damaged: whoever asks next hears why.
      if (!(error instanceof DatabaseError)) throw error;
      return false;
    }
  }
}
