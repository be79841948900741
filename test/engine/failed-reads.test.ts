/**
 * A read that fails halfway (the disk, a damaged block) leaves nothing half-loaded behind: the next query
 * fails as well or answers in full.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Backend,
  type CollectionScope,
  type GetRequest,
  parseWhere,
  parseWhereDocument,
} from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { batchOf, getRequest, queryRequest } from '../support/batches.ts';
import { makeCollection, openTestDatabase } from '../support/database.ts';
import { collectionFile, withFile } from '../support/kept-cells.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const corrupt = { code: 'TESSERA_CORRUPT' };
const recordsFrom = (first: number, count: number): ReturnType<typeof batchOf> =>
  batchOf(...Array.from({ length: count }, (_, i) => ({ id: `r${first + i}`, embedding: [first + i, 1] })));

/** Takes the last block of embeddings away; gives what puts it back. */
function loseLastBlock(file: string): () => void {
  const [block, data] = withFile(file, (database) => {
    const last = database.prepare('SELECT block, data FROM vectors ORDER BY block DESC LIMIT 1').get()!;
    database.prepare('UPDATE vectors SET data = ? WHERE block = ?').run(new Uint8Array(4), last[0]!);
    return last;
  });
  return () => {
    withFile(file, (database) => {
      database.prepare('UPDATE vectors SET data = ? WHERE block = ?').run(data!, block!);
    });
  };
}

async function nearestCount(backend: Backend, scope: CollectionScope): Promise<number> {
  const [found] = await backend.query(scope, queryRequest([[0, 1]], { nResults: 1_000 }));
  return found!.ids.length;
}

describe('a block of embeddings that cannot be read', () => {
  it('when the index is loaded: queries fail until it can, and then find every record', async () => {
    const path = join(temporaryDirectory(), 'data');
    const first = await openDatabase({ path, threads: 0 });
    const scope = await makeCollection(first);
    await first.add(scope, recordsFrom(0, 100));
    await first.close();
    const putBack = loseLastBlock(collectionFile(path, scope.collectionId));
    const backend = await openTestDatabase({ path });
    await expect(nearestCount(backend, scope)).rejects.toMatchObject(corrupt);
    await expect(nearestCount(backend, scope)).rejects.toMatchObject(corrupt);
    putBack();
    expect(await nearestCount(backend, scope)).toBe(100);
  });

  it('when the index follows: queries fail until it can, and then find every record', async () => {
    const path = join(temporaryDirectory(), 'data');
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    await backend.add(scope, recordsFrom(0, 64));
    expect(await nearestCount(backend, scope)).toBe(64);
    const other = await openDatabase({ path, threads: 0 });
    await other.add(scope, recordsFrom(64, 40));
    await other.close();
    const putBack = loseLastBlock(collectionFile(path, scope.collectionId));
    await expect(nearestCount(backend, scope)).rejects.toMatchObject(corrupt);
    await expect(nearestCount(backend, scope)).rejects.toMatchObject(corrupt);
    putBack();
    expect(await nearestCount(backend, scope)).toBe(104);
  });
});

describe('a record that cannot be read while columns are loaded', () => {
  /** Twenty records, the last of which is damaged after the index of embeddings was loaded. */
  async function damaged(): Promise<{ backend: Backend; scope: CollectionScope; putBack: () => void }> {
    const path = join(temporaryDirectory(), 'data');
    const backend = await openTestDatabase({ path });
    const scope = await makeCollection(backend);
    const records = Array.from({ length: 20 }, (_, i) => {
      return {
        id: `r${i}`,
        embedding: [i, 1],
        document: `Text ${i}.`,
        metadata: JSON.stringify({ kind: 7 }),
      };
    });
    await backend.add(scope, {
      ...batchOf(...records),
      metadataKeys: [{ key: 'kind', type: 'int' }],
    });
    expect(await nearestCount(backend, scope)).toBe(20);
    const setDocument = (document: string): void =>
      withFile(collectionFile(path, scope.collectionId), (database) => {
        database.prepare("UPDATE records SET document = ? WHERE id = 'r19'").run(document);
      });
    setDocument('Changed.');
    return { backend, scope, putBack: () => setDocument('Text 19.') };
  }

  const filters: readonly [what: string, filter: Partial<GetRequest>][] = [
    ['metadata', { where: parseWhere({ kind: 7 }) }],
    ['documents', { whereDocument: parseWhereDocument({ $contains: 'x' }) }],
  ];
  it.each(filters)('of %s: calls fail until it can, and then find every record', async (_, filter) => {
    const { backend, scope, putBack } = await damaged();
    const request = getRequest({ ...filter, include: [] });
    await expect(backend.get(scope, request)).rejects.toMatchObject(corrupt);
    await expect(backend.get(scope, request)).rejects.toMatchObject(corrupt);
    putBack();
    expect((await backend.get(scope, request)).ids).toHaveLength(20);
  });
});
