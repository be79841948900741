import { expect, test } from 'vitest';
import { seededNumbers } from '../base/index.ts';
import { LEVELS } from './effort.ts';
import { FlatIndex } from './flat-index.ts';
import { RecallMeter } from './recall-meter.ts';
import { nothing } from './vector-rows.ts';

/** A meter that has measured these recalls of ten neighbours, and of one, by level. */
function meterOf(curve: readonly number[]): RecallMeter {
  const rows = new FlatIndex({ space: 'l2', dimension: 4 });
  const meter = new RecallMeter(rows, nothing, seededNumbers(1), () => true);
  meter.resume(Float64Array.from([...curve, ...curve]), 100, 100);
  return meter;
}

test('what was measured is gone on from, also as it was kept before queries were measured', () => {
  const curve = Array.from({ length: LEVELS }, (_, level) => 0.996 - Math.max(0, 12 - level) * 0.001);
  const meter = meterOf(curve);
  const { recalls } = meter;
  expect(recalls).toHaveLength(4 * LEVELS);
  const other = new RecallMeter(
    new FlatIndex({ space: 'l2', dimension: 4 }),
    nothing,
    seededNumbers(1),
    () => true,
  );
  other.resume(recalls.subarray(1), 100, 100);
  expect(other.levelFor(0.99, 10)).toBeUndefined();
  other.resume(recalls, 100, 100);
  expect(other.recalls).toEqual(recalls);
  expect(other.levelFor(0.99, 10)).toBe(meter.levelFor(0.99, 10));
});

test('the reserve is taken of the misses that effort can do something about', () => {
  // The highest level finds 0.996: from level 12 on all of that.
  const curve = Array.from({ length: LEVELS }, (_, level) => 0.996 - Math.max(0, 12 - level) * 0.001);
  const meter = meterOf(curve);
  const level = meter.levelFor(0.99, 10)!;
  expect(level).toBeGreaterThan(6);
  expect(level).toBeLessThan(12);
  expect(meter.recallAt(level, 10)).toBeGreaterThan(0.993);
  expect(meter.levelFor(0.996, 10)).toBe(12);
  expect(meter.levelFor(0.997, 10)).toBeUndefined();
  expect(meter.levelFor(0.5, 10)).toBe(0);
});
