/**
 * A vector block: the embeddings of up to 32 consecutive rows in one blob.
 *
 *   offset      size    field
 *        0         4    presence   bit i is set when row `block × rowsPerBlock + i + 1` has an embedding here
 *        4     4 × n    checksums  one for each embedding present, in row order
 *  4 + 4 n  4 d × n    values     float32, little-endian, the n embeddings of d components in row order
 *
 * A block is valid if and only if its length is 4 + n × (4 + 4 d) with n the number of presence bits, and the
 * checksum of each embedding agrees. That checksum covers the row number and the bytes, so that blocks that
 * changed places are noticed; each record repeats the checksum of its embedding, so that a block of an
 * earlier day is noticed as well.
 *
 * Why blocks: one row of 2,048 bytes for each embedding fills a 4,096-byte page by half (SQLite puts whole
 * rows on pages), and 20,000 × 512 took 86.9 MB; in blocks of 16 KB, which SQLite chains over pages, 46.4 MB,
 * and ingest was 1.9 times as fast. The price is that a single update rewrites 16 KB. Deleted rows give their
 * space back at once.
 */
import { assert, type DatabaseError } from '../base/index.ts';
import { checksum } from '../io/index.ts';
import { rowsPerBlock } from './format.ts';
import { corruptRecord } from './record.ts';

const HEADER_BYTES = 4;
const CHECKSUM_BYTES = 4;

/** Room for the digits of a row number; SQLite's have 19 at most. */
const digits = new Uint8Array(20);

/**
 * The bytes of the last block that was put together. A batch of 500 × 512 writes a megabyte of blocks, and
 * each new page of memory costs the system more than filling it.
 */
let scratch = new Uint8Array(0);

/** Checksum of one embedding at its row. */
export function embeddingChecksum(row: number, bytes: Uint8Array): number {
  // `String` keeps the texts of numbers for later: for 100,000 rows 3 MB that outlive young objects.
  let first = digits.length;
  let rest = row;
  do {
    const digit = rest % 10;
    digits[--first] = 48 + digit;
    rest = (rest - digit) / 10;
  } while (rest > 0);
  return checksum(bytes, checksum(digits.subarray(first)));
}

/** The bytes of a float32 array, without copying. */
export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** One block, taken apart; `embeddings[i]` is `undefined` where row i of the block has none. */
export class VectorBlock {
  readonly embeddings: (Float32Array | undefined)[] = [];
  readonly checksums: number[] = [];

  /**
   * Takes a blob apart. Returns `null` when its length is not that of a block; checksums are the reader's
   * business.
   */
  static decode(data: Uint8Array, dimension: number): VectorBlock | null {
    const block = new VectorBlock();
    // A flipped bit can turn a blob into a text of the same bytes.
    if (!(data instanceof Uint8Array) || data.byteLength < HEADER_BYTES) return null;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const presence = view.getUint32(0, true);
    let count = 0;
    for (let bits = presence; bits !== 0; bits &= bits - 1) count++;
    if (data.byteLength !== blockBytes(count, dimension)) return null;
    const values = alignedFloats(data, HEADER_BYTES + CHECKSUM_BYTES * count, count * dimension);
    let next = 0;
    for (let slot = 0; presence >>> slot !== 0 && slot < 32; slot++) {
      if ((presence & (1 << slot)) === 0) continue;
      block.embeddings[slot] = values.subarray(next * dimension, (next + 1) * dimension);
      block.checksums[slot] = view.getUint32(HEADER_BYTES + CHECKSUM_BYTES * next, true);
      next++;
    }
    return block;
  }

  /**
   * Puts the blob together; `null` when no embedding is left and the block's row can go. The bytes are valid
   * until another block is put together.
   */
  encode(dimension: number): Uint8Array | null {
    let presence = 0;
    let count = 0;
    for (let slot = 0; slot < this.embeddings.length; slot++) {
      if (this.embeddings[slot] === undefined) continue;
      presence |= 1 << slot;
      count++;
    }
    if (count === 0) return null;
    const embeddingBytes = 4 * dimension;
    const length = blockBytes(count, dimension);
    if (scratch.length < length) scratch = new Uint8Array(length);
    const data = scratch.subarray(0, length);
    const view = new DataView(data.buffer);
    view.setUint32(0, presence, true);
    let next = 0;
    for (let slot = 0; slot < this.embeddings.length; slot++) {
      const embedding = this.embeddings[slot];
      if (embedding === undefined) continue;
      assert(
        embedding.length === dimension,
        'An embedding in a block has another dimension than its collection.',
      );
      view.setUint32(HEADER_BYTES + CHECKSUM_BYTES * next, this.checksums[slot]!, true);
      data.set(bytesOf(embedding), HEADER_BYTES + CHECKSUM_BYTES * count + next * embeddingBytes);
      next++;
    }
    return data;
  }
}

/** Whether a blob is the block of a number, and each of its embeddings has its checksum. */
export function isSoundBlock(number: number, data: Uint8Array, dimension: number): boolean {
  const block = VectorBlock.decode(data, dimension);
  if (block === null) return false;
  const first = number * rowsPerBlock(dimension) + 1;
  return block.embeddings.every(
    (embedding, slot) =>
      embedding === undefined ||
      embeddingChecksum(first + slot, bytesOf(embedding)) === block.checksums[slot],
  );
}

/** Bytes of a block of so many rows. */
export function blockBytes(rowCount: number, dimension: number): number {
  return HEADER_BYTES + rowCount * (CHECKSUM_BYTES + 4 * dimension);
}

/** First byte of the embedding at a place of a block of `rowCount` rows that are all present. */
export function placeInFull(slot: number, rowCount: number, dimension: number): number {
  return HEADER_BYTES + CHECKSUM_BYTES * rowCount + 4 * dimension * slot;
}

/**
 * Float32 values at an offset; copied only where the driver's buffer does not start on a multiple of four.
 */
export function alignedFloats(data: Uint8Array, offset: number, length: number): Float32Array {
  const start = data.byteOffset + offset;
  if (start % 4 === 0) return new Float32Array(data.buffer, start, length);
  return new Float32Array(new Uint8Array(data.subarray(offset)).buffer, 0, length);
}

/**
 * What is wrong with the embeddings of a block, `null` for one of a wrong length, by their own checksums: an
 * error for each.
 */
export function damagedPlaces(number: number, block: VectorBlock | null, dimension: number): DatabaseError[] {
  const first = number * rowsPerBlock(dimension) + 1;
  if (block === null) return [corruptRecord(first, null, 'its vector block has a wrong length')];
  return block.embeddings.flatMap((embedding, slot) => {
    if (embedding === undefined) return [];
    const isSound = embeddingChecksum(first + slot, bytesOf(embedding)) === block.checksums[slot];
    return isSound ? [] : [corruptRecord(first + slot, null, 'the checksum of its embedding does not agree')];
  });
}
