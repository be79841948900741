/**
 * Pages as commits have left them, read from a write-ahead log.
 *
 * SQLite shows no bytes of a page, and its file must not be opened beside it: to close a file takes away the
 * locks that this process holds on it (POSIX). The log is another file, on which nobody holds a lock, and
 * what was just committed is there. Format: sqlite.org/fileformat2.html#walformat; a header of 32 bytes, then
 * frames of a header of 24 and a page.
 *
 *   header   0 magic   4 version   8 page size   12 checkpoint   16 salt (8)   24 checksum (8)
 *   frame    0 number of the page   4 pages of the file after a commit, else 0   8 salt (8)   16 checksum (8)
 *
 * A log that was folded into its file is begun anew from its start, with another salt; frames whose salt is
 * not the header's are left from before.
 */
import { type ReadAt, readParts } from '../io/index.ts';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const SALT_BYTES = 8;

/** Frames that are read at once: half a megabyte with pages of 2,048 bytes. */
const FRAMES_AT_ONCE = 256;

/** See the top of this file. */
export class LogPages {
  readonly #path: string;
  #salt = '';
  #piece = Buffer.alloc(0);
  /** Where the frames after the last commit that was read begin. */
  #end = HEADER_BYTES;

  /** Of the database at `path`. */
  constructor(path: string) {
    this.#path = `${path}-wal`;
  }

  /** Bytes of the log up to the last commit that was read. */
  get bytes(): number {
    return this.#end;
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
    const header = Buffer.alloc(HEADER_BYTES);
    if (readAt(header, 0) < HEADER_BYTES) return committed;
    const salt = header.toString('latin1', 16, 16 + SALT_BYTES);
    if (salt !== this.#salt) {
      this.#salt = salt;
      this.#end = HEADER_BYTES;
    }
    const pageBytes = header.readUInt32BE(8);
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    if (this.#piece.length !== FRAMES_AT_ONCE * frameBytes)
      this.#piece = Buffer.alloc(FRAMES_AT_ONCE * frameBytes);
    const piece = this.#piece;
    let uncommitted: [number, Uint8Array][] = [];
    for (let at = this.#end; ; at += piece.length) {
      const count = Math.floor(readAt(piece, at) / frameBytes);
      for (let i = 0; i < count; i++) {
        const frame = piece.subarray(i * frameBytes, (i + 1) * frameBytes);
        if (frame.toString('latin1', 8, 8 + SALT_BYTES) !== salt) return committed;
        const page = frame.subarray(FRAME_HEADER_BYTES);
        uncommitted.push([frame.readUInt32BE(0), isWanted(page) ? new Uint8Array(page) : NONE]);
        if (frame.readUInt32BE(4) === 0) continue;
        for (const [number, bytes] of uncommitted) {
          if (bytes === NONE) committed.delete(number);
          else committed.set(number, bytes);
        }
        uncommitted = [];
        this.#end = at + (i + 1) * frameBytes;
      }
      if (count < FRAMES_AT_ONCE) return committed;
    }
  }
}

/** Stands for a page that is not wanted. */
const NONE = new Uint8Array(0);
