/**
 * Four processes write and read the same few records of one directory, one of them is killed, and what all
 * of them saw must be linearizable, record by record: no lost update, no stale read, no torn batch, no lock
 * that a dead process leaves behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { makeCollection } from '../support/database.ts';
import { type Action, isLinearizable, type Operation } from '../support/history.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { Rounds } from './rounds.ts';

const PROGRAM = new URL('./clashing-process.mjs', import.meta.url).pathname;
/** Clashes of each Node in every run of the tests. */
const rounds = new Rounds(5, 20_261_130);
const PROCESS_COUNT = 4;
const ID_COUNT = 8;
/** How long a clash goes on after the last process has begun, and when in it one is killed at the latest. */
const CLASH_MS = 1_000;
const KILL_MS_MAX = 800;

interface Call {
  readonly madeAt: number;
  readonly kind: string;
  readonly value: string;
  readonly ids: readonly string[];
  answeredAt: number;
  seen: readonly (string | null)[] | null;
}

/** A process at work, and the calls that it told of. */
class Clasher {
  readonly child: ChildProcess;
  readonly calls = new Map<string, Call>();
  readonly begun: Promise<void>;
  readonly ended: Promise<NodeJS.Signals | number | null>;

  constructor(options: object) {
    const stdio: ('pipe' | 'inherit')[] = ['pipe', 'pipe', 'inherit'];
    this.child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio });
    onTestFinished(() => {
      this.child.kill('SIGKILL');
    });
    this.child.stdin!.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve(signal ?? code));
    });
    this.begun = new Promise((resolve) => {
      createInterface({ input: this.child.stdout! }).on('line', (line) => {
        this.#hear(line.split(' '));
        resolve();
      });
      void this.ended.then(() => resolve());
    });
  }

  #hear([what, client, number, time, ...rest]: string[]): void {
    const key = `${client} ${number}`;
    // Nanoseconds since the machine's start, exact to some ten of them as a number.
    const at = Number(time);
    if (what === 'made') {
      const [kind, value, ids] = rest;
      this.calls.set(key, {
        madeAt: at,
        kind: kind!,
        value: value!,
        ids: ids!.split(','),
        answeredAt: Number.POSITIVE_INFINITY,
        seen: null,
      });
    } else if (rest.length > 0) {
      const call = this.calls.get(key)!;
      call.answeredAt = at;
      call.seen = JSON.parse(rest.join(' '));
    }
  }
}

/** The part of the calls that is about one record. */
function historyOf(id: string, calls: readonly Call[]): Operation[] {
  return calls.flatMap(({ madeAt, answeredAt, kind, value, ids, seen }): Operation[] => {
    const place = ids.indexOf(id);
    // A read that was never answered says nothing.
    if (place === -1 || (kind === 'read' && seen === null)) return [];
    const action = { kind, ...(kind === 'read' ? { value: seen![place] } : { value }) } as Action;
    return [{ action, madeAt, answeredAt }];
  });
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets processes clash in a new directory; gives all their calls. */
async function clash(seed: number, chance: () => number): Promise<Call[]> {
  const path = join(temporaryDirectory(), 'shared');
  const maker = await openDatabase({ path, threads: 0 });
  await makeCollection(maker, 'shared');
  await maker.close();
  const start = (number: number): Clasher => {
    const threads = number % 2 === 0 ? 0 : 2;
    return new Clasher({
      path,
      seed: seed * 1_000 + number * 10,
      name: `p${number}`,
      threads,
      idCount: ID_COUNT,
    });
  };
  const clashers = Array.from({ length: PROCESS_COUNT }, (_, i) => start(i));
  await Promise.all(clashers.map(({ begun }) => begun));
  const victim = clashers[Math.floor(chance() * PROCESS_COUNT)]!;
  const killAfterMs = chance() * KILL_MS_MAX;
  await wait(killAfterMs);
  victim.child.kill('SIGKILL');
  // Another one takes its place, and finds no lock in its way.
  clashers.push(start(PROCESS_COUNT));
  await clashers.at(-1)!.begun;
  await wait(CLASH_MS - killAfterMs);
  for (const { child } of clashers) child.stdin!.end();
  for (const clasher of clashers) expect(await clasher.ended).toBe(clasher === victim ? 'SIGKILL' : 0);
  return clashers.flatMap(({ calls }) => [...calls.values()]);
}

test(`${rounds.title} clashes of ${PROCESS_COUNT} processes, one of them killed, are linearizable`, {
  timeout: rounds.timeout,
}, async () => {
  const chance = seededNumbers(rounds.seed);
  let callCount = 0;
  let operationCount = 0;
  for (const round of rounds) {
    const calls = await clash(rounds.seed + round, chance);
    callCount += calls.length;
    for (let i = 0; i < ID_COUNT; i++) {
      const history = historyOf(`r${i}`, calls);
      operationCount += history.length;
      const isRight = isLinearizable(history);
      const told = isRight ? '' : JSON.stringify(history.sort((a, b) => a.madeAt - b.madeAt));
      expect(isRight, `r${i} in round ${round} (seed ${rounds.seed}): ${told}`).toBe(true);
    }
  }
  // Were there hardly any calls, they could hardly clash.
  expect(callCount).toBeGreaterThan(100 * rounds.done);
  rounds.report({ clashes: rounds.done, calls: callCount, operations: operationCount, anomalies: 0 });
});
