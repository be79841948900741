/** The making of rows ready for cells, many in one call. */
import { addScaled, project } from './means';
import { rotate } from './rotation';

/**
 * Rotates `count` rows that follow one another, each multiplied by its scale (f32, at `scales`), moves them
 * by −`mean`, and writes their squared norms (f32) to `squares`. The other arguments are as in `rotate`.
 */
export function loadRows(
  rows: usize,
  count: u32,
  factors: usize,
  width: u32,
  span: u32,
  rounds: u32,
  mean: usize,
  scales: usize,
  squares: usize,
): void {
  for (let i: u32 = 0; i < count; i++) {
    rotate(rows, factors, width, span, rounds, load<f32>(scales));
    addScaled(rows, mean, width, -1);
    project(rows, 1, width, rows, squares);
    rows += <usize>width << 2;
    scales += 4;
    squares += 4;
  }
}
