/** What a search in cells is told: the effort of its level in the units of the cells, and the filter. */
import type { Space } from '../api/index.ts';
import type { Bitset } from '../base/index.ts';
import type { CellMembers } from './cell-members.ts';
import { ESTIMATE_DEVIATION, effortOf } from './effort.ts';

/**
 * A filter that allows less than this share may leave cells without an allowed row: looking which takes
 * 1.5 ns for each allowed row, scanning an entry 3.5.
 */
const NARROW_SHARE = 0.4;

/**
 * The share of a residual that points in some direction varies by one in the root of the dimensions. What
 * `Effort.reach` says holds for 512; for fewer, this many times the difference is added (docs/adr/0010).
 */
const REACH_DEVIATIONS = 2.5;
const REACH_WIDTH = 512;

/** Stands for the entry of a slot in a cell whose entries were not read yet. */
export const NO_ENTRY = 0xffffffff;
/** From here on numbers are no entries: the blocks of a memory are fewer. */
export const OUTSIDE = 0x80000000;

/** The cell of each slot, negative for none, and its entry there: below `OUTSIDE` if there is one. */
export interface SlotPlaces {
  readonly cells: Int32Array;
  readonly entries: Uint32Array;
}

/** What a search in cells is told. */
export interface CellRequest {
  readonly k: number;
  /** How far past the middle between the best centre and the k-th entry centres are still visited. */
  readonly slack: number;
  /** Mean squared distance of an entry from its centre. */
  readonly spread: number;
  /**
   * How far towards the query an entry of a cell is expected to lie at most, as a share of its distance from
   * the centre: what counts where the mask leaves only entries that are far from the query.
   */
  readonly reach: number;
  /** How many times its usual error an estimate is trusted to be off at most. */
  readonly doubt: number;
  /** Which slots count; all, if absent. */
  readonly mask: Uint32Array | undefined;
  /** Where cells and blocks without allowed entries are to be passed over: where the slots are. */
  readonly places: SlotPlaces | undefined;
}

/** A search as its caller sees it; `norm` is that of the query. */
interface Asked {
  readonly k: number;
  readonly level: number;
  readonly norm: number;
  readonly allowed: Bitset;
  readonly allowedCount: number;
}

/** What there is to search in; `spread` is the mean squared radius of the cells. */
interface Searched {
  readonly space: Space;
  readonly width: number;
  readonly spread: number;
  readonly members: CellMembers;
}

/** The request of a search. */
export function requestOf(asked: Asked, { space, width, spread, members }: Searched): CellRequest {
  const { allowed, allowedCount } = asked;
  const { slack, doubt, reach } = effortOf(asked.level);
  const isFiltered = allowedCount < members.liveCount;
  const deviation = 1 / Math.sqrt(width) - 1 / Math.sqrt(REACH_WIDTH);
  const isNarrow = allowedCount < members.liveCount * NARROW_SHARE;
  const slackOf = (share: number): number => {
    if (space !== 'ip') return share * spread;
    // A mask may leave only rows far from the query, and no reach says in which cells (docs/adr/0010).
    return isFiltered ? Number.POSITIVE_INFINITY : share * Math.sqrt(spread) * asked.norm;
  };
  return {
    k: Math.min(asked.k, allowedCount),
    slack: slackOf(slack),
    spread,
    reach: isFiltered && space !== 'ip' ? reach + REACH_DEVIATIONS * Math.max(0, deviation) : 0,
    doubt: (doubt * ESTIMATE_DEVIATION) / Math.sqrt(width),
    mask: isFiltered ? allowed.words : undefined,
    places: isNarrow ? members.slotPlaces : undefined,
  };
}
