/**
 * Processes that write and read the same few records at once, what they tell of their calls, and whether
 * that can have happened. Each process is a `clashing-process.mjs`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import { type Action, isLinearizable, type Operation } from '../support/history.ts';
import { programPath } from '../support/programs.ts';
import type { Rounds } from './rounds.ts';

const PROGRAM = programPath('clashing-process');
export const PROCESS_COUNT = 4;
/** Records that they clash over. */
export const ID_COUNT = 8;
/** How long a clash goes on after the last process has begun, unless said otherwise. */
const CLASH_MS = 1_000;
/** The part of a clash in which one of the processes is killed. */
const KILL_SHARE = 0.8;

interface Call {
  readonly madeAt: number;
  readonly kind: string;
  readonly value: string;
  readonly ids: readonly string[];
  answeredAt: number;
  seen: readonly (string | null)[] | null;
}

/** Where a process finds the records: in a directory, or at a server. */
export type Whereabouts =
  | { readonly path: string; readonly threads: number }
  | { readonly url: string; readonly clientCount: number };

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

/** Lets processes clash over a collection named `shared` that is empty; gives all their calls. */
async function clash(
  seed: number,
  chance: () => number,
  whereabouts: (number: number) => Whereabouts,
  clashMs: number,
): Promise<Call[]> {
  const start = (number: number): Clasher =>
    new Clasher({
      ...whereabouts(number),
      seed: seed * 1_000 + number * 100,
      name: `p${number}`,
      idCount: ID_COUNT,
    });
  const clashers = Array.from({ length: PROCESS_COUNT }, (_, i) => start(i));
  await Promise.all(clashers.map(({ begun }) => begun));
  const victim = clashers[Math.floor(chance() * PROCESS_COUNT)]!;
  const killAfterMs = chance() * KILL_SHARE * clashMs;
  await wait(killAfterMs);
  victim.child.kill('SIGKILL');
  // Another one takes its place, and finds no lock in its way.
  clashers.push(start(PROCESS_COUNT));
  await clashers.at(-1)!.begun;
  await wait(clashMs - killAfterMs);
  for (const { child } of clashers) child.stdin!.end();
  for (const clasher of clashers) expect(await clasher.ended).toBe(clasher === victim ? 'SIGKILL' : 0);
  return clashers.flatMap(({ calls }) => [...calls.values()]);
}

/**
 * Lets processes clash, one of them killed and replaced, once a round over the empty collection that
 * `prepare` makes, and expects what all of them saw to be linearizable, record by record.
 */
export async function expectLinearizable(
  rounds: Rounds,
  prepare: () => Promise<(number: number) => Whereabouts>,
  clashMs = CLASH_MS,
): Promise<void> {
  const chance = rounds.chance();
  let callCount = 0;
  let operationCount = 0;
  for (const round of rounds) {
    const calls = await clash(rounds.seed + round, chance, await prepare(), clashMs);
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
}
