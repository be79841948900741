/**
 * The HTTP server. create-server.ts is a function from a request to a response; listen.ts puts it on a
 * socket. Each version of the API has its folder of routes (v2/): they translate between the wire's
 * snake_case JSON and the `Backend` port, and know nothing of sockets, statuses of errors or logs.
 */
export { createServer, type LogEntry, type Server, type ServerOptions } from './create-server.ts';
export { DEFAULT_HOST, DEFAULT_PORT, type Listener, type ListenOptions, listen } from './listen.ts';
