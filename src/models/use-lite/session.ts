/** The model as one thread has it: texts in, embeddings out. */
import type { Pieces } from '../../base/index.ts';
import { EncoderKernel, type SharedMemory } from '../../kernel/index.ts';
import { Encoder, SCRATCH_BYTES } from './encoder.ts';
import { LAYOUT, TOKENS_MAX } from './layout.ts';
import { UnigramTokenizer } from './tokenizer.ts';
import { loadWeights, readVocabulary } from './weights.ts';

/** Bytes of memory that the weights and `count` sessions take. */
export function memoryBytes(count: number): number {
  return LAYOUT.byteLength + count * SESSION_BYTES;
}

/** A session's part of the memory, in whole cache lines. */
const SESSION_BYTES = Math.ceil(SCRATCH_BYTES / 64) * 64;

/** What a session needs to know. */
export interface SessionPlace {
  /** Folder of the model's files. */
  readonly folder: string;
  /** Memory with room for the weights and for session `index`. */
  readonly memory: SharedMemory;
  readonly index: number;
  /** Whether it brings the weights into the memory; one session does, before any other begins. */
  readonly loads: boolean;
}

/** See the top of this file. */
export class Session {
  readonly #tokenizer: UnigramTokenizer;
  readonly #encoder: Encoder;

  private constructor(tokenizer: UnigramTokenizer, encoder: Encoder) {
    this.#tokenizer = tokenizer;
    this.#encoder = encoder;
  }

  /** Errors: `TESSERA_MODEL_MISSING`, `TESSERA_MODEL_DAMAGED`. */
  static *open({ folder, memory, index, loads }: SessionPlace): Pieces<Session> {
    const tokenizer = yield* makeTokenizer(folder);
    const kernel = new EncoderKernel(memory);
    if (loads) yield* loadWeights(folder, kernel, 'panels');
    return new Session(tokenizer, new Encoder(kernel, memoryBytes(index)));
  }

  /** One embedding a text, row after row. */
  *embed(texts: readonly string[]): Pieces<Float32Array> {
    const tokens: number[][] = [];
    for (const text of texts) {
      tokens.push(yield* this.#tokenizer.tokens(text));
      yield;
    }
    return yield* this.#encoder.embed(tokens);
  }
}

/** The model's tokenizer. Errors: as `Session.open`. */
export function* makeTokenizer(folder: string): Pieces<UnigramTokenizer> {
  const vocabulary = readVocabulary(folder);
  yield;
  return yield* UnigramTokenizer.make(vocabulary, TOKENS_MAX);
}
