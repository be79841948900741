/**
 * The encoder's kernels in plain TypeScript: what the WebAssembly must compute. Products of rows and weights
 * are the same bits, since the order of every sum is fixed; the others are computed in float64 here and agree
 * to the rounding of float32.
 */
import { type EncoderCalls, MULTIPLY_MODES } from './encoder-kernel.ts';

/** The kernels over `floats`, which begin at position 0. */
export function scalarEncoder(floats: Float32Array): EncoderCalls {
  return {
    multiply: (rows, count, width, weights, columns, bias, out, mode) => {
      for (let r = 0; r < count; r++) {
        for (let c = 0; c < columns; c++) {
          const panel = weights / 4 + Math.floor(c / 8) * 8 * width + (c % 8);
          let sum = floats[bias / 4 + c]!;
          for (let i = 0; i < width; i++) {
            const product = Math.fround(floats[rows / 4 + r * width + i]! * floats[panel + i * 8]!);
            sum = Math.fround(sum + product);
          }
          const at = out / 4 + r * columns + c;
          if (mode === MULTIPLY_MODES.add) floats[at]! += sum;
          else floats[at] = mode === MULTIPLY_MODES.rectify ? Math.max(0, sum) : sum;
        }
      }
    },
    normaliseRows: (rows, count, width, scale, bias, epsilon, out) => {
      for (let r = 0; r < count; r++) {
        const row = floats.slice(rows / 4 + r * width, rows / 4 + (r + 1) * width);
        const mean = row.reduce((sum, each) => sum + each, 0) / width;
        const variance = row.reduce((sum, each) => sum + (each - mean) ** 2, 0) / width;
        for (let i = 0; i < width; i++) {
          const moved = (row[i]! - mean) / Math.sqrt(variance + epsilon);
          floats[out / 4 + r * width + i] = moved * floats[scale / 4 + i]! + floats[bias / 4 + i]!;
        }
      }
    },
    attend: (rows, count, heads, width, scale, _scores, out) => {
      const part = heads * width;
      const at = (row: number, kind: number, head: number): number =>
        rows / 4 + row * 3 * part + kind * part + head * width;
      for (let head = 0; head < heads; head++) {
        for (let r = 0; r < count; r++) {
          const scores = Array.from({ length: count }, (_, other) => {
            let dot = 0;
            for (let i = 0; i < width; i++)
              dot += floats[at(r, 0, head) + i]! * floats[at(other, 1, head) + i]!;
            return dot * scale;
          });
          const weights = softmax(scores);
          for (let i = 0; i < width; i++) {
            const mixed = weights.reduce(
              (sum, weight, row) => sum + weight * floats[at(row, 2, head) + i]!,
              0,
            );
            floats[out / 4 + r * part + head * width + i] = mixed;
          }
        }
      }
    },
  };
}

function softmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
