/** The functions of providers against a stand-in that speaks their wire formats. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/base/index.ts';
import {
  buildEmbeddingFunction,
  CohereEmbeddingFunction,
  describeEmbeddingFunction,
  type EmbeddingFunction,
  type EmbeddingFunctionClass,
  type EmbeddingFunctionConfig,
  GoogleGeminiEmbeddingFunction,
  HuggingFaceEmbeddingFunction,
  HuggingFaceServerEmbeddingFunction,
  JinaEmbeddingFunction,
  MistralEmbeddingFunction,
  OllamaEmbeddingFunction,
  OpenAIEmbeddingFunction,
  type ProviderOptions,
  VoyageAIEmbeddingFunction,
} from '../../src/embed/index.ts';
import { ProviderStandIn } from '../support/provider-stand-in.ts';

let standIn: ProviderStandIn;
beforeAll(async () => {
  standIn = await ProviderStandIn.start();
});
afterEach(() => {
  standIn.arrivals.length = 0;
});
afterAll(() => standIn.close());

const environment: Environment = {
  variable: (name) => (name.endsWith('_UNSET') ? undefined : `value of ${name}`),
};

interface Provider {
  readonly name: string;
  /** Extra options go to the constructor along with what the case says. */
  make(options: ProviderOptions): EmbeddingFunction;
  readonly config: EmbeddingFunctionConfig;
  /** Header and value in which the key goes, `null` where there is none. */
  readonly key: readonly [string, string] | null;
  readonly hasQueries: boolean;
}

const PROVIDERS: readonly Provider[] = [
  {
    name: 'openai',
    make: (options) =>
      new OpenAIEmbeddingFunction({ modelName: 'm', dimensions: 3, organizationId: 'o', ...options }),
    config: { api_key_env_var: 'OPENAI_API_KEY', model_name: 'm', dimensions: 3, organization_id: 'o' },
    key: ['authorization', 'Bearer value of OPENAI_API_KEY'],
    hasQueries: false,
  },
  {
    name: 'cohere',
    make: (options) => new CohereEmbeddingFunction({ modelName: 'm', truncate: 'NONE', ...options }),
    config: { api_key_env_var: 'COHERE_API_KEY', model_name: 'm', truncate: 'NONE' },
    key: ['authorization', 'Bearer value of COHERE_API_KEY'],
    hasQueries: true,
  },
  {
    name: 'voyageai',
    make: (options) => new VoyageAIEmbeddingFunction({ modelName: 'm', inputType: 'document', ...options }),
    config: { api_key_env_var: 'VOYAGE_API_KEY', model_name: 'm', input_type: 'document', truncation: true },
    key: ['authorization', 'Bearer value of VOYAGE_API_KEY'],
    hasQueries: true,
  },
  {
    name: 'jina',
    make: (options) => new JinaEmbeddingFunction({ modelName: 'm', task: 'retrieval.passage', ...options }),
    config: { api_key_env_var: 'JINA_API_KEY', model_name: 'm', task: 'retrieval.passage' },
    key: ['authorization', 'Bearer value of JINA_API_KEY'],
    hasQueries: true,
  },
  {
    name: 'mistral',
    make: (options) => new MistralEmbeddingFunction({ model: 'm', ...options }),
    config: { api_key_env_var: 'MISTRAL_API_KEY', model: 'm' },
    key: ['authorization', 'Bearer value of MISTRAL_API_KEY'],
    hasQueries: false,
  },
  {
    name: 'google-gemini',
    make: (options) =>
      new GoogleGeminiEmbeddingFunction({
        modelName: 'm',
        taskType: 'RETRIEVAL_DOCUMENT',
        dimension: 3,
        ...options,
      }),
    config: {
      api_key_env_var: 'GEMINI_API_KEY',
      model_name: 'm',
      task_type: 'RETRIEVAL_DOCUMENT',
      dimension: 3,
    },
    key: ['x-goog-api-key', 'value of GEMINI_API_KEY'],
    hasQueries: true,
  },
  {
    name: 'huggingface',
    make: (options) => new HuggingFaceEmbeddingFunction({ modelName: 'a/b', ...options }),
    config: { api_key_env_var: 'HF_TOKEN', model_name: 'a/b' },
    key: ['authorization', 'Bearer value of HF_TOKEN'],
    hasQueries: false,
  },
  {
    name: 'huggingface-server',
    make: (options) =>
      new HuggingFaceServerEmbeddingFunction({ url: 'http://nowhere.test/embed', ...options }),
    config: { url: 'http://nowhere.test/embed' },
    key: null,
    hasQueries: false,
  },
  {
    name: 'ollama',
    make: (options) =>
      new OllamaEmbeddingFunction({ modelName: 'm', url: 'http://nowhere.test/', ...options }),
    config: { url: 'http://nowhere.test', model_name: 'm' },
    key: null,
    hasQueries: false,
  },
];

/** Options under which nothing waits. */
const here = (options: ProviderOptions = {}): ProviderOptions => ({
  fetch: standIn.fetch,
  environment,
  retryCount: 0,
  ...options,
});

describe.each(PROVIDERS)('$name', ({ name, make, config, key, hasQueries }) => {
  test('embeds texts in order, in batches that keep to the limit, with the key of the environment', async () => {
    const embedding = make(here({ batchSize: 2 }));
    expect(await embedding.generate(['a', 'b c', '', 'dd', 'e f g'])).toEqual([
      [1, 1, 0],
      [3, 2, 0],
      [0, 0, 0],
      [2, 1, 0],
      [5, 3, 0],
    ]);
    expect(standIn.arrivals).toHaveLength(3);
    if (key !== null) expect(standIn.arrivals[0]!.headers[key[0]]).toBe(key[1]);
    else expect(standIn.arrivals[0]!.headers['authorization']).toBeUndefined();
    expect(await embedding.generate([])).toEqual([]);
  });

  test('tells the provider that a query is one, where the provider can be told', async () => {
    expect(await make(here()).generateForQueries!(['a'])).toEqual([[1, 1, hasQueries ? 1 : 0]]);
  });

  test('is stored by name and configuration, without the key, and built again from them', async () => {
    const stored = describeEmbeddingFunction(make(here({ apiKey: 'secret' })));
    expect(stored).toEqual({ type: 'known', name, config });
    const built = buildEmbeddingFunction(stored)!;
    expect(describeEmbeddingFunction(built)).toEqual(stored);
    expect(built.constructor).toBe(make(here()).constructor);
    expect(JSON.stringify([make(here({ apiKey: 'secret' }))])).not.toContain('secret');
    const { buildFromConfig } = built.constructor as EmbeddingFunctionClass;
    if (name !== 'huggingface-server') {
      expect(() => buildFromConfig({ url: 'http://nowhere.test' })).toThrow(
        /expected model.* to be a string/,
      );
    }
  });

  test('goes on after 429 and 5xx, and says in the end what the provider said', async () => {
    standIn.answerNext({ status: 429, headers: { 'retry-after': '0' }, body: 'slow down' });
    standIn.answerNext({
      status: 503,
      headers: { 'retry-after': '0' },
      body: { error: { message: 'busy' } },
    });
    expect(await make(here({ retryCount: 2 })).generate(['ab'])).toEqual([[2, 1, 0]]);
    standIn.answerNext({ status: 500, body: { message: 'out of order' } });
    await expect(make(here()).generate(['ab'])).rejects.toMatchObject({
      code: 'TESSERA_EMBEDDING_PROVIDER',
      message: expect.stringMatching(/answered 500: out of order, asked once/),
    });
  });

  test('refuses an answer that is malformed, miscounted or of changing dimension', async () => {
    const answers = [
      [{ body: '<html>' }, /no JSON: <html>/],
      [{ body: { nothing: true } }, /no embeddings|for 2 texts/],
      [{ body: null }, /no embeddings/],
      [{ body: (right: object) => JSON.parse(JSON.stringify(right).replaceAll('2', '"2"')) }, /no embedding/],
    ] as const;
    for (const [canned, message] of answers) {
      standIn.answerNext(canned);
      await expect(make(here()).generate(['aa', 'bb'])).rejects.toMatchObject({
        code: 'TESSERA_EMBEDDING_PROVIDER',
        message: expect.stringMatching(message),
      });
    }
    // The answer to one text for two, and one number more than before.
    const embedding = make(here());
    const [alone] = await Promise.all([rightAnswer(embedding, ['aa'])]);
    standIn.answerNext({ body: alone });
    await expect(embedding.generate(['aa', 'bb'])).rejects.toThrow(/1 embeddings for 2 texts/);
    standIn.answerNext({
      body: (right: object) => JSON.parse(JSON.stringify(right).replaceAll('[2,1', '[2,1,7')),
    });
    await expect(embedding.generate(['aa'])).rejects.toThrow(/dimension 4 after one of dimension 3/);
  });
});

/** What the stand-in answers to texts, as JSON. */
async function rightAnswer(embedding: EmbeddingFunction, texts: string[]): Promise<unknown> {
  let answer: unknown;
  standIn.answerNext({
    body: (right: unknown) => {
      answer = right;
      return right;
    },
  });
  await embedding.generate(texts);
  return answer;
}

describe('any provider', () => {
  const make = (options: ProviderOptions): EmbeddingFunction =>
    new MistralEmbeddingFunction({ model: 'm', ...here(options) });

  test('a refusal is final, and shows what was said', async () => {
    standIn.answerNext({ status: 401, body: { detail: 'who are you' } });
    await expect(make({ retryCount: 5 }).generate(['a'])).rejects.toMatchObject({
      code: 'TESSERA_EMBEDDING_FUNCTION',
      message: 'Mistral answered 401: who are you',
      details: { status: 401 },
    });
    expect(standIn.arrivals).toHaveLength(1);
  });

  test('a connection that breaks is tried again; none at all is said to be none', async () => {
    standIn.answerNext(null);
    const fetch = (request: Request): Promise<Response> => standIn.fetch(request);
    await expect(make({ fetch, retryCount: 0 }).generate(['a'])).rejects.toMatchObject({
      code: 'TESSERA_EMBEDDING_PROVIDER',
      message: expect.stringMatching(/^Mistral gave no answer \(.+\), asked once/),
    });
  });

  test('no answer in time is no answer', async () => {
    const fetch = (request: Request): Promise<Response> =>
      new Promise((_resolve, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason));
      });
    await expect(make({ fetch, timeoutMs: 1, retryCount: 0 }).generate(['a'])).rejects.toThrow(
      /gave no answer within 1 ms/,
    );
  });

  test('a wait of hours is not sat through', async () => {
    standIn.answerNext({ status: 429, headers: { 'retry-after': '7200' }, body: { error: 'quota' } });
    await expect(make({ retryCount: 5 }).generate(['a'])).rejects.toThrow(
      /429: quota and asks to wait 7200 s/,
    );
  });

  test('an abort stops the requests, and the error says so', async () => {
    const controller = new AbortController();
    const fetch = (request: Request): Promise<Response> => {
      controller.abort(new Error('enough'));
      return standIn.fetch(request);
    };
    const { signal } = controller;
    await expect(make({ fetch, batchSize: 1 }).generate(['a', 'b'], { signal })).rejects.toMatchObject({
      code: 'TESSERA_ABORTED',
      cause: expect.objectContaining({ message: 'enough' }),
    });
    await expect(make({}).generate(['a'], { signal })).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
    expect(standIn.arrivals).toHaveLength(0);
  });

  test('requests run side by side, as many as allowed, and one failure stops the others', async () => {
    const texts = Array.from({ length: 12 }, (_, i) => 'x'.repeat(i + 1));
    let openCount = 0;
    let release = (): void => {};
    const threeOpen = new Promise<void>((resolve) => {
      release = resolve;
    });
    const fetch = async (request: Request): Promise<Response> => {
      openCount++;
      expect(openCount).toBeLessThanOrEqual(3);
      if (openCount === 3) release();
      await threeOpen;
      const answer = await standIn.fetch(request);
      openCount--;
      return answer;
    };
    const rows = await make({ fetch, batchSize: 1, concurrency: 3 }).generate(texts);
    expect(rows.map(([length]) => length)).toEqual(texts.map(({ length }) => length));
    standIn.arrivals.length = 0;
    standIn.answerNext({ status: 400, body: 'no' });
    await expect(make({ batchSize: 1, concurrency: 1 }).generate(texts)).rejects.toThrow(/answered 400: no/);
    expect(standIn.arrivals).toHaveLength(1);
  });

  test('long texts are spread over more requests', async () => {
    await make({}).generate(['x'.repeat(30_000), 'y'.repeat(30_000), 'z'.repeat(90_000), 'a', 'b']);
    expect(standIn.arrivals.map(({ body }) => body.input.length)).toEqual([1, 1, 1, 2]);
  });

  test('a text that the provider refuses for its length is told apart from other refusals', async () => {
    const tooLong = [
      [400, "This model's maximum context length is 8192 tokens, however you requested 10000 tokens."],
      [400, "Invalid 'input[0]': maximum input length is 8192 tokens."],
      [400, 'Input id 0 has 9000 tokens, exceeding max 8192 tokens.'],
      [400, 'the input length exceeds the context length'],
      [413, '`inputs` must have less than 512 tokens. Given: 600'],
    ] as const;
    for (const [status, message] of tooLong) {
      standIn.answerNext({ status, body: { error: { message } } });
      await expect(make({}).generate(['a']), message).rejects.toMatchObject({
        code: 'TESSERA_LIMIT_EXCEEDED',
        message: expect.stringMatching(/splitText/),
      });
    }
    const others = [
      [400, 'invalid token type'],
      [401, 'maximum tokens'],
      [400, 'The max allowed tokens per submitted batch is 120000.'],
    ] as const;
    for (const [status, message] of others) {
      standIn.answerNext({ status, body: { error: { message } } });
      await expect(make({}).generate(['a']), message).rejects.toMatchObject({
        code: 'TESSERA_EMBEDDING_FUNCTION',
      });
    }
  });

  test('the limit of known models is known, and that of others can be said', () => {
    const limitOf = (modelName: string, maxTokens?: number): number | undefined =>
      new OpenAIEmbeddingFunction({ modelName, maxTokens, environment }).maxTokens;
    expect(limitOf('text-embedding-3-small')).toBe(8_192);
    expect(limitOf('text-embedding-3-small', 512)).toBe(512);
    expect(limitOf('a-model-of-mine')).toBeUndefined();
    expect(limitOf('a-model-of-mine', 512)).toBe(512);
    expect(new MistralEmbeddingFunction({ model: 'mistral-embed', environment }).maxTokens).toBe(8_192);
    expect(() => limitOf('m', 0)).toThrow(expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }));
  });

  test('a missing key is an error that names the variable; a local server needs none', async () => {
    await expect(make({ apiKeyEnvVar: 'MY_KEY_UNSET' }).generate(['a'])).rejects.toMatchObject({
      code: 'TESSERA_EMBEDDING_FUNCTION',
      message: expect.stringMatching(/environment variable MY_KEY_UNSET, found none/),
    });
    const openai = {
      modelName: 'm',
      apiBase: `${standIn.url}/v1/`,
      apiKeyEnvVar: 'MY_KEY_UNSET',
      environment,
    };
    const local = new OpenAIEmbeddingFunction(openai);
    expect(await local.generate(['ab'])).toEqual([[2, 1, 0]]);
    expect(standIn.arrivals[0]!.headers['authorization']).toBeUndefined();
    expect(local.getConfig()['api_base']).toBe(`${standIn.url}/v1/`);
  });

  test('a collection cannot be changed to another model as if nothing were', () => {
    const openai = new OpenAIEmbeddingFunction({ modelName: 'm', environment });
    expect(() =>
      openai.validateConfigUpdate({ model_name: 'm', api_base: 'http://else.test' }),
    ).not.toThrow();
    expect(() => openai.validateConfigUpdate({ model_name: 'other' })).toThrow(
      expect.objectContaining({
        code: 'TESSERA_EMBEDDING_FUNCTION',
        message: expect.stringMatching(/to stay "m", got "other".*reembed/),
      }),
    );
  });

  test('options that make no sense are refused at once', () => {
    for (const options of [
      { batchSize: 0 },
      { concurrency: 1.5 },
      { requestsPerMinute: 0 },
      { apiKey: '' },
    ]) {
      expect(() => make(options)).toThrow(expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }));
    }
    expect(() => new OpenAIEmbeddingFunction({ modelName: 'm', apiBase: 'localhost' })).toThrow(
      /Expected apiBase to be a URL/,
    );
  });

  test('configurations that Chroma writes are understood, and what cannot be had is refused', () => {
    const known = (name: string, config: EmbeddingFunctionConfig): EmbeddingFunction | null =>
      buildEmbeddingFunction({ type: 'known', name, config });
    const python = {
      api_key_env_var: 'K',
      model_name: 'm',
      api_base: null,
      api_type: null,
      default_headers: null,
    };
    expect(known('openai', python)).toBeInstanceOf(OpenAIEmbeddingFunction);
    expect(known('google_genai', { model_name: 'm', vertexai: false })).toBeInstanceOf(
      GoogleGeminiEmbeddingFunction,
    );
    expect(known('huggingface_server', { url: 'http://h.test/embed', api_key_env_var: null })).toBeInstanceOf(
      HuggingFaceServerEmbeddingFunction,
    );
    const ollama = known('ollama', { url: 'http://o.test/api/embeddings', model_name: 'm', timeout: 60 });
    expect(ollama!.getConfig!()).toMatchObject({ url: 'http://o.test' });
    expect(() => known('openai', { ...python, api_type: 'azure' })).toThrow(/api_type .* got "azure"/);
    expect(() => known('cohere', { model_name: 'm', image: true })).toThrow(/image .* got true/);
  });
});
