/**
 * The best of many: the k largest of a stream of floats, a heap of cells by score, and the better half of a
 * list of candidates.
 */

/** The k-th largest float of a stream so far, −∞ before k have come. */
export let worstOfBest: f32 = -Infinity;

/** Begins a stream; `best` holds k floats. */
export function startBest(best: usize, k: u32): void {
  for (let i: u32 = 0; i < k; i++) store<f32>(best + (i << 2), -Infinity);
  worstOfBest = -Infinity;
}

/** Takes in a value that is larger than `worstOfBest`. */
export function noteBest(best: usize, k: u32, value: f32): void {
  let at: u32 = 0;
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= k) break;
    if (child + 1 < k && load<f32>(best + ((child + 1) << 2)) < load<f32>(best + (child << 2))) child++;
    const other = load<f32>(best + (child << 2));
    if (other >= value) break;
    store<f32>(best + (at << 2), other);
    at = child;
  }
  store<f32>(best + (at << 2), value);
  worstOfBest = load<f32>(best);
}

// @ts-ignore: decorator
@inline
function isBefore(a: f32, aName: u32, b: f32, bName: u32): bool {
  return a > b || (a == b && aName < bName);
}

/** Puts (key, cell) at place `at` of the heap of `count` pairs and lets it sink from there. */
export function sink(heap: usize, count: u32, at: u32, key: f32, cell: u32): void {
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= count) break;
    let place = heap + (<usize>child << 3);
    if (
      child + 1 < count &&
      isBefore(load<f32>(place, 8), load<u32>(place, 12), load<f32>(place), load<u32>(place, 4))
    ) {
      child++;
      place += 8;
    }
    if (isBefore(key, cell, load<f32>(place), load<u32>(place, 4))) break;
    store<u64>(heap + (<usize>at << 3), load<u64>(place));
    at = child;
  }
  const target = heap + (<usize>at << 3);
  store<f32>(target, key);
  store<u32>(target, cell, 4);
}

/** Makes a heap of `count` pairs. */
export function heapify(heap: usize, count: u32): void {
  for (let at: i32 = (<i32>count >> 1) - 1; at >= 0; at--) {
    const place = heap + (<usize>at << 3);
    sink(heap, count, at, load<f32>(place), load<u32>(place, 4));
  }
}

/** Brings the best of `count` pairs to the front; at least one. */
export function bringBest(pairs: usize, count: u32): void {
  let best = pairs;
  const end = pairs + (<usize>count << 3);
  for (let place = pairs + 8; place < end; place += 8) {
    if (isBefore(load<f32>(place), load<u32>(place, 4), load<f32>(best), load<u32>(best, 4))) best = place;
  }
  swap(best, pairs);
}

// @ts-ignore: decorator
@inline
export function swap(a: usize, b: usize): void {
  const swapped = load<u64>(a);
  store<u64>(a, load<u64>(b));
  store<u64>(b, swapped);
}

/**
 * Partitions `count` pairs so that the better half comes first (quickselect; Hoare, Algorithm 65): the best
 * `count / 2`, by score, ties by the number beside it.
 */
export function selectBetterHalf(pairs: usize, count: u32): void {
  const wanted = <i32>(count >> 1);
  let left: i32 = 0;
  let right: i32 = <i32>count - 1;
  while (left < right) {
    const middle = pairs + (<usize>((left + right) >> 1) << 3);
    const pivot = load<f32>(middle);
    const pivotName = load<u32>(middle, 4);
    let i = left;
    let j = right;
    while (i <= j) {
      let a = pairs + (<usize>i << 3);
      while (isBefore(load<f32>(a), load<u32>(a, 4), pivot, pivotName)) {
        i++;
        a += 8;
      }
      let b = pairs + (<usize>j << 3);
      while (isBefore(pivot, pivotName, load<f32>(b), load<u32>(b, 4))) {
        j--;
        b -= 8;
      }
      if (i <= j) {
        swap(a, b);
        i++;
        j--;
      }
    }
    if (wanted <= j) right = j;
    else if (wanted >= i) left = i;
    else return;
  }
}
