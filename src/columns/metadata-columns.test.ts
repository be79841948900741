import { describe, expect, it } from 'vitest';
import { parseWhere } from '../api/index.ts';
import { Bitset } from '../base/index.ts';
import type { MetadataCondition } from './column.ts';
import { MetadataColumns } from './metadata-columns.ts';

/** Columns of the key `a` over these JSON values; `undefined` stands for a record without the key. */
function columnsOf(values: readonly (string | undefined)[]): MetadataColumns {
  const columns = new MetadataColumns();
  columns.addKeys(['a']);
  values.forEach((value, slot) => {
    columns.set(slot, value === undefined ? null : `{"a":${value}}`);
  });
  return columns;
}

function matches(columns: MetadataColumns, operand: unknown, live: Bitset): number[] {
  return Array.from(columns.evaluate(parseWhere({ a: operand }) as MetadataCondition, live).toArray());
}

/** Which of the values meet the condition. */
function select(values: readonly (string | undefined)[], operand: unknown): (string | undefined)[] {
  const slots = matches(columnsOf(values), operand, Bitset.full(values.length));
  return slots.map((slot) => values[slot]);
}

const BIG = 2n ** 53n;

describe('conditions on metadata', () => {
  it('never match a value of another type', () => {
    expect(select(['"1"', '1', 'true', '"true"', '["1"]'], '1')).toEqual(['"1"']);
    expect(select(['"1"', '1', 'true', '[1]'], 1)).toEqual(['1']);
    expect(select(['1', '"true"', 'true', 'false'], true)).toEqual(['true']);
  });

  it('compare integers and floats by mathematical value, both ways', () => {
    expect(select(['1', '1.0', '1.5'], 1)).toEqual(['1', '1.0']);
    expect(select(['1', '1.0', '1.5'], 1.5)).toEqual(['1.5']);
  });

  it('do not truncate fractional operands', () => {
    expect(select(['1'], { $eq: 1.5 })).toEqual([]);
    expect(select(['1'], { $lt: 1.5 })).toEqual(['1']);
    expect(select(['-3'], { $gt: -3.5 })).toEqual(['-3']);
    expect(select(['1'], { $in: [1.5] })).toEqual([]);
  });

  it('compare 64-bit integers exactly', () => {
    const values = [`${BIG}`, `${BIG + 1n}`, `${BIG + 2n}`, `-${BIG + 1n}`];
    expect(select(values, { $eq: BIG + 1n })).toEqual([`${BIG + 1n}`]);
    expect(select(values, { $gt: BIG })).toEqual([`${BIG + 1n}`, `${BIG + 2n}`]);
    expect(select(values, { $gt: BIG + 1n })).toEqual([`${BIG + 2n}`]);
    expect(select(values, { $lte: BIG + 1n })).toEqual([`${BIG}`, `${BIG + 1n}`, `-${BIG + 1n}`]);
    expect(select(values, { $in: [BIG, BIG + 1n] })).toEqual([`${BIG}`, `${BIG + 1n}`]);
    expect(select(values, { $ne: BIG + 1n })).toEqual([`${BIG}`, `${BIG + 2n}`, `-${BIG + 1n}`]);
    expect(select(['9223372036854775807'], { $lt: 2 ** 63 })).toEqual(['9223372036854775807']);
    expect(select(['9223372036854775807'], { $gte: 2 ** 63 })).toEqual([]);
  });

  it('take records without the key for the negated operators alone', () => {
    const values = [undefined, '1'];
    for (const operand of [{ $eq: 1 }, { $gt: 0 }, { $gte: 0 }, { $lt: 2 }, { $lte: 2 }, { $in: [1, 2] }]) {
      expect(select(values, operand)).toEqual(['1']);
    }
    expect(select(values, { $contains: 1 })).toEqual([]);
    expect(select(values, { $ne: 1 })).toEqual([undefined]);
    expect(select(values, { $nin: [1] })).toEqual([undefined]);
    expect(select(values, { $not_contains: 1 })).toEqual([undefined, '1']);
  });

  it('negate to the exact complement, values of other types included', () => {
    expect(select(['1', '"1"', 'true', '[1]'], { $ne: 1 })).toEqual(['"1"', 'true', '[1]']);
    expect(select(['"x"', '"y"', '3'], { $nin: ['x', 'z'] })).toEqual(['"y"', '3']);
    expect(select(['true', 'false', '0'], { $nin: [true] })).toEqual(['false', '0']);
  });

  it('compare strings unit by unit, with case and without normalisation', () => {
    expect(select(['"é"', '"e\u0301"', '"É"'], 'é')).toEqual(['"é"']);
    expect(select(['"x"', '"X"', '"x "', '""'], { $in: ['x', ''] })).toEqual(['"x"', '""']);
  });

  it('look into arrays with $contains, strictly by type, and not into scalars', () => {
    const values = ['[1,2]', '[1.0,2.5]', '["1"]', '1', '[true]', '[9007199254740993]'];
    expect(select(values, { $contains: 1 })).toEqual(['[1,2]']);
    expect(select(values, { $contains: 2.5 })).toEqual(['[1.0,2.5]']);
    expect(select(values, { $contains: '1' })).toEqual(['["1"]']);
    expect(select(values, { $contains: true })).toEqual(['[true]']);
    expect(select(values, { $contains: BIG + 1n })).toEqual(['[9007199254740993]']);
    expect(select(values, { $not_contains: 1 })).toEqual(values.slice(1));
    expect(select(values, { $eq: 1 })).toEqual(['1']);
  });

  it('find many values in a list as well as few', () => {
    const values = Array.from({ length: 100 }, (_, i) => `${i / 4}`);
    const list = Array.from({ length: 50 }, (_, i) => i / 2);
    expect(select(values, { $in: list })).toEqual(values.filter((_, i) => i % 2 === 0));
    const words = values.map((value) => `"${value}"`);
    expect(select(words, { $in: list.map(String) })).toEqual(words.filter((_, i) => i % 2 === 0));
  });

  it('answer for the live slots alone, also beyond what was ever set', () => {
    const columns = columnsOf(['1', '2', '1']);
    const live = Bitset.full(200);
    live.delete(0);
    expect(matches(columns, 1, live)).toEqual([2]);
    expect(matches(columns, { $ne: 1 }, live)).toHaveLength(198);
  });
});

describe('a changed slot', () => {
  it('forgets what it held, whatever the types', () => {
    const kinds = ['1', '"1"', 'true', '[1]', '9007199254740993', undefined];
    const probes = [1, '1', true, { $contains: 1 }, 9007199254740993n];
    for (const before of kinds) {
      for (const after of kinds) {
        const columns = columnsOf([before]);
        columns.set(0, after === undefined ? null : `{"a":${after}}`);
        const fresh = columnsOf([after]);
        for (const probe of probes) {
          expect(matches(columns, probe, Bitset.full(1))).toEqual(matches(fresh, probe, Bitset.full(1)));
        }
      }
    }
  });

  it('loses the keys that the new metadata lacks', () => {
    const columns = columnsOf(['1']);
    columns.set(0, '{"b":1}');
    expect(matches(columns, 1, Bitset.full(1))).toEqual([]);
  });

  it('leaves no array behind for a later record (no ghosts)', () => {
    const columns = columnsOf(['["x"]']);
    columns.clear(0);
    expect(matches(columns, { $contains: 'x' }, Bitset.full(1))).toEqual([]);
    columns.set(0, '{"a":["y"]}');
    expect(matches(columns, { $contains: 'x' }, Bitset.full(1))).toEqual([]);
    expect(matches(columns, { $contains: 'y' }, Bitset.full(1))).toEqual([0]);
  });
});

describe('memory', () => {
  it('does not grow with changes, only with what is held', () => {
    const columns = columnsOf([]);
    const fill = (round: number): void => {
      for (let slot = 0; slot < 1_000; slot++) {
        columns.set(slot, slot % 2 === 0 ? `{"a":"text ${round}/${slot}"}` : `{"a":[${round},${slot},"x"]}`);
      }
    };
    for (let round = 0; round < 10; round++) fill(round);
    const settled = columns.bytes;
    for (let round = 10; round < 40; round++) fill(round);
    expect(columns.bytes).toBeLessThan(settled * 1.1);
    expect(matches(columns, { $contains: 39 }, Bitset.full(1_000))).toHaveLength(500);
    expect(matches(columns, { $contains: 38 }, Bitset.full(1_000))).toHaveLength(0);
  });
});

describe('MetadataColumns', () => {
  it('holds the keys that were added and refuses to answer for others', () => {
    const columns = columnsOf(['1']);
    expect([columns.hasKey('a'), columns.hasKey('b')]).toEqual([true, false]);
    const condition = parseWhere({ b: 1 }) as MetadataCondition;
    expect(() => columns.evaluate(condition, Bitset.full(1))).toThrow(/"b" was not loaded/);
  });

  it('keeps a column when its key is added again', () => {
    const columns = columnsOf(['1']);
    columns.addKeys(['a', 'b']);
    expect(matches(columns, 1, Bitset.full(1))).toEqual([0]);
  });

  it('takes only own members of the metadata', () => {
    const columns = new MetadataColumns();
    columns.addKeys(['constructor', '__proto__']);
    columns.set(0, '{"x":1}');
    columns.set(1, '{"__proto__":"here"}');
    const condition = parseWhere(JSON.parse('{"__proto__":"here"}')) as MetadataCondition;
    expect(Array.from(columns.evaluate(condition, Bitset.full(2)).toArray())).toEqual([1]);
  });
});

describe('holds', () => {
  it('is true of what was set, and of nothing else', () => {
    const values = [
      undefined,
      '1',
      '2',
      `${BIG + 1n}`,
      '"x"',
      '"y"',
      'true',
      'false',
      '[]',
      '[1]',
      '[1.0]',
      '["x","y"]',
      '["y","x"]',
    ];
    const columns = columnsOf(values);
    for (const slot of values.keys()) {
      const held = values.filter((value) =>
        columns.holds(slot, value === undefined ? null : `{"a":${value}}`),
      );
      expect(held).toEqual([values[slot]]);
    }
    columns.clear(4);
    expect([columns.holds(4, '{"a":"x"}'), columns.holds(4, '{"b":1}')]).toEqual([false, true]);
    expect(new MetadataColumns().holds(0, '{"a":1}')).toBe(true);
  });
});

it('columns whose slots are counted beforehand take no more room than those, and grow all the same', () => {
  const values = (slot: number): string => `{"n":${slot},"s":"${slot % 3}","even":${slot % 2 === 0}}`;
  const fill = (columns: MetadataColumns, first: number, end: number): void => {
    for (let slot = first; slot < end; slot++) columns.set(slot, values(slot));
  };
  const [counted, uncounted] = [new MetadataColumns(), new MetadataColumns()];
  counted.addKeys(['n', 's', 'even'], 1_060);
  uncounted.addKeys(['n', 's', 'even']);
  for (const columns of [counted, uncounted]) fill(columns, 0, 1_060);
  expect(counted.bytes).toBeLessThan(0.7 * uncounted.bytes);
  for (const columns of [counted, uncounted]) fill(columns, 1_060, 3_000);
  for (const where of [{ n: { $gte: 1_000 } }, { s: '1' }, { even: false }]) {
    const condition = parseWhere(where) as MetadataCondition;
    const found = counted.evaluate(condition, Bitset.full(3_000));
    expect(found.toArray()).toEqual(uncounted.evaluate(condition, Bitset.full(3_000)).toArray());
    expect(found.count()).toBeGreaterThan(900);
  }
});
