/**
 * What every room may rely on: errors, time, chance, bits and JSON. Knows nothing of databases, files or
 * Node.
 */
export { abortError, throwIfAborted } from './abort.ts';
export { Bitset } from './bitset.ts';
export { type Clock, systemClock } from './clock.ts';
export { type Environment, systemEnvironment } from './environment.ts';
export {
  AssertionError,
  assert,
  DatabaseError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorData,
  type ErrorDetails,
  type ErrorKind,
  show,
} from './errors.ts';
export { Double, formatFloat, formatJson, type JsonValue, parseJson } from './json.ts';
export { LruMap } from './lru.ts';
export { nearestOf } from './nearest.ts';
export { keepWhilePending } from './pending.ts';
export { finish, inTurns, type Pieces } from './pieces.ts';
export { type Random, seededNumbers, seededRandom, systemRandom } from './random.ts';
export { warn } from './warning.ts';
