/**
 * How much work a search in cells does, as one scale of levels from careless to nearly exhaustive.
 *
 * A level stands for two numbers that belong together, since both lose rows: `slack`, how far centres are
 * visited, in units of the mean squared radius of a cell, and `doubt`, how many standard deviations an
 * estimate is trusted to be off. The pairs lie on the line along which, on real sentence embeddings, a
 * search of given recall took the least time (docs/adr/0010).
 */

/** One level. */
export interface Effort {
  readonly slack: number;
  readonly doubt: number;
  /**
   * What a search with a filter needs where only rows far from the query are allowed
   * (kernel/assembly/cells.ts).
   */
  readonly reach: number;
}

const SLACK_MIN = 0.1;
const SLACK_RATIO = 1.15;
/** Measured on queries of one kind among rows of which a filter allows another kind (docs/adr/0010). */
const REACH_MIN = 0.35;
const REACH_RATIO = 0.2;
const LEVEL_COUNT = 24;

/** Levels that are measured: the whole numbers below this. */
export const LEVELS: number = LEVEL_COUNT;

/** The effort of a level, whole or between two. */
export function effortOf(level: number): Effort {
  const slack = SLACK_MIN * SLACK_RATIO ** level;
  return { slack, doubt: Math.min(4.5, 1.65 + 3.3 * slack), reach: REACH_MIN + REACH_RATIO * slack };
}

/**
 * Standard deviation of an estimate in units of ‖r‖·‖q − c‖ / √width: √(1 − a²) / a, where a = √(2/π) is the
 * cosine between a random direction and its signs.
 */
export const ESTIMATE_DEVIATION: number = Math.sqrt(Math.PI / 2 - 1);

/**
 * How many standard deviations the estimate of a centre's product is trusted to be off: a centre that could
 * matter within that is multiplied.
 */
export const CENTRE_DOUBT = 2.5;
