import { describe, expect, it } from 'vitest';
import {
  applyConfigurationUpdate,
  formatConfiguration,
  parseConfiguration,
  parseConfigurationUpdate,
} from './configuration.ts';
import { recallOf } from './recall.ts';
import { DEFAULT_RECALL } from './settings.ts';

const recallFor = (value: unknown, metadata: string | null = null): number =>
  recallOf(parseConfiguration(value, metadata));

describe('recallOf', () => {
  it('is the default where nothing is said, and with the defaults of Chroma', () => {
    expect(recallFor(null)).toBe(DEFAULT_RECALL);
    expect(recallFor({ hnsw: { ef_search: 100 } })).toBe(DEFAULT_RECALL);
    expect(recallFor({ spann: { search_nprobe: 64 } })).toBe(DEFAULT_RECALL);
    expect(recallFor({ spann: { ef_search: 200 } })).toBe(DEFAULT_RECALL);
  });

  it('is what was set, whatever else is said', () => {
    expect(recallFor({ recall: 0.8, hnsw: { ef_search: 1000 } })).toBe(0.8);
    expect(recallFor({ recall: 1, spann: { search_nprobe: 1 } })).toBe(1);
  });

  it.each([
    [200, 0.995],
    [1000, 0.999],
    [10, 0.9],
    [4_000_000_000, 0.9999],
    [1, 0.5],
    [0, 0.5],
  ])('an ef_search of %i means %f', (efSearch, expected) => {
    expect(recallFor({ hnsw: { ef_search: efSearch } })).toBeCloseTo(expected, 12);
    expect(recallFor({}, `{"hnsw:search_ef":${efSearch}}`)).toBeCloseTo(expected, 12);
  });

  it.each([
    [128, 0.995],
    [32, 0.98],
    [1, 0.5],
    [0, 0.5],
  ])('a search_nprobe of %i means %f', (nprobe, expected) => {
    expect(recallFor({ spann: { search_nprobe: nprobe } })).toBeCloseTo(expected, 12);
  });

  it('follows the search parameter that was set last', () => {
    let configuration = parseConfiguration({ spann: { search_nprobe: 128 } }, null);
    const change = (update: unknown): number => {
      configuration = applyConfigurationUpdate(configuration, parseConfigurationUpdate(update));
      return recallOf(configuration);
    };
    expect(change({ hnsw: { max_neighbors: 5 } })).toBeCloseTo(0.995, 12);
    expect(change({ hnsw: { ef_search: 10 } })).toBeCloseTo(0.9, 12);
    expect(change({ spann: { search_nprobe: 32 } })).toBeCloseTo(0.98, 12);
    expect(change({ recall: 0.7 })).toBe(0.7);
    expect(formatConfiguration(configuration)).toMatchObject({ recall: 0.7, spann: null });
  });

  it('is not shown where it was not set', () => {
    expect(formatConfiguration(parseConfiguration({ hnsw: { ef_search: 5 } }, null))).not.toHaveProperty(
      'recall',
    );
  });

  it.each([0, -1, 1.5, '1', true, []])('refuses %j', (recall) => {
    for (const parse of [
      () => parseConfiguration({ recall }, null),
      () => parseConfigurationUpdate({ recall }),
    ]) {
      const details = { reason: 'type' };
      expect(parse).toThrow(expect.objectContaining({ code: 'TESSERA_INVALID_CONFIGURATION', details }));
    }
  });
});
