/**
 * The power fails while a deed is done that must not be left half done (deeds.ts): what is found is as before
 * or as after, what was said to be done is done, and nothing else was harmed.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programPath } from '../support/programs.ts';
import { fleetingDirectory } from '../support/temporary.ts';
import { DEEDS, type Deed, NEXT_FORMAT } from './deeds.ts';
import { type Judgement, PowerCuts, type Recorded, STATES_PER_CUT, VARIANTS } from './power-cuts.ts';
import { IS_SOAK, Rounds } from './rounds.ts';
import { eventsOf, recorderFault, recording } from './system-calls.ts';

const names = Object.keys(DEEDS);
/** Deeds that are looked at in every run of the tests, in two variants each. */
const rounds = Rounds.inHalves(names.length, 20_261_133);
/** Moments of a recorded deed at which the power fails. */
const CUT_COUNT = IS_SOAK ? 40 : 8;
const DEED_PROCESS = programPath('deed-process');

/** Does a deed in a folder that was prepared for it, and records what the disk sees. */
async function record(name: string, { prepare }: Deed, chance: () => number): Promise<Recorded> {
  const directory = fleetingDirectory();
  const [before, root, log] = ['before', 'root', 'calls'].map((each) => join(directory, each)) as [
    string,
    string,
    string,
  ];
  mkdirSync(before);
  await prepare(before, chance);
  cpSync(before, root, { recursive: true });
  const words = [...recording(log), process.execPath, DEED_PROCESS, name, root, JSON.stringify(NEXT_FORMAT)];
  execFileSync(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  return { root, events: eventsOf(log, root), before };
}

function judge({ allowed }: Deed, found: string, said: readonly string[]): Judgement {
  const why = { found, said: [...said] };
  if (allowed[said.length]?.test(found)) return { verdict: 'ok', why };
  const wasAllowed = allowed.slice(0, said.length).some((pattern) => pattern.test(found));
  return { verdict: wasAllowed ? 'lost' : 'corrupt', why };
}

// Without a recorder there is nothing to explore; `recorderFault` says why there is none.
test.skipIf(recorderFault() !== null)(
  `${rounds.title} deeds cut off by a power cut are done or not done, and done once that is said`,
  { timeout: rounds.timeout },
  async () => {
    const chance = rounds.chance();
    const total = { ok: 0, lost: 0, corrupt: 0, different: 0 };
    for (const round of rounds) {
      const name = names[round % names.length]!;
      const deed = DEEDS[name]!;
      const recorded = await record(name, deed, chance);
      const cuts = new PowerCuts<string>(recorded, {
        examine: (path) => deed.find(path).catch((error) => `broken (${String(error)})`),
        judge: (found, said) => judge(deed, found, said),
      });
      // In the short run each deed has one variant of either order of names.
      const isShort = !IS_SOAK;
      const variants = isShort ? VARIANTS.filter((_, i) => i % 2 === round % 2) : VARIANTS;
      for (const variant of variants) {
        const tally = await cuts.explore(variant, CUT_COUNT, chance);
        expect(tally.firstFault, `${name} (seed ${rounds.seed})`).toBeNull();
        for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += tally[key];
      }
    }
    const { ok: states, ...others } = total;
    expect(states % (CUT_COUNT * STATES_PER_CUT)).toBe(0);
    rounds.report({ states, ...others });
  },
);
