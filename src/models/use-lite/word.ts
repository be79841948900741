/**
 * A word while it is tokenized: its characters, and the best way to write it as pieces up to each of them.
 * One object serves for all words of a text, and grows with the longest.
 */

/** Characters of most words. */
const LENGTH_FIRST = 64;

/** See the top of this file. */
export class Word {
  /** How many characters there are. */
  length = 0;
  /** The characters, as code points. */
  characters: Uint32Array = new Uint32Array(LENGTH_FIRST);
  /** The sum of scores of the best way to each place; 0 where there is none yet. */
  sums: Float64Array = new Float64Array(LENGTH_FIRST + 1);
  /** The last piece of that way. */
  ids: Int32Array = new Int32Array(LENGTH_FIRST + 1);
  /** Where that piece starts. */
  starts: Int32Array = new Int32Array(LENGTH_FIRST + 1);

  /** Adds characters to the end. */
  append(text: string): void {
    this.#grow(this.length + text.length);
    for (let i = 0; i < text.length; this.length++) {
      const character = text.codePointAt(i)!;
      this.characters[this.length] = character;
      i += character > 0xffff ? 2 : 1;
    }
  }

  /** Forgets all ways, and begins with the sum of those that led here. */
  begin(sum: number): void {
    this.sums.fill(0, 1, this.length + 1);
    this.sums[0] = sum;
  }

  /** A way to `end` whose last piece starts at `start`: taken unless a better one is known. */
  offer(id: number, start: number, end: number, score: number): void {
    const offered = this.sums[start]! + score;
    const known = this.sums[end]!;
    if (known !== 0 && offered < known) return;
    this.sums[end] = offered;
    this.ids[end] = id;
    this.starts[end] = start;
  }

  #grow(length: number): void {
    if (length <= this.characters.length) return;
    const capacity = 2 * length;
    const characters = new Uint32Array(capacity);
    characters.set(this.characters);
    this.characters = characters;
    this.sums = new Float64Array(capacity + 1);
    this.ids = new Int32Array(capacity + 1);
    this.starts = new Int32Array(capacity + 1);
  }
}
