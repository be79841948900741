import { describe, expect, test } from 'vitest';
import { type CollectionConfiguration, DEFAULT_HNSW, parseConfiguration } from './configuration.ts';
import type { WhereNode } from './records.ts';
import {
  type CollectionSchema,
  checkFilterAllowed,
  defaultSchema,
  growSchema,
  parseSchema,
  updateSchema,
} from './schema.ts';
import { parseWhere, parseWhereDocument } from './where.ts';

const DEFAULTS: CollectionConfiguration = parseConfiguration(null, null);
const index = (enabled: boolean, config: object = {}): object => ({ enabled, config });
const hnsw = {
  ef_construction: 100,
  max_neighbors: 16,
  ef_search: 100,
  num_threads: DEFAULT_HNSW.threadCount,
  batch_size: 100,
  sync_threshold: 1000,
  resize_factor: 1.2,
};
/** A schema that says something of the embeddings alone. */
const embedding = (config: object, enabled = true): object => ({
  defaults: {},
  keys: { '#embedding': { float_list: { vector_index: index(enabled, config) } } },
});
const key = (name: string, blocks: object): object => ({ defaults: {}, keys: { [name]: blocks } });

test('the default schema is Chroma’s', () => {
  expect(defaultSchema(DEFAULTS)).toEqual({
    defaults: {
      string: { fts_index: index(false), string_inverted_index: index(true) },
      float_list: { vector_index: index(false, { space: 'l2', hnsw }) },
      sparse_vector: {
        sparse_vector_index: index(false, { embedding_function: { type: 'unknown' }, bm25: false }),
      },
      int: { int_inverted_index: index(true) },
      float: { float_inverted_index: index(true) },
      bool: { bool_inverted_index: index(true) },
    },
    keys: {
      '#document': { string: { fts_index: index(true), string_inverted_index: index(false) } },
      '#embedding': {
        float_list: { vector_index: index(true, { space: 'l2', source_key: '#document', hnsw }) },
      },
    },
  });
});

describe('parseSchema', () => {
  test('leaves the configuration alone when the schema says nothing', () => {
    const configuration = parseConfiguration({ hnsw: { space: 'cosine' } }, null);
    for (const value of [
      undefined,
      null,
      { defaults: {}, keys: {} },
      { defaults: {}, keys: {}, cmek: null },
    ]) {
      expect(parseSchema(value, configuration)).toEqual({
        schema: defaultSchema(configuration),
        configuration,
      });
    }
  });

  test('takes space, parameters and function of the embeddings over into the configuration', () => {
    const known = { type: 'known', name: 'x', config: {} };
    const given = embedding({ space: 'cosine', embedding_function: known, hnsw: { ef_search: 3 } });
    const { schema, configuration } = parseSchema(given, DEFAULTS);
    expect(configuration).toEqual({
      hnsw: { ...DEFAULT_HNSW, space: 'cosine', efSearch: 3 },
      embeddingFunction: known,
    });
    expect(schema.keys['#embedding']).toEqual({
      float_list: {
        vector_index: index(true, {
          space: 'cosine',
          embedding_function: known,
          source_key: '#document',
          hnsw: { ...hnsw, ef_search: 3 },
        }),
      },
    });
    expect(schema.defaults).toEqual(defaultSchema(DEFAULTS).defaults);
  });

  test('keeps the default function of a configuration that the schema does not mention', () => {
    const configuration = parseConfiguration(
      { embedding_function: { type: 'known', name: 'default', config: {} } },
      null,
    );
    const { configuration: adopted } = parseSchema(embedding({ space: 'ip' }), configuration);
    expect(adopted).toEqual({ ...configuration, hnsw: { ...DEFAULT_HNSW, space: 'ip' } });
  });

  test('takes a schema that merely names the default functions for none', () => {
    const byDefault = { type: 'known', name: 'default', config: {} };
    const given = embedding({ embedding_function: byDefault, space: 'l2', source_key: '#document' });
    const custom = parseConfiguration(
      { hnsw: { space: 'cosine' }, embedding_function: { type: 'known', name: 'mine', config: { dim: 8 } } },
      null,
    );
    expect(parseSchema(given, custom)).toEqual({ schema: defaultSchema(custom), configuration: custom });
    const named = { ...DEFAULTS, embeddingFunction: byDefault };
    expect(parseSchema(given, DEFAULTS)).toEqual({ schema: defaultSchema(named), configuration: named });
    expect(() => parseSchema(embedding({ embedding_function: { type: 'legacy' } }), custom)).toThrow(
      /Cannot set both/,
    );
  });

  test('merges what is given into the defaults', () => {
    const { schema } = parseSchema(
      {
        defaults: { string: { string_inverted_index: index(false) }, unknown: 1 },
        key_overrides: { tag: { int: { int_inverted_index: index(false), unknown: 1 }, string: null } },
        cmek: { gcp: 'projects/a/locations/b/keyRings/c/cryptoKeys/d' },
        unknown: 1,
      },
      DEFAULTS,
    );
    expect(schema.defaults['string']).toEqual({
      fts_index: index(false),
      string_inverted_index: index(false),
    });
    expect(schema.keys['tag']).toEqual({ int: { int_inverted_index: index(false) } });
    expect(Object.keys(schema.keys).sort()).toEqual(['#document', '#embedding', 'tag']);
    expect(schema.cmek).toEqual({ gcp: 'projects/a/locations/b/keyRings/c/cryptoKeys/d' });
  });

  test('refuses a schema and a configuration that both say something', () => {
    const message = 'Failed to reconcile schema: Cannot set both collection config and schema simultaneously';
    const cosine = parseConfiguration({ hnsw: { space: 'cosine' } }, null);
    const legacy = parseConfiguration({ embedding_function: { type: 'legacy' } }, null);
    const oldKeys = parseConfiguration(null, '{"hnsw:space":"ip"}');
    const tag = key('tag', { string: { string_inverted_index: index(false) } });
    for (const configuration of [cosine, legacy, oldKeys]) {
      for (const schema of [embedding({ space: 'cosine' }), tag]) {
        expect(() => parseSchema(schema, configuration)).toThrow(message);
      }
    }
  });

  test('a round trip of what the server shows gives the same schema', () => {
    const { schema, configuration } = parseSchema(embedding({ space: 'cosine' }), DEFAULTS);
    expect(parseSchema(JSON.parse(JSON.stringify(schema)), DEFAULTS)).toEqual({ schema, configuration });
  });

  test.each([
    [5, /^schema: expected an object/],
    [{ keys: {} }, /^schema: missing field `defaults`/],
    [{ defaults: {} }, /^schema: missing field `keys`/],
    [{ defaults: null, keys: {} }, /^schema\.defaults: expected an object/],
    [
      key('tag', { string: { string_inverted_index: { config: {} } } }),
      /string_inverted_index: missing field `enabled`/,
    ],
    [key('tag', { string: { string_inverted_index: { enabled: true } } }), /missing field `config`/],
    [
      key('tag', { string: { string_inverted_index: { enabled: 1, config: {} } } }),
      /enabled: expected a boolean/,
    ],
    [
      key('tag', { string: { string_inverted_index: index(true, { a: 1 }) } }),
      /unknown field `a`, there are no fields/,
    ],
    [embedding({ foo: 1 }), /config\.foo: unknown field `foo`, expected one of `space`/],
    [embedding({ hnsw: { foo: 1 } }), /config\.hnsw\.foo: unknown field/],
    [embedding({ hnsw: { space: 'l2' } }), /config\.hnsw\.space: unknown field/],
    [embedding({ spann: { space: 'l2' } }), /config\.spann\.space: unknown field/],
    [embedding({ space: 'x' }), /config\.space: expected one of/],
    [embedding({ source_key: 1 }), /config\.source_key: expected a string/],
    [
      key('#document', { string: { fts_index: index(true, { algorithm: 'x' }) } }),
      /algorithm: expected one of/,
    ],
    [
      key('sv', { sparse_vector: { sparse_vector_index: index(false, { bm25: 1 }) } }),
      /bm25: expected a boolean/,
    ],
    [
      key('sv', { sparse_vector: { sparse_vector_index: index(false, { algorithm: 'x' }) } }),
      /algorithm: expected/,
    ],
    [{ defaults: {}, keys: {}, cmek: { gcp: 1 } }, /^schema\.cmek\.gcp: expected a string/],
  ])('refuses the shape of %j', (value, message) => {
    expect(() => parseSchema(value, DEFAULTS)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(message),
        details: expect.objectContaining({ reason: 'type' }),
      }),
    );
  });

  test.each([
    [
      { defaults: { float_list: { vector_index: index(true) } }, keys: {} },
      'Validation error: schema: Vector index cannot be enabled by default. It can only be enabled on #embedding field.',
    ],
    [
      { defaults: { string: { fts_index: index(true) } }, keys: {} },
      'Validation error: schema: Full text search / regular expression index cannot be enabled by default. It can ' +
        'only be enabled on #document field.',
    ],
    [
      key('tag', { float_list: { vector_index: index(true) } }),
      'Validation error: schema: Vector index can only be enabled on #embedding field: tag',
    ],
    [
      key('tag', { string: { fts_index: index(true) } }),
      'Validation error: schema: Full text search / regular expression index can only be enabled on #document ' +
        'field: tag',
    ],
    [
      key('#document', { string: { string_inverted_index: index(true) } }),
      'Validation error: schema: String inverted index can not be enabled on #document key: #document',
    ],
    [
      key('#foo', {}),
      "Validation error: schema: key cannot begin with '#'. Keys starting with '#' are reserved for system use: #foo",
    ],
    [
      embedding({ source_key: 'tag' }),
      'Validation error: schema: Vector index can only source from #document',
    ],
    [
      key('sv', { sparse_vector: { sparse_vector_index: index(true) } }),
      'Failed to reconcile schema: Invalid schema input: Sparse vector indexing is not enabled in local',
    ],
    [
      { defaults: {}, keys: {}, cmek: { gcp: 'x' } },
      'Validation error: schema: CMEK does not match expected pattern: Gcp("x")',
    ],
  ])('refuses %j by the rules', (value, message) => {
    expect(() => parseSchema(value, DEFAULTS)).toThrow(
      expect.objectContaining({ code: 'TESSERA_INVALID_CONFIGURATION', message, details: {} }),
    );
  });

  test('accepts blocks that are switched off where they could not be switched on', () => {
    const sparse = { sparse_vector_index: index(false, { source_key: 'x', bm25: true, algorithm: 'wand' }) };
    const { schema } = parseSchema(key('sv', { sparse_vector: sparse }), DEFAULTS);
    expect(schema.keys['sv']).toEqual({ sparse_vector: sparse });
    const text = parseSchema(key('#document', { string: { fts_index: index(false) } }), DEFAULTS);
    expect(text.schema.keys['#document']).toEqual({
      string: { fts_index: index(false), string_inverted_index: index(false) },
    });
  });
});

test('updateSchema shows a changed configuration and keeps the rest', () => {
  const tag = { string: { string_inverted_index: index(false) } };
  const given = { defaults: {}, keys: { tag, ...(embedding({ space: 'ip' }) as { keys: object }).keys } };
  const { schema, configuration } = parseSchema(given, DEFAULTS);
  const changed = {
    hnsw: { ...configuration.hnsw, efSearch: 7, resizeFactor: 2 },
    embeddingFunction: { type: 'legacy' },
  };
  const updated = updateSchema(schema, changed);
  const config = {
    embedding_function: { type: 'legacy' },
    hnsw: { ...hnsw, ef_search: 7, resize_factor: 2 },
  };
  expect(updated.keys['tag']).toEqual(tag);
  expect(updated.keys['#embedding']).toEqual({
    float_list: { vector_index: index(true, { space: 'ip', source_key: '#document', ...config }) },
  });
  expect(updated.defaults['float_list']).toEqual({ vector_index: index(false, { space: 'l2', ...config }) });
  expect(updated.defaults['string']).toEqual(schema.defaults['string']);
});

describe('growSchema', () => {
  const schema = defaultSchema(DEFAULTS);

  test('adds the default block of each new type of each key', () => {
    const grown = growSchema(schema, [
      { key: 'tag', type: 'string' },
      { key: 'tag', type: 'int' },
      { key: '__proto__', type: 'bool' },
      { key: 'constructor', type: 'float' },
    ])!;
    expect(grown.keys['tag']).toEqual({ string: schema.defaults['string'], int: schema.defaults['int'] });
    expect(Object.keys(grown.keys)).toContain('__proto__');
    expect(grown.keys['constructor']).toEqual({ float: schema.defaults['float'] });
    expect(Object.getPrototypeOf(grown.keys)).toBe(Object.prototype);
    expect(schema.keys['tag']).toBe(undefined);
  });

  test('gives null when nothing is new', () => {
    expect(growSchema(schema, [])).toBe(null);
    const grown = growSchema(schema, [{ key: 'tag', type: 'string' }])!;
    expect(growSchema(grown, [{ key: 'tag', type: 'string' }])).toBe(null);
    expect(growSchema(grown, [{ key: 'tag', type: 'float' }])).not.toBe(null);
  });
});

describe('checkFilterAllowed', () => {
  const { schema } = parseSchema(
    {
      defaults: { bool: { bool_inverted_index: index(false) } },
      keys: {
        tag: { string: { string_inverted_index: index(false) }, bool: { bool_inverted_index: index(true) } },
        '#document': { string: { fts_index: index(false) } },
      },
    },
    DEFAULTS,
  );
  const check = (target: CollectionSchema, node: WhereNode | null): void => checkFilterAllowed(target, node!);

  test.each([
    [{ tag: 'a' }, 'tag', 'Str'],
    [{ tag: { $in: ['a'] } }, 'tag', 'Str'],
    [{ tag: { $not_contains: 'a' } }, 'tag', 'Str'],
    [{ $or: [{ n: 1 }, { $and: [{ tag: { $ne: 'a' } }] }] }, 'tag', 'Str'],
    [{ other: true }, 'other', 'Bool'],
    [{ constructor: true }, 'constructor', 'Bool'],
  ])('refuses %j', (where, name, type) => {
    expect(() => check(schema, parseWhere(where))).toThrow(
      expect.objectContaining({
        code: 'TESSERA_INVALID_FILTER',
        message: `Cannot filter using metadata key '${name}' with type '${type}' because indexing is disabled`,
      }),
    );
  });

  test('refuses text search when that is disabled, but not the comparison of whole documents', () => {
    for (const node of [
      parseWhereDocument({ $contains: 'x' }),
      parseWhere({ '#document': { $regex: 'x' } }),
    ]) {
      expect(() => check(schema, node)).toThrow(
        'Cannot filter using full-text search because FTS indexing is disabled',
      );
      check(defaultSchema(DEFAULTS), node);
    }
    check(schema, parseWhere({ 'chroma:document': 'x' }));
  });

  test('lets pass what has its index', () => {
    for (const where of [{ tag: 1 }, { tag: true }, { tag: 1.5 }, { other: 'x' }, { __proto__x: 'x' }]) {
      expect(() => check(schema, parseWhere(where))).not.toThrow();
    }
  });
});
