/**
 * A process is killed again and again while it writes and its index absorbs, splits and keeps cells: nothing
 * that it acknowledged is lost, and what it left behind answers rightly at once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import type { CollectionScope, Neighbours } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { getRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase } from '../support/database.ts';
import { FAMILIES } from '../support/hard-vectors.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { NaiveCollection, type NaiveRecord, nearestRequest } from '../support/naive-collection.ts';
import { programPath } from '../support/programs.ts';
import { RecallTally } from '../support/recall-tally.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const PROGRAM = programPath('churning-process');

/** Kills of a run; more of them by `CRASH_KILLS=1000 npx vitest run test/model/crash.test.ts`. */
const KILLS = Number(process.env['CRASH_KILLS'] ?? 16);
const SEED = Number(process.env['CRASH_SEED'] ?? 20_261_123);
const MS_PER_KILL = 10_000;

const DIMENSION = 16;
/** Asked for besides the usual one, which among such vectors often takes an exact search. */
const MODEST_RECALL = 0.9;
const ID_COUNT = 500;
/** Writes that wait in the child's input, so that it never idles. */
const WRITES_AHEAD = 20;
/** Longest life of a child after its first acknowledged write, and after its start. */
const LIFE_MS_MAX = 150;
const START_MS_MAX = 300;

interface Write {
  readonly verb: 'add' | 'upsert' | 'update' | 'delete';
  readonly records: readonly NaiveRecord[];
}

function apply(model: NaiveCollection, { verb, records }: Write): void {
  if (verb === 'delete') model.delete({ ids: records.map(({ id }) => id) });
  else if (verb === 'update') model.update(records, true);
  else model[verb](records);
}

/** The writes of all lives: as many as are asked for, always the same for a seed. */
class Writes {
  readonly #chance = seededNumbers(SEED);
  readonly #draws = (['gaussian', 'duplicates'] as const).map((family) =>
    FAMILIES[family](DIMENSION, this.#chance),
  );
  readonly #made: Write[] = [];

  at(number: number): Write {
    while (this.#made.length <= number) this.#made.push(this.#next());
    return this.#made[number]!;
  }

  #next(): Write {
    const verb = (['add', 'upsert', 'upsert', 'update', 'delete'] as const)[Math.floor(this.#chance() * 5)]!;
    const first = Math.floor(this.#chance() * ID_COUNT);
    const count = 1 + Math.floor(this.#chance() * 40);
    const draw = this.#draws[Math.floor(this.#chance() * this.#draws.length)]!;
    const records = Array.from({ length: count }, (_, i) => ({
      id: `r${(first + i) % ID_COUNT}`,
      embedding: draw(),
      group: 0,
      word: '',
    }));
    return { verb, records };
  }
}

function lineOf(number: number, { verb, records }: Write): string {
  const ids = records.map(({ id }) => id);
  const values = verb === 'delete' ? [] : records.flatMap(({ embedding }) => Array.from(embedding));
  return `${JSON.stringify({ number, verb, ids, dimension: DIMENSION, values })}\n`;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Lets a child write from `first` on and kills it: mostly some time after its first write, else some time
 * after its start. Returns the number after the last write that it acknowledged.
 */
async function lifeAndDeath(
  path: string,
  scope: CollectionScope,
  writes: Writes,
  first: number,
  chance: () => number,
): Promise<number> {
  const parameters = [PROGRAM, path, JSON.stringify(scope), JSON.stringify(SMALL_INDEX)];
  const child: ChildProcess = spawn(process.execPath, parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  // What the dead process did not read any more is nobody's fault.
  child.stdin!.on('error', () => {});
  const exited = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('close', (_, signal) => resolve(signal));
  });
  let sent = first;
  let stored = first;
  const send = (): void => {
    child.stdin!.write(lineOf(sent, writes.at(sent)));
    sent++;
  };
  const begun = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      expect(Number(line)).toBe(stored);
      stored++;
      send();
      resolve();
    });
  });
  for (let i = 0; i < WRITES_AHEAD; i++) send();
  const isEarly = chance() < 0.2;
  if (!isEarly) await Promise.race([begun, exited]);
  await wait(chance() * (isEarly ? START_MS_MAX : LIFE_MS_MAX));
  child.kill('SIGKILL');
  // Any other end is a fault of the child.
  expect(await exited).toBe('SIGKILL');
  return stored;
}

/** Opens a copy of what was left behind, compares it with the model, and tells what was found there. */
async function examine(
  path: string,
  scope: CollectionScope,
  models: readonly NaiveCollection[],
  tally: RecallTally,
): Promise<{ model: NaiveCollection; savedPosition: number }> {
  const backend = await openDatabase(
    { path, threads: 0, durability: 'relaxed' },
    { indexTuning: SMALL_INDEX },
  );
  try {
    const { ids, embeddings } = await backend.get(scope, getRequest({ include: ['embeddings'] }));
    // The write under way at the end is stored whole or not at all; which, nobody was told.
    const model = models.find(({ records }) => {
      if (ids.length !== records.size) return false;
      return [...records.values()].every(
        ({ id, embedding }, i) =>
          ids[i] === id && embedding.every((x, d) => x === embeddings!.values[i * DIMENSION + d]),
      );
    });
    expect(model, 'The records are those of the acknowledged writes.').toBeDefined();
    const records = [...model!.records.values()];
    if (records.length === 0) return { model: model!, savedPosition: 0 };
    const queries = records.map(({ embedding }) => embedding);
    const expected = queries.map((query) => model!.nearest(query, 3));
    const hitsOf = ({ ids, distances }: Neighbours): unknown =>
      ids.map((id, i) => ({ id, distance: distances![i] }));
    expect((await backend.query(scope, nearestRequest(queries, 3, 1))).map(hitsOf)).toEqual(expected);
    const { sequence, vectors } = await backend.statistics(scope);
    expect(vectors).toMatchObject({ position: sequence, lag: 0 });
    expect(vectors.savedPosition).toBeLessThanOrEqual(sequence);
    const search = async (recall: number | null): Promise<void> => {
      const answers = await backend.query(scope, nearestRequest(queries, 3, recall));
      for (const [i, found] of answers.entries()) {
        expect(found.ids).toHaveLength(expected[i]!.length);
        const hits = Array.from(found.distances!, (distance) => ({ distance }));
        tally.note(recall, hits, expected[i]!);
        if (recall !== null) tally.noteWay(found.plan?.kind === 'cells');
      }
    };
    await search(null);
    await search(MODEST_RECALL);
    const whole = { recordCount: records.length, faultCount: 0, faults: [] };
    expect(await backend.verify(scope)).toMatchObject(whole);
    await backend.settle(scope);
    expect(await backend.verify(scope)).toMatchObject(whole);
    await search(null);
    await search(MODEST_RECALL);
    return { model: model!, savedPosition: vectors.savedPosition };
  } finally {
    await backend.close();
  }
}

test(`${KILLS} kills (seed ${SEED}) lose nothing and leave an index that answers rightly`, {
  timeout: KILLS * MS_PER_KILL,
}, async () => {
  const path = join(temporaryDirectory(), 'killed');
  const copy = `${path}-copy`;
  const here = await openTestDatabase({ path });
  const scope = await makeCollection(here);
  await here.close();
  const chance = seededNumbers(SEED + 1);
  const writes = new Writes();
  const tally = new RecallTally();
  let model = new NaiveCollection('l2');
  let done = 0;
  let keptCount = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const stored = await lifeAndDeath(path, scope, writes, done, chance);
    for (; done < stored; done++) apply(model, writes.at(done));
    const withNext = new NaiveCollection('l2');
    withNext.add([...model.records.values()]);
    apply(withNext, writes.at(done));
    // The next child finds what this one left, and not what an examiner made of it.
    cpSync(path, copy, { recursive: true });
    const found = await examine(copy, scope, [model, withNext], tally);
    rmSync(copy, { recursive: true });
    if (found.model === withNext) done++;
    model = found.model;
    if (found.savedPosition > 0) keptCount++;
  }
  // Were no cells ever kept, or nothing written, the kills would have met nothing.
  expect(done).toBeGreaterThan(KILLS);
  expect(keptCount).toBeGreaterThan(0);
  expect(tally.inCellsShare).toBeGreaterThan(0.3);
  expect(tally.shortfalls()).toEqual([]);
});
