import { describe, expect, test } from 'vitest';
import type { EmbeddingFunction, EmbeddingFunctionConfig } from './embedding-function.ts';
import {
  buildEmbeddingFunction,
  describeEmbeddingFunction,
  registerEmbeddingFunction,
  storedEmbeddingFunction,
} from './registry.ts';

class Lengths implements EmbeddingFunction {
  readonly name = 'lengths';
  readonly scale: number;
  constructor(scale: number) {
    this.scale = scale;
  }
  static buildFromConfig(config: EmbeddingFunctionConfig): Lengths {
    if (typeof config['scale'] !== 'number') throw new Error('scale is missing');
    return new Lengths(config['scale']);
  }
  getConfig(): EmbeddingFunctionConfig {
    return { scale: this.scale };
  }
  async generate(texts: string[]): Promise<number[][]> {
    return texts.map((text) => [text.length * this.scale]);
  }
}

describe('embedding functions', () => {
  test('a function with a name, a configuration and a builder is stored by them and built again', async () => {
    registerEmbeddingFunction('lengths', Lengths);
    registerEmbeddingFunction('lengths', Lengths);
    const stored = describeEmbeddingFunction(new Lengths(3));
    expect(stored).toEqual({ type: 'known', name: 'lengths', config: { scale: 3 } });
    const rebuilt = buildEmbeddingFunction(storedEmbeddingFunction(JSON.parse(JSON.stringify(stored))));
    expect(await rebuilt?.generate(['ab'])).toEqual([[6]]);
  });

  test('a plain object is stored as legacy and cannot be built again', () => {
    const stored = describeEmbeddingFunction({ name: 'x', getConfig: () => ({}), generate: async () => [] });
    expect(stored).toEqual({ type: 'legacy' });
    expect(buildEmbeddingFunction(stored)).toBeNull();
  });

  test('an unregistered name is not found, and a refused configuration is an error of its own', () => {
    expect(buildEmbeddingFunction({ type: 'known', name: 'nobody', config: {} })).toBeNull();
    registerEmbeddingFunction('lengths', Lengths);
    expect(() => buildEmbeddingFunction({ type: 'known', name: 'lengths', config: {} })).toThrow(
      expect.objectContaining({ code: 'TESSERA_EMBEDDING_FUNCTION' }),
    );
  });

  test('a name belongs to one class', () => {
    registerEmbeddingFunction('lengths', Lengths);
    class Other extends Lengths {}
    expect(() => registerEmbeddingFunction('lengths', Other)).toThrow(
      expect.objectContaining({ code: 'TESSERA_ALREADY_EXISTS' }),
    );
  });

  test('what cannot be read from a configuration counts as nothing', () => {
    for (const value of [null, 'text', [], {}, { type: 'known' }, { type: 'other' }]) {
      expect(storedEmbeddingFunction(value)).toBeNull();
    }
  });
});
