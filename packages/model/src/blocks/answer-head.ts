import {
  add,
  addAll,
  addBias,
  biasGradient,
  integers,
  matMul,
  multiply,
  oneHot,
  reshape,
  scalar,
  scale,
  softmaxCrossEntropy,
  stack,
  subtract,
  sum,
  unstack,
  type Tensor,
} from "@bertqa/engine";

type F32 = Tensor<"float32">;

export interface AnswerHead {
  /** [2, H]: start, end */
  readonly weight: F32;
  /** [2] */
  readonly bias: F32;
}

/** @param hidden float32 [N, H] @returns float32 [B, L] each */
export function answerLogits(hidden: F32, head: AnswerHead): { readonly start: F32; readonly end: F32 } {
  const logits = addBias(matMul(hidden, head.weight, { transposeRight: true }), head.bias); // [N, 2]
  const [start, end] = unstack(reshape(logits, ["B", "L", 2]), 2, 2);
  return { start: start!, end: end! };
}

export interface AnswerLabels {
  /** int32 [B] */
  readonly start: Tensor<"int32">;
  /** int32 [B] */
  readonly end: Tensor<"int32">;
  /** int32 scalar, L */
  readonly tokenCount: Tensor<"int32">;
  /** float32 [1, L]: 0, or −1e9 for tokens that the batch was not given with, which take no part in the softmax */
  readonly logitBias: F32;
}

/**
 * Sum over windows of the mean cross entropy of start and end, in float32, and the gradients of the two cross entropies
 * by [B, L] logits.
 */
export function answerLoss(logits: { readonly start: F32; readonly end: F32 }, labels: AnswerLabels) {
  const part = (side: "start" | "end") =>
    softmaxCrossEntropy(add(logits[side], labels.logitBias), oneHot(labels[side], labels.tokenCount));
  const start = part("start");
  const end = part("end");
  const loss = scale(sum(addAll([start.losses, end.losses]), { axes: [0] }), 0.5);
  return { loss, start: start.gradient, end: end.gradient };
}

/** What {@link answerabilityLoss} is told of each window. */
export interface SpanLabels {
  /** int32 [B]: first token of the answer or plausible answer; of a window without one any token of the context. */
  readonly start: Tensor<"int32">;
  /** int32 [B] */
  readonly end: Tensor<"int32">;
  /** float32 [B]: weight of the window's span loss; 0 where it has no span */
  readonly spanWeight: F32;
  /** float32 [B]: 1 where the window holds no answer, else 0 */
  readonly isNull: F32;
  /** float32 [B, L]: 0 for tokens of the context, −1e9 for all others */
  readonly contextBias: F32;
  /** int32 scalar, L */
  readonly tokenCount: Tensor<"int32">;
}

/**
 * The loss in two parts, for the same two logits a token. Where a window has a span, an answer or one that only looks like
 * it: the mean cross entropy of start and end over the tokens of the context. For every window: the binary cross entropy of
 * its null odds z = s₀ + e₀ − log Σ exp sᵢ − log Σ exp eⱼ, sums over the context, with "no answer here". z is what predict
 * holds against the threshold, with a soft maximum in place of the best span's score.
 *
 * The two independent losses are those of Read + Verify (Hu et al. 2018, arXiv 1808.05759), here without a head of their own:
 * run_qa's loss is the same span loss, on answers alone, and one binary loss each on s₀ − log Σ exp sᵢ and on the end's.
 *
 * @returns as {@link answerLoss}: the sum over windows, and twice its gradients by [B, L] logits
 */
export function answerabilityLoss(
  logits: { readonly start: F32; readonly end: F32 },
  labels: SpanLabels,
  weight: number,
) {
  const { spanWeight, isNull, contextBias, tokenCount } = labels;
  const { graph } = spanWeight;
  const cls = oneHot(integers(graph, [0]), tokenCount); // [1, L]
  const column = (x: F32) => reshape(x, ["B", 1]);
  const part = (side: "start" | "end") => {
    const label = oneHot(labels[side], tokenCount);
    const { losses, gradient } = softmaxCrossEntropy(add(logits[side], contextBias), label);
    const at = (places: F32) => sum(multiply(logits[side], places), { axes: [1] }); // [B]
    const nullOdds = subtract(at(cls), add(losses, at(label))); // s₀ − log Σ exp sᵢ, [B]
    return { losses, gradient, nullOdds, nullSlope: subtract(cls, add(gradient, label)) };
  };
  const [start, end] = [part("start"), part("end")];
  const odds = add(start.nullOdds, end.nullOdds);
  const kinds = stack([subtract(scalar(graph, 1), isNull), isNull], 1); // [B, 2]
  const binary = softmaxCrossEntropy(stack([scale(odds, 0), odds], 1), kinds);
  const [, slope] = unstack(binary.gradient, 2, 1); // σ(z) − isNull, [B]
  const gradientOf = ({ gradient, nullSlope }: typeof start) =>
    add(multiply(gradient, column(spanWeight)), multiply(nullSlope, column(scale(slope!, 2 * weight))));
  const spans = multiply(scale(add(start.losses, end.losses), 0.5), spanWeight);
  const loss = sum(add(spans, scale(binary.losses, weight)), { axes: [0] });
  return { loss, start: gradientOf(start), end: gradientOf(end) };
}

/** @param factor float32 scalar: half the weight of a window @returns gradients: hidden [N, H], weight [2, H], bias [2] */
export function answerBackward(
  gradient: { readonly start: F32; readonly end: F32 },
  hidden: F32,
  head: AnswerHead,
  factor: F32,
) {
  const stacked = stack([multiply(gradient.start, factor), multiply(gradient.end, factor)], 2); // [B, L, 2]
  const logits = reshape(stacked, ["N", 2]);
  return {
    hidden: matMul(logits, head.weight),
    weight: matMul(logits, hidden, { transposeLeft: true }),
    bias: biasGradient(logits),
  };
}
