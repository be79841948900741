/**
 * The client beside a model, on every kind of backend: random lives of all calls there are, of restarts,
 * kills, backups, other openers, lost indexes, changes of memory, jumps of the clock and calls made at once.
 *
 * fast-check shrinks a life that fails and prints it with its seed; put it into a test by name.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUDGETS,
  ClientLife,
  type Deed,
  ID_COUNT,
  type Selection,
  WORDS,
  type Write,
} from './client-life.ts';
import { HOMES } from './homes.ts';
import { Rounds } from './rounds.ts';

/** Deeds of a life, on average. */
const DEED_COUNT = 50;
/** Lives on each kind of backend, on each Node, in every run of the tests; seven kinds make a hundred. */
const LIFE_COUNT = 15;
const SEED = 20_261_131;

const selections: fc.Arbitrary<Selection> = fc.record({
  first: fc.nat(ID_COUNT - 1),
  count: fc.integer({ min: 1, max: 15 }),
  hasIds: fc.boolean(),
  groupBelow: fc.option(fc.constantFrom(0, 10, 50, 90), { freq: 1 }),
  word: fc.option(fc.constantFrom(...WORDS), { freq: 1 }),
});
/** What `delete` takes: it wants ids or a filter. */
const someRecords = selections.map((selection) =>
  selection.groupBelow === null && selection.word === null ? { ...selection, hasIds: true } : selection,
);
const writes: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constantFrom('add', 'upsert', 'update', 'update metadata'),
      of: selections,
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('delete'), of: someRecords }) },
);

const of = fc.nat(5);
const mark = fc.nat(99);
const kind = <Kind extends string>(...kinds: readonly Kind[]): fc.Arbitrary<Kind> =>
  fc.constantFrom(...kinds);
const deeds: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: kind('create', 'get or create'), of, mark }) },
  { weight: 12, arbitrary: fc.record({ kind: kind('write'), of, write: writes }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind('together'),
      of,
      writes: fc.array(writes, { minLength: 2, maxLength: 5 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: kind('query'), of, which: selections, nResults: fc.constantFrom(1, 3, 50) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind('get'),
      of,
      which: selections,
      limit: fc.option(fc.nat(10)).map((limit) => limit || null),
      offset: fc.constantFrom(0, 0, 1, 7),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: kind('count', 'peek', 'settle', 'verify', 'repair'), of }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('drop', 'fork'), of }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('modify'), of, mark, isRenamed: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('wrong'), of, fault: kind('dimension', 'no embedding', 'NaN') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('list', 'other opener', 'clock jump') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('reopen', 'kill', 'lose indexes', 'back up and restore'),
      memory: fc.constantFrom(...BUDGETS),
    }),
  },
);
const lives = fc.array(deeds, { minLength: DEED_COUNT / 2, maxLength: 1.5 * DEED_COUNT, size: 'max' });

const figures: Record<string, number> = {};

describe('a client and its model agree', () => {
  const kinds = Object.entries(HOMES);
  const rounds = new Rounds(1, SEED);
  test.each(kinds)(
    `${rounds.title} × ${LIFE_COUNT} lives: %s`,
    { timeout: rounds.timeout },
    async (name, makeHome) => {
      const turns = new Rounds(1, SEED, 1 / kinds.length);
      for (const turn of turns) {
        await fc.assert(
          fc.asyncProperty(fc.nat(), lives, (seed, deeds) => ClientLife.live(makeHome, seed, deeds)),
          { numRuns: LIFE_COUNT, seed: turns.seed + turn },
        );
        figures[name] = (figures[name] ?? 0) + LIFE_COUNT;
      }
      expect(figures[name]).toBeGreaterThan(0);
      turns.report({ lives: figures, deedsOfALife: DEED_COUNT, differences: 0 });
    },
  );
});
