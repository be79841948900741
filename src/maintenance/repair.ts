/** Makes the indexes that differ from the records anew. */
import type { RepairReport } from '../api/index.ts';
import { DatabaseError } from '../base/index.ts';
import { TextIndex } from '../text/index.ts';
import { MENDABLE_PARTS, type MendablePart } from './findings.ts';
import { absorbText } from './text.ts';
import { compare, type Find } from './verify.ts';

/**
 * Verifies a collection, makes each index that differs anew from the records, and verifies once more; yields
 * every few milliseconds by the clock `nowMs`, or after a step that cannot be divided. Records are never
 * changed.
 *
 * Errors: those of `verify`, and those of writing to the file.
 */
export function* repair(find: Find, nowMs: () => number): Generator<void, RepairReport> {
  const found = yield* compare(find, nowMs);
  const before = found.report();
  if (found.mendable.size === 0) return { before, repairedCount: 0, after: before };
  let repairedCount = 0;
  for (const part of MENDABLE_PARTS) {
    if (found.mendable.has(part)) repairedCount += yield* mend(part, find);
  }
  const after = (yield* compare(find, nowMs)).report();
  return { before, repairedCount, after };
}

/** Mends one part; returns how many entries were made. Damage that prevents it is left for the report. */
function* mend(part: MendablePart, find: Find): Generator<void, number> {
  try {
    if (part === 'text') return yield* remakeText(find);
    const open = find();
    if (open === null) return 0;
    if (part === 'memory') return open.store.read((state) => open.indexes.repairVectors(state));
    if (part === 'changes') return open.store.rebuildChanges();
    open.store.rebuildIdIndex();
    return open.store.read((state) => state.recordCount);
  } catch (error) {
    if (error instanceof DatabaseError && error.kind === 'corrupt') return 0;
    throw error;
  }
}

function* remakeText(find: Find): Generator<void, number> {
  const damaged = find();
  damaged?.store.write(() => TextIndex.open(damaged.store.database)?.drop());
  for (;;) {
    yield;
    const open = find();
    if (open === null) return 0;
    if (!absorbText(open.store, true)) return open.store.read((state) => state.recordCount);
  }
}
