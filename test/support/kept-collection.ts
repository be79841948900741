/** One opener of a collection's file whose vector index keeps its cells there, below the engine. */
import { copyFileSync, existsSync } from 'node:fs';
import { DEFAULT_SETTINGS, type Space } from '../../src/api/index.ts';
import { CollectionIndexes, type IndexOptions } from '../../src/query/index.ts';
import { RecordStore, type RecordWriter } from '../../src/records/index.ts';
import { encodeCell, type StoredCell } from '../../src/vectors/cell-codec.ts';
import { type CellPlace, CellStore, widthFor } from '../../src/vectors/index.ts';
import { batchOf } from './batches.ts';
import { loadKept, type NumberedCell } from './cell-loading.ts';
import { SMALL_INDEX } from './kept-cells.ts';
import { type Hit, NaiveCollection } from './naive-collection.ts';

const STEPS_MAX = 100_000;

/** See the top of this file. Whoever opens it closes it. */
export class KeptCollection {
  readonly store: RecordStore;
  readonly indexes: CollectionIndexes;
  readonly #space: Space;
  readonly #dimension: number;

  constructor(path: string, dimension: number, options: Partial<IndexOptions> = {}) {
    this.#space = options.space ?? 'l2';
    this.#dimension = dimension;
    this.store = RecordStore.open({ ...DEFAULT_SETTINGS, path });
    this.indexes = new CollectionIndexes(this.store, {
      space: this.#space,
      keepsCells: true,
      tuning: SMALL_INDEX,
      ...options,
    });
  }

  write(call: (writer: RecordWriter) => unknown): void {
    const [outcome] = this.store.writeGroup([call]);
    if (!outcome!.ok) throw outcome!.error;
  }

  upsert(ids: readonly string[], draw: () => Float32Array): void {
    const records = ids.map((id) => ({ id, embedding: Array.from(draw()) }));
    this.write((writer) => writer.upsert(batchOf(...records)));
  }

  delete(ids: readonly string[]): void {
    const rows = this.store.read(() => ids.map((id) => this.store.byId(id)!.row));
    this.write((writer) => writer.delete(rows));
  }

  /** Works on the index, one step and one slice of keeping at a time; tells whether there is more to do. */
  step(isForced = true): boolean {
    this.indexes.maintain(0, () => 0, isForced);
    return !this.indexes.isSettled;
  }

  settle(): void {
    let steps = 0;
    while (this.step()) if (++steps > STEPS_MAX) throw new Error('Maintenance does not come to an end.');
  }

  follow(): void {
    this.store.read((state) => {
      this.indexes.follow(state);
      if (state.dimension !== null) this.indexes.vectors(this.#dimension);
    });
  }

  /** Position that the kept cells stand for, as this opener knows. */
  get savedPosition(): number {
    return this.statistics.savedPosition;
  }

  get statistics(): ReturnType<CollectionIndexes['vectorStatistics']> {
    return this.store.read((state) => this.indexes.vectorStatistics(state, 0.99));
  }

  /** Ids of the cells in the file, whether the header names them or not, without those of their outline. */
  cellIds(): number[] {
    const kept = new CellStore(this.store.database).load(widthFor(this.#dimension), () => () => {});
    const parts = new Set(kept?.directory.parts.map(({ id }) => id));
    const statement = this.store.database.prepare('SELECT id FROM cells ORDER BY id');
    return statement
      .all()
      .map(([id]) => Number(id))
      .filter((id) => !parts.has(id));
  }

  search(query: Float32Array, k: number, recall: number): Hit[] {
    return this.store.read((state) => {
      this.indexes.follow(state);
      const { live } = this.indexes;
      const found = this.indexes.vectors(this.#dimension).search(query, k, live, live.count(), { recall });
      return Array.from(found.slots, (slot, i) => {
        return { id: this.store.liveRow(this.indexes.rowAt(slot)).id, distance: found.distances[i]! };
      });
    });
  }

  /** The records as they are in the file. */
  model(): NaiveCollection {
    return this.store.read(() => {
      const model = new NaiveCollection(this.#space);
      const table = this.store.vectors(this.#dimension);
      for (const { id, row, vectorChecksum } of this.store.scan()) {
        model.add([{ id, embedding: table.read(row, vectorChecksum).slice(), group: 0, word: '' }]);
      }
      return model;
    });
  }

  /** What the index in memory holds otherwise than the records. */
  faults(): unknown[] {
    return this.store.read((state) => {
      const misplaced = this.indexes.misplacedRows(state);
      const records = [...this.store.scan()];
      const table = this.store.vectors(this.#dimension);
      const range = { after: 0, last: Number.MAX_SAFE_INTEGER };
      const faults = this.indexes.verifyVectors(state, range, records, ({ row, vectorChecksum }) =>
        table.read(row, vectorChecksum).slice(),
      );
      return [...misplaced, ...faults];
    });
  }
}

/** Copies a file of SQLite that is open, with what its log has, as a kill would leave them. */
export function copyAsLeft(from: string, to: string): void {
  for (const suffix of ['', '-wal']) {
    if (existsSync(`${from}${suffix}`)) copyFileSync(`${from}${suffix}`, `${to}${suffix}`);
  }
}

/**
 * Replaces what is kept in a file that nobody has open: the cells as `change` gives them, sound as bytes,
 * under the header as it is.
 */
export function replaceKept(
  path: string,
  dimension: number,
  change: (content: StoredCell, cells: readonly NumberedCell[]) => StoredCell,
): void {
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, path });
  store.write(() => {
    const cells = new CellStore(store.database);
    const { directory, contents: kept } = loadKept(cells, Math.ceil(dimension / 32) * 32)!;
    const serial = cells.takeOver();
    const places = new Map<number, CellPlace>();
    for (const { cell, content } of kept) places.set(cell, cells.add(encodeCell(change(content, kept))));
    cells.commit(serial, { ...directory, places });
  });
  store.close();
}
