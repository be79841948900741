import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DatabaseError, Double, formatJson, type JsonValue, parseJson } from '../base/index.ts';
import { LIMITS } from './limits.ts';
import type { Scalar, WhereNode } from './records.ts';
import {
  countNodes,
  formatWhere,
  formatWhereDocument,
  parseWhere,
  parseWhereDocument,
  whereKeys,
} from './where.ts';

function failureOf(work: () => unknown): DatabaseError {
  try {
    work();
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
  throw new Error('Expected a DatabaseError, got none.');
}

/** The operand of `{ key: value }`. */
function operandOf(value: unknown): Scalar {
  const node = parseWhere({ key: value });
  if (node?.kind !== 'compare') throw new Error(`Expected a comparison, got ${node?.kind}.`);
  return node.operand;
}

describe('parseWhere', () => {
  it.each([[null], [undefined], [{}], [Object.create(null)]])('takes %o for no restriction', (value) => {
    expect(parseWhere(value)).toBeNull();
    expect(parseWhereDocument(value)).toBeNull();
  });

  it('takes a bare scalar for $eq', () => {
    expect(parseWhere({ a: 'x' })).toEqual({
      kind: 'compare',
      key: 'a',
      operator: '$eq',
      operand: { type: 'string', value: 'x' },
    });
  });

  it('tells integers from floats, and keeps integers of 64 bits', () => {
    expect(operandOf(3)).toEqual({ type: 'int', value: 3 });
    expect(operandOf(3n)).toEqual({ type: 'int', value: 3 });
    expect(operandOf(3.5)).toEqual({ type: 'float', value: 3.5 });
    expect(operandOf(new Double(3))).toEqual({ type: 'float', value: 3 });
    expect(operandOf(2 ** 60)).toEqual({ type: 'float', value: 2 ** 60 });
    expect(operandOf(2n ** 53n + 1n)).toEqual({ type: 'int', value: 2n ** 53n + 1n });
    expect(operandOf(-(2n ** 63n))).toEqual({ type: 'int', value: -(2n ** 63n) });
    expect(Object.is(operandOf(-0).value, 0)).toBe(true);
  });

  it('reads what parseJson returns', () => {
    const node = parseWhere(parseJson('{"$and": [{"a": 1.0}, {"b": {"$in": [9007199254740993]}}]}'));
    expect(node).toEqual({
      kind: 'and',
      children: [
        { kind: 'compare', key: 'a', operator: '$eq', operand: { type: 'float', value: 1 } },
        { kind: 'in', key: 'b', operator: '$in', operands: [{ type: 'int', value: 9007199254740993n }] },
      ],
    });
  });

  it('takes $and and $or of any length, also of none', () => {
    expect(parseWhere({ $and: [] })).toEqual({ kind: 'and', children: [] });
    expect(parseWhere({ $or: [{ a: 1 }] })).toMatchObject({ kind: 'or', children: [{ key: 'a' }] });
  });

  it('takes a list that mixes integers and floats', () => {
    expect(parseWhere({ a: { $in: [1, 2.5] } })).toMatchObject({
      operands: [{ type: 'int' }, { type: 'float' }],
    });
  });

  it('applies document operators under the key #document', () => {
    expect(parseWhere({ '#document': { $regex: 'a+' } })).toEqual({
      kind: 'document',
      operator: '$regex',
      text: 'a+',
    });
  });

  it('compares the whole document under the key chroma:document', () => {
    expect(parseWhere({ 'chroma:document': 'x' })).toEqual({ kind: 'document', operator: '$eq', text: 'x' });
    expect(parseWhere({ 'chroma:document': { $ne: 'x' } })).toEqual({
      kind: 'document',
      operator: '$ne',
      text: 'x',
    });
  });

  it('takes __proto__ for a key like any other', () => {
    expect(parseWhere(JSON.parse('{"__proto__": 1}'))).toMatchObject({ kind: 'compare', key: '__proto__' });
    expect(formatWhere(parseWhere(JSON.parse('{"__proto__": 1}'))!)).toEqual(
      JSON.parse('{"__proto__": {"$eq": 1}}'),
    );
  });

  it('freezes what it returns', () => {
    const node = parseWhere({ $and: [{ a: { $in: [1] } }] }) as Extract<WhereNode, { kind: 'and' }>;
    expect([node, node.children, node.children[0]].every(Object.isFrozen)).toBe(true);
  });

  const refused: [why: string, value: unknown, path: string, got: string][] = [
    ['a filter that is no object', 'a = 1', '', 'got "a = 1"'],
    ['a list', [{ a: 1 }], '', 'expected an object'],
    ['a Map, though it has no own keys', new Map([['a', 1]]), '', 'expected an object'],
    ['two keys', { a: 1, b: 2 }, '', 'exactly one member, got 2'],
    ['two operators', { a: { $gt: 1, $lt: 5 } }, 'a', 'exactly one member, got 2'],
    [
      'an empty filter inside another',
      { $or: [{ a: 1 }, {}] },
      '$or[1]',
      'An empty filter is only allowed at the top',
    ],
    ['no operator', { a: {} }, 'a', 'got none'],
    ['an unknown connective', { $not: { a: 1 } }, '$not', 'got "$not"'],
    ['an unknown operator', { a: { $like: 'x' } }, 'a.$like', '$not_contains), got "$like"'],
    ['$regex on metadata', { a: { $regex: 'x' } }, 'a.$regex', 'got "$regex"'],
    ['$and without a list', { $and: { a: 1 } }, '$and', 'a list of filters'],
    ['null as operand', { a: null }, 'a', 'got null'],
    ['undefined as operand', { a: undefined }, 'a', 'got undefined'],
    ['a list as operand of $eq', { a: { $eq: [1] } }, 'a.$eq', 'got [1]'],
    ['an object as operand of $eq', { a: { $eq: {} } }, 'a.$eq', 'got {}'],
    [
      'an order of strings',
      { $and: [{ a: 1 }, { price: { $gt: 'x' } }] },
      '$and[1].price.$gt',
      'expected a number',
    ],
    ['an order of booleans', { a: { $lte: true } }, 'a.$lte', 'expected a number'],
    ['an empty list', { a: { $in: [] } }, 'a.$in', 'at least one value'],
    ['a list of two types', { a: { $in: ['x', 1] } }, 'a.$in[1]', 'of type string'],
    ['a list of numbers and booleans', { a: { $nin: [1, true] } }, 'a.$nin[1]', 'of type int'],
    ['$in without a list', { a: { $in: 'x' } }, 'a.$in', 'a list of values'],
    ['a list of operands that was never filled', { a: { $in: new Array(2) } }, 'a.$in[0]', 'got undefined'],
    ['a list of filters that was never filled', { $and: new Array(1) }, '$and[0]', 'got undefined'],
    ['NaN', { a: Number.NaN }, 'a', 'got NaN'],
    ['infinity', { a: { $lt: Number.POSITIVE_INFINITY } }, 'a.$lt', 'got Infinity'],
    ['an integer of more than 64 bits', { a: 2n ** 63n }, 'a', '64 bits'],
    [
      'another operator than equality on the whole document',
      { 'chroma:document': { $in: ['x'] } },
      'chroma:document.$in',
      '#document',
    ],
    ['a number as document', { 'chroma:document': 5 }, 'chroma:document.$eq', 'expected a string'],
    [
      'half a surrogate pair in a document operand',
      { '#document': { $contains: '\ud800' } },
      '#document.$contains',
      'surrogate',
    ],
  ];
  it.each(refused)('refuses %s and says where', (_why, value, path, got) => {
    const error = failureOf(() => parseWhere(value));
    expect(error.code).toBe('TESSERA_INVALID_FILTER');
    expect(error.message).toMatch(/^Invalid where clause: /);
    expect(error.message).toContain(got);
    expect(error.details).toEqual({ path });
  });

  it.each([['x'], [{ $eq: 'x' }], [{ $ne: 'x' }]])(
    'refuses #document: %o as Chroma does, with a remedy',
    (operand) => {
      const { message } = failureOf(() => parseWhere({ '#document': operand }));
      expect(message).toMatch(
        /^Cannot filter using metadata key '#document' with type 'Str' because indexing is disabled/,
      );
      expect(message).toContain('chroma:document');
    },
  );

  it('bounds depth, nodes and values', () => {
    const nested = (depth: number): unknown => (depth === 1 ? { a: 1 } : { $and: [nested(depth - 1)] });
    expect(parseWhere(nested(LIMITS.filterDepthMax))).not.toBeNull();
    expect(failureOf(() => parseWhere(nested(LIMITS.filterDepthMax + 1))).code).toBe(
      'TESSERA_LIMIT_EXCEEDED',
    );

    const wide = (count: number): unknown => ({ $or: new Array(count).fill({ a: 1 }) });
    expect(countNodes(parseWhere(wide(LIMITS.filterNodesMax - 1))!)).toBe(LIMITS.filterNodesMax);
    expect(failureOf(() => parseWhere(wide(LIMITS.filterNodesMax))).message).toMatch(
      /^Invalid where clause: .*\$in/,
    );
    const twoHalves = { $and: [wide(LIMITS.filterNodesMax / 2), wide(LIMITS.filterNodesMax / 2)] };
    expect(failureOf(() => parseWhere(twoHalves)).code).toBe('TESSERA_LIMIT_EXCEEDED');

    const list = (count: number): unknown => ({ a: { $in: new Array(count).fill(1) } });
    expect(parseWhere(list(LIMITS.filterValuesMax))).not.toBeNull();
    expect(failureOf(() => parseWhere(list(LIMITS.filterValuesMax + 1))).code).toBe('TESSERA_LIMIT_EXCEEDED');
  });
});

describe('parseWhereDocument', () => {
  it('takes the four operators and their combinations', () => {
    expect(parseWhereDocument({ $and: [{ $contains: 'a' }, { $or: [{ $not_regex: 'b' }] }] })).toEqual({
      kind: 'and',
      children: [
        { kind: 'document', operator: '$contains', text: 'a' },
        { kind: 'or', children: [{ kind: 'document', operator: '$not_regex', text: 'b' }] },
      ],
    });
    expect(parseWhereDocument({ $contains: '' })).toMatchObject({ text: '' });
  });

  it.each([
    [{ $eq: 'x' }, '$eq'],
    [{ $matches: 'x' }, '$matches'],
    [{ a: 'x' }, 'a'],
    [{ $contains: 5 }, '$contains'],
    [{ $contains: ['x'] }, '$contains'],
    [{ $contains: 'x', $not_contains: 'y' }, ''],
    [{ $and: [{ $regex: null }] }, '$and[0].$regex'],
  ])('refuses %o', (value, path) => {
    const error = failureOf(() => parseWhereDocument(value));
    expect(error.message).toMatch(/^Invalid where document clause: /);
    expect(error.details).toEqual({ path });
  });
});

describe('formatWhere', () => {
  const scalar: fc.Arbitrary<Scalar> = fc.oneof(
    fc.string().map((value): Scalar => ({ type: 'string', value })),
    fc.boolean().map((value): Scalar => ({ type: 'bool', value })),
    fc.maxSafeInteger().map((value): Scalar => ({ type: 'int', value: value === 0 ? 0 : value })),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }).map((value): Scalar => ({ type: 'int', value })),
    fc
      .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
      .map((value): Scalar => ({ type: 'float', value: value === 0 ? 0 : value })),
  );
  const number = scalar.filter(({ type }) => type === 'int' || type === 'float');
  const key = fc
    .oneof(fc.string(), fc.constant('__proto__'))
    .filter((name) => !/^\$|^#document$|^chroma:/.test(name));
  const document = (operators: readonly string[]): fc.Arbitrary<WhereNode> =>
    fc
      .tuple(fc.constantFrom(...operators), fc.string({ unit: 'grapheme' }))
      .map(([operator, text]) => ({ kind: 'document', operator, text }) as WhereNode);
  const node = fc.letrec<{ node: WhereNode }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc
        .tuple(key, fc.constantFrom('$eq', '$ne'), scalar)
        .map(([name, operator, operand]) => ({ kind: 'compare', key: name, operator, operand }) as WhereNode),
      fc
        .tuple(key, fc.constantFrom('$gt', '$gte', '$lt', '$lte'), number)
        .map(([name, operator, operand]) => ({ kind: 'compare', key: name, operator, operand }) as WhereNode),
      fc
        .tuple(key, fc.constantFrom('$in', '$nin'), fc.array(number, { minLength: 1 }))
        .map(([name, operator, operands]) => ({ kind: 'in', key: name, operator, operands }) as WhereNode),
      fc
        .tuple(key, fc.constantFrom('$contains', '$not_contains'), scalar)
        .map(
          ([name, operator, operand]) => ({ kind: 'contains', key: name, operator, operand }) as WhereNode,
        ),
      document(['$contains', '$not_contains', '$regex', '$not_regex', '$eq', '$ne']),
      fc
        .tuple(fc.constantFrom('and', 'or'), fc.array(tie('node'), { maxLength: 3 }))
        .map(([kind, children]) => ({ kind, children }) as WhereNode),
    ),
  })).node;

  it('writes JSON that parses to the same nodes', () => {
    fc.assert(
      fc.property(node, (original) => {
        const text = formatJson(formatWhere(original));
        expect(parseWhere(parseJson(text))).toEqual(original);
      }),
    );
  });

  it('writes document filters that parse to the same nodes, and refuses others', () => {
    const original = parseWhereDocument({ $or: [{ $contains: 'a' }, { $and: [{ $not_regex: 'b' }] }] })!;
    expect(parseWhereDocument(formatWhereDocument(original))).toEqual(original);
    const onMetadata = parseWhere({ a: 1 })!;
    expect(failureOf(() => formatWhereDocument(onMetadata)).code).toBe('TESSERA_INVALID_FILTER');
  });

  it('spells a float with an integral value as a float', () => {
    const json: JsonValue = formatWhere(parseWhere({ a: { $gt: new Double(1) } })!);
    expect(formatJson(json)).toBe('{"a":{"$gt":1.0}}');
  });
});

describe('whereKeys', () => {
  it('lists each metadata key once and no document keys', () => {
    const filter = {
      $or: [{ b: 1 }, { $and: [{ a: { $in: [1] } }, { b: 2 }, { '#document': { $contains: 'x' } }] }],
    };
    expect(whereKeys(parseWhere(filter)!)).toEqual(['b', 'a']);
  });
});
