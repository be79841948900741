/**
 * Bodies of the protocol: what requests say and how answers are read. Names on the wire are snake_case; see
 * docs/http.md.
 *
 * Metadata is JSON text on our side of the port, so it is spliced into request bodies as it is. Answers are
 * read by `parseJson` where they hold metadata, since `1` and `1.0` differ there, and by the faster
 * `JSON.parse` otherwise.
 */
import {
  type CollectionConfiguration,
  type CollectionInfo,
  type CollectionInput,
  type CollectionSchema,
  type ConfigurationUpdate,
  DEFAULT_HNSW,
  defaultSchema,
  type EmbeddingBatch,
  encodeFloats,
  formatWhere,
  formatWhereDocument,
  packEmbeddings,
  parseConfiguration,
  type RecordBatch,
  type RecordColumns,
  type RecordSelection,
} from '../../api/index.ts';
import { DatabaseError, formatJson, type JsonValue, parseJson } from '../../base/index.ts';
import { snakeCaseMembers } from '../configuration.ts';

type JsonMembers = { [name: string]: JsonValue };

/** Writes an object whose members are JSON texts already; members that are `null` are left out. */
export function writeMembers(members: Readonly<Record<string, string | null>>): string {
  const texts = Object.entries(members).filter(([, text]) => text !== null);
  return `{${texts.map(([name, text]) => `"${name}":${text}`).join(',')}}`;
}

/** Members of a request that select records. */
export function writeSelection(selection: RecordSelection): Record<string, string | null> {
  const { ids, where, whereDocument } = selection;
  return {
    ids: ids === null ? null : JSON.stringify(ids),
    where: where === null ? null : formatJson(formatWhere(where)),
    where_document: whereDocument === null ? null : formatJson(formatWhereDocument(whereDocument)),
  };
}

/** The body of a write. */
export function writeBatch(batch: RecordBatch, isBase64: boolean): string {
  const { ids, embeddings, documents, uris, metadatas } = batch;
  return writeMembers({
    ids: JSON.stringify(ids),
    embeddings: embeddings === null ? null : writeEmbeddings(embeddings, ids.length, isBase64),
    documents: documents === null ? null : JSON.stringify(documents),
    uris: uris === null ? null : JSON.stringify(uris),
    metadatas: metadatas === null ? null : `[${metadatas.map((text) => text ?? 'null').join(',')}]`,
  });
}

/** An array of embeddings, each as numbers or as base64. */
export function writeEmbeddings(batch: EmbeddingBatch, count: number, isBase64: boolean): string {
  const { dimension, values, present } = batch;
  const rows: string[] = [];
  for (let i = 0; i < count; i++) {
    const row = values.subarray(i * dimension, (i + 1) * dimension);
    if (present !== null && present[i] === 0) rows.push('null');
    else rows.push(isBase64 ? `"${encodeFloats(row)}"` : `[${row.join(',')}]`);
  }
  return `[${rows.join(',')}]`;
}

/**
 * The body that creates a collection.
 *
 * A server refuses a configuration and a schema that both say something. They say the same here, so the
 * schema is sent only where it was the user who gave it; and of the configuration only what differs from the
 * defaults, as the `chromadb` client does.
 */
export function writeCollectionInput(input: CollectionInput): string {
  const { name, metadata, configuration, schema, getOrCreate } = input;
  const schemaText = formatJson(schema as unknown as JsonValue);
  const isDefaultSchema = schemaText === formatJson(defaultSchema(configuration) as unknown as JsonValue);
  return writeMembers({
    name: JSON.stringify(name),
    metadata,
    configuration: writeConfiguration(configuration, isDefaultSchema),
    schema: isDefaultSchema ? null : schemaText,
    get_or_create: String(getOrCreate),
  });
}

/** What a body says of the configuration: beside a schema of the user's, only what no schema can say. */
function writeConfiguration(configuration: CollectionConfiguration, isDefaultSchema: boolean): string | null {
  const { recall, searchNprobe } = configuration;
  const members = isDefaultSchema
    ? differingConfiguration(configuration)
    : writeRecallSettings({ recall, searchNprobe });
  return isDefaultSchema || Object.keys(members).length > 0 ? formatJson(members) : null;
}

/** Members of a configuration, or of its update, that say how much recall is wanted. */
export function writeRecallSettings({
  recall,
  searchNprobe,
}: Pick<ConfigurationUpdate, 'recall' | 'searchNprobe'>): JsonMembers {
  return {
    ...(recall === undefined ? {} : { recall }),
    ...(searchNprobe === undefined ? {} : { spann: { search_nprobe: searchNprobe } }),
  };
}

/** One index may be configured: HNSW parameters other than the space exclude a number of cells. */
function differingConfiguration(configuration: CollectionConfiguration): JsonMembers {
  const { hnsw, embeddingFunction, recall, searchNprobe } = configuration;
  if (searchNprobe !== undefined) {
    return {
      ...(recall === undefined ? {} : { recall }),
      spann: { space: hnsw.space, search_nprobe: searchNprobe },
      ...(embeddingFunction === null ? {} : { embedding_function: embeddingFunction }),
    };
  }
  const differing = Object.entries(hnsw).filter(
    ([name, value]) => value !== DEFAULT_HNSW[name as keyof typeof DEFAULT_HNSW],
  );
  return {
    ...(differing.length === 0
      ? {}
      : { hnsw: snakeCaseMembers(Object.fromEntries(differing), 'hnsw') as JsonMembers }),
    ...(recall === undefined ? {} : { recall }),
    ...(embeddingFunction === null ? {} : { embedding_function: embeddingFunction }),
  };
}

/** Reads a collection. */
export function readCollection(value: JsonValue): CollectionInfo {
  const members = readMembers(value, 'a collection');
  const configuration = parseConfiguration(members['configuration_json'], null);
  const { metadata, schema, dimension } = members;
  return {
    id: readText(members, 'id'),
    name: readText(members, 'name'),
    tenant: readText(members, 'tenant'),
    database: readText(members, 'database'),
    metadata: metadata === null || metadata === undefined ? null : formatJson(metadata),
    configuration,
    schema: schema ? (schema as unknown as CollectionSchema) : defaultSchema(configuration),
    dimension: typeof dimension === 'number' ? dimension : null,
  };
}

/** Reads the columns of `get`, or those of one query out of the columns of columns of `query`. */
export function readColumns(members: JsonMembers, query: number | null): RecordColumns {
  const column = (name: string): JsonValue[] | null => {
    const value = members[name] ?? null;
    if (value === null) return null;
    const rows = query === null ? value : (value as JsonValue[])[query];
    if (!Array.isArray(rows)) throw unreadable(`an array as ${name}`);
    return rows;
  };
  const ids = column('ids');
  if (ids === null) throw unreadable('ids');
  const embeddings = column('embeddings');
  const metadatas = column('metadatas');
  return {
    ids: ids as string[],
    embeddings:
      embeddings === null ? null : packEmbeddings(embeddings, { field: 'embeddings', allowNull: true }),
    documents: column('documents') as (string | null)[] | null,
    uris: column('uris') as (string | null)[] | null,
    metadatas: metadatas?.map((metadata) => (metadata === null ? null : formatJson(metadata))) ?? null,
  };
}

/** Reads the distances of one query; those that a server could not express are too large for 32 bits. */
export function readDistances(members: JsonMembers, query: number): Float32Array | null {
  const distances = members['distances'] ?? null;
  if (distances === null) return null;
  const row = (distances as JsonValue[])[query];
  if (!Array.isArray(row)) throw unreadable('an array as distances');
  return Float32Array.from(row, (distance) =>
    distance === null ? Number.POSITIVE_INFINITY : Number(plain(distance)),
  );
}

/** Reads the JSON text of an answer. Errors: `TESSERA_REMOTE`. */
export function readAnswer(text: string, isExact = true): JsonValue {
  try {
    return isExact ? parseJson(text) : (JSON.parse(text) as JsonValue);
  } catch (cause) {
    throw unreadable('JSON', cause);
  }
}

/** Reads an answer that must be an object. Errors: `TESSERA_REMOTE`. */
export function readMembers(value: JsonValue, what = 'an object'): JsonMembers {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as JsonMembers;
  throw unreadable(what);
}

/** Reads a member that must be a text. Errors: `TESSERA_REMOTE`. */
export function readText(members: JsonMembers, name: string): string {
  const value = members[name];
  if (typeof value === 'string') return value;
  throw unreadable(`a text as ${name}`);
}

/** Reads an answer that must be a number. Errors: `TESSERA_REMOTE`. */
export function readNumber(value: JsonValue | undefined, what: string): number {
  const number = plain(value);
  if (typeof number === 'number') return number;
  throw unreadable(`a number as ${what}`);
}

function plain(value: JsonValue | undefined): unknown {
  return value !== null && typeof value === 'object' && 'value' in value ? value['value'] : value;
}

/** The error of an answer that is not of the protocol. */
export function unreadable(expectation: string, cause?: unknown): DatabaseError {
  return new DatabaseError(
    'TESSERA_REMOTE',
    `Expected ${expectation} in the server's answer, got something else. Is the address that of a Chroma or Tessera ` +
      'server, version 2 of the API?',
    { cause },
  );
}
