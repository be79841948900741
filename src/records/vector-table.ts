/** The table of vector blocks: embeddings in and out by row number, one block at a time. */
import { assert } from '../base/index.ts';
import { giveBack, type SqlDatabase } from '../sqlite/index.ts';
import { rowsPerBlock } from './format.ts';
import { corruptRecord } from './record.ts';
import {
  alignedFloats,
  blockBytes,
  bytesOf,
  embeddingChecksum,
  placeInFull,
  VectorBlock,
} from './vector-block.ts';

/**
 * Blocks held in memory at once (16 MB): far more than a batch touches in turns, while deleting or reading a
 * whole collection needs no more memory than this.
 */
const BLOCKS_HELD_MAX = 1_024;

const READ_ONE = 'SELECT substr(data, ?, ?) FROM vectors WHERE block = ? AND length(data) = ?';

/**
 * Reads and writes embeddings within one transaction. Blocks that were touched stay in memory, up to a bound,
 * until `flush` writes the changed ones, each once, however many of its rows changed. Make a new one for each
 * transaction.
 */
export class VectorTable {
  readonly #database: SqlDatabase;
  readonly #dimension: number;
  readonly #rowsPerBlock: number;
  readonly #blocks = new Map<number, VectorBlock>();
  readonly #changed = new Set<number>();

  constructor(database: SqlDatabase, dimension: number) {
    this.#database = database;
    this.#dimension = dimension;
    this.#rowsPerBlock = rowsPerBlock(dimension);
  }

  /** Stores an embedding at a row, replacing the one there, and returns its checksum. */
  put(row: number, embedding: Float32Array): number {
    assert(embedding.length === this.#dimension, 'The embedding has another dimension than its collection.');
    const sum = embeddingChecksum(row, bytesOf(embedding));
    const [number, slot] = this.#place(row);
    const block = this.#load(number);
    block.embeddings[slot] = embedding;
    block.checksums[slot] = sum;
    this.#changed.add(number);
    return sum;
  }

  /** Drops the embedding of a row. */
  remove(row: number): void {
    const [number, slot] = this.#place(row);
    const block = this.#load(number);
    block.embeddings[slot] = undefined;
    this.#changed.add(number);
  }

  /**
   * The embedding of a row; the array is a view that stays valid until the row is written again.
   *
   * Errors: `TESSERA_CORRUPT` when it is missing or its checksum is not `expected`, the one that its record
   * names.
   */
  read(row: number, expected: number): Float32Array {
    const [number, slot] = this.#place(row);
    return verified(row, this.#load(number), slot, expected);
  }

  /** Writes the changed blocks. */
  flush(): void {
    for (const number of this.#changed) {
      const data = this.#blocks.get(number)!.encode(this.#dimension);
      if (data === null) this.#database.prepare('DELETE FROM vectors WHERE block = ?').run(number);
      else
        this.#database
          .prepare('INSERT OR REPLACE INTO vectors (block, data) VALUES (?, ?)')
          .run(number, data);
    }
    this.#changed.clear();
  }

  /**
   * Reads the embeddings of the first `count` of `rows`, which ascend, and calls `visit` for each with its
   * index there; the array is a view that is valid during the call. Each block is read once, and none is kept
   * in memory. `expected[i]` is the checksum that the record of `rows[i]` names.
   */
  readMany(
    rows: ArrayLike<number>,
    expected: ArrayLike<number>,
    count: number,
    visit: (index: number, embedding: Float32Array) => void,
  ): void {
    const statement = this.#database.prepare('SELECT data FROM vectors WHERE block = ?');
    for (let index = 0; index < count; ) {
      const [number, first] = this.#place(rows[index]!);
      const isAlone = index + 1 === count || this.#place(rows[index + 1]!)[0] !== number;
      const alone = isAlone ? this.#readFromFull(number, first) : undefined;
      if (alone !== undefined && embeddingChecksum(rows[index]!, bytesOf(alone)) === expected[index]) {
        visit(index++, alone);
        giveBack(alone);
        continue;
      }
      const data = statement.get(number)?.[0] as Uint8Array | undefined;
      const block = data && VectorBlock.decode(data, this.#dimension);
      if (!block) {
        throw corruptRecord(rows[index]!, null, 'its vector block is missing or has a wrong length');
      }
      for (; index < count; index++) {
        const [wanted, slot] = this.#place(rows[index]!);
        if (wanted !== number) break;
        visit(index, verified(rows[index]!, block, slot, expected[index]!));
      }
      giveBack(data!);
    }
  }

  /**
   * One embedding of a block in which every place is taken, without bringing the others out of SQLite: a
   * search in cells reads rows of many blocks. `undefined` where the block has not the length of a full one;
   * whether it is sound, the checksum tells.
   */
  #readFromFull(number: number, slot: number): Float32Array | undefined {
    const start = placeInFull(slot, this.#rowsPerBlock, this.#dimension);
    const length = blockBytes(this.#rowsPerBlock, this.#dimension);
    const [bytes] =
      this.#database.prepare(READ_ONE).get(start + 1, 4 * this.#dimension, number, length) ?? [];
    // A flipped bit can turn a blob into a text of the same bytes.
    if (!(bytes instanceof Uint8Array) || bytes.length !== 4 * this.#dimension) return undefined;
    return alignedFloats(bytes, 0, this.#dimension);
  }

  #place(row: number): [block: number, slot: number] {
    const index = row - 1;
    return [Math.floor(index / this.#rowsPerBlock), index % this.#rowsPerBlock];
  }

  #load(number: number): VectorBlock {
    let block = this.#blocks.get(number);
    if (block !== undefined) return block;
    const columns = this.#database.prepare('SELECT data FROM vectors WHERE block = ?').get(number);
    if (columns === undefined) {
      block = new VectorBlock();
    } else {
      const decoded = VectorBlock.decode(columns[0] as Uint8Array, this.#dimension);
      if (decoded === null) {
        throw corruptRecord(number * this.#rowsPerBlock + 1, null, 'its vector block has a wrong length');
      }
      block = decoded;
    }
    if (this.#blocks.size >= BLOCKS_HELD_MAX) {
      this.flush();
      this.#blocks.clear();
    }
    this.#blocks.set(number, block);
    return block;
  }
}

function verified(row: number, block: VectorBlock, slot: number, expected: number): Float32Array {
  const embedding = block.embeddings[slot];
  if (embedding === undefined) throw corruptRecord(row, null, 'its embedding is missing');
  const sum = embeddingChecksum(row, bytesOf(embedding));
  if (sum !== block.checksums[slot])
    throw corruptRecord(row, null, 'the checksum of its embedding does not agree');
  if (sum !== expected)
    throw corruptRecord(row, null, 'its embedding belongs to an earlier state of the record');
  return embedding;
}
