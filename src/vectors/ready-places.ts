/**
 * Which places of new memory are written to before rows come that need them.
 *
 * The first write to a page is what costs there: 9 µs a row of 512 floats on a machine where one takes 16 µs
 * (2026-11-30). A query that finds 500 new rows would pay that for all of them; between queries nobody waits
 * for it. While no rows come, nothing is made ready.
 */

/** Places that are ready beyond those given out, and how many of them are made so at a time: 0.6 ms. */
const READY_PLACES = 1_024;
const STEP_PLACES = 64;

/** See the top of this file. Places are numbered from 0 and given out in order. */
export class ReadyPlaces {
  #count = 0;
  /** Whether rows have come since all were ready. */
  #isShort = false;

  /** Places that were written to, from the first on. */
  get count(): number {
    return this.#count;
  }

  /** Notes that a row has come. */
  noteRow(): void {
    this.#isShort = true;
  }

  /** How many places there should be, where so many are given out and so many of them are free again. */
  wanted(given: number, free: number): number {
    return this.#isShort ? given + Math.max(0, READY_PLACES - free) : 0;
  }

  /** The next places to write to, below `end`; `undefined` where all are ready. */
  next(given: number, end: number): { readonly first: number; readonly end: number } | undefined {
    const first = Math.max(given, this.#count);
    this.#isShort = first < end;
    if (!this.#isShort) return undefined;
    this.#count = Math.min(end, first + STEP_PLACES);
    return { first, end: this.#count };
  }
}
