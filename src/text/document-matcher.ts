/** The one evaluator of a condition on a single document. */
import type { WhereNode } from '../api/index.ts';
import { compileRegex } from './regex.ts';

/** An operator of a condition on documents. */
export type DocumentOperator = Extract<WhereNode, { kind: 'document' }>['operator'];

/**
 * Makes the test for one condition; expressions are compiled once.
 *
 * `$contains` is a literal, case-sensitive substring; the empty one is in every document. A record without a
 * document (`null`) meets the negated operators alone.
 *
 * Errors: `TESSERA_INVALID_FILTER` for a bad expression.
 */
export function documentMatcher(
  operator: DocumentOperator,
  text: string,
): (document: string | null) => boolean {
  switch (operator) {
    case '$contains':
      return (document) => document?.includes(text) ?? false;
    case '$not_contains':
      return (document) => !(document?.includes(text) ?? false);
    case '$eq':
      return (document) => document === text;
    case '$ne':
      return (document) => document !== text;
    case '$regex':
    case '$not_regex': {
      const regex = compileRegex(text);
      const isNegated = operator === '$not_regex';
      return (document) => (document !== null && regex.test(document)) !== isNegated;
    }
  }
}
