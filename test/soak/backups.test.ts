/**
 * Backups of a database that is written to: what is restored is, of each collection, what had been written up
 * to a moment, no earlier than what was acknowledged before the backup began and no later than what was under
 * way when it ended. In folders, archives and chains of changes, on the calling thread and on others.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { backup, restore } from '../../src/transfer/index.ts';
import { batchOf, deleteRequest } from '../support/batches.ts';
import { BUILT_WORKER, makeCollection, SCOPE } from '../support/database.ts';
import { testRecord } from '../support/naive-collection.ts';
import { fleetingDirectory } from '../support/temporary.ts';
import { Rounds } from './rounds.ts';
import { applied, type Call, type State, Stream, whichStates } from './streams.ts';

/** Rounds on each Node in every run of the tests: one on the calling thread, one on others. */
const rounds = new Rounds(2, 20_261_136);
const STREAM_COUNT = 3;
/** Commands of each stream before the first backup, so that there is something to back up. */
const EARLIER_COUNT = 10;
/** Backups of a round, one after the other; `changes` are those since the last folder or changes. */
const KINDS = ['folder', 'changes', 'archive', 'changes'] as const;
/** Threads of the database that is backed up, by turns. */
const THREADS = [0, 2];

/** Writes one stream without pause, and knows every state that it passes through. */
class StreamWriter {
  readonly #backend: Backend;
  readonly #stream: Stream;
  #scope: CollectionScope | null = null;
  #commandCount = 0;
  /** After each call that was made. */
  readonly states: State[] = [null];
  /** Which of the states is that of the last acknowledged command. */
  acknowledged = 0;

  constructor(backend: Backend, stream: Stream) {
    this.#backend = backend;
    this.#stream = stream;
  }

  get name(): string {
    return this.#stream.name;
  }

  async write(): Promise<void> {
    const command = this.#stream.at(this.#commandCount++);
    for (const call of command) this.states.push(applied(this.states.at(-1)!, call));
    await Promise.all(command.map((call) => this.#make(call)));
    this.acknowledged = this.states.length - 1;
  }

  async #make(call: Call): Promise<void> {
    if (call.verb === 'create') this.#scope = await makeCollection(this.#backend, this.name);
    else if (call.verb === 'drop') await this.#backend.deleteCollection(SCOPE, this.name);
    else if (call.verb === 'settle') await this.#backend.settle(this.#scope!);
    else if (call.verb === 'delete') {
      await this.#backend.delete(this.#scope!, deleteRequest({ ids: call.ids }));
    } else await this.#backend[call.verb](this.#scope!, batchOf(...call.records.map(testRecord)));
  }
}

const figures = { backups: 0, folder: 0, changes: 0, archive: 0, writtenTo: 0, callsMeanwhile: 0 };

/** Backs up, restores, and compares with where each stream stood meanwhile. */
async function backUpAndCompare(
  { from, to, since }: { from: string; to: string; since: string | undefined },
  kind: (typeof KINDS)[number],
  writers: readonly StreamWriter[],
): Promise<void> {
  const first = writers.map(({ acknowledged }) => acknowledged);
  await backup({ from, to, archive: kind === 'archive', since });
  const allowed = writers.map(({ name, states }, i) => ({ name, states: states.slice(first[i]) }));
  const moved = writers.reduce((sum, { acknowledged }, i) => sum + acknowledged - first[i]!, 0);
  const target = `${to}-restored`;
  await restore({ from: to, to: target });
  const restored = await openDatabase({ path: target, threads: 0 });
  await whichStates(restored, allowed);
  await restored.close();
  rmSync(target, { recursive: true });
  figures.backups++;
  figures[kind]++;
  figures.callsMeanwhile += moved;
  if (moved > 0) figures.writtenTo++;
}

async function live(seed: number, threads: number): Promise<void> {
  const directory = fleetingDirectory();
  const path = join(directory, 'data');
  const backend = await openDatabase({ path, threads }, { workerUrl: BUILT_WORKER });
  onTestFinished(() => backend.close());
  const writers = Array.from({ length: STREAM_COUNT }, (_, i) => {
    return new StreamWriter(backend, new Stream(i, seed));
  });
  let isOver = false;
  let [markReady, waiting] = [(): void => {}, STREAM_COUNT];
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });
  const writing = Promise.all(
    writers.map(async (writer) => {
      for (let i = 0; !isOver; i++) {
        await writer.write();
        if (i === EARLIER_COUNT && --waiting === 0) markReady();
      }
    }),
  );
  try {
    await Promise.race([ready, writing]);
    let since: string | undefined;
    for (const [i, kind] of KINDS.entries()) {
      const to = join(directory, `copy-${i}`);
      await backUpAndCompare(
        { from: path, to, since: kind === 'changes' ? since : undefined },
        kind,
        writers,
      );
      if (kind !== 'archive') since = to;
    }
  } finally {
    isOver = true;
    await writing;
  }
  // The source itself has lost nothing by it.
  await whichStates(
    backend,
    writers.map(({ name, states }) => ({ name, states: states.slice(-1) })),
  );
  await backend.close();
  rmSync(directory, { recursive: true });
}

test(`${rounds.title} databases that are written to are backed up ${KINDS.length} times, as they were at some moment`, {
  timeout: rounds.timeout,
}, async () => {
  for (const round of rounds) {
    const seed = rounds.seed + round;
    await live(seed, THREADS[round % THREADS.length]!).catch((error) => {
      throw new Error(`round ${round} (seed ${rounds.seed})`, { cause: error });
    });
  }
  // Were nothing written meanwhile, there would be one state alone to find.
  expect(figures.writtenTo).toBeGreaterThan(figures.backups / 2);
  rounds.report({ ...figures, differences: 0 });
});
