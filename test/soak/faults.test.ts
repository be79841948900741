/**
 * What cannot be done: calls to SQLite and to the file system fail, a disk is full, system calls fail or
 * write less than they were asked to, descriptors run out. Each call ends with what was asked or with a
 * typed error, stored whole or not at all; the process lives, and once the cause is gone it works as
 * before.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { DatabaseError, seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { BUILT_WORKER, makeCollection, SCOPE } from '../support/database.ts';
import { SMALL_INDEX } from '../support/kept-cells.ts';
import { testRecord } from '../support/naive-collection.ts';
import { fleetingDirectory, makeFleetingDirectory } from '../support/temporary.ts';
import { faultOf, interpose, type Run } from './interpose.mjs';
import { IS_INTEGRATION, IS_SOAK, Rounds } from './rounds.ts';
import { applied, type Call, lineOf, type State, Stream, whichStates } from './streams.ts';
import { recorderFault } from './system-calls.ts';
import { WRITING_PROCESS } from './writer.ts';

/** Of a life that creates, writes, settles, deletes and drops. */
const SEED = 20_261_130;
/** Failing calls in a run of the tests; in continuous integration both Nodes together try all of a life. */
const CALL_COUNT = 200;
/** What may happen to each of those calls: an error, once or until it is lifted. */
const KINDS = [
  { name: 'FULL', isLasting: false },
  { name: 'IOERR', isLasting: true },
  { name: 'IOERR', isLasting: false },
  { name: 'FULL', isLasting: true },
] as const;
/** Calls without memory, beside those. */
const NO_MEMORY = { name: 'NOMEM', isLasting: false } as const;
const NO_MEMORY_COUNT = 60;
/** A rollback that fails as well is a broken process, of which the tests of kills speak. */
const NEVER_FAILS = /ROLLBACK|RELEASE/;
/** Least part of the planned faults that happen: some calls follow the clock, and come at other places. */
const HIT_SHARE = 0.95;
/** A prime, by which all places and kinds come up, each once, and the first of them lie far apart. */
const STRIDE = 7_919;
/** Failing system calls in every run. */
const SYSTEM_CALL_COUNT = IS_SOAK ? 200 : 12;
/** Bytes of a small disk that are taken when a database is made there. */
const DISK_BYTES = 3_000_000;
const TAKEN_MAX = 2_800_000;
const TAKEN_COUNT = IS_SOAK ? 50 : 4;
const TAKEN = Array.from({ length: TAKEN_COUNT }, (_, i) => Math.round((i * TAKEN_MAX) / (TAKEN_COUNT - 1)));
const HABITS = { dropChance: 0.1, deleteChance: 0.3, settleChance: 0.2, burstChance: 0 };
const COMMAND_COUNT = 11;
/** Commands at the end that no fault is put into. */
const QUIET_COUNT = 3;

/** What a failing disk is told as, and what follows when a collection was not created, or not dropped. */
const CODES = [
  'TESSERA_IO',
  'TESSERA_DISK_FULL',
  'TESSERA_READ_ONLY',
  'TESSERA_COLLECTION_NOT_FOUND',
  'TESSERA_ALREADY_EXISTS',
];
/** … and the lack of memory. */
const CODES_WITHOUT_MEMORY = [...CODES, 'TESSERA_LIMIT_EXCEEDED'];

interface Fault {
  readonly name: 'FULL' | 'IOERR' | 'NOMEM';
  readonly isLasting: boolean;
}

/** Fails calls of this process: the one with this number, or from there on until it is lifted. */
class Saboteur {
  #calls: string[] = [];
  #isCounting = false;
  #failAt = Number.POSITIVE_INFINITY;
  #fault: Fault = NO_MEMORY;
  failedAt: string | null = null;

  constructor() {
    interpose((what, run) => this.#call(what, run));
  }

  plan(failAt: number, fault: Fault): void {
    this.#calls = [];
    this.#isCounting = true;
    this.#failAt = failAt;
    this.#fault = fault;
    this.failedAt = null;
  }

  /** Lifts what was planned; gives the calls there were until then, without the names of files. */
  lift(): string[] {
    this.#isCounting = false;
    this.#failAt = Number.POSITIVE_INFINITY;
    return this.#calls;
  }

  #call(what: string, run: Run): unknown {
    if (!this.#isCounting) return run();
    const count = this.#calls.push(what.replace(/\/\S+/g, ''));
    const isHit = this.#fault.isLasting ? count >= this.#failAt : count === this.#failAt;
    if (!isHit || NEVER_FAILS.test(what)) return run();
    this.failedAt ??= what;
    throw faultOf(what, this.#fault.name);
  }
}

const saboteur = new Saboteur();

/** Makes a call of a stream. */
async function obey(backend: Backend, name: string, call: Call): Promise<void> {
  if (call.verb === 'create') return void (await makeCollection(backend, name));
  if (call.verb === 'drop') return backend.deleteCollection(SCOPE, name);
  const { id: collectionId } = await backend.getCollection(SCOPE, name);
  const scope = { ...SCOPE, collectionId };
  if (call.verb === 'settle') return backend.settle(scope);
  if (call.verb === 'delete') {
    await backend.delete(scope, deleteRequest({ ids: call.ids }));
    return;
  }
  await backend[call.verb](scope, batchOf(...call.records.map(testRecord)));
  const query = Array.from(call.records[0]!.embedding);
  await backend.query(scope, queryRequest([query], { nResults: 3, recall: null }));
}

/** The outcome of a call: `null`, or the typed error. */
async function failureOf(work: () => Promise<unknown>): Promise<DatabaseError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
}

/** Lives a life with the planned fault in it; compares what is stored after each call that failed. */
async function liveThroughFault(path: string, seed: number): Promise<DatabaseError[]> {
  const failures: DatabaseError[] = [];
  const opening = (): Promise<Backend> => openDatabase({ path, threads: 0 }, { indexTuning: SMALL_INDEX });
  const fault = await failureOf(async () => void (await (await opening()).close()));
  if (fault !== null) failures.push(fault);
  let backend = await opening().catch((error) => {
    failures.push(error);
    return null;
  });
  if (backend === null) {
    saboteur.lift();
    backend = await opening();
  }
  const stream = new Stream(0, seed, HABITS);
  let state: State = null;
  for (let number = 0; number < COMMAND_COUNT; number++) {
    if (number === COMMAND_COUNT - QUIET_COUNT) saboteur.lift();
    const [call] = stream.at(number);
    const failure = await failureOf(() => obey(backend, stream.name, call!));
    if (failure === null) {
      state = applied(state, call!);
      continue;
    }
    failures.push(failure);
    if (saboteur.failedAt !== null) saboteur.lift();
    const states: State[] = [state, applied(state, call!)];
    state = states[(await whichStates(backend, [{ name: stream.name, states }]))[0]!]!;
  }
  await whichStates(backend, [{ name: stream.name, states: [state] }]);
  await backend.close();
  const again = await opening();
  await whichStates(again, [{ name: stream.name, states: [state] }]);
  await again.close();
  return failures;
}

/** Lives a life without a fault; gives the calls that may fail in it. */
async function callsOf(seed: number): Promise<string[]> {
  const path = makeFleetingDirectory();
  saboteur.plan(Number.POSITIVE_INFINITY, NO_MEMORY);
  expect(await liveThroughFault(join(path, 'data'), seed)).toEqual([]);
  const calls = saboteur.lift();
  rmSync(path, { recursive: true });
  return calls;
}

/** A call of a life, by its number from 1, and what happens to it. */
interface Place extends Fault {
  readonly failAt: number;
}

/**
 * All places where calls fail, those that follow each other far apart. In continuous integration every call
 * has half of the kinds: calls of the same text take turns in which.
 */
function placesOf(calls: readonly string[]): Place[] {
  const counts = new Map<string, number>();
  const places = calls.flatMap((what, i) => {
    if (NEVER_FAILS.test(what)) return [];
    const nth = counts.get(what) ?? 0;
    counts.set(what, nth + 1);
    const half = 2 * (nth % 2);
    const kinds = IS_INTEGRATION ? KINDS.slice(half, half + 2) : KINDS;
    return kinds.map((kind) => ({ failAt: i + 1, ...kind }));
  });
  return places.map((_, turn) => places[(turn * STRIDE) % places.length]!);
}

/** Counts of errors by their code, and of faults that happened. */
class Tally {
  readonly codes: Record<string, number> = {};
  hits = 0;
}

/** Tries one place of a failing call. */
async function tryFault(
  path: string,
  seed: number,
  place: Place,
  expected: string[],
  tally: Tally,
): Promise<void> {
  saboteur.plan(place.failAt, place);
  try {
    for (const { code } of await liveThroughFault(path, seed)) {
      expect(expected).toContain(code);
      tally.codes[code] = (tally.codes[code] ?? 0) + 1;
    }
    if (saboteur.failedAt !== null) tally.hits++;
  } catch (error) {
    const about = `call ${place.failAt}, ${place.name}, ${place.isLasting}: ${saboteur.failedAt} (seed ${seed})`;
    throw new Error(about, { cause: error });
  } finally {
    saboteur.lift();
    rmSync(path, { recursive: true, force: true });
  }
}

const firstPlaces = placesOf(await callsOf(SEED));
const rounds = Rounds.inHalves(IS_INTEGRATION ? firstPlaces.length : CALL_COUNT, SEED);

test(`${rounds.title} calls to SQLite and the file system that fail are told and harm nothing`, {
  timeout: rounds.timeout,
}, async () => {
  const directory = fleetingDirectory();
  const tally = new Tally();
  let [seed, turn] = [rounds.seed, rounds.first];
  let places = seed === SEED ? firstPlaces : placesOf(await callsOf(seed));
  for (const round of rounds) {
    // When all places of a life were tried, another life begins.
    if (turn === places.length) {
      places = placesOf(await callsOf(++seed));
      turn = 0;
    }
    await tryFault(join(directory, String(round)), seed, places[turn++]!, CODES, tally);
  }
  expect(tally.codes['TESSERA_DISK_FULL']).toBeGreaterThan(0);
  expect(tally.codes['TESSERA_IO']).toBeGreaterThan(0);
  expect(tally.hits).toBeGreaterThan(HIT_SHARE * rounds.done);
  const livesTriedAtAllPlaces = seed - rounds.seed + Math.floor(turn / places.length);
  rounds.report({
    faults: rounds.done,
    faultsThatHappened: tally.hits,
    placesOfALife: places.length,
    livesTriedAtAllPlaces,
    systemCalls: SYSTEM_CALL_COUNT,
    fullDisks: disk.fault === null ? TAKEN_COUNT : 0,
    codes: tally.codes,
  });
});

test(`${NO_MEMORY_COUNT} calls to SQLite and the file system without memory are told and harm nothing`, async () => {
  const directory = fleetingDirectory();
  const tally = new Tally();
  for (let i = 0; i < NO_MEMORY_COUNT; i++) {
    const place = { ...firstPlaces[i * Math.floor(firstPlaces.length / NO_MEMORY_COUNT)]!, ...NO_MEMORY };
    await tryFault(join(directory, String(i)), SEED, place, CODES_WITHOUT_MEMORY, tally);
  }
  expect(tally.codes['TESSERA_LIMIT_EXCEEDED']).toBeGreaterThan(HIT_SHARE * 0.5 * NO_MEMORY_COUNT);
});

/** A file system of a few megabytes, or why there is none. */
function smallDisk(bytes: number): { path: string; fault: string | null } {
  const path = mkdtempSync(join(tmpdir(), 'tessera-small-disk-'));
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
  const fault = status === 0 ? null : String(error?.message ?? stderr).trim();
  return { path, fault };
}

const disk = smallDisk(DISK_BYTES);
afterAll(() => {
  spawnSync('umount', [disk.path]);
  rmSync(disk.path, { recursive: true, force: true });
});
if (disk.fault !== null) console.warn(`FULL DISKS ARE NOT TESTED: ${disk.fault}.`);

// Mounting a small disk takes a privilege that not every machine gives.
describe.skipIf(disk.fault !== null)('a disk of three megabytes', () => {
  test.each(TAKEN)(
    'of which %i are taken fills up, tells it, and works on when there is room',
    async (taken) => {
      const ballast = join(disk.path, 'ballast');
      const path = join(disk.path, 'data');
      writeFileSync(ballast, Buffer.alloc(taken));
      const backend = await openDatabase({ path, threads: 0 });
      onTestFinished(async () => {
        await backend.close();
        rmSync(path, { recursive: true });
        rmSync(ballast, { force: true });
      });
      const scope = await makeCollection(backend);
      let stored = 0;
      let full: DatabaseError | null = null;
      const batch = (first: number): ReturnType<typeof batchOf> =>
        batchOf(
          ...Array.from({ length: 50 }, (_, i) => ({
            id: `r${first + i}`,
            embedding: Array.from({ length: 64 }, (_, d) => first + i + d / 64),
            document: `${first + i} `.repeat(20),
          })),
        );
      for (let tries = 0; tries < 200 && full === null; tries++) {
        full = await failureOf(() => backend.add(scope, batch(stored)));
        if (full === null) stored += 50;
      }
      expect(full).toMatchObject({ code: 'TESSERA_DISK_FULL' });
      // It stays full, and what is there can be read.
      for (let i = 0; i < 5; i++) {
        await expect(backend.add(scope, batch(stored))).rejects.toMatchObject({ code: 'TESSERA_DISK_FULL' });
      }
      expect((await backend.get(scope, getRequest({ include: [] }))).ids).toHaveLength(stored);
      expect(await backend.verify(scope)).toMatchObject({ recordCount: stored, faultCount: 0 });
      if (taken === 0) return;
      rmSync(ballast);
      await backend.add(scope, batch(stored));
      expect(await backend.count(scope)).toBe(stored + 50);
      expect(await backend.verify(scope)).toMatchObject({ faultCount: 0 });
    },
  );

  test('that is mounted read-only is read with readOnly, and else refused', async () => {
    const path = join(disk.path, 'data');
    const mount = (how: string): void => {
      expect(spawnSync('mount', ['-o', `remount,${how}`, disk.path]).status).toBe(0);
    };
    const writing = await openDatabase({ path, threads: 0 });
    const scope = await makeCollection(writing);
    await writing.add(scope, batchOf({ id: 'a', embedding: [1, 2] }));
    await writing.close();
    mount('ro');
    onTestFinished(() => mount('rw'));
    for (const threads of [0, 2]) {
      const reading = await openDatabase({ path, threads, readOnly: true }, { workerUrl: BUILT_WORKER });
      expect((await reading.get(scope, getRequest({ include: [] }))).ids).toEqual(['a']);
      const [nearest] = await reading.query(scope, queryRequest([[1, 2]], { nResults: 1 }));
      expect(nearest!.ids).toEqual(['a']);
      const adding = reading.add(scope, batchOf({ id: 'b', embedding: [3, 4] }));
      await expect(adding).rejects.toMatchObject({ code: 'TESSERA_READ_ONLY' });
      await reading.close();
    }
    const opening = failureOf(async () => void (await openDatabase({ path, threads: 0 })));
    expect(await opening).toMatchObject({ message: expect.stringContaining('open it with readOnly') });
  });
});

/** Runs writing-process.mjs behind some other command, and compares what it left with what it said. */
async function runBehind(command: readonly string[], options: object): Promise<string[]> {
  const path = join(fleetingDirectory(), 'data');
  const stream = new Stream(0, rounds.seed, HABITS);
  const lines = Array.from({ length: COMMAND_COUNT }, (_, i) => lineOf(0, i, stream.name, stream.at(i)));
  const told = JSON.stringify({ path, tuning: SMALL_INDEX, isTolerant: true, ...options });
  const [program, ...words] = [...command, process.execPath, WRITING_PROCESS, told];
  const { status, signal, stdout, stderr } = spawnSync(program!, words, {
    input: lines.join(''),
    encoding: 'utf8',
  });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  let states: State[] = [null];
  const said = stdout.split('\n').filter((line) => line.startsWith('0 '));
  const [, unopened] = /^unopened (\w+)$/m.exec(stdout) ?? [];
  expect(said).toHaveLength(unopened === undefined ? COMMAND_COUNT : 0);
  const codes = unopened === undefined ? [] : [unopened];
  for (const [number, line] of said.entries()) {
    const [, , code] = line.split(' ');
    const [call] = stream.at(number);
    const after = states.map((state) => applied(state, call!));
    if (code !== undefined) codes.push(code);
    states = code === undefined ? after : [...states, ...after];
  }
  const backend = await openDatabase({ path, threads: 0 });
  await whichStates(backend, [{ name: stream.name, states }]);
  await backend.close();
  return codes;
}

/** System calls that SQLite makes, with the numbers of those that come after the process has started. */
const SYSTEM_CALLS = [
  ['pwrite64', 1, 250],
  ['fsync', 1, 40],
  ['pwrite64', 1, 250],
  ['pread64', 15, 60],
  ['ftruncate', 1, 3],
  ['unlink', 1, 8],
] as const;

// Making system calls fail is the tracer's work; `recorderFault` says why there is none.
describe.skipIf(recorderFault() !== null)('a system call that fails once', () => {
  const chance = seededNumbers(rounds.seed + 1);
  let injectedCount = 0;
  const cases = Array.from({ length: SYSTEM_CALL_COUNT }, (_, i) => {
    const [call, first, last] = SYSTEM_CALLS[i % SYSTEM_CALLS.length]!;
    const action = `error=${chance() < 0.5 ? 'EIO' : 'ENOSPC'}`;
    return [call, action, first + Math.floor(chance() * (last - first))] as const;
  });
  test.each(cases)('%s, %s, call %i: is told, and harms nothing', async (call, action, when) => {
    const trace = join(fleetingDirectory(), 'trace');
    const tracer = [
      'strace',
      '-o',
      trace,
      '-e',
      `trace=${call}`,
      '-e',
      `inject=${call}:${action}:when=${when}`,
    ];
    const codes = await runBehind(tracer, {});
    // SQLite itself takes a first page that cannot be read for a damaged one.
    const expected = call === 'pread64' ? [...CODES, 'TESSERA_CORRUPT'] : CODES;
    for (const code of codes) expect(expected).toContain(code);
    if (readFileSync(trace, 'utf8').includes('(INJECTED)')) injectedCount++;
  });

  test('the most of these have failed', () => {
    expect(injectedCount).toBeGreaterThan(SYSTEM_CALL_COUNT / 2);
  });
});

// Files may be no larger: what goes beyond is written in part, and the next call fails.
test.each([65, 69, 73, 77])('writes beyond %i × 512 bytes fall short, which is told', async (blocks) => {
  const codes = await runBehind(['sh', '-c', `ulimit -f ${blocks}; exec "$@"`, 'sh'], {});
  for (const code of codes) expect(CODES).toContain(code);
  expect(codes).toContain('TESSERA_IO');
});

test.each([0, 2, 4, 5, 6, 12])(
  'with %i file descriptors left, calls fail and what was acknowledged is there',
  async (spare) => {
    const codes = await runBehind(['sh', '-c', 'ulimit -n 100; exec "$@"', 'sh'], { spare });
    for (const code of codes) expect(CODES).toContain(code);
    expect(codes.length > 0).toBe(spare < 8);
  },
);
