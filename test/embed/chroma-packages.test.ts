/** Published embedding packages of Chroma, unchanged, as functions of collections. */
import { HuggingfaceServerEmbeddingFunction } from '@chroma-core/huggingface-server';
import { OpenAIEmbeddingFunction as ChromaOpenAI } from '@chroma-core/openai';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DatabaseClient } from '../../src/client/index.ts';
import {
  buildEmbeddingFunction,
  describeEmbeddingFunction,
  HuggingFaceServerEmbeddingFunction,
  OpenAIEmbeddingFunction,
  registerEmbeddingFunction,
} from '../../src/embed/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { ProviderStandIn } from '../support/provider-stand-in.ts';

let standIn: ProviderStandIn;
let client: DatabaseClient;
beforeAll(async () => {
  vi.stubEnv('OPENAI_API_KEY', 'a-key');
  standIn = await ProviderStandIn.start();
  const backend = await openDatabase({ threads: 0 });
  client = new DatabaseClient(async () => backend);
});
afterAll(async () => {
  await client.close();
  vi.unstubAllEnvs();
  await standIn.close();
});

test('@chroma-core/openai embeds documents and queries, and our function finds its collection again', async () => {
  const theirs = new ChromaOpenAI({ modelName: 'm', apiBase: `${standIn.url}/v1` });
  const made = await client.createCollection({ name: 'openai', embeddingFunction: theirs });
  expect(made.configuration.hnsw.space).toBe('cosine');
  await made.add({ ids: ['a', 'b'], documents: ['one', 'one two three'] });
  const found = await client.getCollection({ name: 'openai' });
  expect(found.embeddingFunction).toBeInstanceOf(OpenAIEmbeddingFunction);
  expect((await found.query({ queryTexts: ['two'], nResults: 1 })).ids).toEqual([['a']]);
  const passed = await client.getCollection({ name: 'openai', embeddingFunction: theirs });
  expect((await passed.query({ queryTexts: ['two'], nResults: 1 })).ids).toEqual([['a']]);
  const other = new ChromaOpenAI({ modelName: 'other', apiBase: `${standIn.url}/v1` });
  await expect(client.getCollection({ name: 'openai', embeddingFunction: other })).rejects.toMatchObject({
    code: 'TESSERA_EMBEDDING_FUNCTION',
    message: expect.stringMatching(/made with the embedding function "openai" \(m\), got "openai" \(other\)/),
  });
});

test('@chroma-core/huggingface-server does the same', async () => {
  const theirs = new HuggingfaceServerEmbeddingFunction({ url: `${standIn.url}/embed` });
  const made = await client.createCollection({ name: 'hugging', embeddingFunction: theirs });
  await made.add({ ids: ['a', 'b'], documents: ['one', 'one two three'] });
  const found = await client.getCollection({ name: 'hugging' });
  expect(found.embeddingFunction).toBeInstanceOf(HuggingFaceServerEmbeddingFunction);
  expect((await found.query({ queryTexts: ['two'], nResults: 1 })).ids).toEqual([['a']]);
});

test('what our functions store, the packages of Chroma accept', () => {
  const openai = describeEmbeddingFunction(
    new OpenAIEmbeddingFunction({ modelName: 'm', apiBase: `${standIn.url}/v1`, dimensions: 3 }),
  );
  const server = describeEmbeddingFunction(
    new HuggingFaceServerEmbeddingFunction({ url: `${standIn.url}/embed` }),
  );
  if (openai.type !== 'known' || server.type !== 'known') throw new Error('not stored');
  const theirs = ChromaOpenAI.buildFromConfig(openai.config as never);
  expect(() => ChromaOpenAI.validateConfig(openai.config as never)).not.toThrow();
  expect(theirs.getConfig()).toMatchObject(openai.config);
  expect(() => HuggingfaceServerEmbeddingFunction.validateConfig(server.config as never)).not.toThrow();
  expect(
    HuggingfaceServerEmbeddingFunction.buildFromConfig(server.config as never).getConfig(),
  ).toMatchObject(server.config);
});

test('a class that a program registers comes before the built-in one of its name', () => {
  registerEmbeddingFunction('openai', ChromaOpenAI);
  const stored = { type: 'known', name: 'openai', config: { model_name: 'm' } } as const;
  expect(buildEmbeddingFunction(stored)).toBeInstanceOf(ChromaOpenAI);
});
