/** A writer and readers on threads of their own: what reads see, who answers, and how the threads end. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { getPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Backend,
  type CollectionInput,
  type CollectionScope,
  parseWhereDocument,
} from '../../src/api/index.ts';
import type { EngineRole } from '../../src/engine/components.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { batchOf, deleteRequest, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const READER: EngineRole = { kind: 'reader', keepsCells: false };
const WRITER: EngineRole = { kind: 'writer', keepsCells: false };

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function open(threads: number): Promise<{ backend: Backend; scope: CollectionScope; path: string }> {
  const path = temporaryDirectory();
  const backend = await openTestDatabase({ path, threads });
  return { backend, scope: await makeCollection(backend), path };
}

/** The version in a record's metadata; 0 for a record that is not there. */
async function versionOf(backend: Backend, scope: CollectionScope, id: string): Promise<number> {
  const { metadatas } = await backend.get(scope, getRequest({ ids: [id] }));
  return metadatas![0] === undefined ? 0 : JSON.parse(metadatas![0]!).version;
}

describe('a writer and two readers', () => {
  it('every read sees the writes acknowledged before it, and never an older state than the read before', async () => {
    const { backend, scope } = await open(3);
    const acknowledged = new Map<string, number>();
    let isWriting = true;
    const write = async (id: string): Promise<void> => {
      for (let version = 1; version <= 40; version++) {
        const record = { id, embedding: [version, 0], metadata: JSON.stringify({ version }) };
        await backend.upsert(scope, batchOf(record));
        acknowledged.set(id, version);
        expect(await versionOf(backend, scope, id)).toBe(version);
      }
    };
    const watch = async (id: string): Promise<void> => {
      let seen = 0;
      while (isWriting) {
        const known = acknowledged.get(id) ?? 0;
        const version = await versionOf(backend, scope, id);
        expect(version).toBeGreaterThanOrEqual(Math.max(known, seen));
        seen = version;
        const [nearest] = await backend.query(scope, queryRequest([[1_000, 0]], { nResults: 1 }));
        const best = nearest!.distances!.length === 0 ? 0 : 1_000 - Math.sqrt(nearest!.distances![0]!);
        expect(best).toBeGreaterThanOrEqual(known);
      }
    };
    const ids = ['a', 'b', 'c', 'd'];
    const watching = Promise.all([...ids, ...ids].map(watch));
    await Promise.all(ids.map(write));
    isWriting = false;
    await watching;
    expect(await backend.count(scope)).toBe(ids.length);
  });

  it('a record that was deleted is gone for every reader once that is acknowledged', async () => {
    const { backend, scope } = await open(3);
    for (let round = 0; round < 20; round++) {
      await backend.add(scope, batchOf({ id: 'a', embedding: [1] }, { id: 'b', embedding: [2] }));
      const before = await Promise.all([1, 2, 3, 4].map(() => backend.query(scope, queryRequest([[1]]))));
      expect(before.map(([answer]) => answer!.ids)).toEqual([1, 2, 3, 4].map(() => ['a', 'b']));
      await backend.delete(scope, deleteRequest({ ids: ['a'] }));
      const after = await Promise.all([1, 2, 3, 4].map(() => backend.query(scope, queryRequest([[1]]))));
      expect(after.map(([answer]) => answer!.ids)).toEqual([1, 2, 3, 4].map(() => ['b']));
    }
  });

  it('a collection made anew under the name of a deleted one is another one for every reader', async () => {
    const { backend, scope: first } = await open(3);
    let scope = first;
    for (let round = 0; round < 10; round++) {
      await backend.add(scope, batchOf({ id: `r${round}`, embedding: [round] }));
      const reads = [1, 2, 3].map(() => backend.query(scope, queryRequest([[0]])));
      for (const [answer] of await Promise.all(reads)) expect(answer!.ids).toEqual([`r${round}`]);
      await backend.deleteCollection(SCOPE, 'tiles');
      const gone = { code: 'TESSERA_COLLECTION_NOT_FOUND' };
      const late = await Promise.allSettled([1, 2, 3].map(() => backend.query(scope, queryRequest([[0]]))));
      for (const outcome of late) expect(outcome).toMatchObject({ status: 'rejected', reason: gone });
      scope = await makeCollection(backend);
    }
  });

  it('writes in the order of the calls, also while the writer is still being started', async () => {
    const { backend, scope } = await open(2);
    const writes: Promise<void>[] = [];
    for (let version = 1; version <= 400; version++) {
      const record = { id: 'a', embedding: [version], metadata: JSON.stringify({ version }) };
      writes.push(backend.upsert(scope, batchOf(record)));
      if (version % 4 === 0) await nextTurn();
    }
    await Promise.all(writes);
    expect(await versionOf(backend, scope, 'a')).toBe(400);
  });

  it('answers the reads and writes under way when it is closed', async () => {
    const { backend, scope, path } = await open(3);
    const records = Array.from({ length: 2_000 }, (_, i) => ({ id: `r${i}`, embedding: [i, 1, 2, 3] }));
    await backend.add(scope, batchOf(...records));
    const reads = Array.from({ length: 20 }, (_, i) => backend.query(scope, queryRequest([[i, 1, 2, 3]])));
    const write = backend.add(scope, batchOf({ id: 'last', embedding: [0, 0, 0, 0] }));
    const late = backend.close().then(() => backend.count(scope));
    await expect(late).rejects.toMatchObject({ code: 'TESSERA_CLOSED' });
    for (const [i, read] of reads.entries()) expect((await read)[0]!.ids[0]).toBe(`r${i}`);
    await write;
    expect(readdirSync(`${path}/collections`)).toEqual([`${scope.collectionId}.sqlite3`]);
  });

  it('empties the logs a while after the last call, also of what was written before there was a writer', async () => {
    const { backend, scope, path } = await open(2);
    await backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
    const log = `${path}/collections/${scope.collectionId}.sqlite3-wal`;
    while (statSync(log).size > 0) await setTimeout(50);
    expect(await backend.count(scope)).toBe(1);
  });

  it('gives back the space of what was deleted before there was a writer', async () => {
    const { backend, scope, path } = await open(2);
    const records = Array.from({ length: 5_000 }, (_, i) => ({ id: `r${i}`, embedding: Array(64).fill(i) }));
    const kept = batchOf({ id: 'kept', embedding: Array(64).fill(0.5) });
    // Called at once, so that all are made by the first reader.
    await Promise.all([
      backend.add(scope, batchOf(...records)),
      backend.delete(scope, deleteRequest({ ids: records.map(({ id }) => id) })),
      backend.add(scope, kept),
    ]);
    const file = `${path}/collections/${scope.collectionId}.sqlite3`;
    while (statSync(file).size > 200_000 || statSync(`${file}-wal`).size > 0) await setTimeout(50);
    expect(await backend.count(scope)).toBe(1);
  });

  it('makes a text index on the writer when a reader has missed one', async () => {
    const { backend, scope, path } = await open(2);
    const filler = 'lorem ipsum dolor sit amet '.repeat(1_000);
    const records = Array.from({ length: 350 }, (_, i) => ({
      id: `r${i}`,
      embedding: [i],
      document: `${filler} tile ${i}.`,
    }));
    await backend.add(scope, batchOf(...records));
    const whereDocument = parseWhereDocument({ $contains: 'tile 77.' });
    const file = openSqlDatabase({
      path: `${path}/collections/${scope.collectionId}.sqlite3`,
      readOnly: true,
      busyTimeoutMs: 1_000,
    });
    const indexed = (): unknown =>
      file.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'text_index'").get()![0];
    expect(indexed()).toBe(0);
    do expect((await backend.get(scope, getRequest({ whereDocument }))).ids).toEqual(['r77']);
    while (indexed() === 0);
    file.close();
  });
});

describe('a batch', () => {
  it('that is given away moves its embeddings to the writer, and any other stays as it is', async () => {
    const { backend, scope } = await open(2);
    const kept = batchOf({ id: 'kept', embedding: [1, 2] });
    const given = batchOf({ id: 'given', embedding: [3, 4] });
    await backend.add(scope, kept);
    await backend.add(scope, given, { isBatchGivenAway: true });
    expect([...kept.embeddings!.values]).toEqual([1, 2]);
    expect(given.embeddings!.values).toHaveLength(0);
    const { ids, embeddings } = await backend.get(scope, getRequest());
    expect(ids).toEqual(['kept', 'given']);
    expect([...embeddings!.values]).toEqual([1, 2, 3, 4]);
  });

  it('that shares its block of embeddings with something else leaves it there', async () => {
    const { backend, scope } = await open(2);
    const block = Float32Array.from([1, 2, 3, 4]);
    const batch = batchOf({ id: 'a', embedding: [0, 0] });
    const embeddings = { dimension: 2, values: block.subarray(2), present: null };
    await backend.add(scope, { ...batch, embeddings }, { isBatchGivenAway: true });
    expect([...block]).toEqual([1, 2, 3, 4]);
    const stored = await backend.get(scope, getRequest());
    expect([...stored.embeddings!.values]).toEqual([3, 4]);
  });
});

describe('readers', () => {
  /**
   * Threads that answer with who they are. A reader keeps its answers to `query` until it is told that
   * something has changed, so that it is at work for as long as the test wants.
   */
  const PROGRAM = `data:text/javascript,
    import { parentPort, threadId, workerData } from 'node:worker_threads';
    const { kind, keepsCells } = workerData.role;
    const name = kind + threadId * (kind === 'reader');
    const kept = [];
    const flush = () => { for (const answer of kept.splice(0)) parentPort.postMessage(answer); };
    parentPort.on('message', ({ kind: what, callId, method, arguments: given }) => {
      if (what === 'changed') flush();
      if (what !== 'call') return;
      const answer = { kind: 'result', callId, value: name };
      if (method === 'close') flush();
      const isClosed = method === 'close' && kind === 'reader';
      if (isClosed) parentPort.postMessage({ kind: 'textIndexWanted', scope: {} });
      if (method === 'heartbeat') process.exit(3);
      if (method === 'version') parentPort.postMessage({ kind: 'textIndexWanted', scope: {} });
      if (method === 'createDatabase') parentPort.postMessage({ kind: 'idle' });
      if (method === 'query' && given[1].nResults > 1 && keepsCells) kept.push(answer);
      else parentPort.postMessage(answer);
      if (method === 'createTenant') parentPort.postMessage({ kind: 'idle' });
    });
    parentPort.postMessage({ kind: 'opened' });`.replaceAll('\n', ' ');
  const scope = { ...SCOPE, collectionId: 'c' };

  function openFake(threads: number): Promise<Backend> {
    return openDatabase({ path: temporaryDirectory(), threads }, { workerUrl: new URL(PROGRAM) });
  }

  it('take over from one that is at work', async () => {
    const backend = await openFake(3);
    const waiting = [backend.query(scope, queryRequest([[1]]))];
    const answered: unknown[] = [];
    while (answered.length === 0) {
      const query = backend.query(scope, queryRequest([[1]]));
      waiting.push(query);
      void query.then((answer) => answered.push(answer));
      await nextTurn();
    }
    await backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
    const names = new Set(await Promise.all(waiting));
    expect(names.size).toBe(2);
    for (const name of names) expect(name).toMatch(/^reader/);
    await backend.close();
  });

  it('stay alone while each call finds them idle', async () => {
    const backend = await openFake(3);
    const names = new Set<unknown>();
    for (let i = 0; i < 50; i++) names.add(await backend.get(scope, getRequest()));
    expect(names.size).toBe(1);
    await backend.close();
  });

  it('answer what is read, and the writer what is written', async () => {
    const backend = await openFake(2);
    expect(await backend.get(scope, getRequest())).toMatch(/^reader/);
    expect(await backend.count(scope)).toMatch(/^reader/);
    expect(await backend.getCollection(SCOPE, 'tiles')).toMatch(/^reader/);
    const add = (): Promise<unknown> => backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
    while ((await add()) !== 'writer0') await nextTurn();
    expect(await Promise.all([add(), backend.reset(), backend.createTenant('t')])).toEqual(
      Array(3).fill('writer0'),
    );
    await backend.close();
  });

  it('make a collection until the writer is there, which comes a moment later of itself', async () => {
    const backend = await openFake(2);
    const make = (): Promise<unknown> => backend.createCollection(SCOPE, {} as CollectionInput);
    expect(await make()).toMatch(/^reader/);
    while ((await make()) !== 'writer0') await nextTurn();
    expect(await backend.createTenant('t')).toBe('writer0');
    await backend.close();
  });

  describe('whose writer says that it is idle', () => {
    /** A database with a writer, how many threads it has started by now, and how many have ended. */
    async function openWritten(): Promise<{ backend: Backend; counts: { started: number; ended: number } }> {
      const counts = { started: 0, ended: 0 };
      const note = (worker: Worker): void => {
        counts.started++;
        worker.once('exit', () => void counts.ended++);
      };
      process.on('worker', note);
      onTestFinished(() => void process.off('worker', note));
      const backend = await openFake(2);
      await backend.settle(scope);
      return { backend, counts };
    }
    const addTo = (backend: Backend): Promise<unknown> =>
      backend.add(scope, batchOf({ id: 'a', embedding: [1] }));

    it('let it go, and start another for the next write', async () => {
      const { backend, counts } = await openWritten();
      for (let count = 1; count < 4; count++) {
        await backend.createTenant('said after the answer');
        while (counts.ended < count) await nextTurn();
        expect(await addTo(backend)).toMatch(/^reader/);
        while ((await addTo(backend)) !== 'writer0') await nextTurn();
        expect(counts).toEqual({ started: 2 + count, ended: count });
      }
      await backend.close();
    });

    it('keep it where a call is on its way to it', async () => {
      const { backend, counts } = await openWritten();
      await backend.createDatabase({ ...SCOPE, database: 'said before the answer' });
      for (let i = 0; i < 5; i++) expect(await addTo(backend)).toBe('writer0');
      expect(counts).toEqual({ started: 2, ended: 0 });
      await backend.close();
    });

    it('start another when a query misses a text index', async () => {
      const { backend, counts } = await openWritten();
      await backend.createTenant('said after the answer');
      while (counts.ended < 1) await nextTurn();
      while (counts.started < 3) await backend.version();
      await backend.close();
      expect(counts).toEqual({ started: 3, ended: 3 });
    });

    it('wait for its end when they are closed', async () => {
      const { backend, counts } = await openWritten();
      await backend.createTenant('said after the answer');
      await backend.close();
      expect(counts).toEqual({ started: 2, ended: 2 });
    });
  });

  it('do not settle without the writer, which alone takes deleted records out of files', async () => {
    const backend = await openFake(2);
    expect(await backend.settle(scope)).toBe('writer0');
    await backend.close();
  });

  it('that miss a text index while they are closed start no writer', async () => {
    let startedCount = 0;
    const count = (): void => void startedCount++;
    process.on('worker', count);
    const backend = await openFake(2);
    await backend.close();
    await nextTurn();
    process.off('worker', count);
    expect(startedCount).toBe(1);
  });

  it('that die fail the calls they had under way, and others take their place', async () => {
    const backend = await openFake(3);
    const stopped = { code: 'TESSERA_WORKER_STOPPED', kind: 'unavailable' };
    for (let round = 0; round < 3; round++) {
      // A heartbeat kills the thread that is asked.
      const query = backend.query(scope, queryRequest([[1]]));
      await Promise.all([
        expect(backend.heartbeat()).rejects.toMatchObject(stopped),
        expect(query).rejects.toMatchObject(stopped),
      ]);
      expect(await backend.get(scope, getRequest())).toMatch(/^reader/);
      expect(await backend.add(scope, batchOf({ id: 'a', embedding: [1] }))).toMatch(/^(writer|reader)/);
    }
    await backend.close();
  });

  it('whose writer cannot be started say why to who writes, and go on reading', async () => {
    const refusal = "if (kind === 'writer') throw new Error('no room for a writer'); const kept";
    const workerUrl = new URL(PROGRAM.replace('const kept', refusal));
    const backend = await openDatabase({ path: temporaryDirectory(), threads: 2 }, { workerUrl });
    const add = (): Promise<void> => backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
    const adding = async (): Promise<void> => {
      for (;;) await add();
    };
    await expect(adding()).rejects.toThrow('no room for a writer');
    expect(await backend.get(scope, getRequest())).toMatch(/^reader/);
    await expect(add()).rejects.toThrow('no room for a writer');
    await backend.close();
  });

  it('that end before they have opened anything fail the opening', async () => {
    const workerUrl = new URL('data:text/javascript,process.exit(3)');
    const opening = openDatabase({ path: temporaryDirectory(), threads: 2 }, { workerUrl });
    await expect(opening).rejects.toMatchObject({ code: 'TESSERA_WORKER_STOPPED' });
  });

  it('make no files of their own accord, and leave text indexes to the writer', async () => {
    const path = temporaryDirectory();
    const writer = await openTestDatabase({ path }, { role: WRITER });
    const scope = await makeCollection(writer);
    const wanted: CollectionScope[] = [];
    const parts = { role: READER, requestTextIndex: (scope: CollectionScope) => wanted.push(scope) };
    const reader = await openTestDatabase({ path }, parts);
    expect(await reader.count(scope)).toBe(0);
    expect(readdirSync(`${path}/collections`)).toEqual([]);
    const filler = 'lorem ipsum dolor sit amet '.repeat(1_000);
    const records = Array.from({ length: 350 }, (_, i) => ({
      id: `r${i}`,
      embedding: [i],
      document: `${filler}${i}`,
    }));
    await writer.add(scope, batchOf(...records));
    const whereDocument = parseWhereDocument({ $contains: 'amet 7' });
    expect((await reader.get(scope, getRequest({ whereDocument, limit: 1 }))).ids).toEqual(['r7']);
    expect(wanted).toEqual([scope]);
  });

  // Only Linux tells a process which files it holds open.
  it.skipIf(process.platform !== 'linux')('let go of collections that the writer deleted', async () => {
    const backend = await openTestDatabase({ path: temporaryDirectory(), threads: 2 });
    const scope = await makeCollection(backend);
    await backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
    expect(await backend.count(scope)).toBe(1);
    const isHeld = (): boolean => openFiles().some((name) => name.includes(scope.collectionId));
    expect(isHeld()).toBe(true);
    await backend.deleteCollection(SCOPE, 'tiles');
    // The reader has taken note before it answers a call that was made later.
    await backend.countCollections(SCOPE);
    expect(isHeld()).toBe(false);
  });
});

// Only Linux counts niceness by thread.
it.skipIf(process.platform !== 'linux')(
  'the thread that writes lets the others go first, and it alone',
  async () => {
    const before = threadNiceness();
    const { backend, scope } = await open(3);
    const usual = getPriority();
    const others = (): number[] =>
      [...threadNiceness()].filter(([id, it]) => !before.has(id) && it !== usual).map(([, it]) => it);
    // The first writes may be a reader's.
    do await backend.upsert(scope, batchOf({ id: 'a', embedding: [1] }));
    while (others().length === 0);
    await Promise.all([1, 2, 3, 4].map(() => backend.query(scope, queryRequest([[1]]))));
    expect(others()).toEqual([Math.min(19, usual + 5)]);
    for (const [id, niceness] of threadNiceness()) if (before.has(id)) expect(niceness).toBe(before.get(id));
  },
);

/** The niceness of every thread of this process: the 19th field of proc(5). */
function threadNiceness(): Map<string, number> {
  const niceness = new Map<string, number>();
  for (const id of readdirSync('/proc/self/task')) {
    try {
      const fields = readFileSync(`/proc/self/task/${id}/stat`, 'utf8').split(') ')[1]!.split(' ');
      niceness.set(id, Number(fields[16]));
    } catch {
      // It has ended meanwhile.
    }
  }
  return niceness;
}

/** What the files are that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)];
    } catch {
      return [];
    }
  });
}

it('a database in memory has one thread, whatever is asked for', async () => {
  const backend = await openTestDatabase({ threads: 4 });
  const scope = await makeCollection(backend);
  await backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
  expect(await backend.count(scope)).toBe(1);
});
