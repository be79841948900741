/**
 * Random filters over random records: the bitmaps of the engine against the oracle, record by record.
 *
 * Many filters are tried on the same records, since to make records takes longer than to evaluate a filter.
 * fast-check shrinks records and filters together; put what it prints into a test by name.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseWhere, type Scalar, type WhereNode, whereKeys } from '../../src/api/index.ts';
import { Bitset, Double, formatJson, type JsonValue } from '../../src/base/index.ts';
import { MetadataColumns } from '../../src/columns/index.ts';
import { evaluateFilter, type FilterContext } from '../../src/query/filter.ts';
import { documentMatcher } from '../../src/text/index.ts';
import { type NaiveRecord, type NaiveValue, naiveMatches } from '../support/naive-filter.ts';
import { Rounds } from './rounds.ts';

/** Rounds on each Node in every run of the tests; a round tries some ten thousand filters. */
const rounds = new Rounds(2, 20_261_134);
/** Sets of records of a round. */
const SET_COUNT = 100;
const RECORD_COUNT_MAX = 70;
const FILTER_COUNT_MAX = 200;

// Small alphabets, so that values meet; numbers around the places where doubles and 64-bit integers part.
const KEYS = ['a', 'b', '__proto__'];
const INTEGERS = [
  0,
  1,
  2,
  -1,
  2 ** 53 - 1,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  2n ** 63n - 2n,
];
const FLOATS = [0, 1, 1.5, -0.5, 2 ** 53, -(2 ** 53), 2 ** 63, 1e300, Number.MIN_VALUE];
const STRINGS = ['', '1', 'true', 'x', 'X', 'é', 'e\u0301', '😀'];
const NEEDLES = [
  '',
  'a',
  'ab',
  'abc',
  'ABC',
  'é',
  'éab',
  '😀',
  '😀a',
  '%',
  '_',
  '"',
  "'",
  'ab\0',
  '\ufffd',
  'abcabc',
];
const EXPRESSIONS = ['ab', '^a', 'c$', 'a.c', '[éè]', '\\p{L}{3}', '(a|b)+c', '^$', '😀.'];

const scalarArbitrary: fc.Arbitrary<Scalar> = fc.oneof(
  fc.constantFrom(...STRINGS).map((value): Scalar => ({ type: 'string', value })),
  fc.boolean().map((value): Scalar => ({ type: 'bool', value })),
  fc.constantFrom(...INTEGERS).map((value): Scalar => ({ type: 'int', value })),
  fc.constantFrom(...FLOATS).map((value): Scalar => ({ type: 'float', value })),
  fc.integer({ min: -3, max: 3 }).map((value): Scalar => ({ type: 'int', value })),
);
const arrayArbitrary: fc.Arbitrary<NaiveValue> = scalarArbitrary.chain((first) =>
  fc
    .array(
      scalarArbitrary.filter((scalar) => scalar.type === first.type),
      { maxLength: 3 },
    )
    .map((more): NaiveValue => ({ type: 'array', elements: [first, ...more] })),
);
const metadataArbitrary = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), fc.oneof(scalarArbitrary, scalarArbitrary, arrayArbitrary)), {
    maxLength: 3,
  })
  .map((entries) => new Map<string, NaiveValue>(entries));
const PARTS = ['a', 'b', 'c', 'abc', 'A', 'é', '😀', '%', '_', '"', "'", '\0', '\ufffd', ' '];
const documentArbitrary = fc.option(
  fc.array(fc.constantFrom(...PARTS), {
    maxLength: 6,
  }),
  { freq: 4 },
);
const recordArbitrary: fc.Arbitrary<NaiveRecord> = fc.record({
  document: documentArbitrary.map((parts) => parts?.join('') ?? null),
  metadata: metadataArbitrary,
});

/** What a user would write. */
const filterArbitrary: fc.Arbitrary<JsonValue> = fc.letrec<{ filter: JsonValue }>((tie) => {
  const key = fc.constantFrom(...KEYS);
  const operand = scalarArbitrary.map(toJson);
  const number = scalarArbitrary.filter(({ type }) => type === 'int' || type === 'float').map(toJson);
  const list = scalarArbitrary.chain((first) =>
    fc
      .array(
        scalarArbitrary.filter(({ type }) => type === first.type),
        { maxLength: 12 },
      )
      .map((more) => [first, ...more].map(toJson)),
  );
  const condition = (
    operator: fc.Arbitrary<string>,
    value: fc.Arbitrary<JsonValue>,
  ): fc.Arbitrary<JsonValue> =>
    fc.tuple(key, operator, value).map(([name, used, used2]): JsonValue => ({ [name]: { [used]: used2 } }));
  const document = fc.oneof(
    fc.tuple(fc.constantFrom('$contains', '$not_contains'), fc.constantFrom(...NEEDLES)),
    fc.tuple(fc.constantFrom('$regex', '$not_regex'), fc.constantFrom(...EXPRESSIONS)),
  );
  const children = fc.array(tie('filter'), { maxLength: 4 });
  return {
    filter: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'filter' },
      fc.tuple(key, operand).map(([name, value]): JsonValue => ({ [name]: value })),
      condition(fc.constantFrom('$eq', '$ne', '$contains', '$not_contains'), operand),
      condition(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), number),
      condition(fc.constantFrom('$in', '$nin'), list),
      document.map(([operator, text]): JsonValue => ({ '#document': { [operator]: text } })),
      fc.constantFrom(...NEEDLES).map((text): JsonValue => ({ 'chroma:document': text })),
      children.map((filters): JsonValue => ({ $and: filters })),
      children.map((filters): JsonValue => ({ $or: filters })),
    ),
  };
}).filter;

function toJson(value: NaiveValue): JsonValue {
  if (value.type === 'array') return value.elements.map(toJson);
  return value.type === 'float' && Number.isInteger(value.value) ? new Double(value.value) : value.value;
}

function metadataJson(record: NaiveRecord): string | null {
  if (record.metadata.size === 0) return null;
  return formatJson(Object.fromEntries(Array.from(record.metadata, ([key, value]) => [key, toJson(value)])));
}

/** Columns over the records, after every slot has held other records before. */
function columnsOf(
  records: readonly NaiveRecord[],
  earlier: readonly NaiveRecord[],
  nodes: readonly WhereNode[],
): MetadataColumns {
  const columns = new MetadataColumns();
  for (const node of nodes) columns.addKeys(whereKeys(node));
  for (const [slot, record] of earlier.entries()) columns.set(slot, metadataJson(record));
  for (const [slot, record] of records.entries()) columns.set(slot, metadataJson(record));
  for (let slot = records.length; slot < earlier.length; slot++) columns.clear(slot);
  return columns;
}

const records = fc.array(recordArbitrary, { minLength: 1, maxLength: RECORD_COUNT_MAX, size: 'max' });
const situations = fc.record({
  records,
  earlier: records,
  filters: fc.array(filterArbitrary, { minLength: 1, maxLength: FILTER_COUNT_MAX, size: 'max' }),
  dead: fc.array(fc.nat({ max: RECORD_COUNT_MAX - 1 }), { maxLength: 5 }),
});
type Situation = typeof situations extends fc.Arbitrary<infer T> ? T : never;

const figures = { filters: 0, decisions: 0, admitted: 0 };

/** Compares what each filter admits, among the live records, with what the oracle admits. */
function compare({ records, earlier, filters, dead }: Situation): void {
  const live = Bitset.full(records.length);
  for (const slot of dead) live.delete(slot);
  const nodes = filters.map((filter) => parseWhere(filter)!);
  const context: FilterContext = {
    live,
    columns: columnsOf(records, earlier, nodes),
    documentSlots(operator, text, within) {
      const matches = documentMatcher(operator, text);
      const found = new Bitset();
      within.forEach((slot) => {
        if (matches(records[slot]!.document)) found.add(slot);
      });
      return found;
    },
  };
  for (const [i, node] of nodes.entries()) {
    const expected: number[] = [];
    for (const [slot, record] of records.entries()) {
      if (live.has(slot) && naiveMatches(node, record)) expected.push(slot);
    }
    const found = Array.from(evaluateFilter(node, context).toArray());
    // What vitest's comparison does is worth its time only for what differs.
    if (found.join() !== expected.join()) expect(found, formatJson(filters[i]!)).toEqual(expected);
    figures.admitted += expected.length;
  }
  figures.filters += nodes.length;
  figures.decisions += nodes.length * live.count();
}

test(`${rounds.title} rounds of ${SET_COUNT} sets of records: many filters admit what the oracle admits`, {
  timeout: rounds.timeout,
}, () => {
  for (const round of rounds) {
    fc.assert(fc.property(situations, compare), { numRuns: SET_COUNT, seed: rounds.seed + round });
  }
  // A generator gone wrong could make filters that admit nothing, and then everything would agree.
  expect(figures.admitted).toBeGreaterThan(figures.filters);
  rounds.report({ ...figures, differences: 0 });
});
