import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { batchOf, type TestRecord } from '../../test/support/batches.ts';
import { pagesWithRemnants } from '../../test/support/gaps.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { DEFAULT_SETTINGS } from '../api/index.ts';
import { seededNumbers } from '../base/index.ts';
import { PAGE_BYTES, RecordStore, type RecordWriter } from '../records/index.ts';
import { contentBytes, isWhole, openSqlDatabase, readLeafPage, type SqlRow } from '../sqlite/index.ts';
import { outstandingChanges, type PassOutcome, RemnantPass } from './remnants.ts';

/** Numbers that begin lives. */
const SEEDS = Array.from({ length: 6 }, (_, i) => 20_261_130 + i);

function open(path: string): RecordStore {
  const store = RecordStore.open({ ...DEFAULT_SETTINGS, busyTimeoutMs: 100, path });
  onTestFinished(() => store.close());
  return store;
}

function write(store: RecordStore, call: (writer: RecordWriter) => void): void {
  const [outcome] = store.writeGroup([call]);
  if (!outcome!.ok) throw outcome!.error;
}

/** A life of one collection: records of all lengths that come, change and go. */
class Life {
  readonly path = join(temporaryDirectory(), 'c.sqlite3');
  readonly store = open(this.path);
  readonly live = new Map<string, TestRecord>();
  readonly gone: TestRecord[] = [];
  readonly #chance: () => number;
  readonly #dimension: number;
  #count = 0;

  constructor(seed: number) {
    this.#chance = seededNumbers(seed);
    // Blocks of 1,536 components are so short in their pages that these have several.
    this.#dimension = [2, 24, 1_536][seed % 3]!;
  }

  static grown(seed: number): Life {
    const life = new Life(seed);
    for (let turn = 0; turn < 10; turn++) {
      life.put(30);
      life.remove(0.15);
    }
    return life;
  }

  #below(limit: number): number {
    return Math.floor(this.#chance() * limit);
  }

  #record(id: string): TestRecord {
    const number = this.#count++;
    const wordCount = this.#chance() < 0.05 ? this.#below(600) : this.#below(40);
    return {
      id,
      document: `<${number}> ${'some text '.repeat(wordCount)}`,
      metadata: JSON.stringify({ number: `(${number})` }),
      embedding: Array.from({ length: this.#dimension }, () => Math.fround(this.#chance() - 0.5)),
    };
  }

  /** Adds some, or changes some that are there. */
  put(count: number): void {
    const known = [...this.live.keys()];
    const records = Array.from({ length: count }, () => {
      const isNew = known.length === 0 || this.#chance() < 0.4;
      return this.#record(isNew ? `id-${this.#count}` : known[this.#below(known.length)]!);
    });
    write(this.store, (writer) => writer.upsert(batchOf(...records)));
    for (const record of records) {
      const former = this.live.get(record.id);
      if (former !== undefined) this.gone.push(former);
      this.live.set(record.id, record);
    }
  }

  remove(share: number): void {
    const victims = [...this.live.values()].filter(() => this.#chance() < share);
    const rows = victims.map(({ id }) => this.store.read(() => this.store.byId(id)!.row));
    write(this.store, (writer) => writer.delete(rows));
    for (const victim of victims) this.live.delete(victim.id);
    this.gone.push(...victims);
  }

  /** Makes a pass; returns how it ends. `between` is done after each slice. */
  erase(between: () => void = () => {}, store = this.store): PassOutcome {
    const pass = new RemnantPass(store);
    for (let count = 0; count < 10_000; count++) {
      const outcome = pass.step(store, false);
      if (outcome !== 'more') return outcome;
      between();
    }
    throw new Error('The pass does not end.');
  }

  get outstanding(): number {
    return outstandingChanges(this.store).changeCount;
  }

  /** Those that are gone and of whose text, metadata or embedding something is in the file. */
  found(): TestRecord[] {
    expect(this.store.database.foldLog()).toBe(true);
    const bytes = readFileSync(this.path);
    return this.gone.filter(({ document, embedding, metadata }) => {
      const numbers = Buffer.from(Float32Array.from(embedding!).buffer).subarray(0, 64);
      return [/<.*> /.exec(document!)![0], metadata!, numbers].some((needle) => bytes.includes(needle));
    });
  }

  /** The sum of everything that is stored, but for how far it is erased. */
  content(): string {
    const sum = createHash('sha256');
    for (const table of ['records', 'changes', 'vectors', 'state']) {
      const rows = this.store.database.prepare(`SELECT * FROM ${table} ORDER BY 1`).all();
      for (const value of rows.flat()) sum.update(value instanceof Uint8Array ? value : `${value};`);
    }
    return sum.digest('hex');
  }

  /** How many rows are on the pages, in the order of the rows, and what is free there. */
  layout(): SqlRow[] {
    const sql = `SELECT name, path, ncell, unused FROM dbstat
      WHERE name IN ('records', 'vectors') AND pagetype = 'leaf' ORDER BY name, path`;
    return this.store.database.prepare(sql).all();
  }
}

const lengthOf = (type: number): number => (type < 128 ? 1 : type < 16_384 ? 2 : 3);

/**
 * Lets every other row that goes on at another page do so at one that is full of whole rows, wherever its own
 * page has something in its gap, and shortens a number in it. Returns how many.
 */
function leadAstray(path: string): number {
  const bytes = readFileSync(path);
  const starts = Array.from({ length: bytes.length / PAGE_BYTES }, (_, i) => i * PAGE_BYTES);
  const pages = starts.flatMap((start) => {
    const page = readLeafPage(bytes.subarray(start, start + PAGE_BYTES));
    return page === null || page.rows[0]?.types.length !== 8 ? [] : [{ start, page }];
  });
  // The last: SQLite would see through it where it has read the page already.
  const full = pages.filter(
    ({ page }) => page.rows.length > 4 && page.rows.every((row) => isWhole(row, page)),
  );
  const victim = full.sort((a, b) => a.page.rows[0]!.key - b.page.rows[0]!.key).at(-1)!;
  let count = 0;
  for (const { start, page } of pages.filter((one) => one.page.hasRemnants)) {
    const astray = page.rows.filter((row) => !isWhole(row, page)).filter((_, i) => i % 2 === 0);
    for (const { place, bytes: length, key, types } of astray) {
      bytes.writeUInt32BE(victim.start / PAGE_BYTES + 1, start + place + length - 4);
      // The first byte of the sequence, which SQLite would then write in one byte less.
      const header = types.reduce((sum, type) => sum + lengthOf(type), 1);
      bytes[start + place + 2 + lengthOf(key) + header + contentBytes(types[1]!)] = 0;
      count++;
    }
  }
  writeFileSync(path, bytes);
  return count;
}

describe('a pass', () => {
  it.each(SEEDS)(
    'leaves nothing of what is gone, and the rest as it is and where it is (seed %i)',
    (seed) => {
      const life = Life.grown(seed);
      life.found();
      const { records, vectors } = pagesWithRemnants(life.path);
      expect(records).toBeGreaterThan(0);
      if (seed % 3 === 2) expect(vectors).toBeGreaterThan(0);
      const before = [life.content(), life.layout()];
      life.erase();
      expect(life.found()).toEqual([]);
      expect(pagesWithRemnants(life.path)).toEqual({ records: 0, vectors: 0 });
      expect([life.content(), life.layout()]).toEqual(before);
      expect(life.store.database.pragma('integrity_check')).toBe('ok');
    },
  );

  it('is needed: without one, something of some of them is found', () => {
    expect(SEEDS.flatMap((seed) => Life.grown(seed).found())).not.toEqual([]);
  });

  it('is made of slices between which others write', () => {
    const life = Life.grown(1);
    const other = open(life.path);
    const ids: string[] = [];
    const add = (): void => {
      const record = { id: `other-${ids.length}`, document: 'more', embedding: Array<number>(24).fill(1) };
      ids.push(record.id);
      write(other, (writer) => writer.add(batchOf(record)));
    };
    expect(life.erase(add)).toBe('done');
    expect(life.found()).toEqual([]);
    expect(ids.length).toBeGreaterThan(2);
    expect(ids.map((id) => life.store.read(() => life.store.byId(id)?.document))).toEqual(
      ids.map(() => 'more'),
    );
  });

  it('goes on by another connection where the first was closed', () => {
    const life = Life.grown(1);
    const pass = new RemnantPass(life.store);
    expect(pass.step(life.store, false)).toBe('more');
    life.store.close();
    const again = open(life.path);
    while (pass.step(again, false) === 'more');
    expect(outstandingChanges(again).changeCount).toBe(0);
    expect(pagesWithRemnants(life.path)).toEqual({ records: 0, vectors: 0 });
  });

  it('does not count for what is deleted while it is made', () => {
    const life = Life.grown(2);
    let isRemoved = false;
    const remove = (): void => {
      if (!isRemoved) life.remove(0.5);
      isRemoved = true;
    };
    expect(life.erase(remove)).toBe('done');
    expect(life.outstanding).toBeGreaterThan(0);
    expect(life.erase()).toBe('done');
    expect(life.outstanding).toBe(0);
    expect(life.found()).toEqual([]);
  });

  it('is outstanding for changes and deletions, not where records only came', () => {
    const life = new Life(4);
    write(life.store, (writer) => writer.add(batchOf({ id: 'a', embedding: [1, 2] })));
    expect(outstandingChanges(life.store)).toEqual({ total: 0, changeCount: 0, recordCount: 1 });
    const grown = Life.grown(3);
    expect(grown.outstanding).toBe(grown.gone.length);
    grown.erase();
    expect(outstandingChanges(open(grown.path)).changeCount).toBe(0);
    grown.remove(0.1);
    expect(grown.outstanding).toBeGreaterThan(0);
  });

  it('changes nothing while another connection has the lock, and says so', () => {
    const life = Life.grown(5);
    const other = openSqlDatabase({ path: life.path, readOnly: false, busyTimeoutMs: 1 });
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    const before = life.content();
    expect(life.erase()).toBe('locked');
    const waiting = new RemnantPass(life.store);
    expect(() => waiting.step(life.store, true)).toThrow(expect.objectContaining({ code: 'TESSERA_BUSY' }));
    other.exec('COMMIT');
    expect([life.content(), life.outstanding > 0]).toEqual([before, true]);
    expect(life.erase()).toBe('done');
    expect(life.found()).toEqual([]);
  });

  it('alters nothing of rows that are damaged, and does the others', () => {
    const life = Life.grown(6);
    const [first, second, third] = [...life.live.keys()];
    life.store.database.exec(`UPDATE records SET sequence = 'x' WHERE id = '${first}'`);
    life.store.database.exec(`UPDATE records SET checksum = 0.5, sequence = -7 WHERE id = '${second}'`);
    life.store.database.exec(`UPDATE records SET document = CAST('7' AS BLOB) WHERE id = '${third}'`);
    const before = life.content();
    expect(life.erase()).toBe('incomplete');
    expect(life.content()).toEqual(before);
    life.found();
    expect(pagesWithRemnants(life.path)).toEqual({ records: 0, vectors: 0 });
  });

  it('lets only rows grow whose checksum agrees, and says when there is none', () => {
    const life = Life.grown(8);
    const { database } = life.store;
    database.exec('UPDATE records SET vector_checksum = vector_checksum + 1');
    const before = life.content();
    expect(life.erase()).toBe('incomplete');
    expect([life.content(), life.outstanding > 0]).toEqual([before, true]);
    database.exec('UPDATE records SET vector_checksum = vector_checksum - 1 WHERE row % 2 = 0');
    life.erase();
    life.found();
    const rest = pagesWithRemnants(life.path).records;
    database.exec('UPDATE records SET vector_checksum = vector_checksum - 1 WHERE row % 2 = 1');
    expect(life.erase()).toBe('done');
    life.found();
    expect([rest, pagesWithRemnants(life.path)]).toEqual([0, { records: 0, vectors: 0 }]);
  });

  it('frees no page that a damaged row names and other records are on', () => {
    const path = join(temporaryDirectory(), 'c.sqlite3');
    const store = open(path);
    const ids = Array.from({ length: 400 }, (_, i) => `${i}`);
    for (let turn = 0; turn < 5; turn++) {
      // Pages of long ones alone, and others.
      const lengthOf = (i: number): number => (i < 200 ? 2_300 : 20) + ((i * 37 + turn * 53) % 300);
      const records = ids.map((id, i) => ({ id, document: id.padEnd(lengthOf(i), '.'), embedding: [i] }));
      write(store, (writer) => writer.upsert(batchOf(...records)));
    }
    store.close();
    expect(leadAstray(path)).toBeGreaterThan(5);
    const rows = ids.map((_, i) => i + 1);
    const soundRows = (): number[] => {
      const reader = open(path);
      const sound = rows.filter((row) => reader.read(() => reader.examineRow(row)?.record));
      reader.close();
      return sound;
    };
    const before = soundRows();
    const again = open(path);
    const pass = new RemnantPass(again);
    try {
      while (pass.step(again, false) === 'more');
    } catch (error) {
      expect(error).toMatchObject({ code: 'TESSERA_CORRUPT' });
    }
    again.close();
    expect(soundRows()).toEqual(before);
  });

  it.each([
    ['for fewer changes', 'UPDATE erased SET changes = 1'],
    ['for more changes than there were', 'UPDATE erased SET changes = changes + 16384'],
    ['there is none', 'DELETE FROM erased'],
  ])('is made again where the note of the last one was damaged: %s', (_what, damage) => {
    const life = Life.grown(7);
    expect(life.erase()).toBe('done');
    life.store.database.exec(damage);
    expect(life.outstanding).toBeGreaterThan(0);
    expect(life.erase()).toBe('done');
    expect(life.outstanding).toBe(0);
  });
});
