/**
 * A small runtime of ONNX, written after the specification and in float64: it reads a model's bytes and runs
 * its graph. It stands for `onnxruntime-node`, which is not installed where tests run, and fails where that
 * would: at bytes that are no model, at operators it does not know, at shapes that do not fit.
 */
import { assert } from '../../src/base/index.ts';

/** A tensor of any type; integers are floats here. */
interface Value {
  readonly sizes: readonly number[];
  readonly data: Float64Array;
}

interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, number | readonly number[]>;
}

interface Graph {
  readonly opset: number;
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Value>;
  readonly outputs: readonly string[];
}

/** What stands for the package. `spoil` may change what a session gives. */
export function toyOnnx(spoil: (row: Float32Array) => void = () => {}) {
  class Tensor {
    readonly value: Value;
    constructor(type: string, integers: BigInt64Array, sizes: readonly number[]) {
      assert(
        type === 'int64' && integers.length === product(sizes),
        'The sizes of a tensor do not fit its data.',
      );
      this.value = { sizes, data: Float64Array.from(integers, Number) };
    }
  }
  const create = async (model: string | Uint8Array) => {
    const graph = readModel(model as Uint8Array);
    return {
      run: async (feeds: Record<string, object>) => {
        const values = new Map(graph.constants);
        for (const [name, tensor] of Object.entries(feeds)) values.set(name, (tensor as Tensor).value);
        for (const node of graph.nodes) runNode(node, values);
        return Object.fromEntries(
          graph.outputs.map((name) => {
            const data = Float32Array.from(values.get(name)!.data);
            spoil(data);
            return [name, { data }];
          }),
        );
      },
    };
  };
  return { Tensor, InferenceSession: { create } };
}

/** The fields of a message: numbers for varints and floats, bytes for everything else. */
function* fieldsOf(bytes: Uint8Array): Generator<[field: number, value: number | Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      assert(at < bytes.length, 'A message ends within a number.');
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const wire = key % 8;
    if (wire === 0) {
      yield [key >> 3, varint()];
      continue;
    }
    assert(wire === 2 || wire === 5, `No wire type of these messages: ${wire}.`);
    const length = wire === 2 ? varint() : 4;
    assert(at + length <= bytes.length, 'A message ends within a field.');
    const value = bytes.subarray(at, at + length);
    at += length;
    yield [key >> 3, wire === 2 ? value : new DataView(value.slice().buffer).getFloat32(0, true)];
  }
}

const text = (value: number | Uint8Array): string => new TextDecoder().decode(value as Uint8Array);

function readModel(bytes: Uint8Array): Graph {
  const fields = [...fieldsOf(bytes)];
  const of = (field: number): Uint8Array => fields.find(([each]) => each === field)![1] as Uint8Array;
  const opset = [...fieldsOf(of(8))].find(([field]) => field === 2)![1] as number;
  const nodes: Node[] = [];
  const constants = new Map<string, Value>();
  const outputs: string[] = [];
  for (const [field, value] of fieldsOf(of(7))) {
    if (field === 1) nodes.push(readNode(value as Uint8Array));
    if (field === 5) constants.set(...readTensor(value as Uint8Array));
    if (field === 12) outputs.push(text([...fieldsOf(value as Uint8Array)][0]![1]));
  }
  assert(opset === 17, `Operators of ${opset} are not known here.`);
  return { opset, nodes, constants, outputs };
}

function readNode(bytes: Uint8Array): Node {
  const [inputs, outputs] = [[] as string[], [] as string[]];
  const attributes = new Map<string, number | readonly number[]>();
  let operator = '';
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === 1) inputs.push(text(value));
    if (field === 2) outputs.push(text(value));
    if (field === 4) operator = text(value);
    if (field === 5) attributes.set(...readAttribute(value as Uint8Array));
  }
  return { operator, inputs, outputs, attributes };
}

function readAttribute(bytes: Uint8Array): [string, number | readonly number[]] {
  const fields = [...fieldsOf(bytes)];
  const all = (field: number) => fields.filter(([each]) => each === field).map(([, value]) => value);
  const [name, type] = [text(all(1)[0]!), all(20)[0]];
  if (type === 1) return [name, all(2)[0] as number];
  if (type === 2) return [name, all(3)[0] as number];
  assert(type === 7, `No type of attribute that is known here: ${type}.`);
  return [name, all(8) as number[]];
}

function readTensor(bytes: Uint8Array): [string, Value] {
  const sizes: number[] = [];
  let [type, name, raw] = [0, '', new Uint8Array()];
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === 1) sizes.push(value as number);
    if (field === 2) type = value as number;
    if (field === 8) name = text(value);
    if (field === 9) raw = (value as Uint8Array).slice();
  }
  const data =
    type === 1
      ? Float64Array.from(new Float32Array(raw.buffer))
      : Float64Array.from(new BigInt64Array(raw.buffer), Number);
  assert(data.length === product(sizes), `The constant ${name} does not have the size that it says.`);
  return [name, { sizes, data }];
}

function runNode({ operator, inputs, outputs, attributes }: Node, values: Map<string, Value>): void {
  const given = inputs.map((name) => {
    const value = values.get(name);
    assert(value !== undefined, `${operator} reads ${name} before it is there.`);
    return value;
  });
  const run = OPERATORS[operator];
  assert(run !== undefined, `The operator ${operator} is not known here.`);
  const made = run(given, attributes, outputs.length);
  for (const [i, name] of outputs.entries()) {
    assert(!values.has(name), `${name} is given twice.`);
    values.set(name, made[i]!);
  }
}

type Operator = (given: readonly Value[], attributes: Node['attributes'], outputCount: number) => Value[];

const OPERATORS: Record<string, Operator> = {
  Add: ([one, other]) => [broadcast(one!, other!, (a, b) => a + b)],
  Mul: ([one, other]) => [broadcast(one!, other!, (a, b) => a * b)],
  Relu: ([one]) => [{ ...one!, data: one!.data.map((each) => Math.max(0, each)) }],
  Gather: ([rows, at]) => {
    const width = product(rows!.sizes.slice(1));
    const data = new Float64Array(at!.data.length * width);
    for (const [i, row] of at!.data.entries()) {
      assert(row >= 0 && row < rows!.sizes[0]!, 'Gather beyond the end.');
      data.set(rows!.data.subarray(row * width, (row + 1) * width), i * width);
    }
    return [{ sizes: [...at!.sizes, ...rows!.sizes.slice(1)], data }];
  },
  ReduceMean: ([{ sizes, data } = NOTHING], attributes) => {
    const [axis] = attributes.get('axes') as number[];
    assert(axis === 1 && attributes.get('keepdims') === 0 && sizes.length === 3, 'No such mean here.');
    const [batch, count, width] = sizes as [number, number, number];
    const means = new Float64Array(batch * width);
    for (const [i, each] of data.entries()) {
      means[Math.floor(i / (count * width)) * width + (i % width)]! += each / count;
    }
    return [{ sizes: [batch, width], data: means }];
  },
  LayerNormalization: ([states, scale, bias], attributes) => {
    assert(attributes.get('axis') === states!.sizes.length - 1, 'Only the last axis is known here.');
    return [
      eachRow(states!, (row) => {
        const mean = row.reduce((sum, each) => sum + each, 0) / row.length;
        const variance = row.reduce((sum, each) => sum + (each - mean) ** 2, 0) / row.length;
        const deviation = Math.sqrt(variance + (attributes.get('epsilon') as number));
        return row.map((each, i) => ((each - mean) / deviation) * scale!.data[i]! + bias!.data[i]!);
      }),
    ];
  },
  Softmax: ([scores], attributes) => {
    assert(attributes.get('axis') === scores!.sizes.length - 1, 'Only the last axis is known here.');
    return [
      eachRow(scores!, (row) => {
        const top = Math.max(...row);
        const weights = row.map((each) => Math.exp(each - top));
        const sum = weights.reduce((total, each) => total + each, 0);
        return weights.map((each) => each / sum);
      }),
    ];
  },
  Reshape: ([value, sizes]) => {
    const wanted = [...sizes!.data].map((size, i) => (size === 0 ? value!.sizes[i]! : size));
    assert(product(wanted) === value!.data.length, 'Reshape changes the size.');
    return [{ sizes: wanted, data: value!.data }];
  },
  Transpose: ([value], attributes) => [transpose(value!, attributes.get('perm') as number[])],
  Split: ([{ sizes, data } = NOTHING], attributes, count) => {
    assert(attributes.get('axis') === sizes.length - 1, 'Only the last axis is known here.');
    const [wide, width] = [sizes.at(-1)!, sizes.at(-1)! / count];
    return Array.from({ length: count }, (_, part) => ({
      sizes: [...sizes.slice(0, -1), width],
      data: data.filter((_each, i) => Math.floor((i % wide) / width) === part),
    }));
  },
  MatMul: ([one, other]) => [multiply(one!, other!)],
};

const NOTHING: Value = { sizes: [], data: new Float64Array() };

function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

/** The smaller one is repeated; its sizes must be the last ones of the larger, or 1 in front of them. */
function broadcast(one: Value, other: Value, join: (a: number, b: number) => number): Value {
  if (one.data.length < other.data.length) return broadcast(other, one, join);
  const sizes = other.sizes.filter(
    (size, i) => size !== 1 || other.sizes.slice(0, i).some((each) => each > 1),
  );
  const last = one.sizes.slice(one.sizes.length - sizes.length);
  assert(`${last}` === `${sizes}`, `Sizes do not fit: ${one.sizes} and ${other.sizes}.`);
  const { length } = other.data;
  return { sizes: one.sizes, data: one.data.map((each, i) => join(each, other.data[i % length]!)) };
}

function eachRow({ sizes, data }: Value, change: (row: number[]) => number[]): Value {
  const width = sizes.at(-1)!;
  const changed = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += width) changed.set(change([...data.subarray(at, at + width)]), at);
  return { sizes, data: changed };
}

function transpose({ sizes, data }: Value, order: readonly number[]): Value {
  const steps = sizes.map((_, axis) => product(sizes.slice(axis + 1)));
  const wanted = order.map((axis) => sizes[axis]!);
  const moved = data.map((_, i) => {
    let [rest, from] = [i, 0];
    for (let axis = wanted.length - 1; axis >= 0; axis--) {
      from += (rest % wanted[axis]!) * steps[order[axis]!]!;
      rest = Math.floor(rest / wanted[axis]!);
    }
    return data[from]!;
  });
  return { sizes: wanted, data: moved };
}

/** Products of matrices, one for each of the sizes in front of the last two; or all by the one other. */
function multiply(one: Value, other: Value): Value {
  const [rows, width] = one.sizes.slice(-2) as [number, number];
  const [height, columns] = other.sizes.slice(-2) as [number, number];
  const front = one.sizes.slice(0, -2);
  assert(width === height, `Matrices do not fit: ${one.sizes} and ${other.sizes}.`);
  assert(other.sizes.length === 2 || `${other.sizes.slice(0, -2)}` === `${front}`, 'Batches do not fit.');
  const data = new Float64Array(product(front) * rows * columns);
  for (let row = 0; row < product(front) * rows; row++) {
    const out = data.subarray(row * columns, (row + 1) * columns);
    const from = other.sizes.length === 2 ? 0 : Math.floor(row / rows) * width * columns;
    for (let i = 0; i < width; i++) {
      const factor = one.data[row * width + i]!;
      const at = from + i * columns;
      for (let column = 0; column < columns; column++) out[column]! += factor * other.data[at + column]!;
    }
  }
  return { sizes: [...front, rows, columns], data };
}
