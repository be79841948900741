/** Texts in place of embeddings, and how a collection remembers its embedding function. */
import { describe, expect, test } from 'vitest';
import type { Space } from '../../src/api/index.ts';
import {
  type EmbeddingFunction,
  type EmbeddingFunctionConfig,
  registerEmbeddingFunction,
} from '../../src/embed/index.ts';
import { expectFault, type Subject } from './subject.ts';

/** Embeds a text as its length and its number of words; queries one further along. */
class Measures implements EmbeddingFunction {
  readonly name: string = 'measures';
  readonly texts: string[][] = [];
  static buildFromConfig(): Measures {
    return new Measures();
  }
  getConfig(): EmbeddingFunctionConfig {
    return { unit: 'words' };
  }
  async generate(texts: string[]): Promise<number[][]> {
    this.texts.push(texts);
    return texts.map((text) => [text.length, text.split(' ').length]);
  }
}

class CosineMeasures extends Measures {
  override readonly name = 'cosine-measures';
  static override buildFromConfig(): CosineMeasures {
    return new CosineMeasures();
  }
  defaultSpace(): Space {
    return 'cosine';
  }
  supportedSpaces(): Space[] {
    return ['cosine', 'l2'];
  }
  async generateForQueries(texts: string[]): Promise<number[][]> {
    return (await this.generate(texts)).map(([length]) => [length!, 0]);
  }
}

registerEmbeddingFunction('measures', Measures);
registerEmbeddingFunction('cosine-measures', CosineMeasures);

/** See the top of this file. */
export function embeddingFunctionCases(subject: Subject): void {
  describe('embedding functions', () => {
    test('texts are embedded where embeddings are left out', async () => {
      const measures = new Measures();
      const made = await subject.collection({ embeddingFunction: measures });
      await made.add({ ids: ['a', 'b'], documents: ['one', 'one two'] });
      await made.upsert({ ids: ['c'], documents: ['one two three'] });
      const { embeddings } = await made.get({ include: ['embeddings'] });
      expect(embeddings).toEqual([
        [3, 1],
        [7, 2],
        [13, 3],
      ]);
      expect((await made.query({ queryTexts: ['six'], nResults: 1 })).ids).toEqual([['a']]);
      expect(measures.texts).toEqual([['one', 'one two'], ['one two three'], ['six']]);
    });

    test('embeddings that are given are taken as they are', async () => {
      const measures = new Measures();
      const made = await subject.collection({ embeddingFunction: measures });
      await made.add({ ids: ['a'], documents: ['one'], embeddings: [[7, 7]] });
      expect((await made.get({ include: ['embeddings'] })).embeddings).toEqual([[7, 7]]);
      expect(measures.texts).toEqual([]);
    });

    test('an update embeds the documents it brings, and only those', async () => {
      const made = await subject.collection({ embeddingFunction: new Measures() });
      await made.add({ ids: ['a', 'b'], documents: ['one', 'two'] });
      await made.update({ ids: ['a', 'b'], documents: [null, 'one two'], metadatas: [{ k: 1 }, null] });
      const found = await made.get({ include: ['documents', 'embeddings'] });
      expect(found).toMatchObject({
        documents: ['one', 'one two'],
        embeddings: [
          [3, 1],
          [7, 2],
        ],
      });
    });

    test('is stored by name and configuration, and found again', async () => {
      const made = await subject.collection({ embeddingFunction: new Measures() });
      const stored = { type: 'known', name: 'measures', config: { unit: 'words' } };
      expect(made.configuration.embeddingFunction).toEqual(stored);
      const found = await subject.client.getCollection({ name: made.name });
      expect(found.embeddingFunction).toBeInstanceOf(Measures);
      expect(found.configuration.embeddingFunction).toEqual(stored);
      await found.add({ ids: ['a'], documents: ['one'] });
      expect(await found.count()).toBe(1);
    });

    test('gives the collection its space, unless one is named', async () => {
      const made = await subject.collection({ embeddingFunction: new CosineMeasures() });
      expect(made.configuration.hnsw.space).toBe('cosine');
      const named = await subject.collection({
        embeddingFunction: new CosineMeasures(),
        configuration: { space: 'l2' },
      });
      expect(named.configuration.hnsw.space).toBe('l2');
      await made.add({
        ids: ['a', 'b'],
        embeddings: [
          [0, 1],
          [1, 0],
        ],
      });
      expect((await made.query({ queryTexts: ['x'] })).ids).toEqual([['b', 'a']]);
    });

    test('another function than the stored one is refused', async () => {
      const made = await subject.collection({ embeddingFunction: new Measures() });
      const other = { name: made.name, embeddingFunction: new CosineMeasures() };
      await expectFault(subject.client.getCollection(other), 'TESSERA_EMBEDDING_FUNCTION', /measures/);
      await expectFault(
        subject.client.getOrCreateCollection(other),
        'TESSERA_EMBEDDING_FUNCTION',
        /measures/,
      );
    });

    test('texts without a function are refused with the remedy', async () => {
      const none = await subject.collection();
      await expectFault(
        none.add({ ids: ['a'], documents: ['x'] }),
        'TESSERA_EMBEDDING_FUNCTION',
        /was given none/,
      );
      const only = await subject.collection({ embeddingFunction: null });
      await expectFault(only.add({ ids: ['a'], documents: ['x'] }), 'TESSERA_EMBEDDING_FUNCTION', /null/);
      await expectFault(only.query({ queryTexts: ['x'] }), 'TESSERA_EMBEDDING_FUNCTION', /queryEmbeddings/);
      const legacy = await subject.collection({ embeddingFunction: { generate: async () => [] } });
      const found = await subject.client.getCollection({ name: legacy.name });
      await expectFault(
        found.query({ queryTexts: ['x'] }),
        'TESSERA_EMBEDDING_FUNCTION',
        /could not be stored/,
      );
      await only.add({ ids: ['a'], embeddings: [[1]], documents: ['x'] });
      expect(await only.count()).toBe(1);
    });

    test('a function that fails or miscounts is reported, and nothing is written', async () => {
      const failing: EmbeddingFunction = { generate: async () => Promise.reject(new Error('no quota')) };
      const made = await subject.collection({ embeddingFunction: failing });
      await expectFault(made.add({ ids: ['a'], documents: ['x'] }), 'TESSERA_EMBEDDING_FUNCTION', /no quota/);
      const few: EmbeddingFunction = { generate: async () => [[1]] };
      const short = await subject.collection({ embeddingFunction: few });
      await expectFault(
        short.add({ ids: ['a', 'b'], documents: ['x', 'y'] }),
        'TESSERA_EMBEDDING_FUNCTION',
        /2/,
      );
      expect([await made.count(), await short.count()]).toEqual([0, 0]);
    });

    test('texts are embedded only when the rest of the call is in order', async () => {
      const measures = new Measures();
      const made = await subject.collection({ embeddingFunction: measures });
      const metadatas = [{ $bad: 1 }];
      await expectFault(made.add({ ids: ['a'], documents: ['x'], metadatas }), 'TESSERA_INVALID_METADATA');
      await expectFault(made.add({ ids: ['a', 'b'], documents: ['x'] }), 'TESSERA_BATCH_MISMATCH');
      await expectFault(made.query({ queryTexts: ['x'], nResults: 0 }), 'TESSERA_INVALID_ARGUMENT');
      expect(measures.texts).toEqual([]);
    });

    test('documents that are longer than the model reads are told of, and stored whole', async () => {
      const measures: EmbeddingFunction = Object.assign(new Measures(), {
        tokenCounter: async () => ({ maxTokens: 4, countTokens: (text: string) => text.split(' ').length }),
      });
      const made = await subject.collection({ embeddingFunction: measures });
      const warnings: Error[] = [];
      const hear = (warning: Error): void => void warnings.push(warning);
      process.on('warning', hear);
      const documents = ['a b c d', 'a b c d e', 'one two three four five six'];
      const report = await made.add({ ids: ['a', 'b', 'c'], documents });
      expect(report.longTexts).toEqual([
        { id: 'b', tokenCount: 5, maxTokens: 4 },
        { id: 'c', tokenCount: 6, maxTokens: 4 },
      ]);
      expect(await made.update({ ids: ['a'], documents: ['short'] })).toEqual({ longTexts: [] });
      expect((await made.upsert({ ids: ['d'], documents: ['1 2 3 4 5'] })).longTexts).toHaveLength(1);
      expect((await made.get()).documents.slice(1, 3)).toEqual(documents.slice(1));
      await new Promise((resolve) => setImmediate(resolve));
      process.off('warning', hear);
      const heard = warnings.filter((warning) => (warning as { code?: string }).code === 'TESSERA_LONG_TEXT');
      expect(heard.map(({ message }) => message)).toEqual([
        expect.stringMatching(/reads 4 tokens .* "b" has 5/),
      ]);
    });

    test('where tokens are not counted but their limit is known, long documents are told of by an estimate', async () => {
      class Limited extends Measures {
        readonly maxTokens = 4;
      }
      const made = await subject.collection({ embeddingFunction: new Limited() });
      const documents = ['sixteen letters.', 'seventeen letters', 'no'];
      expect(await made.add({ ids: ['a', 'b', 'c'], documents })).toEqual({
        longTexts: [{ id: 'b', tokenCount: 5, maxTokens: 4, isEstimate: true }],
      });
    });

    test('modify refuses another function for embeddings that are there, and says what changes them', async () => {
      const made = await subject.collection({ embeddingFunction: new Measures() });
      await made.add({ ids: ['a'], documents: ['one'] });
      const nameless: EmbeddingFunction = { generate: async (texts) => texts.map(() => [1, 2]) };
      for (const embeddingFunction of [new CosineMeasures(), nameless]) {
        const refused = made.modify({ metadata: { changed: true }, configuration: { embeddingFunction } });
        await expectFault(refused, 'TESSERA_EMBEDDING_FUNCTION', /"measures".*collection\.reembed/);
      }
      await made.modify({ configuration: { embeddingFunction: new Measures() } });
      const found = await subject.client.getCollection({ name: made.name });
      expect([found.embeddingFunction, found.metadata]).toEqual([expect.any(Measures), undefined]);
    });

    test('modify stores another function where there are no embeddings yet', async () => {
      const made = await subject.collection({ embeddingFunction: new Measures() });
      await made.modify({ configuration: { embeddingFunction: new CosineMeasures() } });
      expect(made.embeddingFunction).toBeInstanceOf(CosineMeasures);
      const found = await subject.client.getCollection({ name: made.name });
      expect(found.embeddingFunction).toBeInstanceOf(CosineMeasures);
    });
  });
}
