/**
 * How long a harness goes on, and what becomes of its figures.
 *
 * Every harness in this folder is an ordinary test with a fixed number of rounds and a fixed seed. The same
 * test goes on for minutes when `npm run soak` says so, with another seed if it names one, and then writes
 * what it has seen to a file (see run.mjs).
 */
import { writeFileSync } from 'node:fs';

const MINUTE_MS = 60_000;
/** What a harness may need beside its rounds, in all of its runs. */
const SLACK_MS = 10 * MINUTE_MS;

/** Minutes that the harness shall go on for; `null` for its fixed number of rounds. */
export const SOAK_MINUTES: number | null =
  process.env['SOAK_MINUTES'] === undefined ? null : Number(process.env['SOAK_MINUTES']);

/** See the top of this file. */
export class Rounds {
  readonly seed: number;
  readonly #count: number;
  readonly #share: number;
  #done = 0;

  /** `share` is the part of the time that these rounds take, where they are not the only ones. */
  constructor(count: number, seed: number, share = 1) {
    this.#count = count;
    this.#share = share;
    this.seed = Number(process.env['SOAK_SEED'] ?? seed);
  }

  /** For the name of the test. */
  get title(): string {
    return `${SOAK_MINUTES === null ? this.#count : `${SOAK_MINUTES} minutes of`} (seed ${this.seed})`;
  }

  /** The longest that vitest lets the test go on. */
  get timeout(): number {
    return (SOAK_MINUTES ?? 0) * MINUTE_MS + SLACK_MS;
  }

  /** Numbers of the rounds, until there were enough of them or the time is over. */
  *[Symbol.iterator](): Generator<number> {
    const endMs = performance.now() + (SOAK_MINUTES ?? 0) * MINUTE_MS * this.#share;
    while (SOAK_MINUTES === null ? this.#done < this.#count : performance.now() < endMs) yield this.#done++;
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
