/**
 * Measures what recall each level of effort gives, on rows of the index itself.
 *
 * A sampled row is looked up as a query, without itself in the answer: exactly, in slices of a few
 * milliseconds in which several rows share what they read of the codes, and then at each
 * level from the lowest on until the answer is complete (higher levels are taken to be complete too). The
 * curve of a finished round answers which level a recall asks for; until then that of the round before does.
 */
import type { Bitset } from '../base/index.ts';
import { LEVELS, UNMEASURED_LEVEL } from './effort.ts';
import type { FlatIndex } from './flat-index.ts';

const K = 10;
/** Searches for fewer than this many are judged by how well the single nearest is found. */
const FEW = 4;
/** Rows that are looked up in a round, and how many of them share a pass over the codes. */
const SAMPLES = 320;
const GROUP = 16;
/** Slots of one slice: their codes stay in the cache while the whole group is compared with them. */
const SLICE_SLOTS = 4096;
/**
 * Share of the allowed misses that the chosen level may have on the sample. Below 1 because queries need not
 * be distributed as rows are, and because a sample may be lucky.
 */
const CAUTION = 0.4;

/** What the meter measures: the slots that a search at a level answers. */
export type SearchAtLevel = (query: Float32Array, k: number, level: number) => Uint32Array;

/** A row that is looked up: the nearest slots found so far, in no order, with their distances. */
interface Sample {
  readonly slot: number;
  readonly query: Float32Array;
  readonly slots: number[];
  readonly distances: number[];
}

/** What was found at each level in a round so far, of how many. */
interface Task {
  readonly found: number[];
  wanted: number;
}

/** See the top of this file. */
export class RecallMeter {
  readonly #flat: FlatIndex;
  readonly #search: SearchAtLevel;
  readonly #random: () => number;
  /** Shares found by level in the last finished round: of ten neighbours, and of the nearest alone. */
  #curves: { readonly ten: readonly number[]; readonly one: readonly number[] } | undefined;
  /** Ten neighbours of a row, its nearest neighbour, and the nearest of all, mostly the row itself. */
  #tasks: [Task, Task, Task] = [newTask(), newTask(), newTask()];
  #isMeasuring = false;
  #sampled = 0;
  #group: Sample[] = [];
  #nextSlot = 0;
  #compared = 0;

  constructor(flat: FlatIndex, search: SearchAtLevel, random: () => number) {
    this.#flat = flat;
    this.#search = search;
    this.#random = random;
  }

  /** Whether a round is under way. */
  get isMeasuring(): boolean {
    return this.#isMeasuring;
  }

  /** Starts a round. */
  begin(): void {
    this.#tasks = [newTask(), newTask(), newTask()];
    this.#isMeasuring = true;
    this.#sampled = 0;
    this.#group = [];
  }

  /** One slice of a round; `live` are the slots in the index, of which there is at least one. */
  step(live: Bitset): void {
    if (this.#group.length === 0) {
      this.#group = Array.from({ length: GROUP }, () => this.#pick(live));
      this.#nextSlot = 0;
      this.#compared = 0;
    }
    if (this.#nextSlot < this.#flat.slotCount) {
      this.#scan(live);
      return;
    }
    const sample = this.#group[Math.floor(this.#compared / this.#tasks.length)]!;
    this.#compare(sample, this.#compared % this.#tasks.length, live);
    if (++this.#compared < GROUP * this.#tasks.length) return;
    this.#group = [];
    this.#sampled += GROUP;
    if (this.#sampled < SAMPLES) return;
    const [ten, one, nearest] = this.#tasks.map(curveOf);
    this.#curves = { ten: ten!, one: one!.map((share, level) => Math.min(share, nearest![level]!)) };
    this.#isMeasuring = false;
  }

  /**
   * The lowest level that gives `recall` for the `k` nearest, between two by the straight line; `undefined`
   * if none does.
   */
  levelFor(recall: number, k: number): number | undefined {
    const curve = this.#curveFor(k);
    if (curve === undefined) return UNMEASURED_LEVEL;
    const enough = 1 - (1 - recall) * CAUTION;
    const above = curve.findIndex((share) => share >= enough);
    if (above === -1) return undefined;
    if (above === 0) return 0;
    const step = (enough - curve[above - 1]!) / (curve[above]! - curve[above - 1]!);
    return above - 1 + step;
  }

  /** The recall measured at a level; `undefined` before the first round has ended. */
  recallAt(level: number, k: number): number | undefined {
    const curve = this.#curveFor(k);
    if (curve === undefined) return undefined;
    const below = Math.floor(level);
    const low = curve[below]!;
    return low + (level - below) * ((curve[below + 1] ?? low) - low);
  }

  #curveFor(k: number): readonly number[] | undefined {
    return k < FEW ? this.#curves?.one : this.#curves?.ten;
  }

  /** A live row, each about as likely as the others. */
  #pick(live: Bitset): Sample {
    const { slotCount } = this.#flat;
    let slot = Math.floor(this.#random() * slotCount);
    while (!live.has(slot)) slot = (slot + 1) % slotCount;
    return { slot, query: this.#flat.embeddingOf(slot), slots: [], distances: [] };
  }

  /** Looks for the neighbours of the whole group in the next slice of slots. */
  #scan(live: Bitset): void {
    const end = Math.min(this.#flat.slotCount, this.#nextSlot + SLICE_SLOTS);
    for (const sample of this.#group) {
      const part = this.#flat.searchRange(sample.query, K + 1, live, this.#nextSlot, end);
      sample.slots.push(...part.slots);
      sample.distances.push(...part.distances);
    }
    this.#nextSlot = end;
  }

  /**
   * Counts for one task what each level finds of a sample's neighbours. Rows as near as the last neighbour
   * count as well; rows that have gone meanwhile are not looked for.
   */
  #compare(sample: Sample, which: number, live: Bitset): void {
    const { slot: own, slots, distances } = sample;
    if (!live.has(own)) return;
    const order = [...slots.keys()].filter((i) => live.has(slots[i]!));
    order.sort((a, b) => distances[a]! - distances[b]! || slots[a]! - slots[b]!);
    const others = order.filter((i) => slots[i] !== own);
    const [ten, one, nearest] = this.#tasks;
    if (which === 0) this.#probe(sample, ten, others, Math.min(K, others.length), K + 1);
    else if (which === 1) this.#probe(sample, one, others, Math.min(1, others.length), 2);
    else this.#probe(sample, nearest, order, 1, 1);
  }

  /** Counts for one task how many of the first `wanted` of `order` a search for `k` finds at each level. */
  #probe(sample: Sample, task: Task, order: readonly number[], wanted: number, k: number): void {
    if (wanted === 0) return;
    const { slots, distances, query } = sample;
    const farthest = distances[order[wanted - 1]!]!;
    const near = new Set(order.filter((i) => distances[i]! <= farthest).map((i) => slots[i]!));
    task.wanted += wanted;
    for (let level = 0; level < LEVELS; level++) {
      let found = 0;
      for (const slot of this.#search(query, k, level)) if (near.has(slot)) found++;
      found = Math.min(found, wanted);
      task.found[level]! += found;
      if (found < wanted) continue;
      for (let above = level + 1; above < LEVELS; above++) task.found[above]! += found;
      return;
    }
  }
}

function newTask(): Task {
  return { found: new Array<number>(LEVELS).fill(0), wanted: 0 };
}

function curveOf({ found, wanted }: Task): number[] {
  return found.map((count) => (wanted === 0 ? 1 : count / wanted));
}
