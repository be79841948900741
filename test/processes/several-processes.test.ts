/**
 * Several processes on one directory: real processes of the built package, talking over their standard
 * streams.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase, SCOPE } from '../support/database.ts';
import { programPath } from '../support/programs.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const PROGRAM = programPath('process');
const LOAD = programPath('load');

/** Another process with the same directory open; `ask` sends it a command and waits for its answer. */
class OtherProcess {
  readonly child: ChildProcess;
  readonly #answers: ((line: string) => void)[] = [];

  constructor(path: string) {
    this.child = spawn(process.execPath, [PROGRAM, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.#answers.shift()?.(line));
    onTestFinished(() => {
      this.child.kill('SIGKILL');
    });
  }

  ask(command: object): Promise<unknown> {
    return new Promise((resolve) => {
      this.#answers.push((line) => resolve(JSON.parse(line)));
      this.child.stdin!.write(`${JSON.stringify(command)}\n`);
    });
  }

  kill(): Promise<void> {
    return new Promise((resolve) => {
      this.child.once('exit', () => resolve());
      this.child.kill('SIGKILL');
    });
  }
}

describe('two processes with one directory open', () => {
  it('see each other’s acknowledged writes at their next read', async () => {
    const path = temporaryDirectory();
    const here = await openTestDatabase({ path });
    const scope = await makeCollection(here);
    const there = new OtherProcess(path);
    for (let i = 0; i < 20; i++) {
      expect(await there.ask({ verb: 'add', id: `there-${i}`, embedding: [i, 1], k: i })).toEqual({
        ok: true,
      });
      expect(await here.count(scope)).toBe(2 * i + 1);
      const [nearest] = await here.query(scope, queryRequest([[i, 1]], { nResults: 1 }));
      expect(nearest!.ids).toEqual([`there-${i}`]);
      const embeddings = { dimension: 2, values: new Float32Array([i, 2]), present: null };
      const ids = [`here-${i}`];
      const metadataKeys = [{ key: 'k', type: 'int' as const }];
      const metadatas = [JSON.stringify({ k: 100 + i })];
      await here.add(scope, { ids, embeddings, documents: null, uris: null, metadatas, metadataKeys });
      expect(await there.ask({ verb: 'find', k: 100 + i })).toEqual({ ids: [`here-${i}`] });
      expect(await there.ask({ verb: 'nearest', embedding: [i, 2] })).toEqual({ ids: [`here-${i}`] });
    }
  });

  it('write at the same time without losing an update', async () => {
    const path = temporaryDirectory();
    const here = await openTestDatabase({ path });
    const scope = await makeCollection(here);
    const others = [new OtherProcess(path), new OtherProcess(path), new OtherProcess(path)];
    const answers = await Promise.all(
      others.flatMap((other, p) =>
        Array.from({ length: 40 }, (_, i) =>
          other.ask({ verb: 'add', id: `${p}-${i}`, embedding: [p, i], k: i }),
        ),
      ),
    );
    expect(answers).toEqual(answers.map(() => ({ ok: true })));
    const { ids } = await here.get(scope, getRequest());
    expect(ids.toSorted()).toEqual(
      [0, 1, 2].flatMap((p) => Array.from({ length: 40 }, (_, i) => `${p}-${i}`)).sort(),
    );
  });

  it('notice that the other one deleted the collection, and made a new one of that name', async () => {
    const path = temporaryDirectory();
    const here = await openTestDatabase({ path });
    const scope = await makeCollection(here);
    const there = new OtherProcess(path);
    expect(await there.ask({ verb: 'add', id: 'a', embedding: [1, 1], k: 1 })).toEqual({ ok: true });
    await here.deleteCollection(SCOPE, 'tiles');
    expect(readdirSync(join(path, 'collections'))).toEqual([]);
    expect(await there.ask({ verb: 'again', id: 'b', embedding: [1, 1], k: 1 })).toEqual({
      code: 'TESSERA_COLLECTION_NOT_FOUND',
    });
    await expect(here.count(scope)).rejects.toMatchObject({ code: 'TESSERA_COLLECTION_NOT_FOUND' });
    const renewed = await makeCollection(here);
    expect(await there.ask({ verb: 'add', id: 'c', embedding: [1, 1], k: 1 })).toEqual({ ok: true });
    expect((await here.get(renewed, getRequest())).ids).toEqual(['c']);
  });

  it('a process that is killed loses nothing it had acknowledged and leaves no lock', async () => {
    const path = temporaryDirectory();
    const here = await openTestDatabase({ path });
    const scope = await makeCollection(here);
    let expected = 0;
    for (let round = 0; round < 3; round++) {
      const there = new OtherProcess(path);
      for (let i = 0; i < 10; i++) {
        expect(await there.ask({ verb: 'add', id: `${round}-${i}`, embedding: [round, i], k: i })).toEqual({
          ok: true,
        });
        expected++;
      }
      void there.ask({ verb: 'add', id: `${round}-last`, embedding: [round, 99], k: 0 });
      await there.kill();
      const { ids } = await here.get(scope, getRequest());
      const acknowledged = ids.filter((id) => !id.endsWith('last'));
      expect(acknowledged).toHaveLength(expected);
      await here.update(scope, {
        ids: ['0-0'],
        embeddings: null,
        documents: [`round ${round}`],
        uris: null,
        metadatas: null,
        metadataKeys: [],
      });
    }
    expect(existsSync(join(path, 'collections', `${scope.collectionId}.sqlite3`))).toBe(true);
  });

  it('can create the same directory at the same moment', async () => {
    for (let round = 0; round < 3; round++) {
      const path = join(temporaryDirectory(), 'new');
      const others = Array.from({ length: 4 }, () => new OtherProcess(path));
      const answers = await Promise.all(others.map((other) => other.ask({ verb: 'heartbeat' })));
      expect(answers).toEqual(answers.map(() => ({ ok: true })));
      await Promise.all(others.map((other) => other.kill()));
    }
  });
});

describe('a process that is killed while its threads write and read', () => {
  /** Lets a process write and read until it has acknowledged `count` records, kills it, returns their ids. */
  async function acknowledgedUntilKilled(path: string, name: string, count: number): Promise<string[]> {
    const child = spawn(process.execPath, [LOAD, path, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const ids: string[] = [];
    for await (const id of createInterface({ input: child.stdout })) {
      ids.push(id);
      if (ids.length === count) child.kill('SIGKILL');
    }
    return ids;
  }

  it('has stored all it acknowledged, and whole batches of the rest', async () => {
    const path = temporaryDirectory();
    const acknowledged: string[] = [];
    for (const [round, count] of [20, 400, 1_000].entries()) {
      acknowledged.push(...(await acknowledgedUntilKilled(path, `round-${round}`, count)));
      const here = await openTestDatabase({ path, threads: 3 });
      const { id: collectionId } = await here.getCollection(SCOPE, 'tiles');
      const scope = { ...SCOPE, collectionId };
      const { ids, documents, embeddings } = await here.get(scope, getRequest());
      const stored = new Set(ids);
      expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
      expect(ids.length % 20).toBe(0);
      expect(documents).toEqual(ids);
      const sought = ids.length - 1;
      const embedding = [...embeddings!.values.subarray(sought * 3, (sought + 1) * 3)];
      const [nearest] = await here.query(scope, queryRequest([embedding], { nResults: 10 }));
      expect(nearest!.ids).toContain(ids[sought]);
      await here.close();
    }
  });
});
