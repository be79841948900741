/**
 * A process is cut off at every point of our own code where that can matter: before and after each
 * statement, commit, opening and closing that goes to SQLite and each operation on files.
 *
 * A kill leaves exactly what the files hold at that moment. So one process copies its directory at every
 * point where it differs from the point before, with what it had acknowledged by then, and each copy is
 * opened and compared. That copies are what kills leave is shown by kills at some of the points.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/engine/index.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { fleetingDirectory } from '../support/temporary.ts';
import { Rounds } from './rounds.ts';
import { Stream, statesOf, whichStates } from './streams.ts';
import { advance, type Progress, Writer } from './writer.ts';

/** Lives whose points are all looked at. */
const rounds = new Rounds(1, 20_261_126);
/** Commands of each of two streams. */
const COMMAND_COUNT = 26;
/** Real kills of a life, at points evenly apart. */
const KILL_COUNT = 12;

function newStreams(seed: number): Progress[] {
  const habits = { dropChance: 0.1, deleteChance: 0.35, settleChance: 0.3, burstChance: 0.3 };
  return [0, 1].map((i) => ({ stream: new Stream(i, seed, habits), state: null, done: 0 }));
}

/** Opens what was left, which must be where the streams may stand. */
async function examine(path: string, streams: readonly Progress[]): Promise<void> {
  const backend = await openDatabase(
    { path, threads: 0, durability: 'relaxed' },
    { indexTuning: SMALL_INDEX },
  );
  try {
    const states = streams.map(({ stream, state, done }) => {
      return { name: stream.name, states: statesOf(state, stream.at(done)) };
    });
    await whichStates(backend, states);
  } finally {
    await backend.close();
  }
}

/** Examines the copies of a life; gives the number of points and of the copies. */
async function examineAllPoints(path: string, seed: number): Promise<{ points: number; copies: number }> {
  const copyTo = `${path}-points`;
  mkdirSync(copyTo);
  const writer = new Writer({ path, tuning: SMALL_INDEX, copyTo }, newStreams(seed));
  writer.send(COMMAND_COUNT);
  writer.end();
  expect(await writer.ended).toBe(0);
  const streams = newStreams(seed);
  const numbers = readdirSync(copyTo).map(Number);
  for (const number of numbers.sort((a, b) => a - b)) {
    const folder = join(copyTo, String(number));
    const { what, acknowledged } = JSON.parse(readFileSync(join(folder, 'point.json'), 'utf8'));
    for (const [i, progress] of streams.entries()) advance(progress, (acknowledged[i] ?? -1) + 1);
    if (existsSync(join(folder, 'data'))) {
      await examine(join(folder, 'data'), streams).catch((error) => {
        throw new Error(`At point ${number}, ${what} (seed ${seed}).`, { cause: error });
      });
    }
    rmSync(folder, { recursive: true });
  }
  return { points: writer.pointCount, copies: numbers.length };
}

test(`${rounds.title} lives cut off at every point lose nothing acknowledged`, {
  timeout: rounds.timeout,
}, async () => {
  const figures = { points: 0, copies: 0, kills: 0 };
  for (const round of rounds) {
    const path = join(fleetingDirectory(), 'life');
    const seed = rounds.seed + round;
    const { points, copies } = await examineAllPoints(path, seed);
    // Each command has a good many points.
    expect(points).toBeGreaterThan(20 * COMMAND_COUNT);
    figures.points += points;
    figures.copies += copies;
    for (let kill = 0; kill < KILL_COUNT; kill++) {
      const killed = `${path}-${kill}`;
      const streams = newStreams(seed);
      const killAt = 1 + Math.floor((kill * points) / KILL_COUNT + ((round * 7) % (points / KILL_COUNT)));
      const writer = new Writer({ path: killed, tuning: SMALL_INDEX, killAt }, streams);
      writer.send(COMMAND_COUNT);
      writer.end();
      const ending = await writer.ended;
      // Upkeep goes by the clock, so that another life of the same commands may have fewer points.
      const isAtEnd = ending === 0 && writer.pointCount < killAt;
      if (!isAtEnd) expect(ending, `killed at point ${killAt} of ${points}`).toBe('SIGKILL');
      for (const [i, progress] of streams.entries()) advance(progress, writer.acknowledged[i]!);
      if (existsSync(killed)) await examine(killed, streams);
      if (!isAtEnd) figures.kills++;
    }
  }
  expect(figures.kills).toBeGreaterThan(0);
  rounds.report({ ...figures, lost: 0, partial: 0, corrupt: 0 });
});
