/** The nouns of the database, their parsers, and the `Backend` port. Pure data and pure functions. */
export type {
  Backend,
  BackendLimits,
  BackendMethod,
  CallOptions,
  ChangesRequest,
  CollectionChanges,
  CollectionInfo,
  CollectionInput,
  CollectionScope,
  DatabaseInfo,
  DatabaseScope,
  Identity,
  Page,
  RecordChanges,
  SuccessionRequest,
  TenantInfo,
} from './backend.ts';
export { encodeFloats } from './base64.ts';
export {
  type BatchInput,
  parseBatch,
  parseBatchInPieces,
  parseColumnsInPieces,
  parseEmbeddingsInPieces,
  parseIds,
  type WriteVerb,
} from './batch.ts';
export type { CollectionConfiguration, ConfigurationUpdate, HnswConfiguration } from './configuration.ts';
export {
  applyConfigurationUpdate,
  DEFAULT_HNSW,
  formatConfiguration,
  parseConfiguration,
  parseConfigurationUpdate,
  SPACES,
} from './configuration.ts';
export { type EmbeddingInput, type EmbeddingOptions, embeddingCount, packEmbeddings } from './embeddings.ts';
export { isJsonObject, type JsonObject, missingField, wrongType } from './json-shape.ts';
export { LIMITS } from './limits.ts';
export {
  decodeMetadata,
  type EncodedMetadata,
  encodeCollectionMetadata,
  encodeMetadata,
  type Metadata,
  type MetadataChanges,
  type MetadataInput,
  type MetadataInputValue,
  type MetadataOptions,
  type MetadataValue,
} from './metadata.ts';
export { checkName, checkTenantName, isUuid } from './names.ts';
export { recallOf } from './recall.ts';
export type {
  DeleteRequest,
  DeleteResult,
  EmbeddingBatch,
  GetRequest,
  Include,
  IncludeColumn,
  MetadataKey,
  MetadataType,
  Neighbours,
  QueryRequest,
  RecordBatch,
  RecordColumns,
  RecordSelection,
  Scalar,
  Space,
  WhereNode,
} from './records.ts';
export type { CollectionSchema } from './schema.ts';
export { checkFilterAllowed, defaultSchema, growSchema, parseSchema, updateSchema } from './schema.ts';
export {
  DEFAULT_DATABASE,
  DEFAULT_DATABASE_ID,
  DEFAULT_RECALL,
  DEFAULT_SETTINGS,
  DEFAULT_TENANT,
  type Durability,
  type Settings,
} from './settings.ts';
export type {
  CollectionStatistics,
  Fault,
  FollowerStatistics,
  Loss,
  MemoryStatistics,
  QueryPlan,
  QueryTimings,
  RepairReport,
  SalvageReport,
  TextStatistics,
  VectorStatistics,
  VerifyReport,
} from './statistics.ts';
export { isWellFormed } from './text.ts';
export { RELEASE_VERSION } from './version.ts';
export {
  countNodes,
  formatWhere,
  formatWhereDocument,
  parseWhere,
  parseWhereDocument,
  whereKeys,
} from './where.ts';
