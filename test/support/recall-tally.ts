/** Counts how much of the exact answers the approximate ones had, over a whole run. */
import { DEFAULT_RECALL } from '../../src/api/index.ts';
import type { Hit } from './naive-collection.ts';

/**
 * Standard errors by which the mean may fall short: a search that finds each neighbour with exactly the
 * chance asked for, and each query by itself, falls that far below once in 30,000 runs.
 */
const ERRORS_ALLOWED = 4;

/**
 * By which it may fall short besides: an index judges its recall on some hundred of its rows, so that the
 * queries of one life are wrong together, and the queries of tests are not drawn as rows are.
 */
const METER_ERROR = 0.01;

/**
 * Cosine distances that differ by less are equal: they are differences to 1 in float64, so that vectors of
 * one direction have some 1e-16 between them.
 */
const TIE = 1e-12;

/** See the top of this file. */
export class RecallTally {
  readonly #shares: Map<number, number[]> = new Map();
  #count = 0;
  #inCellsCount = 0;

  /**
   * Notes one answer to a query that asked for `recall`. A record as near as the last of the exact answer
   * counts as one of it: which of several equally near ones are found is nobody's loss.
   */
  note(recall: number | null, found: readonly Pick<Hit, 'distance'>[], exact: readonly Hit[]): void {
    if (exact.length === 0) return;
    const farthest = exact.at(-1)!.distance;
    const count = found.filter(({ distance }) => distance <= farthest + TIE).length;
    const asked = recall ?? DEFAULT_RECALL;
    const shares = this.#shares.get(asked) ?? [];
    shares.push(Math.min(1, count / exact.length));
    this.#shares.set(asked, shares);
  }

  /** Notes whether an answer came from cells: where none does, nothing approximate is tested. */
  noteWay(isFromCells: boolean): void {
    this.#count++;
    if (isFromCells) this.#inCellsCount++;
  }

  /** The share of answers that came from cells. */
  get inCellsShare(): number {
    return this.#inCellsCount / Math.max(1, this.#count);
  }

  /** For each recall that was asked for: the mean found, and the least that may be found. */
  results(): { asked: number; count: number; found: number; least: number }[] {
    return [...this.#shares].map(([asked, shares]) => {
      const found = shares.reduce((sum, share) => sum + share, 0) / shares.length;
      const least = asked - METER_ERROR - ERRORS_ALLOWED * Math.sqrt((asked * (1 - asked)) / shares.length);
      return { asked, count: shares.length, found, least };
    });
  }

  /** The recalls asked for that were not met; empty if all is well. */
  shortfalls(): unknown[] {
    return this.results().filter(({ found, least }) => found < least);
  }
}
