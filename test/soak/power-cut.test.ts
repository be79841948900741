/**
 * The power fails: at moments of a recorded life, what is on the disk for certain and any part of what is
 * not yet synced is written to a folder, opened and compared with what was acknowledged by then.
 *
 * The recorder is strace. Where it cannot run, these tests are skipped and say so.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DatabaseError, seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { SCOPE } from '../support/database.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { Disk, type NameOrder } from './disk.ts';
import { Rounds } from './rounds.ts';
import { type Habits, MIXED, type State, Stream, statesOf, textOf, textsFound } from './streams.ts';
import { type Event, eventsOf, recorderFault, recording } from './system-calls.ts';
import { type Progress, Writer, type WriterOptions } from './writer.ts';

/** Variants of lives that each Node looks at in every run of the tests: a thousand states. */
const rounds = new Rounds(16, 20_261_127);
/** States that the checks of the explorer itself look at. */
const CHECK_COUNT = 100;
const STREAM_COUNT = 2;
/** Moments of a recorded life at which the power fails, and states drawn at each. */
const CUT_COUNT = 13;
const STATES_PER_CUT = 5;
const RECORDING_MS = 120_000;

/** Lives by what they mostly do. */
const WORKLOADS: Readonly<Record<string, { readonly habits: Habits; readonly commandCount: number }>> = {
  ingest: { habits: { ...MIXED, dropChance: 0, deleteChance: 0, settleChance: 0 }, commandCount: 20 },
  delete: { habits: { ...MIXED, dropChance: 0.15, deleteChance: 0.6, settleChance: 0 }, commandCount: 30 },
  absorb: { habits: { ...MIXED, dropChance: 0, deleteChance: 0.2, settleChance: 0.5 }, commandCount: 30 },
  vacuum: { habits: { ...MIXED, dropChance: 0, deleteChance: 0.7, settleChance: 0.5 }, commandCount: 40 },
};

/** What a disk may do. */
const VARIANTS = (['ordered', 'adversarial'] as const).flatMap((order) =>
  [512, 4_096].map((sectorBytes) => ({ order, sectorBytes })),
);

const fault = recorderFault();
if (fault !== null) console.warn(`POWER CUTS ARE NOT TESTED: ${fault}.`);

/** A life as the disk saw it, with all states of its streams. */
interface Recorded {
  readonly root: string;
  readonly events: readonly Event[];
  readonly streams: readonly Stream[];
}

async function record(name: string, seed: number, options: Partial<WriterOptions> = {}): Promise<Recorded> {
  const { habits, commandCount } = WORKLOADS[name]!;
  const directory = temporaryDirectory();
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
  return { root, events, streams };
}

/** What a state is worth: all acknowledged is there; some is not; what is there never was; unreadable. */
type Verdict = 'ok' | 'lost' | 'partial' | 'corrupt';

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

async function judge(
  path: string,
  streams: readonly Stream[],
  histories: readonly History[],
  acknowledged: readonly number[],
): Promise<{ verdict: Verdict; why: unknown }> {
  let backend: Awaited<ReturnType<typeof openDatabase>> | undefined;
  try {
    backend = await openDatabase({ path, threads: 0, durability: 'relaxed' }, { indexTuning: SMALL_INDEX });
    const texts = await textsFound(backend);
    for (const { id } of await backend.listCollections(SCOPE, { limit: null, offset: 0 })) {
      const report = await backend.verify({ ...SCOPE, collectionId: id });
      if (report.faultCount > 0) return { verdict: 'corrupt', why: report.faults };
    }
    const verdicts = streams.map(({ name }, i) =>
      histories[i]!.judge(texts.get(name) ?? 'no collection', acknowledged[i]!),
    );
    const worst = (['partial', 'lost'] as const).find((each) => verdicts.includes(each));
    return { verdict: worst ?? 'ok', why: { verdicts, acknowledged: [...acknowledged] } };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return { verdict: 'corrupt', why: error };
  } finally {
    await backend?.close();
  }
}

type Tally = Record<Verdict, number> & { firstFault: unknown };

/** Cuts a recorded life at `cutCount` random moments, `STATES_PER_CUT` times each. */
async function explore(
  { root, events, streams }: Recorded,
  order: NameOrder,
  sectorBytes: number,
  cutCount: number,
  chance: () => number,
): Promise<Tally> {
  const tally: Tally = { ok: 0, lost: 0, partial: 0, corrupt: 0, firstFault: null };
  const histories = streams.map((stream) => new History(stream, 60));
  const cuts = Array.from({ length: cutCount }, () => Math.floor(chance() * events.length));
  const disk = new Disk(root, order);
  const acknowledged = streams.map(() => 0);
  const scratch = mkdtempSync(join(tmpdir(), 'tessera-power-cut-'));
  for (const [i, event] of events.entries()) {
    disk.do(event);
    if (event.kind === 'say') noteSaid(event.text, acknowledged);
    for (const cut of cuts) {
      if (cut !== i) continue;
      for (let state = 0; state < STATES_PER_CUT; state++) {
        const target = join(scratch, 'data');
        disk.writeCut(target, { sectorBytes, chance });
        const { verdict, why } = await judge(target, streams, histories, acknowledged);
        tally[verdict]++;
        if (verdict !== 'ok') tally.firstFault ??= { order, sectorBytes, event: i, verdict, why };
        rmSync(target, { recursive: true });
      }
    }
  }
  rmSync(scratch, { recursive: true });
  return tally;
}

function noteSaid(text: string, acknowledged: number[]): void {
  const [, stream, number] = /^(\d+) (\d+)\n$/.exec(text) ?? [];
  if (stream !== undefined) acknowledged[Number(stream)] = Number(number) + 1;
}

// Without a recorder there is nothing to explore; `recorderFault` says why there is none.
describe.skipIf(fault !== null)('after a power cut', () => {
  test(`${rounds.title} lives: all that was acknowledged is there, and whole batches`, {
    timeout: rounds.timeout,
  }, async () => {
    const chance = seededNumbers(rounds.seed);
    const names = Object.keys(WORKLOADS);
    const total = { ok: 0, lost: 0, partial: 0, corrupt: 0 };
    let recorded: Recorded | undefined;
    for (const round of rounds) {
      // Each life is looked at in every variant before the next one is recorded.
      const { order, sectorBytes } = VARIANTS[round % VARIANTS.length]!;
      const life = Math.floor(round / VARIANTS.length);
      const name = names[life % names.length]!;
      if (round % VARIANTS.length === 0) recorded = await record(name, rounds.seed + life);
      const tally = await explore(recorded!, order, sectorBytes, CUT_COUNT, chance);
      expect(tally.firstFault, `${name} (seed ${rounds.seed})`).toBeNull();
      for (const verdict of Object.keys(total) as (keyof typeof total)[]) total[verdict] += tally[verdict];
    }
    expect(total.ok).toBe(rounds.done * CUT_COUNT * STATES_PER_CUT);
    rounds.report({ states: total.ok, lost: total.lost, partial: total.partial, corrupt: total.corrupt });
  });

  test.each(VARIANTS)(
    'the explorer sees that `relaxed` may lose and never damages: $order, $sectorBytes',
    async ({ order, sectorBytes }) => {
      const chance = seededNumbers(rounds.seed);
      const recorded = await record('absorb', rounds.seed, { durability: 'relaxed' });
      const tally = await explore(recorded, order, sectorBytes, CHECK_COUNT / STATES_PER_CUT, chance);
      expect(tally).toMatchObject({ partial: 0, corrupt: 0 });
      expect(tally.lost).toBeGreaterThan(0);
    },
    RECORDING_MS,
  );

  test(
    'the explorer sees the damage where nothing is ever synced',
    async () => {
      const chance = seededNumbers(rounds.seed);
      const recorded = await record('absorb', rounds.seed);
      const unsynced = { ...recorded, events: recorded.events.filter(({ kind }) => kind !== 'sync') };
      const tally = await explore(unsynced, 'ordered', 512, CHECK_COUNT / STATES_PER_CUT, chance);
      expect(tally.corrupt).toBeGreaterThan(0);
      expect(tally.lost).toBeGreaterThan(0);
    },
    RECORDING_MS,
  );
});
