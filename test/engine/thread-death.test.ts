/** Threads that die while they work: what is acknowledged stays, and the database goes on. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Backend, CollectionScope } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase } from '../support/database.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A database whose threads `kill` ends, all of them, as the system would for want of memory. */
async function openMortal(
  threads: number,
): Promise<{ backend: Backend; scope: CollectionScope; kill: (kind?: string) => Promise<void> }> {
  const { Worker } = await import('node:worker_threads');
  const workers = new Set<InstanceType<typeof Worker>>();
  const { postMessage } = Worker.prototype;
  // Every thread is met when it is first asked something.
  const post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
    this: InstanceType<typeof Worker>,
    ...message: Parameters<typeof postMessage>
  ) {
    workers.add(this);
    postMessage.apply(this, message);
  });
  onTestFinished(() => post.mockRestore());
  const backend = await openTestDatabase({ path: temporaryDirectory(), threads });
  const scope = await makeCollection(backend);
  const kill = async (): Promise<void> => {
    const doomed = [...workers];
    workers.clear();
    await Promise.all(doomed.map((worker) => worker.terminate()));
  };
  return { backend, scope, kill };
}

describe.each([1, 2, 3])('a database with %i threads', (threads) => {
  it('answers after each of them has died, and has all that was acknowledged', async () => {
    const { backend, scope, kill } = await openMortal(threads);
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round++) {
      const writes = Array.from({ length: 20 }, async (_, i) => {
        const id = `${round}-${i}`;
        await backend.add(scope, batchOf({ id, embedding: [round, i] }));
        acknowledged.push(id);
      });
      const reads = Array.from({ length: 5 }, () => backend.query(scope, queryRequest([[1, 1]])));
      const settled = Promise.allSettled([...writes, ...reads]);
      if (round > 0) await writes[3]?.catch(() => {});
      await kill();
      for (const call of await settled) {
        if (call.status === 'fulfilled') continue;
        expect(call.reason).toMatchObject({ code: 'TESSERA_WORKER_STOPPED', kind: 'unavailable' });
      }
      const { ids } = await backend.get(scope, getRequest());
      expect(acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
      await backend.add(scope, batchOf({ id: `after-${round}`, embedding: [9, round] }));
      const [nearest] = await backend.query(scope, queryRequest([[9, round]], { nResults: 1 }));
      expect(nearest!.ids).toEqual([`after-${round}`]);
      expect(await backend.verify(scope)).toMatchObject({ faultCount: 0 });
    }
    await backend.close();
    await expect(backend.count(scope)).rejects.toMatchObject({ code: 'TESSERA_CLOSED' });
  });
});

it('a program that a bundler has taken apart is told what to leave out', async () => {
  const workerUrl = new URL('./nowhere/worker.js', import.meta.url);
  await expect(openDatabase({ threads: 1 }, { workerUrl })).rejects.toMatchObject({
    code: 'TESSERA_UNSUPPORTED',
    message: expect.stringMatching(/nowhere\/worker\.js, is not there.*out of the bundle/),
  });
});
