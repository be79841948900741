/**
 * Messages of Protocol Buffers, as far as a graph of ONNX needs them: integers, floats, texts, bytes and
 * messages within messages.
 *
 *   field    = key value            key = field number · 8 + wire type, as a varint
 *   wire type  0  varint            seven bits a byte, the lowest first; the eighth says that more follow
 *              2  length, bytes     texts, bytes, messages
 *              5  four bytes        float32, little-endian
 *
 * A message is a list of parts, so that megabytes of weights are copied once, when the whole is joined.
 */

const WIRE = { varint: 0, bytes: 2, float: 5 } as const;

/** See the top of this file. Every call adds one field. */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = [];
  #byteLength = 0;

  /** An integer that is not negative. */
  integer(field: number, value: number): this {
    this.#key(field, WIRE.varint);
    return this.#add(varint(value));
  }

  /** A float32. */
  float(field: number, value: number): this {
    this.#key(field, WIRE.float);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#add(bytes);
  }

  /** A text. */
  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** Bytes, which must not change before `join`. */
  bytes(field: number, value: Uint8Array): this {
    this.#key(field, WIRE.bytes);
    this.#add(varint(value.length));
    return this.#add(value);
  }

  /** A message, which must have all its fields by now. */
  message(field: number, value: ProtobufWriter): this {
    this.#key(field, WIRE.bytes);
    this.#add(varint(value.#byteLength));
    for (const part of value.#parts) this.#add(part);
    return this;
  }

  /** The whole message as bytes. */
  join(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.#byteLength);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  #key(field: number, wire: number): void {
    this.#add(varint(field * 8 + wire));
  }

  #add(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#byteLength += bytes.length;
    return this;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
