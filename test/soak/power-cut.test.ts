/**
 * The power fails in the lives of two collections: all that was acknowledged is there, each batch whole, and
 * nothing is left of what was deleted for good.
 *
 * The recorder is strace. Where it cannot run, these tests are skipped and say so.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { DatabaseError, seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { SCOPE } from '../support/database.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { fleetingDirectory } from '../support/temporary.ts';
import {
  type Examination,
  type Judgement,
  PowerCuts,
  type Recorded,
  STATES_PER_CUT,
  VARIANTS,
  type Verdict,
} from './power-cuts.ts';
import { IS_SOAK, Rounds } from './rounds.ts';
import { type Habits, MIXED, type State, Stream, statesOf, textOf, textsFound } from './streams.ts';
import { eventsOf, recorderFault, recording } from './system-calls.ts';
import { type Progress, Writer, type WriterOptions } from './writer.ts';

/** Variants of lives that are looked at in every run of the tests: a thousand states. */
const rounds = Rounds.inHalves(16, 20_261_127);
/** States that the checks of the explorer itself look at. */
const CHECK_COUNT = 60;
const STREAM_COUNT = 2;
/** Moments of a recorded life at which the power fails; recording one takes as long as 200 states. */
const CUT_COUNT = IS_SOAK ? 40 : 13;
const RECORDING_MS = 120_000;

/** Lives by what they mostly do. */
const WORKLOADS: Readonly<Record<string, { readonly habits: Habits; readonly commandCount: number }>> = {
  ingest: { habits: { ...MIXED, dropChance: 0, deleteChance: 0, settleChance: 0 }, commandCount: 20 },
  delete: { habits: { ...MIXED, dropChance: 0.15, deleteChance: 0.6, settleChance: 0 }, commandCount: 30 },
  absorb: { habits: { ...MIXED, dropChance: 0, deleteChance: 0.2, settleChance: 0.5 }, commandCount: 30 },
  vacuum: { habits: { ...MIXED, dropChance: 0, deleteChance: 0.7, settleChance: 0.5 }, commandCount: 40 },
};

const fault = recorderFault();
if (fault !== null) console.warn(`POWER CUTS ARE NOT TESTED: ${fault}.`);

async function record(
  name: string,
  seed: number,
  options: Partial<WriterOptions> = {},
): Promise<Recorded & { readonly streams: readonly Stream[] }> {
  const { habits, commandCount } = WORKLOADS[name]!;
  const directory = fleetingDirectory();
  const root = join(directory, 'data');
  const log = join(directory, 'calls');
  const streams = Array.from({ length: STREAM_COUNT }, (_, i) => new Stream(i, seed, habits));
  const progress: Progress[] = streams.map((stream) => ({ stream, state: null, done: 0 }));
  // Few pages in the log, so that it is often folded into the file.
  const settings = { path: root, tuning: SMALL_INDEX, walPagesMax: 60, ...options };
  const writer = new Writer(settings, progress, recording(log));
  writer.send(commandCount);
  writer.end();
  expect(await writer.ended).toBe(0);
  const events = eventsOf(log, root);
  expect(events.filter(({ kind }) => kind === 'sync').length).toBeGreaterThan(0);
  rmSync(directory, { recursive: true });
  return { root, events, before: null, streams };
}

/** The texts of all states of a stream, and after which command each may first be seen. */
class History {
  readonly #texts: { readonly text: string; readonly first: number; readonly last: number }[] = [];

  constructor(stream: Stream, commandCount: number) {
    let state: State = null;
    for (let number = 0; number < commandCount; number++) {
      const states = statesOf(state, stream.at(number));
      for (const [call, each] of states.entries()) {
        const last = call === states.length - 1 ? number + 1 : number;
        this.#texts.push({ text: textOf(each), first: number, last });
      }
      state = states.at(-1)!;
    }
  }

  /** Judges a text found after so many commands were acknowledged. */
  judge(text: string, acknowledged: number): Verdict {
    const found = this.#texts.filter((each) => each.text === text);
    if (found.length === 0) return 'partial';
    return found.some(({ first, last }) => last >= acknowledged && first <= acknowledged) ? 'ok' : 'lost';
  }
}

/** What each stream's collection says, or why nothing can be believed. */
type Found = { readonly texts: ReadonlyMap<string, string> } | { readonly why: unknown };

/** One of so many states is read by somebody who may not write before it is opened by somebody who may. */
const READER_EVERY = 4;
let examinedCount = 0;

/** What a reader sees; `null` where it is told to let somebody open the database for writing first. */
async function textsForReader(path: string): Promise<Map<string, string> | null> {
  let backend: Backend | undefined;
  try {
    backend = await openDatabase({ path, threads: 0, readOnly: true });
    return await textsFound(backend);
  } catch (error) {
    const codes = ['TESSERA_NOT_A_DATABASE', 'TESSERA_READ_ONLY'];
    if (!(error instanceof DatabaseError) || !codes.includes(error.code)) throw error;
    return null;
  } finally {
    await backend?.close();
  }
}

async function examine(path: string): Promise<Found> {
  let backend: Backend | undefined;
  try {
    const read = examinedCount++ % READER_EVERY === 0 ? await textsForReader(path) : null;
    backend = await openDatabase({ path, threads: 0, durability: 'relaxed' }, { indexTuning: SMALL_INDEX });
    const texts = await textsFound(backend);
    if (read !== null) expect(read, 'readers see what writers see').toEqual(texts);
    const collections = await backend.listCollections(SCOPE, { limit: null, offset: 0 });
    for (const { id } of collections) {
      const report = await backend.verify({ ...SCOPE, collectionId: id });
      if (report.faultCount > 0) return { why: report.faults };
    }
    const strays = readdirSync(join(path, 'collections')).filter(
      (file) => !collections.some(({ id }) => file.startsWith(id)),
    );
    return strays.length === 0 ? { texts } : { why: { strays } };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return { why: error };
  } finally {
    await backend?.close();
  }
}

function examinationOf(streams: readonly Stream[]): Examination<Found> {
  const histories = streams.map((stream) => new History(stream, 60));
  const judge = (found: Found, said: readonly string[]): Judgement => {
    if ('why' in found) return { verdict: 'corrupt', why: found.why };
    const acknowledged = acknowledgedBy(said);
    const verdicts = streams.map(({ name }, i) =>
      histories[i]!.judge(found.texts.get(name) ?? 'no collection', acknowledged[i]!),
    );
    const worst = (['partial', 'lost'] as const).find((each) => verdicts.includes(each));
    return { verdict: worst ?? 'ok', why: { verdicts, acknowledged } };
  };
  return { examine, judge };
}

/** Commands of each stream that were acknowledged. */
function acknowledgedBy(said: readonly string[]): number[] {
  const counts = Array.from({ length: STREAM_COUNT }, () => 0);
  for (const text of said) {
    const [, stream, number] = /^(\d+) (\d+)$/.exec(text) ?? [];
    if (stream !== undefined) counts[Number(stream)] = Number(number) + 1;
  }
  return counts;
}

// Without a recorder there is nothing to explore; `recorderFault` says why there is none.
describe.skipIf(fault !== null)('after a power cut', () => {
  test(`${rounds.title} lives: all that was acknowledged is there, and whole batches`, {
    timeout: rounds.timeout,
  }, async () => {
    const chance = rounds.chance();
    const names = Object.keys(WORKLOADS);
    const total = { ok: 0, lost: 0, partial: 0, corrupt: 0, different: 0 };
    let cuts: PowerCuts<Found> | undefined;
    for (const round of rounds) {
      // Each life is looked at in every variant before the next one is recorded.
      const life = Math.floor(round / VARIANTS.length);
      const name = names[life % names.length]!;
      if (round % VARIANTS.length === 0) {
        const recorded = await record(name, rounds.seed + life);
        cuts = new PowerCuts(recorded, examinationOf(recorded.streams));
      }
      const tally = await cuts!.explore(VARIANTS[round % VARIANTS.length]!, CUT_COUNT, chance);
      expect(tally.firstFault, `${name} (seed ${rounds.seed + life})`).toBeNull();
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += tally[key];
    }
    const { ok: states, ...others } = total;
    expect(states).toBe(rounds.done * CUT_COUNT * STATES_PER_CUT);
    rounds.report({ states, ...others });
  });

  test.each(VARIANTS)(
    'the explorer sees that `relaxed` may lose and never damages: $order, $sectorBytes',
    async (variant) => {
      const chance = seededNumbers(rounds.seed);
      // What is done to a file must not outlive what the catalogue says of it, nor the other way round.
      const name = variant.sectorBytes === 512 ? 'absorb' : 'delete';
      const recorded = await record(name, rounds.seed, { durability: 'relaxed' });
      const cuts = new PowerCuts(recorded, examinationOf(recorded.streams));
      const tally = await cuts.explore(variant, CHECK_COUNT / STATES_PER_CUT, chance);
      expect(tally).toMatchObject({ partial: 0, corrupt: 0 });
      expect(tally.lost).toBeGreaterThan(0);
    },
    RECORDING_MS,
  );

  test(
    'the explorer sees the damage where nothing is ever synced',
    async () => {
      const chance = seededNumbers(rounds.seed);
      const { streams, ...recorded } = await record('absorb', rounds.seed);
      const events = recorded.events.filter(({ kind }) => kind !== 'sync');
      const cuts = new PowerCuts({ ...recorded, events }, examinationOf(streams));
      const tally = await cuts.explore(VARIANTS[0]!, CHECK_COUNT / STATES_PER_CUT, chance);
      expect(tally.corrupt).toBeGreaterThan(0);
      expect(tally.lost).toBeGreaterThan(0);
    },
    RECORDING_MS,
  );
});
