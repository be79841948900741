/** Requests as clients send them, on every route: what the mutations start from. */
import { DATABASE } from '../harness.ts';

/** A request; `body` is a JSON value, or `undefined` for none. */
export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

const ON_RECORDS: readonly (readonly [verb: string, body: unknown])[] = [
  [
    'add',
    {
      ids: ['a', 'b'],
      embeddings: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      documents: ['red fox', null],
      uris: [null, 'u'],
      metadatas: [{ n: 1, f: 1.5, s: 'x', b: true, tags: ['p', 'q'] }, null],
    },
  ],
  ['add', { ids: ['c'], embeddings: ['AACAPwAAAEAAAEBA'] }],
  [
    'upsert',
    {
      ids: ['b', 'd'],
      embeddings: [
        [1, 1, 1],
        [2, 2, 2],
      ],
      metadatas: [{ n: null, m: [1, 2.5] }, { s: 'y' }],
    },
  ],
  ['update', { ids: ['a', 'zz'], embeddings: [[3, 2, 1], null], documents: ['green frog', 'x'] }],
  ['get', { ids: ['a', 'zz'], include: ['embeddings', 'documents', 'metadatas', 'uris'] }],
  [
    'get',
    {
      where: { $and: [{ n: { $gte: 1 } }, { $or: [{ s: 'x' }, { tags: { $contains: 'p' } }] }] },
      where_document: { $and: [{ $contains: 'fox' }, { $not_regex: '^b(lue)?' }] },
      limit: 10,
      offset: 0,
    },
  ],
  ['get', { where: { $or: [{ n: { $in: [1, 2, 3.5] } }, { s: { $nin: ['x'] } }, { b: { $ne: true } }] } }],
  [
    'query',
    {
      query_embeddings: [
        [1, 2, 3],
        [3, 2, 1],
      ],
      n_results: 2,
      where: { s: { $ne: 'q' } },
      where_document: { $regex: '(?i)f.x' },
      include: ['distances', 'metadatas'],
    },
  ],
  ['query', { query_embeddings: [[0, 0, 1]], ids: ['a', 'b'], exact: true, recall: 0.9, explain: true }],
  ['delete', { ids: ['d', 'zz'] }],
  ['delete', { where: { n: { $lt: 0 } }, limit: 1 }],
];

const SEARCH = {
  searches: [
    {
      filter: { k: { $gt: 1 } },
      rank: { $knn: { query: [1, 2, 3], limit: 16 } },
      limit: { offset: 0, limit: 3 },
      select: { keys: ['#document', '#score'] },
    },
  ],
  read_level: 'index_and_wal',
};

const INVERTED = { string_inverted_index: { enabled: true, config: {} } };
const NEW_COLLECTION = {
  name: 'made',
  metadata: { a: 1, 'hnsw:search_ef': 50 },
  configuration: {
    hnsw: { space: 'cosine', ef_search: 50, resize_factor: 1.5 },
    embedding_function: { type: 'known', name: 'x', config: { a: [1, { b: null }] } },
  },
  get_or_create: true,
};
const NEW_SCHEMA = {
  name: 'shaped',
  schema: {
    defaults: { string: INVERTED, float_list: { vector_index: { enabled: false, config: { space: 'ip' } } } },
    keys: { tag: { string: INVERTED } },
  },
  get_or_create: true,
};
const CHANGES = { new_name: null, new_metadata: { q: 1 }, new_configuration: { hnsw: { ef_search: 77 } } };
const OLD_CONFIGURATION = { hnsw_configuration: { space: 'ip', M: 8, _type: 'x' }, _type: 'y' };

/** Every kind of request, on the collection of this UUID. */
export function plainRequests(id: string): PlainRequest[] {
  const v2 = `${DATABASE}/collections/${id}`;
  const v1 = `/api/v1/collections/${id}`;
  const where = 'tenant=default_tenant&database=default_database';
  const request = (method: string, path: string, body?: unknown): PlainRequest => ({ method, path, body });
  const gets = [
    ...['', '/heartbeat', '/healthcheck', '/version', '/pre-flight-checks', '/auth/identity'].map(
      (path) => `/api/v2${path}`,
    ),
    ...['', '/heartbeat', '/version', '/pre-flight-checks'].map((path) => `/api/v1${path}`),
    '/openapi.json',
    '/api/v2/tenants/default_tenant',
    '/api/v2/tenants/default_tenant/databases?limit=5&offset=0',
    DATABASE,
    `${DATABASE}/collections?limit=5&offset=0`,
    `${DATABASE}/collections_count`,
    `${DATABASE}/collections/target`,
    `${DATABASE}/collections/by-id/${id}`,
    `/api/v2/collections/by-id/${id}`,
    '/api/v2/collections/default_tenant:default_database:target',
    ...['count?read_level=index_only', 'indexing_status', 'stats', 'fork_count', 'functions/f'].map(
      (name) => `${v2}/${name}`,
    ),
    '/api/v1/tenants/default_tenant',
    '/api/v1/databases/default_database?tenant=default_tenant',
    `/api/v1/collections?${where}&limit=5&offset=0`,
    `/api/v1/count_collections?${where}`,
    `/api/v1/collections/target?${where}`,
    `${v1}/count`,
  ];
  return [
    ...gets.map((path) => request('GET', path)),
    request('POST', '/api/v2/tenants', { name: 'some_tenant' }),
    request('PATCH', '/api/v2/tenants/default_tenant', { resource_name: 'r' }),
    request('POST', '/api/v2/tenants/some_tenant/databases', { name: 'some_database' }),
    request('DELETE', '/api/v2/tenants/some_tenant/databases/some_database'),
    request('POST', `${DATABASE}/collections`, NEW_COLLECTION),
    request('POST', `${DATABASE}/collections`, NEW_SCHEMA),
    request('PUT', v2, CHANGES),
    request('DELETE', `${DATABASE}/collections/made`),
    ...ON_RECORDS.flatMap(([verb, body]) => [
      request('POST', `${v2}/${verb}`, body),
      request('POST', `${v1}/${verb}`, body),
    ]),
    ...['settle', 'verify', 'repair'].map((name) => request('POST', `${v2}/${name}`)),
    request('POST', `${v2}/search`, SEARCH),
    request('POST', `${v2}/functions/attach`, { name: 'f', function_id: 'g', output_collection: 'h' }),
    request('POST', `${v2}/attached_functions/f/detach`, { delete_output: true }),
    request('POST', '/api/v1/tenants', { name: 'old_tenant' }),
    request('POST', '/api/v1/databases?tenant=old_tenant', { name: 'old_database' }),
    request('POST', `/api/v1/collections?${where}`, { name: 'old', configuration: OLD_CONFIGURATION }),
    request('PUT', v1, { new_name: null, new_metadata: { a: 1 } }),
    request('DELETE', `/api/v1/collections/old?${where}`),
  ];
}
