import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DatabaseError, Double, parseJson } from '../base/index.ts';
import { LIMITS } from './limits.ts';
import { decodeMetadata, encodeCollectionMetadata, encodeMetadata } from './metadata.ts';

const add = { allowNull: false, field: 'metadatas', index: 0 };
const update = { allowNull: true, field: 'metadatas', index: 0 };

function faultOf(run: () => unknown): DatabaseError {
  try {
    run();
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('encodeMetadata', () => {
  test('spells each type so that it can be told apart', () => {
    const { text, keys } = encodeMetadata(
      { s: 'x', i: 1, f: 1.5, d: new Double(1), b: true, big: 2n ** 53n + 1n, huge: 2 ** 60 },
      add,
    );
    expect(text).toBe(
      '{"s":"x","i":1,"f":1.5,"d":1.0,"b":true,"big":9007199254740993,"huge":1152921504606847000.0}',
    );
    expect(keys).toEqual([
      { key: 's', type: 'string' },
      { key: 'i', type: 'int' },
      { key: 'f', type: 'float' },
      { key: 'd', type: 'float' },
      { key: 'b', type: 'bool' },
      { key: 'big', type: 'int' },
      { key: 'huge', type: 'float' },
    ]);
  });

  test('integers beyond 64 bits become floats, as with Chroma', () => {
    expect(encodeMetadata({ a: 2n ** 63n - 1n, b: -(2n ** 63n) }, add).text).toBe(
      '{"a":9223372036854775807,"b":-9223372036854775808}',
    );
    expect(encodeMetadata({ a: 2n ** 63n }, add).keys).toEqual([{ key: 'a', type: 'float' }]);
  });

  test('arrays are of one type; integers among floats become floats', () => {
    const { text, keys } = encodeMetadata({ s: ['a', 'b'], i: [1, 2n], m: [1, 2.5], b: [true] }, add);
    expect(text).toBe('{"s":["a","b"],"i":[1,2],"m":[1.0,2.5],"b":[true]}');
    expect(keys.map(({ type }) => type)).toEqual(['string', 'int', 'float', 'bool']);
  });

  test('nothing to store is null', () => {
    for (const value of [null, undefined, {}, { a: undefined }, { a: [] }]) {
      expect(encodeMetadata(value, add)).toEqual({ text: null, keys: [], document: null, uri: null });
    }
  });

  test('null and empty arrays delete keys in updates and name no type', () => {
    expect(encodeMetadata({ a: null, b: [], c: 1 }, update)).toMatchObject({
      text: '{"a":null,"b":null,"c":1}',
      keys: [{ key: 'c', type: 'int' }],
    });
  });

  test('null is refused in an add', () => {
    const fault = faultOf(() => encodeMetadata({ a: null }, add));
    expect(fault.code).toBe('TESSERA_INVALID_METADATA');
    expect(fault.details['reason']).toBe('type');
  });

  test.each(['', '#a', '$a'])('refuses the key %j with the sentence of the protocol', (key) => {
    const fault = faultOf(() => encodeMetadata({ [key]: 1 }, { ...add, index: 7 }));
    expect(fault.code).toBe('TESSERA_INVALID_METADATA');
    expect(fault.message).toMatch(/^Validation error: metadatas: Invalid metadata at index 7/);
    expect(fault.details['reason']).toBeUndefined();
  });

  test.each([
    [{ a: { b: 1 } }],
    [{ a: [1, 'x'] }],
    [{ a: [true, 1] }],
    [{ a: [[1]] }],
    [{ a: [null] }],
    [{ a: () => 1 }],
    [{ a: Symbol('x') }],
    [{ a: new Date(0) }],
    [{ a: { '#type': 'other' } }],
    ['text'],
    [[1]],
    [new Map()],
    [new Double(1)],
  ])('refuses what metadata cannot hold: %o', (value) => {
    const fault = faultOf(() => encodeMetadata(value, add));
    expect(fault.code).toBe('TESSERA_INVALID_METADATA');
    expect(fault.details['reason']).toBe('type');
  });

  test.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    new Double(Number.NaN),
    [1, Number.NEGATIVE_INFINITY],
    10n ** 400n,
  ])('refuses the number %s', (value) => {
    expect(faultOf(() => encodeMetadata({ a: value }, add)).code).toBe('TESSERA_INVALID_METADATA');
  });

  test.each([
    { '#type': 'sparse_vector', indices: [1], values: [1] },
    { indices: [1], values: [1] },
  ])('says that sparse vectors are not supported: %o', (value) => {
    const fault = faultOf(() => encodeMetadata({ a: value }, add));
    expect(fault.code).toBe('TESSERA_UNSUPPORTED');
    expect(fault.message).toMatch(/^Unimplemented: Sparse vector is not supported/);
  });

  test.each([
    [{ indices: [2, 1], values: [1, 1] }, undefined, /strictly ascending/],
    [{ indices: [1, 1], values: [1, 1] }, undefined, /strictly ascending/],
    [{ indices: [1], values: [1, 2] }, undefined, /as many indices as values, got 1 and 2/],
    [{ indices: [-1], values: [1] }, 'type', /indices of 32 bits/],
    [{ indices: [1.5], values: [1] }, 'type', /indices of 32 bits/],
    [{ indices: [1], values: ['1'] }, 'type', /numbers as values/],
  ])('says what is wrong with a sparse vector first: %o', (value, reason, message) => {
    const fault = faultOf(() => encodeMetadata({ a: value }, add));
    expect([fault.code, fault.details['reason']]).toEqual(['TESSERA_INVALID_METADATA', reason]);
    expect(fault.message).toMatch(message);
  });

  test('reserved keys become the document and the URI and leave no metadata', () => {
    expect(encodeMetadata({ 'chroma:document': 'text', 'chroma:uri': 'file:a' }, add)).toEqual({
      text: null,
      keys: [],
      document: 'text',
      uri: 'file:a',
    });
    expect(faultOf(() => encodeMetadata({ 'chroma:document': 1 }, add)).details['reason']).toBe('type');
  });

  test('inherited members do not count and __proto__ is a key like any other', () => {
    expect(encodeMetadata(Object.create({ inherited: 1 }), add).text).toBeNull();
    const { text } = encodeMetadata(JSON.parse('{"__proto__":"x","constructor":1}'), add);
    expect(text).toBe('{"__proto__":"x","constructor":1}');
    const decoded = decodeMetadata(text!);
    expect(Object.entries(decoded)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 1],
    ]);
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  });

  test('refuses metadata over the limit and takes metadata up to it', () => {
    const padding = '{"a":""}'.length;
    expect(encodeMetadata({ a: 'x'.repeat(LIMITS.metadataBytesMax - padding) }, add).text).not.toBeNull();
    const fault = faultOf(() =>
      encodeMetadata({ a: 'x'.repeat(LIMITS.metadataBytesMax - padding + 1) }, add),
    );
    expect(fault.code).toBe('TESSERA_LIMIT_EXCEEDED');
    expect(faultOf(() => encodeMetadata({ a: 'é'.repeat(LIMITS.metadataBytesMax / 2) }, add)).kind).toBe(
      'limit',
    );
  });

  test('a list of floats keeps the sign of zero', () => {
    const { text } = encodeMetadata({ list: [-0, -5e-324, 0] }, add);
    expect(decodeMetadata(text!)).toEqual({ list: [-0, -5e-324, 0] });
  });

  test('the text reads back as what was written', () => {
    const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      number,
      fc.array(fc.string(), { minLength: 1 }),
      fc.array(number, { minLength: 1 }),
      fc.array(fc.boolean(), { minLength: 1 }),
    );
    const key = fc.string({ minLength: 1 }).filter((name) => !/^[#$]|^chroma:/.test(name));
    fc.assert(
      fc.property(fc.dictionary(key, value, { minKeys: 1 }), (metadata) => {
        const { text } = encodeMetadata(metadata, add);
        // JSON.stringify writes −0 as 0, where a list of floats keeps its sign: equal numbers, either way.
        const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
        expect(plain(decodeMetadata(text!))).toEqual(plain(metadata));
        expect(encodeMetadata(parseJson(text!), add).text).toBe(text);
      }),
    );
  });
});

describe('encodeCollectionMetadata', () => {
  test('scalars are kept, nulls dropped', () => {
    expect(encodeCollectionMetadata({ a: 1, b: null, c: 'x', d: new Double(2) })).toBe(
      '{"a":1,"c":"x","d":2.0}',
    );
    expect(encodeCollectionMetadata({ a: null })).toBeNull();
    expect(encodeCollectionMetadata(null)).toBeNull();
  });

  test.each([
    [{}, 'Validation error: metadata: Metadata cannot be empty'],
    [{ '': 1 }, 'Validation error: metadata: Metadata key cannot be empty'],
    [{ $a: 1 }, "Validation error: metadata: Metadata key cannot start with '#' or '$': $a"],
    [{ a: ['x'] }, 'Validation error: metadata:'],
  ])('refuses %o as a bad argument', (value, sentence) => {
    const fault = faultOf(() => encodeCollectionMetadata(value));
    expect(fault.code).toBe('TESSERA_INVALID_METADATA');
    expect(fault.message.startsWith(sentence)).toBe(true);
    expect(fault.details['reason']).toBeUndefined();
  });

  test.each([[{ a: {} }], ['text'], [[]]])('refuses %o as a wrong type', (value) => {
    expect(faultOf(() => encodeCollectionMetadata(value)).details['reason']).toBe('type');
  });
});
