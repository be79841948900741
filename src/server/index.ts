/**
 * The HTTP server. create-server.ts is a function from a request to a response, route-server.ts what happens
 * in between, and listen.ts puts it on a socket. Each version of the API has its folder of routes (v2/): they
 * translate between the wire's snake_case JSON and the `Backend` port, and know nothing of sockets, statuses
 * of errors, callers or logs. access/ is who may come in.
 */
export { Authenticator } from './access/authenticator.ts';
export {
  type AccessKind,
  formatGrantLine,
  type Grant,
  type GrantLine,
  parseGrantLines,
} from './access/grant.ts';
export { parseHtpasswd } from './access/htpasswd.ts';
export { hashKey, hashPassword, makeKey } from './access/secrets.ts';
export { DEFAULT_SERVER_LIMITS, type ServerLimits } from './admission.ts';
export { createServer, type Server, type ServerOptions } from './create-server.ts';
export type { Incoming, Reply } from './exchange.ts';
export {
  DEFAULT_HOST,
  DEFAULT_PATIENCE,
  DEFAULT_PORT,
  GRACE_MS,
  type Listener,
  type ListenOptions,
  listen,
} from './listen.ts';
export type { LogEntry } from './log-entry.ts';
export { parseTraceHeaders, TraceExporter, type TraceOptions } from './tracing/trace-exporter.ts';
