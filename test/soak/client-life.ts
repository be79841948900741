/**
 * The life of a database as its clients see it: deeds as plain data, which fast-check draws and shrinks,
 * and the one who does them to a client and to a model alike, and compares. The model is a map of names to
 * naive collections.
 */
import { expect } from 'vitest';
import type { QueryPlan, VerifyReport } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import {
  type Collection,
  DatabaseAdmin,
  DatabaseClient,
  type DatabaseInput,
  type SelectionInput,
} from '../../src/client/index.ts';
import { FAMILIES } from '../support/hard-vectors.ts';
import {
  documentOf,
  type Hit,
  NaiveCollection,
  type NaiveFilter,
  type NaiveRecord,
} from '../support/naive-collection.ts';
import { COLUMNS, expectBetween, expectSame, type Row, rowOf, rowsOf } from './client-rows.ts';
import type { Home } from './homes.ts';

const NAMES = ['first', 'second', 'third'];
export const WORDS: readonly string[] = ['amber', 'birch', 'cedar'];
export const ID_COUNT = 40;
const DIMENSION = 4;
const SPACES = ['l2', 'ip', 'cosine'] as const;
/** Databases of a life, by tenant; the first is there from the start. */
const DATABASES: readonly DatabaseInput[] = [
  { tenant: 'default_tenant', name: 'default_database' },
  { tenant: 'default_tenant', name: 'another' },
  { tenant: 'other_tenant', name: 'default_database' },
];
/** Memory that a database is opened with: the least there is, and enough. */
export const BUDGETS: readonly number[] = [1_000_000, 512_000_000];

/** Which records: a run of ids, and what else must hold. */
export interface Selection {
  readonly first: number;
  readonly count: number;
  readonly hasIds: boolean;
  readonly groupBelow: number | null;
  readonly word: string | null;
}

/** A write to some records of a collection. */
export interface Write {
  readonly verb: 'add' | 'upsert' | 'update' | 'update metadata' | 'delete';
  readonly of: Selection;
  /** For deletions with a filter. */
  readonly limit: number | null;
}

/** What is wrong with a call. */
export type Fault = 'dimension' | 'no embedding' | 'NaN' | 'limit alone';

/** Ways to leave a database and to come back to it. */
type Departure = 'reopen' | 'kill' | 'lose indexes' | 'back up and restore';

/** How good an answer a query asks for; nothing for what the collection gives. */
export type Asked = { readonly exact: true } | { readonly recall: number } | Record<string, never>;

/** One step of a life; `of` numbers names or collections, whichever there are. */
export type Deed =
  | { readonly kind: 'create' | 'get or create'; readonly of: number; readonly mark: number }
  | {
      readonly kind: 'drop' | 'fork' | 'peek' | 'count' | 'settle' | 'verify' | 'repair';
      readonly of: number;
    }
  | { readonly kind: 'modify'; readonly of: number; readonly mark: number; readonly isRenamed: boolean }
  | { readonly kind: 'write'; readonly of: number; readonly write: Write }
  /** Calls that are made before the first of them is answered. */
  | { readonly kind: 'together'; readonly of: number; readonly writes: readonly Write[] }
  | { readonly kind: 'wrong'; readonly of: number; readonly fault: Fault }
  | {
      readonly kind: 'get';
      readonly of: number;
      readonly which: Selection;
      readonly limit: number | null;
      readonly offset: number;
    }
  | {
      readonly kind: 'query';
      readonly of: number;
      readonly which: Selection;
      readonly nResults: number;
      readonly asked: Asked;
    }
  | { readonly kind: 'other database' | 'drop database'; readonly of: number }
  | { readonly kind: 'list' | 'other opener' | 'clock jump' }
  | { readonly kind: Departure; readonly memory: number };

/** A collection of the model. */
interface Known {
  readonly model: NaiveCollection;
  mark: number;
  /** The collection as a client holds it; `null` until it is asked for. */
  held: Collection | null;
  /** The same for a collection, its forks and theirs. */
  readonly lineage: object;
  readonly isFork: boolean;
}

/** How queries of all lives were answered. */
export const seen: { readonly plans: Record<QueryPlan['kind'], number> } = {
  plans: { empty: 0, exact: 0, cells: 0 },
};

/** Share of deeds to a collection for which it is asked for anew, though one is held. */
const ASKED_ANEW_SHARE = 0.25;

/** Share of losses of indexes before which these are kept whole. */
const SETTLED_SHARE = 0.5;

function expectSound({ recordCount, faults }: VerifyReport, model: NaiveCollection): void {
  expectSame({ recordCount, faults }, { recordCount: model.records.size, faults: [] });
}

/** A call that must be refused with one of these codes. */
async function expectRefusal(call: Promise<unknown>, codes: RegExp): Promise<void> {
  const error = await call.then(
    () => expect.fail(`Was not refused: ${codes}`),
    (reason: unknown) => reason,
  );
  const { code } = error as { code?: unknown };
  if (!(error instanceof Error) || !codes.test(String(code))) throw error;
}

/** See the top of this file. */
export class ClientLife {
  readonly #home: Home;
  readonly #chance: () => number;
  readonly #draws: readonly (() => Float32Array)[];
  /** Collections of every database there is, and of the one in use. */
  readonly #databases = new Map<DatabaseInput, Map<string, Known>>([[DATABASES[0]!, new Map()]]);
  #database: DatabaseInput = DATABASES[0]!;
  #client!: DatabaseClient;
  #admin!: DatabaseAdmin;

  private constructor(home: Home, seed: number) {
    this.#home = home;
    this.#chance = seededNumbers(seed);
    this.#draws = (['small integers', 'gaussian', 'duplicates'] as const).map((family) =>
      FAMILIES[family](DIMENSION, this.#chance),
    );
  }

  /** Lives a whole life in a home of its own, and compares everything at its end. */
  static async live(makeHome: () => Promise<Home>, seed: number, deeds: readonly Deed[]): Promise<void> {
    const home = await makeHome();
    const life = new ClientLife(home, seed);
    try {
      life.#meet();
      for (const deed of deeds) await life.#do(deed);
      await life.#compareAll();
      if (home.reopen !== undefined) {
        await home.reopen(BUDGETS.at(-1)!);
        life.#meet();
        await life.#compareAll();
      }
    } finally {
      await home.leave();
    }
  }

  get #known(): Map<string, Known> {
    return this.#databases.get(this.#database)!;
  }

  #meet(database: DatabaseInput = this.#database): void {
    for (const all of this.#databases.values()) for (const known of all.values()) known.held = null;
    this.#database = database;
    const scope = { tenant: database.tenant, database: database.name };
    this.#client = new DatabaseClient(async () => this.#home.backend, scope);
    this.#admin = new DatabaseAdmin(async () => this.#home.backend);
  }

  async #do(deed: Deed): Promise<void> {
    switch (deed.kind) {
      case 'list':
        return this.#list();
      case 'create':
      case 'get or create':
        return this.#create(deed.kind, NAMES[deed.of % NAMES.length]!, deed.mark);
      case 'reopen':
      case 'kill':
      case 'lose indexes':
      case 'back up and restore':
        return this.#leaveAndReturn(deed.kind, deed.memory);
      case 'other database':
        return this.#enter(DATABASES[deed.of % DATABASES.length]!);
      case 'drop database':
        return this.#dropDatabase(DATABASES[deed.of % DATABASES.length]!);
      case 'other opener':
        await this.#home.changeOpener?.();
        this.#meet();
        return;
      case 'clock jump':
        this.#home.jumpClock?.((this.#chance() - 0.5) * 1e8);
        expectSame(typeof (await this.#client.heartbeat()), 'number');
        return;
      default:
        return this.#doWith(deed);
    }
  }

  /** A deed to a collection; where there is none, one that has to fail. */
  async #doWith(
    deed: Exclude<
      Deed,
      {
        kind:
          | ('list' | 'create' | 'get or create' | 'other opener' | 'clock jump' | Departure)
          | ('other database' | 'drop database');
      }
    >,
  ): Promise<void> {
    const names = [...this.#known.keys()];
    const name = names[deed.of % Math.max(1, names.length)];
    if (name === undefined) {
      return expectRefusal(this.#client.getCollection({ name: 'nobody' }), /_COLLECTION_NOT_FOUND$/);
    }
    const known = this.#known.get(name)!;
    const collection = await this.#collection(name, known);
    switch (deed.kind) {
      case 'drop':
        this.#known.delete(name);
        return this.#client.deleteCollection({ name });
      case 'modify':
        return this.#modify(collection, known, deed);
      case 'fork':
        return this.#fork(collection, known);
      case 'write':
        return this.#write(collection, known.model, deed.write)();
      case 'together':
        return this.#writeTogether(collection, known.model, deed.writes);
      case 'wrong':
        return this.#writeWrongly(collection, known.model, deed.fault);
      case 'get':
        return this.#get(collection, known.model, deed);
      case 'query':
        return this.#query(collection, known.model, deed);
      case 'peek': {
        const expected = [...known.model.records.keys()].slice(0, 3);
        expectSame((await collection.peek({ limit: 3 })).ids, expected);
        return;
      }
      case 'count': {
        expectSame(await collection.count(), known.model.records.size);
        const relatives = [...this.#known.values()].filter(({ lineage }) => lineage === known.lineage);
        expectSame(await collection.forkCount(), relatives.filter(({ isFork }) => isFork).length);
        return;
      }
      case 'settle':
        await collection.settle();
        expectSame((await collection.stats()).recordCount, known.model.records.size);
        return;
      case 'verify':
        return expectSound(await collection.verify(), known.model);
      case 'repair':
        return expectSound((await collection.repair()).before, known.model);
    }
  }

  /** The collection: most often as it was held before, which must serve as well as one asked for anew. */
  async #collection(name: string, known: Known): Promise<Collection> {
    if (known.held === null || this.#chance() < ASKED_ANEW_SHARE) {
      known.held = await this.#client.getCollection({ name });
      expectSame(known.held.metadata, { mark: known.mark });
    }
    return known.held;
  }

  async #list(): Promise<void> {
    const found = await this.#client.listCollections();
    expectSame(found.map(({ name }) => name).sort(), [...this.#known.keys()].sort());
    expectSame(await this.#client.countCollections(), this.#known.size);
    const named = await this.#client.getCollections([...this.#known.keys()]);
    expectSame(
      named.map(({ name, metadata }) => [name, metadata]),
      [...this.#known].map(([name, { mark }]) => [name, { mark }]),
    );
    if (this.#known.size < NAMES.length) {
      await expectRefusal(this.#client.getCollections(NAMES), /_COLLECTION_NOT_FOUND$/);
    }
  }

  /** Goes on in another database, which is made first if there is none. */
  async #enter(database: DatabaseInput): Promise<void> {
    const { tenant, name } = database;
    if (this.#databases.has(database)) {
      await expectRefusal(this.#admin.createDatabase(database), /_ALREADY_EXISTS$/);
    } else {
      await expectRefusal(this.#admin.getDatabase(database), /_NOT_FOUND$/);
      const hasTenant = await this.#admin.getTenant({ name: tenant }).then(
        () => true,
        () => false,
      );
      if (!hasTenant) await this.#admin.createTenant({ name: tenant });
      await this.#admin.createDatabase(database);
      this.#databases.set(database, new Map());
    }
    const found = await this.#admin.listDatabases({ tenant });
    const expected = [...this.#databases.keys()].filter((each) => each.tenant === tenant);
    expectSame(
      found.map((each) => each.name),
      expected.map((each) => each.name).sort(),
    );
    expectSame((await this.#admin.getDatabase(database)).name, name);
    this.#meet(database);
  }

  /** Deletes a database with its collections, unless it is in use or the first. */
  async #dropDatabase(database: DatabaseInput): Promise<void> {
    if (database === this.#database || database === DATABASES[0]) return;
    const call = this.#admin.deleteDatabase(database);
    if (this.#databases.delete(database)) await call;
    else await expectRefusal(call, /_NOT_FOUND$/);
  }

  async #create(kind: 'create' | 'get or create', name: string, mark: number): Promise<void> {
    const known = this.#known.get(name);
    const space = SPACES[mark % SPACES.length]!;
    const input = { name, metadata: { mark }, configuration: { space }, embeddingFunction: null };
    if (known !== undefined && kind === 'create') {
      return expectRefusal(this.#client.createCollection(input), /_ALREADY_EXISTS$/);
    }
    const made =
      kind === 'create'
        ? await this.#client.createCollection(input)
        : await this.#client.getOrCreateCollection(input);
    if (known === undefined) {
      const model = new NaiveCollection(space);
      this.#known.set(name, { model, mark, held: made, lineage: {}, isFork: false });
    }
    expectSame(made.metadata, { mark: known?.mark ?? mark });
    expectSame(made.configuration.hnsw.space, known?.model.space ?? space);
  }

  async #modify(
    collection: Collection,
    known: Known,
    { mark, isRenamed }: { readonly mark: number; readonly isRenamed: boolean },
  ): Promise<void> {
    const free = NAMES.find((name) => !this.#known.has(name));
    const rename = isRenamed && free !== undefined ? { name: free } : {};
    const former = collection.name;
    await collection.modify({ metadata: { mark }, ...rename });
    known.mark = mark;
    this.#known.delete(former);
    this.#known.set(rename.name ?? former, known);
  }

  async #fork(collection: Collection, known: Known): Promise<void> {
    const name = NAMES.find((each) => !this.#known.has(each));
    if (name === undefined) {
      return expectRefusal(collection.fork({ name: NAMES[0]! }), /_ALREADY_EXISTS$/);
    }
    await collection.fork({ name });
    const model = new NaiveCollection(known.model.space);
    model.add([...known.model.records.values()]);
    this.#known.set(name, { ...known, model, held: null, isFork: true });
  }

  /** Applies a write to the model; gives what makes the call. */
  #write(collection: Collection, model: NaiveCollection, { verb, of, limit }: Write): () => Promise<void> {
    const filter = filterOf(of);
    const isFiltered = filter.groupBelow !== undefined || filter.word !== undefined;
    if (verb !== 'delete' || !isFiltered) return this.#writeTo(collection, model, verb, idsOf(of));
    const ids = model.select(filter).map(({ id }) => id);
    ids.splice(limit ?? ids.length);
    model.delete({ ids });
    const input = { ...inputOf(filter), ...(limit === null ? {} : { limit }) };
    return async () => expectSame(await collection.delete(input), { deleted: ids.length });
  }

  /** The same by ids alone. */
  #writeTo(
    collection: Collection,
    model: NaiveCollection,
    verb: Write['verb'],
    ids: readonly string[],
  ): () => Promise<void> {
    if (verb === 'delete') {
      model.delete({ ids });
      return async () => void (await collection.delete({ ids }));
    }
    const records = ids.map((id) => this.#record(id));
    const metadatas = records.map(({ group }) => ({ group }));
    if (verb === 'update metadata') {
      const changed = records.flatMap(({ id, group }) => {
        const former = model.records.get(id);
        return former === undefined ? [] : [{ ...former, group }];
      });
      model.update(changed, true);
      return async () => void (await collection.update({ ids, metadatas }));
    }
    if (verb === 'update') model.update(records, true);
    else model[verb](records);
    const documents = records.map(({ word }) => documentOf(word));
    const embeddings = records.map(({ embedding }) => Array.from(embedding));
    const uris = records.map(({ uri }) => uri!);
    return async () => void (await collection[verb]({ ids, documents, metadatas, embeddings, uris }));
  }

  /**
   * Writes that are made at once may be done in any order: they are about different records, all of them
   * stored, so that the order cannot be seen. What is read amid them is of before or after each whole write.
   */
  async #writeTogether(
    collection: Collection,
    model: NaiveCollection,
    writes: readonly Write[],
  ): Promise<void> {
    const free = new Set(model.records.keys());
    const before = [...model.records.values()].map(rowOf);
    const parts: ReadonlySet<string>[] = [];
    const calls = writes.flatMap(({ verb, of }) => {
      const ids = idsOf(of).filter((id) => free.delete(id));
      if (ids.length === 0) return [];
      parts.push(new Set(ids));
      return [this.#writeTo(collection, model, verb === 'add' ? 'upsert' : verb, ids)];
    });
    const reads: Promise<Row[]>[] = [];
    const made = calls.map((call, i) => {
      const write = call();
      if (i % 2 === 0) reads.push(collection.get({ include: COLUMNS }).then(rowsOf));
      return write;
    });
    const [found] = await Promise.all([Promise.all(reads), Promise.all(made)]);
    const after = [...model.records.values()].map(rowOf);
    for (const rows of found) expectBetween(rows, before, after, [...parts, free]);
    expectSame(await collection.count(), model.records.size);
  }

  /** A call that must be refused whole. */
  async #writeWrongly(collection: Collection, model: NaiveCollection, fault: Fault): Promise<void> {
    const ids = ['r0', 'new one'];
    if (fault === 'limit alone') {
      return expectRefusal(collection.delete({ ids, limit: 1 }), /_INVALID_ARGUMENT$/);
    }
    const good = [1, 2, 3, 4];
    if (fault === 'dimension') {
      // The first record of a collection says what its dimension is.
      if (model.records.size === 0) return;
      return expectRefusal(collection.upsert({ ids, embeddings: [[1], [2]] }), /_DIMENSION_MISMATCH$/);
    }
    const embeddings = fault === 'NaN' ? [good, [1, Number.NaN, 3, 4]] : undefined;
    const call = collection.upsert({ ids, ...(embeddings ? { embeddings } : { documents: ['a', 'b'] }) });
    await expectRefusal(call, fault === 'NaN' ? /_INVALID_EMBEDDING$/ : /EMBEDDING/);
  }

  async #get(
    collection: Collection,
    model: NaiveCollection,
    {
      which,
      limit,
      offset,
    }: { readonly which: Selection; readonly limit: number | null; readonly offset: number },
  ): Promise<void> {
    const filter = filterOf(which);
    const found = await collection.get({
      ...inputOf(filter),
      ...(limit === null ? {} : { limit }),
      offset,
      include: COLUMNS,
    });
    const expected = model.select(filter).slice(offset, limit === null ? undefined : offset + limit);
    expectSame(rowsOf(found), expected.map(rowOf));
  }

  async #query(
    collection: Collection,
    model: NaiveCollection,
    { which, nResults, asked }: Pick<Deed & { kind: 'query' }, 'which' | 'nResults' | 'asked'>,
  ): Promise<void> {
    const queries = [this.#draw(), this.#draw()];
    const filter = filterOf(which);
    const found = await collection.query({
      ...inputOf(filter),
      queryEmbeddings: queries.map((query) => Array.from(query)),
      nResults,
      ...asked,
      explain: true,
      include: ['distances'],
    });
    for (const [i, query] of queries.entries()) {
      const hits = found.ids[i]!.map((id, k): Hit => ({ id, distance: found.distances[i]![k]! }));
      const { kind } = found.plans![i]!;
      seen.plans[kind]++;
      // What cells choose is right in all but that nearer ones may be missing.
      const all = model.nearest(query, kind === 'cells' ? ID_COUNT : nResults, filter);
      const ids = new Set(hits.map(({ id }) => id));
      expectSame(hits, kind === 'cells' ? all.filter(({ id }) => ids.has(id)) : all);
      expectSame(hits.length, Math.min(nResults, all.length));
      if ('exact' in asked) expectSame(kind === 'cells', false);
    }
  }

  async #leaveAndReturn(kind: Departure, memory: number): Promise<void> {
    const { reopen, kill, loseIndexes, backUpAndRestore } = this.#home;
    if (kind === 'lose indexes' && loseIndexes !== undefined && this.#chance() < SETTLED_SHARE) {
      // What was never kept cannot be lost.
      for (const found of await this.#client.listCollections()) await found.settle();
    }
    if (kind === 'reopen') await reopen?.(memory);
    else if (kind === 'kill') await kill?.(memory);
    else if (kind === 'lose indexes') await loseIndexes?.(memory);
    else await backUpAndRestore?.(memory);
    this.#meet();
  }

  async #compareAll(): Promise<void> {
    for (const database of this.#databases.keys()) {
      this.#meet(database);
      await this.#compareDatabase();
    }
  }

  async #compareDatabase(): Promise<void> {
    await this.#list();
    const all: Selection = { first: 0, count: ID_COUNT, hasIds: false, groupBelow: null, word: null };
    for (const [name, { model }] of this.#known) {
      const collection = await this.#client.getCollection({ name });
      await this.#get(collection, model, { which: all, limit: null, offset: 0 });
      await this.#query(collection, model, { which: all, nResults: ID_COUNT, asked: { exact: true } });
      expectSound(await collection.verify(), model);
    }
  }

  #record(id: string): NaiveRecord {
    const word = WORDS[Math.floor(this.#chance() * WORDS.length)]!;
    const uri = `https://tessera.test/${Math.floor(this.#chance() * 1_000)}`;
    return { id, embedding: this.#draw(), group: Math.floor(this.#chance() * 100), word, uri };
  }

  #draw(): Float32Array {
    return this.#draws[Math.floor(this.#chance() * this.#draws.length)]!();
  }
}

function idsOf({ first, count }: Selection): string[] {
  return Array.from({ length: Math.max(1, count) }, (_, i) => `r${(first + i) % ID_COUNT}`);
}

function filterOf(selection: Selection): NaiveFilter {
  const { hasIds, groupBelow, word } = selection;
  return {
    ids: hasIds ? idsOf(selection) : undefined,
    groupBelow: groupBelow ?? undefined,
    word: word ?? undefined,
  };
}

/** The filter as a caller writes it. */
function inputOf({ ids, groupBelow, word }: NaiveFilter): SelectionInput {
  return {
    ...(ids === undefined ? {} : { ids }),
    ...(groupBelow === undefined ? {} : { where: { group: { $lt: groupBelow } } }),
    ...(word === undefined ? {} : { whereDocument: { $contains: `says ${word} and` } }),
  };
}
