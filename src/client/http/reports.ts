/**
 * Reads what a Tessera server tells of a collection and of how it answered: statistics, reports and plans.
 *
 * Their members are plain values under names in snake_case, so that one translation serves all; what is
 * checked is that the answer is of the kind asked for.
 */
import type {
  CollectionStatistics,
  QueryPlan,
  RepairReport,
  SalvageReport,
  VerifyReport,
} from '../../api/index.ts';
import type { JsonValue } from '../../base/index.ts';
import { readMembers, unreadable } from './wire.ts';

/** Reads the answer of `stats`. Errors: `TESSERA_REMOTE`. */
export function readStatistics(value: JsonValue): CollectionStatistics {
  return readAs<CollectionStatistics>(value, ['recordCount', 'sequence', 'vectors', 'text', 'memory']);
}

/** Reads the answer of `verify`. Errors: `TESSERA_REMOTE`. */
export function readVerifyReport(value: JsonValue): VerifyReport {
  return readAs<VerifyReport>(value, ['recordCount', 'faultCount', 'faults']);
}

/** Reads the answer of `repair`. Errors: `TESSERA_REMOTE`. */
export function readRepairReport(value: JsonValue): RepairReport {
  return readAs<RepairReport>(value, ['before', 'repairedCount', 'after']);
}

/** Reads the answer of `salvage`. Errors: `TESSERA_REMOTE`. */
export function readSalvageReport(value: JsonValue): SalvageReport {
  return readAs<SalvageReport>(value, ['collectionId', 'savedCount', 'lostCount', 'losses']);
}

/**
 * Reads the plan of one query out of an answer of `query`; `null` where a server does not tell. Errors:
 * `TESSERA_REMOTE`.
 */
export function readPlan(answer: { readonly [name: string]: JsonValue }, query: number): QueryPlan | null {
  const plans = answer['plans'] ?? null;
  if (plans === null) return null;
  const plan = Array.isArray(plans) ? plans[query] : undefined;
  return readAs<QueryPlan>(plan ?? null, ['kind', 'recordCount', 'allowedCount', 'timings']);
}

function readAs<T>(value: JsonValue, names: readonly (keyof T & string)[]): T {
  const members = camelCase(readMembers(value)) as { [name: string]: unknown };
  for (const name of names) {
    if (members[name] === undefined) throw unreadable(`a member ${name}`);
  }
  return members as T;
}

/** The same with the names of all members in camelCase. */
function camelCase(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) => [
    name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
    camelCase(member as JsonValue),
  ]);
  return Object.fromEntries(entries);
}
