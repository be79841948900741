/**
 * Lines `USER:HASH`, as Apache's htpasswd writes them and Chroma's servers read them: users who may do
 * everything.
 */
import { DatabaseError, show } from '../../base/index.ts';
import type { GrantLine } from './grant.ts';

/**
 * Reads such lines. Errors: `TESSERA_INVALID_ARGUMENT` naming the line; hashes are checked when they are
 * used.
 */
export function parseHtpasswd(text: string, source: string): GrantLine[] {
  const lines: GrantLine[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    if (colon < 1) {
      const where = `${source}, line ${index + 1}`;
      const message = `${where}: expected USER:HASH, as \`htpasswd -B\` writes it, got ${show(line.slice(0, 8))}….`;
      throw new DatabaseError('TESSERA_INVALID_ARGUMENT', message, { details: { where } });
    }
    const grant = { name: line.slice(0, colon), tenant: null, databases: null, collections: null };
    lines.push({ grant: { ...grant, access: 'write' }, hash: line.slice(colon + 1) });
  }
  return lines;
}
