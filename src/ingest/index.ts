/**
 * Files into collections: reads texts out of files (formats.ts), cuts them into parts that the model reads
 * whole, and keeps a collection equal to the files (ingest.ts).
 */
export {
  type IngestFailure,
  type IngestInput,
  type IngestProgress,
  type IngestReport,
  ingest,
} from './ingest.ts';
