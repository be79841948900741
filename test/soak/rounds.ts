/**
 * How long a harness goes on, and what becomes of its figures.
 *
 * Every harness in this folder is an ordinary test with a fixed number of rounds and a fixed seed. The same
 * test goes on for minutes, or for another number of rounds, when `npm run soak` says so, with another seed
 * if it names one, and then writes what it has seen to a file (see run.mjs). Continuous integration runs all
 * tests on two Nodes and gives each one half of the rounds of those that take long (`ROUNDS_HALF`, 1 or 2).
 */
import { writeFileSync } from 'node:fs';
import { seededNumbers } from '../../src/base/index.ts';

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

/** Which half of the rounds; `null` for all of them. */
const HALF = IS_SOAK ? null : numberOf('ROUNDS_HALF');
/** What the second half draws at random differs by this from what the first does. */
const SECOND_SEED = 500_000;

/** See the top of this file. */
export class Rounds {
  readonly seed: number;
  /** The number of the first round. */
  readonly first: number;
  readonly #half: number | null;
  readonly #count: number;
  readonly #share: number;
  #done = 0;

  /** `share` is the part of a soak's time and rounds that these take, where they are not the only ones. */
  constructor(count: number, seed: number, share = 1, half: number | null = null) {
    this.#half = half;
    this.#count = half === null ? count : Math.ceil(count / 2);
    this.first = half === 2 ? this.#count : 0;
    this.#share = share;
    this.seed = Number(process.env['SOAK_SEED'] ?? seed);
  }

  /**
   * Rounds of which each Node of continuous integration has one half, which the title names: beside the seed,
   * `ROUNDS_HALF` repeats it.
   */
  static inHalves(count: number, seed: number): Rounds {
    return new Rounds(count, seed, 1, HALF);
  }

  /** Random numbers of these rounds. */
  chance(): () => number {
    return seededNumbers(this.seed + (this.#half === 2 ? SECOND_SEED : 0));
  }

  /** For the name of the test. */
  get title(): string {
    const count = IS_SOAK ? ROUNDS_MAX : this.#count;
    const limits = [
      ...(MINUTES_MAX === null ? [] : [`${MINUTES_MAX} minutes of`]),
      ...(count === null ? [] : [count]),
    ];
    const half = this.#half === null ? '' : `, half ${this.#half}`;
    return `${limits.join(' at most ')} (seed ${this.seed}${half})`;
  }

  /** The longest that vitest lets the test go on; 0 for ever, where rounds alone are to end it. */
  get timeout(): number {
    return IS_SOAK && MINUTES_MAX === null ? 0 : (MINUTES_MAX ?? 0) * MINUTE_MS + SLACK_MS;
  }

  /**
   * Numbers of the rounds from `first` on, until there were enough of them or the time is over, whichever
   * comes first.
   */
  *[Symbol.iterator](): Generator<number> {
    const endMs = MINUTES_MAX === null ? Infinity : performance.now() + MINUTES_MAX * MINUTE_MS * this.#share;
    const count = IS_SOAK ? (ROUNDS_MAX ?? Infinity) * this.#share : this.#count;
    while (this.#done < count && performance.now() < endMs) yield this.first + this.#done++;
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
