import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import golden from '../../../../test/golden/use-lite.json' with { type: 'json' };
import { toyOnnx } from '../../../../test/support/onnx-interpreter.ts';
import { EncoderPool } from '../pool.ts';
import { UseLiteEmbeddingFunction } from '../use-lite.ts';
import { weightsFolder } from '../weights.ts';
import { OnnxEmbedder } from './onnx-embedder.ts';

const FOLDER = weightsFolder(undefined);
const BUILT_WORKER = new URL('../../../../dist/models/use-lite/worker.js', import.meta.url);
const DIMENSION = 512;

/** The most by which embeddings of the golden texts differ from those of the model's own runtime. */
function worstOf(embeddings: Float32Array, texts: readonly { readonly embedding: string }[]): number {
  let worst = 0;
  for (const [i, { embedding }] of texts.entries()) {
    const wanted = new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer);
    for (const [j, value] of wanted.entries()) {
      worst = Math.max(worst, Math.abs(value - embeddings[i * DIMENSION + j]!));
    }
  }
  return worst;
}

/** A program of a thread that is the built one, but for `onnxruntime-node`, with which it does `instead`. */
function programWith(instead: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(
      `import { parentPort, workerData } from 'node:worker_threads';
       if (workerData.runtime === 'onnx') { ${instead} } else await import('${BUILT_WORKER}');`,
    )}`,
  );
}

const REFUSES = `parentPort.postMessage({ kind: 'refused', error: {
  code: 'TESSERA_MODEL_MISSING', message: 'Install it.', details: { reason: 'no such library' } } });`;
const ZEROS = `parentPort.on('message', (texts) => parentPort.postMessage(
    { kind: 'embeddings', embeddings: new Float32Array(texts.length * 512) }));
  parentPort.postMessage({ kind: 'ready' });`;

describe('the graph of the default model', () => {
  // The interpreter needs up to a second for a long text.
  const texts = golden.filter(({ text }) => text.length < 100);

  test('computes the embeddings of the model’s own runtime, to 2e-6, also of no text at all', async () => {
    expect(texts.length).toBeGreaterThan(8);
    expect(texts.some(({ text }) => text === '')).toBe(true);
    const embedder = await OnnxEmbedder.open(FOLDER, async () => toyOnnx());
    expect(worstOf(await embedder.embed(texts.map(({ text }) => text)), texts)).toBeLessThan(2e-6);
  });

  test('is not used with a runtime that is missing, refuses it, or gives other embeddings', async () => {
    const faults = [
      async () => Promise.reject(new Error('no such library')),
      async () => ({ ...toyOnnx(), InferenceSession: { create: () => Promise.reject(new Error('no')) } }),
      async () => toyOnnx((row) => row.reverse()),
      async () => toyOnnx((row) => row.fill(Number.NaN)),
    ];
    for (const load of faults) {
      await expect(OnnxEmbedder.open(FOLDER, load)).rejects.toMatchObject({
        code: 'TESSERA_MODEL_MISSING',
        message: expect.stringMatching(/npm install onnxruntime-node.*ONNXRUNTIME_NODE_INSTALL=skip/),
        details: { package: 'onnxruntime-node' },
      });
    }
  });
});

describe('the choice of the runtime', () => {
  const pool = (options: Partial<ConstructorParameters<typeof EncoderPool>[0]>): EncoderPool =>
    new EncoderPool({ folder: FOLDER, threads: 1, isOnnxInstalled: () => true, ...options });

  test('is onnxruntime-node where it is installed, and ours where it is not or is not wanted', async () => {
    const workerUrl = programWith(ZEROS);
    for (const [options, runtime] of [
      [{}, 'onnx'],
      [{ runtime: 'onnx' }, 'onnx'],
      [{ runtime: 'wasm' }, 'wasm'],
      [{ isOnnxInstalled: () => false }, 'wasm'],
      [{ threads: 0 }, 'wasm'],
    ] as const) {
      const made = pool({ workerUrl, ...options });
      expect(made.runtime).toBeNull();
      const [row] = await made.embed(['a text']);
      expect([made.runtime, row!.some((value) => value !== 0)]).toEqual([runtime, runtime === 'wasm']);
    }
  });

  test('is ours where the installed one does not work, which is told of once', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): number => warnings.push(warning);
    process.on('warning', listen);
    for (const instead of [REFUSES, 'throw new Error("no such library")', 'process.exit(1)']) {
      const made = pool({ workerUrl: programWith(instead) });
      const rows = await made.embed([golden[1]!.text]);
      expect(worstOf(rows[0]!, [golden[1]!])).toBeLessThan(2e-6);
      expect(made.runtime).toBe('wasm');
    }
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([expect.objectContaining({ code: 'TESSERA_ONNX_RUNTIME' })]);
    expect(warnings[0]!.message).toMatch(/no such library.*runtime: 'wasm'/);
  });

  test('that was forced is an error where it does not work', async () => {
    const made = pool({ runtime: 'onnx', workerUrl: programWith(REFUSES) });
    for (let i = 0; i < 2; i++) {
      await expect(made.embed(['a text'])).rejects.toMatchObject({ code: 'TESSERA_MODEL_MISSING' });
    }
    expect(() => new UseLiteEmbeddingFunction({ runtime: 'native' as 'onnx' })).toThrow(
      expect.objectContaining({ code: 'TESSERA_INVALID_ARGUMENT' }),
    );
  });

  test('does not hide that files of the model are missing', async () => {
    const made = pool({ folder: '/no/such/folder', workerUrl: BUILT_WORKER });
    await expect(made.embed(['a text'])).rejects.toMatchObject({
      code: 'TESSERA_MODEL_MISSING',
      message: expect.stringMatching(/model-embeddings-en/),
    });
  });
});

describe('onnxruntime-node itself', () => {
  const hasOnnx = isInstalled();

  // Where it is installed, there is nothing to miss.
  test.skipIf(hasOnnx)('is named with how to install it where it is forced and missing', async () => {
    const forced = new UseLiteEmbeddingFunction({ runtime: 'onnx', threads: 0 });
    await expect(forced.generate(['a text'])).rejects.toMatchObject({
      code: 'TESSERA_MODEL_MISSING',
      message: expect.stringMatching(/npm install onnxruntime-node/),
    });
  });

  // It takes 288 MB and its installer needs a server of its own: it is no dependency.
  test.skipIf(!hasOnnx)(
    'gives the vectors of the model, to 2e-6, the same ones alone and among others',
    async () => {
      const embedder = await OnnxEmbedder.open(FOLDER);
      const rows = await embedder.embed(golden.map(({ text }) => text));
      expect(worstOf(rows, golden)).toBeLessThan(2e-6);
      for (const [i, { text }] of golden.entries()) {
        expect(await embedder.embed([text])).toEqual(rows.slice(i * DIMENSION, (i + 1) * DIMENSION));
      }
    },
  );
});

function isInstalled(): boolean {
  try {
    return createRequire(import.meta.url).resolve('onnxruntime-node') !== '';
  } catch {
    return false;
  }
}
