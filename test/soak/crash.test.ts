/**
 * A process that adds, upserts, updates, deletes, creates and drops in four collections at once is killed
 * at random moments, again and again: nothing acknowledged is lost, no batch is stored in part, nothing is
 * damaged.
 */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/engine/index.ts';
import { SCOPE } from '../support/database.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { fleetingDirectory } from '../support/temporary.ts';
import { Rounds } from './rounds.ts';
import { Stream, statesOf, whichStates } from './streams.ts';
import { advance, type Progress, Writer } from './writer.ts';

/** Kills in every run of the tests. */
const rounds = Rounds.inHalves(50, 20_261_125);
const STREAM_COUNT = 4;
/** Commands that wait in the process's input, so that it never idles. */
const AHEAD = 6;
/** Longest life after the first acknowledgement, and after the start. */
const LIFE_MS_MAX = 150;
const START_MS_MAX = 250;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets a process work and kills it: mostly some time after its first acknowledgement. */
async function lifeAndDeath(writer: Writer, chance: () => number): Promise<void> {
  writer.send(AHEAD);
  const isEarly = chance() < 0.2;
  if (!isEarly) await writer.begun;
  await wait(chance() * (isEarly ? START_MS_MAX : LIFE_MS_MAX));
  writer.kill();
  // Any other end is a fault of the process.
  expect(await writer.ended).toBe('SIGKILL');
}

test(`${rounds.title} kills among calls to ${STREAM_COUNT} collections lose nothing acknowledged`, {
  timeout: rounds.timeout,
}, async () => {
  const path = join(fleetingDirectory(), 'killed');
  const copy = `${path}-copy`;
  const chance = rounds.chance();
  const streams: Progress[] = Array.from({ length: STREAM_COUNT }, (_, i) => {
    return { stream: new Stream(i, rounds.seed), state: null, done: 0 };
  });
  const reopenMs: number[] = [];
  let keptCount = 0;
  for (const round of rounds) {
    const threads = round % 3 === 2 ? 2 : 0;
    const tuning = threads === 0 ? { tuning: SMALL_INDEX } : {};
    const writer = new Writer({ path, threads, isSerial: false, ...tuning }, streams);
    await lifeAndDeath(writer, chance);
    for (const [i, progress] of streams.entries()) advance(progress, writer.acknowledged[i]!);
    if (!existsSync(path)) {
      // Killed before there was anything.
      expect(streams.every(({ done }) => done === 0)).toBe(true);
      continue;
    }
    // The next process finds what this one left, and not what an examiner made of it.
    cpSync(path, copy, { recursive: true });
    const start = performance.now();
    const backend = await openDatabase({ path: copy, threads: 0 }, { indexTuning: SMALL_INDEX });
    const candidates = streams.map(({ stream, state, done }) => {
      return { name: stream.name, states: statesOf(state, stream.at(done)) };
    });
    for (const { id } of await backend.listCollections(SCOPE, { limit: null, offset: 0 })) {
      await backend.count({ ...SCOPE, collectionId: id });
    }
    reopenMs.push(performance.now() - start);
    const which = await whichStates(backend, candidates);
    await backend.close();
    rmSync(copy, { recursive: true });
    // What was stored of the command that nobody was told about stays: the stream goes on after it.
    for (const [i, progress] of streams.entries()) {
      if (which[i] === 0) continue;
      keptCount++;
      progress.state = candidates[i]!.states[which[i]!]!;
      progress.done++;
    }
  }
  const commandCount = streams.reduce((total, { done }) => total + done, 0);
  // Were hardly anything written, the kills would have met nothing.
  expect(commandCount).toBeGreaterThan(rounds.done);
  rounds.report({
    kills: rounds.done,
    commands: commandCount,
    storedUnacknowledged: keptCount,
    lost: 0,
    partial: 0,
    corrupt: 0,
    reopenMsMax: Math.round(Math.max(...reopenMs)),
  });
});
