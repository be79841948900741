/** Opening a file while somebody else is making it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SqlDatabase } from '../sqlite/index.ts';
import { RecordStore } from './record-store.ts';

function open(path: string): RecordStore {
  return RecordStore.open({
    path,
    durability: 'relaxed',
    readOnly: false,
    busyTimeoutMs: 1,
    walPagesMax: 1_000,
  });
}

it('a file in which one table begins where another does is damaged, before anything is written to it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'a.sqlite3');
  open(path).close();
  const bytes = readFileSync(path);
  // Type, name, name of the table, then the number of the page.
  const placeOf = (name: string): number => bytes.indexOf(`table${name}${name}`) + 5 + 2 * name.length;
  bytes[placeOf('vectors')] = bytes[placeOf('records')]!;
  writeFileSync(path, bytes);
  expect(() => open(path)).toThrow(expect.objectContaining({ code: 'TESSERA_CORRUPT' }));
});

it('a file that another connection makes meanwhile is not taken for somebody else’s', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'new.sqlite3');
  const { pragma } = SqlDatabase.prototype;
  let isMade = false;
  const spy = vi.spyOn(SqlDatabase.prototype, 'pragma').mockImplementation(function (
    this: SqlDatabase,
    text,
  ) {
    const value = pragma.call(this, text);
    if (!isMade && text === 'application_id') {
      isMade = true;
      // Either the other one has to wait, which it does not for long here, or it makes the file.
      try {
        open(path).close();
      } catch (error) {
        expect(error).toMatchObject({ code: 'TESSERA_BUSY' });
      }
    }
    return value;
  });
  onTestFinished(() => spy.mockRestore());
  const store = open(path);
  expect(store.read((state) => state.recordCount)).toBe(0);
  store.close();
  expect(isMade).toBe(true);
});
