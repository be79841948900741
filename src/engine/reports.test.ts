/** Reports of several threads as one. */
import { expect, test } from 'vitest';
import type { Fault, VerifyReport } from '../api/index.ts';
import { mergeRepairReports, mergeVerifyReports } from './reports.ts';

function fault(id: string, part: Fault['part']): Fault {
  return { id, part, message: `${id} is not as it should be` };
}

function report(...faults: Fault[]): VerifyReport {
  return { recordCount: 10, faultCount: faults.length, faults };
}

test('what several threads found counts once, what one found counts too', () => {
  const damaged = fault('a', 'record');
  const merged = mergeVerifyReports([
    report(damaged),
    report(damaged, fault('a', 'vectors')),
    report(damaged, fault('b', 'text')),
  ]);
  expect(merged).toEqual({
    recordCount: 10,
    faultCount: 3,
    faults: [damaged, fault('a', 'vectors'), fault('b', 'text')],
  });
});

test('a report of more faults than are shown keeps their count', () => {
  const shown = Array.from({ length: 100 }, (_, i) => fault(`r${i}`, 'record'));
  const merged = mergeVerifyReports([{ ...report(...shown), faultCount: 5_000 }, report(fault('a', 'text'))]);
  expect(merged.faultCount).toBe(5_000);
  expect(merged.faults).toEqual(shown);
});

test('repairs of all threads add up', () => {
  const before = report(fault('a', 'vectors'));
  const merged = mergeRepairReports([
    { before: report(), repairedCount: 0, after: report() },
    { before, repairedCount: 2, after: report() },
    { before, repairedCount: 3, after: report() },
  ]);
  expect(merged).toEqual({ before, repairedCount: 5, after: report() });
});
