/**
 * Largest magnitude of a stored weight: 7 bits. Processors without VNNI multiply uint8 by int8 in pairs into int16
 * (VPMADDUBSW), which saturates with 8 bits: 2 × 255 × 127 = 64,770, and not with these: 2 × 255 × 63 = 32,130 < 32,767.
 */
export const MAX_WEIGHT = 63;

export interface QuantizedMatrix {
  /** int8 [rows, width], within ±MAX_WEIGHT */
  readonly data: Int8Array;
  /** float32 [rows]: weight ≈ data × scale of its row */
  readonly scales: Float32Array;
}

/** Shares of a row's largest weight that are tried as its range: below, the clipped weights cost more than finer steps bring. */
const RANGES = Array.from({ length: 11 }, (_, i) => 1 - i * 0.04); // 1 to 0.6

/**
 * Symmetric int8 with a scale for each row: a Linear's output, or a word. A row's range is the one with the least squared
 * error: a few large weights are clipped where all the others gain by it.
 *
 * @param weights float32 [rows, width] row-major
 */
export function quantizeRows(weights: Float32Array, width: number): QuantizedMatrix {
  const data = new Int8Array(weights.length);
  const scales = new Float32Array(weights.length / width);
  for (let row = 0; row < scales.length; row += 1) {
    const values = weights.subarray(row * width, (row + 1) * width);
    const scale = bestScale(values);
    scales[row] = scale;
    values.forEach((value, i) => (data[row * width + i] = stepOf(value, scale)));
  }
  return { data, scales };
}

function bestScale(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return 1;
  let best = { scale: 0, error: Infinity };
  for (const range of RANGES) {
    const scale = Math.fround((largest * range) / MAX_WEIGHT);
    const error = squaredError(values, scale);
    if (error < best.error) best = { scale, error };
  }
  return best.scale;
}

function squaredError(values: Float32Array, scale: number): number {
  let sum = 0;
  for (const value of values) sum += (value - stepOf(value, scale) * scale) ** 2;
  return sum;
}

function stepOf(value: number, scale: number): number {
  return Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, Math.round(value / scale)));
}
