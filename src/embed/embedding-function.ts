/**
 * What turns texts into embeddings, and how a collection remembers which function it was made with.
 *
 * The interface is that of the `chromadb` JavaScript client 3.x, so that its published embedding packages
 * fit. A function that has a `name`, a `getConfig` and a class with a static `buildFromConfig` is stored by
 * name and configuration and can be built again when the collection is opened; any other is stored as
 * `legacy`.
 */
import type { Space } from '../api/index.ts';

/** Configuration of an embedding function: JSON, without secrets (they are read from the environment). */
export type EmbeddingFunctionConfig = Record<string, unknown>;

/** What a call says besides its texts; functions may pass over it. */
export interface EmbedOptions {
  /** Asks the function to stop; its answer is not waited for. */
  readonly signal?: AbortSignal | undefined;
}

/** Counts tokens as a model does, for those who cut long texts into parts that it reads whole. */
export interface TokenCounter {
  /** How many tokens of a text the model reads; it passes over the rest. */
  readonly maxTokens: number;
  /** How many tokens `text` has, however many the model reads. */
  countTokens(text: string): number;
  /**
   * The same, as a generator that pauses often enough for the event loop to come round meanwhile; for texts
   * of megabytes.
   */
  countInPieces?(text: string): Generator<undefined, number, undefined>;
}

/** Turns texts into embeddings, one a text and in the same order. */
export interface EmbeddingFunction {
  generate(texts: string[], options?: EmbedOptions): Promise<readonly (readonly number[] | Float32Array)[]>;
  /** For models that embed queries differently from documents; `generate` where absent. */
  generateForQueries?(
    texts: string[],
    options?: EmbedOptions,
  ): Promise<readonly (readonly number[] | Float32Array)[]>;
  /** The counter of the model's tokens, where the function knows them. Errors: those of `generate`. */
  tokenCounter?(): Promise<TokenCounter>;
  /**
   * How many tokens of a text the model reads, where that is known and tokens cannot be counted: the length
   * of texts is then told by an estimate.
   */
  readonly maxTokens?: number | undefined;
  /** Name under which the class is registered. */
  readonly name?: string;
  /** Space that a collection gets which does not name one; heeded when `supportedSpaces` is there too. */
  defaultSpace?(): Space;
  supportedSpaces?(): Space[];
  /** What `buildFromConfig` needs to build the same function again. */
  getConfig?(): object;
  /** Throws when a collection made with this function cannot change to `config`. */
  validateConfigUpdate?(config: EmbeddingFunctionConfig): void;
  /** Throws when `config` is not valid. */
  validateConfig?(config: EmbeddingFunctionConfig): void;
}

/** A class of embedding functions that can be registered. */
export interface EmbeddingFunctionClass {
  // biome-ignore lint/suspicious/noExplicitAny: constructors of foreign classes take what they like
  new (...args: any[]): EmbeddingFunction;
  // biome-ignore lint/suspicious/noExplicitAny: and so do their builders
  buildFromConfig(config: any): EmbeddingFunction;
}

/** The form in which a collection's configuration names its embedding function. */
export type StoredEmbeddingFunction =
  | { readonly type: 'known'; readonly name: string; readonly config: EmbeddingFunctionConfig }
  | { readonly type: 'legacy' | 'unknown' };
