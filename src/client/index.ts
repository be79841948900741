/**
 * The library's face: clients and collections in the shape of the `chromadb` JavaScript client, over any
 * `Backend`.
 *
 * client.ts, admin-client.ts and collection.ts are what users call; http/ is the `Backend` that speaks to
 * servers. Nothing here knows the engine, so that it loads in a browser.
 */
export { DatabaseAdmin, type DatabaseInput } from './admin-client.ts';
export {
  checkMembers,
  invalidArgument,
  membersOf,
  parseFlag,
  type SelectionInput,
  type Where,
  type WhereCondition,
  type WhereDocument,
  type WhereScalar,
} from './arguments.ts';
export {
  type ClientScope,
  type CreateCollectionInput,
  DatabaseClient,
  type GetCollectionInput,
  type ListInput,
} from './client.ts';
export { Collection, type CollectionSummary } from './collection.ts';
export type {
  DeleteInput,
  ForkInput,
  GetInput,
  ModifyInput,
  QueryInput,
  RecordsInput,
  UpdateInput,
} from './collection-input.ts';
export type {
  ConfigurationChanges,
  ConfigurationInput,
  HnswInput,
  SchemaInput,
} from './configuration.ts';
export { type Cancellable, checkSignal } from './connection.ts';
export { HttpBackend } from './http/http-backend.ts';
export { HttpAdminClient, HttpClient, type HttpSettings } from './http/http-client.ts';
export type { Fetch, TransportOptions } from './http/transport.ts';
export type {
  Cell,
  Column,
  DefaultGetInclude,
  DefaultQueryInclude,
  GetInclude,
  QueryInclude,
} from './include.ts';
export type { LongText, WriteReport } from './long-texts.ts';
export type { ReembedInput, ReembedProgress, ReembedResult } from './reembed.ts';
export { GetResult, type GetRow, QueryResult, type QueryRow } from './results.ts';
