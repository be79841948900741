import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DatabaseError, Double, type Pieces } from '../base/index.ts';
import { encodeFloats } from './base64.ts';
import { type BatchInput, parseBatch, parseBatchInPieces, type WriteVerb } from './batch.ts';
import { packEmbeddings } from './embeddings.ts';
import { LIMITS } from './limits.ts';

const options = { field: 'embeddings', allowNull: false };

function faultOf(run: () => unknown): DatabaseError {
  try {
    run();
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** How often a computation pauses. */
function pausesOf(pieces: Pieces<unknown>): number {
  let count = 0;
  while (pieces.next().done !== true) count++;
  return count;
}

describe('parseBatchInPieces', () => {
  const rowCount = 2_100;
  const ids = Array.from({ length: rowCount }, (_, i) => `r${i}`);
  const embeddings = ids.map((_, i) => new Float32Array(512).fill(i));
  const metadatas = ids.map((_, k) => ({ k }));

  test('gives a large batch as parseBatch does, and pauses on the way', () => {
    const input = { ids, embeddings, metadatas };
    const pieces = parseBatchInPieces(input, 'add');
    let step = pieces.next();
    while (step.done !== true) step = pieces.next();
    const { embeddings: packed, ...others } = step.value;
    const { embeddings: expected, ...otherColumns } = parseBatch(input, 'add');
    expect(others).toEqual(otherColumns);
    expect([packed!.dimension, packed!.present]).toEqual([512, null]);
    // A million numbers, one by one, would take seconds.
    expect(Buffer.from(packed!.values.buffer).equals(Buffer.from(expected!.values.buffer))).toBe(true);
    expect(packed!.values[2_099 * 512 + 511]).toBe(2_099);
    // Two between three pieces of metadata, four between five of packing, one before each of 17 of checking.
    expect(pausesOf(parseBatchInPieces(input, 'add'))).toBe(23);
    expect(pausesOf(parseBatchInPieces({ ids: ['a'], embeddings: [[1]] }, 'add'))).toBe(0);
  });

  test('reads a batch of usual size at the call, whatever becomes of its arrays afterwards', () => {
    const block = new Float32Array(500 * 512).fill(1);
    const input = {
      ids: ids.slice(0, 500),
      embeddings: ids.slice(0, 500).map((_, i) => block.subarray(512 * i, 512 * (i + 1))),
      documents: ids.slice(0, 500),
      metadatas: metadatas.slice(0, 500).map((row) => ({ ...row })),
    };
    const expected = parseBatch(input, 'add');
    const pieces = parseBatchInPieces(input, 'add');
    let step = pieces.next();
    expect(step.done).toBe(false);
    block.fill(2);
    for (const row of input.metadatas) row.k = -1;
    input.ids.fill('b');
    input.documents.fill('b');
    input.embeddings.length = 0;
    while (step.done !== true) step = pieces.next();
    const { embeddings: packed, ...others } = step.value;
    const { embeddings: expectedPacked, ...expectedOthers } = expected;
    expect(others).toEqual(expectedOthers);
    expect(others.ids[499]).toBe('r499');
    expect(packed!.values.every((x) => x === 1)).toBe(true);
    expect(packed!.values.length).toBe(expectedPacked!.values.length);
  });

  test('names the component that is not finite, in whichever piece it is', () => {
    for (const row of [0, 511, 512, 2_099]) {
      const flawed = embeddings.with(row, new Float32Array(512).fill(Number.NaN, 511));
      const fault = faultOf(() => parseBatch({ ids, embeddings: flawed }, 'add'));
      expect(fault.details).toMatchObject({ index: row, component: 511 });
    }
  });
});

describe('packEmbeddings', () => {
  test('number arrays, typed arrays and base64 give the same float32 values', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }).chain((dimension) =>
          fc.array(
            fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
              minLength: dimension,
              maxLength: dimension,
            }),
            { minLength: 1, maxLength: 6 },
          ),
        ),
        (rows) => {
          const expected = new Float32Array(rows.flat());
          const forms = [
            rows,
            rows.map((row) => Float32Array.from(row)),
            rows.map((row) => Float64Array.from(row)),
            rows.map((row) => encodeFloats(Float32Array.from(row))),
          ];
          for (const form of forms) {
            expect(packEmbeddings(form, options)).toEqual({
              dimension: rows[0]!.length,
              values: expected,
              present: null,
            });
          }
        },
      ),
    );
  });

  test('rounds to float32 and takes the numbers that parseJson keeps apart', () => {
    const { values } = packEmbeddings([[0.1, new Double(1), 2n]], options);
    expect([...values]).toEqual([Math.fround(0.1), 1, 2]);
  });

  test('marks absent rows where null is allowed', () => {
    const batch = packEmbeddings([null, [1, 2], undefined], { field: 'embeddings', allowNull: true });
    expect(batch).toEqual({
      dimension: 2,
      values: Float32Array.of(0, 0, 1, 2, 0, 0),
      present: Uint8Array.of(0, 1, 0),
    });
    expect(faultOf(() => packEmbeddings([[1], null], options)).details['reason']).toBe('type');
    expect(faultOf(() => packEmbeddings([null], options)).details['reason']).toBe('type');
  });

  test('an empty column has no dimension', () => {
    expect(packEmbeddings([], options)).toEqual({ dimension: 0, values: new Float32Array(0), present: null });
  });

  test.each([
    [[[1, Number.NaN]]],
    [[[1, Number.POSITIVE_INFINITY]]],
    [[[1, 1e39]]],
    [[Float32Array.of(1, Number.NaN)]],
    [[Float64Array.of(1, 1e39)]],
    [[[1, 10n ** 60n]]],
  ])('refuses %o with the sentence of the protocol', (value) => {
    const fault = faultOf(() => packEmbeddings(value, options));
    expect(fault.code).toBe('TESSERA_INVALID_EMBEDDING');
    expect(fault.message).toMatch(
      /^Validation error: embeddings: Embeddings must not contain NaN or Infinity values/,
    );
    expect(fault.details).toMatchObject({ index: 0, component: 1 });
  });

  test('refuses embeddings without components', () => {
    const sentence = 'Validation error: embeddings: Each embedding must have at least 1 dimension';
    expect(faultOf(() => packEmbeddings([[]], options)).message).toBe(sentence);
    expect(faultOf(() => packEmbeddings([''], options)).message).toBe(sentence);
  });

  test.each([
    [[[1, 2], [1]]],
    [[Float32Array.of(1), Float32Array.of(1, 2)]],
    [['AACAPw==', 'AACAPwAAAEAAAEBA']],
  ])('refuses rows of different dimensions: %o', (value) => {
    const fault = faultOf(() => packEmbeddings(value, options));
    expect(fault.code).toBe('TESSERA_DIMENSION_MISMATCH');
    expect(fault.message).toMatch(/^Inconsistent dimensions in provided embeddings/);
  });

  test.each([
    ['AAA', /^Invalid base64 string/],
    ['AA=APwAAAEA=', /^Invalid base64 string/],
    ['AACA*w==', /^Invalid base64 string/],
    ['AAAA', /^Invalid byte length: 3 bytes cannot be converted/],
    [encodeFloats(Float32Array.of(Number.NaN)), /^Non-finite float value at embedding index 0: NaN/],
    [
      encodeFloats(Float32Array.of(1, Number.POSITIVE_INFINITY)),
      /^Non-finite float value at embedding index 0: Inf/,
    ],
  ])('refuses the base64 text %j', (text, sentence) => {
    const fault = faultOf(() => packEmbeddings([text], options));
    expect(fault.code).toBe('TESSERA_INVALID_EMBEDDING');
    expect(fault.message).toMatch(sentence);
    expect(fault.details['reason']).toBeUndefined();
  });

  test.each([
    ['text'],
    [{}],
    [[1, 2]],
    [Float32Array.of(1)],
    [[['1']]],
    [[[null]]],
    [[[true]]],
    [[{ 0: 1, length: 1 }]],
    [[[1], 'AACAPw==']],
    [['AACAPw==', [1]]],
    [[new Uint8Array(4)]],
  ])('refuses %o as a wrong type', (value) => {
    const fault = faultOf(() => packEmbeddings(value, options));
    expect(fault.code).toBe('TESSERA_INVALID_EMBEDDING');
    expect(fault.details['reason']).toBe('type');
    expect(fault.message.length).toBeLessThan(300);
  });

  test('refuses a dimension over the limit', () => {
    const row = new Float32Array(LIMITS.dimensionMax + 1);
    expect(faultOf(() => packEmbeddings([row], options)).code).toBe('TESSERA_LIMIT_EXCEEDED');
    expect(packEmbeddings([row.subarray(1)], options).dimension).toBe(LIMITS.dimensionMax);
  });
});

describe('parseBatch', () => {
  const parse = (input: Partial<BatchInput>, verb: WriteVerb = 'add') =>
    parseBatch({ ids: ['a', 'b'], embeddings: [[1], [2]], ...input }, verb);

  test('packs every column', () => {
    expect(
      parse({ documents: ['x', null], uris: [undefined, 'u'], metadatas: [{ k: 1 }, { k: 'v', l: true }] }),
    ).toEqual({
      ids: ['a', 'b'],
      embeddings: { dimension: 1, values: Float32Array.of(1, 2), present: null },
      documents: ['x', null],
      uris: [null, 'u'],
      metadatas: ['{"k":1}', '{"k":"v","l":true}'],
      metadataKeys: [
        { key: 'k', type: 'string' },
        { key: 'k', type: 'int' },
        { key: 'l', type: 'bool' },
      ],
    });
  });

  test('null and absent columns are the same', () => {
    expect(parse({ documents: null, uris: undefined, metadatas: null })).toMatchObject({
      documents: null,
      uris: null,
      metadatas: null,
    });
  });

  test('add and upsert need embeddings, update does not', () => {
    for (const verb of ['add', 'upsert'] as const) {
      const fault = faultOf(() => parse({ embeddings: null }, verb));
      expect(fault.code).toBe('TESSERA_INVALID_EMBEDDING');
      expect(fault.details['reason']).toBe('type');
    }
    expect(parse({ embeddings: null }, 'update').embeddings).toBeNull();
    expect(parse({ embeddings: [null, null] }, 'update').embeddings).toBeNull();
    expect(parse({ embeddings: [null, [1]] }, 'update').embeddings?.present).toEqual(Uint8Array.of(0, 1));
  });

  test('null metadata members pass in upsert and update alone', () => {
    expect(parse({ metadatas: [{ k: null }, null] }, 'update').metadatas).toEqual(['{"k":null}', null]);
    expect(parse({ metadatas: [{ k: null }, null] }, 'upsert').metadatas).toEqual(['{"k":null}', null]);
    expect(faultOf(() => parse({ metadatas: [{ k: null }, null] })).code).toBe('TESSERA_INVALID_METADATA');
  });

  test('reserved metadata keys fill in documents and URIs, and never replace them', () => {
    const metadatas = [{ 'chroma:document': 'm0', 'chroma:uri': 'u0' }, { 'chroma:document': 'm1' }];
    expect(parse({ metadatas })).toMatchObject({
      documents: ['m0', 'm1'],
      uris: ['u0', null],
      metadatas: [null, null],
      metadataKeys: [],
    });
    expect(parse({ metadatas, documents: ['d0', null] }).documents).toEqual(['d0', 'm1']);
  });

  test('does not write into the arrays of the caller', () => {
    const documents = [null, null];
    parse({ documents, metadatas: [{ 'chroma:document': 'm0' }, null] });
    expect(documents).toEqual([null, null]);
  });

  test.each([
    [{ embeddings: [[1]] }],
    [{ documents: [] }],
    [{ uris: ['u'] }],
    [{ metadatas: [null, null, null] }],
  ])('refuses columns of other lengths than ids: %o', (columns) => {
    const fault = faultOf(() => parse(columns));
    expect(fault.code).toBe('TESSERA_BATCH_MISMATCH');
    expect(fault.message).toMatch(/^Inconsistent number of IDs, embeddings, documents, URIs and metadatas/);
  });

  test('refuses empty and over-long ids', () => {
    expect(faultOf(() => parse({ ids: ['a', ''] })).message).toBe(
      'Empty ID, ID must have at least one character',
    );
    expect(faultOf(() => parse({ ids: ['a', 'x'.repeat(LIMITS.idLengthMax + 1)] })).code).toBe(
      'TESSERA_INVALID_ID',
    );
    expect(parse({ ids: ['a', 'x'.repeat(LIMITS.idLengthMax)] }).ids[1]).toHaveLength(LIMITS.idLengthMax);
  });

  test('refuses lone surrogates, which have no UTF-8 form', () => {
    expect(faultOf(() => parse({ ids: ['a', '\ud800'] })).code).toBe('TESSERA_INVALID_ID');
    expect(faultOf(() => parse({ documents: ['\udc00', null] })).code).toBe('TESSERA_INVALID_DOCUMENT');
    expect(faultOf(() => parse({ uris: ['\udc00', null] })).code).toBe('TESSERA_INVALID_ARGUMENT');
    expect(parse({ documents: ['😀', null] }).documents).toEqual(['😀', null]);
  });

  test.each([
    [{ ids: 'ab' }, 'TESSERA_INVALID_ID'],
    [{ ids: ['a', 1] }, 'TESSERA_INVALID_ID'],
    [{ documents: 'ab' }, 'TESSERA_INVALID_DOCUMENT'],
    [{ documents: ['a', 1] }, 'TESSERA_INVALID_DOCUMENT'],
    [{ uris: ['a', 1] }, 'TESSERA_INVALID_ARGUMENT'],
    [{ metadatas: {} }, 'TESSERA_INVALID_METADATA'],
    [{ metadatas: [1, null] }, 'TESSERA_INVALID_METADATA'],
    [{ embeddings: {} }, 'TESSERA_INVALID_EMBEDDING'],
  ])('refuses %o as a wrong type', (columns, code) => {
    const fault = faultOf(() => parse(columns));
    expect(fault.code).toBe(code);
    expect(fault.details['reason']).toBe('type');
  });
});
