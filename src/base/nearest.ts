/** The name that was probably meant, for messages about one that is not known. */

/**
 * The name nearest to `name`, or `null` when none is near: more than a third of its letters would have to be
 * changed. Leading dashes and the case of letters do not count, and two neighbours that changed places count
 * once.
 */
export function nearestOf(name: string, known: readonly string[]): string | null {
  const letters = name.replace(/^-+/, '');
  let nearest: string | null = null;
  let least = Math.max(1, Math.floor(letters.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(letters.toLowerCase(), candidate.replace(/^-+/, '').toLowerCase());
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

/**
 * Damerau's distance in its restricted form (optimal string alignment), by rows of the matrix. O(|left| ×
 * |right|).
 */
function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      const swap = isSwap ? before[j - 2]! + 1 : substitution;
      next.push(Math.min(substitution, swap, row[j]! + 1, next[j - 1]! + 1));
    }
    before = row;
    row = next;
  }
  return row[right.length]!;
}
