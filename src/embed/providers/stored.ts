/**
 * Members of a stored configuration, which any client may have written: Chroma's in Python and JavaScript
 * write `null`, or nothing, for what was not set.
 */
import { DatabaseError, show } from '../../base/index.ts';
import type { EmbeddingFunctionConfig } from '../embedding-function.ts';

/** A text, `undefined` where it is absent. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
export function storedText(config: EmbeddingFunctionConfig, name: string): string | undefined {
  return member(config, name, 'a string', (value): value is string => typeof value === 'string');
}

/** A text that must be there. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
export function neededText(config: EmbeddingFunctionConfig, name: string): string {
  const text = storedText(config, name);
  if (text !== undefined && text !== '') return text;
  throw fault(name, 'a string that is not empty', config[name]);
}

/** A number, `undefined` where it is absent. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
export function storedNumber(config: EmbeddingFunctionConfig, name: string): number | undefined {
  return member(config, name, 'a number', (value): value is number => typeof value === 'number');
}

/** A truth value, `undefined` where it is absent. Errors: `TESSERA_EMBEDDING_FUNCTION`. */
export function storedFlag(config: EmbeddingFunctionConfig, name: string): boolean | undefined {
  return member(config, name, 'true or false', (value): value is boolean => typeof value === 'boolean');
}

/** Refuses a setting that would have an effect which is not to be had here. */
export function refuseStored(
  config: EmbeddingFunctionConfig,
  name: string,
  allowed: readonly unknown[],
): void {
  const value = config[name];
  if (value === undefined || value === null || allowed.includes(value)) return;
  throw fault(name, allowed.length === 0 ? 'left out' : allowed.map(show).join(' or '), value);
}

function member<T>(
  config: EmbeddingFunctionConfig,
  name: string,
  expectation: string,
  isRight: (value: unknown) => value is T,
): T | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  if (isRight(value)) return value;
  throw fault(name, expectation, value);
}

function fault(name: string, expectation: string, value: unknown): DatabaseError {
  const message = `expected ${name} to be ${expectation}, got ${show(value)}`;
  return new DatabaseError('TESSERA_EMBEDDING_FUNCTION', message, { details: { member: name } });
}
