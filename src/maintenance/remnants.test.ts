import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { batchOf, type TestRecord } from '../../test/support/batches.ts';
import { pagesWithRemnants } from '../../test/support/gaps.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { DEFAULT_SETTINGS } from '../api/index.ts';
import { seededNumbers } from '../base/index.ts';
import { RecordStore, type RecordWriter } from '../records/index.ts';
import { openSqlDatabase, type SqlRow } from '../sqlite/index.ts';
import { RemnantEraser } from './remnants.ts';

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
  readonly eraser = new RemnantEraser(this.store);
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

  erase(): void {
    const goal = this.eraser.goal();
    while (this.eraser.step(goal));
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
    const goal = life.eraser.goal();
    const ids: string[] = [];
    while (life.eraser.step(goal)) {
      const record: TestRecord = { id: `other-${ids.length}`, document: 'more', embedding: [1, 2] };
      ids.push(record.id);
      write(other, (writer) => writer.add(batchOf({ ...record, embedding: Array(24).fill(1) })));
    }
    expect(life.found()).toEqual([]);
    expect(ids.length).toBeGreaterThan(2);
    expect(ids.map((id) => life.store.read(() => life.store.byId(id)?.document))).toEqual(
      ids.map(() => 'more'),
    );
  });

  it('that is under way does not count for what is deleted meanwhile', () => {
    const life = Life.grown(2);
    life.eraser.step(life.eraser.goal());
    life.remove(0.5);
    life.erase();
    expect(life.eraser.outstanding()).toMatchObject({ changeCount: 0 });
    expect(life.found()).toEqual([]);
  });

  it('is made once, and again after the next change', () => {
    const life = Life.grown(3);
    expect(life.eraser.outstanding().changeCount).toBe(life.gone.length);
    life.erase();
    expect(life.eraser.step(life.eraser.goal())).toBe(false);
    expect(new RemnantEraser(open(life.path)).outstanding().changeCount).toBe(0);
    life.remove(0.1);
    expect(life.eraser.outstanding().changeCount).toBeGreaterThan(0);
    expect(life.eraser.step(life.eraser.goal())).toBe(true);
  });

  it('is not made where records only came', () => {
    const life = new Life(4);
    write(life.store, (writer) => writer.add(batchOf({ id: 'a', embedding: [1, 2] })));
    expect(life.eraser.outstanding()).toEqual({ changeCount: 0, recordCount: 1, goal: 0 });
    expect(life.eraser.step(0)).toBe(false);
  });

  it('is given up while another connection holds the lock, until there is another change', () => {
    const life = Life.grown(5);
    const other = openSqlDatabase({ path: life.path, readOnly: false, busyTimeoutMs: 1 });
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    const before = life.content();
    life.erase();
    expect(life.eraser.outstanding().changeCount).toBe(0);
    other.exec('COMMIT');
    expect(life.content()).toEqual(before);
    life.remove(0.1);
    expect(life.eraser.outstanding().changeCount).toBeGreaterThan(0);
    life.erase();
    expect(life.found()).toEqual([]);
  });

  it('alters nothing of rows whose numbers are damaged, and does the others', () => {
    const life = Life.grown(6);
    const [first, second] = [...life.live.keys()];
    life.store.database.exec(`UPDATE records SET sequence = 'x' WHERE id = '${first}'`);
    life.store.database.exec(`UPDATE records SET checksum = 0.5, sequence = -7 WHERE id = '${second}'`);
    const before = life.content();
    life.erase();
    expect(life.content()).toEqual(before);
    expect(life.eraser.outstanding().changeCount).toBe(0);
  });
});
