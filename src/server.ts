/** Entry `tesseradb/server`: the HTTP API over a database, as a function of a request or on a socket. */
export { openDatabase } from './engine/index.ts';
export {
  createServer,
  type Listener,
  type ListenOptions,
  type LogEntry,
  listen,
  type Server,
  type ServerOptions,
} from './server/index.ts';
