import {
  add,
  cast,
  cluster,
  fusedDropout,
  fusedResidualNorm,
  fusedResidualNormGradient,
  gatherRows,
  matMul,
  multiply,
  oneHot,
  integer,
  reshape,
  sum,
  usesFusedKernels,
  vector,
  type FloatType,
  type Tensor,
} from "@bertqa/engine";
import { applyDropout, type DropoutKeys } from "./dropout.ts";
import { layerNorm, layerNormBackward, type NormSaved } from "./residual-norm.ts";

type F32 = Tensor<"float32">;

export interface EmbeddingTables {
  /** [V, H] */
  readonly words: F32;
  /** [P, H] */
  readonly positions: F32;
  /** [Y, H] */
  readonly types: F32;
  readonly gamma: F32;
  readonly beta: F32;
}

export interface EmbeddingIndices {
  /** int32 [B, L] */
  readonly words: Tensor<"int32">;
  /** int32 [B, L]: words, but −1 for those that take no gradient */
  readonly trainedWords: Tensor<"int32">;
  /** int32 [L] */
  readonly positions: Tensor<"int32">;
  /** int32 [B, L] */
  readonly types: Tensor<"int32">;
}

export interface EmbeddingSettings<T extends FloatType> {
  readonly hiddenSize: number;
  readonly training: boolean;
  readonly epsilon: number;
  readonly dropout: number;
  readonly computeDtype: T;
}

/** dropout(LayerNorm(word + position + type)) @returns float32 [B, L, H] (or [N, H]) with what `embeddingBackward` needs */
export function embedding<T extends FloatType>(
  tables: EmbeddingTables,
  indices: EmbeddingIndices,
  keys: DropoutKeys,
  settings: EmbeddingSettings<T>,
) {
  const rows = {
    words: gatherRows(tables.words, indices.words), // [B, L, H]
    positions: gatherRows(tables.positions, indices.positions), // [L, H]
    types: gatherRows(tables.types, indices.types), // [B, L, H]
  };
  const { gamma, beta } = tables;
  if (usesFusedKernels(rows.words)) {
    const { hiddenSize, epsilon, training } = settings;
    const residual = reshape(add(rows.words, rows.positions), ["N", hiddenSize]);
    const product = reshape(rows.types, ["N", hiddenSize]);
    const bias = vector(residual.graph, new Array<number>(hiddenSize).fill(0));
    const inputs = { residual, product, bias, gamma, beta, keys: undefined };
    const { output, ...saved } = fusedResidualNorm(inputs, { epsilon, dropout: 0, training });
    const dropped = fusedDropout(output, keys, settings.dropout);
    return { output: dropped, operand: dropped as Tensor<T>, ...saved };
  }
  return cluster({ ...rows, gamma, beta, ...(keys && { keys }) }, (t) => {
    const total = add(add(t.words, t.types), t.positions);
    const { output, ...saved } = layerNorm(total, t.gamma, t.beta, settings.epsilon);
    const dropped = applyDropout(output, t.keys, settings.dropout);
    return { output: dropped, operand: cast(dropped, settings.computeDtype), ...saved };
  });
}

export interface EmbeddingSizes {
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly tokenTypeCount: number;
  readonly hiddenSize: number;
}

/** Gradient of a table [rowCount, …] that was read by rows. */
export interface RowGradient {
  /** float32 [M, …] */
  readonly rows: F32;
  /** int32 [M]: the row of the table; −1 for none */
  readonly indices: Tensor<"int32">;
  readonly rowCount: number;
}

/** @returns the gradient of each of `tables`, float32 */
export function embeddingBackward<T extends FloatType>(
  gradient: NormGradient<T>,
  saved: EmbeddingSaved,
  indices: EmbeddingIndices,
  sizes: EmbeddingSizes,
  dropout: number,
) {
  const flat = usesFusedKernels(gradient.direct)
    ? fusedNormBackward(gradient, saved, sizes, dropout)
    : clusterNormBackward(gradient, saved, dropout);
  const rows = reshape(flat.rows, [-1, sizes.hiddenSize]); // [N, H]
  const types = reshape(indices.types, [-1]); // [N]
  const isType = oneHot(types, integer(types.graph, sizes.tokenTypeCount)); // [N, Y]
  return {
    words: { rows, indices: reshape(indices.trainedWords, [-1]), rowCount: sizes.vocabularySize },
    positions: { rows: flat.positions, indices: indices.positions, rowCount: sizes.maxPositions },
    types: matMul(isType, rows, { transposeLeft: true }), // [Y, H]
    gamma: flat.gamma,
    beta: flat.beta,
  };
}

interface NormGradient<T extends FloatType> {
  readonly direct: F32;
  readonly throughSublayer: Tensor<T>;
}
type EmbeddingSaved = NormSaved & { readonly gamma: F32; readonly keys: DropoutKeys };

function fusedNormBackward<T extends FloatType>(
  gradient: NormGradient<T>,
  { keys, ...saved }: EmbeddingSaved,
  { hiddenSize }: EmbeddingSizes,
  dropout: number,
) {
  const total = add(gradient.direct, gradient.throughSublayer as F32); // [B, L, H]
  const direct = fusedDropout(reshape(total, ["N", hiddenSize]), keys, dropout);
  const norm = { ...saved, keys: undefined };
  const { residual, gamma, beta } = fusedResidualNormGradient({ direct, throughSublayer: undefined }, norm, 0);
  const rows = reshape(residual, ["B", "L", hiddenSize]);
  return { rows, positions: sum(rows, { axes: [0] }), gamma, beta };
}

function clusterNormBackward<T extends FloatType>(
  gradient: NormGradient<T>,
  { keys, normalized, inverseDeviation, gamma }: EmbeddingSaved,
  dropout: number,
) {
  const inputs = { ...gradient, normalized, inverseDeviation, gamma, ...(keys && { keys }) };
  return cluster(inputs, (t) => {
    const total = applyDropout(add(t.direct, cast(t.throughSublayer, "float32")), t.keys, dropout);
    const rows = layerNormBackward(total, t, t.gamma);
    return {
      rows, // [B, L, H]
      positions: sum(rows, { axes: [0] }), // [L, H]
      gamma: sum(multiply(total, t.normalized), { axes: [0, 1] }),
      beta: sum(total, { axes: [0, 1] }),
    };
  });
}
