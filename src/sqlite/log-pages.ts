/**
 * Pages as commits have left them, read from a write-ahead log.
 *
 * SQLite shows no bytes of a page, and its file must not be opened beside it: to close a file takes away the
 * locks that this process holds on it (POSIX). The log is another file, on which nobody holds a lock, and
 * what was just committed is there. Format: sqlite.org/fileformat2.html#walformat; a header of 32 bytes, then
 * frames of a header of 24 and a page.
 *
 *   header   0 magic, whose last bit is 1 where sums are of big-endian words   8 bytes of a page
 *            16 salt (8)   24 sum (8)
 *   frame    0 number of the page   4 pages of the file after a commit, else 0   8 salt (8)   16 sum (8)
 *
 * A log that was folded into its file is begun anew from its start, with another salt; frames whose salt is
 * not the header's are left from before. The sum of a frame goes on from that of the frame before: where it
 * does not, frames are left of a transaction that was undone, and others have been written over its first.
 */
import { type ReadAt, readParts } from '../io/index.ts';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The part of a frame's header that is summed, and where its salt and sum are. */
const SUMMED_BYTES = 8;
const SALT_AT = { header: 16, frame: 8 };
const SUM_AT = { header: 24, frame: 16 };
const MAGIC = 0x377f0682;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;

/** Frames that are read at once: half a megabyte with pages of 2,048 bytes. */
const FRAMES_AT_ONCE = 256;

/** See the top of this file. */
export class LogPages {
  readonly #path: string;
  #piece = Buffer.alloc(0);
  #salt = '';
  /** Where the frames after the last commit that was read begin, and the sum of the frame before. */
  #end = HEADER_BYTES;
  #sum: readonly [number, number] = [0, 0];

  /** Of the database at `path`. */
  constructor(path: string) {
    this.#path = `${path}-wal`;
  }

  /** Bytes of the log up to the last commit that was read. */
  get bytes(): number {
    return this.#end;
  }

  /** Lets the next call read the whole log. */
  rewind(): void {
    this.#salt = '';
  }

  /** Goes on to the last commit. */
  skip(): void {
    this.read(() => false);
  }

  /**
   * Pages that were committed since the last call, each as its last commit has left it, by number: all of the
   * log where it was begun anew since. Only those that `isWanted` are kept. With no transaction under way,
   * others may begin it anew at any time, so that what one has committed need not be among them.
   */
  read(isWanted: (page: Uint8Array) => boolean): Map<number, Uint8Array> {
    return readParts(this.#path, (readAt) => this.#read(readAt, isWanted));
  }

  #read(readAt: ReadAt, isWanted: (page: Uint8Array) => boolean): Map<number, Uint8Array> {
    const committed = new Map<number, Uint8Array>();
    const header = this.#readHeader(readAt);
    if (header === null) return committed;
    const { frameBytes, isBigEndian } = header;
    let uncommitted: [number, Uint8Array][] = [];
    let sum = this.#sum;
    for (let at = this.#end; ; at += this.#piece.length) {
      const count = Math.floor(readAt(this.#piece, at) / frameBytes);
      for (let i = 0; i < count; i++) {
        const frame = this.#piece.subarray(i * frameBytes, (i + 1) * frameBytes);
        if (saltOf(frame, SALT_AT.frame) !== this.#salt) return committed;
        const page = frame.subarray(FRAME_HEADER_BYTES);
        sum = sumOf(page, isBigEndian, sumOf(frame.subarray(0, SUMMED_BYTES), isBigEndian, sum));
        if (sum[0] !== frame.readUInt32BE(SUM_AT.frame) || sum[1] !== frame.readUInt32BE(SUM_AT.frame + 4)) {
          return committed;
        }
        uncommitted.push([frame.readUInt32BE(0), isWanted(page) ? new Uint8Array(page) : NONE]);
        if (frame.readUInt32BE(4) === 0) continue;
        for (const [number, bytes] of uncommitted) {
          if (bytes === NONE) committed.delete(number);
          else committed.set(number, bytes);
        }
        uncommitted = [];
        this.#end = at + (i + 1) * frameBytes;
        this.#sum = sum;
      }
      if (count < FRAMES_AT_ONCE) return committed;
    }
  }

  /** Begins anew where the log was; `null` where there is none, or a damaged one. */
  #readHeader(readAt: ReadAt): { frameBytes: number; isBigEndian: boolean } | null {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readAt(header, 0) < HEADER_BYTES) return null;
    const magic = header.readUInt32BE(0);
    const pageBytes = header.readUInt32BE(8);
    const isPower = (pageBytes & (pageBytes - 1)) === 0;
    if (magic >>> 1 !== MAGIC >>> 1 || !isPower || pageBytes < PAGE_BYTES_MIN) return null;
    if (pageBytes > PAGE_BYTES_MAX) return null;
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    if (this.#piece.length !== FRAMES_AT_ONCE * frameBytes) {
      this.#piece = Buffer.alloc(FRAMES_AT_ONCE * frameBytes);
    }
    const salt = saltOf(header, SALT_AT.header);
    if (salt !== this.#salt) {
      this.#salt = salt;
      this.#end = HEADER_BYTES;
      this.#sum = [header.readUInt32BE(SUM_AT.header), header.readUInt32BE(SUM_AT.header + 4)];
    }
    return { frameBytes, isBigEndian: (magic & 1) === 1 };
  }
}

/** Stands for a page that is not wanted. */
const NONE = new Uint8Array(0);

const saltOf = (bytes: Buffer, at: number): string => bytes.toString('latin1', at, at + 8);

/** Goes on with a sum over more words, two at a time (section 4.2 of the format). */
function sumOf(bytes: Uint8Array, isBigEndian: boolean, before: readonly [number, number]): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [first, second] = before;
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + view.getUint32(at, !isBigEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, !isBigEndian) + first) >>> 0;
  }
  return [first, second];
}
