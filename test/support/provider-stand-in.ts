/**
 * A server that speaks the wire formats of the providers of embeddings, each at its provider's own path.
 *
 * Its model counts: a text's embedding is its length, its words, and 1 where the request said that it is a
 * query. What it is told to answer next comes first, whatever was asked.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that has arrived. */
export interface Arrival {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: each provider has a shape of its own
  readonly body: any;
}

/** An answer that is given in place of the right one; `null` breaks the connection off. */
export interface Canned {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Text, or a value that becomes JSON; a function is given the right answer. */
  readonly body: unknown;
}

interface Format {
  readonly path: RegExp;
  texts(body: Arrival['body']): string[];
  isQuery(body: Arrival['body']): boolean;
  answer(rows: number[][], body: Arrival['body']): unknown;
}

const data = (rows: number[][], { encoding_format }: Arrival['body']): unknown => {
  const isBase64 = encoding_format === 'base64';
  const items = rows.map((row, index) => ({
    object: 'embedding',
    index,
    embedding: isBase64 ? base64(row) : row,
  }));
  // The index says which text is meant. The package that asks for base64 goes by the order.
  return { data: isBase64 ? items : items.reverse() };
};

const base64 = (row: number[]): string => Buffer.from(Float32Array.from(row).buffer).toString('base64');

const FORMATS: readonly Format[] = [
  {
    path: /^\/v2\/embed$/,
    texts: ({ texts }) => texts,
    isQuery: ({ input_type }) => input_type === 'search_query',
    answer: (float) => ({ embeddings: { float } }),
  },
  {
    path: /^\/v1beta\/models\/[^/]+:batchEmbedContents$/,
    texts: ({ requests }) =>
      requests.map(({ content }: { content: { parts: [{ text: string }] } }) => content.parts[0].text),
    isQuery: ({ requests }) => requests[0].taskType === 'RETRIEVAL_QUERY',
    answer: (rows) => ({ embeddings: rows.map((values) => ({ values })) }),
  },
  {
    path: /^\/(?:embed|hf-inference\/models\/.+\/pipeline\/feature-extraction)$/,
    texts: ({ inputs }) => inputs,
    isQuery: () => false,
    answer: (rows) => rows,
  },
  {
    path: /^\/api\/embed$/,
    texts: ({ input }) => input,
    isQuery: () => false,
    answer: (embeddings) => ({ embeddings }),
  },
  {
    path: /^(?:\/v1)?\/embeddings$/,
    texts: ({ input }) => input,
    isQuery: ({ input_type, task }) => input_type === 'query' || task === 'retrieval.query',
    answer: data,
  },
];

/** See the top of this file. */
export class ProviderStandIn {
  readonly arrivals: Arrival[] = [];
  readonly #canned: (Canned | null)[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ProviderStandIn> {
    const server = createServer((request, response) => {
      void standIn.#take(request).then((canned) => {
        if (canned === null) return request.socket.destroy();
        const text = typeof canned.body === 'string' ? canned.body : JSON.stringify(canned.body);
        response.writeHead(canned.status ?? 200, { 'content-type': 'application/json', ...canned.headers });
        return response.end(text);
      });
    });
    const standIn = new ProviderStandIn(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sends what is meant for any provider here. */
  readonly fetch = (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const { method, headers, body, signal } = request;
    return globalThis.fetch(`${this.url}${pathname}${search}`, {
      method,
      headers,
      body,
      signal,
      duplex: 'half',
    } as RequestInit);
  };

  /** What to answer to the next requests, one after the other. */
  answerNext(...canned: (Canned | null)[]): void {
    this.#canned.push(...canned);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage): Promise<Canned | null> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const arrival = {
      path: request.url!,
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString() || 'null'),
    };
    this.arrivals.push(arrival);
    const canned = this.#canned.shift();
    if (canned === null) return null;
    if (canned !== undefined && typeof canned.body !== 'function') return canned;
    const right = this.#answer(arrival);
    return {
      ...canned,
      body: canned === undefined ? right : (canned.body as (body: unknown) => unknown)(right),
    };
  }

  #answer({ path, body }: Arrival): unknown {
    const format = FORMATS.find((candidate) => candidate.path.test(path));
    if (format === undefined) throw new Error(`no provider has ${path}`);
    const isQuery = format.isQuery(body) ? 1 : 0;
    const rows = format
      .texts(body)
      .map((text) => [text.length, text === '' ? 0 : text.split(' ').length, isQuery]);
    return format.answer(rows, body);
  }
}
