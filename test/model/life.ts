/**
 * The life of a collection: deeds as plain data, which fast-check draws and shrinks, and the one who does
 * them to a database and to the oracle alike and compares.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Backend, CollectionScope, Neighbours, Space } from '../../src/api/index.ts';
import { seededNumbers, seededRandom } from '../../src/base/index.ts';
import { SYSTEM_COMPONENTS } from '../../src/engine/components.ts';
import { LocalBackend } from '../../src/engine/local-backend.ts';
import { completeSettings } from '../../src/engine/settings.ts';
import { batchOf, deleteRequest, getRequest } from '../support/batches.ts';
import { makeCollection } from '../support/database.ts';
import { distance, FAMILIES, type FamilyName } from '../support/hard-vectors.ts';
import { collectionFile, dropFollowers, SMALL_INDEX } from '../support/kept-cells.ts';
import {
  documentOf,
  type Hit,
  NaiveCollection,
  type NaiveFilter,
  type NaiveRecord,
  nearestRequest,
  selectionOf,
  testRecord,
} from '../support/naive-collection.ts';
import type { RecallTally } from '../support/recall-tally.ts';
import { tickingClock } from '../support/ticking-clock.ts';

/** A run of ids: `count` of them, every `stride`-th from `first` on, in a circle of `ID_COUNT`. */
export interface IdRun {
  readonly first: number;
  readonly count: number;
  readonly stride: number;
}

export const ID_COUNT = 500;
/** Queries of one request. */
const QUERIES = 8;
export const WORDS: readonly string[] = ['amber', 'birch', 'cedar'];

/**
 * What the memory of an engine is changed to, in bytes: nothing fits, some vectors fit, everything fits. The
 * setting refuses the least of them, which would be nothing but a mistake.
 */
export const BUDGETS: readonly number[] = [8_192, 600_000, 512_000_000];
const AMPLE = BUDGETS.at(-1)!;

/** One step of a life. */
export type Deed =
  | { readonly kind: 'add' | 'upsert' | 'update' | 'change texts'; readonly run: IdRun }
  | { readonly kind: 'delete'; readonly filter: NaiveFilter | IdRun }
  | {
      readonly kind: 'query';
      readonly k: number;
      readonly filter: NaiveFilter | IdRun;
      readonly recall: number | null;
    }
  /** Calls that are made before the first of them is answered. */
  | { readonly kind: 'burst'; readonly runs: readonly IdRun[]; readonly k: number }
  | { readonly kind: 'maintain'; readonly turns: number }
  | { readonly kind: 'settle' | 'verify' | 'repair' }
  | { readonly kind: 'reopen' | 'kill' | 'drop followers'; readonly memory: number };

/** How a life begins. */
export interface Birth {
  readonly space: Space;
  /** Families that embeddings are drawn from in turns. */
  readonly families: readonly FamilyName[];
  readonly dimension: number;
  readonly seed: number;
  readonly tickMs: number;
  /** How many have the directory open; each deed is done by any of them. */
  readonly openers: number;
  /** Records that are there, and settled, before the first deed. */
  readonly firstCount: number;
}

/** See the top of this file. */
export class Life {
  readonly #birth: Birth;
  readonly #chance: () => number;
  readonly #draws: readonly (() => Float32Array)[];
  readonly #tally: RecallTally;
  readonly #model: NaiveCollection;
  readonly #root = mkdtempSync(join(tmpdir(), 'tessera-life-'));
  #path = join(this.#root, '0');
  #pathCount = 1;
  #backends: Backend[] = [];
  /** Which of them does the deed under way. */
  #opener = 0;
  #scope!: CollectionScope;

  private constructor(birth: Birth, tally: RecallTally) {
    this.#birth = birth;
    this.#chance = seededNumbers(birth.seed);
    this.#draws = birth.families.map((family) => FAMILIES[family](birth.dimension, this.#chance));
    this.#tally = tally;
    this.#model = new NaiveCollection(birth.space);
  }

  /** Lives a whole life and compares everything at its end. What approximate queries find goes to `tally`. */
  static async live(birth: Birth, deeds: readonly Deed[], tally: RecallTally): Promise<void> {
    const life = new Life(birth, tally);
    try {
      await life.#open(AMPLE);
      life.#scope = await makeCollection(life.#backend, 'tiles', birth.space);
      if (birth.firstCount > 0) {
        await life.#do({ kind: 'add', run: { first: 0, count: birth.firstCount, stride: 1 } });
        await life.#backend.settle(life.#scope);
      }
      for (const deed of deeds) {
        life.#opener = Math.floor(life.#chance() * birth.openers);
        await life.#do(deed);
        expect(await life.#backend.count(life.#scope)).toBe(life.#model.records.size);
      }
      await life.#compareAll();
      await life.#backend.settle(life.#scope);
      await life.#compareAll();
      await life.#reopen(AMPLE);
      await life.#compareAll();
    } finally {
      await life.#closeAll();
      rmSync(life.#root, { recursive: true, force: true });
    }
  }

  get #backend(): Backend {
    return this.#backends[this.#opener]!;
  }

  async #open(memory: number): Promise<void> {
    const settings = completeSettings({ path: this.#path, threads: 0, durability: 'relaxed' }, 0);
    for (let opener = 0; opener < this.#birth.openers; opener++) {
      const components = {
        ...SYSTEM_COMPONENTS,
        clock: tickingClock(this.#birth.tickMs),
        random: seededRandom(this.#birth.seed),
        indexTuning: SMALL_INDEX,
      };
      this.#backends.push(new LocalBackend({ ...settings, memory }, components));
    }
  }

  async #closeAll(): Promise<void> {
    for (const backend of this.#backends.splice(0)) await backend.close();
  }

  async #reopen(memory: number): Promise<void> {
    await this.#closeAll();
    await this.#open(memory);
  }

  /** What a kill leaves behind is what the files hold between two calls; the dead one is closed unheard. */
  async #kill(memory: number): Promise<void> {
    const former = this.#path;
    this.#path = join(this.#root, String(this.#pathCount++));
    cpSync(former, this.#path, { recursive: true });
    await this.#closeAll();
    rmSync(former, { recursive: true, force: true });
    await this.#open(memory);
  }

  async #do(deed: Deed): Promise<void> {
    switch (deed.kind) {
      case 'query':
        return this.#query(deed.k, this.#filterOf(deed.filter), deed.recall);
      case 'burst':
        return this.#burst(deed.runs, deed.k);
      case 'maintain':
        return turns(deed.turns);
      case 'settle':
        return this.#backend.settle(this.#scope);
      case 'verify':
        return this.#verify();
      case 'repair':
        expect((await this.#backend.repair(this.#scope)).after.faults).toEqual([]);
        return;
      case 'reopen':
        return this.#reopen(deed.memory);
      case 'kill':
        return this.#kill(deed.memory);
      case 'drop followers':
        await this.#closeAll();
        if (this.#model.records.size > 0) {
          dropFollowers(collectionFile(this.#path, this.#scope.collectionId));
        }
        return this.#open(deed.memory);
      default:
        return this.#write(deed);
    }
  }

  async #write(
    deed: Extract<Deed, { readonly kind: 'add' | 'upsert' | 'update' | 'change texts' | 'delete' }>,
  ) {
    if (deed.kind === 'delete') {
      const filter = this.#filterOf(deed.filter);
      await this.#backend.delete(this.#scope, deleteRequest(selectionOf(filter)));
      this.#model.delete(filter);
      return;
    }
    const records = this.#records(deed.run);
    const batch = batchOf(...records.map(testRecord));
    if (deed.kind === 'add') {
      await this.#backend.add(this.#scope, batch);
      this.#model.add(records);
    } else if (deed.kind === 'upsert') {
      await this.#backend.upsert(this.#scope, batch);
      this.#model.upsert(records);
    } else {
      const hasEmbeddings = deed.kind === 'update';
      await this.#backend.update(this.#scope, hasEmbeddings ? batch : { ...batch, embeddings: null });
      this.#model.update(records, hasEmbeddings);
    }
  }

  /** Writes share a commit, and the reads between them see just the writes before them. */
  async #burst(runs: readonly IdRun[], k: number): Promise<void> {
    const calls: Promise<unknown>[] = [];
    for (const [i, run] of runs.entries()) {
      const records = this.#records(run);
      if (i % 3 === 2) {
        const filter = { ids: idsOf(run) };
        calls.push(this.#backend.delete(this.#scope, deleteRequest(selectionOf(filter))));
        this.#model.delete(filter);
      } else {
        calls.push(this.#backend.upsert(this.#scope, batchOf(...records.map(testRecord))));
        this.#model.upsert(records);
        calls.push(this.#findLast(records.at(-1)!, k));
      }
      if (i % 2 === 1) calls.push(this.#query(k, {}, 1));
    }
    await Promise.all(calls);
  }

  async #query(k: number, filter: NaiveFilter, recall: number | null): Promise<void> {
    const queries = Array.from({ length: QUERIES }, () => this.#drawQuery());
    const expected = queries.map((query) => this.#model.nearest(query, k, filter));
    const records = new Map(this.#model.records);
    const ask = (share: number | null): Promise<Neighbours[]> =>
      this.#backend.query(this.#scope, nearestRequest(queries, k, share, filter));
    expect((await ask(1)).map(hitsOf)).toEqual(expected);
    if (recall === 1) return;
    for (const [i, neighbours] of (await ask(recall)).entries()) {
      const hits = hitsOf(neighbours);
      this.#checkHits(records, queries[i]!, filter, hits, expected[i]!);
      this.#tally.note(recall, hits, expected[i]!);
      this.#tally.noteWay(neighbours.plan?.kind === 'cells');
    }
  }

  /** A record that was written last is in no cell yet, and is compared by every query. */
  async #findLast({ embedding }: NaiveRecord, k: number): Promise<void> {
    const [expected] = this.#model.nearest(embedding, 1);
    const records = new Map(this.#model.records);
    const [found] = await this.#backend.query(this.#scope, nearestRequest([embedding], k, 0.5));
    const [hit] = hitsOf(found!);
    expect(records.has(hit!.id)).toBe(true);
    if (expected!.distance === distance(this.#birth.space, embedding, embedding)) {
      expect(hit!.distance).toBe(expected!.distance);
    }
  }

  /** An approximate answer is short of nothing but nearness. */
  #checkHits(
    records: ReadonlyMap<string, NaiveRecord>,
    query: Float32Array,
    filter: NaiveFilter,
    hits: readonly Hit[],
    expected: readonly Hit[],
  ): void {
    expect(hits).toHaveLength(expected.length);
    expect(new Set(hits.map(({ id }) => id)).size).toBe(hits.length);
    const model = new NaiveCollection(this.#birth.space);
    for (const { id } of hits) {
      const record = records.get(id);
      expect(record, `${id} is deleted`).toBeDefined();
      model.upsert([record!]);
    }
    const allowed = new Map(
      model.nearest(query, hits.length, filter).map(({ id, distance }) => [id, distance]),
    );
    for (const { id, distance } of hits) expect(distance).toBe(allowed.get(id));
    expect(hits.map(({ distance }) => distance)).toEqual([...allowed.values()]);
  }

  async #verify(): Promise<void> {
    const report = await this.#backend.verify(this.#scope);
    expect(report).toMatchObject({
      recordCount: this.#model.records.size,
      faultCount: 0,
      faults: [],
    });
  }

  /** The records read back are the model's, and each is found by its own embedding. */
  async #compareAll(): Promise<void> {
    const records = [...this.#model.records.values()];
    const stored = await this.#backend.get(this.#scope, getRequest());
    expect(stored.ids).toEqual(records.map(({ id }) => id));
    expect(stored.documents).toEqual(records.map(({ word }) => documentOf(word)));
    expect(stored.metadatas).toEqual(records.map(({ group }) => JSON.stringify({ group })));
    const embeddings = records.flatMap(({ embedding }) => Array.from(embedding));
    expect(Array.from(stored.embeddings!.values)).toEqual(embeddings);
    await this.#verify();
    if (records.length === 0) return;
    const queries = records.map(({ embedding }) => embedding);
    const expected = queries.map((query) => this.#model.nearest(query, 1));
    const exact = await this.#backend.query(this.#scope, nearestRequest(queries, 1, 1));
    expect(exact.map(hitsOf)).toEqual(expected);
    const found = await this.#backend.query(this.#scope, nearestRequest(queries, 1, null));
    for (const [i, neighbours] of found.entries()) {
      expect(neighbours.ids).toHaveLength(1);
      this.#tally.note(null, hitsOf(neighbours), expected[i]!);
    }
  }

  #records(run: IdRun): NaiveRecord[] {
    return idsOf(run).map((id) => ({
      id,
      embedding: this.#draw(),
      group: Math.floor(this.#chance() * 100),
      word: WORDS[Math.floor(this.#chance() * WORDS.length)]!,
    }));
  }

  #draw(): Float32Array {
    return this.#draws[Math.floor(this.#chance() * this.#draws.length)]!();
  }

  /** As embeddings are, or the embedding of a record itself. */
  #drawQuery(): Float32Array {
    const records = [...this.#model.records.values()];
    if (records.length === 0 || this.#chance() < 0.5) return this.#draw();
    return records[Math.floor(this.#chance() * records.length)]!.embedding;
  }

  #filterOf(filter: NaiveFilter | IdRun): NaiveFilter {
    return 'first' in filter ? { ids: idsOf(filter) } : filter;
  }
}

/** The ids of a run, each once. */
function idsOf({ first, count, stride }: IdRun): string[] {
  const ids = Array.from({ length: count }, (_, i) => `r${(first + i * stride) % ID_COUNT}`);
  return [...new Set(ids)];
}

function hitsOf({ ids, distances }: Neighbours): Hit[] {
  return ids.map((id, i) => ({ id, distance: distances![i]! }));
}

/** Lets the event loop come round, and with it the maintenance. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
