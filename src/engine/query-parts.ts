/**
 * A query of many embeddings in parts, one after the other, so that the thread that asks copies a few
 * embeddings and answers at a time and other calls have their turn in between.
 *
 * Each part follows the records and looks through the filter anew where that is not remembered: for ids, for
 * long filters, and while records are written. So parts grow until that takes no longer than the answers.
 */
import { embeddingCount, type Neighbours, type QueryRequest, type QueryTimings } from '../api/index.ts';
import { isRestricted } from '../query/index.ts';

/**
 * Embeddings of a part. They and their answers are copied by the calling thread, whose loop stands still
 * meanwhile: some 10 ms with ten records of a kilobyte for each. A smaller part would cost more than a
 * hundredth of what the search in a small collection takes (20 µs for each).
 */
const EMBEDDINGS_PER_PART = 256;

/** How much larger than the last part the next may be: the last one's filter may be remembered by then. */
const GROWTH_MAX = 4;

/** Answers a query by asking for parts of it. Errors: those of `ask`. */
export async function queryInParts(
  request: QueryRequest,
  ask: (part: QueryRequest) => Promise<Neighbours[]>,
): Promise<Neighbours[]> {
  const queryCount = embeddingCount(request.embeddings);
  if (queryCount <= EMBEDDINGS_PER_PART) return ask(request);
  const { dimension, values } = request.embeddings;
  // Plans tell how long the filter took; where there is none, they would cost a tenth of a short search.
  const explain = request.explain || isRestricted(request);
  const answers: Neighbours[] = [];
  let size = EMBEDDINGS_PER_PART;
  while (answers.length < queryCount) {
    const start = answers.length * dimension;
    const embeddings = { dimension, values: values.slice(start, start + size * dimension), present: null };
    const part = await ask({ ...request, embeddings, explain });
    for (const answer of part) answers.push(request.explain ? answer : { ...answer, plan: null });
    size = Math.max(EMBEDDINGS_PER_PART, Math.min(balancedSize(part), size * GROWTH_MAX));
  }
  return answers;
}

/** So many embeddings that their answers take as long as what came before the answers of a part. */
function balancedSize(part: readonly Neighbours[]): number {
  // One for each turn.
  const turns = new Set<QueryTimings>();
  for (const { plan } of part) if (plan !== null) turns.add(plan.timings);
  let [beforeMs, answersMs] = [0, 0];
  for (const { followMs, filterMs, searchMs, hydrateMs } of turns) {
    beforeMs += followMs + filterMs;
    answersMs += searchMs + hydrateMs;
  }
  return beforeMs === 0 ? 0 : Math.ceil((part.length * beforeMs) / answersMs);
}
