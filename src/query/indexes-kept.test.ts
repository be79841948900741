/** Indexes that begin with the cells in the file, whatever has happened to the records since. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { batchOf } from '../../test/support/batches.ts';
import { loadKept } from '../../test/support/cell-loading.ts';
import { FAMILIES } from '../../test/support/hard-vectors.ts';
import { SMALL_TUNING } from '../../test/support/kept-cells.ts';
import { KeptCollection, replaceKept } from '../../test/support/kept-collection.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { seededNumbers } from '../base/index.ts';
import { CellStore } from '../vectors/index.ts';
import type { IndexOptions } from './indexes.ts';

const DIMENSION = 24;
const WIDTH = 32;
const COUNT = 400;

const ids = (count: number, first = 0): string[] => Array.from({ length: count }, (_, i) => `r${first + i}`);

class Scene {
  readonly path: string = join(temporaryDirectory(), 'collection.sqlite3');
  readonly draw: () => Float32Array = FAMILIES.gaussian(DIMENSION, seededNumbers(5));

  /** A collection of `COUNT` records with cells in its file, and nothing open. */
  constructor(count = COUNT) {
    const collection = this.open();
    collection.upsert(ids(count), this.draw);
    collection.settle();
    expect(collection.statistics).toMatchObject({ kind: 'cells', savedPosition: count });
    collection.store.close();
  }

  open(options: Partial<IndexOptions> = {}): KeptCollection {
    const collection = new KeptCollection(this.path, DIMENSION, options);
    onTestFinished(() => collection.store.close());
    return collection;
  }

  /** Changes the records by an opener that keeps no vectors, as a writer's thread does. */
  change(work: (writer: KeptCollection) => void): void {
    const writer = this.open({ keepsCells: false, keepsVectors: false });
    work(writer);
    writer.store.close();
  }
}

/** The next opener finds all rows in kept cells, and answers rightly. */
function expectSoundForNext(scene: Scene): void {
  const next = scene.open();
  next.follow();
  expect(next.statistics).toMatchObject({ kind: 'cells', waitingCount: 0 });
  expectRight(scene, next);
}

/** Follows, and compares with the records, with an index that was made from them alone, and when settled. */
function expectRight(scene: Scene, collection: KeptCollection): void {
  const fresh = scene.open({ keepsCells: false, tuning: {} });
  const model = collection.model();
  const check = (): void => {
    expect(collection.faults()).toEqual([]);
    const queries = [scene.draw(), ...[...model.records.values()].slice(0, 40).map((one) => one.embedding)];
    let found = 0;
    for (const query of queries) {
      const expected = model.nearest(query, 5);
      expect(fresh.search(query, 5, 1)).toEqual(expected);
      expect(collection.search(query, 5, 1)).toEqual(expected);
      const hits = new Set(collection.search(query, 5, 0.99).map(({ id }) => id));
      expect(hits.size).toBe(expected.length);
      found += expected.filter(({ id }) => hits.has(id)).length / expected.length;
    }
    expect(found / queries.length).toBeGreaterThanOrEqual(0.95);
  };
  check();
  collection.settle();
  check();
  expect(collection.statistics).toMatchObject({ lag: 0 });
  if (model.records.size < SMALL_TUNING.startCount) return;
  expect(collection.statistics).toMatchObject({ kind: 'cells', waitingCount: 0 });
}

/** Changes of records after their cells were kept. */
const CHANGES: Readonly<Record<string, (writer: KeptCollection, scene: Scene) => void>> = {
  nothing: () => {},
  'records were added': (writer, { draw }) => writer.upsert(ids(70, COUNT), draw),
  'embeddings were changed': (writer, { draw }) => writer.upsert(ids(90, 30), draw),
  'an embedding was changed and changed back': (writer, { draw }) => {
    const former = writer.model().records.get('r7')!.embedding;
    writer.upsert(['r7'], draw);
    writer.upsert(['r7'], () => former);
  },
  'metadata alone was changed': (writer) =>
    writer.write((call) =>
      call.update(batchOf(...ids(50).map((id) => ({ id, metadata: '{"colour":"red"}' })))),
    ),
  'records were deleted': (writer) => writer.delete(ids(90, 200)),
  'nearly all records were deleted': (writer) => writer.delete(ids(COUNT - 5, 2)),
  'records were deleted and added again': (writer, { draw }) => {
    writer.delete(ids(40, 100));
    writer.upsert(ids(40, 100), draw);
  },
  'everything was changed': (writer, { draw }) => writer.upsert(ids(COUNT), draw),
  'all of it happened': (writer, { draw }) => {
    writer.upsert(ids(70, COUNT), draw);
    writer.delete(ids(60, 20));
    writer.upsert(ids(60, 50), draw);
    writer.delete(ids(30, COUNT));
  },
};

describe('an index that begins with kept cells equals one made of the records', () => {
  test.each(Object.entries(CHANGES))('after %s', (_, change) => {
    const scene = new Scene();
    scene.change((writer) => change(writer, scene));
    expectRight(scene, scene.open());
  });

  test.each(Object.entries(CHANGES))('while it is in use: %s', (_, change) => {
    const scene = new Scene();
    const collection = scene.open();
    collection.follow();
    scene.change((writer) => change(writer, scene));
    expectRight(scene, collection);
  });

  test('again and again, each time with what the last one kept and left', () => {
    const scene = new Scene();
    for (const [round, change] of [...Object.values(CHANGES), ...Object.values(CHANGES)].entries()) {
      scene.change((writer) => {
        writer.upsert(ids(COUNT), scene.draw);
        if (round % 2 === 0) change(writer, scene);
      });
      const collection = scene.open();
      collection.follow();
      if (round % 2 === 1) change(collection, scene);
      if (round % 3 === 0) collection.upsert(ids(15, 3 * round), scene.draw);
      collection.settle();
      expect(collection.faults()).toEqual([]);
      collection.store.close();
    }
    expectRight(scene, scene.open());
  });

  test('after deletions whose traces are gone', () => {
    const scene = new Scene(1_600);
    const inUse = scene.open();
    inUse.follow();
    scene.change((writer) => {
      writer.delete(ids(900, 100));
      writer.delete(ids(200, 1_100));
      writer.upsert(ids(120, 5_000), scene.draw);
      writer.upsert(ids(50), scene.draw);
      const { purgedSequence } = writer.store.read((state) => state);
      expect(purgedSequence).toBeGreaterThan(1_600);
    });
    expectRight(scene, scene.open());
    expectRight(scene, inUse);
  }, 30_000);
});

test('opening with kept cells reads no record, and takes no row in anew', () => {
  const scene = new Scene();
  const collection = scene.open();
  collection.store.scan = () => {
    throw new Error('The records were read.');
  };
  collection.store.rows = () => {
    throw new Error('The rows were read.');
  };
  collection.follow();
  expect(collection.statistics).toMatchObject({ kind: 'cells', waitingCount: 0, savedPosition: COUNT });
});

test('what is kept in the file is told before anything is loaded', () => {
  const scene = new Scene();
  scene.change((writer) => writer.upsert(ids(3), scene.draw));
  const { statistics } = scene.open();
  expect(statistics).toMatchObject({ kind: 'unloaded', savedPosition: COUNT, position: 0, lag: COUNT + 3 });
  expect(scene.open({ keepsVectors: false }).statistics).toMatchObject({ savedPosition: COUNT });
});

test('the recall is kept as it was measured last, also where nothing else has changed', () => {
  const scene = new Scene();
  const collection = scene.open();
  collection.follow();
  const vectors = collection.indexes.vectors(DIMENSION);
  const former = [...vectors.header!.recalls];
  // As if the rows were other ones: they are taken in and measured anew.
  for (let slot = 0; slot < COUNT; slot += 2) vectors.announce(slot);
  collection.settle();
  const { recalls } = vectors.header!;
  expect([...recalls]).not.toEqual(former);
  const kept = collection.store.read(() => loadKept(new CellStore(collection.store.database), WIDTH)!);
  expect(kept.directory.recalls).toEqual(recalls);
});

test('a recall that was measured among other rows is not believed', () => {
  const scene = new Scene();
  const before = scene.open();
  before.follow();
  expect(before.statistics.effort).not.toBeNull();
  scene.change((writer) => writer.upsert(ids(COUNT), scene.draw));
  const collection = scene.open();
  collection.follow();
  expect(collection.statistics).toMatchObject({ kind: 'cells', effort: null });
  collection.settle();
  expect(collection.statistics.effort).not.toBeNull();
});

test('a header that stands for a later state than the records is of no use', () => {
  const scene = new Scene();
  const { store } = scene.open({ keepsCells: false });
  store.write(() => {
    const cells = new CellStore(store.database);
    const { directory, serial } = loadKept(cells, WIDTH)!;
    cells.commit(serial, { ...directory, position: 1_000_000 });
  });
  store.close();
  expectRight(scene, scene.open());
});

test('an outline that is damaged is replaced, though no record has changed', () => {
  const scene = new Scene();
  scene.change(({ store }) =>
    store.write(() => {
      const { parts } = loadKept(new CellStore(store.database), WIDTH)!.directory;
      store.database.exec(`UPDATE cells SET data = zeroblob(length(data)) WHERE id = ${parts[0]!.id}`);
    }),
  );
  const collection = scene.open();
  collection.follow();
  expect(collection.statistics).toMatchObject({ kind: 'exact', savedPosition: 0 });
  collection.settle();
  expect(collection.statistics).toMatchObject({ kind: 'cells', savedPosition: COUNT });
  expectSoundForNext(scene);
});

describe('cells whose entries are read when they are needed', () => {
  /** Cells that were read of those in the file. */
  function counted(collection: KeptCollection): () => number {
    let count = 0;
    const { database } = collection.store;
    const prepare = database.prepare.bind(database);
    database.prepare = (sql) => {
      const statement = prepare(sql);
      if (sql !== 'SELECT data FROM cells WHERE id = ?') return statement;
      const get: typeof statement.get = (...values) => {
        count++;
        return statement.get(...values);
      };
      return { ...statement, get };
    };
    return () => count;
  }

  test('are read by the searches that come to them, and all in idle time', () => {
    const scene = new Scene();
    const collection = scene.open();
    const read = counted(collection);
    collection.follow();
    const ofOutline = read();
    const [query] = [...collection.model().records.values()].map((one) => one.embedding);
    expect(collection.search(query!, 1, 0.9)[0]!.distance).toBe(0);
    const afterOne = read() - ofOutline;
    const { cellCount } = collection.statistics;
    expect(afterOne).toBeGreaterThan(0);
    expect(afterOne).toBeLessThan(cellCount);
    collection.search(query!, 1, 0.9);
    expect(read() - ofOutline).toBe(afterOne);
    collection.settle();
    expect(read() - ofOutline).toBe(cellCount);
    expect(collection.faults()).toEqual([]);
  });

  test('hide no row when they are gone or damaged by then, and are kept anew', () => {
    const scene = new Scene();
    const collection = scene.open();
    collection.follow();
    scene.change(({ store }) =>
      store.write(() => {
        const { places } = loadKept(new CellStore(store.database), WIDTH)!.directory;
        const [gone, damaged, other, another] = [...places.values()];
        store.database.exec(`DELETE FROM cells WHERE id = ${gone!.id}`);
        store.database.exec(`UPDATE cells SET data = zeroblob(length(data)) WHERE id = ${damaged!.id}`);
        const copy = `(SELECT data FROM cells WHERE id = ${another!.id})`;
        store.database.exec(`UPDATE cells SET data = ${copy} WHERE id = ${other!.id}`);
      }),
    );
    for (const opened of [scene.open({ keepsCells: false }), collection]) {
      for (const { id, embedding } of opened.model().records.values()) {
        expect(opened.search(embedding, 1, 0.99)[0]).toEqual({ id, distance: 0 });
      }
      expect(opened.statistics.waitingCount).toBeGreaterThan(0);
      expect(opened.faults()).toEqual([]);
    }
    collection.settle();
    expect(collection.statistics).toMatchObject({ waitingCount: 0, savedPosition: COUNT });
    const next = scene.open();
    next.follow();
    next.settle();
    expect(next.faults()).toEqual([]);
    expectRight(scene, scene.open());
    const kept = next.store.read(() => loadKept(new CellStore(next.store.database), WIDTH)!);
    expect(kept.inCells.rows.length).toBe(COUNT);
  });

  test('hide no row when the table that has them is gone by then', () => {
    const scene = new Scene();
    const collection = scene.open();
    collection.follow();
    scene.change(({ store }) => store.write(() => store.database.exec('DROP TABLE cells')));
    for (const { id, embedding } of collection.model().records.values()) {
      expect(collection.search(embedding, 1, 0.99)[0]).toEqual({ id, distance: 0 });
    }
    expectRight(scene, collection);
    expectRight(scene, scene.open());
  });

  test('are not missing a row that has another embedding before they are read', () => {
    const scene = new Scene();
    const collection = scene.open();
    collection.follow();
    collection.upsert(ids(3), scene.draw);
    collection.follow();
    expect(collection.indexes.vectors(DIMENSION).lostCount).toBe(0);
    expect(collection.statistics.waitingCount).toBe(3);
    expectRight(scene, collection);
  });

  test('are not said to have rows that came to them while cells were being written', () => {
    const scene = new Scene();
    const collection = scene.open();
    collection.settle();
    const former = collection.model().records.get('r7')!.embedding;
    const { row } = collection.store.read(() => collection.store.byId('r7')!);
    const vectors = collection.indexes.vectors(DIMENSION);
    vectors.beginSaving();
    const slot = collection.indexes.slotOf(row);
    expect(vectors.keptCellOf(slot)).toBeGreaterThanOrEqual(0);
    // Another embedding and the former one again: the row leaves its cell and comes back.
    collection.upsert(['r7'], scene.draw);
    collection.follow();
    collection.upsert(['r7'], () => former);
    collection.follow();
    while (collection.statistics.waitingCount > 0) {
      collection.store.read(() => vectors.maintain(0, () => 0));
    }
    expect(collection.faults()).toEqual([]);
    expect(vectors.keptCellOf(slot)).toBe(-1);
    vectors.endSaving(false);
    expect(vectors.keptCellOf(slot)).toBeGreaterThanOrEqual(0);
  });
});

describe('wrong cells are noticed and mended', () => {
  /** Repairs, and sees to it that the next opener finds sound cells in the file. */
  function expectMended(scene: Scene, collection: KeptCollection): void {
    collection.store.read((state) => collection.indexes.repairVectors(state));
    expect(collection.faults()).toEqual([]);
    collection.settle();
    expect(collection.faults()).toEqual([]);
    expect(collection.statistics).toMatchObject({ kind: 'cells', savedPosition: COUNT });
    expectSoundForNext(scene);
  }

  test('codes with other bits', () => {
    const scene = new Scene();
    replaceKept(scene.path, DIMENSION, (content) => ({
      ...content,
      codes: content.codes.map((byte) => byte ^ 0xff),
    }));
    const collection = scene.open();
    collection.follow();
    expect(collection.faults().length).toBeGreaterThan(COUNT * 0.9);
    expectMended(scene, collection);
  });

  test('one entry for the embedding of another row', () => {
    const scene = new Scene();
    replaceKept(scene.path, DIMENSION, (content, cells) => {
      if (content !== cells[0]!.content) return content;
      // The first two entries stand under each other's name, and so do their checksums.
      const swapped = <T extends Float64Array | Uint32Array>(of: T): T => {
        const copy = of.slice() as T;
        [copy[0], copy[1]] = [of[1]!, of[0]!];
        return copy;
      };
      return { ...content, rows: swapped(content.rows), checksums: swapped(content.checksums) };
    });
    const collection = scene.open();
    collection.follow();
    const message = 'The vector index holds another embedding than the file.';
    expect(collection.faults()).toEqual([
      { row: expect.any(Number), message },
      { row: expect.any(Number), message },
    ]);
    expectMended(scene, collection);
  });

  test('what was kept before a repair is not loaded again, however the index is made anew', () => {
    const scene = new Scene();
    replaceKept(scene.path, DIMENSION, (content) => ({
      ...content,
      codes: content.codes.map((byte) => byte ^ 0xff),
    }));
    const collection = scene.open();
    collection.follow();
    collection.store.read((state) => collection.indexes.repairVectors(state));
    collection.indexes.drop();
    expect(collection.faults()).toEqual([]);
  });
});
