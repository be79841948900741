/**
 * Filters become bitmaps.
 *
 * Every node is evaluated within a set of slots that is all its parents still care about: `and` hands each
 * child what the earlier ones left over, `or` what the earlier ones did not find. Children that read
 * documents come last, so that documents are read where nothing cheaper has decided. Conditions on one key
 * that differ in the value alone are first drawn together into a list, since a list of thousands costs one
 * pass and thousands of conditions one pass each.
 */
import type { Scalar, WhereNode } from '../api/index.ts';
import { Bitset } from '../base/index.ts';
import type { MetadataColumns } from '../columns/index.ts';
import { compileRegex, type DocumentOperator } from '../text/index.ts';

/** What a filter is evaluated over. */
export interface FilterContext {
  /** The slots that the filter chooses from; left as it is. */
  readonly live: Bitset;
  /** Columns of all the keys that the filter names. */
  readonly columns: MetadataColumns;
  /** The slots of `within` whose documents match, as a new set. */
  documentSlots(operator: DocumentOperator, text: string, within: Bitset): Bitset;
}

/**
 * The slots of `context.live` that the filter admits, as a new set.
 *
 * Errors: `TESSERA_INVALID_FILTER` for a bad expression, also where no document would have been read.
 */
export function evaluateFilter(node: WhereNode, context: FilterContext): Bitset {
  checkExpressions(node);
  return evaluateWithin(node, context.live, context);
}

/** Compiles every expression of a filter, to find the bad ones. Errors: `TESSERA_INVALID_FILTER`. */
export function checkExpressions(node: WhereNode): void {
  if (node.kind === 'and' || node.kind === 'or') node.children.forEach(checkExpressions);
  else if (node.kind === 'document' && isExpression(node.operator)) compileRegex(node.text);
}

function evaluateWithin(node: WhereNode, within: Bitset, context: FilterContext): Bitset {
  switch (node.kind) {
    case 'and': {
      let left = within.clone();
      for (const child of arrange(node.children, '$ne', '$nin')) {
        if (left.count() === 0) break;
        left = evaluateWithin(child, left, context);
      }
      return left;
    }
    case 'or': {
      const found = new Bitset(within.words.length * 32);
      const left = within.clone();
      for (const child of arrange(node.children, '$eq', '$in')) {
        if (left.count() === 0) break;
        const more = evaluateWithin(child, left, context);
        found.or(more);
        left.andNot(more);
      }
      return found;
    }
    case 'document':
      return context.documentSlots(node.operator, node.text, within);
    default:
      return context.columns.evaluate(node, within);
  }
}

/** The children with their equalities on one key drawn together, those that read documents last. */
function arrange(children: readonly WhereNode[], single: '$eq' | '$ne', list: '$in' | '$nin'): WhereNode[] {
  const operands = new Map<string, Scalar[]>();
  const others: { readonly node: WhereNode; readonly cost: number }[] = [];
  for (const node of children) {
    let values: readonly Scalar[];
    if (node.kind === 'compare' && node.operator === single) values = [node.operand];
    else if (node.kind === 'in' && node.operator === list) values = node.operands;
    else {
      others.push({ node, cost: costOf(node) });
      continue;
    }
    const known = operands.get(node.key) ?? [];
    for (const value of values) known.push(value);
    operands.set(node.key, known);
  }
  const lists = Array.from(operands, ([key, values]): WhereNode => {
    return { kind: 'in', key, operator: list, operands: values };
  });
  others.sort((a, b) => a.cost - b.cost);
  return [...lists, ...others.map(({ node }) => node)];
}

/** 0 for metadata alone, 1 for documents through the index, 2 for documents that must be read. */
function costOf(node: WhereNode): number {
  if (node.kind === 'and' || node.kind === 'or') {
    return node.children.reduce((most, child) => Math.max(most, costOf(child)), 0);
  }
  if (node.kind !== 'document') return 0;
  return node.operator === '$contains' || node.operator === '$not_contains' ? 1 : 2;
}

function isExpression(operator: DocumentOperator): boolean {
  return operator === '$regex' || operator === '$not_regex';
}
