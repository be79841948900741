/**
 * A collection against a naive store, through random lives of writes, filters, restarts, kills, lost indexes
 * and changes of the memory budget, with embeddings of all hard families and cells from the first few dozen
 * records on.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NaiveFilter } from '../support/naive-collection.ts';
import { RecallTally } from '../support/recall-tally.ts';
import { familyMixes } from './family-mixes.ts';
import { type Birth, BUDGETS, type Deed, ID_COUNT, type IdRun, Life, WORDS } from './life.ts';

/** Lives; more, or the same again, by `MODEL_RUNS=500 MODEL_SEED=1 npx vitest run test/model`. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 20);
const SEED = Number(process.env['MODEL_SEED'] ?? 20_261_123);
const MINUTE_MS = 60_000;

const runs = (countMax: number): fc.Arbitrary<IdRun> =>
  fc.record({
    first: fc.nat(ID_COUNT - 1),
    count: fc.integer({ min: 1, max: countMax }),
    stride: fc.constantFrom(1, 1, 3, 7),
  });

const filters: fc.Arbitrary<NaiveFilter | IdRun> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: fc.record({ groupBelow: fc.constantFrom(0, 1, 10, 50, 99) }) },
  { weight: 1, arbitrary: fc.record({ group: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ word: fc.constantFrom(...WORDS) }) },
  { weight: 1, arbitrary: fc.record({ groupBelow: fc.nat(100), word: fc.constantFrom(...WORDS) }) },
  { weight: 1, arbitrary: runs(60) },
);

const fewRecords: fc.Arbitrary<NaiveFilter | IdRun> = fc.oneof(
  { weight: 4, arbitrary: runs(60) },
  { weight: 2, arbitrary: fc.record({ groupBelow: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ groupBelow: fc.constantFrom(60, 100) }) },
);

const memory = fc.constantFrom(...BUDGETS);
const kind = <Kind extends string>(...kinds: readonly Kind[]): fc.Arbitrary<Kind> =>
  fc.constantFrom(...kinds);

const deeds: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: kind('add', 'upsert'), run: runs(120) }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('update', 'change texts'), run: runs(60) }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('delete'), filter: fewRecords }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('query'),
      k: fc.constantFrom(1, 3, 10, 40),
      filter: filters,
      recall: fc.constantFrom(null, 0.8, 0.95, 0.999),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('burst'),
      runs: fc.array(runs(40), { minLength: 2, maxLength: 5 }),
      k: fc.constantFrom(1, 10),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: kind('maintain'), turns: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 7,
    arbitrary: fc.record({ kind: kind('settle', 'settle', 'settle', 'settle', 'verify', 'repair') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('reopen', 'kill', 'drop followers'), memory }) },
);

const births: fc.Arbitrary<Birth> = fc.record({
  space: fc.constantFrom('l2', 'ip', 'cosine'),
  families: familyMixes,
  dimension: fc.constantFrom(1, 2, 7, 32, 33, 48),
  seed: fc.nat(),
  tickMs: fc.constantFrom(0.02, 0.1, 1),
  openers: fc.constantFrom(1, 1, 2),
  firstCount: fc.constantFrom(0, 200, 400, 400),
});

describe('a collection through random lives', () => {
  test('answers as a naive store does, finds what it is asked to find, and loses nothing', {
    timeout: 10 * MINUTE_MS,
  }, async () => {
    const tally = new RecallTally();
    const lives = fc.asyncProperty(
      births,
      fc.array(deeds, { minLength: 10, maxLength: 35, size: 'max' }),
      (birth, deeds) => Life.live(birth, deeds, tally),
    );
    await fc.assert(lives, { numRuns: RUNS, seed: SEED });
    expect(tally.inCellsShare).toBeGreaterThan(0.1);
    expect(tally.shortfalls(), `The seed was ${SEED}.`).toEqual([]);
  });
});
