/**
 * What stays in files of records that are deleted, and when it goes: trigrams and cells, copies in the gaps
 * of pages (maintenance/remnants.ts), and former states of pages in write-ahead logs.
 *
 * All of it goes when a collection is settled. When nothing was called for a while, and at closing, logs are
 * emptied, and gaps are cleared where that is quickly done, or is little beside what was changed. A pass over
 * the gaps is kept here and not with the open collection, which may be closed for others and opened again.
 */
import { DatabaseError } from '../base/index.ts';
import { erase, outstandingChanges, RemnantPass, vacuum } from '../maintenance/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { OpenCollection, OpenCollections } from './open-collections.ts';

/** How long `settle` tries to empty write-ahead logs that others are using. */
const FOLDING_MS_MAX = 500;

/**
 * Passes of one `settle`: another one where records were changed during the first, since what SQLite moves
 * then may lie where the pass has been.
 */
const PASSES_MAX = 2;

/** Turns in a row at a slice between calls while other connections hold the lock, until the next calm. */
const LOCKED_MAX = 50;

/**
 * How many times as long as an unasked pass the next one of the collection waits: where records change time
 * and again, passes take a hundredth of it.
 */
const REST_RATIO = 100;

/** How long it waits where the last one failed for a reason that passes. */
const REST_AFTER_FAILURE_MS = 60_000;

/** How long closing may take for gaps: who closes waits for it, and a service manager may not wait long. */
const CLOSING_MS_MAX = 1_000;

/** Records of a collection whose gaps are cleared unasked: a pass takes a third of a second. */
const RECORDS_UNASKED_MAX = 20_000;

/**
 * Of more records, so many changes for each must have been made. A change writes 4 to 23 pages, the fewer the
 * more are made at once, and a pass 0.13 to 0.2 for each record (dimensions 24 to 1,536), so that passes
 * write no more than the changes did.
 */
const CHANGES_PER_RECORD = 1 / 20;

/** A pass that is made between calls. */
interface Underway {
  readonly pass: RemnantPass;
  lockedCount: number;
  /** What its slices took. */
  workMs: number;
}

/** See the top of this file. */
export class Erasure {
  readonly #open: OpenCollections;
  readonly #catalogue: Catalogue;
  readonly #isReader: boolean;
  readonly #nowMs: () => number;
  /** Collections written to since their write-ahead logs were last emptied. */
  readonly #unfolded = new Set<string>();
  readonly #underway = new Map<string, Underway>();
  /** Until when collections wait that had a pass. */
  readonly #restUntilMs = new Map<string, number>();
  /** Collections whose passes leave something, with the changes that there were: because of damage. */
  readonly #hopeless = new Map<string, number>();

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

  /** Forgets a collection that is no longer open. */
  forget(id: string): void {
    for (const map of [this.#underway, this.#restUntilMs, this.#hopeless]) map.delete(id);
  }

  /** Whether former states of pages may be in write-ahead logs, or gaps are left for later. */
  get isUnfolded(): boolean {
    return this.#isLogLeft || this.#restUntilMs.size > 0;
  }

  get #isLogLeft(): boolean {
    return this.#unfolded.size > 0 || this.#catalogue.isUnfolded;
  }

  /**
   * Leaves nothing of what is deleted by now in any file, slice by slice, but for what damage hides. Errors:
   * those of writing; `TESSERA_BUSY` where another process has the lock for too long.
   */
  *settle(find: () => OpenCollection | null): Generator<void, void> {
    while (this.#settleSlice(find(), ({ store }) => erase(store))) yield;
    if (!this.#isReader) yield* this.#clearGaps(find);
    while (this.#settleSlice(find(), ({ store }) => vacuum(store))) yield;
    // Others of this directory read for milliseconds; one that reads for longer is not waited for.
    const endMs = this.#nowMs() + FOLDING_MS_MAX;
    for (this.#fold(); this.#isLogLeft && this.#nowMs() < endMs; this.#fold()) yield;
  }

  /** One slice by the thread that looks after files. */
  #settleSlice(collection: OpenCollection | null, work: (collection: OpenCollection) => boolean): boolean {
    if (collection === null) return false;
    this.#unfolded.add(collection.id);
    return !this.#isReader && work(collection);
  }

  *#clearGaps(find: () => OpenCollection | null): Generator<void, void> {
    try {
      for (let count = 0; count < PASSES_MAX; count++) {
        const pass = beginPass(find());
        if (pass === null) return;
        for (let collection = find(); collection !== null; collection = find()) {
          this.#unfolded.add(collection.id);
          const outcome = pass.step(collection.store, true);
          if (outcome === 'incomplete') return;
          if (outcome === 'done') break;
          yield;
        }
      }
    } catch (error) {
      // A table that cannot even be looked at is for `verify` to tell of.
      if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') throw error;
    }
  }

  /**
   * For a moment when nothing was called for a while: empties the logs, and begins to clear gaps. Returns the
   * collections for which `tidy` has something to do, and whether there may be more in a while.
   */
  calm(): { due: string[]; isMoreLeft: boolean } {
    const nowMs = this.#nowMs();
    const candidates = this.#isReader ? [] : new Set([...this.#unfolded, ...this.#restUntilMs.keys()]);
    const due = [...candidates].filter((id) => {
      if ((this.#restUntilMs.get(id) ?? nowMs) > nowMs) return false;
      this.#restUntilMs.delete(id);
      return this.#begin(id);
    });
    this.#fold();
    return { due, isMoreLeft: this.#restUntilMs.size > 0 };
  }

  /** Clears some gaps of a collection, if that is under way. Returns whether more is left. */
  tidy({ id, store }: OpenCollection): boolean {
    const underway = this.#underway.get(id);
    if (underway === undefined) return false;
    // Its log is to be emptied once more, also where it just was.
    this.#unfolded.add(id);
    const startMs = this.#nowMs();
    try {
      const outcome = underway.pass.step(store, false);
      underway.workMs += this.#nowMs() - startMs;
      if (outcome === 'locked') return this.#isWorthATurn(underway);
      underway.lockedCount = 0;
      if (outcome === 'more') return true;
      if (outcome === 'incomplete') this.#hopeless.set(id, underway.pass.total);
      this.#restUntilMs.set(id, this.#nowMs() + REST_RATIO * underway.workMs);
      this.#underway.delete(id);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      this.giveUp(id);
    }
    return false;
  }

  /** Whether a pass that found the file locked tries again at once. It goes on later if not. */
  #isWorthATurn(underway: Underway): boolean {
    underway.lockedCount++;
    if (underway.lockedCount < LOCKED_MAX) return true;
    underway.lockedCount = 0;
    return false;
  }

  /** Takes note that maintenance of a collection has failed: a full disk, another's lock. */
  giveUp(id: string): void {
    if (this.#underway.delete(id)) this.#restUntilMs.set(id, this.#nowMs() + REST_AFTER_FAILURE_MS);
  }

  /** Empties the write-ahead logs that nobody else is using. */
  #fold(): void {
    for (const id of this.#unfolded) {
      const collection = this.#open.peek(id);
      const isFolded = collection === undefined || attempt(() => collection.store.database.foldLog());
      if (isFolded) this.#unfolded.delete(id);
    }
    attempt(() => {
      this.#catalogue.fold();
      return true;
    });
  }

  /** Clears gaps and empties logs, which the last one to close a file does: others may have it for long. */
  close(): void {
    const endMs = this.#nowMs() + CLOSING_MS_MAX;
    for (const id of [...this.#unfolded]) {
      // Again, should records have changed since the pass began that was under way.
      while (this.#nowMs() < endMs && this.#begin(id)) {
        const collection = this.#open.peek(id)!;
        while (this.#nowMs() < endMs && this.tidy(collection));
      }
    }
    this.#fold();
  }

  /**
   * Begins to clear the gaps of a collection where that is worth its while. Returns whether it is under way.
   */
  #begin(id: string): boolean {
    const collection = this.#open.peek(id);
    if (collection === undefined) {
      this.#underway.delete(id);
      return false;
    }
    if (this.#underway.has(id)) return true;
    let total = -1;
    try {
      const outstanding = outstandingChanges(collection.store);
      const { changeCount, recordCount } = outstanding;
      total = outstanding.total;
      if (changeCount === 0 || this.#hopeless.get(id) === total) return false;
      const isMuch = changeCount >= recordCount * CHANGES_PER_RECORD;
      if (recordCount > RECORDS_UNASKED_MAX && !isMuch) return false;
      this.#hopeless.delete(id);
      const pass = new RemnantPass(collection.store);
      this.#underway.set(id, { pass, lockedCount: 0, workMs: 0 });
      return true;
    } catch (error) {
      // It is gone, or damaged: whoever asks next hears why.
      if (!(error instanceof DatabaseError)) throw error;
      this.#hopeless.set(id, total);
      return false;
    }
  }
}

/** Folds a log where the disk allows it: what is acknowledged is in it, and the next call hears of it. */
function attempt(fold: () => boolean): boolean {
  try {
    return fold();
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return false;
  }
}

/** A pass for what is removed from a collection by now; `null` where nothing is to be done. */
function beginPass(collection: OpenCollection | null): RemnantPass | null {
  if (collection === null || outstandingChanges(collection.store).changeCount === 0) return null;
  return new RemnantPass(collection.store);
}
