/**
 * A model with the files, the inputs and the output of all-MiniLM-L6-v2, small enough to be made by a test:
 * 12 pieces, and a last hidden state that is a row of a table for each token.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Numbers of a state, as the real model has. */
export const TOY_WIDTH = 384;
const PIECES = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'cat', 'sat', '##s', 'dog', 'run', '##ning', '.'];

/** The state of token `id` at place `i`: any numbers that differ from token to token. */
export function toyState(id: number, i: number): number {
  return Math.fround(Math.sin(id * 31 + i * 0.7));
}

/** Writes the files into a folder, the model as `onnx/model.onnx` or beside the tokenizer. */
export function writeToyMiniLM(folder: string, isFlat = false): void {
  const inner = isFlat ? folder : path.join(folder, 'onnx');
  mkdirSync(inner, { recursive: true });
  writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(toyTokenizer()));
  writeFileSync(path.join(inner, 'model.onnx'), toyOnnx());
}

function toyTokenizer(): object {
  const special = (id: number): object => ({ id: PIECES[id], ids: [id], tokens: [PIECES[id]] });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [0, 1, 2, 3].map((id) => ({
      id,
      content: PIECES[id],
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: { '[CLS]': special(2), '[SEP]': special(3) },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
    },
  };
}

/**
 * The model as an ONNX file, which is one message of Protocol Buffers: Gather(table, input_ids) →
 * last_hidden_state, and two inputs that it does not use. Numbers are those of the fields in onnx.proto.
 */
function toyOnnx(): Uint8Array {
  const table = Float32Array.from({ length: PIECES.length * TOY_WIDTH }, (_, i) =>
    toyState(Math.floor(i / TOY_WIDTH), i % TOY_WIDTH),
  );
  const FLOAT = 1;
  const INT64 = 7;
  const tensorType = (type: number, rank: number): Uint8Array => {
    const dimension = bytesField(1, bytesField(2, text('n')));
    const shape = bytesField(2, ...new Array<Uint8Array>(rank).fill(dimension));
    return bytesField(1, numberField(1, type), shape);
  };
  const value = (name: string, type: number, rank: number): Uint8Array =>
    join(bytesField(1, text(name)), bytesField(2, tensorType(type, rank)));
  const node = join(
    bytesField(1, text('table')),
    bytesField(1, text('input_ids')),
    bytesField(2, text('last_hidden_state')),
    bytesField(4, text('Gather')),
  );
  const tensor = join(
    numberField(1, PIECES.length),
    numberField(1, TOY_WIDTH),
    numberField(2, FLOAT),
    bytesField(8, text('table')),
    bytesField(9, new Uint8Array(table.buffer)),
  );
  const inputs = ['input_ids', 'attention_mask', 'token_type_ids'];
  const graph = join(
    bytesField(1, node),
    bytesField(2, text('toy')),
    bytesField(5, tensor),
    ...inputs.map((name) => bytesField(11, value(name, INT64, 2))),
    bytesField(12, value('last_hidden_state', FLOAT, 3)),
  );
  return join(numberField(1, 8), bytesField(7, graph), bytesField(8, numberField(2, 13)));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Uint8Array.from([...bytes, value]);
}

function numberField(field: number, value: number): Uint8Array {
  return join(varint(field * 8), varint(value));
}

function bytesField(field: number, ...parts: Uint8Array[]): Uint8Array {
  const bytes = join(...parts);
  return join(varint(field * 8 + 2), varint(bytes.length), bytes);
}
