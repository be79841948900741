/**
 * A graph of ONNX, written node by node: the few messages of `onnx.proto` that one network needs.
 *
 *   ModelProto   1 ir_version   2 producer_name   7 graph   8 opset_import
 *   GraphProto   1 node   2 name   5 initializer   11 input   12 output
 *   NodeProto    1 input   2 output   4 op_type   5 attribute
 *   Attribute    1 name   2 float   3 integer   8 integers   20 type (1 float, 2 integer, 7 integers)
 *   Tensor       1 dims   2 data_type (1 float32, 7 int64)   8 name   9 raw_data, little-endian
 *   ValueInfo    1 name   2 type { 1 tensor_type { 1 elem_type   2 shape { 1 dim { 1 size   2 name } } } }
 *
 * Operators are those of opset 17, the first with LayerNormalization; the version of the file format, 8, is
 * the one that came with it. Every release of ONNX Runtime since 1.12 reads both.
 */
import { ProtobufWriter } from './protobuf-writer.ts';

/** Version of the operators. */
export const OPSET = 17;
const IR_VERSION = 8;
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE = { float: 1, integer: 2, integers: 7 } as const;

/** The value of an attribute: a float, an integer or several. */
export type Attribute = { readonly float: number } | { readonly integer: number } | readonly number[];

/** The sizes of a tensor; one that is not fixed has a name. */
export type Sizes = readonly (number | string)[];

/** See the top of this file. */
export class GraphWriter {
  readonly #graph = new ProtobufWriter();
  #count = 0;

  constructor(name: string) {
    this.#graph.text(2, name);
  }

  /** Applies an operator; returns the name of what comes out. */
  apply(operator: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.applyForMany(operator, inputs, 1, attributes)[0]!;
  }

  /** Applies an operator with several outputs; returns their names. */
  applyForMany(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Record<string, Attribute> = {},
  ): string[] {
    const node = new ProtobufWriter();
    for (const input of inputs) node.text(1, input);
    const outputs = Array.from({ length: outputCount }, () => `${operator}_${this.#count++}`);
    for (const output of outputs) node.text(2, output);
    node.text(4, operator);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.#graph.message(1, node);
    return outputs;
  }

  /** A constant of float32; returns its name. */
  floats(name: string, sizes: readonly number[], values: Float32Array): string {
    return this.#constant(name, sizes, FLOAT, values);
  }

  /** A row of int64; returns its name. */
  integers(name: string, values: readonly number[]): string {
    return this.#constant(name, [values.length], INT64, BigInt64Array.from(values, BigInt));
  }

  /** What the graph is given, int64; returns its name. */
  input(name: string, sizes: Sizes): string {
    this.#graph.message(11, valueInfo(name, INT64, sizes));
    return name;
  }

  /** What the graph gives, float32. */
  output(name: string, sizes: Sizes): void {
    this.#graph.message(12, valueInfo(name, FLOAT, sizes));
  }

  /** The bytes of the whole. */
  finish(): Uint8Array<ArrayBuffer> {
    return new ProtobufWriter()
      .integer(1, IR_VERSION)
      .text(2, 'tessera')
      .message(7, this.#graph)
      .message(8, new ProtobufWriter().text(1, '').integer(2, OPSET))
      .join();
  }

  #constant(
    name: string,
    sizes: readonly number[],
    type: number,
    values: Float32Array | BigInt64Array,
  ): string {
    const tensor = new ProtobufWriter();
    for (const size of sizes) tensor.integer(1, size);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#graph.message(5, tensor.integer(2, type).text(8, name).bytes(9, bytes));
    return name;
  }
}

function attribute(name: string, value: Attribute): ProtobufWriter {
  const message = new ProtobufWriter().text(1, name);
  if ('float' in value) return message.float(2, value.float).integer(20, ATTRIBUTE.float);
  if ('integer' in value) return message.integer(3, value.integer).integer(20, ATTRIBUTE.integer);
  for (const each of value) message.integer(8, each);
  return message.integer(20, ATTRIBUTE.integers);
}

function valueInfo(name: string, type: number, sizes: Sizes): ProtobufWriter {
  const shape = new ProtobufWriter();
  for (const size of sizes) {
    const dim = new ProtobufWriter();
    shape.message(1, typeof size === 'number' ? dim.integer(1, size) : dim.text(2, size));
  }
  const tensor = new ProtobufWriter().integer(1, type).message(2, shape);
  return new ProtobufWriter().text(1, name).message(2, new ProtobufWriter().message(1, tensor));
}
