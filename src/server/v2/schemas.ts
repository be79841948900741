/** Shapes of the request bodies of the API v2. */
import { checkName, type Include, SPACES } from '../../api/index.ts';
import {
  flag,
  type JsonSchema,
  list,
  nullable,
  object,
  optional,
  passed,
  position,
  type Shape,
  share,
  text,
  unsigned,
  variant,
} from '../shape.ts';

const NUMBER: JsonSchema = { type: 'number' };
const VECTOR: JsonSchema = { type: 'array', items: NUMBER };
const BASE64: JsonSchema = {
  type: 'string',
  contentEncoding: 'base64',
  description: 'Little-endian float32.',
};
const SCALAR: JsonSchema = { type: ['string', 'number', 'boolean'] };
const METADATA: JsonSchema = {
  type: 'object',
  additionalProperties: { anyOf: [SCALAR, { type: 'array', items: SCALAR }] },
};
const METADATA_CHANGES: JsonSchema = {
  type: 'object',
  additionalProperties: { anyOf: [SCALAR, { type: 'array', items: SCALAR }, { type: 'null' }] },
  description: 'Merged key by key; null deletes a key.',
};
const COLLECTION_METADATA: JsonSchema = { type: 'object', additionalProperties: SCALAR };
const EMBEDDINGS: JsonSchema = {
  anyOf: [
    { type: 'array', items: VECTOR },
    { type: 'array', items: BASE64 },
  ],
};
const WHERE: JsonSchema = {
  type: 'object',
  description: 'One member: a key with a value or an operator, or $and, $or. Empty restricts nothing.',
};
const WHERE_DOCUMENT: JsonSchema = {
  type: 'object',
  description:
    'One member: $contains, $not_contains, $regex, $not_regex, $and or $or. Empty restricts nothing.',
};

const COUNT: JsonSchema = { type: 'integer', minimum: 0 };
const HNSW_NUMBERS: { readonly [name: string]: JsonSchema } = {
  ef_search: COUNT,
  max_neighbors: COUNT,
  num_threads: COUNT,
  batch_size: COUNT,
  sync_threshold: COUNT,
  resize_factor: NUMBER,
};
const EMBEDDING_FUNCTION: JsonSchema = {
  type: 'object',
  properties: { type: { enum: ['known', 'legacy', 'unknown'] }, name: { type: 'string' }, config: {} },
  required: ['type'],
};
const RECALL: JsonSchema = { anyOf: [share.schema, { type: 'null' }] };
const CONFIGURATION: JsonSchema = {
  type: 'object',
  properties: {
    hnsw: {
      type: ['object', 'null'],
      properties: { space: { enum: SPACES }, ef_construction: COUNT, ...HNSW_NUMBERS },
      additionalProperties: false,
    },
    spann: { type: ['object', 'null'] },
    embedding_function: { anyOf: [EMBEDDING_FUNCTION, { type: 'null' }] },
    recall: RECALL,
  },
};
const CONFIGURATION_CHANGES: JsonSchema = {
  type: 'object',
  properties: {
    hnsw: { type: ['object', 'null'], properties: HNSW_NUMBERS, additionalProperties: false },
    spann: { type: ['object', 'null'] },
    embedding_function: { anyOf: [EMBEDDING_FUNCTION, { type: 'null' }] },
    recall: RECALL,
  },
};
const SCHEMA: JsonSchema = {
  type: 'object',
  properties: { defaults: { type: 'object' }, keys: { type: 'object' }, cmek: { type: ['object', 'null'] } },
  required: ['defaults', 'keys'],
};

/** Columns that a read can be asked for. */
export const INCLUDES: readonly Include[] = ['distances', 'documents', 'embeddings', 'metadatas', 'uris'];

/** How much of the log a read takes in, in Chroma's cloud; here every read takes in everything. */
export const READ_LEVELS: readonly string[] = ['index_and_wal', 'index_only', 'index_and_bounded_wal'];

const include = (fallback: readonly Include[]): Shape<readonly Include[]> =>
  optional<readonly Include[]>(list(variant(INCLUDES)), fallback);

const column = (items: JsonSchema): Shape<unknown> =>
  nullable(passed({ type: 'array', items: { anyOf: [items, { type: 'null' }] } }));

const ids = passed({ type: 'array', items: { type: 'string' } });

const selection = {
  ids: nullable<readonly string[]>(list(text)),
  where: nullable(passed(WHERE)),
  where_document: nullable(passed(WHERE_DOCUMENT)),
};

/** A body with a name and nothing else. */
export const nameBody: Shape<{ readonly name: string }> = object({ name: text });

/** `PATCH` of a tenant. */
export const tenantUpdateBody: Shape<{ readonly resource_name: string }> = object({ resource_name: text });

/** What `createCollectionBody` reads. */
export interface CreateCollectionBody {
  readonly name: string;
  readonly metadata: unknown;
  readonly configuration: unknown;
  readonly schema: unknown;
  readonly get_or_create: boolean;
}

/** A new collection. */
export const createCollectionBody: Shape<CreateCollectionBody> = object({
  name: text,
  metadata: nullable(passed(COLLECTION_METADATA)),
  configuration: nullable(passed(CONFIGURATION)),
  schema: nullable(passed(SCHEMA)),
  get_or_create: optional(flag, false),
});

/** What `updateCollectionBody` reads. */
export interface UpdateCollectionBody {
  readonly new_name: string | null;
  readonly new_metadata: unknown;
  readonly new_configuration: unknown;
}

/** `PUT` of a collection. */
export const updateCollectionBody: Shape<UpdateCollectionBody> = object({
  new_name: nullable(text),
  new_metadata: nullable(passed(COLLECTION_METADATA)),
  new_configuration: nullable(passed(CONFIGURATION_CHANGES)),
});

/** Columns of a write, for `parseBatch` to read. */
export interface WriteBody {
  readonly ids: unknown;
  readonly embeddings: unknown;
  readonly documents: unknown;
  readonly uris: unknown;
  readonly metadatas: unknown;
}

/** Records that are added: embeddings are required. */
export const addBody: Shape<WriteBody> = object({
  ids,
  embeddings: passed(EMBEDDINGS),
  documents: column({ type: 'string' }),
  uris: column({ type: 'string' }),
  metadatas: column(METADATA),
});

/** As `addBody`; metadata of records that exist is merged. */
export const upsertBody: Shape<WriteBody> = object({
  ids,
  embeddings: passed(EMBEDDINGS),
  documents: column({ type: 'string' }),
  uris: column({ type: 'string' }),
  metadatas: column(METADATA_CHANGES),
});

/** As `upsertBody`, but embeddings may be left out, for all records or for some. */
export const updateBody: Shape<WriteBody> = object({
  ids,
  embeddings: column({ anyOf: [VECTOR, BASE64] }),
  documents: column({ type: 'string' }),
  uris: column({ type: 'string' }),
  metadatas: column(METADATA_CHANGES),
});

type MembersOf<Body> = { readonly [Member in keyof Body]: Shape<Body[Member]> };

/** Which records. */
export interface SelectionBody {
  readonly ids: readonly string[] | null;
  readonly where: unknown;
  readonly where_document: unknown;
}

/** What `getBody` reads. */
export interface GetBody extends SelectionBody {
  readonly limit: number | null;
  readonly offset: number | null;
  readonly include: readonly Include[];
}

/** What bodies of `get` have besides `include`. */
export const GET_MEMBERS: MembersOf<Omit<GetBody, 'include'>> = {
  ...selection,
  limit: nullable(unsigned),
  offset: nullable(unsigned),
};

/** Which records, and which columns of them. */
export const getBody: Shape<GetBody> = object({
  ...GET_MEMBERS,
  include: include(['documents', 'metadatas']),
});

/** What `queryBody` reads. */
export interface QueryBody extends SelectionBody {
  readonly query_embeddings: unknown;
  readonly n_results: number | null;
  readonly include: readonly Include[];
  readonly exact: boolean | null;
  readonly recall: number | null;
  readonly explain: boolean | null;
}

/** What bodies of `query` have besides `include`. `exact`, `recall` and `explain` are extensions of ours. */
export const QUERY_MEMBERS: MembersOf<Omit<QueryBody, 'include'>> = {
  ...selection,
  query_embeddings: passed({ type: 'array', items: VECTOR }),
  n_results: nullable(unsigned),
  exact: nullable(flag),
  recall: nullable(share),
  explain: nullable(flag),
};

/** Which neighbours. */
export const queryBody: Shape<QueryBody> = object({
  ...QUERY_MEMBERS,
  include: include(['documents', 'metadatas', 'distances']),
});

/** What `deleteBody` reads. */
export interface DeleteBody extends SelectionBody {
  readonly limit: number | null;
}

/** Which records to delete. */
export const deleteBody: Shape<DeleteBody> = object({ ...selection, limit: nullable(unsigned) });

/** The name of a fork. */
export const forkBody: Shape<{ readonly new_name: string }> = object({ new_name: text });

/** The name of the copy that a body asks for. Errors: `TESSERA_INVALID_NAME`. */
export function readNewName(body: { readonly new_name: string }): string {
  checkName(body.new_name, 'Validation error: new_name: ');
  return body.new_name;
}

/** Which changes of a collection are wanted. */
export const changesBody: Shape<{
  readonly after: number;
  readonly after_row: number;
  readonly through_row: number | null;
  readonly limit: number | null;
}> = object({
  after: position,
  after_row: position,
  through_row: nullable(position),
  limit: nullable(unsigned),
});

/** Which collection takes another's place. */
export const succeedBody: Shape<{
  readonly successor_id: string;
  readonly sequence: number;
  readonly former_name: string;
}> = object({ successor_id: text, sequence: position, former_name: text });

/** A function to attach, which this server has not. */
export const attachFunctionBody: Shape<unknown> = object({
  name: text,
  function_id: text,
  output_collection: text,
  params: nullable(passed({ type: 'object' })),
});

/** A function to detach, which this server has not. */
export const detachFunctionBody: Shape<unknown> = object({ delete_output: optional(flag, false) });

/** An input for a function, which this server has not. */
export const functionInputBody: Shape<unknown> = object({ input_collection_id: text });

/** The writes of a conditional transaction, which this server has not. */
export const commitBody: Shape<unknown> = object({
  read_ids: optional<readonly string[]>(list(text), []),
  operations: list(
    object({
      operation: variant(['add', 'update', 'upsert', 'delete']),
      payload: passed({ type: 'object' }),
    }),
  ),
});

/** Searches in the sense of Chroma's cloud, which this server has not. */
export const searchBody: Shape<{ readonly searches: readonly { readonly filter: unknown }[] }> = object({
  searches: list(
    object({
      filter: nullable(passed({ type: 'object' })),
      rank: nullable(passed({ type: 'object' })),
      group_by: nullable(passed({ type: 'object' })),
      limit: nullable(object({ offset: nullable(unsigned), limit: nullable(unsigned) })),
      select: nullable(object({ keys: optional<readonly string[]>(list(text), []) })),
    }),
  ),
  read_level: nullable(variant(READ_LEVELS)),
});
