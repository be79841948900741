/** Clients of a server: where it is, in the words of the `chromadb` client. */
import { DatabaseError, show } from '../../base/index.ts';
import type { EmbeddingModels } from '../../embed/index.ts';
import { DatabaseAdmin } from '../admin-client.ts';
import { checkMembers, invalidArgument, membersOf } from '../arguments.ts';
import { type ClientScope, DatabaseClient } from '../client.ts';
import { HttpBackend } from './http-backend.ts';
import type { Fetch, TransportOptions } from './transport.ts';

/** Where a server is. */
export interface HttpSettings {
  /** A host name or address, or the server's whole URL. Default `localhost`. */
  readonly host?: string | undefined;
  /** Default 8000. */
  readonly port?: number | undefined;
  /** Whether to use HTTPS. Default false. */
  readonly ssl?: boolean | undefined;
  /** The server's whole URL, in place of `host`, `port` and `ssl`. */
  readonly path?: string | undefined;
  /** Sent with every request; for authorisation. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sends the requests. Default the global `fetch`; a server's own handler talks to it without a socket. */
  readonly fetch?: Fetch | undefined;
}

const ADMIN_MEMBERS = membersOf<HttpSettings>({
  host: true,
  port: true,
  ssl: true,
  path: true,
  headers: true,
  fetch: true,
});
const CLIENT_MEMBERS = [...ADMIN_MEMBERS, 'tenant', 'database'];

/** A client of a Tessera or Chroma server. Errors besides those of every client: `TESSERA_CONNECTION`. */
export class HttpClient extends DatabaseClient {
  constructor(settings: HttpSettings & ClientScope = {}, models: EmbeddingModels | null = null) {
    checkMembers(settings, 'HttpClient', CLIENT_MEMBERS);
    const options = transportOptions(settings);
    super(async () => new HttpBackend(options), settings, models);
  }
}

/** Tenants and databases of a Tessera or Chroma server. */
export class HttpAdminClient extends DatabaseAdmin {
  constructor(settings: HttpSettings = {}) {
    checkMembers(settings, 'AdminClient', ADMIN_MEMBERS);
    const options = transportOptions(settings);
    super(async () => new HttpBackend(options));
  }
}

/** Reads the settings. Errors: `TESSERA_INVALID_ARGUMENT`. */
function transportOptions(settings: HttpSettings): TransportOptions {
  return {
    baseUrl: baseUrlOf(settings),
    headers: settings.headers ?? {},
    // Looked up at each call, so that what is put in its place later is used, and never called without its
    // `this`.
    fetch: settings.fetch ?? ((request) => globalThis.fetch(request)),
  };
}

function baseUrlOf({ host = 'localhost', port = 8000, ssl = false, path }: HttpSettings): string {
  if (typeof host !== 'string' || host === '') {
    throw invalidArgument('host', 'the name or URL of a server', host);
  }
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i;
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const text = path ?? (isUrl.test(host) ? host : `${ssl ? 'https' : 'http'}://${name}:${port}`);
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalidUrl(text, cause);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalidUrl(text);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function invalidUrl(text: string, cause?: unknown): DatabaseError {
  return new DatabaseError(
    'TESSERA_INVALID_ARGUMENT',
    `Expected the address of a server such as http://localhost:8000, got ${show(text)}.`,
    { details: { argument: 'host' }, cause },
  );
}
