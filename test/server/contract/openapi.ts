/**
 * The OpenAPI document of Chroma 1.4.4, reduced to what can be checked: operations with their statuses, and
 * the schemas of what they answer (`chroma-openapi.json`).
 */
import { readFileSync } from 'node:fs';

/** A JSON Schema, as far as the document uses it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** One operation; a status without a body in the document has the schema `null`. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operation: string;
  readonly query: readonly string[];
  readonly responses: { readonly [status: string]: Schema | null };
}

interface Document {
  readonly operations: readonly Operation[];
  readonly schemas: { readonly [name: string]: Schema };
}

const document = JSON.parse(
  readFileSync(new URL('./chroma-openapi.json', import.meta.url), 'utf8'),
) as Document;

/** Every operation of the document. */
export const CHROMA_OPERATIONS: readonly Operation[] = document.operations;

/** The place where a value is not what the schema says, with what is there; `null` where it fits. */
export function findMismatch(schema: Schema, value: unknown, path = '$'): string | null {
  const { $ref: reference, oneOf, allOf } = schema;
  if (reference !== undefined) {
    return findMismatch(document.schemas[reference.split('/').at(-1)!]!, value, path);
  }
  if (oneOf !== undefined) {
    // An integer is a number as well, so that more than one may fit.
    const mismatches = oneOf.map((choice) => findMismatch(choice, value, path));
    return mismatches.includes(null) ? null : (mismatches.at(-1) ?? null);
  }
  for (const part of allOf ?? []) {
    const mismatch = findMismatch(part, value, path);
    if (mismatch !== null) return mismatch;
  }
  if (!isOfType(schema, value)) return `${path}: ${JSON.stringify(value)} is no ${String(schema.type)}`;
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return `${path}: ${JSON.stringify(value)} is none of ${JSON.stringify(schema.enum)}`;
  }
  if (Array.isArray(value)) return findInItems(schema, value, path);
  if (typeof value === 'object' && value !== null) {
    return findInMembers(schema, value as Record<string, unknown>, path);
  }
  return null;
}

function isOfType({ type }: Schema, value: unknown): boolean {
  if (type === undefined) return true;
  return (typeof type === 'string' ? [type] : type).some((name) => {
    switch (name) {
      case 'null':
        return value === null;
      case 'array':
        return Array.isArray(value);
      case 'integer':
        return Number.isInteger(value);
      case 'object':
        return typeof value === 'object' && value !== null && !Array.isArray(value);
      default:
        return typeof value === name;
    }
  });
}

function findInItems({ items }: Schema, values: readonly unknown[], path: string): string | null {
  if (items === undefined) return null;
  for (const [index, value] of values.entries()) {
    const mismatch = findMismatch(items, value, `${path}[${index}]`);
    if (mismatch !== null) return mismatch;
  }
  return null;
}

function findInMembers(schema: Schema, value: Record<string, unknown>, path: string): string | null {
  const missing = schema.required?.find((name) => value[name] === undefined);
  if (missing !== undefined) return `${path}: ${missing} is missing`;
  for (const [name, member] of Object.entries(value)) {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    if (known === false) return `${path}: ${name} is not known`;
    if (known === undefined || known === true) continue;
    const mismatch = findMismatch(known, member, `${path}.${name}`);
    if (mismatch !== null) return mismatch;
  }
  return null;
}
