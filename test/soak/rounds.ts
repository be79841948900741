/**
 * How long a harness goes on, and what becomes of its figures.
 *
 * Every harness in this folder is an ordinary test with a fixed number of rounds and a fixed seed. The same
 * test goes on for minutes, or for another number of rounds, when `npm run soak` says so, with another seed
 * if it names one, and then writes what it has seen to a file (see run.mjs).
 */
import { writeFileSync } from 'node:fs';

const MINUTE_MS = 60_000;
/** What a harness may need beside its rounds, in all of its runs. */
const SLACK_MS = 10 * MINUTE_MS;

const numberOf = (name: string): number | null =>
  process.env[name] === undefined ? null : Number(process.env[name]);
/** Minutes that a soak goes on for at most; `null` for as long as its rounds take. */
const MINUTES_MAX = numberOf('SOAK_MINUTES');
/** Rounds of a soak at most; `null` for as many as the time allows. */
const ROUNDS_MAX = numberOf('SOAK_ROUNDS');

/** Whether the harness runs by `npm run soak`, and not as one of the tests. */
export const IS_SOAK: boolean = MINUTES_MAX !== null || ROUNDS_MAX !== null;
/** Whether the harness is one of the tests of continuous integration, where there is time for more rounds. */
export const IS_INTEGRATION: boolean = !IS_SOAK && process.env['CI'] !== undefined;

/** See the top of this file. */
export class Rounds {
  readonly seed: number;
  readonly #count: number;
  readonly #share: number;
  #done = 0;

  /** `share` is the part of a soak's time and rounds that these take, where they are not the only ones. */
  constructor(count: number, seed: number, share = 1) {
    this.#count = count;
    this.#share = share;
    this.seed = Number(process.env['SOAK_SEED'] ?? seed);
  }

  /** For the name of the test. */
  get title(): string {
    const count = IS_SOAK ? ROUNDS_MAX : this.#count;
    const limits = [
      ...(MINUTES_MAX === null ? [] : [`${MINUTES_MAX} minutes of`]),
      ...(count === null ? [] : [count]),
    ];
    return `${limits.join(' at most ')} (seed ${this.seed})`;
  }

  /** The longest that vitest lets the test go on; 0 for ever, where rounds alone are to end it. */
  get timeout(): number {
    return IS_SOAK && MINUTES_MAX === null ? 0 : (MINUTES_MAX ?? 0) * MINUTE_MS + SLACK_MS;
  }

  /** Numbers of the rounds, until there were enough of them or the time is over, whichever comes first. */
  *[Symbol.iterator](): Generator<number> {
    const endMs = MINUTES_MAX === null ? Infinity : performance.now() + MINUTES_MAX * MINUTE_MS * this.#share;
    const count = IS_SOAK ? (ROUNDS_MAX ?? Infinity) * this.#share : this.#count;
    while (this.#done < count && performance.now() < endMs) yield this.#done++;
  }

  /** Rounds that were begun. */
  get done(): number {
    return this.#done;
  }

  /** Writes figures to the file that `npm run soak` names, if it runs this. */
  report(figures: Readonly<Record<string, unknown>>): void {
    const file = process.env['SOAK_FIGURES'];
    if (file === undefined) return;
    writeFileSync(file, JSON.stringify({ seed: this.seed, rounds: this.#done, ...figures }));
  }
}
