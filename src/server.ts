/** Entry `tesseradb/server`: the HTTP API over a database, as a function of a request or on a socket. */
export { openDatabase } from './engine/index.ts';
export {
  type AccessKind,
  Authenticator,
  createServer,
  formatGrantLine,
  type Grant,
  type GrantLine,
  hashKey,
  hashPassword,
  type Incoming,
  type Listener,
  type ListenOptions,
  type LogEntry,
  listen,
  makeKey,
  parseGrantLines,
  parseHtpasswd,
  type Reply,
  type Server,
  type ServerLimits,
  type ServerOptions,
} from './server/index.ts';
