/**
 * What happens to texts in collections that were given no embedding function, by a client that has a
 * default.
 */
import { describe, expect, test } from 'vitest';
import { type Collection, DatabaseClient } from '../../src/client/index.ts';
import type { EmbeddingFunction, EmbeddingFunctionConfig, EmbeddingModels } from '../../src/embed/index.ts';
import { expectFault, type Subject } from './subject.ts';

/** Embeds a text as its length and 1. */
class Lengths {
  readonly name = 'default-lengths';
  static buildFromConfig(): Lengths {
    return new Lengths();
  }
  getConfig(): EmbeddingFunctionConfig {
    return { version: 1 };
  }
  async generate(texts: string[]): Promise<number[][]> {
    return texts.map((text) => [text.length, 1]);
  }
}

const MODELS: EmbeddingModels = {
  classes: new Map([['default-lengths', Lengths]]),
  makeDefault: () => new Lengths(),
};
const STORED = { type: 'known', name: 'default-lengths', config: { version: 1 } };

/** See the top of this file. */
export function defaultFunctionCases(subject: Subject): void {
  describe('the default embedding function', () => {
    const connect = (): DatabaseClient => new DatabaseClient(async () => subject.backend, {}, MODELS);
    const create = (): Promise<Collection> => connect().createCollection({ name: subject.name() });

    test('embeds documents and query texts, and is stored with the first documents', async () => {
      const made = await create();
      expect(made.configuration.embeddingFunction).toBeNull();
      expect(made.embeddingFunction).toBeInstanceOf(Lengths);
      await made.add({ ids: ['a', 'b'], documents: ['one', 'three'] });
      expect(made.configuration.embeddingFunction).toEqual(STORED);
      const found = await connect().getCollection({ name: made.name });
      expect(found.configuration.embeddingFunction).toEqual(STORED);
      expect((await found.query({ queryTexts: ['seven7'], nResults: 1 })).ids).toEqual([['b']]);
      await found.upsert({ ids: ['c'], documents: ['eleven'] });
      expect((await made.get({ include: ['embeddings'] })).embeddings).toEqual([
        [3, 1],
        [5, 1],
        [6, 1],
      ]);
    });

    test('leaves the space that collections have', async () => {
      expect((await create()).configuration.hnsw.space).toBe('l2');
    });

    test('is found by an object that was made before it was stored', async () => {
      const made = await create();
      const earlier = await connect().getCollection({ name: made.name });
      await made.add({ ids: ['a'], documents: ['one'] });
      await earlier.add({ ids: ['b'], documents: ['three'] });
      expect((await earlier.query({ queryTexts: ['one'] })).ids).toEqual([['a', 'b']]);
    });

    test('answers a query of an empty collection with nothing, and stores nothing', async () => {
      const made = await create();
      expect((await made.query({ queryTexts: ['one'] })).ids).toEqual([[]]);
      const found = await connect().getCollection({ name: made.name });
      expect(found.configuration.embeddingFunction).toBeNull();
    });

    test('is refused where embeddings are that it may not have made, even of its dimension', async () => {
      const made = await create();
      await made.add({ ids: ['a'], embeddings: [[3, 1]] });
      expect(made.configuration.embeddingFunction).toBeNull();
      const found = await connect().getCollection({ name: made.name });
      expect(found.embeddingFunction).toBeUndefined();
      for (const collection of [made, found]) {
        const reason = /nothing says which function made them/;
        await expectFault(collection.query({ queryTexts: ['x'] }), 'TESSERA_EMBEDDING_FUNCTION', reason);
        const add = collection.add({ ids: ['b'], documents: ['x'] });
        await expectFault(add, 'TESSERA_EMBEDDING_FUNCTION', reason);
      }
      const given = await connect().getCollection({ name: made.name, embeddingFunction: new Lengths() });
      expect((await given.query({ queryTexts: ['one'] })).ids).toEqual([['a']]);
    });

    test('is not stored where texts are refused before they are embedded', async () => {
      const made = await create();
      const bad = made.add({ ids: ['a'], documents: ['x'], metadatas: [{ $bad: 1 }] });
      await expectFault(bad, 'TESSERA_INVALID_METADATA');
      const found = await connect().getCollection({ name: made.name });
      expect(found.configuration.embeddingFunction).toBeNull();
    });

    test('gives way to the function that is passed, stored or declared absent', async () => {
      const none = await connect().createCollection({ name: subject.name(), embeddingFunction: null });
      await expectFault(none.add({ ids: ['a'], documents: ['x'] }), 'TESSERA_EMBEDDING_FUNCTION', /null/);
      const plain = { generate: async (texts: string[]) => texts.map(() => [1, 2, 3]) };
      const passed = await connect().createCollection({ name: subject.name(), embeddingFunction: plain });
      await passed.add({ ids: ['a'], documents: ['x'] });
      expect((await passed.get({ include: ['embeddings'] })).embeddings).toEqual([[1, 2, 3]]);
      const found = await connect().getCollection({ name: passed.name });
      await expectFault(
        found.add({ ids: ['b'], documents: ['x'] }),
        'TESSERA_EMBEDDING_FUNCTION',
        /could not be stored/,
      );
    });

    test('and any other is refused by a collection of a known function, Chroma’s default included', async () => {
      const made = await create();
      await made.add({ ids: ['a'], documents: ['one'] });
      const named = (name: string): EmbeddingFunction => ({ name, generate: new Lengths().generate });
      const open = (name: string): Promise<Collection> =>
        connect().getCollection({ name: made.name, embeddingFunction: named(name) });
      await expectFault(open('default'), 'TESSERA_EMBEDDING_FUNCTION', /default-lengths/);
      expect(await (await open('default-lengths')).count()).toBe(1);
    });

    test('is still undecided after a collection was renamed', async () => {
      const made = await create();
      await made.modify({ name: subject.name() });
      expect(made.configuration.embeddingFunction).toBeNull();
      await made.add({ ids: ['a'], documents: ['one'] });
      expect(made.configuration.embeddingFunction).toEqual(STORED);
    });
  });
}
