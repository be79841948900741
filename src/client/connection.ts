/** The backend behind a client: opened by the first call, shared by all of its collections, closed once. */
import type { Backend } from '../api/index.ts';
import { DatabaseError, inTurns, type Pieces, throwIfAborted } from '../base/index.ts';
import { invalidArgument } from './arguments.ts';

/** Options that every method of the library takes. */
export interface Cancellable {
  /** Drops a call that has not begun, and the answer of one that has. A write that has begun is finished. */
  readonly signal?: AbortSignal | undefined;
}

/** Hands out the one backend of a client. */
export class Connection {
  readonly #open: () => Promise<Backend>;
  readonly #isOwner: boolean;
  #opening: Promise<Backend> | null = null;
  #isClosed = false;
  /** Resolves when the writes called so far are with the backend, or have failed. */
  #written: Promise<void> = Promise.resolve();
  /** Collections whose writes wait, and until when. */
  readonly #held = new Map<string, Promise<void>>();

  /** `isOwner` says whether closing this closes the backend, or leaves it to whom it was borrowed from. */
  constructor(open: () => Promise<Backend>, isOwner = true) {
    this.#open = open;
    this.#isOwner = isOwner;
  }

  /**
   * The backend, which the first call opens. After a failure to open, the next call tries again.
   *
   * Errors: `TESSERA_CLOSED`, `TESSERA_ABORTED`, and those of opening.
   */
  async backend({ signal }: Cancellable = {}): Promise<Backend> {
    this.#check(signal);
    this.#opening ??= this.#open();
    const opening = this.#opening;
    try {
      const backend = await opening;
      this.#check(signal);
      return backend;
    } catch (error) {
      if (!this.#isClosed && (await isRejected(opening)) && this.#opening === opening) this.#opening = null;
      throw error;
    }
  }

  /**
   * Computes what a write takes, letting the event loop come round between the pieces, and hands it to the
   * backend; writes arrive there in the order of these calls. The first piece is computed at once.
   *
   * Errors: as `backend`, and those of `pieces` and `send`.
   */
  async write<T, Answer>(
    options: Cancellable,
    pieces: Pieces<T>,
    send: (backend: Backend, value: T) => Promise<Answer>,
  ): Promise<Answer> {
    const before = this.#written;
    let arrived = (): void => {};
    this.#written = new Promise((resolve) => {
      arrived = resolve;
    });
    try {
      const value = await inTurns(pieces);
      await before;
      const backend = await this.backend(options);
      // Not awaited: the next write may go once this one is on its way.
      return send(backend, value);
    } finally {
      arrived();
    }
  }

  /**
   * Runs work while writes to a collection wait, but for those that are on their way to the backend. Errors:
   * those of the work.
   */
  async hold<T>(collectionId: string, work: () => Promise<T>): Promise<T> {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#held.set(collectionId, held);
    try {
      await this.#written;
      return await work();
    } finally {
      if (this.#held.get(collectionId) === held) this.#held.delete(collectionId);
      release();
    }
  }

  /** What a write to a collection has to wait for; `undefined` where nobody holds it. */
  heldBy(collectionId: string): Promise<void> | undefined {
    return this.#held.get(collectionId);
  }

  /** Closes the backend if it was ever opened. Idempotent; later calls are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const opening = this.#opening;
    if (!this.#isOwner || opening === null || (await isRejected(opening))) return;
    await (await opening).close();
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) {
      throw new DatabaseError('TESSERA_CLOSED', 'This client is closed. Make a new one to go on.');
    }
    checkSignal(signal);
  }
}

/** Throws `TESSERA_ABORTED` when the signal has fired, `TESSERA_INVALID_ARGUMENT` when it is none. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  if (typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw invalidArgument('signal', 'an AbortSignal', signal);
  }
  throwIfAborted(signal);
}

/** Whether a call failed because its collection was embedded anew. */
export function isSuperseded(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === 'TESSERA_SUPERSEDED';
}

function isRejected(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}
