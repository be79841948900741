import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import golden from '../../../test/golden/use-lite.json' with { type: 'json' };
import { turnsDuring } from '../../../test/support/turns.ts';
import { EncoderPool } from './pool.ts';
import { UseLiteEmbeddingFunction } from './use-lite.ts';
import { weightsFolder } from './weights.ts';

const BUILT_WORKER = new URL('../../../dist/models/use-lite/worker.js', import.meta.url);
const FOLDER = weightsFolder(undefined);
const TEXTS = golden.map(({ text }) => text);
const copies: string[] = [];

afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});

/** A copy of the model's folder, of which a test may spoil a file. */
function copyOfFolder(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'tessera-use-lite-'));
  copies.push(copy);
  for (const name of readdirSync(FOLDER)) copyFileSync(path.join(FOLDER, name), path.join(copy, name));
  return copy;
}

/** The function on the calling thread. */
function inline(modelPath?: string): UseLiteEmbeddingFunction {
  return new UseLiteEmbeddingFunction({ threads: 0, modelPath });
}

/** A pool with our own runtime. */
function pool(options: Partial<ConstructorParameters<typeof EncoderPool>[0]> = {}): EncoderPool {
  return new EncoderPool({
    folder: FOLDER,
    threads: 1,
    runtime: 'wasm',
    workerUrl: BUILT_WORKER,
    ...options,
  });
}

describe('the default embedding function', () => {
  test('gives the vectors of the model’s own runtime, to 2e-6, also of no text at all', async () => {
    const embeddings = await inline().generate(TEXTS);
    expect(embeddings).toHaveLength(golden.length);
    for (const [i, { text, embedding }] of golden.entries()) {
      const wanted = new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer);
      const worst = wanted.reduce(
        (most, value, j) => Math.max(most, Math.abs(value - embeddings[i]![j]!)),
        0,
      );
      expect(worst, text).toBeLessThan(2e-6);
      expect(Math.hypot(...embeddings[i]!)).toBeCloseTo(1, 5);
    }
  });

  test('a text has the same embedding, to the bit, alone and among others, here and on threads', async () => {
    const many = Array.from({ length: 6 }, () => TEXTS).flat();
    const made = pool({ threads: 2 });
    const [here, there] = await Promise.all([inline().generate(many), made.embed(many)]);
    expect(there).toEqual(here);
    for (const [i, text] of TEXTS.entries()) {
      expect(await inline().generate([text])).toEqual([here[i]]);
    }
  });

  test('what is asked while thousands of texts are embedded is answered before they are', async () => {
    const made = pool();
    const order: string[] = [];
    const many = made.embed(Array.from({ length: 200 }, (_, i) => `${i}. ${TEXTS[3]}`));
    const one = made.embed(['a question']);
    await Promise.all([many.then(() => order.push('many')), one.then(() => order.push('one'))]);
    expect(order).toEqual(['one', 'many']);
  });

  test('the event loop comes round many times while a batch is embedded on the calling thread', async () => {
    await inline().generate(['loaded']);
    const turns = await turnsDuring(() => inline().generate(Array.from({ length: 20 }, () => TEXTS[12]!)));
    // Ten passes of two texts each, in eleven pieces each.
    expect(turns).toBeGreaterThan(100);
  });

  test('a call that is aborted is given up, and the next is answered', async () => {
    const made = pool({ threads: 0 });
    const controller = new AbortController();
    const call = made.embed(
      Array.from({ length: 100 }, () => TEXTS[12]!),
      controller.signal,
    );
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
    await expect(made.embed(['x'], AbortSignal.abort())).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
    expect(await made.embed(['x'])).toHaveLength(1);
  });

  test('a thread that stops fails its call alone, and another takes its place', async () => {
    const stopping = `data:text/javascript,${encodeURIComponent(
      `import { parentPort } from 'node:worker_threads';
       parentPort.on('message', () => process.exit(3));
       parentPort.postMessage({ kind: 'ready' });`,
    )}`;
    const made = pool({ workerUrl: new URL(stopping) });
    for (let i = 0; i < 2; i++) {
      await expect(made.embed(['x'])).rejects.toMatchObject({ code: 'TESSERA_WORKER_STOPPED' });
    }
  });

  test('a program that a bundler has taken apart is told what to leave out', async () => {
    const missing = new URL('./nowhere/worker.js', import.meta.url);
    await expect(pool({ workerUrl: missing }).embed(['x'])).rejects.toMatchObject({
      code: 'TESSERA_UNSUPPORTED',
      message: expect.stringMatching(/nowhere\/worker\.js, is not there.*out of the bundle/),
    });
  });

  test('a fault in a thread is the cause of what its call says', async () => {
    const faulty = 'data:text/javascript,throw new RangeError("a fault")';
    await expect(pool({ workerUrl: new URL(faulty) }).embed(['x'])).rejects.toMatchObject({
      code: 'TESSERA_WORKER_STOPPED',
      cause: new RangeError('a fault'),
    });
  });

  test('files that are not there are named, with what to install', async () => {
    const missing = { code: 'TESSERA_MODEL_MISSING', message: expect.stringMatching(/model-embeddings-en/) };
    await expect(inline('/no/such/folder').generate(['x'])).rejects.toMatchObject(missing);
    await expect(inline('/no/such/folder').tokenCounter()).rejects.toMatchObject(missing);
    const made = pool({ folder: '/no/such/folder' });
    await expect(made.embed(['x'])).rejects.toMatchObject(missing);
  });

  test('a file that differs in one byte is refused', async () => {
    for (const name of ['vocab.json', 'model.json', 'group1-shard7of7']) {
      const folder = copyOfFolder();
      const file = path.join(folder, name);
      const bytes = readFileSync(file);
      bytes[bytes.length - 2]! ^= 1;
      writeFileSync(file, bytes);
      await expect(inline(folder).generate(['x'])).rejects.toMatchObject({
        code: 'TESSERA_MODEL_DAMAGED',
        details: { path: `${folder}/${name}` },
      });
    }
  });

  test('is stored by the version of its weights, and refuses another', () => {
    const built = UseLiteEmbeddingFunction.buildFromConfig(new UseLiteEmbeddingFunction().getConfig());
    expect(built).toMatchObject({ name: 'use-lite', dimension: 512, maxTokens: 128 });
    expect(() => UseLiteEmbeddingFunction.buildFromConfig({ version: 2 })).toThrow(
      expect.objectContaining({ code: 'TESSERA_EMBEDDING_FUNCTION' }),
    );
  });

  test('counts the tokens of a text, also beyond those it reads', async () => {
    const counter = await inline().tokenCounter();
    expect(counter.maxTokens).toBe(128);
    expect(counter.countTokens('The cat sat on the mat.')).toBe(golden[1]!.tokens.length);
    expect(counter.countTokens(TEXTS[12]!)).toBeGreaterThan(128);
  });

  test('what is no text is refused, and other calls go on', async () => {
    for (const texts of [['a', undefined], 'a', null]) {
      await expect(inline().generate(texts as string[])).rejects.toMatchObject({
        code: 'TESSERA_INVALID_ARGUMENT',
      });
    }
    expect(await inline().generate([])).toEqual([]);
    expect(await inline().generate(['a'])).toHaveLength(1);
  });

  test('options that make no sense are refused', () => {
    for (const options of [{ threads: -1 }, { threads: 1.5 }, { threads: 9 }, { modelPath: '' }]) {
      expect(() => new UseLiteEmbeddingFunction(options)).toThrow(
        expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }),
      );
    }
  });
});
