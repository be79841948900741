/**
 * How many calls each reader has been sent, how many rows it has still to take into its indexes, and how
 * often records were asked for, in memory that all threads of a pool share.
 *
 *   caller: the message, then `noteCall(reader)` ──► reader: `CallWatch.isCalled`, once that is so
 *           a query or a get: `noteRead`, `noteAnswer` ──► writer: `reads` tells that they come
 *   reader: `notePending(reader)` ──► writer: `reads` tells how far readers are behind
 *
 * A message waits until the event loop of its thread comes round. A reader that works on its indexes learns
 * here that one has been sent, and cuts its slice short; the writer, that it has queries beside it, and how
 * much they wait for. Nothing depends on it but who waits for how long.
 */

/** What a writer learns of the threads that read. */
export interface Reads {
  /** How often records were asked for; what counts is whether that has changed. */
  readonly count: number;
  /** Of those calls, the ones that were not answered yet. */
  readonly underWayCount: number;
  /** Rows that wait in the collection which a thread was asked a query of last; the most of all threads. */
  readonly pendingCount: number;
}

/** What there is to learn where nobody else reads. */
export const NO_READS: Reads = { count: 0, underWayCount: 0, pendingCount: 0 };

/** See the top of this file. Counts begin anew after 2³², and are compared for being equal. */
export class ReadTraffic {
  /**
   * Calls and rows of each reader in turns, then reads and those of them that are under way; to be handed to
   * a thread.
   */
  readonly counts: Int32Array;

  constructor(counts: Int32Array) {
    this.counts = counts;
  }

  /** For so many readers, none of which was called yet. */
  static among(readerCount: number): ReadTraffic {
    return new ReadTraffic(new Int32Array(new SharedArrayBuffer(4 * (2 * readerCount + 2))));
  }

  /** Notes that a call has been sent to a reader. */
  noteCall(reader: number): void {
    Atomics.add(this.counts, 2 * reader, 1);
  }

  /** Calls that a reader has been sent. */
  countOf(reader: number): number {
    return Atomics.load(this.counts, 2 * reader);
  }

  /** Notes how many rows each query like a reader's last one looks at until they are taken in. */
  notePending(reader: number, count: number): void {
    Atomics.store(this.counts, 2 * reader + 1, count);
  }

  /**
   * Notes that records are asked for. Other calls are not worth waiting for: a server looks a collection up
   * before each write.
   */
  noteRead(): void {
    Atomics.add(this.counts, this.counts.length - 2, 1);
    Atomics.add(this.counts, this.counts.length - 1, 1);
  }

  /** Notes that such a call was answered, or has failed. */
  noteAnswer(): void {
    Atomics.sub(this.counts, this.counts.length - 1, 1);
  }

  get reads(): Reads {
    const { counts } = this;
    const readsAt = counts.length - 2;
    let pendingCount = 0;
    for (let at = 1; at < readsAt; at += 2) pendingCount = Math.max(pendingCount, Atomics.load(counts, at));
    const [count, underWayCount] = [Atomics.load(counts, readsAt), Atomics.load(counts, readsAt + 1)];
    return { count, underWayCount, pendingCount };
  }
}

/** What a reader knows of the calls that were sent to it. */
export class CallWatch {
  readonly #traffic: ReadTraffic;
  readonly #reader: number;
  #receivedCount: number;

  /** For a thread that was sent none yet; one before it in its place may have been. */
  constructor(traffic: ReadTraffic, reader: number) {
    this.#traffic = traffic;
    this.#reader = reader;
    this.#receivedCount = traffic.countOf(reader);
  }

  /** Notes that the event loop has brought a call. */
  noteReceived(): void {
    this.#receivedCount = (this.#receivedCount + 1) | 0;
  }

  /**
   * Whether one has been sent that the event loop has not brought yet. For a moment also where the sender has
   * not noted yet what has come.
   */
  get isCalled(): boolean {
    return this.#traffic.countOf(this.#reader) !== this.#receivedCount;
  }
}
