/**
 * What the server tells Prometheus: requests and how long they took, what is under way, what the process
 * takes, and of the collections that were asked for lately what their statistics say.
 *
 * Of collections, those of the last requests alone, so that ten thousand of them cost nothing: asking for the
 * statistics of one opens its file. Paths are told as the route's template, never as what a client sent.
 */
import { type Backend, type CollectionScope, type CollectionStatistics, isUuid } from '../api/index.ts';
import { DatabaseError, LruMap } from '../base/index.ts';
import { type Counter, type Histogram, Registry, type Sample, writeFamily } from '../metrics/index.ts';
import type { Admission } from './admission.ts';
import type { Answered } from './route-server.ts';

/** Seconds: from a look-up in memory to what the bound of a call gives up. */
const SECONDS_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
/** Collections that are told of; fewer than the files that may be open. */
const COLLECTIONS_MAX = 100;

type Figure = (statistics: CollectionStatistics) => number | null;

/** Figures of a collection by their names. */
const COLLECTION_FIGURES: readonly (readonly [name: string, help: string, read: Figure])[] = [
  ['records', 'Records.', ({ recordCount }) => recordCount],
  ['file_bytes', 'Size of the file.', ({ fileBytes }) => fileBytes],
  ['vector_index_lag', 'Changes that the vector index has not followed.', ({ vectors }) => vectors.lag],
  ['vector_index_waiting', 'Records in no cell yet.', ({ vectors }) => vectors.waitingCount],
  ['vector_index_bytes', 'Memory of the vector index.', ({ vectors }) => vectors.bytes],
  ['text_index_lag', 'Changes that the text index has not followed.', ({ text }) => text.lag],
  ['recall_asked', 'Share of the exact answer that is asked for.', ({ vectors }) => vectors.recall],
  ['recall_measured', 'Recall measured on sampled rows.', ({ vectors }) => vectors.measuredRecall],
];

/** See the top of this file. */
export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #seconds: Histogram;
  readonly #lately = new LruMap<string, CollectionScope>(COLLECTIONS_MAX, () => {});

  constructor(admission: Admission) {
    const registry = this.#registry;
    this.#requests = registry.counter('tessera_http_requests_total', 'Requests answered.', [
      'method',
      'route',
      'status',
    ]);
    this.#seconds = registry.histogram(
      'tessera_http_request_seconds',
      'Time from a request to its answer.',
      SECONDS_BOUNDS,
      ['method', 'route'],
    );
    const gauge = (name: string, help: string, read: () => number): void => registry.gauge(name, help, read);
    gauge('tessera_http_requests_under_way', 'Requests under way.', () => admission.requestCount);
    gauge('tessera_http_body_bytes_under_way', 'Bytes of bodies under way.', () => admission.bodiesBytes);
    gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
    gauge('process_cpu_seconds_total', 'Processor time.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    gauge('process_uptime_seconds', 'Time since the start.', () => process.uptime());
  }

  /** Counts a request. */
  observe({ method, route, status, beganMs, endedMs, param }: Answered): void {
    this.#requests.add(1, method, route.path, String(status));
    this.#seconds.observe((endedMs - beganMs) / 1000, method, route.path);
    const collectionId = param('collection_id').toLowerCase();
    if (status >= 400 || param('tenant') === '' || !isUuid(collectionId)) return;
    const scope = { tenant: param('tenant'), database: param('database'), collectionId };
    this.#lately.set(collectionId, scope);
  }

  /** Everything, as Prometheus reads it. */
  async write(backend: Backend): Promise<string> {
    const found: { labels: Sample['labels']; statistics: CollectionStatistics }[] = [];
    let memory: CollectionStatistics['memory'] | null = null;
    for (const scope of [...this.#lately.values()]) {
      try {
        const { name, tenant, database } = await backend.getCollectionById(scope);
        const statistics = await backend.statistics(scope);
        found.push({ labels: { tenant, database, collection: name }, statistics });
        memory = statistics.memory;
      } catch (error) {
        // Deleted meanwhile, or damaged: then its own requests tell.
        if (!(error instanceof DatabaseError)) throw error;
        this.#lately.take(scope.collectionId);
      }
    }
    let text = this.#registry.write();
    for (const [name, help, read] of COLLECTION_FIGURES) {
      const samples = found.flatMap(({ labels, statistics }) => {
        const value = read(statistics);
        return value === null ? [] : [{ labels, value }];
      });
      text += writeFamily(`tessera_collection_${name}`, 'gauge', help, samples);
    }
    if (memory === null) return text;
    const [budget, used] = [
      { labels: {}, value: memory.budget },
      { labels: {}, value: memory.used },
    ];
    text += writeFamily('tessera_memory_budget_bytes', 'gauge', 'Memory that indexes may take.', [budget]);
    return text + writeFamily('tessera_memory_used_bytes', 'gauge', 'Memory that indexes take.', [used]);
  }
}
