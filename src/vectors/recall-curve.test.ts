import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededNumbers } from '../base/index.ts';
import { effortOf, LEVELS } from './effort.ts';
import { PROBED, SampleTally } from './recall-curve.ts';

const SAMPLES = 192;
const TEN = 10;

const foundBy = (slack: number): number => 1 / (1 + Math.exp(-0.6 - 12 * slack));

/** What a sample finds whose ten neighbours need a drawn slack, all of them the same if they are a family. */
function drawSample(chance: () => number, isFamily: boolean): number[] {
  const lot = chance();
  const lots = Array.from({ length: TEN }, () => (isFamily ? lot : chance()));
  return PROBED.map((level) => lots.filter((x) => x < foundBy(effortOf(level).slack)).length);
}

function drawTally(seed: number, isFamily: boolean): { tally: SampleTally; counted: number[] } {
  const chance = seededNumbers(seed);
  const tally = new SampleTally();
  const counted = new Array<number>(PROBED.length).fill(0);
  for (let i = 0; i < SAMPLES; i++) {
    const found = drawSample(chance, isFamily);
    tally.add(found, TEN, i < 16 ? TEN : undefined);
    found.forEach((count, j) => {
      counted[j]! += count / TEN / SAMPLES;
    });
  }
  return { tally, counted };
}

const WANTED = 0.9965;
const levelOf = (shares: readonly number[]): number => shares.findIndex((share) => share >= WANTED);

function varianceOf(values: readonly number[]): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
}

test.each([false, true])(
  'levels chosen by many draws give about what was wanted, and differ less than by counting (families: %s)',
  (isFamily) => {
    const chosen: number[] = [];
    const byCount: number[] = [];
    for (let seed = 1; seed <= 50; seed++) {
      const { tally, counted } = drawTally(seed, isFamily);
      const level = levelOf(tally.curve());
      const missed = 1 - foundBy(effortOf(level).slack);
      expect(missed).toBeLessThan(isFamily ? 0.025 : 0.0125);
      expect(missed).toBeGreaterThan(isFamily ? 0.0001 : 0.0005);
      chosen.push(level);
      byCount.push(PROBED[levelOf(counted)]!);
    }
    expect(varianceOf(chosen)).toBeLessThan(varianceOf(byCount));
  },
);

test('a curve two standard errors lower is seldom above what is true, and nearer to it with more samples', () => {
  const level = PROBED[4]!;
  const truth = foundBy(effortOf(level).slack);
  const tallies = Array.from({ length: 40 }, (_, i) => drawTally(i + 1, true).tally);
  const lower = tallies.map((tally) => tally.curve(2)[level]!);
  expect(lower.filter((share) => share > truth).length).toBeLessThanOrEqual(4);
  tallies.forEach((tally, i) => {
    expect(tally.curve()[level]).toBeGreaterThan(lower[i]!);
  });
  const all = new SampleTally();
  for (const tally of tallies) all.addFaded(tally, 1);
  expect(all.count).toBe(40 * SAMPLES);
  const mean = lower.reduce((sum, share) => sum + share, 0) / lower.length;
  expect(Math.abs(all.curve(2)[level]! - truth)).toBeLessThan(Math.abs(mean - truth) / 2);
});

test('one sample that finds nothing before the highest level does not drive the effort there', () => {
  const { tally } = drawTally(1, false);
  const before = levelOf(tally.curve());
  tally.add(new Array<number>(PROBED.length).fill(0), TEN, undefined);
  const after = levelOf(tally.curve());
  expect(after).toBeGreaterThanOrEqual(before);
  expect(after).toBeLessThanOrEqual(before + 3);
});

test('where a part of the samples is unlike the others, the count holds', () => {
  const { tally } = drawTally(2, false);
  for (let i = 0; i < SAMPLES / 16; i++) {
    tally.add(
      PROBED.map((level) => (level < 18 ? 0 : TEN)),
      TEN,
      undefined,
    );
  }
  const curve = tally.curve();
  expect(curve[17]!).toBeLessThan(0.98);
  expect(curve.at(-1)).toBe(1);
});

test('the curve says what share of the truth the highest level finds', () => {
  const tally = new SampleTally();
  expect(tally.curve()).toEqual(new Array(LEVELS).fill(1));
  tally.add(new Array<number>(PROBED.length).fill(8), 8, 10);
  expect(tally.curve().at(-1)).toBe(0.8);
  tally.add(new Array<number>(PROBED.length).fill(0), 0, 10);
  expect(tally.curve().at(-1)).toBe(0.4);
});

test('a faded sample counts as a part of one', () => {
  const all = new Array<number>(PROBED.length).fill(TEN);
  const none = new Array<number>(PROBED.length).fill(0);
  const former = new SampleTally();
  for (let i = 0; i < 4; i++) former.add(none, TEN, TEN);
  const tally = new SampleTally();
  for (let i = 0; i < 3; i++) tally.add(all, TEN, TEN);
  tally.addFaded(former, 0.25);
  // One of four is missed at every level but the highest: the line is level.
  expect(tally.curve()[0]).toBeCloseTo(0.75, 5);
});

test('a curve is between nothing and everything and never falls, whatever was found', () => {
  const counts = fc.array(fc.nat(TEN), { minLength: PROBED.length, maxLength: PROBED.length });
  const samples = fc.array(fc.record({ found: counts, isRising: fc.boolean(), isExact: fc.boolean() }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(samples, (drawn) => {
      const tally = new SampleTally();
      for (const { found, isRising, isExact } of drawn) {
        tally.add(isRising ? found.sort((a, b) => a - b) : found, found.at(-1)!, isExact ? TEN : undefined);
      }
      const curve = tally.curve();
      expect(curve).toHaveLength(LEVELS);
      curve.forEach((share, level) => {
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(1);
        if (level > 0) expect(share).toBeGreaterThanOrEqual(curve[level - 1]!);
      });
    }),
  );
});
