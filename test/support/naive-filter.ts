/**
 * The oracle of filters: one record at a time, straight from the rules (missing keys, types, numbers by
 * mathematical value), with nothing in common with the engine but the nodes it is given.
 */
import type { Scalar, WhereNode } from '../../src/api/index.ts';

/** What a record holds under a key. */
export type NaiveValue = Scalar | { readonly type: 'array'; readonly elements: readonly Scalar[] };

/** A record as filters see it. */
export interface NaiveRecord {
  readonly document: string | null;
  readonly metadata: ReadonlyMap<string, NaiveValue>;
}

/** Whether a record meets a filter. */
export function naiveMatches(node: WhereNode, record: NaiveRecord): boolean {
  switch (node.kind) {
    case 'and':
      return node.children.every((child) => naiveMatches(child, record));
    case 'or':
      return node.children.some((child) => naiveMatches(child, record));
    case 'document':
      return matchesDocument(node.operator, node.text, record.document);
    case 'compare': {
      const { operator, operand } = node;
      const value = record.metadata.get(node.key);
      if (operator === '$ne') return value === undefined || !isEqual(value, operand);
      if (value === undefined) return false;
      if (operator === '$eq') return isEqual(value, operand);
      if (!isNumber(value) || !isNumber(operand)) return false;
      if (operator === '$gt') return value.value > operand.value;
      if (operator === '$gte') return value.value >= operand.value;
      if (operator === '$lt') return value.value < operand.value;
      return value.value <= operand.value;
    }
    case 'in': {
      const value = record.metadata.get(node.key);
      const isFound = value !== undefined && node.operands.some((operand) => isEqual(value, operand));
      return isFound === (node.operator === '$in');
    }
    case 'contains': {
      const value = record.metadata.get(node.key);
      const isFound =
        value?.type === 'array' &&
        value.elements.some(
          (element) => element.type === node.operand.type && isEqual(element, node.operand),
        );
      return isFound === (node.operator === '$contains');
    }
  }
}

function isNumber(value: NaiveValue): value is Extract<Scalar, { type: 'int' | 'float' }> {
  return value.type === 'int' || value.type === 'float';
}

function isEqual(value: NaiveValue, operand: Scalar): boolean {
  // Between a number and a bigint `<=` and `>=` compare mathematical values, and `===` is always false.
  if (isNumber(value) && isNumber(operand))
    return value.value <= operand.value && value.value >= operand.value;
  return value.type !== 'array' && value.type === operand.type && value.value === operand.value;
}

function matchesDocument(operator: string, text: string, document: string | null): boolean {
  const plain = operator.replace('not_', '').replace('$ne', '$eq');
  let isMatch = false;
  if (document !== null) {
    if (plain === '$contains') isMatch = document.split(text).length > 1 || text === '';
    else if (plain === '$eq') isMatch = document === text;
    else isMatch = new RegExp(text, 'u').test(document);
  }
  return isMatch === (plain === operator);
}
