/**
 * Compares the records of a collection with their checksums and with the indexes that follow them.
 *
 * Records are taken in pages, in the order of their rows, up to the last row that existed at the start. Each
 * page is looked at in a read transaction of its own, in which the indexes follow first: so the records, what
 * the file keeps for them and what memory holds are of one moment, and a write that comes between two pages
 * raises no false alarm. Each page is compared in both directions, so that an index that holds too much is
 * noticed as well as one that holds too little.
 *
 * A damaged page of the file ends a scan, but not a look at a single row: where a page of records cannot be
 * read at once, its rows are read one by one, and the comparison goes on behind it.
 */
import type { VerifyReport } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import type { Examined, RecordStore, StoredRecord, StoreState, VectorTable } from '../records/index.ts';
import { Findings } from './findings.ts';
import { verifyText } from './verify-text.ts';

/** How long one slice lasts: short enough for a query to wait for. */
const SLICE_MS = 4;

/** Rows of a page: some 2 ms of work at 512 dimensions. */
const PAGE_ROWS = 64;

/** Something that is wrong with a row of an index. */
interface RowFault {
  readonly row: number;
  readonly message: string;
}

/** What is asked of the indexes in memory. */
export interface VerifiedIndexes {
  follow(state: StoreState): void;
  /** Rows whose places in the vector index contradict each other. */
  misplacedRows(state: StoreState): number[];
  /** Compares the vector index with all records after a row and up to another. */
  verifyVectors(
    state: StoreState,
    range: { readonly after: number; readonly last: number },
    records: readonly StoredRecord[],
    embeddingOf: (record: StoredRecord) => Float32Array | null,
  ): readonly RowFault[];
  /** Compares the metadata in memory with that of some records. */
  verifyMetadata(records: readonly StoredRecord[]): readonly RowFault[];
  /** Makes everything in memory anew; returns how many entries there are. */
  repairVectors(state: StoreState): number;
}

/** A collection that is open. */
export interface Verified {
  readonly store: RecordStore;
  readonly indexes: VerifiedIndexes;
}

/** Finds the collection, which may be closed and opened between two slices; `null` for one without a file. */
export type Find = () => Verified | null;

/**
 * Compares a collection, and yields every few milliseconds by the clock `nowMs`. Damage is in the report, not
 * an error. Errors: those of `find`, and `TESSERA_COLLECTION_NOT_FOUND` when it is deleted meanwhile.
 */
export function* verify(find: Find, nowMs: () => number): Generator<void, VerifyReport> {
  return (yield* compare(find, nowMs)).report();
}

/** As `verify`, with what a repair needs to know. */
export function* compare(find: Find, nowMs: () => number): Generator<void, Findings> {
  const findings = new Findings();
  const range = openRange(find, findings);
  if (range === null) return findings;
  const comparison = new Comparison(findings);
  comparison.begin(find);
  let [after, sliceEndMs] = [0, 0];
  while (after < range) {
    if (nowMs() >= sliceEndMs) {
      yield;
      sliceEndMs = nowMs() + SLICE_MS;
    }
    const open = find();
    if (open === null) break;
    after = open.store.read((state) => comparison.page(open, state, after, range));
  }
  comparison.finish();
  return findings;
}

/** The last row to look at; `null` where there is nothing to look at. */
function openRange(find: Find, findings: Findings): number | null {
  try {
    return find()?.store.read((state) => state.nextRow - 1) ?? null;
  } catch (error) {
    if (!isDamage(error)) throw error;
    findings.note({ id: null, part: 'record', message: error.message }, null);
    return null;
  }
}

/** One comparison under way. */
class Comparison {
  readonly #findings: Findings;
  /** Why a part cannot be read, where it cannot: it is left alone then. */
  readonly #unusable = new Map<'memory' | 'text', string>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** What concerns no single page. */
  begin(find: Find): void {
    const open = find();
    if (open === null) return;
    open.store.read((state) => {
      this.#noteStrays(open.store, state);
      this.#with('memory', () => {
        for (const row of open.indexes.misplacedRows(state)) {
          const { id = null } = open.store.examineRow(row) ?? {};
          const message = 'The vector index does not hold the record in exactly one place.';
          this.#findings.note({ id, part: 'vectors', message }, 'memory');
        }
      });
    });
  }

  /** Compares the next page, within a transaction. Returns the last row that it took in. */
  page({ store, indexes }: Verified, state: StoreState, after: number, end: number): number {
    const { rows, last } = readPage(store, after, end);
    const idOf = new Map(rows.map(({ row, id }) => [row, id]));
    const table = state.dimension === null ? null : store.vectors(state.dimension);
    const records: StoredRecord[] = [];
    const embeddings = new Map<number, Float32Array>();
    for (const examined of rows) {
      this.#findings.recordCount++;
      if (examined.record !== null) records.push(examined.record);
      this.#checkRecord(store, examined, table, embeddings);
    }
    const damaged = new Set(rows.filter(({ record }) => record === null).map(({ row }) => row));
    const noteAll = (part: 'vectors' | 'metadata', faults: readonly RowFault[]): void => {
      for (const { row, message } of faults) {
        if (damaged.has(row)) continue;
        this.#findings.note({ id: idOf.get(row) ?? null, part, message }, 'memory');
      }
    };
    this.#with('memory', () => {
      const embeddingOf = ({ row }: StoredRecord): Float32Array | null => embeddings.get(row) ?? null;
      noteAll('vectors', indexes.verifyVectors(state, { after, last }, records, embeddingOf));
      noteAll('metadata', indexes.verifyMetadata(records));
    });
    this.#with('text', () => {
      for (const { row, message } of verifyText(store, state, { after, last }, rows)) {
        this.#findings.note({ id: idOf.get(row) ?? null, part: 'text', message }, 'text');
      }
    });
    return last;
  }

  /** Says what was left alone, where no damaged record has said it already. */
  finish(): void {
    const memory = this.#unusable.get('memory');
    if (memory !== undefined && !this.#findings.hasDamagedRecords) {
      this.#findings.note({ id: null, part: 'record', message: memory }, 'memory');
    }
    const text = this.#unusable.get('text');
    if (text !== undefined) this.#findings.note({ id: null, part: 'text', message: text }, 'text');
  }

  /** Rows are numbered from 1 to the next one that will be given out; what stands elsewhere is damage. */
  #noteStrays(store: RecordStore, { nextRow }: StoreState): void {
    const damage = unlessDamaged(() => {
      for (const { row, id, damage } of store.examineStrays(nextRow)) {
        const message = damage ?? `No record was ever given row ${row}.`;
        this.#findings.note({ id, part: 'record', message }, null);
      }
      return null;
    });
    if (damage !== null) this.#findings.note({ id: null, part: 'record', message: damage }, null);
  }

  #checkRecord(
    store: RecordStore,
    { row, id, record, damage }: Examined,
    table: VectorTable | null,
    embeddings: Map<number, Float32Array>,
  ): void {
    if (record === null) {
      this.#findings.note({ id, part: 'record', message: damage }, null);
      return;
    }
    const message = unlessDamaged(() => {
      const found = store.byId(record.id)?.row;
      if (found === row) return null;
      return `The index of ids finds ${found === undefined ? 'no record' : `row ${found}`} under the id of row ${row}.`;
    });
    if (message !== null) this.#findings.note({ id, part: 'record', message }, 'ids');
    const isNamed = unlessDamaged(() => (store.isNamed(record) ? null : ''));
    if (isNamed !== null) {
      const change = `The change sequence does not name row ${row} at ${record.sequence}. ${isNamed}`.trim();
      this.#findings.note({ id, part: 'record', message: change }, 'changes');
    }
    const embeddingDamage = unlessDamaged(() => {
      if (table === null) return `Row ${row} is stored in a collection that has no dimension.`;
      embeddings.set(row, table.read(row, record.vectorChecksum));
      return null;
    });
    if (embeddingDamage !== null) this.#findings.note({ id, part: 'record', message: embeddingDamage }, null);
  }

  /** Does some work on a part, unless the part has proved unusable before. */
  #with(part: 'memory' | 'text', work: () => void): void {
    if (this.#unusable.has(part)) return;
    try {
      work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#unusable.set(part, error.message);
    }
  }
}

/** Records after a row; and the last row that they stand for, which the table may have no record of. */
function readPage(store: RecordStore, after: number, end: number): { rows: Examined[]; last: number } {
  try {
    const rows = store.examine(after, PAGE_ROWS).filter(({ row }) => row <= end);
    return { rows, last: rows.length < PAGE_ROWS ? end : rows.at(-1)!.row };
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const last = Math.min(end, after + PAGE_ROWS);
  const rows: Examined[] = [];
  for (let row = after + 1; row <= last; row++) {
    const examined = store.examineRow(row);
    if (examined !== undefined) rows.push(examined);
  }
  return { rows, last };
}

/** What `check` says, or the message of the damage that it met. */
function unlessDamaged(check: () => string | null): string | null {
  try {
    return check();
  } catch (error) {
    if (!isDamage(error)) throw error;
    return error.message;
  }
}

function isDamage(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.kind === 'corrupt';
}
