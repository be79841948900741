/** A line that tells how far long work has come: a bar, a count, a rate and what is left. */
import type { Clock } from '../base/index.ts';
import { number } from './printing.ts';

const BAR_WIDTH = 24;

/** Draws the line again at most this often: a terminal shows no more, and a log needs none. */
const INTERVAL_MS = 100;

/** Tells of one piece of work. */
export class Progress {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #show: (line: string) => void;
  readonly #noun: string;
  readonly #startMs: number;
  #shownMs = Number.NEGATIVE_INFINITY;

  /** `show` replaces the line; it is given an empty one in the end. */
  constructor(clock: Pick<Clock, 'monotonicMs'>, show: (line: string) => void, noun: string) {
    this.#clock = clock;
    this.#show = show;
    this.#noun = noun;
    this.#startMs = clock.monotonicMs();
  }

  /**
   * Takes note of what is done. The rate is that of `workedCount`, which this run has done itself; `note` is
   * shown in place of it.
   */
  update(doneCount: number, totalCount: number, workedCount: number, note?: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#shownMs < INTERVAL_MS) return;
    this.#shownMs = nowMs;
    const share = totalCount === 0 ? 1 : Math.min(1, doneCount / totalCount);
    const filled = Math.round(share * BAR_WIDTH);
    const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}`;
    const rate = this.rate(workedCount);
    const left = rate === 0 ? '' : `, ${duration((totalCount - doneCount) / rate)} left`;
    const speed = note ?? `${number(Math.round(rate))}/s`;
    this.#show(`[${bar}] ${number(doneCount)} of ${number(totalCount)} ${this.#noun}, ${speed}${left}`);
  }

  /** How many a second. */
  rate(workedCount: number): number {
    const seconds = (this.#clock.monotonicMs() - this.#startMs) / 1000;
    return seconds <= 0 ? 0 : workedCount / seconds;
  }

  /** Takes the line away. */
  end(): void {
    this.#show('');
  }
}

function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
