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

/**
 * Symmetric int8 with a scale for each row: a Linear's output, or a word.
 *
 * @param weights float32 [rows, width] row-major
 */
export function quantizeRows(weights: Float32Array, width: number): QuantizedMatrix {
  const data = new Int8Array(weights.length);
  const scales = new Float32Array(weights.length / width);
  for (let row = 0; row < scales.length; row += 1) {
    const start = row * width;
    let largest = 0;
    for (let i = start; i < start + width; i += 1) largest = Math.max(largest, Math.abs(weights[i]!));
    const scale = Math.fround((largest || 1) / MAX_WEIGHT);
    scales[row] = scale;
    for (let i = start; i < start + width; i += 1) {
      data[i] = Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, Math.round(weights[i]! / scale)));
    }
  }
  return { data, scales };
}
