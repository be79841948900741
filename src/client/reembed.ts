/**
 * Embeds the documents of a collection anew with another function, while calls to it go on.
 *
 * A second collection, `NAME.next`, is filled with the same records. It follows the first one in rounds: each
 * reads what changed since the one before, in insertion order, embeds the documents, writes them with ids,
 * URIs and metadata, and deletes what is gone. When a round finds nothing, the second takes the first one's
 * name and place, in one transaction that refuses where a write came in between; then there is one round
 * more. The former collection is kept under another name until somebody deletes it.
 *
 * How far it has come is kept in the metadata of the second collection, after each batch: so it goes on where
 * it was when it is called again, after whatever ended it. A batch may then be embedded twice, never left
 * out.
 *
 * While writes never rest, rounds get short but never empty, or not even short where writes come faster than
 * the function embeds. So after a round of one batch, or of more than half as many records as the round
 * before, the writes of this client to the collection wait for the next one. Those of other processes cannot
 * be held; they let it finish in the first pause that is as long as a batch takes
 * (docs/adr/0018-embedding-anew.md).
 */
import {
  type Backend,
  type CollectionInfo,
  type CollectionScope,
  checkName,
  type DatabaseScope,
  parseBatch,
  type RecordChanges,
  type Space,
} from '../api/index.ts';
import { assert, DatabaseError, formatJson, type JsonValue, parseJson, show } from '../base/index.ts';
import { describeEmbeddingFunction, type EmbeddingFunction } from '../embed/index.ts';
import { invalidArgument, membersOf, parseCount, parseText } from './arguments.ts';
import { checkEmbeddingFunction, designCollection } from './configuration.ts';
import { type Cancellable, checkSignal } from './connection.ts';
import { Embedder } from './embedder.ts';

/** What `reembed` takes. */
export interface ReembedInput extends Cancellable {
  /** The function that the collection has from then on. */
  readonly embeddingFunction: EmbeddingFunction;
  /** How distances are measured from then on; by default as before, where the function supports that. */
  readonly space?: Space | undefined;
  /** Name under which the former collection is kept; default `NAME.former`. */
  readonly formerName?: string | undefined;
  /** Documents in one call of the function. */
  readonly batchSize?: number | undefined;
  /** Told after each batch. */
  readonly onProgress?: ((progress: ReembedProgress) => void) | undefined;
}

/** How far `reembed` has come. */
export interface ReembedProgress {
  /** 1 while all records are gone through; each later round is about what changed during the one before. */
  readonly round: number;
  /** Records embedded by this call. */
  readonly embeddedCount: number;
  /** Records of the collection that the successor holds. */
  readonly doneCount: number;
  readonly totalCount: number;
}

/** What `reembed` did. */
export interface ReembedResult {
  readonly embeddedCount: number;
  readonly roundCount: number;
  /** Name of the collection as it was before; delete it to be rid of it. */
  readonly formerName: string;
}

/** The members of `ReembedInput`. */
export const REEMBED_MEMBERS: readonly string[] = membersOf<ReembedInput>({
  embeddingFunction: true,
  space: true,
  formerName: true,
  batchSize: true,
  onProgress: true,
  signal: true,
});

/** Enough for models that fill batches, few enough that little is lost by an interruption. */
const BATCH_SIZE_DEFAULT = 256;

/** Rounds during which the writes of this client wait before they are let through once. */
const HELD_ROUNDS_MAX = 5;

/** Ids that are compared at a time, to find those that are gone. */
const SWEEP_PAGE = 5000;

/** Key of the metadata that says how far a successor has come. */
const PROGRESS_KEY = 'tessera:reembedding';

/** Where a successor stands. */
interface Position {
  /** UUID of the collection that it follows. */
  readonly source: string;
  readonly round: number;
  /** Changes up to here were followed by the rounds before. */
  readonly after: number;
  /** Where the change sequence stood when the round began; `null` before its first batch. */
  readonly through: number | null;
  /** The last row that there was then: the round ends with it, however many are added meanwhile. */
  readonly endRow: number | null;
  /** Last row of the round that was taken over. */
  readonly row: number;
}

/** What `Reembedding` is made of. */
export interface ReembeddingParts {
  readonly backend: Backend;
  readonly info: CollectionInfo;
  readonly input: ReembedInput;
  /** Runs work while the writes of this client to the collection wait. */
  readonly hold: <T>(work: () => Promise<T>) => Promise<T>;
}

/** One call of `reembed`. See the top of this file. */
export class Reembedding {
  readonly #parts: ReembeddingParts;
  readonly #batchSize: number;
  readonly #formerName: string;
  readonly #embedder: Embedder;
  readonly #successor: CollectionInfo;
  #position: Position;
  #embeddedCount = 0;
  #doneCount: number;

  private constructor(parts: ReembeddingParts, successor: CollectionInfo, doneCount: number) {
    this.#parts = parts;
    this.#batchSize = batchSizeOf(parts.input);
    this.#formerName = formerNameOf(parts);
    this.#successor = successor;
    this.#embedder = new Embedder(parts.input.embeddingFunction, successor, null);
    this.#position = readPosition(successor)!;
    this.#doneCount = doneCount;
  }

  /**
   * Makes the successor, or finds the one that a former call has begun.
   *
   * Errors: `TESSERA_ALREADY_EXISTS` when one of the two names belongs to something else,
   * `TESSERA_EMBEDDING_FUNCTION` when another function was being changed to, `TESSERA_INVALID_ARGUMENT`,
   * `TESSERA_INVALID_CONFIGURATION`.
   */
  static async begin(parts: ReembeddingParts): Promise<Reembedding> {
    const { backend, info, input } = parts;
    checkInput(input);
    const formerName = formerNameOf(parts);
    if ((await find(backend, info, formerName)) !== null) {
      throw taken(formerName, 'delete it, or say formerName');
    }
    const successor = await claim(parts, `${info.name}.next`);
    const doneCount = await backend.count(scopeOf(successor), { signal: input.signal });
    return new Reembedding(parts, successor, doneCount);
  }

  /** Follows the collection until its successor has taken its place. Errors: those of its calls. */
  async run(): Promise<{ readonly result: ReembedResult; readonly heir: CollectionInfo }> {
    let isHeld = false;
    for (;;) {
      const heir: CollectionInfo | null = isHeld
        ? await this.#parts.hold(() => this.#rounds(HELD_ROUNDS_MAX))
        : await this.#rounds(1);
      if (heir !== null) {
        const { round: roundCount } = this.#position;
        const result = { embeddedCount: this.#embeddedCount, roundCount, formerName: this.#formerName };
        return { result, heir };
      }
      const [before, last] = this.#changeCounts;
      isHeld = !isHeld && (last <= this.#batchSize || last > before / 2);
    }
  }

  /** Records that the last two rounds found changed. */
  #changeCounts: [before: number, last: number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];

  async #rounds(countMax: number): Promise<CollectionInfo | null> {
    const { backend, info, input } = this.#parts;
    for (let count = 0; count < countMax; count++) {
      const sequence = await this.#round();
      if (sequence === null) continue;
      const request = { successorId: this.#successor.id, sequence, formerName: this.#formerName };
      const heir = await backend.succeed(scopeOf(info), request, { signal: input.signal });
      if (heir !== null) return heir;
    }
    return null;
  }

  /** One round. Returns the position that the successor stands for if nothing had changed, else `null`. */
  async #round(): Promise<number | null> {
    let changeCount = 0;
    let isSweepDue = false;
    let { through, endRow } = this.#position;
    for (;;) {
      const changes = await this.#changes();
      through ??= changes.sequence;
      endRow ??= changes.endRow;
      isSweepDue ||= changes.hasDeletions;
      const { lastRow } = changes;
      if (lastRow === null) break;
      await this.#take(changes);
      changeCount += changes.columns.ids.length;
      await this.#save({ ...this.#position, through, endRow, row: lastRow });
      this.#report(changes.recordCount);
    }
    // All records are read in the first round, and those deleted before it began among none of them.
    if (isSweepDue && this.#position.round > 1) changeCount += await this.#sweep();
    this.#changeCounts = [this.#changeCounts[1], changeCount];
    const { source, round } = this.#position;
    await this.#save({ source, round: round + 1, after: through, through: null, endRow: null, row: 0 });
    return changeCount === 0 ? through : null;
  }

  #changes(): Promise<RecordChanges> {
    const { backend, info, input } = this.#parts;
    checkSignal(input.signal);
    const { after, row, endRow } = this.#position;
    const request = { after, afterRow: row, throughRow: endRow, limit: this.#batchSize };
    return backend.changes(scopeOf(info), request, { signal: input.signal });
  }

  async #take({ columns }: RecordChanges): Promise<void> {
    const { backend, input } = this.#parts;
    const { ids, documents, uris } = columns;
    assert(documents !== null && columns.metadatas !== null, 'changes came without documents');
    const bare = documents.indexOf(null);
    if (bare >= 0) {
      throw new DatabaseError(
        'TESSERA_INVALID_DOCUMENT',
        `Expected every record to have a document to embed anew, got none in ${show(ids[bare])}. Give it one, or delete it.`,
        { details: { id: ids[bare] } },
      );
    }
    const scope = scopeOf(this.#successor);
    const options = { signal: input.signal };
    const selection = { ids, where: null, whereDocument: null, limit: null, offset: 0 };
    const stored = await backend.get(scope, { ...selection, include: ['metadatas'] }, options);
    const before = new Map(stored.ids.map((id, i) => [id, stored.metadatas?.[i] ?? null]));
    const metadatas = columns.metadatas.map((text, i) => replacement(before.get(ids[i]!) ?? null, text));
    const embeddings = await this.#embedder.embedDocuments(documents, false, input.signal);
    const batch = parseBatch({ ids, embeddings, documents, uris, metadatas }, 'upsert');
    await backend.upsert(scope, batch, options);
    this.#embeddedCount += ids.length;
    this.#doneCount += ids.length - before.size;
  }

  /** Deletes the records that the collection has no more. Returns how many there were. */
  async #sweep(): Promise<number> {
    const { backend, info, input } = this.#parts;
    const options = { signal: input.signal };
    const all = { where: null, whereDocument: null, include: [] };
    let goneCount = 0;
    for (let offset = 0; ; ) {
      const page = { ...all, ids: null, limit: SWEEP_PAGE, offset };
      const { ids } = await backend.get(scopeOf(this.#successor), page, options);
      if (ids.length === 0) break;
      const kept = await backend.get(scopeOf(info), { ...all, ids, limit: null, offset: 0 }, options);
      const live = new Set(kept.ids);
      const gone = ids.filter((id) => !live.has(id));
      if (gone.length > 0) {
        const request = { ids: gone, where: null, whereDocument: null, limit: null };
        await backend.delete(scopeOf(this.#successor), request, options);
      }
      goneCount += gone.length;
      offset += ids.length - gone.length;
    }
    this.#doneCount -= goneCount;
    return goneCount;
  }

  async #save(position: Position): Promise<void> {
    const { backend, input } = this.#parts;
    const metadata = writePosition(position);
    await backend.updateCollection(scopeOf(this.#successor), { metadata }, { signal: input.signal });
    this.#position = position;
  }

  #report(totalCount: number): void {
    const { round } = this.#position;
    const [embeddedCount, doneCount] = [this.#embeddedCount, this.#doneCount];
    this.#parts.input.onProgress?.({ round, embeddedCount, doneCount, totalCount });
  }
}

function batchSizeOf({ batchSize }: ReembedInput): number {
  return parseCount(batchSize, 'batchSize', 1, BATCH_SIZE_DEFAULT);
}

function checkInput(input: ReembedInput): void {
  const { embeddingFunction, onProgress } = input;
  batchSizeOf(input);
  checkEmbeddingFunction(embeddingFunction, 'embeddingFunction');
  if (!embeddingFunction) {
    throw invalidArgument('embeddingFunction', 'the function to embed anew with', embeddingFunction);
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgument('onProgress', 'a function', onProgress);
  }
}

function formerNameOf({ info, input }: ReembeddingParts): string {
  const name = parseText(input.formerName ?? `${info.name}.former`, 'formerName');
  checkName(name);
  return name;
}

/**
 * The successor, made or begun before, under an identifier that this call alone knows. What was begun is
 * copied, and the original deleted: a call that somebody took for dead, or a write of it that is still on its
 * way, finds nothing to write to any more, and cannot put an older document over a newer one.
 *
 * The position is read before the copy is made, and so is never ahead of what the copy holds.
 */
async function claim(parts: ReembeddingParts, name: string): Promise<CollectionInfo> {
  const { backend, info, input } = parts;
  const options = { signal: input.signal };
  const copyName = `${name}.copy`;
  const leftover = await find(backend, info, copyName);
  if (leftover !== null) checkBegun(leftover, parts);
  let begun = await find(backend, info, name);
  if (begun === null && leftover === null) return create(parts, name);
  if (begun === null) {
    // Somebody died between deleting the original and renaming the copy.
    await backend.updateCollection(scopeOf(leftover!), { name }, options);
    begun = { ...leftover!, name };
  } else if (leftover !== null) {
    await backend.deleteCollection(databaseOf(info), copyName, options);
  }
  checkBegun(begun, parts);
  const copy = await backend.fork(scopeOf(begun), copyName, options);
  await backend.updateCollection(scopeOf(copy), { metadata: begun.metadata }, options);
  await backend.deleteCollection(databaseOf(info), name, options);
  await backend.updateCollection(scopeOf(copy), { name }, options);
  return { ...copy, name, metadata: begun.metadata };
}

/** Errors: `TESSERA_ALREADY_EXISTS`, `TESSERA_EMBEDDING_FUNCTION`. */
function checkBegun(begun: CollectionInfo, { info, input }: ReembeddingParts): void {
  const { name } = begun;
  if (readPosition(begun)?.source !== info.id) {
    throw taken(name, `delete it or rename it: ${info.name} is embedded anew there`);
  }
  const stored = formatJson(begun.configuration.embeddingFunction);
  const asked = formatJson(describeEmbeddingFunction(input.embeddingFunction) as unknown as JsonValue);
  if (stored === asked) return;
  throw new DatabaseError(
    'TESSERA_EMBEDDING_FUNCTION',
    `Expected the function that embedding anew was begun with, ${stored}, got ${asked}. Pass that one to go on, or ` +
      `delete the collection ${name} to begin anew.`,
    { details: { collection: name } },
  );
}

async function create({ backend, info, input }: ReembeddingParts, name: string): Promise<CollectionInfo> {
  const { embeddingFunction, space } = input;
  const before = info.configuration.hnsw.space;
  const supported = embeddingFunction.supportedSpaces?.() ?? [before];
  const fitting = supported.includes(before) ? before : (embeddingFunction.defaultSpace?.() ?? before);
  const design = designCollection({ embeddingFunction, configuration: { space: space ?? fitting } });
  const start = { source: info.id, round: 1, after: 0, through: null, endRow: null, row: 0 };
  return backend.createCollection(
    databaseOf(info),
    { name, ...design, metadata: writePosition(start), getOrCreate: false },
    { signal: input.signal },
  );
}

async function find(backend: Backend, info: CollectionInfo, name: string): Promise<CollectionInfo | null> {
  try {
    return await backend.getCollection(databaseOf(info), name);
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'TESSERA_COLLECTION_NOT_FOUND') return null;
    throw error;
  }
}

/** The metadata that turns `before` into `after` when it is merged, key by key; texts are JSON objects. */
function replacement(before: string | null, after: string | null): JsonValue {
  const members = (text: string | null): { [key: string]: JsonValue } =>
    text === null ? {} : (parseJson(text) as { [key: string]: JsonValue });
  const wanted = members(after);
  const gone = Object.keys(members(before)).filter((key) => !Object.hasOwn(wanted, key));
  if (after === null && gone.length === 0) return null;
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...wanted };
}

function writePosition(position: Position): string {
  return formatJson({ [PROGRESS_KEY]: formatJson(position as unknown as JsonValue) });
}

function readPosition({ metadata }: CollectionInfo): Position | null {
  if (metadata === null) return null;
  const text = (parseJson(metadata) as { [key: string]: JsonValue })[PROGRESS_KEY];
  return typeof text === 'string' ? (parseJson(text) as unknown as Position) : null;
}

function databaseOf({ tenant, database }: CollectionInfo): DatabaseScope {
  return { tenant, database };
}

function scopeOf({ tenant, database, id }: CollectionInfo): CollectionScope {
  return { tenant, database, collectionId: id };
}

function taken(name: string, remedy: string): DatabaseError {
  const message = `The collection ${show(name)} exists already: ${remedy}.`;
  return new DatabaseError('TESSERA_ALREADY_EXISTS', message, { details: { name } });
}
