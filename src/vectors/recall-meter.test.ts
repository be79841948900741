import { expect, test } from 'vitest';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { Bitset, seededNumbers } from '../base/index.ts';
import { LEVELS } from './effort.ts';
import { RecallMeter } from './recall-meter.ts';
import { VectorCache } from './vector-cache.ts';
import { nothing } from './vector-rows.ts';

/** A meter that has measured these recalls of ten neighbours, and of one, by level. */
function meterOf(curve: readonly number[]): RecallMeter {
  const meter = new RecallMeter(nothing, seededNumbers(1), () => true);
  meter.resume(Float64Array.from([...curve, ...curve]), 100, 100);
  return meter;
}

test('what was measured is gone on from, also as it was kept before queries were measured', () => {
  const curve = Array.from({ length: LEVELS }, (_, level) => 0.996 - Math.max(0, 12 - level) * 0.001);
  const meter = meterOf(curve);
  const { recalls } = meter;
  expect(recalls).toHaveLength(4 * LEVELS);
  const other = new RecallMeter(nothing, seededNumbers(1), () => true);
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

/** A meter over rows of which a search at a level finds those below a bound that grows with it. */
class Scene {
  readonly #rows = new VectorCache({ space: 'l2', dimension: 6 });
  readonly #draw = FAMILIES.gaussian(6, seededNumbers(2));
  readonly #reach = new Map<number, number>();
  readonly #chance = seededNumbers(3);
  count = 0;
  readonly meter = new RecallMeter(
    (query, k, level) => {
      const found = new Bitset();
      for (let slot = 0; slot < this.count; slot++) if (this.#reach.get(slot)! <= level) found.add(slot);
      return this.#rows.search(query, k, found, found.count());
    },
    seededNumbers(1),
    () => true,
  );

  grow(to: number): void {
    for (; this.count < to; this.count++) {
      this.#rows.set(this.count, this.#draw());
      // Four of five are found at any level, the others at one up to the highest.
      this.#reach.set(this.count, Math.max(0, LEVELS * (5 * this.#chance() - 4)));
      this.meter.noteChange();
    }
  }

  begin(): void {
    this.meter.begin(this.#rows, this.count);
  }

  /** One step after the other, until something is so; returns the number of steps. */
  stepUntil(isSo: () => boolean): number {
    let steps = 0;
    const live = Bitset.full(this.count);
    for (; !isSo(); steps++) this.meter.step(live, () => true);
    return steps;
  }
}

test('before the first round has ended, the exact samples tell what to do, with more caution', () => {
  const scene = new Scene();
  const { meter } = scene;
  scene.grow(400);
  scene.begin();
  const first = scene.stepUntil(() => meter.isBelieved(scene.count));
  expect([meter.rounds, meter.isMeasuring]).toEqual([0, true]);
  const cautious = meter.levelFor(0.95, 10)!;
  // So few cannot say how seldom the nearest alone is missed; nor is what they say kept.
  expect(meter.levelFor(0.95, 1)).toBeUndefined();
  expect([meter.recalls.length, meter.measuredRows]).toEqual([0, 0]);
  const others = scene.stepUntil(() => !meter.isMeasuring);
  expect(others).toBeGreaterThan(2 * first);
  expect(meter.rounds).toBe(1);
  expect(meter.levelFor(0.95, 10)).toBeLessThan(cautious);
  expect(meter.levelFor(0.95, 1)).toBeDefined();
  expect(meter.measuredRows).toBe(scene.count);
});

test('so they do in a later round where what was measured is about to be out of date, and only there', () => {
  const scene = new Scene();
  const { meter } = scene;
  scene.grow(200);
  scene.begin();
  scene.stepUntil(() => !meter.isMeasuring);
  const measured = meter.recalls;

  scene.grow(300);
  scene.begin();
  scene.stepUntil(() => !meter.isMeasuring || String(meter.recalls) !== String(measured));
  expect([meter.rounds, meter.isMeasuring]).toEqual([2, false]);

  const former = meter.levelFor(0.95, 10);
  scene.grow(1_000);
  expect(meter.isBelieved(scene.count)).toBe(false);
  scene.begin();
  scene.stepUntil(() => meter.isBelieved(scene.count));
  expect([meter.rounds, meter.isMeasuring]).toEqual([2, true]);
  expect(meter.levelFor(0.95, 10)).toBeGreaterThanOrEqual(former!);
  expect(meter.measuredRows).toBe(300);
  // What is given up then has to be measured all the same.
  meter.cancel(scene.count);
  expect(meter.isBelieved(scene.count)).toBe(true);
  expect(meter.isDue(new VectorCache({ space: 'l2', dimension: 6 }), scene.count)).toBe(true);
});
