/**
 * Looks at what power cuts leave of a recorded life: at moments of it, what is on the disk for certain and
 * any part of what is not yet synced is written to a folder, examined, and compared with what was
 * acknowledged by then.
 *
 * Some of the moments are anywhere; more than their share of them are where a life begins, where a name in a
 * directory has just changed, and where something was just acknowledged, for there the rare states are. Two
 * cuts that leave the very same files are examined once, and judged each for its own moment.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fleetingDirectory } from '../support/temporary.ts';
import { type Content, Disk, type NameOrder, writeContent } from './disk.ts';
import type { Event } from './system-calls.ts';

/** What a disk may do. */
export interface Variant {
  readonly order: NameOrder;
  readonly sectorBytes: number;
}

/** All of it. */
export const VARIANTS: readonly Variant[] = (['ordered', 'adversarial'] as const).flatMap((order) =>
  [512, 4_096].map((sectorBytes) => ({ order, sectorBytes })),
);

/** A life as the disk saw it. */
export interface Recorded {
  readonly root: string;
  readonly events: readonly Event[];
  /** A folder that `root` was a copy of when the life began; `null` where it was not there. */
  readonly before: string | null;
}

/** What a state is worth: all acknowledged is there; some is not; what is there never was; unreadable. */
export type Verdict = 'ok' | 'lost' | 'partial' | 'corrupt';

/** A verdict with what explains it. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly why: unknown;
}

/** How a state is looked at, and what it is worth at a moment when the life had said so much. */
export interface Examination<Found> {
  examine(path: string): Promise<Found>;
  judge(found: Found, said: readonly string[]): Judgement;
}

/** States by their worth, how many of them differ from each other, and the first that is not worth `ok`. */
export type Tally = Record<Verdict, number> & { different: number; firstFault: unknown };

/** States that are drawn at each moment. */
export const STATES_PER_CUT = 5;
/** Shares of the moments in the beginning of a life, where a name has changed, and where it spoke. */
const EARLY_SHARE = 0.2;
const NAME_SHARE = 0.25;
const SAID_SHARE = 0.25;
/** Events that count as the beginning, and as near to a change of a name or to what was said. */
const EARLY_COUNT = 150;
const NEAR_COUNT = 8;
const NAME_CHANGES: readonly string[] = ['open', 'unlink', 'mkdir', 'rename'];

/** Draws moments: each the index of an event that was the last. */
function drawMoments(events: readonly Event[], count: number, chance: () => number): number[] {
  const draw = (choices: readonly number[]): number => choices[Math.floor(chance() * choices.length)]!;
  const where = (kinds: readonly string[]): number[] =>
    [...events.keys()].filter((i) => kinds.includes(events[i]!.kind));
  const [changes, sayings] = [where(NAME_CHANGES), where(['say'])];
  // Where little is said, nothing of it is left to chance.
  const chosen = sayings.length <= count / 2 ? sayings : [];
  const drawn = Array.from({ length: count - chosen.length }, () => {
    let kind = chance();
    if (kind < EARLY_SHARE) return Math.floor(chance() * Math.min(EARLY_COUNT, events.length));
    kind -= EARLY_SHARE;
    const near = Math.floor(chance() * NEAR_COUNT);
    if (kind < NAME_SHARE) return Math.min(events.length - 1, draw(changes) + near);
    kind -= NAME_SHARE;
    if (kind < SAID_SHARE) return draw(sayings);
    return Math.floor(chance() * events.length);
  });
  return [...chosen, ...drawn].sort((a, b) => a - b);
}

/** See the top of this file. */
export class PowerCuts<Found> {
  readonly #recorded: Recorded;
  readonly #examination: Examination<Found>;
  readonly #scratch = fleetingDirectory();
  /** What was found, by the digest of what a folder held. */
  readonly #found = new Map<string, Found>();

  constructor(recorded: Recorded, examination: Examination<Found>) {
    this.#recorded = recorded;
    this.#examination = examination;
  }

  /** Cuts the life at `cutCount` moments, `STATES_PER_CUT` times each. */
  async explore({ order, sectorBytes }: Variant, cutCount: number, chance: () => number): Promise<Tally> {
    const { root, events, before } = this.#recorded;
    const tally: Tally = { ok: 0, lost: 0, partial: 0, corrupt: 0, different: 0, firstFault: null };
    const moments = drawMoments(events, cutCount, chance);
    const disk = new Disk(root, order, before);
    const said: string[] = [];
    for (const [i, event] of events.entries()) {
      disk.do(event);
      if (event.kind === 'say') said.push(event.text.trim());
      for (; moments[0] === i; moments.shift()) {
        for (let state = 0; state < STATES_PER_CUT; state++) {
          const content = disk.cut({ sectorBytes, chance });
          const foundBefore = this.#found.size;
          const { verdict, why } = this.#examination.judge(await this.#examine(content), said);
          tally[verdict]++;
          tally.different += this.#found.size - foundBefore;
          if (verdict !== 'ok') tally.firstFault ??= { order, sectorBytes, event: i, verdict, why };
        }
      }
    }
    return tally;
  }

  async #examine(content: Content): Promise<Found> {
    const hash = createHash('sha1');
    for (const [path, bytes] of content) hash.update(`${path}\0${bytes?.length}\0`).update(bytes ?? '');
    const digest = hash.digest('base64');
    let found = this.#found.get(digest);
    if (found === undefined) {
      const target = join(this.#scratch, 'data');
      writeContent(target, content);
      found = await this.#examination.examine(target);
      rmSync(target, { recursive: true });
      this.#found.set(digest, found);
    }
    return found;
  }
}
