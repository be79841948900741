import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqlDatabase, type SqlDatabase } from '../sqlite/index.ts';
import { TextIndex } from './text-index.ts';

describe('TextIndex', () => {
  let database: SqlDatabase;
  let index: TextIndex;

  beforeEach(() => {
    database = openSqlDatabase({ path: ':memory:', readOnly: false, busyTimeoutMs: 0 });
    index = TextIndex.create(database);
  });
  afterEach(() => database.close());

  const fill = (...documents: string[]): void => {
    documents.forEach((document, i) => {
      index.put(i + 1, document);
    });
  };

  it('finds substrings with case, accents and signs as they are, rows ascending', () => {
    fill('the cat sat', 'The Cat sat', 'say "cat"', 'cafe\u0301', 'café', '100% _x\\');
    expect(index.rowsContaining('cat')).toEqual([1, 3]);
    expect(index.rowsContaining('t sat')).toEqual([1, 2]);
    expect(index.rowsContaining('"cat"')).toEqual([3]);
    expect(index.rowsContaining('café')).toEqual([5]);
    expect(index.rowsContaining('0% _x\\')).toEqual([6]);
    expect(index.rowsContaining('AND')).toEqual([]);
    expect(index.rowsContaining('cat*')).toEqual([]);
  });

  it('tells whether one row contains a needle, and which rows of a range it has', () => {
    fill('the cat sat', 'the dog sat', 'a "quoted" cat');
    index.remove(2);
    index.put(2, 'no pet');
    index.put(9, 'the cat');
    expect([1, 2, 3, 4].map((row) => index.hasIn(row, 'cat'))).toEqual([true, false, true, false]);
    expect(index.hasIn(3, '"qu')).toBe(true);
    expect(index.rowsBetween(0, 9)).toEqual([1, 2, 3, 9]);
    expect(index.rowsBetween(1, 8)).toEqual([2, 3]);
  });

  it('counts code points, so that three pairs of surrogates are enough', () => {
    fill('😀😁😂', '😀😁');
    expect(TextIndex.canAnswer('😀😁😂')).toBe(true);
    expect(TextIndex.canAnswer('😀😁')).toBe(false);
    expect(index.rowsContaining('😀😁😂')).toEqual([1]);
  });

  it('does not see through a NUL', () => {
    fill('ab\0cd', 'abcd');
    expect(index.rowsContaining('abcd')).toEqual([2]);
    expect(index.rowsContaining('bcd')).toEqual([2]);
  });

  it.each([
    ['of two characters', 'ab'],
    ['with a NUL', 'abc\0'],
    ['with a replacement character', 'abc\ufffd'],
    ['with a noncharacter', 'abc\uffff'],
    ['with half a surrogate pair', 'abc\ud800'],
    ['that are very long', 'abc'.repeat(100)],
  ])('leaves needles %s to a scan', (_what, needle) => {
    expect(TextIndex.canAnswer(needle)).toBe(false);
  });

  it('replaces and removes documents, also ones that it does not have', () => {
    fill('first text', 'second text');
    index.put(1, 'changed');
    index.put(2, null);
    index.remove(99);
    expect(index.rowsContaining('text')).toEqual([]);
    expect(index.rowsContaining('changed')).toEqual([1]);
    index.remove(1);
    expect(index.rowsContaining('changed')).toEqual([]);
    index.put(1, 'back again');
    expect(index.rowsContaining('again')).toEqual([1]);
  });

  it('takes the empty document', () => {
    fill('', 'abc');
    expect(index.rowsContaining('abc')).toEqual([2]);
  });

  it('keeps the position that it stands for in the table of followers', () => {
    expect(index.position()).toBe(0);
    index.setPosition(41);
    expect(TextIndex.open(database)!.position()).toBe(41);
    const rows = database.prepare('SELECT name, position FROM followers').all();
    expect(rows).toEqual([
      ['text', 41],
      ['text erased', 0],
    ]);
  });

  it('says that trigrams of what it has forgotten are left, until they are erased', () => {
    for (let row = 1; row <= 50; row++) index.put(row, `a text of some words, number ${row}`);
    expect(index.hasRemnants).toBe(false);
    index.remove(99);
    expect(index.hasRemnants).toBe(false);
    index.put(7, 'another text');
    index.remove(8);
    expect(TextIndex.open(database)!.hasRemnants).toBe(true);
    while (index.erase());
    expect(TextIndex.open(database)!.hasRemnants).toBe(false);
    expect(index.rowsContaining('another')).toEqual([7]);
    expect(index.rowsContaining('some words')).toHaveLength(48);
  });

  it('is absent until it is made, and leaves nothing behind when dropped', () => {
    index.drop();
    expect(TextIndex.open(database)).toBeNull();
    expect(database.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'text%'").all()).toEqual([]);
    expect(database.prepare('SELECT * FROM followers').all()).toEqual([]);
    index = TextIndex.create(database);
    expect(index.position()).toBe(0);
  });

  it('finds the documents that contain a needle, whatever changed before', () => {
    const characters = ['a', 'b', 'A', 'é', 'e', '\u0301', '😀', '"', '*', '\0', '\ufffd', '\uffff', ' '];
    const text = fc.array(fc.constantFrom(...characters), { maxLength: 8 }).map((parts) => parts.join(''));
    const step = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.option(text, { freq: 4 }));
    let foundCount = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(text, { maxLength: 20 }), (steps, needles) => {
        index.drop();
        index = TextIndex.create(database);
        const documents = new Map<number, string>();
        for (const [row, document] of steps) {
          index.put(row, document);
          if (document === null) documents.delete(row);
          else documents.set(row, document);
        }
        const rows = [...documents.keys()].sort((a, b) => a - b);
        const parts = [...documents.values()].map((document) => [...document].slice(1, 5).join(''));
        for (const needle of [...needles, ...parts]) {
          if (!TextIndex.canAnswer(needle)) continue;
          const expected = rows.filter((row) => documents.get(row)!.includes(needle));
          expect(index.rowsContaining(needle)).toEqual(expected);
          foundCount += expected.length;
        }
      }),
      { numRuns: 300 },
    );
    expect(foundCount).toBeGreaterThan(100);
  });
});
