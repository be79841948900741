/**
 * The model on `onnxruntime-node`, where the user has installed it: the same weights and tokens, three times
 * as fast as our own kernels, for it knows wider instructions than WebAssembly has.
 *
 * The graph is made in memory (use-lite-graph.ts), since what is installed holds weights and no graph that
 * this runtime reads. Texts are run one by one: that keeps the promise that a text has the same embedding, to
 * the bit, alone and among others, needs neither padding nor a mask, and a run costs some tenth of a
 * millisecond more than its arithmetic. One session computes on one thread; more threads have a session each.
 *
 * A runtime that computes something else than the model does would write embeddings that look right. So each
 * session first embeds `PROBE`, whose embedding is written here.
 */
import { assert, DatabaseError, finish, inTurns } from '../../../base/index.ts';
import {
  importOnnx,
  ONNX_INSTALL_HINT,
  ONNX_PACKAGE,
  type OnnxPackage,
  type OnnxSession,
} from '../../onnx-package.ts';
import { finishRow, type Tokens } from '../encoder.ts';
import { DIMENSION, LAYOUT, TOKENS_MAX } from '../layout.ts';
import { makeTokenizer } from '../session.ts';
import type { UnigramTokenizer } from '../tokenizer.ts';
import { loadWeights } from '../weights.ts';
import { GRAPH_NAMES, type UseLiteGraph, type WeightsAt, writeUseLiteGraph } from './use-lite-graph.ts';

/** A text, and the first numbers of the embedding that our own kernels give it. */
const PROBE = {
  text: 'The answer is always the same.',
  embedding: [
    0.01543509, -0.05981333, 0.0353884, 0.05913508, -0.03185238, -0.06453495, 0.04221462, -0.00923034,
  ],
};
/** How far from it a runtime may be: five times what is promised of embeddings as a whole. */
const PROBE_DIFFERENCE_MAX = 1e-5;

/** One thread, for there is a pool of threads above; of what the runtime has to say, errors alone. */
const SESSION_OPTIONS = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};

/** Imports the runtime; tests hand in another. */
export type LoadOnnx = () => Promise<OnnxPackage>;

/** See the top of this file. */
export class OnnxEmbedder {
  readonly #onnx: OnnxPackage;
  readonly #session: OnnxSession;
  readonly #output: string;
  readonly #tokenizer: UnigramTokenizer;
  readonly #emptyRow: Float32Array;

  private constructor(
    onnx: OnnxPackage,
    session: OnnxSession,
    output: string,
    tokenizer: UnigramTokenizer,
    emptyRow: Float32Array,
  ) {
    this.#onnx = onnx;
    this.#session = session;
    this.#output = output;
    this.#tokenizer = tokenizer;
    this.#emptyRow = emptyRow;
  }

  /**
   * Errors: `TESSERA_MODEL_MISSING` without the files, and where the runtime is missing or does not work;
   * `TESSERA_MODEL_DAMAGED`.
   */
  static async open(folder: string, load: LoadOnnx = importOnnx): Promise<OnnxEmbedder> {
    const tokenizer = await inTurns(makeTokenizer(folder));
    const onnx = await load().catch((cause: unknown) => {
      throw unusable('it cannot be loaded', cause);
    });
    const { graph, emptyRow } = readGraph(folder);
    let embedder: OnnxEmbedder;
    let probe: Float32Array;
    try {
      const session = await onnx.InferenceSession.create(graph.bytes, SESSION_OPTIONS);
      embedder = new OnnxEmbedder(onnx, session, graph.output, tokenizer, emptyRow);
      probe = await embedder.embed([PROBE.text]);
    } catch (cause) {
      throw unusable('it cannot run the model', cause);
    }
    if (!PROBE.embedding.every((value, i) => Math.abs(value - probe[i]!) <= PROBE_DIFFERENCE_MAX)) {
      throw unusable('it gives other embeddings than the model', undefined);
    }
    return embedder;
  }

  /** One embedding a text, row after row; the event loop comes round after each. */
  async embed(texts: readonly string[]): Promise<Float32Array> {
    const rows = new Float32Array(texts.length * DIMENSION);
    for (const [i, text] of texts.entries()) {
      const tokens = await inTurns(this.#tokenizer.tokens(text));
      rows.set(tokens.length === 0 ? this.#emptyRow : await this.#run(tokens), i * DIMENSION);
    }
    return rows;
  }

  async #run(tokens: Tokens): Promise<Float32Array> {
    const { Tensor } = this.#onnx;
    const output = await this.#session.run({
      [GRAPH_NAMES.ids]: new Tensor('int64', BigInt64Array.from(tokens, BigInt), [1, tokens.length]),
      [GRAPH_NAMES.positions]: new Tensor('int64', POSITIONS.slice(0, tokens.length), [tokens.length]),
    });
    const row = output[this.#output]?.data;
    assert(row instanceof Float32Array && row.length === DIMENSION, 'The runtime gave something else.');
    return finishRow(row);
  }
}

const POSITIONS = BigInt64Array.from({ length: TOKENS_MAX }, (_, i) => BigInt(i));

/** The graph, and the embedding of a text without tokens, whose mean state is 0. */
function readGraph(folder: string): { graph: UseLiteGraph; emptyRow: Float32Array } {
  const floats = new Float32Array(LAYOUT.byteLength / 4);
  const at: WeightsAt = (byte, length) => floats.subarray(byte / 4, byte / 4 + length);
  finish(loadWeights(folder, { floats: at }, 'rows'));
  const emptyRow = finishRow(at(LAYOUT.last.bias, DIMENSION).slice());
  return { graph: writeUseLiteGraph(at), emptyRow };
}

function unusable(what: string, cause: unknown): DatabaseError {
  const reason =
    cause === undefined ? what : `${what}: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new DatabaseError(
    'TESSERA_MODEL_MISSING',
    `The runtime ${ONNX_PACKAGE} of the default embedding function cannot be used (${reason}). Run: npm install ` +
      `${ONNX_PACKAGE}. ${ONNX_INSTALL_HINT} Or leave out the option runtime: 'onnx'.`,
    { details: { package: ONNX_PACKAGE, reason }, ...(cause === undefined ? {} : { cause }) },
  );
}
