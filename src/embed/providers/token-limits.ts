/**
 * How many tokens of a text the models of providers read, as their documentation says (2025). A
 * model that is not listed is one of which nothing is claimed.
 */
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';

const LIMITS: readonly (readonly [model: RegExp, maxTokens: number])[] = [
  [/^text-embedding-(?:3-small|3-large|ada-002)$/, 8_192],
  [/^embed-(?:english|multilingual)-(?:light-)?v3\.0$/, 512],
  [/^embed-v4\.0$/, 128_000],
  [/^voyage-(?:3|3\.5|code-3|finance-2|multilingual-2)(?:-lite|-large)?$/, 32_000],
  [/^voyage-(?:law-2|code-2|large-2)(?:-instruct)?$/, 16_000],
  [/^voyage-2$/, 4_000],
  [/^jina-embeddings-v(?:2-.+|3)$/, 8_192],
  [/^jina-embeddings-v4$/, 32_768],
  [/^(?:mistral|codestral)-embed(?:-\d+)?$/, 8_192],
  [/^(?:models\/)?(?:gemini-embedding-001|text-embedding-004)$/, 2_048],
];

/** The limit of the model that a configuration names; `undefined` where it is not known. */
export function tokenLimit(config: EmbeddingFunctionConfig): number | undefined {
  const model = config['model_name'] ?? config['model'];
  return typeof model === 'string' ? LIMITS.find(([pattern]) => pattern.test(model))?.[1] : undefined;
}

/** How OpenAI, Mistral, Cohere, Ollama, vLLM and Hugging Face's server say that a text is too long. */
const TOO_LONG =
  /context length|tokens?\b.*\b(?:exceed\w*|max\w*|limit|too (?:long|many|large))|(?:exceed\w*|max\w*|limit|too (?:long|many|large)|(?:less|more) than)\b.*\btokens?\b/i;

/** Whether a provider refused because of a text's length, and not because a whole batch is too large. */
export function isTooLong(status: number, said: string): boolean {
  return [400, 413, 422].includes(status) && TOO_LONG.test(said) && !/\bbatch/i.test(said);
}
