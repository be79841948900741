/**
 * From a request to its answer: select (which slots may answer), search (which are nearest), hydrate (read
 * their columns). Each function runs inside one transaction of the store and brings the indexes up to its
 * state first.
 */

import {
  type DeleteRequest,
  type EmbeddingBatch,
  embeddingCount,
  type GetRequest,
  type Include,
  type Neighbours,
  type QueryPlan,
  type QueryRequest,
  type QueryTimings,
  type RecordColumns,
  type RecordSelection,
  whereKeys,
} from '../api/index.ts';
import { Bitset, DatabaseError } from '../base/index.ts';
import type { StoredRecord, StoreState } from '../records/index.ts';
import type { ClusteredNearest } from '../vectors/index.ts';
import { type DocumentContext, documentSlots } from './documents.ts';
import { checkExpressions, evaluateFilter } from './filter.ts';

/**
 * Answers `get`. Errors: `TESSERA_INVALID_FILTER` for a bad expression, `TESSERA_CORRUPT` for a damaged
 * record.
 */
export function executeGet(context: DocumentContext, state: StoreState, request: GetRequest): RecordColumns {
  const { limit, offset, include } = request;
  if (!isRestricted(request)) return hydrate(context, state, context.store.scan(limit, offset), include);
  const end = limit === null ? undefined : offset + limit;
  if (request.ids !== null && !hasFilter(request)) {
    return hydrate(context, state, recordsOf(context, request.ids).slice(offset, end), include);
  }
  const rows = rowsAt(context, selectSlots(context, state, request)).slice(offset, end);
  return hydrate(context, state, recordsAt(context, rows), include);
}

/** What a query needs beyond a look into documents. */
export interface QueryContext extends DocumentContext {
  /** Recall of queries that ask for none. */
  readonly recall: number;
  /** A clock for durations, in milliseconds. */
  readonly nowMs: () => number;
}

/**
 * How long the embeddings of one request are searched for before other calls have their turn: an event loop
 * stands still for no longer, as with maintenance.
 */
const SEARCH_SLICE_MS = 20;

/**
 * Answers `query` from its embedding number `first` on: the nearest of the selected records for each, until
 * there are no more embeddings, or this has taken `SEARCH_SLICE_MS` and as long as the filter did, which the
 * next slice may have to look through again. At least one is answered. Errors: as `executeGet`, and
 * `TESSERA_DIMENSION_MISMATCH`.
 */
export function executeQuery(
  context: QueryContext,
  state: StoreState,
  request: QueryRequest,
  first: number,
): Neighbours[] {
  const { embeddings, nResults, include } = request;
  const recall = request.recall ?? context.recall;
  const { dimension } = state;
  const queryCount = embeddingCount(embeddings);
  if (dimension !== null && queryCount > 0 && embeddings.dimension !== dimension) {
    const message = `Collection expecting embedding with dimension of ${dimension}, got ${embeddings.dimension}. Use the model that wrote the collection.`;
    const details = { expected: dimension, actual: embeddings.dimension };
    throw new DatabaseError('TESSERA_DIMENSION_MISMATCH', message, { details });
  }
  const times = new Stopwatch(context.nowMs);
  const answers: Neighbours[] = [];
  const searches: (ClusteredNearest | null)[] = [];
  let allowedCount = 0;
  if (dimension === null || state.recordCount === 0) {
    for (let query = first; query < queryCount; query++) {
      answers.push(withDistances(context, state, [], [], include));
      searches.push(null);
    }
  } else {
    context.indexes.follow(state);
    const vectors = context.indexes.vectors(dimension);
    times.note('followMs');
    const allowed = selectSlots(context, state, request);
    allowedCount = allowed.count();
    times.note('filterMs');
    for (let query = first; query < queryCount && !times.isSliceOver; query++) {
      const embedding = embeddings.values.subarray(query * dimension, (query + 1) * dimension);
      const found = vectors.search(embedding, nResults, allowed, allowedCount, { recall });
      times.note('searchMs');
      const rows = Array.from(found.slots, (slot) => context.indexes.rowAt(slot));
      answers.push(withDistances(context, state, rows, found.distances, include));
      searches.push(found);
      times.note('hydrateMs');
    }
  }
  if (!request.explain) return answers;
  const { timings } = times;
  const common = { recordCount: state.recordCount, allowedCount, recall, timings };
  return answers.map((answer, query) => ({ ...answer, plan: planOf(searches[query]!, common) }));
}

/** Where time goes: `note` adds what has passed since the last note to one of the parts. */
class Stopwatch {
  readonly #nowMs: () => number;
  readonly #parts: { -readonly [Part in keyof QueryTimings]: number } = {
    followMs: 0,
    filterMs: 0,
    searchMs: 0,
    hydrateMs: 0,
  };
  #lastMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
  }

  get timings(): QueryTimings {
    return { ...this.#parts };
  }

  /** Whether the answers have taken as long as a slice may. */
  get isSliceOver(): boolean {
    const { followMs, filterMs, searchMs, hydrateMs } = this.#parts;
    return searchMs + hydrateMs >= Math.max(SEARCH_SLICE_MS, followMs + filterMs);
  }

  note(part: keyof QueryTimings): void {
    const nowMs = this.#nowMs();
    this.#parts[part] += nowMs - this.#lastMs;
    this.#lastMs = nowMs;
  }
}

/** The plan of a query on a collection without records. */
export function emptyPlan(recall: number): QueryPlan {
  const timings: QueryTimings = { followMs: 0, filterMs: 0, searchMs: 0, hydrateMs: 0 };
  return planOf(null, { recordCount: 0, allowedCount: 0, recall, timings });
}

/** `found` is `null` where there was nothing to search. */
function planOf(
  found: ClusteredNearest | null,
  common: Pick<QueryPlan, 'recordCount' | 'allowedCount' | 'recall' | 'timings'>,
): QueryPlan {
  const isEmpty = found === null || common.allowedCount === 0;
  return {
    kind: isEmpty ? 'empty' : found.isExact ? 'exact' : 'cells',
    ...common,
    effort: found?.effort ?? null,
    cellsVisited: found?.cellsVisited ?? 0,
    estimatedCount: found?.scanned ?? 0,
    candidateCount: found?.candidateCount ?? 0,
    rerankedCount: found?.reranked ?? 0,
    readCount: found?.read ?? 0,
  };
}

/** The rows that `delete` takes, in insertion order. */
export function selectRowsToDelete(
  context: DocumentContext,
  state: StoreState,
  request: DeleteRequest,
): number[] {
  if (request.ids !== null && !hasFilter(request)) {
    return recordsOf(context, request.ids).map(({ row }) => row);
  }
  const rows = rowsAt(context, selectSlots(context, state, request));
  return request.limit === null ? rows : rows.slice(0, request.limit);
}

/** Finds bad expressions, also where no document would be read. Errors: `TESSERA_INVALID_FILTER`. */
export function checkSelection({ where, whereDocument }: RecordSelection): void {
  if (where !== null) checkExpressions(where);
  if (whereDocument !== null) checkExpressions(whereDocument);
}

/** Whether a selection leaves anything out. */
export function isRestricted({ ids, where, whereDocument }: RecordSelection): boolean {
  return ids !== null || hasFilter({ ids, where, whereDocument });
}

/** Whether a selection has a filter beside its ids. */
export function hasFilter({ where, whereDocument }: RecordSelection): boolean {
  return where !== null || whereDocument !== null;
}

function selectSlots(context: DocumentContext, state: StoreState, selection: RecordSelection): Bitset {
  const { indexes } = context;
  indexes.follow(state);
  if (selection.ids === null) {
    if (!hasFilter(selection)) return indexes.live;
    return indexes.remember(keyOf(selection), () => filterSlots(context, indexes.live, selection));
  }
  const chosen = new Bitset();
  for (const { row } of recordsOf(context, selection.ids)) chosen.add(indexes.liveSlotOf(row));
  return filterSlots(context, chosen, selection);
}

/** The slots of `chosen` that the filters admit. */
function filterSlots(context: DocumentContext, chosen: Bitset, selection: RecordSelection): Bitset {
  const { indexes, metadataKeys } = context;
  let allowed = chosen;
  for (const node of [selection.where, selection.whereDocument]) {
    if (node === null) continue;
    indexes.loadKeys(whereKeys(node), metadataKeys);
    allowed = evaluateFilter(node, {
      live: allowed,
      columns: indexes.columns,
      documentSlots: (operator, text, within) => documentSlots(context, operator, text, within),
    });
  }
  return allowed;
}

/** A text that two selections share only when their filters are the same. */
function keyOf({ where, whereDocument }: RecordSelection): string {
  return JSON.stringify([where, whereDocument], (_, value: unknown) =>
    typeof value === 'bigint' ? { bigint: String(value) } : value,
  );
}

/** The records of the ids that are stored, in insertion order, each once. */
function recordsOf({ store }: DocumentContext, ids: readonly string[]): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (const id of new Set(ids)) {
    const record = store.byId(id);
    if (record !== undefined) records.push(record);
  }
  return records.sort((a, b) => a.row - b.row);
}

function rowsAt({ indexes }: DocumentContext, slots: Bitset): number[] {
  return Array.from(slots.toArray(), (slot) => indexes.rowAt(slot));
}

function* recordsAt({ store }: DocumentContext, rows: Iterable<number>): Iterable<StoredRecord> {
  for (const row of rows) yield store.liveRow(row);
}

function withDistances(
  context: DocumentContext,
  state: StoreState,
  rows: readonly number[],
  distances: ArrayLike<number>,
  include: readonly Include[],
): Neighbours {
  const columns = hydrate(context, state, recordsAt(context, rows), include);
  const values = include.includes('distances') ? Float32Array.from(distances) : null;
  return { distances: values, plan: null, ...columns };
}

/** Reads the columns asked for. Records keep the order in which they come. */
function hydrate(
  { store }: DocumentContext,
  state: StoreState,
  records: Iterable<StoredRecord>,
  include: readonly Include[],
): RecordColumns {
  const column = (name: Include): (string | null)[] | null => (include.includes(name) ? [] : null);
  const [documents, uris, metadatas] = [column('documents'), column('uris'), column('metadatas')];
  const ids: string[] = [];
  const found: StoredRecord[] = [];
  const hasEmbeddings = include.includes('embeddings');
  for (const record of records) {
    ids.push(record.id);
    documents?.push(record.document);
    uris?.push(record.uri);
    // A record that has a uri and nothing else shows empty metadata rather than none, as in Chroma.
    metadatas?.push(record.metadata ?? (record.uri === null ? null : '{}'));
    if (hasEmbeddings) found.push(record);
  }
  const embeddings = hasEmbeddings ? readEmbeddings(store, state.dimension ?? 0, found) : null;
  return { ids, embeddings, documents, uris, metadatas };
}

function readEmbeddings(
  store: DocumentContext['store'],
  dimension: number,
  records: readonly StoredRecord[],
): EmbeddingBatch {
  const values = new Float32Array(records.length * dimension);
  const table = store.vectors(dimension);
  records.forEach((record, index) => {
    values.set(table.read(record.row, record.vectorChecksum), index * dimension);
  });
  return { dimension, values, present: null };
}
