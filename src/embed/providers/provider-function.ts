/**
 * What the functions of all providers have in common: the key, batches, requests side by side, and the checks
 * of what comes back. A provider adds its wire format and its limits.
 *
 * Texts are sent in batches that keep to the provider's limits by number and by characters. Limits in tokens
 * are counted as characters, which are more in every language but for rare signs, so that no tokenizer is
 * needed; a text that is too long alone is sent alone, and the provider says what it thinks of it.
 *
 * A provider that answers with other embeddings than it was asked for is at fault, and nothing of the call
 * is used: a text too many or too few, a number that is none, and dimensions that differ among the texts, or
 * from what this object has seen before.
 */
import type { Space } from '../../api/index.ts';
import {
  DatabaseError,
  type Environment,
  show,
  systemEnvironment,
  throwIfAborted,
} from '../../base/index.ts';
import type { EmbeddingFunction, EmbeddingFunctionConfig, EmbedOptions } from '../embedding-function.ts';
import { isSameModel } from '../same-model.ts';
import { checkProviderOptions, PROVIDER_DEFAULTS, type ProviderOptions } from './provider-options.ts';
import { type ProviderRequest, providerFault, Requests, SYSTEM_POLICY } from './requests.ts';
import { tokenLimit } from './token-limits.ts';

/** What a text is embedded for; some models embed questions differently. */
export type Purpose = 'document' | 'query';

/** What one request may hold. */
export interface BatchLimits {
  readonly count: number;
  readonly characters: number;
}

/** What a provider is. */
export interface ProviderTraits {
  /** As messages call it. */
  readonly provider: string;
  readonly limits: BatchLimits;
  /** Variable of the environment with the key, unless another is named; `null` where none is needed. */
  readonly apiKeyEnvVar: string | null;
  /** Whether requests without a key make sense. */
  readonly isKeyOptional: boolean;
}

/** See the top of this file. */
export abstract class ProviderFunction implements EmbeddingFunction {
  abstract readonly name: string;
  /** Name of the variable with the key, which is what the configuration stores of it. */
  protected readonly apiKeyEnvVar: string | null;
  readonly #traits: ProviderTraits;
  readonly #apiKey: string | undefined;
  readonly #environment: Environment;
  readonly #requests: Requests;
  readonly #batchSize: number;
  readonly #concurrency: number;
  readonly #maxTokens: number | undefined;
  #dimension: number | null = null;

  protected constructor(traits: ProviderTraits, options: ProviderOptions) {
    checkProviderOptions(options);
    this.#traits = traits;
    this.apiKeyEnvVar = options.apiKeyEnvVar ?? traits.apiKeyEnvVar;
    this.#apiKey = options.apiKey;
    this.#environment = options.environment ?? systemEnvironment;
    this.#batchSize = Math.min(options.batchSize ?? traits.limits.count, traits.limits.count);
    this.#concurrency = options.concurrency ?? PROVIDER_DEFAULTS.concurrency;
    const { requestsPerMinute, fetch } = options;
    this.#maxTokens = options.maxTokens;
    this.#requests = new Requests(traits.provider, {
      ...SYSTEM_POLICY,
      fetch: fetch ?? ((request) => globalThis.fetch(request)),
      retryCount: options.retryCount ?? PROVIDER_DEFAULTS.retryCount,
      timeoutMs: options.timeoutMs ?? PROVIDER_DEFAULTS.timeoutMs,
      intervalMs: requestsPerMinute === undefined ? 0 : 60_000 / requestsPerMinute,
    });
  }

  /** The request for one batch. `key` is there unless it is optional and not set. */
  protected abstract request(
    texts: readonly string[],
    purpose: Purpose,
    key: string | undefined,
  ): ProviderRequest;

  /** The embeddings within an answer, in the order of the texts; `undefined` where there are none. */
  protected abstract read(answer: unknown): readonly unknown[] | undefined;

  abstract getConfig(): EmbeddingFunctionConfig;

  /**
   * Embeds texts that are stored. Errors: `TESSERA_EMBEDDING_FUNCTION` without a key and for what the
   * provider refuses, `TESSERA_EMBEDDING_PROVIDER` when it cannot be reached or answers wrongly,
   * `TESSERA_ABORTED`.
   */
  generate(texts: string[], options?: EmbedOptions): Promise<number[][]> {
    return this.#embed(texts, 'document', options?.signal);
  }

  /** Embeds texts that are asked for. Errors: as `generate`. */
  generateForQueries(texts: string[], options?: EmbedOptions): Promise<number[][]> {
    return this.#embed(texts, 'query', options?.signal);
  }

  /** Tokens of a text that the model reads; `undefined` where that is not known. */
  get maxTokens(): number | undefined {
    return this.#maxTokens ?? tokenLimit(this.getConfig());
  }

  defaultSpace(): Space {
    return 'cosine';
  }

  supportedSpaces(): Space[] {
    return ['cosine', 'l2', 'ip'];
  }

  /** Refuses a change to another model, in whose space the collection's embeddings are not. */
  validateConfigUpdate(config: EmbeddingFunctionConfig): void {
    const before = this.getConfig();
    if (isSameModel(before, config)) return;
    const [from, to] = [before, config].map((each) => show(each['model_name'] ?? each['model'] ?? each));
    throw new DatabaseError(
      'TESSERA_EMBEDDING_FUNCTION',
      `Expected the model of ${this.#traits.provider} to stay ${from}, got ${to}: embeddings of two models cannot be ` +
        'compared. Embed the documents anew with collection.reembed.',
      { details: { provider: this.#traits.provider } },
    );
  }

  async #embed(
    texts: readonly string[],
    purpose: Purpose,
    signal: AbortSignal | undefined,
  ): Promise<number[][]> {
    throwIfAborted(signal);
    const key = this.#key();
    const batches = [...this.#batches(texts)];
    const answers = new Array<readonly number[][]>(batches.length);
    // The first failure stops the other requests too: their answers would be thrown away.
    const failed = new AbortController();
    const heard = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < batches.length) {
        const index = next++;
        const batch = batches[index]!;
        const answer = await this.#requests.post(this.request(batch, purpose, key), heard);
        answers[index] = this.#checked(answer, batch.length);
      }
    };
    const workers = Array.from({ length: Math.min(this.#concurrency, batches.length) }, work);
    let failure: unknown;
    for (const worker of workers) {
      worker.catch((error: unknown) => {
        failure ??= error;
        failed.abort();
      });
    }
    await Promise.allSettled(workers);
    if (failure !== undefined) throw failure;
    return answers.flat();
  }

  #key(): string | undefined {
    const { provider, isKeyOptional } = this.#traits;
    const { apiKeyEnvVar } = this;
    const key =
      this.#apiKey ?? (apiKeyEnvVar === null ? undefined : this.#environment.variable(apiKeyEnvVar));
    if (key !== undefined || isKeyOptional) return key;
    throw new DatabaseError(
      'TESSERA_EMBEDDING_FUNCTION',
      `Expected a key for ${provider} in the environment variable ${apiKeyEnvVar}, found none. Set it, name another ` +
        'with apiKeyEnvVar, or pass apiKey.',
      { details: { provider, variable: apiKeyEnvVar } },
    );
  }

  *#batches(texts: readonly string[]): Iterable<readonly string[]> {
    let batch: string[] = [];
    let characters = 0;
    for (const text of texts) {
      const isFull =
        batch.length === this.#batchSize || characters + text.length > this.#traits.limits.characters;
      if (isFull && batch.length > 0) {
        yield batch;
        batch = [];
        characters = 0;
      }
      batch.push(text);
      characters += text.length;
    }
    if (batch.length > 0) yield batch;
  }

  #checked(answer: unknown, count: number): number[][] {
    const { provider } = this.#traits;
    const rows = this.read(answer);
    if (!Array.isArray(rows))
      throw providerFault(provider, `answered what holds no embeddings: ${show(answer)}`);
    if (rows.length !== count) {
      throw providerFault(provider, `answered with ${rows.length} embeddings for ${count} texts`);
    }
    for (const row of rows as unknown[]) {
      if (!Array.isArray(row) || row.length === 0 || !row.every(Number.isFinite)) {
        throw providerFault(provider, `answered with what is no embedding: ${show(row)}`);
      }
      this.#dimension ??= row.length;
      if (row.length === this.#dimension) continue;
      const found = `an embedding of dimension ${row.length} after one of dimension ${this.#dimension}`;
      throw providerFault(provider, `answered with ${found}`);
    }
    return rows as number[][];
  }
}

/** Reads `{ data: [{ index, embedding }] }`, the form that most providers share. */
export function readData(answer: unknown): readonly unknown[] | undefined {
  const { data } = (answer ?? {}) as { data?: unknown };
  if (!Array.isArray(data)) return undefined;
  const items = data as ({ index?: unknown; embedding?: unknown } | null)[];
  const rows: unknown[] = [];
  for (const [i, item] of items.entries()) {
    const { index } = item ?? {};
    rows[typeof index === 'number' ? index : i] = item?.embedding;
  }
  return Array.from(rows);
}

/** The header by which most providers take a key. */
export function bearer(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

/** An object without the members that are `undefined` or `null`: neither is sent or stored. */
export function given(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && value !== null),
  );
}

/** Takes the slash off the end of a URL. Errors: `TESSERA_INVALID_ARGUMENT` for what is no URL. */
export function baseUrl(value: string, argument: string): string {
  if (URL.canParse(value) && /^https?:/i.test(value)) return value.replace(/\/+$/, '');
  const message = `Expected ${argument} to be a URL such as http://localhost:11434/v1, got ${show(value)}.`;
  throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument } });
}
