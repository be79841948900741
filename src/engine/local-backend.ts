/**
 * The asynchronous shell of the engine: `Backend` on the calling thread.
 *
 * Reads run at once. Writes queue until the event loop comes round, and all that have gathered for a
 * collection by then share one transaction and one sync of the disk (group commit); a read that arrives
 * earlier lets them go first, so calls take effect in the order in which they were made. A promise resolves
 * after the commit.
 *
 * Maintenance runs between calls, in slices of a millisecond or two. A turn of it lasts one slice, or as long
 * as the calls since the last turn took together: so under load it gets half the thread, and calls take at
 * most twice as long. On a reader's thread every turn is one slice, which ends with its present step when a
 * call is sent, since queries are to wait for nothing longer, unless so many rows wait to be taken in that
 * queries take longer for ranking them: between turns the event loop lets in the calls that have arrived.
 * Where calls follow one another so closely that it never comes round, one of them now and then waits for it
 * before it answers.
 *
 * A commit during which other threads were asked for records is followed by a pause as long, and by a longer
 * one where they are behind. What is written has to be followed by those who read, at about the price of
 * writing it, and a writer as fast as it can be would leave queries ever more to do.
 */

import {
  type Backend,
  type BackendLimits,
  type CallOptions,
  type ChangesRequest,
  type CollectionChanges,
  type CollectionInfo,
  type CollectionInput,
  type CollectionScope,
  type CollectionStatistics,
  type DatabaseInfo,
  type DatabaseScope,
  type DeleteRequest,
  type DeleteResult,
  type GetRequest,
  type Identity,
  LIMITS,
  type Neighbours,
  type Page,
  type QueryRequest,
  RELEASE_VERSION,
  type RecordBatch,
  type RecordChanges,
  type RecordColumns,
  type RepairReport,
  type SalvageReport,
  type SuccessionRequest,
  type TenantInfo,
  type VerifyReport,
} from '../api/index.ts';
import { abortError, type Clock, DatabaseError, keepWhilePending, throwIfAborted } from '../base/index.ts';
import type { Outcome } from '../records/index.ts';
import type { Components } from './components.ts';
import { Engine, type WriteCall } from './engine.ts';
import type { Reads } from './read-traffic.ts';
import type { EngineSettings } from './settings.ts';

interface QueuedWrite {
  readonly scope: CollectionScope;
  readonly call: WriteCall;
  readonly signal: AbortSignal | undefined;
  readonly settle: (outcome: Outcome<DeleteResult | undefined>) => void;
}

/** Longest turn of maintenance, whatever the calls took: no event loop is to stand still for longer. */
const MAINTENANCE_TURN_MS_MAX = 20;

/**
 * From so many rows on that every query looks at until maintenance has done its work, a reader's turns are
 * longer than a slice, the more of them the longer: a millisecond for so many. A query ranks 1,024 in 0.3 ms.
 */
const PENDING_COUNT_MIN = 1_024;
const PENDING_COUNT_PER_MS = 256;

/** How long an answer is kept at most for the sake of maintenance. */
const KEPT_MS_MAX = 2_000;

/** Longest pause after a commit, which may have waited for a lock or a slow disk; shorter ones are none. */
const PAUSE_MS_MAX = 100;
const PAUSE_MS_MIN = 1;
/**
 * A pause is longer by itself for so many rows that a reader has still to take in, up to `PAUSE_FACTOR_MAX`
 * times as long: with 33,000 to begin with, a reader keeps up (docs/adr/0011, 2026-11-30).
 */
const PAUSE_PENDING_COUNT = 8_192;
const PAUSE_FACTOR_MAX = 5;
/** Who has not been asked a query for so long tells the writer of no rows: nobody waits for them. */
const QUERIED_MS = 1_000;

/**
 * How long nothing is to be called before write-ahead logs are emptied, which may take as long as a commit:
 * who writes one call after the other does not wait for it.
 */
const CALM_MS = 1_000;

/** See the top of this file. */
export class LocalBackend implements Backend {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #isReader: boolean;
  readonly #readsElsewhere: () => Reads;
  readonly #notePending: (count: number) => void;
  /** No queued write begins before this moment, unless a call comes that has to follow it. */
  #pausedUntilMs = 0;
  #queue: QueuedWrite[] = [];
  #isFlushScheduled = false;
  /** Runs during a pause in which writes are queued. */
  #pauseTimer: NodeJS.Timeout | undefined;
  #isMaintenanceScheduled = false;
  /** When maintenance was last promised a turn. */
  #scheduledMs = 0;
  #calmTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null = null;
  /** Calls that run in slices. */
  readonly #longCalls = new Set<Promise<unknown>>();
  /** What queries took that keep their answers, less the time that maintenance had since. */
  #owedMs = 0;
  /** The next time that the event loop comes round, where calls wait for it with their answers. */
  #nextRound: Promise<void> | undefined;
  /** The last turn of the event loop that a slice of a long call has been promised. */
  #lastTurn: Promise<void> = Promise.resolve();
  /** The last query: of which collection, and when. */
  #queried: { readonly collectionId: string; readonly atMs: number } | undefined;
  /** Time that calls took since maintenance last had its turn. */
  #callsMs = 0;
  #isClosed = false;

  /** Opens or creates the database. Errors: those of `Engine`. */
  constructor(settings: EngineSettings, components: Components) {
    this.#engine = new Engine(settings, components);
    this.#clock = components.clock;
    this.#isReader = components.role.kind === 'reader';
    this.#readsElsewhere = components.readsElsewhere;
    this.#notePending = components.notePending;
  }

  heartbeat(options?: CallOptions): Promise<bigint> {
    return this.#run(options, () => this.#clock.nowNs());
  }

  version(options?: CallOptions): Promise<string> {
    return this.#run(options, () => RELEASE_VERSION);
  }

  limits(options?: CallOptions): Promise<BackendLimits> {
    return this.#run(options, () => ({ batchSizeMax: LIMITS.batchSizeMax }));
  }

  identity(options?: CallOptions): Promise<Identity> {
    return this.#run(options, () => this.#engine.identity());
  }

  reset(options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#engine.reset());
  }

  createTenant(name: string, options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#engine.catalogue.createTenant(name));
  }

  getTenant(name: string, options?: CallOptions): Promise<TenantInfo> {
    return this.#run(options, () => this.#engine.catalogue.tenant(name));
  }

  createDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#engine.catalogue.createDatabase(scope));
  }

  getDatabase(scope: DatabaseScope, options?: CallOptions): Promise<DatabaseInfo> {
    return this.#run(options, () => this.#engine.catalogue.database(scope));
  }

  listDatabases(tenant: string, page: Page, options?: CallOptions): Promise<DatabaseInfo[]> {
    return this.#run(options, () => this.#engine.catalogue.databases(tenant, page));
  }

  deleteDatabase(scope: DatabaseScope, options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#engine.deleteDatabase(scope));
  }

  createCollection(
    scope: DatabaseScope,
    input: CollectionInput,
    options?: CallOptions,
  ): Promise<CollectionInfo> {
    return this.#run(options, () => this.#engine.catalogue.createCollection(scope, input));
  }

  getCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    return this.#run(options, () => this.#engine.catalogue.collectionNamed(scope, name));
  }

  getCollectionById(scope: CollectionScope, options?: CallOptions): Promise<CollectionInfo> {
    return this.#run(options, () => this.#engine.catalogue.collection(scope));
  }

  findCollection(collectionId: string, options?: CallOptions): Promise<CollectionInfo> {
    return this.#run(options, () => this.#engine.catalogue.findCollection(collectionId));
  }

  listCollections(scope: DatabaseScope, page: Page, options?: CallOptions): Promise<CollectionInfo[]> {
    return this.#run(options, () => this.#engine.catalogue.collections(scope, page));
  }

  countCollections(scope: DatabaseScope, options?: CallOptions): Promise<number> {
    return this.#run(options, () => this.#engine.catalogue.countCollections(scope));
  }

  updateCollection(scope: CollectionScope, changes: CollectionChanges, options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#engine.catalogue.updateCollection(scope, changes));
  }

  deleteCollection(scope: DatabaseScope, name: string, options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#engine.deleteCollection(scope, name));
  }

  fork(scope: CollectionScope, name: string, options?: CallOptions): Promise<CollectionInfo> {
    return this.#runSliced(options, this.#engine.fork(scope, name));
  }

  countForks(scope: CollectionScope, options?: CallOptions): Promise<number> {
    return this.#run(options, () => this.#engine.catalogue.countForks(scope));
  }

  changes(scope: CollectionScope, request: ChangesRequest, options?: CallOptions): Promise<RecordChanges> {
    return this.#run(options, () => this.#engine.changes(scope, request));
  }

  succeed(
    scope: CollectionScope,
    request: SuccessionRequest,
    options?: CallOptions,
  ): Promise<CollectionInfo | null> {
    return this.#run(options, () => this.#engine.succeed(scope, request));
  }

  async add(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    await this.#write(scope, { verb: 'add', batch }, options);
  }

  async upsert(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    await this.#write(scope, { verb: 'upsert', batch }, options);
  }

  async update(scope: CollectionScope, batch: RecordBatch, options?: CallOptions): Promise<void> {
    await this.#write(scope, { verb: 'update', batch }, options);
  }

  async delete(scope: CollectionScope, request: DeleteRequest, options?: CallOptions): Promise<DeleteResult> {
    return (await this.#write(scope, { verb: 'delete', request }, options))!;
  }

  get(scope: CollectionScope, request: GetRequest, options?: CallOptions): Promise<RecordColumns> {
    return this.#run(options, () => this.#engine.get(scope, request));
  }

  query(scope: CollectionScope, request: QueryRequest, options?: CallOptions): Promise<Neighbours[]> {
    return this.#runSliced(options, this.#engine.query(scope, request), 'finished', scope.collectionId);
  }

  count(scope: CollectionScope, options?: CallOptions): Promise<number> {
    return this.#run(options, () => this.#engine.count(scope));
  }

  settle(scope: CollectionScope, options?: CallOptions): Promise<void> {
    return this.#runSliced(options, this.#engine.settle(scope));
  }

  statistics(scope: CollectionScope, options?: CallOptions): Promise<CollectionStatistics> {
    return this.#run(options, () => this.#engine.statistics(scope));
  }

  verify(scope: CollectionScope, options?: CallOptions): Promise<VerifyReport> {
    return this.#runSliced(options, this.#engine.verify(scope));
  }

  repair(scope: CollectionScope, options?: CallOptions): Promise<RepairReport> {
    return this.#runSliced(options, this.#engine.repair(scope));
  }

  salvage(scope: CollectionScope, name: string, options?: CallOptions): Promise<SalvageReport> {
    return this.#runSliced(options, this.#engine.salvage(scope, name));
  }

  /** Whether nothing is under way, and nothing is left to do of its own accord. */
  get isAtRest(): boolean {
    const isCalled = this.#queue.length > 0 || this.#longCalls.size > 0;
    return !isCalled && !this.#engine.isUntidy && !this.#engine.isUnfolded;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#flush();
    this.#isClosed = true;
    clearTimeout(this.#calmTimer);
    // Long calls are finished, or end at their next turn and clean up what they had begun.
    await Promise.allSettled(this.#longCalls);
    this.#engine.close();
  }

  /** Takes note that another thread has changed records of a collection, so many since it was opened. */
  noteChange(scope: CollectionScope, writtenCount: number): void {
    this.#note(() => this.#engine.noteChange(scope, writtenCount));
  }

  /** Takes note that another thread has deleted collections. */
  noteDeletions(): void {
    this.#note(() => this.#engine.noteDeletions());
  }

  /** Takes note that a query on another thread would have used a text index. */
  noteTextIndexWanted(scope: CollectionScope): void {
    this.#note(() => this.#engine.noteTextIndexWanted(scope));
  }

  #note(take: () => void): void {
    if (this.#isClosed) return;
    take();
    this.#scheduleMaintenance();
  }

  /** Runs a call at once, after the writes that were queued before it. */
  async #run<T>(options: CallOptions | undefined, call: () => T): Promise<T> {
    this.#check(options);
    this.#flush();
    const isStarving = this.#isMaintenanceStarving;
    const answer = this.#timed(call);
    if (isStarving) await this.#comeRound();
    return answer;
  }

  /**
   * Whether maintenance has waited for its turn as long as one may take: a program that awaits one call after
   * the other, and nothing else, never lets the event loop come round.
   */
  get #isMaintenanceStarving(): boolean {
    return (
      this.#isMaintenanceScheduled && this.#clock.monotonicMs() - this.#scheduledMs >= MAINTENANCE_TURN_MS_MAX
    );
  }

  /**
   * Keeps the answer of a query that looked at many rows for want of maintenance, until that has had as much
   * time as the queries whose answers are kept: an index that is made anew beside queries that each read all
   * embeddings would otherwise have a twentieth of the thread.
   */
  async #giveTurns(collectionId: string, tookMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.#owedMs += tookMs;
    const untilMs = this.#clock.monotonicMs() + KEPT_MS_MAX;
    while (this.#owedMs > 0 && this.#lacksMaintenance(collectionId)) {
      await this.#comeRound();
      if (this.#isClosed || signal?.aborted === true || this.#clock.monotonicMs() >= untilMs) break;
    }
    if (!this.#lacksMaintenance(collectionId)) this.#owedMs = 0;
  }

  #lacksMaintenance(collectionId: string | undefined): boolean {
    return collectionId !== undefined && this.#engine.pendingCount(collectionId) > PENDING_COUNT_MIN;
  }

  /** Lets the event loop come round once, for all that wait for it together. */
  #comeRound(): Promise<void> {
    this.#nextRound ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#nextRound = undefined;
        resolve();
      });
    });
    return this.#nextRound;
  }

  /** Runs a call or a part of one; maintenance has its turn afterwards. */
  #timed<T>(call: () => T): T {
    const startMs = this.#clock.monotonicMs();
    try {
      return call();
    } finally {
      this.#callsMs += this.#clock.monotonicMs() - startMs;
      this.#scheduleMaintenance();
    }
  }

  /**
   * Runs a call that takes long, slice by slice, with a turn of the event loop between two of them, also of
   * different calls: what comes meanwhile waits for one slice at most, and the signal is heard. `atClosing`
   * says what becomes of it when the database is closed; `queriedId` is the collection of a query.
   */
  #runSliced<T>(
    options: CallOptions | undefined,
    slices: Generator<void, T>,
    atClosing: 'finished' | 'given up' = 'given up',
    queriedId?: string,
  ): Promise<T> {
    return keepWhilePending(this.#longCalls, this.#runSlices(options, slices, atClosing, queriedId));
  }

  async #runSlices<T>(
    options: CallOptions | undefined,
    slices: Generator<void, T>,
    atClosing: 'finished' | 'given up',
    queriedId: string | undefined,
  ): Promise<T> {
    this.#check(options);
    this.#flush();
    const isStarving = this.#isMaintenanceStarving;
    // Not the first query, which loads what is there, nor one that has much to follow.
    const lacksMaintenance = this.#lacksMaintenance(queriedId);
    if (queriedId !== undefined) this.#queried = { collectionId: queriedId, atMs: this.#clock.monotonicMs() };
    let tookMs = 0;
    try {
      for (;;) {
        const startMs = this.#clock.monotonicMs();
        const slice = this.#timed(() => slices.next());
        tookMs += this.#clock.monotonicMs() - startMs;
        if (slice.done === true) {
          if (isStarving) await this.#comeRound();
          if (lacksMaintenance && tookMs > MAINTENANCE_TURN_MS_MAX) {
            await this.#giveTurns(queriedId!, tookMs, options?.signal);
          }
          return slice.value;
        }
        await this.#nextTurn();
        if (atClosing === 'given up') this.#check(options);
        else throwIfAborted(options?.signal);
      }
    } finally {
      // One that is given up cleans up after itself.
      slices.return(undefined as never);
    }
  }

  /** Waits for a turn in which no other long call has a slice. */
  #nextTurn(): Promise<void> {
    this.#lastTurn = this.#lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.#lastTurn;
  }

  #check(options: CallOptions | undefined): void {
    throwIfAborted(options?.signal, 'notBegun');
    if (this.#isClosed) throw new DatabaseError('TESSERA_CLOSED', 'The client is closed. Open a new one.');
  }

  async #write(
    scope: CollectionScope,
    call: WriteCall,
    options: CallOptions | undefined,
  ): Promise<DeleteResult | undefined> {
    this.#check(options);
    const outcome = await new Promise<Outcome<DeleteResult | undefined>>((settle) => {
      this.#queue.push({ scope, call, signal: options?.signal, settle });
      this.#scheduleFlush();
    });
    if (!outcome.ok) throw outcome.error;
    return outcome.value;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    const flush = (): void => {
      this.#isFlushScheduled = false;
      this.#flush();
      this.#scheduleMaintenance();
    };
    const pauseMs = this.#pausedUntilMs - this.#clock.monotonicMs();
    if (pauseMs > 0) this.#pauseTimer = setTimeout(flush, pauseMs);
    else setImmediate(flush);
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    if (this.#pauseTimer !== undefined) {
      clearTimeout(this.#pauseTimer);
      this.#pauseTimer = undefined;
      this.#isFlushScheduled = false;
    }
    const queued = this.#queue;
    this.#queue = [];
    const groups = new Map<string, QueuedWrite[]>();
    for (const write of queued) {
      if (write.signal?.aborted === true) {
        write.settle({ ok: false, error: abortError(write.signal, 'notBegun') });
        continue;
      }
      const { tenant, database, collectionId } = write.scope;
      const key = JSON.stringify([tenant, database, collectionId]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [write]);
      else group.push(write);
    }
    for (const group of groups.values()) this.#commit(group);
  }

  #commit(group: readonly QueuedWrite[]): void {
    const startMs = this.#clock.monotonicMs();
    const { count, underWayCount } = this.#readsElsewhere();
    try {
      const outcomes = this.#engine.writeGroup(
        group[0]!.scope,
        group.map(({ call }) => call),
      );
      for (const [index, write] of group.entries()) write.settle(outcomes[index]!);
    } catch (error) {
      for (const write of group) write.settle({ ok: false, error });
    }
    const reads = this.#readsElsewhere();
    if (reads.count === count && underWayCount === 0) return;
    const endMs = this.#clock.monotonicMs();
    if (endMs - startMs < PAUSE_MS_MIN) return;
    const factor = Math.min(PAUSE_FACTOR_MAX, 1 + reads.pendingCount / PAUSE_PENDING_COUNT);
    const untilMs = Math.max(this.#pausedUntilMs, endMs) + factor * (endMs - startMs);
    this.#pausedUntilMs = Math.min(untilMs, endMs + factor * PAUSE_MS_MAX);
  }

  #scheduleMaintenance(): void {
    if (this.#isMaintenanceScheduled || this.#isClosed) return;
    this.#scheduleFolding();
    if (!this.#engine.isUntidy) return;
    this.#isMaintenanceScheduled = true;
    this.#scheduledMs = this.#clock.monotonicMs();
    setImmediate(() => {
      this.#isMaintenanceScheduled = false;
      const isWaitedFor = this.#nextRound !== undefined;
      if (this.#isClosed || (this.#isFlushScheduled && !isWaitedFor)) return;
      const startMs = this.#clock.monotonicMs();
      const untilMs = startMs + Math.min(this.#callsMs, this.#turnMsMax(isWaitedFor));
      this.#callsMs = 0;
      do this.#engine.maintain();
      while (this.#engine.isUntidy && this.#clock.monotonicMs() < untilMs);
      this.#tellPending();
      this.#owedMs = Math.max(0, this.#owedMs - (this.#clock.monotonicMs() - startMs));
      this.#scheduleMaintenance();
    });
  }

  /** Tells others how many rows wait in the collection that was queried last. */
  #tellPending(): void {
    const queried = this.#queried;
    const isAsked = queried !== undefined && this.#clock.monotonicMs() - queried.atMs < QUERIED_MS;
    this.#notePending(isAsked ? this.#engine.pendingCount(queried.collectionId) : 0);
  }

  /** Longest turn of maintenance for now; 0 is one slice. `isWaitedFor` if an answer is kept for it. */
  #turnMsMax(isWaitedFor: boolean): number {
    if (this.#isFlushScheduled) return 0;
    const pendingCount = this.#engine.pendingCount();
    if (pendingCount <= PENDING_COUNT_MIN && (this.#isReader || isWaitedFor)) return 0;
    if (!this.#isReader) return MAINTENANCE_TURN_MS_MAX;
    return Math.min(MAINTENANCE_TURN_MS_MAX, pendingCount / PENDING_COUNT_PER_MS);
  }

  /** Once nothing was called for a while, the engine sees to it that deleted records are in no file. */
  #scheduleFolding(): void {
    if (this.#calmTimer !== undefined) {
      this.#calmTimer.refresh();
    } else if (this.#engine.isUnfolded) {
      this.#calmTimer = setTimeout(() => {
        this.#calmTimer = undefined;
        if (this.#engine.calm()) this.#scheduleMaintenance();
      }, CALM_MS).unref();
    }
  }
}
