/**
 * A process that embeds a collection anew is killed again and again, while another one writes: the name
 * always leads to all the records, the work goes on where it was, and nothing that was acknowledged is lost.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { seededNumbers } from '../../src/base/index.ts';
import { type Collection, DatabaseClient } from '../../src/client/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { programPath } from '../support/programs.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const PROGRAM = programPath('reembedding-process');

/** Batches that a process lives for, beginning with those of the first life. */
const LIVES = [1, 3, 2, 5, 4, Number.POSITIVE_INFINITY];
const RECORD_COUNT = 200;

/** Runs the program until it has done some batches, or all. Returns whether it came to its end. */
async function live(path: string, batchCount: number): Promise<boolean> {
  const child = spawn(process.execPath, ['--no-warnings', PROGRAM, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // It may be gone when it is told to go on.
  child.stdin.on('error', () => {});
  child.stdin.write('\n');
  let count = 0;
  let isDone = false;
  for await (const line of createInterface(child.stdout)) {
    if (line === 'done') isDone = true;
    else if (++count === batchCount) child.kill('SIGKILL');
    else child.stdin.write('\n');
  }
  await ended;
  return isDone;
}

test('a killed process leaves the old or the new, and another goes on', { timeout: 60_000 }, async () => {
  const path = temporaryDirectory();
  const client = new DatabaseClient(() => openDatabase({ path, threads: 0 }));
  onTestFinished(() => client.close());
  const embeddingFunction = {
    generate: async (texts: string[]) => texts.map((text) => [text.length, 2]),
  };
  const make = client.createCollection({ name: 'films', embeddingFunction });
  const texts = new Map<string, string>();
  const chance = seededNumbers(6);
  const put = async (films: Collection, ids: string[]): Promise<void> => {
    const documents = ids.map((id) => `${id} ${'x'.repeat(Math.floor(chance() * 20))}`);
    await films.upsert({ ids, documents });
    for (const [i, id] of ids.entries()) texts.set(id, documents[i]!);
  };
  const films = await make;
  await put(
    films,
    Array.from({ length: RECORD_COUNT }, (_, i) => `id-${i}`),
  );
  for (const [lifeIndex, batchCount] of LIVES.entries()) {
    let isOver = false;
    const life = live(path, batchCount).finally(() => {
      isOver = true;
    });
    const isLast = batchCount === Number.POSITIVE_INFINITY;
    for (let i = 0; i < 8 && !isOver && !isLast; i++) {
      await put(films, [`id-${Math.floor(chance() * RECORD_COUNT)}`, `new-${lifeIndex}-${i}`]);
      const gone = `id-${Math.floor(chance() * RECORD_COUNT)}`;
      await films.delete({ ids: [gone] });
      texts.delete(gone);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await life).toBe(isLast);
    const found = await client.getCollection({ name: 'films' });
    const { ids, documents, embeddings } = await found.get({ include: ['documents', 'embeddings'] });
    expect(new Map(ids.map((id, i) => [id, documents[i]!]))).toEqual(texts);
    const dimension = isLast ? 3 : 2;
    expect(embeddings.map((row) => row?.length)).toEqual(ids.map(() => dimension));
    expect(embeddings.map((row) => row?.[0])).toEqual(documents.map((text) => text?.length));
  }
});
