/** What every function of a provider takes besides its model, with the defaults. */
import { DatabaseError, type Environment, show } from '../../base/index.ts';

/** Sends a request; the global `fetch` where nothing else is given. */
export type Fetch = (request: Request) => Promise<Response>;

/** None of these is stored with a collection but the name of the variable. */
export interface ProviderOptions {
  /** The key itself, for this object alone. It is neither stored nor shown. */
  readonly apiKey?: string | undefined;
  /** Variable of the environment that holds the key; its name is stored, and its value never. */
  readonly apiKeyEnvVar?: string | undefined;
  /** Texts in one request; at most what the provider takes, which is the default. */
  readonly batchSize?: number | undefined;
  /** Requests under way at once. */
  readonly concurrency?: number | undefined;
  /** Requests started in a minute; no limit if left out. */
  readonly requestsPerMinute?: number | undefined;
  /** Tries after the first one where the provider is busy or cannot be reached. */
  readonly retryCount?: number | undefined;
  /** Milliseconds that one try may take. */
  readonly timeoutMs?: number | undefined;
  /** Tokens of a text that the model reads, for models of which that is not known here. */
  readonly maxTokens?: number | undefined;
  readonly fetch?: Fetch | undefined;
  readonly environment?: Environment | undefined;
}

/**
 * Four requests at once fill a provider's line without setting off its limits for bursts; five more tries
 * bridge some 15 s; a minute is longer than the largest batch takes on a slow local server.
 */
export const PROVIDER_DEFAULTS = { concurrency: 4, retryCount: 5, timeoutMs: 60_000 } as const;

const COUNTS: readonly [keyof ProviderOptions, minimum: number][] = [
  ['batchSize', 1],
  ['concurrency', 1],
  ['requestsPerMinute', 1],
  ['retryCount', 0],
  ['timeoutMs', 1],
  ['maxTokens', 1],
];

/** Refuses what cannot be an option's value. Errors: `TESSERA_INVALID_ARGUMENT`. */
export function checkProviderOptions(options: ProviderOptions): void {
  for (const [name, minimum] of COUNTS) {
    const value = options[name];
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= minimum)) continue;
    throw invalid(name, `an integer from ${minimum}`, value);
  }
  for (const name of ['apiKey', 'apiKeyEnvVar'] as const) {
    const value: unknown = options[name];
    // A key that was given wrongly is not shown.
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw invalid(name, 'a string that is not empty', typeof value);
    }
  }
}

function invalid(name: string, expectation: string, value: unknown): DatabaseError {
  const message = `Expected ${name} to be ${expectation}, got ${show(value)}.`;
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: name } });
}
