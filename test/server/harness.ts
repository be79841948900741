/** A server over a database in memory, and the means to send it requests without a socket. */
import { type Backend, DEFAULT_DATABASE, DEFAULT_TENANT } from '../../src/api/index.ts';
import { openDatabase } from '../../src/engine/index.ts';
import { createServer, type LogEntry, type Server, type ServerOptions } from '../../src/server/index.ts';

/** The path of everything in the default database. */
export const DATABASE = `/api/v2/tenants/${DEFAULT_TENANT}/databases/${DEFAULT_DATABASE}`;
/** A UUID that no collection has. */
export const NO_COLLECTION = '00000000-0000-4000-8000-000000000000';

/** What a request was answered with. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; `undefined` when it is empty. */
  readonly json: unknown;
}

/** The least body that has these members, as a route accepts it. */
export function leastBody(required: readonly string[] = []): Record<string, unknown> {
  const lists = ['ids', 'embeddings', 'query_embeddings', 'searches', 'operations'];
  const numbers = ['after', 'after_row', 'limit', 'sequence'];
  const least = (name: string): unknown => {
    if (lists.includes(name)) return [];
    if (numbers.includes(name)) return 0;
    return name === 'successor_id' ? NO_COLLECTION : `least_${name}`;
  };
  return Object.fromEntries(required.map((name) => [name, least(name)]));
}

/** A server without a socket. */
export class Harness {
  readonly backend: Backend;
  readonly server: Server;
  readonly log: LogEntry[] = [];

  constructor(backend: Backend, options: ServerOptions = {}) {
    this.backend = backend;
    this.server = createServer(backend, { log: (entry) => this.log.push(entry), ...options });
  }

  static async open(options: ServerOptions = {}): Promise<Harness> {
    return new Harness(await openDatabase({ threads: 0, allowReset: true }), options);
  }

  /** Sends `body` as JSON, or as it is when it is a string. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const init: RequestInit = { method, headers };
    if (body !== undefined) {
      init.body = typeof body === 'string' ? body : JSON.stringify(body);
      init.headers = { 'content-type': 'application/json', ...headers };
    }
    const response = await this.server.fetch(new Request(`http://server${path}`, init));
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text === '' ? undefined : JSON.parse(text),
    };
  }

  /** Creates a collection and returns its path. */
  async createCollection(name: string, rest: Record<string, unknown> = {}): Promise<string> {
    const reply = await this.send('POST', `${DATABASE}/collections`, { name, ...rest });
    if (reply.status !== 200) throw new Error(reply.text);
    return `${DATABASE}/collections/${(reply.json as { id: string }).id}`;
  }
}
