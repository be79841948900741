/** Calls as promises: order, group commit, abort, close, and the worker thread. */
import { describe, expect, it } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { openSqlDatabase } from '../../src/sqlite/index.ts';
import { batchOf, getRequest, queryRequest } from '../support/batches.ts';
import { BUILT_WORKER, makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

for (const threads of [0, 1, 3]) {
  describe(`with threads: ${threads}`, () => {
    async function open(): Promise<{ backend: Backend; scope: CollectionScope }> {
      const backend = await openTestDatabase({ path: temporaryDirectory(), threads });
      return { backend, scope: await makeCollection(backend) };
    }

    it('many writes at once all succeed or fail by themselves, in order', async () => {
      const { backend, scope } = await open();
      const calls = Array.from({ length: 50 }, (_, i) =>
        backend.add(scope, batchOf({ id: `r${i}`, embedding: i === 20 ? [1] : [i, i] })),
      );
      const results = await Promise.allSettled(calls);
      const failed = results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));
      expect(failed).toEqual([20]);
      const { ids } = await backend.get(scope, getRequest());
      expect(ids).toEqual(Array.from({ length: 50 }, (_, i) => `r${i}`).filter((id) => id !== 'r20'));
    });

    it('an aborted call changes nothing and says so', async () => {
      const { backend, scope } = await open();
      const controller = new AbortController();
      const batch = batchOf({ id: 'a', embedding: [1] });
      const aborted = { code: 'TESSERA_ABORTED' };
      controller.abort(new Error('enough'));
      await expect(backend.add(scope, batch, { signal: controller.signal })).rejects.toMatchObject(aborted);
      await expect(backend.count(scope, { signal: controller.signal })).rejects.toMatchObject({
        cause: new Error('enough'),
      });
      expect(await backend.count(scope)).toBe(0);
    });

    it('a queued write can still be given up', async () => {
      const { backend, scope } = await open();
      const controller = new AbortController();
      const queued = backend.add(scope, batchOf({ id: 'a', embedding: [1] }), { signal: controller.signal });
      controller.abort();
      const outcome = await queued.then(
        () => 'stored',
        (error: unknown) => (error as { code: string }).code,
      );
      // A worker may already have begun; whichever it was, the answer and the records agree.
      expect(['stored', 'TESSERA_ABORTED']).toContain(outcome);
      expect(await backend.count(scope)).toBe(outcome === 'stored' ? 1 : 0);
    });

    it('after close every call fails, and closing again is fine', async () => {
      const { backend, scope } = await open();
      const last = backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
      await Promise.all([backend.close(), backend.close()]);
      await last;
      const closed = { code: 'TESSERA_CLOSED' };
      await expect(backend.count(scope)).rejects.toMatchObject(closed);
      await expect(backend.add(scope, batchOf({ id: 'b', embedding: [1] }))).rejects.toMatchObject(closed);
      await expect(backend.heartbeat()).rejects.toMatchObject(closed);
      await backend.close();
    });

    it('a collection that is deleted meanwhile is named, not invented', async () => {
      const { backend, scope } = await open();
      await backend.add(scope, batchOf({ id: 'a', embedding: [1] }));
      await backend.deleteCollection(SCOPE, 'tiles');
      const gone = { code: 'TESSERA_COLLECTION_NOT_FOUND' };
      await expect(backend.get(scope, getRequest())).rejects.toMatchObject(gone);
      await expect(backend.query(scope, queryRequest([[1]]))).rejects.toMatchObject(gone);
      await expect(backend.add(scope, batchOf({ id: 'b', embedding: [1] }))).rejects.toMatchObject(gone);
    });
  });
}

describe('group commit', () => {
  it('shares one transaction among the writes that queue up meanwhile', async () => {
    const backend = await openTestDatabase({ path: temporaryDirectory(), threads: 0 });
    const scope = await makeCollection(backend);
    await backend.add(scope, batchOf({ id: 'first', embedding: [0] }));
    // Only a shared transaction lets a later call of the group see an earlier one that is not committed yet.
    const outcomes: string[] = [];
    const calls = ['a', 'b', 'c'].map((id) =>
      backend.add(scope, batchOf({ id, embedding: [1] })).then(() => outcomes.push(id)),
    );
    expect(outcomes).toEqual([]);
    await Promise.all(calls);
    expect(outcomes).toEqual(['a', 'b', 'c']);
    expect(await backend.count(scope)).toBe(4);
  });

  it('is acknowledged once it is stored, although the catalogue cannot be told of it yet', async () => {
    const path = temporaryDirectory();
    const backend = await openTestDatabase({ path, threads: 0, busyTimeoutMs: 20 });
    const scope = await makeCollection(backend);
    const record = { id: 'a', embedding: [1, 2], metadata: '{"colour":1}' };
    const batch = { ...batchOf(record), metadataKeys: [{ key: 'colour', type: 'int' as const }] };
    const holder = openSqlDatabase({ path: `${path}/catalogue.sqlite3`, readOnly: false, busyTimeoutMs: 1 });
    holder.exec('BEGIN IMMEDIATE');
    await backend.add(scope, batch);
    expect(await backend.count(scope)).toBe(1);
    holder.close();
    await backend.upsert(scope, batch);
    const { dimension, schema } = await backend.getCollectionById(scope);
    expect(dimension).toBe(2);
    expect(Object.keys(schema.keys)).toContain('colour');
  });
});

describe('the worker thread', () => {
  it('keeps the event loop free while it works', async () => {
    const backend = await openTestDatabase({ threads: 1 });
    const scope = await makeCollection(backend);
    const records = Array.from({ length: 4000 }, (_, i) => ({
      id: `r${i}`,
      embedding: new Array<number>(64).fill(i),
    }));
    let turns = 0;
    let isDone = false;
    const adding = backend.add(scope, batchOf(...records)).then(() => {
      isDone = true;
    });
    while (!isDone) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await adding;
    expect(turns).toBeGreaterThan(3);
    expect(await backend.count(scope)).toBe(4000);
  });

  it('that cannot be started or opened says why', async () => {
    const missing = new URL('./no-such-worker.js', BUILT_WORKER);
    await expect(openDatabase({ threads: 1 }, { workerUrl: missing })).rejects.toThrow(/no-such-worker/);
  });

  it('that dies fails its calls with an error to act on', async () => {
    const program = `data:text/javascript,
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', () => process.exit(3));
      parentPort.postMessage({ kind: 'opened' });`;
    const backend = await openDatabase({ threads: 1 }, { workerUrl: new URL(program.replaceAll('\n', ' ')) });
    const stopped = { code: 'TESSERA_WORKER_STOPPED' };
    await expect(backend.heartbeat()).rejects.toMatchObject(stopped);
    await expect(backend.heartbeat()).rejects.toMatchObject(stopped);
    await backend.close();
  });
});
