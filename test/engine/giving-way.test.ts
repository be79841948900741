/** Who goes first among threads: a call before a reader's maintenance, reads before a writer's next write. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { NO_READS, type Reads } from '../../src/engine/read-traffic.ts';
import { batchOf, getRequest, pack, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { tickingClock } from '../support/ticking-clock.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a writer', () => {
  const record = (id: string) => batchOf({ id, embedding: [1, 2] });

  /**
   * A writer whose commits take `commitMs`, during each of which other threads are asked to read, unless the
   * test says what they are asked.
   */
  async function open(
    commitMs: number,
    readsElsewhere?: () => Partial<Reads>,
  ): Promise<{ writer: Backend; scope: CollectionScope; path: string }> {
    let nowMs = 0;
    let reads = 0;
    const clock = { nowNs: () => 0n, monotonicMs: () => nowMs };
    const readDuring = (): Reads => {
      // Asked before a commit and after it.
      nowMs += commitMs / 2;
      return { ...NO_READS, ...(readsElsewhere?.() ?? { count: reads++ }) };
    };
    const path = temporaryDirectory();
    const role = { kind: 'writer', keepsCells: false } as const;
    const writer = await openTestDatabase({ path }, { role, clock, readsElsewhere: readDuring });
    return { writer, scope: await makeCollection(writer), path };
  }

  /** Whether a write is acknowledged within a few turns of the event loop. */
  async function isWrittenSoon(written: Promise<unknown>): Promise<boolean> {
    let isWritten = false;
    void written.then(() => {
      isWritten = true;
    });
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    return isWritten;
  }

  it('pauses after a commit during which others were asked to read', async () => {
    const { writer, scope } = await open(60_000);
    await writer.add(scope, record('a'));
    const paused = writer.add(scope, record('b'));
    expect(await isWrittenSoon(paused)).toBe(false);
    // A call that comes later sees it all the same.
    expect(await writer.count(scope)).toBe(2);
    await paused;
  });

  it('goes on when the pause is over', async () => {
    const { writer, scope } = await open(10);
    for (const id of ['a', 'b', 'c']) await writer.add(scope, record(id));
    expect(await writer.count(scope)).toBe(3);
  });

  it('does not pause for as long as a commit waited for a lock or a disk', async () => {
    const { writer, scope } = await open(3_600_000);
    for (const id of ['a', 'b']) await writer.add(scope, record(id));
    expect(await writer.count(scope)).toBe(2);
  });

  it('does not pause for what was read before or after a commit', async () => {
    let reads = 0;
    const { writer, scope } = await open(60_000, () => ({ count: reads }));
    for (const id of ['a', 'b', 'c']) {
      reads++;
      expect(await isWrittenSoon(writer.add(scope, record(id)))).toBe(true);
      reads++;
    }
  });

  it('pauses for a read that was under way before a commit and is so after it', async () => {
    const { writer, scope } = await open(60_000, () => ({ underWayCount: 1 }));
    await writer.add(scope, record('a'));
    const paused = writer.add(scope, record('b'));
    expect(await isWrittenSoon(paused)).toBe(false);
    expect(await writer.count(scope)).toBe(2);
    await paused;
  });

  it.each([
    [0, 1],
    [8_192, 2],
    [1_000_000, 5],
  ])('pauses the longer the more rows a reader is behind: %i, %i times a commit', async (rows, times) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { writer, scope } = await open(50, () => ({ underWayCount: 1, pendingCount: rows }));
      await writer.add(scope, record('a'));
      const paused = writer.add(scope, record('b'));
      await nextTurn();
      vi.advanceTimersByTime(50 * times - 1);
      expect(await isWrittenSoon(paused)).toBe(false);
      vi.advanceTimersByTime(1);
      expect(await isWrittenSoon(paused)).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it('that is closed in a pause writes first what was called', async () => {
    const { writer, scope, path } = await open(60_000);
    await writer.add(scope, record('a'));
    const paused = writer.add(scope, record('b'));
    await writer.close();
    await paused;
    const next = await openTestDatabase({ path });
    expect(await next.count(scope)).toBe(2);
  });
});

describe('a reader', () => {
  const DIMENSION = 16;
  const COUNT = 1_000;

  interface Asked {
    readonly reader: Backend;
    /** Of a collection of `COUNT` records, of which a query was asked; and of one of a single record. */
    readonly scope: CollectionScope;
    readonly other: CollectionScope;
  }

  /** A reader that was just asked the first query. */
  async function askedReader(
    isCalled: () => boolean,
    notePending: (count: number) => void = () => {},
  ): Promise<Asked> {
    const path = temporaryDirectory();
    const writer = await openTestDatabase({ path }, { role: { kind: 'writer', keepsCells: false } });
    const [scope, other] = [await makeCollection(writer), await makeCollection(writer, 'other')];
    const rows = Array.from({ length: COUNT }, (_, i) =>
      Array.from({ length: DIMENSION }, (_, d) => Math.sin(i * (d + 1))),
    );
    const columns = { documents: null, uris: null, metadatas: null, metadataKeys: [] };
    await writer.add(scope, { ids: rows.map((_, i) => `r${i}`), embeddings: pack(rows), ...columns });
    await writer.add(other, batchOf({ id: 'a', embedding: [1, 2] }));
    const role = { kind: 'reader', keepsCells: false } as const;
    const indexTuning = { cells: { startCount: 64 } };
    const reader = await openTestDatabase(
      { path },
      { role, isCalled, notePending, clock: tickingClock(0.1), indexTuning },
    );
    await reader.query(scope, queryRequest([rows[0]!]));
    return { reader, scope, other };
  }

  async function waitingCount({ reader, scope }: Asked): Promise<number> {
    return (await reader.statistics(scope)).vectors.waitingCount;
  }

  /** Rows that each turn of maintenance takes in. */
  async function takenIn(
    isCalled: () => boolean,
    notePending: (count: number) => void = () => {},
  ): Promise<number[]> {
    const asked = await askedReader(isCalled, notePending);
    const taken: number[] = [];
    for (let waiting = COUNT; waiting > 0; ) {
      await nextTurn();
      const count = await waitingCount(asked);
      if (count < waiting) taken.push(waiting - count);
      waiting = count;
    }
    await asked.reader.settle(asked.scope);
    return taken;
  }

  it('ends its slice of maintenance with the step at which a call has been sent', async () => {
    const alone = await takenIn(() => false);
    const called = await takenIn(() => true);
    // A step takes in 64 rows.
    expect(Math.max(...alone)).toBeGreaterThan(128);
    expect(Math.max(...called)).toBe(64);
  });

  it('tells after each turn of maintenance how many rows its queries look at meanwhile', async () => {
    const pending: number[] = [];
    await takenIn(
      () => true,
      (count) => pending.push(count),
    );
    // Of the rows that wait, each turn takes in 64; all are looked at until the recall is known.
    expect(pending).toContain(COUNT);
    expect(pending.every((count) => count <= COUNT)).toBe(true);
    expect(pending.at(-1)).toBe(0);
  });

  it('tells of no rows that wait in another collection than the one it was asked of last', async () => {
    const pending: number[] = [];
    const asked = await askedReader(
      () => true,
      (count) => pending.push(count),
    );
    while (pending.length === 0) await nextTurn();
    expect(pending[0]).toBeGreaterThan(0);
    await asked.reader.query(asked.other, queryRequest([[1, 2]]));
    pending.length = 0;
    while (pending.length < 3) await nextTurn();
    expect(await waitingCount(asked)).toBeGreaterThan(0);
    expect(pending.slice(0, 3)).toEqual([0, 0, 0]);
  });
});

it('threads are told of the calls that a reader has been sent, and of reads', async () => {
  const path = temporaryDirectory();
  const program = join(path, 'counting.mjs');
  // Answers with the count of calls, once it has changed, that of reads, and how many are under way.
  writeFileSync(
    program,
    `import { parentPort, workerData } from 'node:worker_threads';
    let known = 0;
    const answer = (callId, isLast) => {
      const [count, , ...reads] = workerData.readCounts;
      if (count === known && !isLast) return setTimeout(() => answer(callId, performance.now() > 10_000), 1);
      known = count;
      parentPort.postMessage({ kind: 'result', callId, value: [count, ...reads] });
    };
    parentPort.on('message', ({ kind, callId }) => kind === 'call' && answer(callId, false));
    parentPort.postMessage({ kind: 'opened' });`,
  );
  const backend = await openTestDatabase({ path, threads: 2 }, { workerUrl: pathToFileURL(program) });
  const scope = { ...SCOPE, collectionId: 'any' };
  expect(await backend.heartbeat()).toEqual([1, 0, 0]);
  expect(await backend.count(scope)).toEqual([2, 0, 0]);
  expect(await backend.get(scope, getRequest())).toEqual([3, 1, 1]);
  expect(await backend.heartbeat()).toEqual([4, 1, 0]);
});
