/**
 * The Universal Sentence Encoder lite as numbers in one memory: which tensors it has, and where they lie.
 *
 * Matrices lie in panels (kernel/, `packRow`), everything else as in the files. The places follow from the
 * list alone, so threads that share the memory know them without being told.
 *
 * The model, read from the graph that its files describe:
 *
 *   x   = 2·E[id] + (sin(p·f) | cos(p·f))        the graph adds the embedding twice; p is the position
 *   layer 0:  y = adjust(x) + project(attention(qkv(norm(x))))      256 → 512
 *   layer 1:  y = x + project(attention(qkv(norm(x))))
 *   both:     x = y + feedOut(max(0, feedIn(norm(y))))               512 → 1536 → 512
 *   text      = tanh(last(mean of x over the tokens)), brought to length 1
 */

/** Numbers of an embedding, and of a token's state from the first layer on. */
export const DIMENSION = 512;
/** Tokens of a text that the model reads; the rest is cut, as its graph does. */
export const TOKENS_MAX = 128;
/** Numbers of a token's state before the first layer. */
export const TOKEN_WIDTH = 256;
/** Numbers between the two matrices of a layer's second half, and the most a layer needs side by side. */
export const FEED_WIDTH = 1536;
/** Heads of the attention. */
export const HEADS = 4;
/** Keeps layer normalisation from dividing by 0; from the graph. */
export const NORM_EPSILON = 1e-6;

/** Pieces of the vocabulary. */
export const PIECES = 8002;

/** A matrix with its bias: a row of `width` numbers becomes one of `columns`. Positions are in bytes. */
export interface Linear {
  readonly width: number;
  readonly columns: number;
  readonly weights: number;
  readonly bias: number;
}

/** Scale and bias of a layer normalisation. */
export interface Norm {
  readonly width: number;
  readonly scale: number;
  readonly bias: number;
}

/** One layer of the transformer. */
export interface Layer {
  readonly width: number;
  readonly norm: Norm;
  readonly qkv: Linear;
  readonly project: Linear;
  /** Brings a narrower row to the width of the next layer. */
  readonly adjust: Linear | null;
  readonly feedNorm: Norm;
  readonly feedIn: Linear;
  readonly feedOut: Linear;
}

/** A tensor of the files, and its place. */
export interface Tensor {
  readonly name: string;
  readonly at: number;
  readonly length: number;
  /** Columns of a matrix, which is packed into panels; 0 for what lies as in the files. */
  readonly columns: number;
}

/** Where everything lies. */
export interface Layout {
  readonly embedding: number;
  /** The position's part of a token's first state: `TOKENS_MAX` rows of `TOKEN_WIDTH`. */
  readonly timing: number;
  readonly frequencies: number;
  readonly layers: readonly Layer[];
  readonly last: Linear;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly byteLength: number;
}

const ENCODE = 'Encoder_en/KonaTransformer/Encode';
const JOINED = 'ConcatPartitions/concat';

/** Hands out places, one after the other, each at a multiple of 64 bytes. */
class Places {
  readonly tensors = new Map<string, Tensor>();
  byteLength = 0;

  take(length: number): number {
    const at = this.byteLength;
    this.byteLength = at + Math.ceil((length * 4) / 64) * 64;
    return at;
  }

  vector(name: string, length: number): number {
    const at = this.take(length);
    this.tensors.set(name, { name, at, length, columns: 0 });
    return at;
  }

  linear(weights: string, bias: string, width: number, columns: number): Linear {
    const length = width * columns;
    const at = this.take(length);
    this.tensors.set(weights, { name: weights, at, length, columns });
    return { width, columns, weights: at, bias: this.vector(bias, columns) };
  }

  norm(prefix: string, width: number): Norm {
    const name = (part: string): string =>
      `${prefix}/layer_prepostprocess/layer_norm/layer_norm_${part}/${JOINED}`;
    return { width, scale: this.vector(name('scale'), width), bias: this.vector(name('bias'), width) };
  }

  layer(index: number, width: number): Layer {
    const stack = `module_apply_default/${ENCODE}/TransformerStack/Layer_${index}/TransformerLayer`;
    const applied = `module_apply_default/${ENCODE}/Layer_${index}/TransformerLayer`;
    const raw = `module/${ENCODE}/Layer_${index}/TransformerLayer/MultiheadAttention`;
    const single = (name: string, columns: number): Linear =>
      this.linear(
        `${raw}/${name}_transform_single/kernel/part_0`,
        `${applied}/MultiheadAttention/${name}_transform_single/bias/${JOINED}`,
        width,
        columns,
      );
    const feed = (name: string, from: number, columns: number): Linear =>
      this.linear(
        `${stack}/FFN/${name}/Tensordot/Reshape_1`,
        `${applied}/FFN/${name}/bias/${JOINED}`,
        from,
        columns,
      );
    const dense = `${applied}/dense`;
    return {
      width,
      norm: this.norm(applied, width),
      qkv: single('qkv', 3 * width),
      project: single('output', DIMENSION),
      adjust:
        width === DIMENSION
          ? null
          : this.linear(`${dense}/kernel/${JOINED}`, `${dense}/bias/${JOINED}`, width, DIMENSION),
      feedNorm: this.norm(`${applied}/FFN`, DIMENSION),
      feedIn: feed('conv1', DIMENSION, FEED_WIDTH),
      feedOut: feed('conv2', FEED_WIDTH, DIMENSION),
    };
  }
}

function place(): Layout {
  const places = new Places();
  const signal = `module_apply_default/${ENCODE}/TransformerStack/Layer_0/AddTimingSignal/TimingSignal`;
  const layout = {
    embedding: places.vector('module/Embeddings_en', PIECES * TOKEN_WIDTH),
    timing: places.take(TOKENS_MAX * TOKEN_WIDTH),
    frequencies: places.vector(`${signal}/ExpandDims_1`, TOKEN_WIDTH / 2),
    layers: [places.layer(0, TOKEN_WIDTH), places.layer(1, DIMENSION)],
    last: places.linear(
      'module/Encoder_en/hidden_layers/tanh_layer_0/weights',
      'module/Encoder_en/hidden_layers/tanh_layer_0/bias',
      DIMENSION,
      DIMENSION,
    ),
    tensors: places.tensors,
  };
  return { ...layout, byteLength: places.byteLength };
}

/** The layout of the model. */
export const LAYOUT: Layout = place();
