/** Embedding a collection anew with another function, while it is in use. */
import { describe, expect, test } from 'vitest';
import type { Collection, ReembedProgress } from '../../src/client/index.ts';
import {
  type EmbeddingFunction,
  type EmbeddingFunctionConfig,
  registerEmbeddingFunction,
} from '../../src/embed/index.ts';
import { expectFault, type Subject, scopeOf } from './subject.ts';

/** Embeds a text as its length, in as many numbers as it is told. */
class Repeats implements EmbeddingFunction {
  readonly name = 'repeats';
  readonly count: number;
  readonly texts: string[] = [];
  /** Called before each batch; may throw. */
  before: (texts: readonly string[]) => unknown = () => {};
  constructor(count: number) {
    this.count = count;
  }
  static buildFromConfig({ count }: { count: number }): Repeats {
    return new Repeats(count);
  }
  getConfig(): EmbeddingFunctionConfig {
    return { count: this.count, model: `repeats-${this.count}` };
  }
  async generate(texts: string[]): Promise<number[][]> {
    await this.before(texts);
    this.texts.push(...texts);
    return texts.map((text) => new Array(this.count).fill(text.length));
  }
}
registerEmbeddingFunction('repeats', Repeats);

const ALL = ['embeddings', 'documents', 'metadatas', 'uris'] as const;

/** What a collection holds, but for the embeddings. */
async function contents(collection: Collection): Promise<unknown[]> {
  const { ids, documents, metadatas, uris } = await collection.get({
    include: ['documents', 'metadatas', 'uris'],
  });
  return ids.map((id, i) => [id, documents[i], metadatas[i], uris[i]]);
}

/** See the top of this file. */
export function reembeddingCases(subject: Subject): void {
  const filled = async (count: number): Promise<Collection> => {
    const made = await subject.collection({ embeddingFunction: new Repeats(2), metadata: { of: 'tests' } });
    const ids = Array.from({ length: count }, (_, i) => `id-${i}`);
    await made.add({
      ids,
      documents: ids.map((id) => `The text of ${id}`),
      metadatas: ids.map((_, i) => (i % 3 === 0 ? null : { parity: i % 2, float: i + 0.5 })),
      uris: ids.map((id, i) => (i % 5 === 0 ? `file:${id}` : null)),
    });
    await made.delete({ ids: ['id-3'] });
    return made;
  };

  describe('reembed', () => {
    test('gives every record an embedding of the new function, and changes nothing else', async () => {
      const films = await filled(40);
      const { id, name } = films;
      const before = await contents(films);
      const progress: ReembedProgress[] = [];
      const threes = new Repeats(3);
      const result = await films.reembed({
        embeddingFunction: threes,
        batchSize: 16,
        onProgress: (report) => void progress.push(report),
      });
      expect(result).toEqual({
        embeddedCount: 39,
        roundCount: expect.any(Number),
        formerName: `${name}.former`,
      });
      expect(progress.map(({ doneCount }) => doneCount).slice(0, 3)).toEqual([16, 32, 39]);
      expect(progress.every(({ totalCount }) => totalCount === 39)).toBe(true);
      expect(films.name).toBe(name);
      expect(films.id).not.toBe(id);
      expect(films.metadata).toEqual({ of: 'tests' });
      expect(films.embeddingFunction).toBe(threes);
      expect(await contents(films)).toEqual(before);
      const { embeddings } = await films.get({ include: ALL });
      expect(embeddings.every((row) => row?.length === 3)).toBe(true);
      const found = await subject.client.getCollection({ name });
      expect(found.id).toBe(films.id);
      expect(found.configuration.embeddingFunction).toMatchObject({ name: 'repeats', config: { count: 3 } });
      expect((await found.query({ queryTexts: ['The text of id-1'], nResults: 1 })).distances).toEqual([[0]]);
      await found.add({ ids: ['new'], documents: ['one more'] });
      expect(await films.count()).toBe(40);
    });

    test('keeps the former collection until it is deleted, to be forked', async () => {
      const films = await filled(8);
      const before = await films.get({ include: ALL });
      await films.reembed({ embeddingFunction: new Repeats(3), formerName: `${films.name}-2022` });
      const former = await subject.client.getCollection({ name: `${films.name}-2022` });
      await expectFault(former.get(), 'TESSERA_SUPERSEDED', /forked and deleted/);
      const fork = await former.fork({ name: subject.name() });
      expect((await fork.get({ include: ALL })).rows()).toEqual(before.rows());
      await fork.add({ ids: ['x'], documents: ['of two numbers'] });
      await subject.client.deleteCollection({ name: former.name });
      expect(await films.count()).toBe(7);
    });

    test('lets other objects of the collection follow, but for embeddings of the former function', async () => {
      const films = await filled(8);
      const other = await subject.client.getCollection({ name: films.name });
      const raw = await subject.client.getCollection({ name: films.name, embeddingFunction: null });
      await films.reembed({ embeddingFunction: new Repeats(3) });
      await expectFault(raw.add({ ids: ['a'], embeddings: [[1, 2]] }), 'TESSERA_SUPERSEDED', /Open it again/);
      await other.add({ ids: ['late'], documents: ['A late text'] });
      expect(other.id).toBe(films.id);
      expect((await films.get({ ids: 'late', include: ['embeddings'] })).embeddings).toEqual([[11, 11, 11]]);
      expect((await raw.get({ ids: 'late' })).ids).toEqual(['late']);
      const port = subject.backend.count({
        ...scopeOf(films),
        collectionId: 'f'.repeat(8).concat('-0000-4000-8000-', 'f'.repeat(12)),
      });
      await expectFault(port, 'TESSERA_COLLECTION_NOT_FOUND');
    });

    test('objects that were opened before follow in every call, also in those that a former one answers', async () => {
      const films = await filled(8);
      const open = () => subject.client.getCollection({ name: films.name });
      const [forking, looking, again] = [await open(), await open(), await open()];
      await films.reembed({ embeddingFunction: new Repeats(3) });
      expect((await looking.stats()).dimension).toBe(3);
      expect(looking.id).toBe(films.id);
      const fork = await forking.fork({ name: subject.name() });
      expect((await fork.get({ ids: 'id-1', include: ['embeddings'] })).embeddings![0]).toHaveLength(3);
      await again.reembed({ embeddingFunction: new Repeats(4), formerName: `${films.name}.earlier` });
      const names = (await subject.client.listCollections()).map(({ name }) => name);
      expect(names.filter((name) => name.startsWith(films.name)).sort()).toEqual(
        ['', '.earlier', '.former'].map((ending) => `${films.name}${ending}`),
      );
    });

    test('takes over what is written, changed and deleted meanwhile', async () => {
      const films = await filled(30);
      const threes = new Repeats(3);
      let batch = 0;
      threes.before = async () => {
        batch++;
        if (batch > 6) return;
        await films.add({ ids: [`during-${batch}`], documents: [`Written during ${batch}`] });
        await films.update({ ids: [`id-${batch}`], metadatas: [{ parity: null, changed: batch }] });
        await films.update({ ids: [`id-${batch + 10}`], documents: [`Changed during ${batch}`] });
        await films.delete({ ids: [`id-${batch + 20}`] });
      };
      const other = await subject.client.getCollection({ name: films.name });
      await films.reembed({ embeddingFunction: threes, batchSize: 8 });
      expect(await films.count()).toBe(29);
      const byId = new Map((await contents(films)).map((row) => [(row as [string])[0], row]));
      for (let i = 1; i <= 6; i++) {
        expect(byId.get(`during-${i}`)).toEqual([`during-${i}`, `Written during ${i}`, null, null]);
        if (i !== 3) expect(byId.get(`id-${i}`)).toMatchObject({ 2: { changed: i } });
        if (i !== 3) expect(byId.get(`id-${i}`)).not.toMatchObject({ 2: { parity: expect.anything() } });
        expect(byId.get(`id-${i + 10}`)).toMatchObject({ 1: `Changed during ${i}` });
        expect(byId.has(`id-${i + 20}`)).toBe(false);
      }
      const { embeddings, documents } = await films.get({ include: ALL });
      expect(embeddings.map((row) => row?.[0])).toEqual(documents.map((text) => text?.length));
      expect(await other.count()).toBe(29);
    });

    test('comes to an end while the same client never stops writing', async () => {
      const films = await filled(10);
      const threes = new Repeats(3);
      let isOver = false;
      let written = 0;
      const writing = (async () => {
        while (!isOver) await films.add({ ids: [`w-${written++}`], documents: [`Text ${written}`] });
      })();
      threes.before = () => new Promise((resolve) => setTimeout(resolve, 3));
      await films.reembed({ embeddingFunction: threes, batchSize: 8 });
      isOver = true;
      await writing;
      expect(await films.count()).toBe(9 + written);
      const { embeddings } = await films.get({ include: ['embeddings'] });
      expect(embeddings.every((row) => row?.length === 3)).toBe(true);
    });

    test('a function may write to other collections of the client, as a cache does', async () => {
      const films = await filled(6);
      const cache = await subject.collection({ embeddingFunction: null });
      const threes = new Repeats(3);
      threes.before = async (texts) => {
        await cache.upsert({ ids: texts.map((text) => text), embeddings: texts.map(() => [1]) });
        // One more, so that there is a round with the writes held.
        if (threes.texts.length === 0) await films.add({ ids: ['late'], documents: ['late'] });
      };
      await films.reembed({ embeddingFunction: threes });
      expect([await films.count(), await cache.count()]).toEqual([6, 6]);
    });

    test('goes on where it was interrupted', async () => {
      const films = await filled(40);
      const failing = new Repeats(3);
      failing.before = () => {
        if (failing.texts.length >= 24) throw new Error('no quota');
      };
      const call = films.reembed({ embeddingFunction: failing, batchSize: 8 });
      await expectFault(call, 'TESSERA_EMBEDDING_FUNCTION', /no quota/);
      await films.delete({ ids: ['id-1'] });
      await expectFault(
        films.reembed({ embeddingFunction: new Repeats(4) }),
        'TESSERA_EMBEDDING_FUNCTION',
        /Pass that one to go on/,
      );
      expect(await films.count()).toBe(38);
      const threes = new Repeats(3);
      const { embeddedCount } = await films.reembed({ embeddingFunction: threes, batchSize: 8 });
      expect(embeddedCount).toBe(15);
      expect(threes.texts).not.toContain('The text of id-0');
      expect(await films.count()).toBe(38);
      expect((await films.get({ ids: 'id-1' })).ids).toEqual([]);
    });

    test('a second call takes over from the first, which cannot write any more', async () => {
      const films = await filled(30);
      const other = await subject.client.getCollection({ name: films.name });
      const [slow, quick] = [new Repeats(3), new Repeats(3)];
      let second: Promise<unknown> = Promise.resolve();
      slow.before = async () => {
        if (slow.texts.length !== 16) return;
        // The batch that it has read is out of date when it comes to be written.
        await films.update({ ids: ['id-20'], documents: ['Changed after it was read'] });
        second = other.reembed({ embeddingFunction: quick, batchSize: 16 });
        await second;
      };
      const first = films.reembed({ embeddingFunction: slow, batchSize: 16 });
      await expect(first).rejects.toMatchObject({ name: 'DatabaseError' });
      await second;
      expect(quick.texts).not.toContain('The text of id-0');
      const found = await subject.client.getCollection({ name: films.name });
      expect((await found.get({ ids: 'id-20' })).documents).toEqual(['Changed after it was read']);
      expect(await found.count()).toBe(29);
    });

    test('refuses what cannot be embedded anew, and names that are taken', async () => {
      const films = await filled(4);
      const to = { embeddingFunction: new Repeats(3) };
      await expectFault(films.reembed({ ...to, batchSize: 0 }), 'TESSERA_INVALID_ARGUMENT', /batchSize/);
      await expectFault(films.reembed({} as never), 'TESSERA_INVALID_ARGUMENT', /embeddingFunction/);
      await expectFault(films.reembed({ ...to, formerName: 'x' }), 'TESSERA_INVALID_NAME');
      await expectFault(films.reembed({ ...to, onProgress: 1 as never }), 'TESSERA_INVALID_ARGUMENT');
      const taken = await subject.collection();
      await expectFault(films.reembed({ ...to, formerName: taken.name }), 'TESSERA_ALREADY_EXISTS');
      const other = await subject.client.createCollection({ name: `${films.name}.next` });
      await expectFault(films.reembed(to), 'TESSERA_ALREADY_EXISTS', /\.next/);
      await subject.client.deleteCollection({ name: other.name });
      await films.add({ ids: ['bare'], embeddings: [[1, 2]] });
      await expectFault(films.reembed(to), 'TESSERA_INVALID_DOCUMENT', /"bare"/);
      await films.delete({ ids: ['bare'] });
      await films.reembed(to);
      expect(await films.count()).toBe(3);
    });

    test('an empty collection changes its function as well', async () => {
      const empty = await subject.collection({ embeddingFunction: new Repeats(2) });
      await empty.reembed({ embeddingFunction: new Repeats(3) });
      await empty.add({ ids: ['a'], documents: ['abc'] });
      expect((await empty.get({ include: ['embeddings'] })).embeddings).toEqual([[3, 3, 3]]);
    });
  });
}
