import { describe, expect, test } from 'vitest';
import { Double } from '../base/index.ts';
import {
  applyConfigurationUpdate,
  DEFAULT_HNSW,
  formatConfiguration,
  isDefaultConfiguration,
  parseConfiguration,
  parseConfigurationUpdate,
} from './configuration.ts';

const typeFault = (message: RegExp): unknown =>
  expect.objectContaining({
    code: 'TESSERA_INVALID_CONFIGURATION',
    message: expect.stringMatching(message),
    details: expect.objectContaining({ reason: 'type' }),
  });

describe('parseConfiguration', () => {
  test('fills in defaults for everything that is absent or null', () => {
    for (const value of [
      undefined,
      null,
      {},
      { hnsw: null, spann: null, embedding_function: null },
      { hnsw: {} },
    ]) {
      expect(parseConfiguration(value, null)).toEqual({ hnsw: DEFAULT_HNSW, embeddingFunction: null });
    }
    expect(parseConfiguration({ hnsw: { space: null, ef_search: null } }, null).hnsw).toEqual(DEFAULT_HNSW);
  });

  test('reads every graph parameter', () => {
    const hnsw = {
      space: 'ip',
      ef_construction: 1,
      ef_search: 0,
      max_neighbors: 2,
      num_threads: 3,
      batch_size: 4,
      sync_threshold: 5,
      resize_factor: new Double(2),
    };
    expect(parseConfiguration({ hnsw }, null).hnsw).toEqual({
      space: 'ip',
      efConstruction: 1,
      efSearch: 0,
      maxNeighbors: 2,
      threadCount: 3,
      batchSize: 4,
      syncThreshold: 5,
      resizeFactor: 2,
    });
  });

  test.each([
    [5, /^configuration: expected an object, got 5/],
    [[], /^configuration: expected an object/],
    [{ hnsw: 5 }, /^configuration\.hnsw: expected an object/],
    [{ hnsw: { foo: 1 } }, /^configuration\.hnsw\.foo: unknown field `foo`, expected one of `space`/],
    [{ hnsw: { space: 'x' } }, /^configuration\.hnsw\.space: expected one of `l2`, `cosine`, `ip`, got "x"/],
    [{ hnsw: { ef_search: -1 } }, /^configuration\.hnsw\.ef_search: expected an unsigned integer, got -1/],
    [{ hnsw: { ef_search: 1.5 } }, /ef_search/],
    [{ hnsw: { ef_search: new Double(1) } }, /ef_search/],
    [{ hnsw: { resize_factor: 'a' } }, /^configuration\.hnsw\.resize_factor: expected a finite number/],
    [{ spann: { foo: 1 } }, /^configuration\.spann\.foo: unknown field/],
    [{ spann: { space: 'x' } }, /^configuration\.spann\.space: /],
    [{ spann: { search_nprobe: 'x' } }, /^configuration\.spann\.search_nprobe: /],
    [{ embedding_function: 'x' }, /^configuration\.embedding_function: expected an object/],
    [{ embedding_function: {} }, /^configuration\.embedding_function: missing field `type`/],
    [{ embedding_function: { type: 'foo' } }, /embedding_function\.type: expected one of `legacy`, `known`/],
    [{ embedding_function: { type: 'known', config: {} } }, /missing field `name`/],
    [{ embedding_function: { type: 'known', name: 'x' } }, /missing field `config`/],
  ])('refuses %j as of the wrong type', (value, message) => {
    expect(() => parseConfiguration(value, null)).toThrow(typeFault(message));
  });

  test('refuses two index kinds', () => {
    expect(() => parseConfiguration({ hnsw: {}, spann: {} }, null)).toThrow(
      'Multiple vector index configurations provided',
    );
  });

  test('keeps the space of a SPANN configuration and nothing else', () => {
    const parsed = parseConfiguration({ spann: { space: 'cosine', ef_search: 50, search_nprobe: 9 } }, null);
    expect(parsed.hnsw).toEqual({ ...DEFAULT_HNSW, space: 'cosine' });
  });

  test('keeps embedding functions as they are, without members that it does not know', () => {
    const known = { type: 'known', name: 'x', config: { a: [1, { b: null }] } };
    expect(parseConfiguration({ embedding_function: { ...known, more: 1 } }, null).embeddingFunction).toEqual(
      known,
    );
    expect(
      parseConfiguration({ embedding_function: { type: 'legacy', more: 1 } }, null).embeddingFunction,
    ).toEqual({
      type: 'legacy',
    });
  });

  test('an embedding function that is stored survives threads: it has no Double and no bigint', () => {
    const config = { temperature: new Double(1), seed: 2n ** 60n, list: [new Double(2)] };
    const { embeddingFunction } = parseConfiguration(
      { embedding_function: { type: 'known', name: 'x', config } },
      null,
    );
    expect(structuredClone(embeddingFunction)).toEqual({
      type: 'known',
      name: 'x',
      config: { temperature: 1, seed: 2 ** 60, list: [2] },
    });
  });

  test('refuses an embedding function with a cycle', () => {
    const config: { self?: unknown } = {};
    config.self = config;
    expect(() =>
      parseConfiguration({ embedding_function: { type: 'known', name: 'x', config } }, null),
    ).toThrow(/128 levels/);
  });
});

describe('the older settings in metadata', () => {
  const all = {
    'hnsw:space': 'ip',
    'hnsw:construction_ef': 5,
    'hnsw:search_ef': 6,
    'hnsw:M': 8,
    'hnsw:num_threads': 3,
    'hnsw:resize_factor': 2,
    'hnsw:sync_threshold': 2,
    'hnsw:batch_size': 2,
  };

  test('are read', () => {
    expect(parseConfiguration(null, JSON.stringify(all)).hnsw).toEqual({
      space: 'ip',
      efConstruction: 5,
      efSearch: 6,
      maxNeighbors: 8,
      threadCount: 3,
      resizeFactor: 2,
      syncThreshold: 2,
      batchSize: 2,
    });
    expect(parseConfiguration(null, '{"hnsw:resize_factor":2.0}').hnsw.resizeFactor).toBe(2);
    expect(parseConfiguration(null, '{"about":"\\"hnsw:x\\""}').hnsw).toEqual(DEFAULT_HNSW);
  });

  test('yield to a configuration that says something, and win over one that does not', () => {
    const metadata = '{"hnsw:space":"ip"}';
    expect(parseConfiguration({ hnsw: { space: 'cosine' } }, metadata).hnsw.space).toBe('cosine');
    expect(parseConfiguration({ hnsw: { ef_search: 10 } }, metadata).hnsw.space).toBe('l2');
    expect(parseConfiguration({ spann: { space: 'cosine' } }, metadata).hnsw.space).toBe('cosine');
    const legacy = { hnsw: { space: 'l2' }, embedding_function: { type: 'legacy' } };
    expect(parseConfiguration(legacy, metadata)).toEqual({
      hnsw: { ...DEFAULT_HNSW, space: 'ip' },
      embeddingFunction: { type: 'legacy' },
    });
  });

  test.each([
    ['hnsw:space', 'x'],
    ['hnsw:foo', 1],
    ['hnsw:M', 'a'],
    ['hnsw:M', 1.5],
    ['hnsw:M', -1],
    ['hnsw:batch_size', 1],
    ['hnsw:sync_threshold', 1],
  ])('are refused when wrong: %s = %j', (key, value) => {
    expect(() => parseConfiguration(null, JSON.stringify({ [key]: value }))).toThrow(
      expect.objectContaining({
        code: 'TESSERA_INVALID_CONFIGURATION',
        message: expect.stringMatching(/^Failed to parse hnsw parameters from segment metadata/),
        details: { key },
      }),
    );
  });
});

describe('updates', () => {
  const configuration = parseConfiguration(
    { hnsw: { space: 'cosine' }, embedding_function: { type: 'legacy' } },
    null,
  );

  test('change what they name and nothing else', () => {
    const update = parseConfigurationUpdate({ hnsw: { ef_search: 5, resize_factor: 3 }, other: 1 });
    expect(applyConfigurationUpdate(configuration, update)).toEqual({
      hnsw: { ...configuration.hnsw, efSearch: 5, resizeFactor: 3 },
      embeddingFunction: { type: 'legacy' },
    });
    const known = { type: 'known', name: 'x', config: {} };
    const replaced = applyConfigurationUpdate(
      configuration,
      parseConfigurationUpdate({ embedding_function: known }),
    );
    expect(replaced).toEqual({ ...configuration, embeddingFunction: known });
  });

  test('that name nothing change nothing', () => {
    const parts = [{}, { hnsw: null, spann: null, embedding_function: null }, { spann: { ef_search: 1 } }];
    for (const part of parts) {
      expect(applyConfigurationUpdate(configuration, parseConfigurationUpdate(part))).toEqual(configuration);
    }
  });

  test.each([
    [5, /^new_configuration: expected an object/],
    [{ hnsw: { space: 'l2' } }, /^new_configuration\.hnsw\.space: unknown field `space`/],
    [{ hnsw: { ef_construction: 1 } }, /unknown field `ef_construction`/],
    [{ hnsw: { ef_search: 'x' } }, /^new_configuration\.hnsw\.ef_search: /],
    [{ spann: { space: 'l2' } }, /^new_configuration\.spann\.space: unknown field/],
    [{ embedding_function: { type: 'x' } }, /^new_configuration\.embedding_function\.type/],
  ])('refuse %j', (value, message) => {
    expect(() => parseConfigurationUpdate(value)).toThrow(typeFault(message));
  });

  test('refuse two index kinds', () => {
    expect(() => parseConfigurationUpdate({ hnsw: {}, spann: {} })).toThrow(/^Multiple vector index/);
  });
});

test('formatConfiguration shows what Chroma shows', () => {
  const configuration = parseConfiguration({ hnsw: { num_threads: 9 } }, null);
  expect(formatConfiguration(configuration)).toEqual({
    hnsw: {
      space: 'l2',
      ef_construction: 100,
      ef_search: 100,
      max_neighbors: 16,
      resize_factor: 1.2,
      sync_threshold: 1000,
    },
    spann: null,
    embedding_function: null,
  });
});

test('isDefaultConfiguration counts the default function as none and a legacy one as some', () => {
  const withFunction = (value: unknown): boolean =>
    isDefaultConfiguration(parseConfiguration({ embedding_function: value }, null));
  expect(withFunction(null)).toBe(true);
  expect(withFunction({ type: 'unknown' })).toBe(true);
  expect(withFunction({ type: 'known', name: 'default', config: {} })).toBe(true);
  expect(withFunction({ type: 'known', name: 'openai', config: {} })).toBe(false);
  expect(withFunction({ type: 'legacy' })).toBe(false);
  expect(isDefaultConfiguration(parseConfiguration({ hnsw: { batch_size: 7 } }, null))).toBe(false);
});
