/**
 * The layout of a collection's file, `collections/<uuid>.sqlite3`. docs/format.md draws it for other readers.
 *
 *   state     one row: the position of the change sequence, the next row number, counts, the dimension
 *   records   row → id, document, uri, metadata, and the sequence number of the record's latest change
 *   changes   sequence → row: each live record's latest change, and a tombstone for each row that is gone
 *   vectors   block → the embeddings of `rowsPerBlock` consecutive rows (see vector-block.ts)
 *
 * A tombstone is a change whose row is no longer in `records`: it has a sequence number and no content.
 * Followers (the indexes) make tables of their own when they are first needed; a follower keeps its position
 * in `followers`.
 *
 * Pages have 2,048 bytes in a file that begins small, and 4,096 in one that begins with much. A collection of
 * one record takes eight of them: 16 KB and not 32. But SQLite writes each page on its own, to the log and to
 * the file, and larger ones save a quarter of the time of a large ingest (docs/adr/0003). A file's page size
 * is in its header and stays.
 */

/** Marks a file as ours in SQLite's header: "Tsra" in ASCII. */
export const APPLICATION_ID = 0x54737261;

/** Bytes of a page of the catalogue, and of a collection's file that begins small. */
export const PAGE_BYTES = 2_048;

/** Bytes of a page of a collection's file that begins with much. */
export const LARGE_PAGE_BYTES = 4_096;

/** Sizes that pages of our files have. */
export const PAGE_SIZES: readonly number[] = [PAGE_BYTES, LARGE_PAGE_BYTES];

/**
 * Bytes of embeddings in the first write from which on a file begins with much: the eight pages that it takes
 * at least are 16 KB more then, an eighth of what is written.
 */
const LARGE_START_BYTES = 131_072;

/** How large the pages of a file are to be whose first write brings so many bytes of embeddings. */
export function pageBytesFor(embeddingBytes: number): number {
  return embeddingBytes < LARGE_START_BYTES ? PAGE_BYTES : LARGE_PAGE_BYTES;
}

/**
 * Target size of a vector block: large enough to waste little of its last page, small enough to rewrite for
 * one record.
 */
const BLOCK_BYTES_TARGET = 16_384;

/** Most rows in a block: its presence bits are one 32-bit word. */
const ROWS_PER_BLOCK_MAX = 32;

/**
 * How many consecutive rows share a block at this dimension. Part of the file format: both ends compute it.
 */
export function rowsPerBlock(dimension: number): number {
  const fitting = Math.floor(BLOCK_BYTES_TARGET / (4 * dimension));
  return Math.max(1, Math.min(ROWS_PER_BLOCK_MAX, fitting));
}

/**
 * The steps that lead from an empty file to the current layout. Step i makes version i + 1 of version i; a
 * file's version is its `user_version`. A step, once released, is never edited.
 */
export const COLLECTION_MIGRATIONS: readonly string[] = [
  `CREATE TABLE state (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     sequence INTEGER NOT NULL,
     next_row INTEGER NOT NULL,
     record_count INTEGER NOT NULL,
     tombstone_count INTEGER NOT NULL,
     purged_sequence INTEGER NOT NULL,
     dimension INTEGER,
     is_deleted INTEGER NOT NULL,
     checksum INTEGER NOT NULL
   );
   CREATE TABLE records (
     row INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     sequence INTEGER NOT NULL,
     document TEXT,
     uri TEXT,
     metadata TEXT,
     vector_checksum INTEGER NOT NULL,
     checksum INTEGER NOT NULL
   );
   CREATE TABLE changes (sequence INTEGER PRIMARY KEY, row INTEGER NOT NULL);
   CREATE TABLE vectors (block INTEGER PRIMARY KEY, data BLOB NOT NULL);`,
];

/** The same for `catalogue.sqlite3`. */
export const CATALOGUE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE tenants (name TEXT PRIMARY KEY, resource_name TEXT) WITHOUT ROWID;
   CREATE TABLE databases (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     tenant TEXT NOT NULL,
     UNIQUE (tenant, name)
   ) WITHOUT ROWID;
   CREATE TABLE collections (
     id TEXT PRIMARY KEY,
     database_id TEXT NOT NULL,
     name TEXT NOT NULL,
     metadata TEXT,
     configuration TEXT NOT NULL,
     schema TEXT NOT NULL,
     dimension INTEGER,
     checksum INTEGER NOT NULL,
     UNIQUE (database_id, name)
   ) WITHOUT ROWID;
   CREATE TABLE deleted_collections (id TEXT PRIMARY KEY) WITHOUT ROWID;`,
];

/** Which collection a file belongs to (see identity.ts); files of earlier releases get it later. */
export const IDENTITY_SQL = `CREATE TABLE IF NOT EXISTS identity (
  id INTEGER PRIMARY KEY CHECK (id = 1), collection_id TEXT NOT NULL, life TEXT NOT NULL
)`;

/**
 * Up to how many changes and deletions of records nothing is left of what they removed (see
 * maintenance/remnants.ts); made when that is first found out.
 */
export const ERASED_SQL = `CREATE TABLE IF NOT EXISTS erased (
  id INTEGER PRIMARY KEY CHECK (id = 1), changes INTEGER NOT NULL
)`;

/** Which collections are copies of which; made with the first fork. */
export const FORKS_SQL = `CREATE TABLE IF NOT EXISTS forks (
  id TEXT PRIMARY KEY, source_id TEXT NOT NULL, root_id TEXT NOT NULL
) WITHOUT ROWID`;
