import {
  add,
  addAll,
  addBias,
  biasGradient,
  matMul,
  multiply,
  oneHot,
  reshape,
  scale,
  softmaxCrossEntropy,
  stack,
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
