/**
 * The two packages that all-MiniLM-L6-v2 runs on, which users install who want it: a tokenizer and an ONNX
 * runtime. They are imported when the first text comes, and handed in by tests.
 */
import { assert, DatabaseError } from '../../base/index.ts';
import { readFileIfThere } from '../../io/index.ts';
import { importOnnx, ONNX_INSTALL_HINT, ONNX_PACKAGE } from '../onnx-package.ts';
import type { MiniLMFiles } from './minilm-files.ts';

const TOKENIZER_PACKAGE = '@huggingface/tokenizers';

/** Tokens of texts, side by side: `rows` rows of `columns`, and what is padding has 0 in `mask`. */
export interface TokenBatch {
  readonly rows: number;
  readonly columns: number;
  readonly ids: BigInt64Array;
  readonly mask: BigInt64Array;
}

/** A loaded model. */
export interface MiniLMRuntime {
  /** Ids of all tokens of a text, with those of its start and its end. */
  encode(text: string): number[];
  /** The last hidden state: `rows × columns × 384` floats. */
  run(batch: TokenBatch): Promise<Float32Array>;
}

/** Makes a model of its files. */
export type LoadRuntime = (files: MiniLMFiles) => Promise<MiniLMRuntime>;

/** What we use of `@huggingface/tokenizers`. */
interface TokenizerPackage {
  readonly Tokenizer: new (tokenizer: object, config: object) => { encode(text: string): { ids: number[] } };
}

/** Loads the model with the installed packages. Errors: `TESSERA_MODEL_MISSING`, `TESSERA_MODEL_DAMAGED`. */
export const loadInstalled: LoadRuntime = async (files) => {
  const tokenizer = await loadTokenizer(files.tokenizer);
  const onnx = await importOnnx().catch((cause: unknown) => {
    throw notInstalled(ONNX_PACKAGE, cause);
  });
  const session = await onnx.InferenceSession.create(files.model).catch((cause: unknown) => {
    throw damaged(files.model, cause);
  });
  return {
    encode: tokenizer,
    run: async ({ rows, columns, ids, mask }) => {
      const tensor = (data: BigInt64Array): object => new onnx.Tensor('int64', data, [rows, columns]);
      const output = await session.run({
        input_ids: tensor(ids),
        attention_mask: tensor(mask),
        token_type_ids: tensor(new BigInt64Array(ids.length)),
      });
      const state = output['last_hidden_state']?.data;
      if (state instanceof Float32Array) return state;
      throw damaged(files.model, new Error('it has no output last_hidden_state of float32'));
    },
  };
};

/** The tokenizer of a tokenizer.json. Errors: `TESSERA_MODEL_MISSING`, `TESSERA_MODEL_DAMAGED`. */
export async function loadTokenizer(file: string): Promise<(text: string) => number[]> {
  const name: string = TOKENIZER_PACKAGE;
  const { Tokenizer } = await (import(name) as Promise<TokenizerPackage>).catch((cause: unknown) => {
    throw notInstalled(name, cause);
  });
  const bytes = readFileIfThere(file);
  assert(bytes !== null, 'The tokenizer was there when its folder was chosen.');
  let tokenizer: InstanceType<TokenizerPackage['Tokenizer']>;
  try {
    const json = JSON.parse(Buffer.from(bytes).toString('utf8')) as object;
    tokenizer = new Tokenizer(json, {});
  } catch (cause) {
    throw damaged(file, cause);
  }
  return (text) => tokenizer.encode(text).ids;
}

function notInstalled(name: string, cause: unknown): DatabaseError {
  return new DatabaseError(
    'TESSERA_MODEL_MISSING',
    'The embedding function all-MiniLM-L6-v2 needs two packages that are not installed with this one. Run: npm ' +
      `install ${ONNX_PACKAGE} ${TOKENIZER_PACKAGE}. ${ONNX_INSTALL_HINT} ('${name}' cannot be loaded.)`,
    { details: { package: name }, cause },
  );
}

function damaged(path: string, cause: unknown): DatabaseError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DatabaseError(
    'TESSERA_MODEL_DAMAGED',
    `The file ${path} is not what all-MiniLM-L6-v2 needs: ${reason}. Remove its folder and call downloadMiniLM().`,
    { details: { path }, cause },
  );
}
