/**
 * What a process is told to do that is going to end badly, and what may be found afterwards.
 *
 * A stream is the life of one collection: calls that create it, write to it and drop it, always the same
 * for a seed. The calls of a command are made before the first of them is answered; the next command of the
 * stream waits for all of them, while other streams go on. So when the process ends, each stream may stand
 * after its last acknowledged command or after some of the calls of the next one, and nowhere else.
 */
import { expect } from 'vitest';
import type { Backend } from '../../src/api/index.ts';
import { seededNumbers } from '../../src/base/index.ts';
import { getRequest } from '../support/batches.ts';
import { SCOPE } from '../support/database.ts';
import { FAMILIES } from '../support/hard-vectors.ts';
import { documentOf, NaiveCollection, type NaiveRecord } from '../support/naive-collection.ts';

export const DIMENSION = 8;
const ID_COUNT = 120;
const BATCH_MAX = 24;
const WORDS = ['amber', 'birch', 'cedar'];

/** One call of a stream. */
export type Call =
  | { readonly verb: 'add' | 'upsert' | 'update'; readonly records: readonly NaiveRecord[] }
  | { readonly verb: 'delete'; readonly ids: readonly string[] }
  | { readonly verb: 'create' }
  | { readonly verb: 'drop' }
  | { readonly verb: 'settle' };

/** Calls made at once. */
export type Command = readonly Call[];

/** A collection; `null` where there is none. */
export type State = NaiveCollection | null;

/** How often a stream does what, beside adding, upserting and updating. */
export interface Habits {
  /** Chance of a command that drops the collection. */
  readonly dropChance: number;
  readonly deleteChance: number;
  readonly settleChance: number;
  /** Chance that a write is made together with two others. */
  readonly burstChance: number;
}

export const MIXED: Habits = { dropChance: 0.04, deleteChance: 0.2, settleChance: 0.1, burstChance: 0.3 };

/** See the top of this file. */
export class Stream {
  readonly name: string;
  readonly #habits: Habits;
  readonly #chance: () => number;
  readonly #draw: () => Float32Array;
  readonly #made: Command[] = [];
  #isThere = false;

  constructor(number: number, seed: number, habits: Habits = MIXED) {
    this.name = `stream-${number}`;
    this.#habits = habits;
    this.#chance = seededNumbers(seed * 100 + number);
    this.#draw = FAMILIES.gaussian(DIMENSION, this.#chance);
  }

  at(number: number): Command {
    while (this.#made.length <= number) this.#made.push(this.#next());
    return this.#made[number]!;
  }

  #next(): Command {
    const { dropChance, settleChance } = this.#habits;
    if (!this.#isThere || this.#chance() < dropChance) {
      this.#isThere = !this.#isThere;
      return [{ verb: this.#isThere ? 'create' : 'drop' }];
    }
    if (this.#chance() < settleChance) return [{ verb: 'settle' }];
    const callCount = this.#chance() < this.#habits.burstChance ? 3 : 1;
    return Array.from({ length: callCount }, () => this.#write());
  }

  #write(): Call {
    const first = Math.floor(this.#chance() * ID_COUNT);
    const count = 1 + Math.floor(this.#chance() * BATCH_MAX);
    const ids = Array.from({ length: count }, (_, i) => `r${(first + i) % ID_COUNT}`);
    if (this.#chance() < this.#habits.deleteChance) return { verb: 'delete', ids };
    const verb = (['add', 'upsert', 'update'] as const)[Math.floor(this.#chance() * 3)]!;
    const records = ids.map((id) => ({
      id,
      embedding: this.#draw(),
      group: Math.floor(this.#chance() * 100),
      word: WORDS[Math.floor(this.#chance() * WORDS.length)]!,
    }));
    return { verb, records };
  }
}

/** The state after a call. Without a collection there is nothing to write to. */
export function applied(state: State, call: Call): State {
  if (call.verb === 'create') return state ?? new NaiveCollection('l2');
  if (call.verb === 'drop') return null;
  if (call.verb === 'settle' || state === null) return state;
  const next = new NaiveCollection('l2');
  next.add([...state.records.values()]);
  if (call.verb === 'delete') next.delete({ ids: call.ids });
  else if (call.verb === 'update') next.update(call.records, true);
  else next[call.verb](call.records);
  return next;
}

/** Where a stream may stand that has begun a command: before it, and after each of its calls. */
export function statesOf(state: State, command: Command): State[] {
  const states = [state];
  for (const call of command) states.push(applied(states.at(-1)!, call));
  return states;
}

/** The command as a line for the other process. */
export function lineOf(stream: number, number: number, name: string, command: Command): string {
  const calls = command.map((call) => {
    if (!('records' in call)) return call;
    const { verb, records } = call;
    return {
      verb,
      ids: records.map(({ id }) => id),
      values: records.flatMap(({ embedding }) => Array.from(embedding)),
      documents: records.map(({ word }) => documentOf(word)),
      metadatas: records.map(({ group }) => JSON.stringify({ group })),
    };
  });
  return `${JSON.stringify({ stream, number, name, dimension: DIMENSION, calls })}\n`;
}

/** Everything that a state says, as one text. */
export function textOf(state: State): string {
  if (state === null) return 'no collection';
  const records = [...state.records.values()];
  return JSON.stringify({
    ids: records.map(({ id }) => id),
    documents: records.map(({ word }) => documentOf(word)),
    metadatas: records.map(({ group }) => JSON.stringify({ group })),
    values: records.flatMap(({ embedding }) => Array.from(embedding)),
  });
}

/** The same of what a database holds. */
export async function textsFound(backend: Backend): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const { id, name } of await backend.listCollections(SCOPE, { limit: null, offset: 0 })) {
    const scope = { ...SCOPE, collectionId: id };
    const { ids, documents, metadatas, embeddings } = await backend.get(scope, getRequest());
    texts.set(name, JSON.stringify({ ids, documents, metadatas, values: Array.from(embeddings!.values) }));
  }
  return texts;
}

/**
 * Compares what a database holds with where its streams may stand, and verifies it. Returns for each stream
 * which of its states was found.
 */
export async function whichStates(
  backend: Backend,
  streams: readonly { readonly name: string; readonly states: readonly State[] }[],
): Promise<number[]> {
  const texts = await textsFound(backend);
  const which = streams.map(({ name, states }) => {
    const text = texts.get(name) ?? 'no collection';
    const found = states.findLastIndex((state) => textOf(state) === text);
    expect(found, `${name} stands where it may: ${text.slice(0, 2_000)}`).not.toBe(-1);
    return found;
  });
  expect([...texts.keys()].filter((text) => !streams.some(({ name }) => name === text))).toEqual([]);
  for (const { id } of await backend.listCollections(SCOPE, { limit: null, offset: 0 })) {
    expect(await backend.verify({ ...SCOPE, collectionId: id })).toMatchObject({ faultCount: 0, faults: [] });
  }
  return which;
}
