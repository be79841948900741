/**
 * How many calls each reader has been sent, and how often records were asked for, in memory that all threads
 * of a pool share.
 *
 *   caller: the message, then `noteCall(reader)` ──► reader: `CallWatch.isCalled`, once that is so
 *           a query or a get: `noteRead` ──► writer: `reads` tells that they come
 *
 * A message waits until the event loop of its thread comes round. A reader that works on its indexes learns
 * here that one has been sent, and cuts its slice short; the writer, that it has queries beside it. Nothing
 * depends on it but who waits for how long.
 */

/** See the top of this file. Counts begin anew after 2³², and are compared for being equal. */
export class ReadTraffic {
  /** The count of each reader, and that of reads, to be handed to a thread. */
  readonly counts: Int32Array;

  constructor(counts: Int32Array) {
    this.counts = counts;
  }

  /** For so many readers, none of which was called yet. */
  static among(readerCount: number): ReadTraffic {
    return new ReadTraffic(new Int32Array(new SharedArrayBuffer(4 * (readerCount + 1))));
  }

  /** Notes that a call has been sent to a reader. */
  noteCall(reader: number): void {
    Atomics.add(this.counts, reader, 1);
  }

  /** Calls that a reader has been sent. */
  countOf(reader: number): number {
    return Atomics.load(this.counts, reader);
  }

  /**
   * Notes that records are asked for. Other calls are not worth waiting for: a server looks a collection up
   * before each write.
   */
  noteRead(): void {
    Atomics.add(this.counts, this.counts.length - 1, 1);
  }

  /** How often records were asked for. */
  get reads(): number {
    return Atomics.load(this.counts, this.counts.length - 1);
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
