/**
 * What SQLite's result codes mean to a caller.
 *
 * Only codes that a correct program can meet (a full disk, a damaged file, another process's lock) become
 * `DatabaseError`s. Everything else, a syntax error or a constraint, is a fault of ours and passes through
 * untouched.
 */
import { DatabaseError, type ErrorCode } from '../base/index.ts';

/** Primary result codes (sqlite.org/rescode.html) with our code and the remedy. */
const RESULT_CODES: ReadonlyMap<number, readonly [name: string, code: ErrorCode, message: string]> = new Map([
  [3, ['PERM', 'TESSERA_IO', 'The operating system refused access. Check the permissions of the directory']],
  [5, ['BUSY', 'TESSERA_BUSY', 'Another process holds the write lock for too long. Try again']],
  [6, ['LOCKED', 'TESSERA_BUSY', 'Another connection holds a lock. Try again']],
  [7, ['NOMEM', 'TESSERA_LIMIT_EXCEEDED', 'SQLite ran out of memory. Use smaller batches or free memory']],
  [
    8,
    [
      'READONLY',
      'TESSERA_READ_ONLY',
      'The file, or the one that SQLite keeps beside it even for reading, cannot be written. Check the permissions of the directory; if a power cut left it so, open it once without readOnly',
    ],
  ],
  [10, ['IOERR', 'TESSERA_IO', 'Reading or writing the file failed. Check the disk']],
  [11, ['CORRUPT', 'TESSERA_CORRUPT', 'The file is damaged. Stop writing to it and restore a copy']],
  [
    13,
    [
      'FULL',
      'TESSERA_DISK_FULL',
      'The disk is full. Nothing of this call was stored; free space and try again',
    ],
  ],
  [
    14,
    [
      'CANTOPEN',
      'TESSERA_IO',
      'The file cannot be opened. Check that the directory exists and may be written; where it is only to be read, open it with readOnly',
    ],
  ],
  [18, ['TOOBIG', 'TESSERA_LIMIT_EXCEEDED', 'A value is larger than SQLite stores (1 GB). Split it']],
  [
    26,
    [
      'NOTADB',
      'TESSERA_NOT_A_DATABASE',
      'The file is not an SQLite database. Give the directory of a database',
    ],
  ],
] as const);

const CODES_BY_NAME: ReadonlyMap<string, number> = new Map(
  [...RESULT_CODES].map(([code, [name]]) => [name, code]),
);

/** Finds the primary result code in either driver's error, or `undefined` where it is not SQLite's. */
function resultCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return errcode & 0xff;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return undefined;
  return CODES_BY_NAME.get(code.split('_')[1] ?? '');
}

/** Damage that SQLite tells by its code for bad statements: the format in the header is none it knows. */
const UNKNOWN_FORMAT = 'unsupported file format';

/**
 * Returns the `DatabaseError` for a driver's error, or the error itself where it is a fault of ours. An
 * integer that no JavaScript number equals is never written; `node:sqlite` refuses to read one that damage
 * has made.
 */
export function translateSqlError(error: unknown, path: string): unknown {
  const { code: driverCode, message: text } = Object(error) as { code?: unknown; message?: unknown };
  const isForeignNumber = driverCode === 'ERR_OUT_OF_RANGE';
  if (isForeignNumber || text === UNKNOWN_FORMAT) {
    const what = isForeignNumber
      ? 'it holds a number that was never written'
      : 'it has a format of no SQLite';
    const message = `The file is damaged: ${what} (${path}). Restore a copy.`;
    return new DatabaseError('TESSERA_CORRUPT', message, { cause: error, details: { path } });
  }
  const resultCode = resultCodeOf(error);
  const meaning = resultCode === undefined ? undefined : RESULT_CODES.get(resultCode);
  if (meaning === undefined) return error;
  const [name, code, message] = meaning;
  const details = { path, resultCode: `SQLITE_${name}` };
  return new DatabaseError(code, `${message} (${path}, SQLITE_${name}).`, { cause: error, details });
}

/** Whether an error comes from SQLite: translated, or with a result code that has no meaning of its own. */
export function isSqlError(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.details['resultCode'] !== undefined;
  return resultCodeOf(error) !== undefined || /^SQLITE_/.test(String((error as { code?: unknown }).code));
}
