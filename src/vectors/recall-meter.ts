/**
 * Measures what recall each level of effort gives, on rows of the index and on queries that were asked.
 *
 * A sample is a row moved by a part of the difference of two others, so that it lies where rows may, and as
 * far from them as queries do. Rows themselves would promise too much: they have near ones where queries have
 * none. They are looked up besides, for searches that look for what is there.
 *
 * A sample is looked up at every other level from the lowest on until the answer is complete (higher levels
 * are taken to find no less). What is complete, some samples learn from an exact look at all rows, in slices
 * of a few milliseconds in which several of them share what they read. That costs several times a search at
 * the highest level, so that the others take the answer of that for complete, and the exact ones tell what
 * share of the truth it is. What the recall of every level is by that, recall-curve.ts says.
 *
 * Queries may be harder or easier than such samples, so that those that were asked are remembered
 * (asked-queries.ts) and looked up besides, against the answer of the highest level. While there are few, a
 * reserve stands for what is not known of them (`CAUTION`). With enough of them, they say what effort is
 * needed, with an allowance for the chance of their draw, and samples only that it may not be less than they
 * take, in case other queries come.
 *
 * Samples of rounds before go on counting, faded by the square of the share of the rows of then that are
 * still there: the more of them, the less the chosen level depends on the draw. By the square, so that it is
 * the new rows, of which former rounds had none, that soon decide.
 *
 * The curve of the last finished round answers which level a recall asks for; where there is none, or it is
 * about to be out of date, that of the exact samples of the round under way.
 */
import { Bitset } from '../base/index.ts';
import { AskedQueries } from './asked-queries.ts';
import { LEVELS } from './effort.ts';
import { NearestHeap } from './nearest-heap.ts';
import { PROBED, SampleTally } from './recall-curve.ts';
import type { VectorCache } from './vector-cache.ts';
import type { NearestSlots, VectorRows } from './vector-rows.ts';

const K = 10;
/** Searches for fewer than this many are judged by how well the single nearest is found. */
const FEW = 4;
/** Rows that are looked up in a round, how many of them exactly, and how many share a pass over all rows. */
const SAMPLES = 192;
const SAMPLES_EXACT = 48;
const GROUP = 48;
/** All of them, and exactly, where most vectors have to be read: a round is one pass over the file. */
const SAMPLES_READ = 64;
/**
 * Share of the misses allowed beyond those at the highest level that the chosen level may have on the sample.
 * Below 1 because queries need not be distributed as samples are, and because a sample may be lucky: among
 * 100,000 real embeddings ten meters that were asked for 0.99 chose levels at which queries found 0.993 to
 * 0.997 with it.
 */
const CAUTION = 0.35;
/**
 * The same where the exact samples, which begin a round, decide alone: in the first round, and where what was
 * measured before is about to be out of date, so that rows that come fast do not keep searches exact. In
 * eight parts of real embeddings, 34,000 each, queries found 0.993 to 1 with it where 0.99 was asked for, and
 * 0.989 to 0.998 with 0.2; 0.992 to 0.994 once the round had ended (2026-11-30).
 */
const CAUTION_FIRST = 0.1;
/** Queries that are remembered and looked up at most, and the fewest that count (docs/adr/0010). */
const ASKED = 256;
const ASKED_MIN = 96;
/**
 * Queries are looked up again once less than this share of the rows was there the last time: in every other
 * round of an index that grows, to which they add two fifths of the time. Not tuned.
 */
const ASKED_SHARE = 0.75;
/**
 * Standard errors by which what queries found may be luck: one draw in a hundred has more. With 1.65, an
 * index of 100,000 real embeddings that was asked for 0.99 found 0.9897.
 */
const ASKED_ERRORS = 2.33;
/** From this share of changed rows on, the recall is measured again: new rows may be unlike the measured. */
const UNMEASURED_SHARE = 0.1;
/**
 * Share of the present rows that must have been there when the recall was measured, for it to be believed:
 * between growth to three times the size, which leaves the needed effort nearly as it is where the new rows
 * are like the former, and rows of which none is left. Not tuned.
 */
const BELIEVED_SHARE = 1 / 3;
/**
 * Below this share the next measurement waits for nothing, so that it mostly ends before it is missed. Not
 * tuned: with 0.4, one had not got through its exact samples when 48,000 rows had grown to 146,000, and
 * every round is time that taking rows in has to wait for.
 */
const FRESH_SHARE = 0.5;

/**
 * How far samples are moved, in differences of two rows. With real embeddings, 100,000 × 512, rows missed
 * 0.5 % of their neighbours at a level at which queries missed 1.7 %, and rows so moved 1.2 %; among 300,000,
 * of which most have near copies, 0.7, 0.6 and 2.6 %.
 */
const MOVED_BY = 0.75;

/** What the meter measures: the answer of a search at a level, among the measured rows. */
export type SearchAtLevel = (query: Float32Array, k: number, level: number) => NearestSlots;

/** What is counted for a sample: ten neighbours, one, and the row itself. */
const TASKS = 3;

/** Nearest rows of a sample that are kept while the others are looked at: some may go meanwhile. */
const KEPT = 4 * K;
const NONE = new Uint32Array(0);

/** What is looked up: a query that was asked, or a row moved. */
interface Sample {
  readonly query: Float32Array;
  /** The row itself. */
  readonly moved: { readonly slot: number; readonly row: Float32Array } | undefined;
  /** The nearest slots that were found. */
  found: Uint32Array;
}

/** Ten neighbours, the nearest of them, and the row that was moved; ten and one of queries asked. */
interface Tallies {
  readonly ten: SampleTally;
  readonly one: SampleTally;
  readonly row: SampleTally;
  readonly tenAsked: SampleTally;
  readonly oneAsked: SampleTally;
}

/** Recall by level. */
type Curve = readonly number[];

/** Of ten neighbours and of one: what was found, and what effort is chosen by, with the reserve taken off. */
interface Curves {
  readonly ten: Curve;
  readonly one: Curve;
  readonly tenSure: Curve;
  readonly oneSure: Curve;
}

/** See the top of this file. */
export class RecallMeter {
  /** Where the vectors are, since the first round began. */
  #rows!: VectorCache;
  readonly #search: SearchAtLevel;
  readonly #random: () => number;
  readonly #isFit: (query: Float32Array) => boolean;
  readonly #asked: AskedQueries;
  /** What is believed, and what the rounds finished so far gave. */
  #curves: Curves | undefined;
  #finished: Curves | undefined;
  /** Of the round under way, and of all those before it, faded. */
  #tallies: Tallies = newTallies();
  #former: Tallies = newTallies();
  /** Rows when what is believed was measured, in the last finished round, and in the one under way. */
  #measuredRows = 0;
  #finishedRows = 0;
  #roundRows = 0;
  /** Rows at the begin of the last round that looked queries up, of those still there. */
  #askedRows = 0;
  #changesSinceBegin = 0;
  #isMeasuring = false;
  #rounds = 0;
  #sampled = 0;
  #samples = SAMPLES;
  #exactSamples = SAMPLES_EXACT;
  #groupSize = GROUP;
  #group: Sample[] = [];
  /** The nearest of the group so far, while all rows are looked at. */
  #nearest: NearestHeap[] = [];
  /** Slots that have not been looked at for the group. */
  #left = new Bitset();
  /** Queries that are still to be looked up in the round. */
  #queries: Float32Array[] = [];
  /** Where the look at all rows goes on; −1 after it. */
  #cursor = 0;
  #compared = 0;

  /** `isFit` says whether a query may be searched for in cells. */
  constructor(search: SearchAtLevel, random: () => number, isFit: (query: Float32Array) => boolean) {
    this.#search = search;
    this.#random = random;
    this.#isFit = isFit;
    this.#asked = new AskedQueries(ASKED, random);
  }

  /**
   * What was measured last: the recall of ten neighbours at each level, then of one; then both again with the
   * reserve taken off.
   */
  get recalls(): Float64Array {
    if (this.#finished === undefined) return new Float64Array(0);
    const { ten, one, tenSure, oneSure } = this.#finished;
    return Float64Array.from([...ten, ...one, ...tenSure, ...oneSure]);
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.#asked.bytes;
  }

  /** Notes a query that was asked. */
  noteQuery(query: Float32Array): void {
    this.#asked.note(query);
  }

  /** Of the rows at the time of that measurement, how many are still there at least. */
  get measuredRows(): number {
    return this.#finishedRows;
  }

  /**
   * Goes on from what was measured before, if it is of the same levels; of those rows `rows` are left, among
   * `liveCount`.
   */
  resume(recalls: Float64Array, rows: number, liveCount: number): void {
    this.#changesSinceBegin = liveCount;
    const parts = recalls.length / LEVELS;
    if (parts !== 2 && parts !== 4) return;
    this.#measuredRows = Math.max(0, rows);
    this.#finishedRows = this.#measuredRows;
    this.#changesSinceBegin = Math.max(0, liveCount - this.#measuredRows);
    const part = (i: number): number[] => [...recalls.subarray(i * LEVELS, (i + 1) * LEVELS)];
    const [ten, one] = [part(0), part(1)];
    // Of a collection kept before queries were measured, there is no more than what samples found.
    const [tenSure, oneSure] =
      parts === 2 ? [reserved(ten, CAUTION), reserved(one, CAUTION)] : [part(2), part(3)];
    this.#curves = { ten, one, tenSure, oneSure };
    this.#finished = this.#curves;
  }

  /** Notes that a row has come or gone. */
  noteChange(): void {
    this.#changesSinceBegin++;
  }

  /** Notes, besides, that a row is gone, or has another vector. */
  noteRemoval(): void {
    if (this.#measuredRows > 0) this.#measuredRows--;
    if (this.#roundRows > 0) this.#roundRows--;
    if (this.#finishedRows > 0) this.#finishedRows--;
    if (this.#askedRows > 0) this.#askedRows--;
  }

  /**
   * Whether what was measured says something of the rows that there are now. Where most of them came later,
   * an effort that was enough for others would silently find less than was asked for.
   */
  isBelieved(liveCount: number): boolean {
    return this.#curves !== undefined && this.#measuredRows >= liveCount * BELIEVED_SHARE;
  }

  /**
   * Whether enough has changed since the last round began for another, or enough was asked for the first that
   * measures queries.
   */
  isDue(rows: VectorRows, liveCount: number): boolean {
    if (this.#changesSinceBegin > liveCount * UNMEASURED_SHARE) return true;
    return this.#asked.isFull && this.#lacksAsked && !isMostlyRead(rows);
  }

  get #lacksAsked(): boolean {
    return this.#former.tenAsked.count < ASKED_MIN;
  }

  /** Whether it will soon not be believed any more, or no round has ended yet. */
  isAgeing(liveCount: number): boolean {
    return this.#finished === undefined || this.#measuredRows < liveCount * FRESH_SHARE;
  }

  /** Rounds that have ended here. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Whether a round is under way. */
  get isMeasuring(): boolean {
    return this.#isMeasuring;
  }

  /** Starts a round among `liveCount` rows, in which the vectors are found in `rows`. */
  begin(rows: VectorCache, liveCount: number): void {
    this.#rows = rows;
    this.#roundRows = liveCount;
    this.#changesSinceBegin = 0;
    this.#tallies = newTallies();
    this.#isMeasuring = true;
    this.#sampled = 0;
    this.#group = [];
    const isRead = isMostlyRead(rows);
    const isAsking = !isRead && (this.#lacksAsked || this.#askedRows < liveCount * ASKED_SHARE);
    this.#queries = isAsking ? this.#asked.list().filter((query) => this.#isFit(query)) : [];
    if (this.#queries.length === 0) this.#keepAsked();
    this.#samples = isRead ? SAMPLES_READ : SAMPLES;
    this.#exactSamples = isRead ? SAMPLES_READ : SAMPLES_EXACT;
    this.#groupSize = isRead ? SAMPLES_READ : GROUP;
  }

  /** Goes on with what queries found before. */
  #keepAsked(): void {
    const { tenAsked, oneAsked } = this.#former;
    this.#tallies = { ...this.#tallies, tenAsked, oneAsked };
  }

  /** Gives up a round, for when slots have got other numbers; another is due. */
  cancel(liveCount: number): void {
    this.#changesSinceBegin = Math.max(this.#changesSinceBegin, liveCount);
    this.#isMeasuring = false;
    this.#group = [];
    this.#queries = [];
  }

  /**
   * One slice of a round. The measured rows are those of `live` for which `isMeasured` is true; there is at
   * least one.
   */
  step(live: Bitset, isMeasured: (slot: number) => boolean): void {
    if (this.#group.length === 0) {
      this.#group = this.#nextGroup(isMeasured);
      this.#cursor = this.#sampled < this.#exactSamples ? 0 : -1;
      if (this.#cursor === 0) {
        this.#nearest = this.#group.map(() => new NearestHeap(KEPT));
        this.#left = live.clone();
      }
      this.#compared = 0;
    }
    if (this.#cursor !== -1) {
      this.#scan(live);
      return;
    }
    const sample = this.#group[Math.floor(this.#compared / TASKS)]!;
    this.#compare(sample, this.#compared % TASKS, isMeasured);
    if (++this.#compared < this.#group.length * TASKS) return;
    this.#sampled += this.#group.length;
    this.#group = [];
    if (this.#sampled >= this.#samples && this.#queries.length === 0) this.#finish();
    else if (this.#sampled >= this.#exactSamples && this.isAgeing(this.#roundRows)) this.#believeExact();
  }

  /** Samples, until there are enough of them, and then the queries. */
  #nextGroup(isMeasured: (slot: number) => boolean): Sample[] {
    if (this.#sampled < this.#samples) {
      return Array.from({ length: this.#groupSize }, () => this.#sample(isMeasured));
    }
    const queries = this.#queries.splice(0, this.#groupSize);
    return queries.map((query) => ({ query, moved: undefined, found: NONE }));
  }

  #finish(): void {
    const staying = Math.min(1, this.#finishedRows / Math.max(1, this.#roundRows));
    const tallies = this.#tallies;
    for (const which of ['ten', 'one', 'row'] as const) {
      tallies[which].addFaded(this.#former[which], staying * staying);
    }
    if (tallies.tenAsked !== this.#former.tenAsked) this.#askedRows = this.#roundRows;
    this.#former = tallies;
    this.#finished = this.#curvesBy(CAUTION);
    this.#curves = this.#finished;
    this.#measuredRows = this.#roundRows;
    this.#finishedRows = this.#roundRows;
    this.#rounds++;
    this.#isMeasuring = false;
  }

  /**
   * Takes what the exact samples found for the recall of the rows of the round, and no less effort than until
   * now. They cannot tell one miss in a hundred from none, so that for few neighbours nothing is known yet
   * where nothing was known before.
   */
  #believeExact(): void {
    const { ten, one, tenSure, oneSure } = this.#curvesBy(CAUTION_FIRST);
    const former = this.#curves ?? { tenSure, oneSure: oneSure.map(() => 0) };
    this.#curves = {
      ten,
      one,
      tenSure: least(tenSure, former.tenSure),
      oneSure: least(oneSure, former.oneSure),
    };
    this.#measuredRows = this.#roundRows;
  }

  /** What the round has counted so far, as recall by level; the reserve leaves a share of the misses. */
  #curvesBy(caution: number): Curves {
    const tallies = this.#tallies;
    const row = tallies.row.curve();
    const ten = tallies.ten.curve();
    const one = least(tallies.one.curve(), row);
    const hasAsked = tallies.tenAsked.count >= ASKED_MIN;
    return {
      ten: hasAsked ? least(ten, scaled(tallies.tenAsked.curve(), ten)) : ten,
      one: hasAsked ? least(one, scaled(tallies.oneAsked.curve(), one)) : one,
      tenSure: hasAsked
        ? least(ten, scaled(tallies.tenAsked.curve(ASKED_ERRORS), ten))
        : reserved(ten, caution),
      oneSure: hasAsked
        ? least(one, scaled(tallies.oneAsked.curve(ASKED_ERRORS), one))
        : reserved(one, caution),
    };
  }

  /**
   * The lowest level that surely gives `recall` for the `k` nearest, between two by the straight line;
   * `undefined` if none does, or none was measured yet.
   */
  levelFor(recall: number, k: number): number | undefined {
    const curve = k < FEW ? this.#curves?.oneSure : this.#curves?.tenSure;
    if (curve === undefined) return undefined;
    const above = curve.findIndex((share) => share >= recall);
    if (above === -1) return undefined;
    if (above === 0) return 0;
    const step = (recall - curve[above - 1]!) / (curve[above]! - curve[above - 1]!);
    return above - 1 + step;
  }

  /** The recall measured at a level; `undefined` before anything is believed. */
  recallAt(level: number, k: number): number | undefined {
    const curve = k < FEW ? this.#curves?.one : this.#curves?.ten;
    if (curve === undefined) return undefined;
    const below = Math.floor(level);
    const low = curve[below]!;
    return low + (level - below) * ((curve[below + 1] ?? low) - low);
  }

  /** A measured row, each about as likely as the others. */
  #pick(isMeasured: (slot: number) => boolean): number {
    const { slotCount } = this.#rows;
    let slot = Math.floor(this.#random() * slotCount);
    while (!isMeasured(slot)) slot = (slot + 1) % slotCount;
    return slot;
  }

  /** A row, moved, unless that makes it one that is not searched for in cells. */
  #sample(isMeasured: (slot: number) => boolean): Sample {
    const slot = this.#pick(isMeasured);
    const row = this.#rows.embeddingOf(slot);
    const plus = this.#rows.embeddingOf(this.#pick(isMeasured));
    const minus = this.#rows.embeddingOf(this.#pick(isMeasured));
    const moved = row.map((value, i) => value + MOVED_BY * (plus[i]! - minus[i]!));
    return { query: this.#isFit(moved) ? moved : row, moved: { slot, row }, found: NONE };
  }

  /** Looks for the neighbours of the whole group in the next slice of the rows. */
  #scan(live: Bitset): void {
    const queries = this.#group.map(({ query }) => query);
    this.#cursor = this.#rows.searchSlice(queries, this.#nearest, this.#left.and(live), this.#cursor);
    if (this.#cursor !== -1) return;
    this.#group.forEach((sample, i) => {
      sample.found = this.#nearest[i]!.drain().slots;
    });
    this.#nearest = [];
    this.#left = new Bitset();
  }

  /**
   * Counts for one task what each level finds of a sample's neighbours: whatever is as near as the last of
   * them, since of rows that are equally near one is as good as another. Rows that have gone meanwhile are
   * not looked for.
   */
  #compare(sample: Sample, which: number, isMeasured: (slot: number) => boolean): void {
    const isExact = this.#sampled < this.#exactSamples;
    const { query, moved } = sample;
    const { ten, one, row, tenAsked, oneAsked } = this.#tallies;
    if (which === 2) {
      // Even where the highest level misses it, the row itself is there to be found.
      if (moved === undefined || !isMeasured(moved.slot)) return;
      const own = this.#rows.rank(moved.row, 1, Uint32Array.of(moved.slot), 1).distances;
      this.#probe(moved.row, 1, row, own, true);
      return;
    }
    if (!isExact && which === 0) sample.found = this.#search(query, K, LEVELS - 1).slots;
    const { distances } = this.#nearestOf(sample, isMeasured);
    if (which === 0) this.#probe(query, K, moved === undefined ? tenAsked : ten, distances, isExact);
    else this.#probe(query, 1, moved === undefined ? oneAsked : one, distances.subarray(0, 1), isExact);
  }

  /** The rows found for a sample that are still there. */
  #nearestOf(sample: Sample, isMeasured: (slot: number) => boolean): NearestSlots {
    const slots = sample.found.filter(isMeasured);
    return this.#rows.rank(sample.query, K, slots, slots.length);
  }

  /**
   * Adds to a tally how many neighbours at these distances, which may be all there are, a search for `k` of
   * them finds at each level.
   */
  #probe(
    query: Float32Array,
    k: number,
    tally: SampleTally,
    distances: Float32Array,
    isExact: boolean,
  ): void {
    const wanted = distances.length;
    if (wanted === 0) return;
    const farthest = distances[wanted - 1]!;
    const foundAt = (level: number): number => {
      const answer = this.#search(query, k, level);
      return Math.min(wanted, answer.distances.filter((distance) => distance <= farthest).length);
    };
    let former = 0;
    const found = PROBED.map((level) => {
      if (former < wanted) former = foundAt(level);
      return former;
    });
    const most = former < wanted ? foundAt(LEVELS - 1) : former;
    tally.add(found, most, isExact ? wanted : undefined);
  }
}

function newTallies(): Tallies {
  const [ten, one, row] = [new SampleTally(), new SampleTally(), new SampleTally()];
  return { ten, one, row, tenAsked: new SampleTally(), oneAsked: new SampleTally() };
}

/** Whether most vectors have to be read. */
function isMostlyRead(rows: VectorRows): boolean {
  return rows.cachedCount < rows.slotCount / 2;
}

/** Below the highest level's share as many times farther as the reserve asks for. */
function reserved(curve: Curve, caution: number): Curve {
  const most = curve.at(-1)!;
  return curve.map((share) => most - (most - share) / caution);
}

function least(curve: Curve, other: Curve): Curve {
  return curve.map((share, level) => Math.min(share, other[level]!));
}

/** Shares of what the highest level finds, as shares of all, of which it finds what it does in `curve`. */
function scaled(shares: Curve, curve: Curve): Curve {
  const most = curve.at(-1)!;
  return shares.map((share) => most * share);
}
