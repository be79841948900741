/**
 * Entry `tesseradb/http`: clients of servers, without the engine and without anything of Node; loads in a
 * browser.
 */
export {
  type CollectionConfiguration,
  type CollectionSchema,
  type DatabaseInfo,
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  type DeleteResult,
  type EmbeddingInput,
  type Include,
  type IncludeColumn,
  type Metadata,
  type MetadataChanges,
  type MetadataInput,
  type Space,
} from './api/index.ts';
export { DatabaseError, Double, ERROR_CODES, type ErrorCode, type ErrorKind } from './base/index.ts';
export {
  Collection,
  type Fetch,
  type ForkInput,
  GetResult,
  HttpAdminClient as AdminClient,
  HttpClient,
  type HttpSettings,
  QueryResult,
  type Where,
  type WhereDocument,
} from './client/index.ts';
export { type EmbeddingFunction, registerEmbeddingFunction } from './embed/index.ts';
