/**
 * Shapes: what a request body looks like, said once and used twice, as the reader that checks a body and as
 * the JSON Schema that `openapi.json` shows. So the document cannot say anything else than what the server
 * does.
 *
 * A handful of combinators instead of a schema library: loading one took longer (290 ms) than everything else
 * at the start of the server, and its walk over a body knows neither the protocol's sentences nor which
 * columns are checked better by the code that packs them anyway (`passed`).
 *
 * Faults carry `details.reason: 'type'` and become status 422. Members that a shape does not name are
 * ignored.
 */
import { isJsonObject, LIMITS, missingField, wrongType } from '../api/index.ts';
import { Double } from '../base/index.ts';

/** A JSON Schema (2020-12), as OpenAPI 3.1 embeds it. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** Reads one kind of value, and describes it. */
export interface Shape<T> {
  readonly schema: JsonSchema;
  /** Whether the member must be sent. */
  readonly isRequired: boolean;
  /** The checked value; `value` is `undefined` when an optional member is absent. `path` names the place. */
  read(value: unknown, path: string): T;
}

/** The type that a shape reads. */
export type ReadBy<S> = S extends Shape<infer T> ? T : never;

function required<T>(schema: JsonSchema, expected: string, isValid: (value: unknown) => boolean): Shape<T> {
  return {
    schema,
    isRequired: true,
    read(value, path) {
      if (!isValid(value)) throw wrongType(path, expected, value, 'TESSERA_INVALID_ARGUMENT');
      return value as T;
    },
  };
}

/** A string. */
export const text: Shape<string> = required(
  { type: 'string' },
  'a string',
  (value) => typeof value === 'string',
);

/** `true` or `false`. */
export const flag: Shape<boolean> = required(
  { type: 'boolean' },
  'a boolean',
  (value) => typeof value === 'boolean',
);

/** An unsigned 32-bit integer, spelled as one: `1.0` is refused. */
export const unsigned: Shape<number> = required(
  { type: 'integer', minimum: 0, maximum: LIMITS.unsignedMax },
  'an unsigned 32-bit integer',
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LIMITS.unsignedMax,
);

/** A position of a change sequence, or a row: an integer that a double holds exactly. */
export const position: Shape<number> = required(
  { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  'an integer from 0',
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);

/** A number above 0 and up to 1. */
export const share: Shape<number> = {
  schema: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  isRequired: true,
  read(value, path) {
    const number = value instanceof Double ? value.value : value;
    if (typeof number === 'number' && number > 0 && number <= 1) return number;
    throw wrongType(path, 'a number above 0 and up to 1', value, 'TESSERA_INVALID_ARGUMENT');
  },
};

/** A string out of a list. */
export function variant<const T extends string>(variants: readonly T[]): Shape<T> {
  const expected = `one of ${variants.map((name) => `\`${name}\``).join(', ')}`;
  return required({ type: 'string', enum: variants }, expected, (value) => variants.includes(value as T));
}

/** An array of one kind of values. */
export function list<T>(element: Shape<T>): Shape<T[]> {
  return {
    schema: { type: 'array', items: element.schema },
    isRequired: true,
    read(value, path) {
      if (!Array.isArray(value)) throw wrongType(path, 'an array', value, 'TESSERA_INVALID_ARGUMENT');
      for (let i = 0; i < value.length; i++) element.read(value[i], `${path}[${i}]`);
      return value;
    },
  };
}

/** A value that is handed on unread, to a parser that knows it better; the schema is for the document. */
export function passed(schema: JsonSchema): Shape<unknown> {
  return { schema, isRequired: true, read: (value) => value };
}

/** A member that may be absent, which means `fallback`, but not `null`. */
export function optional<T>(shape: Shape<T>, fallback: T): Shape<T> {
  return {
    schema: { ...shape.schema, default: fallback },
    isRequired: false,
    read: (value, path) => (value === undefined ? fallback : shape.read(value, path)),
  };
}

/** A member that may be absent or `null`; both read as `null`. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    schema: { anyOf: [shape.schema, { type: 'null' }] },
    isRequired: false,
    read: (value, path) => (value === undefined || value === null ? null : shape.read(value, path)),
  };
}

/** An object with these members; others are ignored. */
export function object<M extends { readonly [name: string]: Shape<unknown> }>(
  members: M,
): Shape<{ readonly [K in keyof M]: ReadBy<M[K]> }> {
  const entries = Object.entries(members);
  const names = entries.filter(([, shape]) => shape.isRequired).map(([name]) => name);
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(entries.map(([name, shape]) => [name, shape.schema])),
      ...(names.length === 0 ? {} : { required: names }),
    },
    isRequired: true,
    read(value, path) {
      if (!isJsonObject(value)) {
        throw wrongType(path === '' ? 'body' : path, 'an object', value, 'TESSERA_INVALID_ARGUMENT');
      }
      const result: { [name: string]: unknown } = {};
      for (const [name, shape] of entries) {
        // Only own members count: a body must not be able to speak through `Object.prototype`.
        const member = Object.hasOwn(value, name) ? value[name] : undefined;
        if (member === undefined && shape.isRequired) {
          throw missingField(path === '' ? 'body' : path, name, 'TESSERA_INVALID_ARGUMENT');
        }
        result[name] = shape.read(member, path === '' ? name : `${path}.${name}`);
      }
      return result as { readonly [K in keyof M]: ReadBy<M[K]> };
    },
  };
}
