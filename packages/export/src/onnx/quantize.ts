/**
 * Largest magnitude of a stored weight: 7 bits. Processors without VNNI multiply uint8 by int8 in pairs into int16
 * (VPMADDUBSW), which saturates with 8 bits: 2 × 255 × 127 = 64,770, and not with these: 2 × 255 × 63 = 32,130 < 32,767.
 */
export const MAX_WEIGHT = 63;

export interface QuantizedMatrix {
  /** In the order of the weights, within ±MAX_WEIGHT. */
  readonly data: Int8Array;
  /** float32, one a group: weight ≈ data × scale of its group */
  readonly scales: Float32Array;
}

/**
 * Symmetric int8 with a scale for each column.
 *
 * @param weights float32 [in, out] row-major
 */
export function quantizeColumns(weights: Float32Array, outWidth: number): QuantizedMatrix {
  return quantize(weights, outWidth, (index) => index % outWidth);
}

/**
 * Symmetric int8 with a scale for each row.
 *
 * @param weights float32 [rows, width] row-major
 */
export function quantizeRows(weights: Float32Array, width: number): QuantizedMatrix {
  return quantize(weights, weights.length / width, (index) => Math.floor(index / width));
}

function quantize(weights: Float32Array, groupCount: number, groupOf: (index: number) => number): QuantizedMatrix {
  const scales = new Float32Array(groupCount);
  weights.forEach((weight, i) => {
    scales[groupOf(i)] = Math.max(scales[groupOf(i)]!, Math.abs(weight));
  });
  for (const [group, largest] of scales.entries()) scales[group] = (largest || 1) / MAX_WEIGHT;
  const data = Int8Array.from(weights, (weight, i) => clampedRound(weight / scales[groupOf(i)]!));
  return { data, scales };
}

function clampedRound(value: number): number {
  return Math.max(-MAX_WEIGHT, Math.min(MAX_WEIGHT, Math.round(value)));
}
