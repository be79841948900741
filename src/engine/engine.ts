/**
 * The engine: one open database as plain synchronous calls.
 *
 * Deterministic given its components, so that tests drive it step by step. The shell around it
 * (local-backend.ts) makes promises of the calls, groups writes, and calls `maintain` when nothing else is to
 * be done.
 */

import {
  type ChangesRequest,
  type CollectionInfo,
  type CollectionScope,
  type CollectionStatistics,
  checkFilterAllowed,
  type DatabaseScope,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  type DeleteRequest,
  type DeleteResult,
  embeddingCount,
  type GetRequest,
  type Identity,
  type Include,
  type MetadataKey,
  type Neighbours,
  type QueryRequest,
  type RecordBatch,
  type RecordChanges,
  type RecordColumns,
  type RecordSelection,
  type RepairReport,
  recallOf,
  type SalvageReport,
  type SuccessionRequest,
  type VerifyReport,
} from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { absorbText, repair, textStatistics, vacuum, verify } from '../maintenance/index.ts';
import {
  checkSelection,
  type DocumentContext,
  emptyPlan,
  executeGet,
  executeQuery,
  hasFilter,
  type QueryContext,
  selectRowsToDelete,
} from '../query/index.ts';
import {
  CatalogueStore,
  type Outcome,
  openedReadOnly,
  pageBytesFor,
  type RecordWriter,
  type Salvaged,
  type StoreState,
} from '../records/index.ts';
import { Catalogue, checkCurrent } from './catalogue.ts';
import type { Components, EngineRole } from './components.ts';
import { Directory } from './directory.ts';
import { Erasure } from './erasure.ts';
import { checkFileSystem } from './file-system.ts';
import { copyCollection, type Filling, fillFork, fillSalvage } from './fork.ts';
import { type OpenCollection, OpenCollections } from './open-collections.ts';
import { salvageReport } from './reports.ts';
import type { EngineSettings } from './settings.ts';
import { readChanges, succeed } from './succession.ts';

/** One write, as the shell queues it. */
export type WriteCall =
  | { readonly verb: 'add' | 'upsert' | 'update'; readonly batch: RecordBatch }
  | { readonly verb: 'delete'; readonly request: DeleteRequest };

/** How long one slice of work on a vector index lasts: short enough for a query to wait for. */
const SLICE_MS = 2;

/** Records written to a collection after which a reader opens it before anybody asks. */
const OPENING_COUNT = 16_384;

/** See the top of this file. */
export class Engine {
  readonly catalogue: Catalogue;
  readonly #settings: EngineSettings;
  readonly #role: EngineRole;
  readonly #requestTextIndex: (scope: CollectionScope) => void;
  readonly #nowMs: () => number;
  readonly #isCalled: () => boolean;
  readonly #open: OpenCollections;
  /** Collections that wait for maintenance. */
  readonly #untidy = new Set<string>();
  readonly #erasure: Erasure;

  /**
   * Opens or creates a database. Errors: `TESSERA_NOT_A_DATABASE`, `TESSERA_NEWER_FORMAT`, those of files and
   * SQLite.
   */
  constructor(settings: EngineSettings, components: Components) {
    this.#settings = settings;
    this.#role = components.role;
    this.#requestTextIndex = components.requestTextIndex;
    this.#nowMs = () => components.clock.monotonicMs();
    this.#isCalled = components.isCalled;
    const directory = Directory.open(settings.path, settings.readOnly, components.files);
    // Also where records may wait for the disk: files are made after what it says of them, and removed after.
    const lasting = { ...settings, durability: 'full' } as const;
    const store = CatalogueStore.open({ ...lasting, path: directory.cataloguePath });
    this.catalogue = new Catalogue(store, components.random);
    this.#open = new OpenCollections(directory, settings, (id) => this.catalogue.has(id), components);
    this.#erasure = new Erasure(this.#open, this.catalogue, this.#role.kind === 'reader', this.#nowMs);
    if (settings.readOnly) return;
    directory.makeCollectionsFolder();
    if (settings.path !== null && this.#role.kind !== 'reader') {
      checkFileSystem(settings.path, components.files);
    }
    if (this.#role.kind !== 'reader') this.#clearLeftovers();
  }

  /** Who an unauthenticated caller is: Chroma's constant answer. */
  identity(): Identity {
    return { userId: '', tenant: DEFAULT_TENANT, databases: [DEFAULT_DATABASE] };
  }

  /** Deletes everything. Errors: `TESSERA_FORBIDDEN` unless the settings allow it. */
  reset(): void {
    if (!this.#settings.allowReset) {
      const message = 'Reset is disabled by config. Open the database with allowReset: true.';
      throw new DatabaseError('TESSERA_FORBIDDEN', message);
    }
    this.#destroyFiles(this.catalogue.clear());
  }

  deleteDatabase(scope: DatabaseScope): void {
    this.#destroyFiles(this.catalogue.removeDatabase(scope));
  }

  deleteCollection(scope: DatabaseScope, name: string): void {
    this.#destroyFiles([this.catalogue.removeCollection(scope, name)]);
  }

  /**
   * Applies writes to one collection in order, in one transaction. Each succeeds or fails alone; when the
   * transaction itself fails, the error is thrown and nothing is stored.
   */
  writeGroup(scope: CollectionScope, calls: readonly WriteCall[]): Outcome<DeleteResult | undefined>[] {
    const info = this.#current(scope);
    if (this.#settings.readOnly) throw openedReadOnly();
    const collection =
      this.#open.find(info) ?? (calls.some(needsFile) ? this.#open.make(info, pageBytesOf(calls)) : null);
    if (collection === null) return calls.map((call) => ({ ok: true, value: resultOnEmpty(call) }));
    try {
      const outcomes = collection.store.writeGroup(
        calls.map((call) => (writer: RecordWriter, state: StoreState) => {
          // Under the lock of the file: a successor may have taken over since (succession.ts).
          this.#current(scope);
          return this.#apply(call, info, collection, writer, state);
        }),
      );
      this.#markUntidy(collection);
      this.#learn(scope, info, collection, calls, outcomes);
      return outcomes;
    } catch (error) {
      // The indexes may have followed changes that are undone now.
      collection.indexes.drop();
      throw error;
    }
  }

  get(scope: CollectionScope, request: GetRequest): RecordColumns {
    const { info, collection } = this.#openForReading(scope, request);
    if (collection === null) return emptyColumns(request.include);
    return collection.store.read((state) => executeGet(this.#context(info, collection), state, request));
  }

  /** Slice by slice: each has a transaction of its own, and its answers stand for that moment. */
  *query(scope: CollectionScope, request: QueryRequest): Generator<void, Neighbours[]> {
    const answers: Neighbours[] = [];
    const queryCount = embeddingCount(request.embeddings);
    for (;;) {
      for (const answer of this.#querySlice(scope, request, answers.length)) answers.push(answer);
      if (answers.length >= queryCount) return answers;
      yield;
    }
  }

  count(scope: CollectionScope): number {
    const collection = this.#open.find(this.#current(scope));
    return collection?.store.read((state) => state.recordCount) ?? 0;
  }

  changes(scope: CollectionScope, request: ChangesRequest): RecordChanges {
    return readChanges(this.#open.find(this.#current(scope))?.store ?? null, request);
  }

  /** Lets one collection take another's place (succession.ts). */
  succeed(scope: CollectionScope, request: SuccessionRequest): CollectionInfo | null {
    if (this.#settings.readOnly) throw openedReadOnly();
    return succeed(this.catalogue, this.#open, scope, request);
  }

  /**
   * Brings the indexes up to all that is stored, slice by slice, and leaves no text, metadata or embedding in
   * any file that was deleted. Where nothing may be written, what is kept in the file stays as it is.
   */
  *settle(scope: CollectionScope): Generator<void, void> {
    while (this.#settleSlice(scope)) yield;
    if (this.#settings.readOnly) return;
    yield* this.#erasure.settle(() => this.#open.find(this.catalogue.collection(scope)));
  }

  /** Whether former states of pages may be in write-ahead logs. */
  get isUnfolded(): boolean {
    return this.#erasure.isUnfolded;
  }

  /**
   * For a moment when nothing was called for a while: leaves nothing in files of what was deleted. Returns
   * whether `maintain` has something to do before that is so, or there will be in a while.
   */
  calm(): boolean {
    const { due, isMoreLeft } = this.#erasure.calm();
    for (const id of due) this.#untidy.add(id);
    return due.length > 0 || isMoreLeft;
  }

  /** Copies a collection as of now under another name, slice by slice. Errors: those of `copyCollection`. */
  fork(scope: CollectionScope, name: string): Generator<void, CollectionInfo> {
    return this.#copy(scope, name, fillFork(this.#open));
  }

  /** Saves what can be read of a damaged collection under another name. Errors: as `fork`. */
  *salvage(scope: CollectionScope, name: string): Generator<void, SalvageReport> {
    let salvaged: Salvaged | undefined;
    const fill = fillSalvage(this.#open, (found) => {
      salvaged = found;
    });
    const { id } = yield* this.#copy(scope, name, fill);
    return salvageReport(id, name, salvaged!);
  }

  /** What a collection can say of itself; loads nothing. */
  statistics(scope: CollectionScope): CollectionStatistics {
    const info = this.catalogue.collection(scope);
    const recall = recallOf(info.configuration);
    const memory = { budget: this.#settings.memory, used: this.#open.indexBytes };
    const collection = this.#open.find(info);
    const sourceId = this.catalogue.sourceOf(scope);
    if (collection === null) {
      return { ...emptyStatistics(recall), dimension: info.dimension, sourceId, memory };
    }
    const { store, indexes } = collection;
    return store.read((state) => ({
      recordCount: state.recordCount,
      sequence: state.sequence,
      dimension: state.dimension ?? info.dimension,
      sourceId,
      fileBytes: this.#settings.path === null ? 0 : store.fileBytes,
      vectors: indexes.vectorStatistics(state, recall),
      text: textStatistics(store, state),
      memory,
    }));
  }

  /** Compares the records of a collection with their checksums and with the indexes, slice by slice. */
  verify(scope: CollectionScope): Generator<void, VerifyReport> {
    return verify(() => this.#open.find(this.catalogue.collection(scope)), this.#nowMs);
  }

  /** Verifies, and makes anew what differs in the indexes, slice by slice. Errors: `TESSERA_READ_ONLY`. */
  *repair(scope: CollectionScope): Generator<void, RepairReport> {
    if (this.#settings.readOnly) throw openedReadOnly();
    return yield* repair(() => this.#open.find(this.catalogue.collection(scope)), this.#nowMs);
  }

  /**
   * Takes note that another engine of this directory has changed records of a collection, so many since it
   * was opened, so that its indexes follow in idle time and not in the next query's. A collection that is not
   * open here is opened once it may have cells. The writer, who has no indexes, looks after the file.
   */
  noteChange(scope: CollectionScope, writtenCount: number): void {
    const isWriter = this.#role.kind === 'writer';
    let collection = this.#open.peek(scope.collectionId) ?? null;
    try {
      if (collection === null && (isWriter || writtenCount >= OPENING_COUNT)) {
        collection = this.#open.find(this.catalogue.collection(scope));
      }
    } catch (error) {
      // It may be gone by now, or not to be opened: whoever asks next hears why.
      if (!(error instanceof DatabaseError)) throw error;
    }
    if (collection === null) return;
    if (isWriter) {
      this.#markUntidy(collection);
    } else {
      collection.isIndexUntidy = true;
      this.#untidy.add(collection.id);
    }
  }

  /** Takes note that another engine of this directory has deleted collections, and lets go of them. */
  noteDeletions(): void {
    this.#open.closeDeleted();
  }

  /** Takes note that another engine of this directory would have used a collection's text index. */
  noteTextIndexWanted(scope: CollectionScope): void {
    try {
      const collection = this.#open.find(this.catalogue.collection(scope));
      if (collection !== null) this.#wantTextIndex(collection);
    } catch (error) {
      // It may be gone by now, or not to be opened: whoever asks next hears why.
      if (!(error instanceof DatabaseError)) throw error;
    }
  }

  /** Rows that queries look at until `maintain` has done its work; 0 if it is another collection's turn. */
  pendingCount(collectionId?: string): number {
    const [id] = this.#untidy;
    if (id === undefined || (collectionId ?? id) !== id) return 0;
    return this.#open.peek(id)?.indexes.pendingCount ?? 0;
  }

  /** Whether `maintain` has something to do. */
  get isUntidy(): boolean {
    return this.#untidy.size > 0;
  }

  /**
   * Does one slice of maintenance, a few milliseconds. A slice that the disk or another process prevents is
   * left for the next write to the collection: what followers have not absorbed is answered from the records.
   */
  maintain(): void {
    const [id] = this.#untidy;
    if (id === undefined) return;
    const collection = this.#open.peek(id);
    let isMoreLeft = false;
    try {
      if (collection === undefined) this.#erasure.forget(id);
      else isMoreLeft = this.#tidy(collection);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      this.#erasure.giveUp(id);
    }
    if (!isMoreLeft) this.#untidy.delete(id);
  }

  close(): void {
    if (!this.#settings.readOnly) this.#erasure.close();
    this.#open.closeAll();
    this.catalogue.close();
  }

  *#copy(scope: CollectionScope, name: string, fill: Filling): Generator<void, CollectionInfo> {
    if (this.#settings.readOnly) throw openedReadOnly();
    return yield* copyCollection(this.catalogue, this.#open, { scope, name }, fill);
  }

  /** A collection whose records may be asked for. Errors: `TESSERA_SUPERSEDED`. */
  #current(scope: CollectionScope): CollectionInfo {
    const info = this.catalogue.collection(scope);
    checkCurrent(info);
    return info;
  }

  #openForReading(
    scope: CollectionScope,
    selection: RecordSelection,
  ): { info: CollectionInfo; collection: OpenCollection | null } {
    const info = this.#current(scope);
    checkFilters(info, selection);
    return { info, collection: this.#open.find(info) };
  }

  /** Answers from the embedding number `first` on, as many as one slice has time for. */
  #querySlice(scope: CollectionScope, request: QueryRequest, first: number): Neighbours[] {
    const { info, collection } = this.#openForReading(scope, request);
    const recall = recallOf(info.configuration);
    if (collection === null) return emptyNeighbours(request, recall).slice(first);
    const context: QueryContext = { recall, nowMs: this.#nowMs, ...this.#context(info, collection) };
    const answers = collection.store.read((state) => executeQuery(context, state, request, first));
    if (!collection.indexes.isSettled) this.#untidy.add(info.id);
    return answers;
  }

  #context(info: CollectionInfo, collection: OpenCollection): DocumentContext {
    const onTextIndexMissed = (): void => {
      const { tenant, database, id } = info;
      if (this.#role.kind !== 'reader') this.#wantTextIndex(collection);
      else this.#requestTextIndex({ tenant, database, collectionId: id });
    };
    const metadataKeys = Object.keys(info.schema.keys).filter((key) => !key.startsWith('#'));
    return { store: collection.store, indexes: collection.indexes, metadataKeys, onTextIndexMissed };
  }

  #apply(
    call: WriteCall,
    info: CollectionInfo,
    collection: OpenCollection,
    writer: RecordWriter,
    state: StoreState,
  ): DeleteResult | undefined {
    if (call.verb !== 'delete') {
      writer[call.verb](call.batch);
      return undefined;
    }
    const { request } = call;
    checkFilters(info, request);
    const rows = selectRowsToDelete(this.#context(info, collection), state, request);
    writer.delete(rows);
    return { deleted: hasFilter(request) ? rows.length : (request.ids?.length ?? 0) };
  }

  /**
   * Tells the catalogue what a group has shown. The group is stored by now, so that a catalogue which cannot
   * be written (the disk, another process) does not make it fail: a later write of such records tells it
   * again. A collection that is gone is the exception, since its records are gone too.
   */
  #learn(
    scope: CollectionScope,
    info: CollectionInfo,
    collection: OpenCollection,
    calls: readonly WriteCall[],
    outcomes: readonly Outcome<unknown>[],
  ): void {
    const keys = calls.flatMap((call, index): readonly MetadataKey[] =>
      call.verb !== 'delete' && outcomes[index]!.ok ? call.batch.metadataKeys : [],
    );
    try {
      const dimension = info.dimension ?? collection.store.read((state) => state.dimension);
      // Who knows of records must never outlive the file that holds them.
      if (info.dimension === null && this.#settings.durability !== 'full') collection.store.sync();
      this.catalogue.learn(scope, dimension, keys);
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind === 'not_found') throw error;
    }
  }

  #wantTextIndex(collection: OpenCollection): void {
    collection.isTextIndexWanted = true;
    this.#markUntidy(collection);
  }

  #markUntidy(collection: OpenCollection): void {
    if (this.#settings.readOnly) return;
    // Also by a reader that writes until the writer is there: who comes later knows nothing of it.
    this.#erasure.note(collection.id);
    if (this.#role.kind === 'reader') return;
    collection.isFileUntidy = true;
    collection.isIndexUntidy = this.#role.kind !== 'writer';
    this.#untidy.add(collection.id);
  }

  /** One slice of `settle`. Returns whether more is left. */
  #settleSlice(scope: CollectionScope): boolean {
    const collection = this.#open.find(this.catalogue.collection(scope));
    if (collection === null) return false;
    const { store, indexes } = collection;
    if (this.#role.kind !== 'writer') {
      indexes.maintain(SLICE_MS, this.#nowMs, true);
      if (!indexes.isSettled) return true;
    }
    return !this.#settings.readOnly && absorbText(store, collection.isTextIndexWanted);
  }

  /** A clock by which a slice is over once a call waits; it is first read when the slice begins. */
  #sliceClock(): () => number {
    let isBegun = false;
    return () => {
      if (isBegun && this.#isCalled()) return Number.POSITIVE_INFINITY;
      isBegun = true;
      return this.#nowMs();
    };
  }

  /** One slice of what a collection waits for. Returns whether more is left. */
  #tidy(collection: OpenCollection): boolean {
    const { store, indexes } = collection;
    if (collection.isIndexUntidy || !indexes.isSettled) {
      collection.isIndexUntidy = false;
      indexes.maintain(SLICE_MS, this.#sliceClock());
      return true;
    }
    if (!collection.isFileUntidy) return this.#erasure.tidy(collection);
    collection.isFileUntidy = absorbText(store, collection.isTextIndexWanted) || vacuum(store);
    return collection.isFileUntidy || this.#erasure.tidy(collection);
  }

  /** What a process that died has left; where that cannot be done now, the next opening tries again. */
  #clearLeftovers(): void {
    try {
      this.catalogue.clearLeftovers((id) => this.#open.clear(id));
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
    }
  }

  /**
   * Removes the files of collections that the catalogue no longer has. They are deleted already, so that a
   * file which cannot be removed yet, or might come back after a power cut, fails nobody's call: its note
   * stays, and the next opening tries again.
   */
  #destroyFiles(ids: readonly string[]): void {
    const removed: string[] = [];
    for (const id of ids) {
      this.#untidy.delete(id);
      this.#erasure.forget(id);
      if (this.#open.destroy(id)) removed.push(id);
    }
    try {
      if (removed.length > 0) this.#open.sync();
      this.catalogue.finishDeletions(removed);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
    }
  }
}

function checkFilters({ schema }: CollectionInfo, selection: RecordSelection): void {
  const { where, whereDocument } = selection;
  if (where !== null) checkFilterAllowed(schema, where);
  if (whereDocument !== null) checkFilterAllowed(schema, whereDocument);
  checkSelection(selection);
}

/** Whether a call may have something to store in a collection that has no records yet. */
function needsFile(call: WriteCall): boolean {
  return call.verb !== 'delete' && call.batch.ids.length > 0 && call.batch.embeddings !== null;
}

/** How large the pages of a new file are to be that begins with what these calls bring. */
function pageBytesOf(calls: readonly WriteCall[]): number {
  const sizes = calls.map((call) =>
    call.verb === 'delete' ? 0 : (call.batch.embeddings?.values.byteLength ?? 0),
  );
  return pageBytesFor(sizes.reduce((sum, bytes) => sum + bytes, 0));
}

/** What a call does to a collection without records. */
function resultOnEmpty(call: WriteCall): DeleteResult | undefined {
  if (call.verb !== 'delete') return undefined;
  return { deleted: hasFilter(call.request) ? 0 : (call.request.ids?.length ?? 0) };
}

function emptyColumns(include: readonly Include[]): RecordColumns {
  const column = (name: Include): never[] | null => (include.includes(name) ? [] : null);
  const embeddings = include.includes('embeddings')
    ? { dimension: 0, values: new Float32Array(), present: null }
    : null;
  return {
    ids: [],
    embeddings,
    documents: column('documents'),
    uris: column('uris'),
    metadatas: column('metadatas'),
  };
}

function emptyNeighbours(
  { embeddings, include, explain, ...request }: QueryRequest,
  recall: number,
): Neighbours[] {
  const distances = include.includes('distances') ? new Float32Array() : null;
  const plan = explain ? emptyPlan(request.recall ?? recall) : null;
  return Array.from({ length: embeddingCount(embeddings) }, () => ({
    ...emptyColumns(include),
    distances,
    plan,
  }));
}

function emptyStatistics(recall: number): CollectionStatistics {
  const follower = { position: 0, lag: 0 };
  return {
    recordCount: 0,
    sequence: 0,
    dimension: null,
    sourceId: null,
    fileBytes: 0,
    vectors: {
      ...follower,
      kind: 'unloaded',
      cellCount: 0,
      waitingCount: 0,
      apartCount: 0,
      savedPosition: 0,
      recall,
      measuredRecall: null,
      effort: null,
      probedCount: 0,
      missedCount: 0,
      repairedCount: 0,
      bytes: 0,
      cachedCount: 0,
    },
    text: { ...follower, isBuilt: false },
    memory: { budget: 0, used: 0 },
  };
}
