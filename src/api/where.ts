/**
 * Filters: from the objects that users write to the nodes that the engine evaluates, and back.
 *
 *   Where         := { $and: [Where, …] } | { $or: [Where, …] } | { KEY: Operand }
 *   Operand       := scalar (short for $eq) | { OPERATOR: value }
 *   WhereDocument := { $contains | $not_contains | $regex | $not_regex: string }
 *                  | { $and: [WhereDocument, …] } | { $or: [WhereDocument, …] }
 *
 * Two keys speak of the document rather than of metadata: `#document` takes the operators of `WhereDocument`,
 * and `chroma:document` takes `$eq` and `$ne` for the whole text.
 *
 * Every object has exactly one member, so that no reader has to guess how two of them combine. The one
 * exception is the filter as a whole: `{}`, `null` and `undefined` mean "no restriction". An empty object
 * further inside, or a class instance such as a `Map` that merely looks empty, is refused: a delete must
 * never widen by accident.
 *
 * Numbers in a list may mix integers and floats, which Chroma refuses; they compare by mathematical value
 * anyway.
 */
import { DatabaseError, Double, type JsonValue, show } from '../base/index.ts';
import { LIMITS } from './limits.ts';
import type { Scalar, WhereNode } from './records.ts';
import { isWellFormed } from './text.ts';

type CompareNode = Extract<WhereNode, { kind: 'compare' }>;
type DocumentNode = Extract<WhereNode, { kind: 'document' }>;

/** The key that applies document operators inside `where`. */
const DOCUMENT_OPERATORS_KEY = '#document';
/** The key under which Chroma stores the document beside the metadata. */
const DOCUMENT_VALUE_KEY = 'chroma:document';

const EQUALITY_OPERATORS: ReadonlySet<string> = new Set(['$eq', '$ne']);
const ORDER_OPERATORS: ReadonlySet<string> = new Set(['$gt', '$gte', '$lt', '$lte']);
const LIST_OPERATORS: ReadonlySet<string> = new Set(['$in', '$nin']);
const ARRAY_OPERATORS: ReadonlySet<string> = new Set(['$contains', '$not_contains']);
const DOCUMENT_OPERATORS: ReadonlySet<string> = new Set([
  '$contains',
  '$not_contains',
  '$regex',
  '$not_regex',
]);

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Reads a `where` filter from plain JavaScript values or from what `parseJson` returns.
 *
 * A number is an integer where its value is integral and within ±2^53, a `bigint` always, a `Double` never.
 * `null` means that nothing is restricted.
 *
 * Errors: `TESSERA_INVALID_FILTER`, and `TESSERA_LIMIT_EXCEEDED` beyond `LIMITS.filterDepthMax`,
 * `filterNodesMax` or `filterValuesMax`; both messages say where, and so does `details.path`.
 */
export function parseWhere(value: unknown): WhereNode | null {
  return isUnrestricted(value) ? null : new FilterParser('Invalid where clause', false).parse(value, '', 1);
}

/** Reads a `whereDocument` filter. As `parseWhere`. */
export function parseWhereDocument(value: unknown): WhereNode | null {
  if (isUnrestricted(value)) return null;
  return new FilterParser('Invalid where document clause', true).parse(value, '', 1);
}

/** Writes a filter as JSON that `parseWhere` reads as the same nodes. */
export function formatWhere(node: WhereNode): JsonValue {
  switch (node.kind) {
    case 'and':
    case 'or':
      return { [`$${node.kind}`]: node.children.map(formatWhere) };
    case 'compare':
    case 'contains':
      return { [node.key]: { [node.operator]: formatScalar(node.operand) } };
    case 'in':
      return { [node.key]: { [node.operator]: node.operands.map(formatScalar) } };
    case 'document': {
      const key = EQUALITY_OPERATORS.has(node.operator) ? DOCUMENT_VALUE_KEY : DOCUMENT_OPERATORS_KEY;
      return { [key]: { [node.operator]: node.text } };
    }
  }
}

/** Writes a filter that `parseWhereDocument` made as JSON that it reads as the same nodes. */
export function formatWhereDocument(node: WhereNode): JsonValue {
  if (node.kind === 'and' || node.kind === 'or') {
    return { [`$${node.kind}`]: node.children.map(formatWhereDocument) };
  }
  if (node.kind === 'document') return { [node.operator]: node.text };
  throw new DatabaseError(
    'TESSERA_INVALID_FILTER',
    `Invalid where document clause: expected conditions on the document, got one on ${show(node.key)}.`,
  );
}

/** The metadata keys that a filter looks at, each once, in order of first mention. */
export function whereKeys(node: WhereNode): string[] {
  const keys = new Set<string>();
  const visit = (visited: WhereNode): void => {
    if (visited.kind === 'and' || visited.kind === 'or') visited.children.forEach(visit);
    else if (visited.kind !== 'document') keys.add(visited.key);
  };
  visit(node);
  return [...keys];
}

/** How many nodes a filter has, inner ones included. */
export function countNodes(node: WhereNode): number {
  if (node.kind !== 'and' && node.kind !== 'or') return 1;
  return node.children.reduce((total, child) => total + countNodes(child), 1);
}

function isUnrestricted(value: unknown): boolean {
  return value === null || value === undefined || (isPlainObject(value) && Object.keys(value).length === 0);
}

/**
 * Whether a value is an object literal or JSON object, of any realm: its prototype is the root of a chain, or
 * none.
 */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function formatScalar(scalar: Scalar): JsonValue {
  return scalar.type === 'float' && Number.isInteger(scalar.value) ? new Double(scalar.value) : scalar.value;
}

function join(path: string, step: string): string {
  return path === '' ? step : `${path}.${step}`;
}

/** Reads one filter; counts its nodes on the way, so that a huge one is refused before it is built. */
class FilterParser {
  readonly #sentence: string;
  readonly #isDocumentFilter: boolean;
  #nodeCount = 0;

  constructor(sentence: string, isDocumentFilter: boolean) {
    this.#sentence = sentence;
    this.#isDocumentFilter = isDocumentFilter;
  }

  parse(value: unknown, path: string, depth: number): WhereNode {
    if (depth > LIMITS.filterDepthMax) this.#failLimit(path, `at most ${LIMITS.filterDepthMax} levels`);
    this.#nodeCount++;
    if (this.#nodeCount > LIMITS.filterNodesMax) this.#failNodeCount(path);
    const [key, operand] = this.#readMember(value, path, 'a key');
    const here = join(path, key);
    if (key === '$and' || key === '$or') {
      const children = this.#readList(operand, here, 'filters');
      // Refused before the first child is looked at: each is at least one node.
      if (children.length > LIMITS.filterNodesMax - this.#nodeCount) this.#failNodeCount(here);
      // Unlike `map`, this visits what a list has been given no value for, too.
      const nodes = Array.from(children, (child, i) => this.parse(child, `${here}[${i}]`, depth + 1));
      return Object.freeze({ kind: key === '$and' ? 'and' : 'or', children: Object.freeze(nodes) });
    }
    if (this.#isDocumentFilter) return this.#parseDocumentOperator(key, operand, here);
    if (key.startsWith('$')) {
      this.#fail(here, `expected a metadata key, $and or $or, got ${show(key)}`);
    }
    if (key === DOCUMENT_OPERATORS_KEY) return this.#parseDocumentKey(operand, here);
    if (key === DOCUMENT_VALUE_KEY) return this.#parseDocumentValue(operand, here);
    return this.#parseCondition(key, operand, here);
  }

  #parseCondition(key: string, value: unknown, path: string): WhereNode {
    if (!isPlainObject(value)) {
      return Object.freeze({ kind: 'compare', key, operator: '$eq', operand: this.#readScalar(value, path) });
    }
    const [operator, operand] = this.#readMember(value, path, 'an operator');
    const here = join(path, operator);
    if (EQUALITY_OPERATORS.has(operator)) {
      return compare(key, operator, this.#readScalar(operand, here));
    }
    if (ORDER_OPERATORS.has(operator)) {
      const scalar = this.#readScalar(operand, here);
      if (scalar.type === 'int' || scalar.type === 'float') return compare(key, operator, scalar);
      this.#fail(here, `expected a number, got ${show(operand)}. Only numbers have an order`);
    }
    if (LIST_OPERATORS.has(operator)) {
      const operands = Object.freeze(this.#readOperands(operand, here));
      return Object.freeze({ kind: 'in', key, operator: operator as '$in' | '$nin', operands });
    }
    if (ARRAY_OPERATORS.has(operator)) {
      const element = this.#readScalar(operand, here);
      return Object.freeze({
        kind: 'contains',
        key,
        operator: operator as '$contains' | '$not_contains',
        operand: element,
      });
    }
    const known = [...EQUALITY_OPERATORS, ...ORDER_OPERATORS, ...LIST_OPERATORS, ...ARRAY_OPERATORS].join(
      ', ',
    );
    this.#fail(here, `expected an operator (${known}), got ${show(operator)}`);
  }

  #parseDocumentKey(value: unknown, path: string): WhereNode {
    const [operator, operand] = isPlainObject(value)
      ? this.#readMember(value, path, 'an operator')
      : ['$eq', value];
    if (EQUALITY_OPERATORS.has(operator)) {
      const message =
        `Cannot filter using metadata key '${DOCUMENT_OPERATORS_KEY}' with type 'Str' because indexing is ` +
        `disabled. To compare the whole document, use the key '${DOCUMENT_VALUE_KEY}'.`;
      throw new DatabaseError('TESSERA_INVALID_FILTER', message, { details: { path } });
    }
    return this.#parseDocumentOperator(operator, operand, join(path, operator));
  }

  #parseDocumentValue(value: unknown, path: string): WhereNode {
    const [operator, operand] = isPlainObject(value)
      ? this.#readMember(value, path, 'an operator')
      : ['$eq', value];
    if (!EQUALITY_OPERATORS.has(operator)) {
      const remedy = `For other operators use the key '${DOCUMENT_OPERATORS_KEY}' or whereDocument`;
      this.#fail(join(path, operator), `expected $eq or $ne, got ${show(operator)}. ${remedy}`);
    }
    const text = this.#readText(operand, join(path, operator));
    return Object.freeze({ kind: 'document', operator: operator as '$eq' | '$ne', text });
  }

  #parseDocumentOperator(operator: string, operand: unknown, path: string): WhereNode {
    if (!DOCUMENT_OPERATORS.has(operator)) {
      const known = [...DOCUMENT_OPERATORS].join(', ');
      this.#fail(path, `expected an operator for documents (${known}), got ${show(operator)}`);
    }
    const text = this.#readText(operand, path);
    return Object.freeze({ kind: 'document', operator: operator as DocumentNode['operator'], text });
  }

  /** The only member of an object. Own keys alone count, so `__proto__` is a key like any other. */
  #readMember(value: unknown, path: string, what: string): [key: string, value: unknown] {
    if (!isPlainObject(value)) this.#fail(path, `expected an object with ${what}, got ${show(value)}`);
    const keys = Object.keys(value);
    if (keys.length === 1) return [keys[0]!, value[keys[0]!]];
    if (keys.length === 0 && /\]$/.test(path)) {
      this.#fail(path, 'expected a condition, got {}. An empty filter is only allowed at the top');
    }
    const got = keys.length === 0 ? 'none' : `${keys.length} (${show(keys)})`;
    this.#fail(path, `expected exactly one member, got ${got}. Combine conditions with $and or $or`);
  }

  #readList(value: unknown, path: string, what: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    this.#fail(path, `expected a list of ${what}, got ${show(value)}`);
  }

  #readOperands(value: unknown, path: string): Scalar[] {
    const values = this.#readList(value, path, 'values');
    if (values.length === 0) this.#fail(path, 'expected at least one value, got an empty list');
    if (values.length > LIMITS.filterValuesMax)
      this.#failLimit(path, `at most ${LIMITS.filterValuesMax} values`);
    const isNumeric = (scalar: Scalar): boolean => scalar.type === 'int' || scalar.type === 'float';
    let first: Scalar | null = null;
    return Array.from(values, (element, index) => {
      const scalar = this.#readScalar(element, `${path}[${index}]`);
      first ??= scalar;
      if (scalar.type !== first.type && !(isNumeric(scalar) && isNumeric(first))) {
        const types = `a value of type ${first.type}, as the first one, got ${show(element)}`;
        this.#fail(`${path}[${index}]`, `expected ${types}. A list has values of one type`);
      }
      return scalar;
    });
  }

  #readText(value: unknown, path: string): string {
    if (typeof value !== 'string') this.#fail(path, `expected a string, got ${show(value)}`);
    if (!isWellFormed(value)) {
      this.#fail(path, `expected well-formed Unicode, got an unpaired surrogate in ${show(value)}`);
    }
    return value;
  }

  #readScalar(value: unknown, path: string): Scalar {
    switch (typeof value) {
      case 'string':
        return { type: 'string', value };
      case 'boolean':
        return { type: 'bool', value };
      case 'number':
        return this.#readNumber(value, Number.isSafeInteger(value), path);
      case 'bigint':
        if (value < INT64_MIN || value > INT64_MAX) {
          this.#fail(path, `expected an integer of 64 bits, got ${show(value)}. Write it as a float`);
        }
        return { type: 'int', value: Number.isSafeInteger(Number(value)) ? Number(value) : value };
      default:
        if (value instanceof Double) return this.#readNumber(value.value, false, path);
        this.#fail(path, `expected a string, a number or a boolean, got ${show(value)}`);
    }
  }

  #readNumber(value: number, isInteger: boolean, path: string): Scalar {
    if (!Number.isFinite(value)) this.#fail(path, `expected a finite number, got ${value}`);
    // Negative zero equals zero in every comparison, and would read differently once it is written as JSON.
    return { type: isInteger ? 'int' : 'float', value: value === 0 ? 0 : value };
  }

  #failNodeCount(path: string): never {
    this.#failLimit(path, `at most ${LIMITS.filterNodesMax} conditions; for many values of one key use $in`);
  }

  #fail(path: string, what: string): never {
    const place = path === '' ? '' : ` (at ${shorten(path)})`;
    throw new DatabaseError('TESSERA_INVALID_FILTER', `${this.#sentence}: ${what}${place}.`, {
      details: { path: shorten(path) },
    });
  }

  #failLimit(path: string, expected: string): never {
    const message = `${this.#sentence}: expected ${expected} (exceeded at ${shorten(path)}).`;
    throw new DatabaseError('TESSERA_LIMIT_EXCEEDED', message, { details: { path: shorten(path) } });
  }
}

function compare(key: string, operator: string, operand: Scalar): WhereNode {
  return Object.freeze({ kind: 'compare', key, operator: operator as CompareNode['operator'], operand });
}

/** A path for a message: deep ones lose their middle. */
function shorten(path: string): string {
  return path.length <= 120 ? path : `${path.slice(0, 58)}…${path.slice(-58)}`;
}
