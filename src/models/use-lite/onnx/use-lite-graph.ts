/**
 * The Universal Sentence Encoder lite as a graph of ONNX, made in memory from the same weights that our own
 * kernels use: what encoder.ts does, operator by operator, up to the hyperbolic tangent, which both do in
 * JavaScript (`finishRow`).
 *
 *   ids        int64 [1, tokens]      as our tokenizer gives them
 *   positions  int64 [tokens]         0, 1, 2, …
 *   text       float32 [1, 512]
 *
 * One text a run: without padding there is no mask, and a text has the same embedding, to the bit, whatever
 * other texts it came with.
 */
import {
  DIMENSION,
  HEADS,
  LAYOUT,
  type Layer,
  type Linear,
  NORM_EPSILON,
  type Norm,
  PIECES,
  TOKEN_WIDTH,
  TOKENS_MAX,
} from '../layout.ts';
import { GraphWriter } from './graph-writer.ts';

/** Names of what the graph is given and gives. */
export const GRAPH_NAMES = { ids: 'ids', positions: 'positions' } as const;

/** A part of the weights: `length` floats at a position of `LAYOUT`, matrices row after row. */
export type WeightsAt = (at: number, length: number) => Float32Array;

/** The graph's bytes, and the name of its output. */
export interface UseLiteGraph {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly output: string;
}

/** Writes the graph. `weights` are in rows, not in panels. */
export function writeUseLiteGraph(weights: WeightsAt): UseLiteGraph {
  const graph = new GraphWriter('use-lite');
  const parts = new Parts(graph, weights);
  const ids = graph.input(GRAPH_NAMES.ids, [1, 'tokens']);
  const positions = graph.input(GRAPH_NAMES.positions, ['tokens']);
  const embedding = parts.matrix(LAYOUT.embedding, PIECES, TOKEN_WIDTH);
  const timing = parts.matrix(LAYOUT.timing, TOKENS_MAX, TOKEN_WIDTH);
  const embedded = graph.apply('Gather', [embedding, ids]);
  // The graph that came with the weights adds the embedding twice.
  const once = graph.apply('Add', [embedded, graph.apply('Gather', [timing, positions])]);
  let states = graph.apply('Add', [embedded, once]);
  for (const layer of LAYOUT.layers) states = addLayer(parts, layer, states);
  const mean = graph.apply('ReduceMean', [states], { axes: [1], keepdims: { integer: 0 } });
  const output = parts.linear(LAYOUT.last, mean);
  graph.output(output, [1, DIMENSION]);
  return { bytes: graph.finish(), output };
}

/** One layer: attention, then the two matrices of its second half. */
function addLayer(parts: Parts, layer: Layer, states: string): string {
  const { graph } = parts;
  const attended = parts.linear(layer.project, addAttention(parts, layer, parts.norm(layer.norm, states)));
  const carried = layer.adjust === null ? states : parts.linear(layer.adjust, states);
  const middle = graph.apply('Add', [carried, attended]);
  const wide = parts.linear(layer.feedIn, parts.norm(layer.feedNorm, middle));
  const fed = parts.linear(layer.feedOut, graph.apply('Relu', [wide]));
  return graph.apply('Add', [middle, fed]);
}

/** Attention of all tokens to all, in `HEADS` heads. */
function addAttention(parts: Parts, { width, qkv }: Layer, states: string): string {
  const { graph } = parts;
  const headWidth = width / HEADS;
  const split = graph.applyForMany('Split', [parts.linear(qkv, states)], 3, { axis: { integer: 2 } });
  const heads = parts.sizes([0, 0, HEADS, headWidth]);
  const [queries, keys, values] = split.map((each) => graph.apply('Reshape', [each, heads])) as [
    string,
    string,
    string,
  ];
  const byHead = { perm: [0, 2, 1, 3] };
  const products = graph.apply('MatMul', [
    graph.apply('Transpose', [queries], byHead),
    graph.apply('Transpose', [keys], { perm: [0, 2, 3, 1] }),
  ]);
  const scores = graph.apply('Mul', [products, parts.scalar(headWidth ** -0.5)]);
  const shares = graph.apply('Softmax', [scores], { axis: { integer: 3 } });
  const mixed = graph.apply('MatMul', [shares, graph.apply('Transpose', [values], byHead)]);
  return graph.apply('Reshape', [graph.apply('Transpose', [mixed], byHead), parts.sizes([0, 0, width])]);
}

/** The constants of the graph, and what is made of several nodes. */
class Parts {
  readonly graph: GraphWriter;
  readonly #weights: WeightsAt;
  readonly #made = new Set<string>();

  constructor(graph: GraphWriter, weights: WeightsAt) {
    this.graph = graph;
    this.#weights = weights;
  }

  matrix(at: number, rows: number, columns: number): string {
    return this.graph.floats(`at_${at}`, [rows, columns], this.#weights(at, rows * columns));
  }

  vector(at: number, length: number): string {
    return this.graph.floats(`at_${at}`, [length], this.#weights(at, length));
  }

  scalar(value: number): string {
    return this.#once(`scalar_${value}`, (name) => this.graph.floats(name, [], Float32Array.of(value)));
  }

  sizes(values: readonly number[]): string {
    return this.#once(`sizes_${values.join('_')}`, (name) => this.graph.integers(name, values));
  }

  linear({ width, columns, weights, bias }: Linear, states: string): string {
    const product = this.graph.apply('MatMul', [states, this.matrix(weights, width, columns)]);
    return this.graph.apply('Add', [product, this.vector(bias, columns)]);
  }

  norm({ scale, bias, width }: Norm, states: string): string {
    const inputs = [states, this.vector(scale, width), this.vector(bias, width)];
    return this.graph.apply('LayerNormalization', inputs, {
      axis: { integer: 2 },
      epsilon: { float: NORM_EPSILON },
    });
  }

  #once(name: string, make: (name: string) => string): string {
    if (!this.#made.has(name)) make(name);
    this.#made.add(name);
    return name;
  }
}
