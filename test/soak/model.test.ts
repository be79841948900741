/**
 * The client beside a model, on every kind of backend: random lives of all calls there are, of restarts,
 * kills, backups, other openers, lost indexes, changes of memory, jumps of the clock and calls made at once.
 *
 * fast-check shrinks a life that fails and prints it with its seed; put it into a test by name.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Asked,
  BUDGETS,
  ClientLife,
  type Deed,
  ID_COUNT,
  type Selection,
  seen,
  WORDS,
  type Write,
} from './client-life.ts';
import { cellsLost, HOMES } from './homes.ts';
import { IS_SOAK, Rounds } from './rounds.ts';

/** Deeds of a life, on average. */
const DEED_COUNT = IS_SOAK ? 200 : 50;
/** Lives of a round, which are on one kind of backend. */
const LIVES_PER_ROUND = 15;

/**
 * Where the lives of the rounds take place, again and again: once on each kind, and oftener where a deed
 * takes less of the processor. Of that a deed takes 0.7 ms in memory and 1.2 in a directory, on a worker
 * thread 2 and 8, over HTTP 4, with two readers 17 (2026-11-29, on a core that others used as well).
 */
const PLACES: readonly string[] = [
  ...Object.keys(HOMES),
  'in memory, on a worker thread',
  'in memory, on a worker thread',
  'over HTTP without a socket',
  'in a directory, on a worker thread',
  ...Array.from({ length: 7 }, () => 'in a directory, on the calling thread'),
  ...Array.from({ length: 12 }, () => 'in memory, on the calling thread'),
];
/** A round's seed alone says where it takes place, so that the seed alone replays it. */
const placeOf = (seed: number): string => PLACES[seed % PLACES.length]!;
/** A multiple of the places: in every run of the tests there is a round on each kind. */
const SEED = 675_371 * PLACES.length;
const rounds = Rounds.inHalves(Object.keys(HOMES).length, SEED);

/** The round is the first of a run of its seed; how long a life is depends on who runs it. */
function replayOf(seed: number): string {
  return IS_SOAK
    ? `npm run soak -- model --rounds 1 --seed ${seed}`
    : `SOAK_SEED=${seed} npx vitest run test/soak/model.test.ts`;
}

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
      limit: fc.constant(null),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: fc.constant('delete'),
      of: someRecords,
      limit: fc.constantFrom(null, 0, 1, 5),
    }),
  },
);

const of = fc.nat(5);
const mark = fc.nat(99);
const kind = <Kind extends string>(...kinds: readonly Kind[]): fc.Arbitrary<Kind> =>
  fc.constantFrom(...kinds);
const memory = fc.constantFrom(...BUDGETS);
/** What is done to collections, with how often in some hundred and sixty deeds. */
const CALLS: readonly fc.WeightedArbitrary<Deed>[] = [
  { weight: 16, arbitrary: fc.record({ kind: kind('create', 'get or create'), of, mark }) },
  { weight: 48, arbitrary: fc.record({ kind: kind('write'), of, write: writes }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: kind('together'),
      of,
      writes: fc.array(writes, { minLength: 2, maxLength: 5 }),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      kind: kind('query'),
      of,
      which: selections,
      nResults: fc.constantFrom(1, 3, 50),
      asked: fc.constantFrom<Asked>({ exact: true }, {}, { recall: 0.5 }, { recall: 0.9 }),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      kind: kind('get'),
      of,
      which: selections,
      limit: fc.option(fc.nat(10)).map((limit) => limit || null),
      offset: fc.constantFrom(0, 0, 1, 7),
    }),
  },
  { weight: 20, arbitrary: fc.record({ kind: kind('count', 'peek', 'settle', 'verify', 'repair'), of }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('drop', 'fork'), of }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('modify'), of, mark, isRenamed: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: kind('wrong'),
      of,
      fault: kind('dimension', 'no embedding', 'NaN', 'limit alone'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: kind('list', 'clock jump') }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('other database', 'drop database'), of }) },
];

/**
 * Lives with so many departures, in quarters of the usual: a backup that is restored takes as long as thirty
 * calls, and to open threads takes longer still. A long life has some of each all the same.
 */
function livesWith(quarters: number): fc.Arbitrary<Deed[]> {
  const deeds = fc.oneof(
    ...CALLS.map(({ weight, arbitrary }) => ({ weight: 4 * weight, arbitrary })),
    { weight: 2 * quarters, arbitrary: fc.record({ kind: kind('other opener') }) },
    { weight: 6 * quarters, arbitrary: fc.record({ kind: kind('reopen', 'kill', 'lose indexes'), memory }) },
    { weight: quarters, arbitrary: fc.record({ kind: kind('back up and restore'), memory }) },
  );
  return fc.array(deeds, { minLength: DEED_COUNT / 2, maxLength: 1.5 * DEED_COUNT, size: 'max' });
}
/** Lives that were lived, by kind. */
const lived: Record<string, number> = {};

test(`${rounds.title} rounds of ${LIVES_PER_ROUND} lives: a client and its model agree on every kind of backend`, {
  timeout: rounds.timeout,
}, async () => {
  let deedCount = 0;
  for (const round of rounds) {
    const seed = rounds.seed + round;
    const name = placeOf(seed);
    const { isSlowToOpen, open } = HOMES[name]!;
    const lives = livesWith(isSlowToOpen && IS_SOAK ? 1 : 4);
    const life = fc.asyncProperty(fc.nat(), lives, async (seed, deeds) => {
      await ClientLife.live(open, seed, deeds);
      deedCount += deeds.length;
    });
    await fc.assert(life, { numRuns: LIVES_PER_ROUND, seed }).catch((error) => {
      throw new Error(`A life ${name} differs; again: ${replayOf(seed)}`, { cause: error });
    });
    lived[name] = (lived[name] ?? 0) + LIVES_PER_ROUND;
  }
  if (rounds.seed === SEED || rounds.done >= PLACES.length) {
    expect(Object.keys(lived).length).toBe(Math.min(rounds.done, Object.keys(HOMES).length));
    // Or to lose indexes and to search them would be nothing.
    expect(Math.min(cellsLost, seen.plans.cells)).toBeGreaterThan(0);
  }
  const lifeCount = Object.values(lived).reduce((sum, count) => sum + count, 0);
  const { user, system } = process.cpuUsage();
  const processorMinutes = Math.round((user + system) / 6e6) / 10;
  rounds.report({ lifeCount, deedCount, lives: lived, ...seen, cellsLost, processorMinutes, differences: 0 });
});
