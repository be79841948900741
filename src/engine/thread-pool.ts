/**
 * The worker threads of one database: one that writes and any number that read.
 *
 * Each is an opener of the directory like any other, with connections, catalogue and indexes of its own, so
 * that a reader sees every write that was acknowledged before the read was called: SQLite tells it at the
 * start of each transaction. Reads therefore wait for no write; writes take effect in the order in which they
 * were called. Where there are no readers (a database in memory, or `threads: 1`), the writer does all, and
 * all calls take effect in the order in which they were called.
 *
 * A reader's indexes take memory and time to load. So the first reader answers alone until it is found at
 * work; then the next one is started and *introduced*: it is sent a small copy of the call, whose answer
 * nobody waits for, and takes part once it has answered. Among readers that know a collection, the one with
 * the fewest calls under way is asked. A further reader that cannot be started is done without.
 *
 * A thread takes some 40 ms to start. The database is open once the first reader is there; until the writer
 * is there too, that reader writes as well, as any opener can. The writer is started when records are
 * written, by `settle` and `repair`, or a moment after opening: until then the first answer has the machine
 * to itself.
 *
 * A writer that has had nothing to do for a while ends, and gives its memory back; the next call that asks
 * for one starts another, as after opening.
 *
 * A thread that dies (of a fault, or for want of memory) fails the calls that it had under way, with an error
 * that says to make them again. Another one takes its place when a call next asks for it: at once would be in
 * a circle where whatever killed it is still there. Only a database in memory is gone with its thread.
 */
import type { BackendMethod, CallOptions, CollectionScope, QueryRequest, RecordBatch } from '../api/index.ts';
import { keepWhilePending } from '../base/index.ts';
import { queryInParts } from './query-parts.ts';
import { ReadTraffic } from './read-traffic.ts';
import { mergeRepairReports, mergeVerifyReports } from './reports.ts';
import { type EngineSettings, settingsOfThread } from './settings.ts';
import type { WorkerData, WorkerNotice } from './worker-protocol.ts';
import { closedError, type WorkerEvents, WorkerThread } from './worker-thread.ts';

/**
 * Who answers a method: the writer, with or without word to the readers that records have changed or that
 * collections are gone; any reader; a reader that knows the collection; the reader that keeps the cells; all
 * readers, or all threads, whose answers are put together.
 */
type Route =
  | 'writer'
  | 'change'
  | 'deletion'
  | 'any reader'
  | 'knowing reader'
  | 'first reader'
  | 'all readers'
  | 'all threads';

const ROUTES: { readonly [Method in BackendMethod]: Route } = {
  heartbeat: 'any reader',
  version: 'any reader',
  limits: 'any reader',
  identity: 'any reader',
  reset: 'deletion',
  createTenant: 'writer',
  getTenant: 'any reader',
  createDatabase: 'writer',
  getDatabase: 'any reader',
  listDatabases: 'any reader',
  deleteDatabase: 'deletion',
  createCollection: 'writer',
  getCollection: 'any reader',
  getCollectionById: 'any reader',
  findCollection: 'any reader',
  listCollections: 'any reader',
  countCollections: 'any reader',
  updateCollection: 'writer',
  deleteCollection: 'deletion',
  fork: 'writer',
  countForks: 'any reader',
  changes: 'any reader',
  succeed: 'writer',
  add: 'change',
  upsert: 'change',
  update: 'change',
  delete: 'change',
  get: 'knowing reader',
  query: 'knowing reader',
  count: 'any reader',
  settle: 'all threads',
  statistics: 'first reader',
  verify: 'all readers',
  repair: 'all threads',
  salvage: 'writer',
};

/** How the answers of several threads become one. */
const MERGERS: { readonly [Method in BackendMethod]?: (answers: never[]) => unknown } = {
  verify: mergeVerifyReports,
  repair: mergeRepairReports,
};

/** What makes a copy of a call small: its answer. */
const INTRODUCTIONS: { readonly [Method in BackendMethod]?: object } = {
  get: { limit: 0, include: [] },
  query: { nResults: 1, include: [], explain: false },
};

/**
 * How long the writer is not started after opening unless it is needed: longer than the first answer takes
 * (0.15 s with 100,000 records), and short enough for what it tidies up of its own accord.
 */
const WRITER_DELAY_MS = 500;

/** A reader's place, filled when it is first needed. */
interface Reader {
  readonly index: number;
  thread: WorkerThread | null;
  /** Under way, done or failed. */
  opening: Promise<void> | null;
  /** Methods and collections whose indexes it has loaded, as far as is known. */
  readonly known: Set<string>;
  isBeingIntroduced: boolean;
}

/** See the top of this file. */
export class ThreadPool {
  readonly #settings: EngineSettings;
  readonly #workerUrl: URL;
  readonly #readers: readonly Reader[];
  readonly #traffic: ReadTraffic;
  #writer: WorkerThread | null = null;
  /** The start of a writer under way; `null` where there is one, or none was asked for. */
  #writerOpening: Promise<void> | null = null;
  /** Runs until the writer is started for the first time. */
  #writerTimer: NodeJS.Timeout | undefined;
  /** The end of a writer that had nothing to do, under way or done; `null` once another is being started. */
  #writerLeave: Promise<void> | null = null;
  /** Why the last start of a writer failed. */
  #writerFailure: Error | null = null;
  /** Writes that the first reader was given for want of a writer. */
  #earlyWrites: Promise<unknown>[] = [];
  /** Collections whose records the first reader has written, by id. */
  readonly #earlyScopes = new Map<string, CollectionScope>();
  /** Resolves when the early writes have been answered; what is written then comes after them. */
  #handover: Promise<void> = Promise.resolve();
  /** Records written to each collection since the database was opened. */
  readonly #written = new Map<string, number>();
  /** Queries under way: parts of them may be yet to be asked. */
  readonly #queries = new Set<Promise<unknown>>();
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;

  private constructor(settings: EngineSettings, workerUrl: URL) {
    this.#settings = settings;
    this.#workerUrl = workerUrl;
    this.#traffic = ReadTraffic.among(settings.threads - 1);
    this.#readers = Array.from({ length: settings.threads - 1 }, (_, index) => ({
      index,
      thread: null,
      opening: null,
      known: new Set<string>(),
      isBeingIntroduced: false,
    }));
  }

  /** Starts the thread that does all, or the first reader. Errors: those of opening. */
  static async open(settings: EngineSettings, workerUrl: URL): Promise<ThreadPool> {
    const pool = new ThreadPool(settings, workerUrl);
    const [first] = pool.#readers;
    if (first === undefined) {
      await pool.#startWriter();
    } else {
      await pool.#startReader(first);
      // Who writes hears of what is wrong with it.
      pool.#writerTimer = setTimeout(() => pool.#startWriter().catch(() => {}), WRITER_DELAY_MS).unref();
    }
    return pool;
  }

  /** Makes a call on the threads that it belongs to; rejects as the method does. */
  async call<T>(
    method: BackendMethod,
    parameters: readonly unknown[],
    options: CallOptions = {},
  ): Promise<T> {
    if (this.#closing !== null) throw closedError();
    if (method !== 'query') return this.#send(method, parameters, options);
    const [scope, request] = parameters as [CollectionScope, QueryRequest];
    const answers = queryInParts(request, (part) => this.#send('query', [scope, part], options));
    return keepWhilePending(this.#queries, answers) as Promise<T>;
  }

  async #send<T>(method: BackendMethod, parameters: readonly unknown[], options: CallOptions): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    const [firstPlace] = this.#readers;
    if (firstPlace !== undefined && firstPlace.thread === null) await this.#startReader(firstPlace);
    const readers = this.#openReaders();
    const [first] = readers;
    const route = ROUTES[method];
    if (route === 'writer') return this.#write(method, parameters, options);
    if (route === 'change' || route === 'deletion') return this.#writeAndTell(method, parameters, options);
    if (first === undefined) return this.#write(method, parameters, options);
    switch (route) {
      case 'any reader':
        return leastBusy(readers).call(method, parameters, options);
      case 'knowing reader':
        return this.#read(this.#knowingReader(method, parameters), method, parameters, options);
      case 'first reader':
        return first.thread.call(method, parameters, options);
      case 'all threads':
        // What the writer alone does, such as taking deleted records out of files, is done by the answer.
        if (this.#writer === null) await this.#startWriter();
        return askAll(this.#threads(), method, parameters, options);
      default:
        return askAll(
          readers.map(({ thread }) => thread),
          method,
          parameters,
          options,
        );
    }
  }

  async #read<T>(
    reader: WorkerThread,
    method: BackendMethod,
    parameters: readonly unknown[],
    options: CallOptions,
  ): Promise<T> {
    this.#traffic.noteRead();
    try {
      return await reader.call<T>(method, parameters, options);
    } finally {
      this.#traffic.noteAnswer();
    }
  }

  /** Answers the calls under way, closes the database in every thread and ends them. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#writerTimer);
    await Promise.allSettled(this.#queries);
    await Promise.allSettled([this.#writerOpening, ...this.#readers.map(({ opening }) => opening)]);
    await this.#writerLeave;
    // The last one to close a file folds its write-ahead log into it; two at the same moment leave it lying.
    const [first, ...others] = this.#openReaders();
    await Promise.all(others.map(({ thread }) => thread.close()));
    await first?.thread.close();
    await this.#writer?.close();
  }

  async #write<T>(method: BackendMethod, parameters: readonly unknown[], options: CallOptions): Promise<T> {
    if (this.#writer === null) {
      const first = this.#writerFailure === null ? this.#readers[0]?.thread : null;
      // Who opens a collection, made if need be, is about to ask it something.
      const isDelayed = first && this.#writerTimer !== undefined && method === 'createCollection';
      const opening = isDelayed ? null : this.#startWriter();
      if (first) {
        opening?.catch(() => {});
        const written = first.call<T>(method, parameters, options);
        this.#earlyWrites.push(written);
        if (ROUTES[method] === 'change') {
          const scope = scopeIn(parameters);
          this.#earlyScopes.set(scope.collectionId, scope);
        }
        return written;
      }
      await opening;
    }
    await this.#handover;
    // It may have died while this call waited.
    if (this.#writer === null) return this.#write(method, parameters, options);
    return this.#writer.call(method, parameters, options);
  }

  async #writeAndTell<T>(
    method: BackendMethod,
    parameters: readonly unknown[],
    options: CallOptions,
  ): Promise<T> {
    const answer = await this.#write<T>(method, parameters, options);
    if (ROUTES[method] === 'deletion') {
      for (const { known } of this.#readers) known.clear();
      this.#written.clear();
      this.#notifyReaders({ kind: 'deleted' });
    } else {
      const scope = scopeIn(parameters);
      const writtenCount = (this.#written.get(scope.collectionId) ?? 0) + recordCountIn(parameters);
      this.#written.set(scope.collectionId, writtenCount);
      this.#notifyReaders({ kind: 'changed', scope, writtenCount });
    }
    return answer;
  }

  #notifyReaders(notice: WorkerNotice): void {
    for (const { thread } of this.#openReaders()) thread.notify(notice);
  }

  /** The least busy reader that knows the collection; where even that one is at work, more get to know it. */
  #knowingReader(method: BackendMethod, parameters: readonly unknown[]): WorkerThread {
    const key = `${method} ${scopeIn(parameters).collectionId}`;
    const knowing = this.#openReaders().filter(({ index, known }) => index === 0 || known.has(key));
    const chosen = leastBusy(knowing);
    if (chosen.callCount > 0) this.#introduceNext(key, method, parameters);
    return chosen;
  }

  #introduceNext(key: string, method: BackendMethod, parameters: readonly unknown[]): void {
    const next = this.#readers.find(({ index, known }) => index > 0 && !known.has(key));
    if (next === undefined || next.isBeingIntroduced) return;
    next.isBeingIntroduced = true;
    const [scope, request] = parameters;
    const copy = { ...(request as object), ...INTRODUCTIONS[method] };
    void this.#startReader(next)
      .then(() => next.thread!.call(method, [scope, copy], {}))
      .then(
        () => {
          next.known.add(key);
          next.isBeingIntroduced = false;
        },
        () => {
          // Who made the call hears of what is wrong with it. A thread that did not start is not tried again.
          if (next.thread !== null) next.isBeingIntroduced = false;
        },
      );
  }

  /** Starts the writer, unless that is under way. Rejects where the database is being closed. */
  #startWriter(): Promise<void> {
    // Nobody would end a thread that is started then.
    if (this.#closing !== null) return Promise.reject(closedError());
    clearTimeout(this.#writerTimer);
    this.#writerTimer = undefined;
    this.#writerOpening ??= this.#openWriter().finally(() => {
      this.#writerOpening = null;
    });
    return this.#writerOpening;
  }

  async #openWriter(): Promise<void> {
    await this.#writerLeave;
    this.#writerLeave = null;
    const readerCount = this.#readers.length;
    const isAlone = readerCount === 0;
    const data: WorkerData = {
      settings: isAlone ? this.#settings : settingsOfThread(this.#settings, 'writer', readerCount),
      role: { kind: isAlone ? 'whole' : 'writer', keepsCells: isAlone },
      readCounts: this.#traffic.counts,
      reader: null,
    };
    const onStopped = (error: Error): void => {
      this.#writer = null;
      if (this.#settings.path === null) this.#failure ??= error;
    };
    try {
      this.#writer = await this.#start(data, onStopped);
      this.#writerFailure = null;
    } catch (error) {
      this.#writerFailure = error as Error;
      throw error;
    }
    this.#handover = Promise.allSettled(this.#earlyWrites).then(() => this.#handOver());
    this.#earlyWrites = [];
  }

  /** Ends a writer that has nothing to do, unless something is on its way to it. */
  #letWriterGo(): void {
    const writer = this.#writer;
    if (writer === null || writer.callCount > 0 || this.#closing !== null) return;
    this.#writer = null;
    // What it could not leave in order, the next one sees to.
    this.#writerLeave = writer.close().catch(() => {});
  }

  /** Tells the writer what was written in its place: it looks after the files. */
  #handOver(): void {
    for (const [id, scope] of this.#earlyScopes) {
      this.#writer?.notify({ kind: 'changed', scope, writtenCount: this.#written.get(id) ?? 0 });
    }
    this.#earlyScopes.clear();
  }

  #startReader(reader: Reader): Promise<void> {
    const settings = settingsOfThread(this.#settings, 'reader', this.#readers.length);
    const role = { kind: 'reader', keepsCells: reader.index === 0 } as const;
    const onStopped = (): void => {
      reader.thread = null;
      reader.opening = null;
      reader.isBeingIntroduced = false;
      reader.known.clear();
      this.#traffic.notePending(reader.index, 0);
    };
    const data = { settings, role, readCounts: this.#traffic.counts, reader: reader.index };
    reader.opening ??= this.#start(data, onStopped).then(
      (thread) => {
        reader.thread = thread;
      },
      (error: unknown) => {
        // The first one is needed, and tried again by the next call; the others are done without.
        if (reader.index === 0) reader.opening = null;
        throw error;
      },
    );
    return reader.opening;
  }

  async #start(data: WorkerData, onStopped: WorkerEvents['onStopped']): Promise<WorkerThread> {
    const thread = await WorkerThread.start(this.#workerUrl, data, {
      onStopped,
      onTextIndexWanted: async (scope) => {
        // One that has died is left to the next call: what killed it may still be there.
        const isYetToCome = this.#writerTimer !== undefined || this.#writerLeave !== null;
        const opening = isYetToCome ? this.#startWriter() : this.#writerOpening;
        await opening?.catch(() => {});
        this.#writer?.notify({ kind: 'textIndexWanted', scope });
      },
      onIdle: () => this.#letWriterGo(),
    });
    if (this.#failure !== null) void thread.end(this.#failure);
    return thread;
  }

  #openReaders(): (Reader & { readonly thread: WorkerThread })[] {
    return this.#readers.filter(isOpen);
  }

  #threads(): WorkerThread[] {
    const readers = this.#openReaders().map(({ thread }) => thread);
    return this.#writer === null ? readers : [this.#writer, ...readers];
  }
}

function isOpen(reader: Reader): reader is Reader & { readonly thread: WorkerThread } {
  return reader.thread !== null;
}

function leastBusy(readers: readonly { readonly thread: WorkerThread }[]): WorkerThread {
  let [{ thread: best } = { thread: undefined }] = readers;
  for (const { thread } of readers) if (thread.callCount < best!.callCount) best = thread;
  return best!;
}

/** Every method whose route asks for it begins with the scope of a collection. */
function scopeIn(parameters: readonly unknown[]): CollectionScope {
  return parameters[0] as CollectionScope;
}

/** Records of a write; those of a delete are not counted. */
function recordCountIn(parameters: readonly unknown[]): number {
  return (parameters[1] as Partial<RecordBatch>).ids?.length ?? 0;
}

async function askAll<T>(
  threads: readonly WorkerThread[],
  method: BackendMethod,
  parameters: readonly unknown[],
  options: CallOptions,
): Promise<T> {
  const answers = await Promise.all(threads.map((thread) => thread.call(method, parameters, options)));
  const merge = MERGERS[method] as ((answers: unknown[]) => unknown) | undefined;
  return (merge === undefined ? answers[0] : merge(answers)) as T;
}
