import {
  add,
  batchMatMul,
  cast,
  cluster,
  fusedAttention,
  fusedAttentionGradient,
  multiply,
  reshape,
  scale,
  softmax,
  stack,
  subtract,
  sum,
  transpose,
  unstack,
  usesFusedKernels,
  vector,
  type FloatType,
  type GraphBuilder,
  type Tensor,
} from "@bertqa/engine";
import { applyDropout, type DropoutKeys } from "./dropout.ts";

type F32 = Tensor<"float32">;

export interface HeadLayout {
  readonly headCount: number;
  /** Width of one head, D. */
  readonly headSize: number;
}

/**
 * From [N, 3·H] without its bias to queries, keys and values, each [B, A, L, D]. Queries and keys are both scaled by
 * 1 / ⁴√D here, where it costs nothing, so that their product is q kᵀ / √D.
 */
function splitHeads<T extends FloatType>(product: Tensor<T>, bias: F32, layout: HeadLayout) {
  const biased = cluster({ product, bias }, (t) => ({
    scaled: cast(multiply(add(cast(t.product, "float32"), t.bias), headScale(t.bias.graph, layout)), product.dtype),
  })).scaled;
  const apart = reshape(biased, ["B", "L", 3, layout.headCount, layout.headSize]);
  const [queries, keys, values] = unstack(transpose(apart, [2, 0, 3, 1, 4]), 3, 0); // 3 × [B, A, L, D]
  return { queries: queries!, keys: keys!, values: values! };
}

function headScale(graph: GraphBuilder, { headCount, headSize }: HeadLayout): F32 {
  const width = headCount * headSize;
  const factor = headSize ** -0.25;
  return vector(
    graph,
    Array.from({ length: 3 * width }, (_, column) => (column < 2 * width ? factor : 1)),
  );
}

/** The gradient of `splitHeads`' product and bias, [N, 3·H]. */
function splitHeadsBackward<T extends FloatType>(gradients: readonly Tensor<T>[], layout: HeadLayout): Tensor<T> {
  const together = transpose(stack(gradients, 0), [1, 3, 0, 2, 4]); // [B, L, 3, A, D]
  return reshape(together, ["N", 3 * layout.headCount * layout.headSize]);
}

export interface ProjectedInputs<T extends FloatType> {
  /** [N, 3·H]: queries, keys and values of all heads, without their bias */
  readonly product: Tensor<T>;
  /** [3·H] */
  readonly bias: F32;
  /** float32 [B, 1, 1, L]: 0 for a real token, −1e9 for padding, whose weight becomes exactly 0 */
  readonly maskBias: F32;
  readonly dropoutKeys: DropoutKeys;
}

export interface AttentionSettings extends HeadLayout {
  readonly dropout: number;
  readonly training: boolean;
}

/** Attention from the projection on. @returns context [N, H], with what `projectedAttentionBackward` needs */
export function projectedAttention<T extends FloatType>(inputs: ProjectedInputs<T>, settings: AttentionSettings) {
  const { product, bias, maskBias, dropoutKeys } = inputs;
  if (usesFusedKernels(product)) {
    const given = { product, bias, maskBias, keys: dropoutKeys };
    const fused = { ...given, ...fusedAttention(given, settings) };
    return { context: fused.context as Tensor<T>, saved: { fused } };
  }
  const heads = splitHeads(product, bias, settings);
  const attended = attention({ ...heads, maskBias, dropoutKeys }, settings, settings.dropout);
  return { context: attended.context, saved: { clusters: { ...heads, ...attended } } };
}

/** @param gradient of the context, [N, H] @returns that of the product and its bias, [N, 3·H] */
export function projectedAttentionBackward<T extends FloatType>(
  gradient: Tensor<T>,
  saved: ReturnType<typeof projectedAttention<T>>["saved"],
  settings: AttentionSettings,
): Tensor<T> {
  if (saved.fused) return fusedAttentionGradient(gradient as F32, saved.fused, settings) as Tensor<T>;
  const { queries, keys, values } = attentionBackward(gradient, saved.clusters, settings);
  return splitHeadsBackward([queries, keys, values], settings);
}

export interface AttentionInputs<T extends FloatType> {
  /** [B, A, L, D] each */
  readonly queries: Tensor<T>;
  readonly keys: Tensor<T>;
  readonly values: Tensor<T>;
  /** float32 [B, 1, 1, L]: 0 for a real token, −1e9 for padding, whose weight becomes exactly 0 */
  readonly maskBias: F32;
  readonly dropoutKeys: DropoutKeys;
}

/**
 * softmax(queries keysᵀ + maskBias), dropped out, times values. Scores and probabilities are kept in the products'
 * type; what is computed between is float32.
 *
 * @returns context [N, H], and the softmax before and after dropout, [B, A, L, L]
 */
function attention<T extends FloatType>(inputs: AttentionInputs<T>, layout: HeadLayout, dropout: number) {
  const { queries, keys, values, maskBias, dropoutKeys } = inputs;
  const dtype = queries.dtype;
  const scores = batchMatMul(queries, keys, { transposeRight: true }); // [B, A, L, L]
  const masked = cluster({ scores, maskBias }, (t) => ({
    scores: cast(add(cast(t.scores, "float32"), t.maskBias), dtype),
  }));
  const probabilities = softmax(masked.scores);
  const dropped = dropoutKeys
    ? cluster({ probabilities, dropoutKeys }, (t) => ({
        weights: cast(applyDropout(cast(t.probabilities, "float32"), t.dropoutKeys, dropout), dtype),
      })).weights
    : probabilities;
  const weights = { probabilities, dropped };
  const heads = batchMatMul(weights.dropped, values); // [B, A, L, D]
  const context = reshape(transpose(heads, [0, 2, 1, 3]), ["N", layout.headCount * layout.headSize]);
  return { context, ...weights };
}

interface AttentionSaved<T extends FloatType> {
  readonly queries: Tensor<T>;
  readonly keys: Tensor<T>;
  readonly values: Tensor<T>;
  readonly probabilities: Tensor<T>;
  readonly dropped: Tensor<T>;
  readonly context: Tensor<T>;
}

/**
 * Gradients of queries, keys and values, [B, A, L, D] each, from that of the context, [N, H].
 *
 * With P the softmax, M the scaled drop mask and W = M∘P, the softmax's gradient P∘(M∘dW − rowsum(P∘M∘dW)) is
 * W∘dW − P·δ, where δ = rowsum(W∘dW) = rowsum(dContext∘context) needs no pass over [L, L] (FlashAttention, Dao 2022).
 */
function attentionBackward<T extends FloatType>(gradient: Tensor<T>, saved: AttentionSaved<T>, layout: HeadLayout) {
  const { queries, keys, values, probabilities, dropped } = saved;
  const dtype = gradient.dtype;
  const byHead = ["B", "L", layout.headCount, layout.headSize] as const;
  const apart = { gradient: reshape(gradient, byHead), context: reshape(saved.context, byHead) };
  const products = cluster(apart, (t) => {
    const product = multiply(cast(t.gradient, "float32"), cast(t.context, "float32"));
    return { delta: sum(product, { axes: [-1], keepDimensions: true }) }; // [B, L, A, 1]
  });
  const delta = transpose(products.delta, [0, 2, 1, 3]); // [B, A, L, 1]
  const heads = transpose(apart.gradient, [0, 2, 1, 3]); // [B, A, L, D]
  const dropGradient = batchMatMul(heads, values, { transposeRight: true }); // [B, A, L, L]
  const { scores } = cluster({ dropGradient, probabilities, dropped, delta }, (t) => {
    const direct = multiply(cast(t.dropped, "float32"), cast(t.dropGradient, "float32"));
    const shared = multiply(cast(t.probabilities, "float32"), t.delta);
    return { scores: cast(scale(subtract(direct, shared), layout.headSize ** -0.25), dtype) };
  });
  return {
    queries: batchMatMul(scores, keys),
    keys: batchMatMul(scores, queries, { transposeLeft: true }),
    values: batchMatMul(dropped, heads, { transposeLeft: true }),
  };
}
