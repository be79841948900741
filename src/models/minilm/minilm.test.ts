import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { TOY_WIDTH, toyState, writeToyMiniLM } from '../../../test/support/toy-minilm.ts';
import type { Environment } from '../../base/index.ts';
import { LOCAL_MODELS } from '../local-models.ts';
import { MiniLMEmbeddingFunction } from './minilm.ts';
import type { MiniLMFiles } from './minilm-files.ts';
import { type LoadRuntime, loadTokenizer, type TokenBatch } from './minilm-runtime.ts';

const NOTHING: Environment = { variable: () => undefined };

/**
 * The toy model with its real tokenizer and without an ONNX runtime; `batches` and `files` are what it saw.
 */
function toyRuntime(): { load: LoadRuntime; batches: TokenBatch[]; files: MiniLMFiles[] } {
  const batches: TokenBatch[] = [];
  const files: MiniLMFiles[] = [];
  const load: LoadRuntime = async (found) => {
    files.push(found);
    const encode = await loadTokenizer(found.tokenizer);
    const run = async (batch: TokenBatch): Promise<Float32Array> => {
      batches.push(batch);
      return Float32Array.from({ length: batch.ids.length * TOY_WIDTH }, (_, i) =>
        toyState(Number(batch.ids[Math.floor(i / TOY_WIDTH)]), i % TOY_WIDTH),
      );
    };
    return { encode, run };
  };
  return { load, batches, files };
}

/** What a text of these tokens must become. */
function expected(ids: readonly number[]): number[] {
  const mean = Array.from({ length: TOY_WIDTH }, (_, i) => ids.reduce((sum, id) => sum + toyState(id, i), 0));
  const length = Math.hypot(...mean);
  return mean.map((value) => value / length);
}

function greatestDifference(left: ArrayLike<number>, right: ArrayLike<number>): number {
  return Array.from(left).reduce((most, value, i) => Math.max(most, Math.abs(value - right[i]!)), 0);
}

function toyFolder(isFlat = false): string {
  const folder = temporaryDirectory();
  writeToyMiniLM(folder, isFlat);
  return folder;
}

describe('all-MiniLM-L6-v2', () => {
  test('is the mean of the states of a text’s tokens, whatever stands beside it in a batch', async () => {
    const { load, batches } = toyRuntime();
    const made = new MiniLMEmbeddingFunction({ modelPath: toyFolder(), loadRuntime: load });
    const [one, other, none] = await made.generate(['The CATS sat.', 'a dog running', '']);
    expect(greatestDifference(one!, expected([2, 4, 5, 7, 6, 11, 3]))).toBeLessThan(1e-6);
    expect(greatestDifference(other!, expected([2, 1, 8, 9, 10, 3]))).toBeLessThan(1e-6);
    expect(greatestDifference(none!, expected([2, 3]))).toBeLessThan(1e-6);
    expect(batches).toHaveLength(1);
    expect(await made.generate([])).toEqual([]);
  });

  test('cuts a long text at 256 tokens as in Python, or at 512 as in JavaScript, and keeps its end', async () => {
    const long = 'cat '.repeat(600);
    for (const maxTokens of [256, 512] as const) {
      const { load, batches } = toyRuntime();
      const made = new MiniLMEmbeddingFunction({ modelPath: toyFolder(), loadRuntime: load, maxTokens });
      await made.generate([long]);
      expect(batches[0]).toMatchObject({ rows: 1, columns: maxTokens });
      expect([batches[0]!.ids[0], batches[0]!.ids.at(-1)]).toEqual([2n, 3n]);
      const counter = await made.tokenCounter();
      expect([counter.maxTokens, counter.countTokens(long)]).toEqual([maxTokens, 602]);
    }
  });

  test('many texts are run in batches of 32', async () => {
    const { load, batches } = toyRuntime();
    const made = new MiniLMEmbeddingFunction({ modelPath: toyFolder(), loadRuntime: load });
    expect(await made.generate(new Array(70).fill('dog'))).toHaveLength(70);
    expect(batches.map(({ rows }) => rows)).toEqual([32, 32, 6]);
    const aborted = made.generate(['dog'], { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'TESSERA_ABORTED' });
  });

  test('finds its files in the folder that is passed, and in the one that the environment names', async () => {
    const [nested, flat] = [toyFolder(), toyFolder(true)];
    const { load, files } = toyRuntime();
    const environment: Environment = {
      variable: (name) => (name === 'TESSERA_MINILM_PATH' ? flat : undefined),
    };
    await new MiniLMEmbeddingFunction({ environment, loadRuntime: load }).generate(['cat']);
    await new MiniLMEmbeddingFunction({ environment, modelPath: nested, loadRuntime: load }).generate([
      'cat',
    ]);
    expect(files.map(({ model }) => model)).toEqual([
      path.join(flat, 'model.onnx'),
      path.join(nested, 'onnx/model.onnx'),
    ]);
  });

  test('finds its files in the cache of the Hugging Face hub', async () => {
    const home = temporaryDirectory();
    writeToyMiniLM(path.join(home, 'hub/models--Xenova--all-MiniLM-L6-v2/snapshots/0123abcd'));
    const { load, files } = toyRuntime();
    const environment: Environment = { variable: (name) => (name === 'HF_HOME' ? home : undefined) };
    await new MiniLMEmbeddingFunction({ environment, loadRuntime: load }).generate(['cat']);
    expect(files[0]!.tokenizer).toContain('snapshots/0123abcd');
  });

  test('without its files, says where they were looked for, and tries again when they have come', async () => {
    const folder = temporaryDirectory();
    const { load } = toyRuntime();
    const made = new MiniLMEmbeddingFunction({ modelPath: folder, environment: NOTHING, loadRuntime: load });
    for (let i = 0; i < 2; i++) {
      await expect(made.generate(['x'])).rejects.toMatchObject({
        code: 'TESSERA_MODEL_MISSING',
        message: expect.stringMatching(/downloadMiniLM\(\)/),
        details: { folders: folder },
      });
    }
    writeToyMiniLM(folder);
    expect(await made.generate(['cat'])).toHaveLength(1);
  });

  test('opens what each of Chroma’s clients stores, with the length at which that client cuts', () => {
    const javaScript = {
      model_name: 'Xenova/all-MiniLM-L6-v2',
      revision: 'main',
      dtype: 'fp32',
      quantized: false,
    };
    expect(MiniLMEmbeddingFunction.buildFromConfig(javaScript)).toMatchObject({
      maxTokens: 512,
      name: 'default',
    });
    expect(MiniLMEmbeddingFunction.buildFromConfig({})).toMatchObject({ maxTokens: 256 });
    for (const maxTokens of [256, 512] as const) {
      const config = new MiniLMEmbeddingFunction({ maxTokens }).getConfig();
      expect(MiniLMEmbeddingFunction.buildFromConfig(config).maxTokens).toBe(maxTokens);
    }
    for (const name of ['default', 'onnx_mini_lm_l6_v2']) {
      expect(LOCAL_MODELS.classes.get(name)).toBe(MiniLMEmbeddingFunction);
    }
  });

  test('refuses other models, other precision and other lengths', () => {
    for (const config of [{ model_name: 'Xenova/bge-small' }, { dtype: 'q8' }, { quantized: true }]) {
      expect(() => MiniLMEmbeddingFunction.buildFromConfig(config)).toThrow(
        expect.objectContaining({ code: 'TESSERA_EMBEDDING_FUNCTION' }),
      );
    }
    expect(() => new MiniLMEmbeddingFunction({ maxTokens: 100 as never })).toThrow(
      expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }),
    );
  });

  const hasOnnx = isInstalled('onnxruntime-node');

  // With onnxruntime-node installed, the test below takes this one's place.
  test.skipIf(hasOnnx)('without its packages, says what to install', async () => {
    const made = new MiniLMEmbeddingFunction({ modelPath: toyFolder() });
    await expect(made.generate(['cat'])).rejects.toMatchObject({
      code: 'TESSERA_MODEL_MISSING',
      message: expect.stringMatching(/npm install onnxruntime-node @huggingface\/tokenizers/),
    });
  });

  // onnxruntime-node takes 288 MB and its installer needs a server of its own: it is no dependency.
  test.skipIf(!hasOnnx)('runs on the real packages', async () => {
    const made = new MiniLMEmbeddingFunction({ modelPath: toyFolder() });
    const [one, other] = await made.generate(['The cats sat.', 'dog']);
    expect(greatestDifference(one!, expected([2, 4, 5, 7, 6, 11, 3]))).toBeLessThan(1e-6);
    expect(greatestDifference(other!, expected([2, 8, 3]))).toBeLessThan(1e-6);
  });
});

function isInstalled(name: string): boolean {
  try {
    return createRequire(import.meta.url).resolve(name) !== '';
  } catch {
    return false;
  }
}
