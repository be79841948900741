import { describe, expect, it } from 'vitest';
import { queryRequest } from '../../test/support/batches.ts';
import type { Neighbours, QueryRequest } from '../api/index.ts';
import { emptyPlan } from '../query/index.ts';
import { queryInParts } from './query-parts.ts';

const QUERY_COUNT = 20_000;
const request = queryRequest(
  Array.from({ length: QUERY_COUNT }, (_, i) => [i]),
  { ids: ['a', 'b'] },
);

/** Answers each embedding with itself as the id, in turns of `turnCount` embeddings. */
function answer({ embeddings, explain }: QueryRequest, beforeMs: number, turnCount = 1_000): Neighbours[] {
  const none = { embeddings: null, documents: null, uris: null, metadatas: null, distances: null };
  const turn = (
    size: number,
  ): { followMs: number; filterMs: number; searchMs: number; hydrateMs: number } => ({
    followMs: 0,
    filterMs: beforeMs,
    searchMs: size * 0.02,
    hydrateMs: 0,
  });
  let timings = turn(0);
  return Array.from(embeddings.values, (value, i) => {
    if (i % turnCount === 0) timings = turn(Math.min(turnCount, embeddings.values.length - i));
    return { ...none, ids: [String(value)], plan: explain ? { ...emptyPlan(1), timings } : null };
  });
}

/** Sizes of the parts of which each takes what `beforeMs` says before its answers. */
async function partSizes(asked: QueryRequest, beforeMs: (part: number) => number): Promise<number[]> {
  const sizes: number[] = [];
  const answers = await queryInParts(asked, async (part) => {
    sizes.push(part.embeddings.values.length);
    return answer(part, beforeMs(sizes.length), part.embeddings.values.length);
  });
  expect(answers.map(({ ids }) => ids[0])).toEqual(Array.from(asked.embeddings.values, String));
  expect(answers.every(({ plan }) => (plan !== null) === asked.explain)).toBe(true);
  return sizes;
}

describe('a query in parts', () => {
  it('looks through a slow filter a few times, and not for each few embeddings', async () => {
    expect((await partSizes(request, () => 5_000)).length).toBe(4);
    const sizes = await partSizes(request, () => 100);
    // 100 ms are 5,000 answers.
    expect(Math.max(...sizes)).toBe(5_000);
    expect(sizes.length).toBe(6);
  });

  it('asks for a few embeddings again once the filter is remembered', async () => {
    const sizes = await partSizes({ ...request, explain: true }, (part) => (part === 1 ? 5_000 : 0));
    expect(sizes.slice(0, 4)).toEqual([256, 1_024, 256, 256]);
  });

  it('counts each turn of a part once', async () => {
    const sizes: number[] = [];
    await queryInParts(request, async (part) => {
      sizes.push(part.embeddings.values.length);
      return answer(part, 10, 64);
    });
    // 10 ms before each 1.28 ms of answers: more than balanced whatever the size.
    expect(sizes.slice(0, 3)).toEqual([256, 1_024, 4_096]);
  });

  it('asks for no plans where nothing is filtered, and goes on where nothing takes time', async () => {
    const plain = { ...request, ids: null };
    const answers = await queryInParts(plain, async (part) => {
      expect(part.explain).toBe(false);
      return answer(part, 5_000);
    });
    expect(answers).toHaveLength(QUERY_COUNT);
    const untimed = await queryInParts(request, async (part) =>
      answer(part, 0).map((one) => ({ ...one, plan: emptyPlan(1) })),
    );
    expect(untimed).toHaveLength(QUERY_COUNT);
  });
});
