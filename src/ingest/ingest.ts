/**
 * Keeps a collection equal to files: reads them, cuts their texts into parts, embeds what is new, and removes
 * the parts that are gone.
 *
 * There is no list of files beside the collection: each record says in its metadata which file it is of, the
 * hash of that file together with how it was cut, and how many parts there are. So a file whose records say
 * all of it is unchanged and is not read further, whatever machine asks; a file of which some are missing,
 * since somebody was interrupted, is gone through again. A record's id is its file with a hash of its text:
 * parts that a change left alone keep their record and their embedding, wherever in the file they stand now.
 *
 * New parts of several files are embedded together, a few batches at a time. When all of a file's are stored,
 * the metadata of those that stayed is brought up to date and those that are gone are deleted: an
 * interruption before leaves too much of a file, and never too little.
 */
import { createHash } from 'node:crypto';
import { relative, resolve, sep } from 'node:path';
import type { Metadata, MetadataChanges } from '../api/index.ts';
import { DatabaseError, show, throwIfAborted } from '../base/index.ts';
import type { Collection } from '../client/index.ts';
import { estimateTokens, splitText, type TokenCounter } from '../embed/index.ts';
import { type Files, systemFiles } from '../io/index.ts';
import { ENDINGS, type FileText, isReadable, readTexts } from './formats.ts';

/** What `ingest` takes. */
export interface IngestInput {
  /** Files, and directories whose files are read if their names have a known ending. */
  readonly paths: readonly string[];
  /**
   * Directory that the names of files are relative to, by which records know theirs; default the current one.
   */
  readonly root?: string | undefined;
  /** Member or column that is the text, in files of rows. */
  readonly textField?: string | undefined;
  /** Tokens of a part at most; default what the model reads. */
  readonly maxTokens?: number | undefined;
  /** Tokens that a part may share with the one before it; default an eighth of `maxTokens`. */
  readonly overlapTokens?: number | undefined;
  /** Whether records of files that are gone are deleted: those below the directories among `paths`. */
  readonly prune?: boolean | undefined;
  /** Parts embedded in one call. */
  readonly batchSize?: number | undefined;
  /** Calls under way at once. */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each file and each batch. */
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
  /** Where files are; the machine's if left out. */
  readonly files?: Files | undefined;
}

/** How far `ingest` has come. */
export interface IngestProgress {
  readonly fileCount: number;
  readonly totalFileCount: number;
  readonly embeddedCount: number;
}

/** A file that could not be taken in. */
export interface IngestFailure {
  readonly source: string;
  readonly message: string;
}

/** What `ingest` did. */
export interface IngestReport {
  /** Files that were read, and those that had not changed. */
  readonly changedFileCount: number;
  readonly unchangedFileCount: number;
  readonly failures: readonly IngestFailure[];
  /** Parts that were embedded, that stayed as they were in changed files, and that were deleted. */
  readonly embeddedCount: number;
  readonly keptCount: number;
  readonly deletedCount: number;
}

const BATCH_SIZE_DEFAULT = 256;
/** Enough that threads and providers do not wait for the disk. */
const CONCURRENCY_DEFAULT = 3;

/** Files are read whole; JavaScript's strings end at some 500 million characters. */
const FILE_BYTES_MAX = 256_000_000;
const READ_BYTES = 1_048_576;

/** Records that are written or deleted in one call. */
const WRITE_SIZE = 2000;

/** Share of a part that overlaps with the one before it. */
const OVERLAP_SHARE = 1 / 8;

/** Where the model's tokens cannot be counted: parts of a length that models of today read with ease. */
const ROUGH_COUNTER: TokenCounter = { maxTokens: 512, countTokens: estimateTokens };

/** A part of a text, as it becomes a record. */
interface Part {
  readonly id: string;
  readonly text: string;
  readonly metadata: Metadata;
}

/** What a changed file asks for. */
interface Plan {
  readonly source: string;
  readonly added: readonly Part[];
  readonly kept: readonly { readonly id: string; readonly metadata: MetadataChanges }[];
  readonly goneIds: readonly string[];
  /** Added parts that are not stored yet. */
  leftCount: number;
}

/**
 * Brings a collection up to date with files.
 *
 * A file that cannot be read or is not what its name says is told of in the report, and the others go on.
 * Errors: `TESSERA_INVALID_ARGUMENT` for a path that is not there, and those of embedding and of the
 * collection; what was stored by then stays, and the next call goes on from there.
 */
export function ingest(collection: Collection, input: IngestInput): Promise<IngestReport> {
  return new Ingestion(collection, input).run();
}

class Ingestion {
  readonly #collection: Collection;
  readonly #input: IngestInput;
  readonly #files: Files;
  readonly #root: string;
  readonly #batchSize: number;
  readonly #concurrency: number;
  readonly #failures: IngestFailure[] = [];
  /** Directories that could not be read: nobody knows what is gone from them. */
  readonly #unread: string[] = [];
  readonly #running = new Set<Promise<void>>();
  #waiting: { readonly plan: Plan; readonly part: Part }[] = [];
  #failure: unknown;
  #counter: TokenCounter = ROUGH_COUNTER;
  #totalFileCount = 0;
  #changed = 0;
  #unchanged = 0;
  #embedded = 0;
  #kept = 0;
  #deleted = 0;

  constructor(collection: Collection, input: IngestInput) {
    this.#collection = collection;
    this.#input = input;
    this.#files = input.files ?? systemFiles;
    this.#root = resolve(input.root ?? '.');
    this.#batchSize = input.batchSize ?? BATCH_SIZE_DEFAULT;
    this.#concurrency = input.concurrency ?? CONCURRENCY_DEFAULT;
    for (const name of ['batchSize', 'concurrency'] as const) {
      const value = input[name];
      if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
      throw invalid(name, 'an integer from 1', value);
    }
  }

  async run(): Promise<IngestReport> {
    const paths = this.#paths();
    this.#totalFileCount = paths.length;
    const { embeddingFunction } = this.#collection;
    this.#counter = (await embeddingFunction?.tokenCounter?.()) ?? ROUGH_COUNTER;
    try {
      for (const path of paths) {
        this.#check();
        await this.#take(path);
        this.#report();
      }
      await this.#send();
      while (this.#running.size > 0) await this.#oneDone();
    } finally {
      // What is under way is waited for: its writes must not come after the caller has heard of an end.
      await Promise.allSettled(this.#running);
    }
    if (this.#input.prune === true) await this.#prune(new Set(paths.map((path) => this.#sourceOf(path))));
    return {
      changedFileCount: this.#changed,
      unchangedFileCount: this.#unchanged,
      failures: this.#failures,
      embeddedCount: this.#embedded,
      keptCount: this.#kept,
      deletedCount: this.#deleted,
    };
  }

  /** Every file once, in the order of names. */
  #paths(): string[] {
    const found = new Set<string>();
    const visited = new Set<string>();
    for (const given of this.#input.paths) {
      const path = resolve(this.#root, given);
      if (!this.#files.exists(path)) throw invalid('paths', 'files and directories that are there', given);
      if (this.#files.isDirectory(path)) {
        for (const file of this.#walk(path, visited)) found.add(file);
      } else if (isReadable(path) && this.#files.isFile(path)) {
        found.add(path);
      } else {
        throw invalid('paths', `files that end in ${ENDINGS.join(', ')}`, given);
      }
    }
    return [...found];
  }

  /**
   * Names that begin with a dot are passed over, and so are endings that nobody knows, pipes and devices. A
   * directory that links lead to again is walked once, so that a circle of them ends.
   */
  *#walk(directory: string, visited: Set<string>): Iterable<string> {
    const identity = this.#files.identity(directory) ?? directory;
    if (visited.has(identity)) return;
    visited.add(identity);
    for (const name of this.#namesIn(directory)) {
      const path = `${directory}${sep}${name}`;
      if (name.startsWith('.')) continue;
      if (this.#files.isDirectory(path)) yield* this.#walk(path, visited);
      // A link that leads nowhere is a file that cannot be read, and told of.
      else if (isReadable(name) && (this.#files.isFile(path) || !this.#files.exists(path))) yield path;
    }
  }

  /** A directory that cannot be read is told of, and the others go on. */
  #namesIn(directory: string): string[] {
    try {
      return this.#files.list(directory).sort();
    } catch (error) {
      if (!(error instanceof DatabaseError) || !isFileFault(error)) throw error;
      const source = this.#sourceOf(directory);
      this.#unread.push(source);
      this.#failures.push({ source, message: error.message });
      return [];
    }
  }

  #sourceOf(path: string): string {
    return relative(this.#root, path).split(sep).join('/');
  }

  async #take(path: string): Promise<void> {
    const source = this.#sourceOf(path);
    let plan: Plan | null;
    try {
      plan = await this.#plan(source, this.#read(path));
    } catch (error) {
      const isOfFile = error instanceof DatabaseError && isFileFault(error);
      if (!isOfFile) throw error;
      this.#failures.push({ source, message: error.message });
      return;
    }
    if (plan === null) {
      this.#unchanged++;
      return;
    }
    this.#changed++;
    if (plan.added.length === 0) await this.#finish(plan);
    for (const part of plan.added) {
      this.#waiting.push({ plan, part });
      if (this.#waiting.length >= this.#batchSize) await this.#send();
    }
  }

  #read(path: string): Uint8Array {
    const pieces: Uint8Array[] = [];
    let byteCount = 0;
    for (const piece of this.#files.read(path, READ_BYTES)) {
      pieces.push(piece);
      byteCount += piece.length;
      if (byteCount > FILE_BYTES_MAX) {
        const message = `it has more than ${FILE_BYTES_MAX} bytes, which is the most; cut it into several files`;
        throw new DatabaseError('TESSERA_LIMIT_EXCEEDED', message, { details: { reason: 'file' } });
      }
    }
    return Buffer.concat(pieces);
  }

  /** What has to be done for a file; `null` where nothing has. */
  async #plan(source: string, bytes: Uint8Array): Promise<Plan | null> {
    const { maxTokens = this.#counter.maxTokens, overlapTokens, textField } = this.#input;
    const overlap = overlapTokens ?? Math.floor(maxTokens * OVERLAP_SHARE);
    const settings = JSON.stringify([maxTokens, overlap, textField ?? null]);
    const hash = createHash('sha256').update(bytes).update(settings).digest('hex').slice(0, 32);
    const stored = await this.#collection.get({
      where: { source },
      include: ['metadatas'],
      signal: this.#input.signal,
    });
    const before = new Map(stored.ids.map((id, i) => [id, stored.metadatas[i] ?? {}]));
    const isWhole = [...before.values()].every(
      (metadata) => metadata['source_hash'] === hash && metadata['part_count'] === before.size,
    );
    if (before.size > 0 && isWhole) return null;
    const options = { counter: this.#counter, maxTokens, overlapTokens: overlap };
    const parts = partsOf(source, hash, await readTexts(source, bytes, textField), options);
    const ids = new Set(parts.map(({ id }) => id));
    const added = parts.filter(({ id }) => !before.has(id));
    const kept = parts
      .filter(({ id }) => before.has(id))
      .map(({ id, metadata }) => ({ id, metadata: changesOf(before.get(id)!, metadata) }));
    const goneIds = stored.ids.filter((id) => !ids.has(id));
    if (added.length === 0 && goneIds.length === 0 && kept.length === 0) return null;
    return { source, added, kept, goneIds, leftCount: added.length };
  }

  /** Sends the waiting parts off, and waits until one more call may be under way. */
  async #send(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const running: Promise<void> = this.#store(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    while (this.#running.size >= this.#concurrency) await this.#oneDone();
  }

  async #oneDone(): Promise<void> {
    await Promise.race(this.#running);
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    throwIfAborted(this.#input.signal);
  }

  async #store(batch: readonly { readonly plan: Plan; readonly part: Part }[]): Promise<void> {
    await this.#collection.upsert({
      ids: batch.map(({ part }) => part.id),
      documents: batch.map(({ part }) => part.text),
      metadatas: batch.map(({ part }) => part.metadata),
      signal: this.#input.signal,
    });
    this.#embedded += batch.length;
    for (const { plan } of batch) if (--plan.leftCount === 0) await this.#finish(plan);
    this.#report();
  }

  async #finish({ kept, goneIds }: Plan): Promise<void> {
    const { signal } = this.#input;
    for (let i = 0; i < kept.length; i += WRITE_SIZE) {
      const page = kept.slice(i, i + WRITE_SIZE);
      const [ids, metadatas] = [page.map(({ id }) => id), page.map(({ metadata }) => metadata)];
      await this.#collection.update({ ids, metadatas, signal });
    }
    for (let i = 0; i < goneIds.length; i += WRITE_SIZE) {
      await this.#collection.delete({ ids: goneIds.slice(i, i + WRITE_SIZE), signal });
    }
    this.#kept += kept.length;
    this.#deleted += goneIds.length;
  }

  /** Deletes the records of files that are gone from the directories. */
  async #prune(sources: ReadonlySet<string>): Promise<void> {
    const { signal, paths } = this.#input;
    const roots = paths
      .map((path) => resolve(this.#root, path))
      .filter((path) => this.#files.isDirectory(path))
      .map((path) => this.#sourceOf(path));
    const gone: string[] = [];
    for (let offset = 0; ; offset += WRITE_SIZE) {
      const page = await this.#collection.get({ include: ['metadatas'], limit: WRITE_SIZE, offset, signal });
      for (const [i, id] of page.ids.entries()) {
        const source = page.metadatas[i]?.['source'];
        if (typeof source !== 'string' || page.metadatas[i]?.['source_hash'] === undefined) continue;
        const isBelow = roots.some((root) => isIn(source, root));
        const isKnown = !this.#unread.some((directory) => isIn(source, directory));
        if (isBelow && isKnown && !sources.has(source)) gone.push(id);
      }
      if (page.ids.length < WRITE_SIZE) break;
    }
    await this.#finish({ source: '', added: [], kept: [], goneIds: gone, leftCount: 0 });
  }

  #report(): void {
    this.#input.onProgress?.({
      fileCount: this.#changed + this.#unchanged + this.#failures.length,
      totalFileCount: this.#totalFileCount,
      embeddedCount: this.#embedded,
    });
  }
}

/** The parts of a file's texts. Equal texts under one key are told apart by their order. */
function partsOf(
  source: string,
  hash: string,
  texts: readonly FileText[],
  options: { counter: TokenCounter; maxTokens: number; overlapTokens: number },
): Part[] {
  const cut = texts.flatMap(({ text, key, metadata }) =>
    splitText(text, options).map((part) => ({ ...part, key, metadata })),
  );
  const counts = new Map<string, number>();
  return cut.map(({ text, start, end, key, metadata }, i) => {
    const name = createHash('sha256')
      .update(JSON.stringify([key, text]))
      .digest('hex')
      .slice(0, 16);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return {
      id: `${source}#${name}${count === 1 ? '' : `-${count}`}`,
      text,
      metadata: { ...metadata, source, source_hash: hash, part: i, part_count: cut.length, start, end },
    };
  });
}

/** Whether a file is below a directory, both as `source` names them. */
function isIn(source: string, directory: string): boolean {
  return directory === '' ? !source.startsWith('../') : source.startsWith(`${directory}/`);
}

/** What turns the metadata of a record into another, key by key. */
function changesOf(before: Metadata, after: Metadata): MetadataChanges {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...after };
}

/** Whether an error is about one file, so that others can go on. */
function isFileFault({ code, details }: DatabaseError): boolean {
  return details['reason'] === 'file' || code === 'TESSERA_IO' || code === 'TESSERA_READ_ONLY';
}

function invalid(name: string, expectation: string, value: unknown): DatabaseError {
  const message = `Expected ${name} to be ${expectation}, got ${show(value)}.`;
  return new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { argument: name } });
}
