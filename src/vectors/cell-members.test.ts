import { expect, test } from 'vitest';
import { Bitset } from '../base/index.ts';
import { CellMembers } from './cell-members.ts';
import { OUTSIDE } from './cell-request.ts';
import type { CellTable } from './cell-table.ts';

const COUNT = 1_000;

/** Slots in ten cells, none of which was read, and how often it was asked which cell a slot is in. */
function unread(): { members: CellMembers; looks: () => number } {
  let looks = 0;
  const cells = Int32Array.from({ length: COUNT }, (_, slot) => slot % 10);
  const counted = new Proxy(cells, {
    get: (target, key) => {
      looks++;
      return Reflect.get(target, key);
    },
  });
  const members = new CellMembers();
  members.begin(counted, COUNT);
  return { members, looks: () => looks };
}

test('a slot that leaves a cell and is all that the cell lacks is taken out without a look at the others', () => {
  const { members, looks } = unread();
  members.slotPlaces.entries.fill(0);
  members.slotPlaces.entries[503] = 0xffffffff;
  const before = looks();
  expect(members.expel(3, 1, 503)).toBe(0);
  expect(looks() - before).toBeLessThan(10);
  expect(members.waiting.count).toBe(1);
  expect(members.waiting.at(0)).toBe(503);
  expect(members.cellOf(503)).toBe(-1);
  expect(members.cellOf(513)).toBe(3);
});

test('all slots that a cell lacks are taken out, and those beside the one that leaves are counted', () => {
  const { members } = unread();
  expect(members.expel(3, COUNT / 10, 503)).toBe(COUNT / 10 - 1);
  expect(members.expel(4, COUNT / 10, -1)).toBe(COUNT / 10);
  expect(members.waiting.count).toBe(COUNT / 5);
  for (let slot = 0; slot < COUNT; slot++) {
    const isOut = slot % 10 === 3 || slot % 10 === 4;
    expect(members.cellOf(slot)).toBe(isOut ? -1 : slot % 10);
  }
});

test('only slots in cells have entries, whatever comes and goes outside', () => {
  const members = new CellMembers();
  const outside = (): boolean => members.slotPlaces.entries.every((entry) => entry >= OUTSIDE);
  for (let slot = 0; slot < 100; slot++) members.add(slot, slot % 7 === 0);
  expect(outside()).toBe(true);
  for (let slot = 0; slot < 100; slot += 3) members.remove(slot, undefined);
  expect(outside()).toBe(true);
  for (let slot = 1; slot < 100; slot += 3) members.moveOut(slot, slot % 2 === 0, undefined);
  expect(outside()).toBe(true);
  const live = new Bitset(100);
  for (let slot = 0; slot < 100; slot++) if (slot % 3 !== 0) live.add(slot);
  expect(members.faults(live, undefined)).toEqual([]);
  // A cell whose only entry this is.
  const table = { add: () => 5, remove: () => 50 } as unknown as CellTable;
  members.moveTo(50, 3, table, 0);
  expect(members.slotPlaces.entries[50]).toBe(5);
  members.remove(50, table);
  expect(outside()).toBe(true);
});
