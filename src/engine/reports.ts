/** One report from those of several threads, each of which has looked at the records and its own indexes. */
import type { Fault, RepairReport, SalvageReport, VerifyReport } from '../api/index.ts';
import type { Salvaged } from '../records/index.ts';

/** Faults that a report shows. */
const FAULTS_SHOWN_MAX = 100;

/**
 * What the threads found together. What is damaged in the file all of them find; it counts once. Beyond what
 * the reports show, faults cannot be told apart, and the longest report counts.
 */
export function mergeVerifyReports(reports: readonly VerifyReport[]): VerifyReport {
  const faults = new Map<string, Fault>();
  for (const fault of reports.flatMap((report) => report.faults)) {
    faults.set(JSON.stringify([fault.part, fault.id, fault.message]), fault);
  }
  return {
    recordCount: Math.max(...reports.map(({ recordCount }) => recordCount)),
    faultCount: Math.max(faults.size, ...reports.map(({ faultCount }) => faultCount)),
    faults: [...faults.values()].slice(0, FAULTS_SHOWN_MAX),
  };
}

/** What the threads did together. */
export function mergeRepairReports(reports: readonly RepairReport[]): RepairReport {
  return {
    before: mergeVerifyReports(reports.map(({ before }) => before)),
    repairedCount: reports.reduce((sum, { repairedCount }) => sum + repairedCount, 0),
    after: mergeVerifyReports(reports.map(({ after }) => after)),
  };
}

/** Losses that a report shows: ids that somebody may have to write anew. */
const LOSSES_SHOWN_MAX = 10_000;

/** The report of what was saved into a collection. */
export function salvageReport(collectionId: string, name: string, salvaged: Salvaged): SalvageReport {
  const { savedCount, lostCount, losses } = salvaged;
  return { collectionId, name, savedCount, lostCount, losses: losses.slice(0, LOSSES_SHOWN_MAX) };
}
