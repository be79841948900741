/**
 * Damage to what the vector index keeps in the file: whatever is done to it, the answers are right, since
 * the records are the truth and the index is made anew.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, CollectionScope, Neighbours } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import type { SqlDatabase, SqlRow, SqlValue } from '../../src/sqlite/index.ts';
import { batchOf, getRequest } from '../support/batches.ts';
import { makeCollection } from '../support/database.ts';
import { FAMILIES } from '../support/hard-vectors.ts';
import { CELL_TABLES, collectionFile, SMALL_INDEX, withFile } from '../support/kept-cells.ts';
import { NaiveCollection, nearestRequest, testRecord } from '../support/naive-collection.ts';
import { RecallTally } from '../support/recall-tally.ts';
import { tickingClock } from '../support/ticking-clock.ts';

const SEED = 20_261_124;
const RECORD_COUNT = 400;
const DIMENSION = 24;
/** Damages of each kind. */
const ROUNDS = 4;
const MINUTE_MS = 60_000;

/** A collection whose cells are in its file, closed. */
interface Golden {
  readonly path: string;
  readonly file: string;
  readonly intact: string;
  readonly scope: CollectionScope;
  readonly model: NaiveCollection;
}

function open(path: string): Promise<Backend> {
  return openDatabase({ path, threads: 0 }, { clock: tickingClock(0.1), indexTuning: SMALL_INDEX });
}

async function makeGolden(path: string): Promise<Golden> {
  const backend = await open(path);
  const scope = await makeCollection(backend);
  const draw = FAMILIES['clustered unit vectors'](DIMENSION, seededNumbers(SEED));
  const model = new NaiveCollection('l2');
  const records = Array.from({ length: RECORD_COUNT }, (_, i) => {
    return { id: `r${i}`, embedding: draw(), group: i % 100, word: 'amber' };
  });
  model.add(records);
  await backend.add(scope, batchOf(...records.map(testRecord)));
  await backend.settle(scope);
  // Some records are changed after the cells that hold them were kept.
  const changed = records.slice(0, 20).map((record) => ({ ...record, embedding: draw() }));
  await backend.upsert(scope, batchOf(...changed.map(testRecord)));
  model.upsert(changed);
  await backend.close();
  const file = collectionFile(path, scope.collectionId);
  const intact = `${file}-intact`;
  copyFileSync(file, intact);
  return { path, file, intact, scope, model };
}

let golden: Golden;

beforeAll(async () => {
  golden = await makeGolden(mkdtempSync(join(tmpdir(), 'tessera-cells-')));
});

beforeEach(() => copyFileSync(golden.intact, golden.file));

afterAll(() => rmSync(golden.path, { recursive: true, force: true }));

/**
 * Opens the file as it is and compares all answers; to the end also when the index has settled, which takes
 * most of the time.
 */
async function expectRight(model: NaiveCollection, isToTheEnd = true): Promise<void> {
  const { path, scope } = golden;
  const tally = new RecallTally();
  const backend = await open(path);
  try {
    const records = [...model.records.values()];
    const queries = records.filter((_, i) => i % 9 === 0).map(({ embedding }) => embedding);
    const expected = queries.map((query) => model.nearest(query, 5));
    const hitsOf = ({ ids, distances }: Neighbours): { id: string; distance: number }[] =>
      ids.map((id, i) => ({ id, distance: distances![i]! }));
    const check = async (): Promise<void> => {
      const found = await backend.query(scope, nearestRequest(queries, 5, null));
      for (const [i, neighbours] of found.entries()) {
        expect(neighbours.ids).toHaveLength(5);
        tally.note(null, hitsOf(neighbours), expected[i]!);
      }
      const exact = await backend.query(scope, nearestRequest(queries, 5, 1));
      expect(exact.map(hitsOf)).toEqual(expected);
      expect(
        (await backend.query(scope, nearestRequest(queries.slice(0, 1), 1_000, 0.5)))[0]!.ids,
      ).toHaveLength(records.length);
    };
    await check();
    expect((await backend.get(scope, getRequest({ include: [] }))).ids).toEqual([...model.records.keys()]);
    expect(await backend.verify(scope)).toMatchObject({ recordCount: records.length, faultCount: 0 });
    if (isToTheEnd) {
      await backend.settle(scope);
      await check();
      expect((await backend.statistics(scope)).vectors).toMatchObject({ kind: 'cells', lag: 0 });
      expect(await backend.verify(scope)).toMatchObject({ recordCount: records.length, faultCount: 0 });
    }
    expect(tally.shortfalls()).toEqual([]);
  } finally {
    await backend.close();
  }
}

/** A table read whole, with the places of its key columns. */
interface Table {
  readonly columns: readonly string[];
  readonly keys: readonly number[];
  readonly rows: readonly SqlRow[];
}

function readTable(database: SqlDatabase, name: string): Table {
  const described = database.prepare(`SELECT name, pk FROM pragma_table_info('${name}')`).all();
  const rows = database.prepare(`SELECT * FROM ${name}`).all();
  const keys = described.flatMap(([, key], i) => (Number(key) > 0 ? [i] : []));
  return { columns: described.map(([column]) => String(column)), keys, rows };
}

function writeTable(database: SqlDatabase, name: string, { columns }: Table, rows: readonly SqlRow[]): void {
  database.exec(`DELETE FROM ${name}`);
  const places = columns.map(() => '?').join(', ');
  const insert = database.prepare(
    `INSERT OR REPLACE INTO ${name} (${columns.join(', ')}) VALUES (${places})`,
  );
  for (const row of rows) insert.run(...row);
}

/** A value with one bit another one. */
function flipped(value: SqlValue, chance: () => number): SqlValue {
  if (value instanceof Uint8Array) {
    const bytes = value.slice();
    if (bytes.length > 0) bytes[Math.floor(chance() * bytes.length)]! ^= 1 << Math.floor(chance() * 8);
    return bytes;
  }
  if (typeof value === 'number') return value + 1;
  return typeof value === 'string' ? `${value}x` : value;
}

/** What is done to the rows of a table; gives the rows after it. */
type Damage = (table: Table, chance: () => number) => SqlRow[];

const pick = (count: number, chance: () => number): number => Math.floor(chance() * count);

const DAMAGES: Readonly<Record<string, Damage>> = {
  'a bit of a value is flipped': ({ rows, columns }, chance) => {
    const [row, column] = [pick(rows.length, chance), pick(columns.length, chance)];
    return rows.map((values, i) =>
      i === row ? values.map((value, c) => (c === column ? flipped(value, chance) : value)) : values,
    );
  },
  'bits of all blobs are flipped': ({ rows }, chance) =>
    rows.map((values) =>
      values.map((value) => (value instanceof Uint8Array ? flipped(value, chance) : value)),
    ),
  'a row is missing': ({ rows }, chance) => {
    const row = pick(rows.length, chance);
    return rows.filter((_, i) => i !== row);
  },
  'all rows are missing': () => [],
  'a row is there twice, under another key': ({ rows, keys }, chance) => {
    const copy = [...rows[pick(rows.length, chance)]!];
    for (const key of keys) copy[key] = typeof copy[key] === 'number' ? 1_000_000 : `${copy[key]}-again`;
    return [...rows, copy];
  },
  'two rows have each other’s content': ({ rows, keys }, chance) => {
    const [a, b] = [pick(rows.length, chance), pick(rows.length, chance)];
    const keyed = (values: SqlRow, owner: SqlRow): SqlRow =>
      values.map((value, c) => (keys.includes(c) ? owner[c]! : value));
    return rows.map((values, i) => {
      if (i === a) return keyed(rows[b]!, values);
      return i === b ? keyed(rows[a]!, values) : values;
    });
  },
  'the end of a blob is cut off': ({ rows }, chance) => {
    const row = pick(rows.length, chance);
    return rows.map((values, i) =>
      values.map((value) =>
        i === row && value instanceof Uint8Array ? value.slice(0, pick(value.length, chance)) : value,
      ),
    );
  },
  'a blob is empty, a number no integer, a text a number': ({ rows, keys }, chance) => {
    const row = pick(rows.length, chance);
    return rows.map((values, i) =>
      values.map((value, c) => {
        if (i !== row || keys.includes(c)) return value;
        if (value instanceof Uint8Array) return new Uint8Array();
        return typeof value === 'number' ? value + 0.5 : 7;
      }),
    );
  },
};

describe.each(CELL_TABLES)('damage to the table %s', (name) => {
  test.each(Object.entries(DAMAGES))(
    '%s: the answers are right',
    async (_, damage) => {
      const chance = seededNumbers(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        copyFileSync(golden.intact, golden.file);
        withFile(golden.file, (database) => {
          // Damage does not ask what a table allows.
          database.exec('PRAGMA ignore_check_constraints = ON');
          const table = readTable(database, name);
          expect(table.rows.length).toBeGreaterThan(0);
          database.write(() => writeTable(database, name, table, damage(table, chance)));
        });
        await expectRight(golden.model, round === ROUNDS - 1);
      }
    },
    MINUTE_MS,
  );

  test('the table is gone: the answers are right', async () => {
    withFile(golden.file, (database) => database.exec(`DROP TABLE ${name}`));
    await expectRight(golden.model);
  });

  test('the root page of the table is overwritten: the answers are right', async () => {
    const [page, pageSize] = withFile(golden.file, (database) => [
      Number(database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name)![0]),
      Number(database.pragma('page_size')),
    ]);
    const bytes = readFileSync(golden.file);
    bytes.fill(0xa5, (page! - 1) * pageSize!, page! * pageSize!);
    writeFileSync(golden.file, bytes);
    await expectRight(golden.model);
  });
});

describe('tables of another time', () => {
  const choices: readonly (readonly [string, readonly string[]])[] = [
    ['the cells and their position together, as one transaction wrote them', CELL_TABLES],
    ...CELL_TABLES.map((name) => [`${name} alone`, [name]] as const),
  ];
  test.each(choices)('%s: rows that have changed since are found all the same', async (_, names) => {
    const former = withFile(golden.file, (database) =>
      names.map((name) => [name, readTable(database, name)] as const),
    );
    const backend = await open(golden.path);
    const draw = FAMILIES.gaussian(DIMENSION, seededNumbers(SEED + 1));
    const moved = [...golden.model.records.values()]
      .filter((_, i) => i % 3 === 0)
      .map((record) => ({ ...record, embedding: draw() }));
    await backend.upsert(golden.scope, batchOf(...moved.map(testRecord)));
    await backend.settle(golden.scope);
    await backend.close();
    withFile(golden.file, (database) => {
      for (const [name, table] of former) writeTable(database, name, table, table.rows);
    });
    const model = new NaiveCollection('l2');
    model.add([...golden.model.records.values()]);
    model.upsert(moved);
    await expectRight(model);
  });
});
