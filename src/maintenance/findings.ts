/** What a comparison has found so far, and the report of it. */
import type { Fault, VerifyReport } from '../api/index.ts';

/** Faults that a report shows; the others are only counted. */
const FAULTS_SHOWN_MAX = 100;

/**
 * Parts that can be mended, those first that others are made from: the index of ids, the change sequence,
 * what is in memory, the text index.
 */
export const MENDABLE_PARTS = ['ids', 'changes', 'memory', 'text'] as const;

/** One of these. */
export type MendablePart = (typeof MENDABLE_PARTS)[number];

/** See the top of this file. */
export class Findings {
  /** Records that were looked at. */
  recordCount = 0;
  /** Parts of which something was found that can be mended. */
  readonly mendable: Set<MendablePart> = new Set();
  /** Whether any record was found damaged. */
  hasDamagedRecords = false;
  readonly #faults: Fault[] = [];
  #faultCount = 0;

  /** Adds a fault; `mendable` is the part to mend for it, `null` where nothing can. */
  note(fault: Fault, mendable: MendablePart | null): void {
    if (this.#faultCount++ < FAULTS_SHOWN_MAX) this.#faults.push(fault);
    if (mendable !== null) this.mendable.add(mendable);
    else this.hasDamagedRecords = true;
  }

  /** What was found so far. */
  report(): VerifyReport {
    return { recordCount: this.recordCount, faultCount: this.#faultCount, faults: this.#faults };
  }
}
