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
  type Dimension,
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
 *
 * @param rDropWeight weight of the {@link disagreement} of a window's two passes; 0: each window is there once
 */
export function answerLoss(logits: { readonly start: F32; readonly end: F32 }, labels: AnswerLabels, rDropWeight = 0) {
  const part = (side: "start" | "end") => {
    const cross = crossEntropy(logits[side], oneHot(labels[side], labels.tokenCount), labels.logitBias);
    return plus(cross, disagreement(logits[side], cross, "L", rDropWeight));
  };
  const start = part("start");
  const end = part("end");
  const loss = scale(sum(addAll([start.losses, end.losses]), { axes: [0] }), 0.5);
  return { loss, start: start.gradient, end: end.gradient };
}

/** Of each row: a loss, [B], and its gradient by the row's logits, [B, C]. */
interface RowLosses {
  readonly losses: F32;
  readonly gradient: F32;
}

/** The cross entropy of rows of logits, and the softmax that it is of. */
interface CrossEntropy extends RowLosses {
  /** [B, C] */
  readonly p: F32;
  /** log Σ exp of the logits that take part, [B] */
  readonly logSum: F32;
}

/** @param label a place of each row that takes part, [B, C] one-hot @param bias 0, or −1e9 for logits that take no part */
function crossEntropy(logits: F32, label: F32, bias?: F32): CrossEntropy {
  const { losses, gradient } = softmaxCrossEntropy(bias ? add(logits, bias) : logits, label);
  return {
    losses,
    gradient,
    p: add(gradient, label),
    logSum: add(losses, sum(multiply(logits, label), { axes: [1] })),
  };
}

const column = (x: F32) => reshape(x, ["B", 1]);

function weighted({ losses, gradient }: RowLosses, weight: F32): RowLosses {
  return { losses: multiply(losses, weight), gradient: multiply(gradient, column(weight)) };
}

function plus(loss: RowLosses, other: RowLosses | undefined): RowLosses {
  if (!other) return loss;
  return { losses: add(loss.losses, other.losses), gradient: add(loss.gradient, other.gradient) };
}

/**
 * R-Drop (Liang et al. 2021, arXiv 2106.14448): a window goes through the network twice, with other dropout, as two rows
 * next to each other, and what the two passes say is drawn together. Of each row i with partner j: KL(pᵢ ‖ pⱼ), so of a pair
 * the two divergences, and the gradient of the pair's sum, pᵢ (Δ − KL(pᵢ ‖ pⱼ)) + pᵢ − pⱼ with Δ = log pᵢ − log pⱼ.
 *
 * @param logits without a bias for what takes no part: pᵢ is 0 there, and Δ is to stay finite
 */
function disagreement(
  logits: F32,
  { p, logSum }: CrossEntropy,
  columns: Dimension,
  weight: number,
): RowLosses | undefined {
  if (weight === 0) return undefined;
  const partner = (x: F32, ...rest: Dimension[]) => {
    const [first, second] = unstack(reshape(x, ["P", 2, ...rest]), 2, 1);
    return reshape(stack([second!, first!], 1), ["B", ...rest]);
  };
  const shift = subtract(logSum, partner(logSum));
  const difference = subtract(subtract(logits, partner(logits, columns)), column(shift)); // Δ, [B, C]
  const divergence = sum(multiply(p, difference), { axes: [1] });
  const slope = add(multiply(p, subtract(difference, column(divergence))), subtract(p, partner(p, columns)));
  return { losses: scale(divergence, weight), gradient: scale(slope, weight) };
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
 * @param rDropWeight as in {@link answerLoss}; the divergences of a window's passes weigh as the two parts do, and count
 *   where a window has no span, too
 * @returns as {@link answerLoss}: the sum over windows, and twice its gradients by [B, L] logits
 */
export function answerabilityLoss(
  logits: { readonly start: F32; readonly end: F32 },
  labels: SpanLabels,
  weight: number,
  rDropWeight = 0,
) {
  const { spanWeight, isNull, contextBias, tokenCount } = labels;
  const { graph } = spanWeight;
  const cls = oneHot(integers(graph, [0]), tokenCount); // [1, L]
  const part = (side: "start" | "end") => {
    const cross = crossEntropy(logits[side], oneHot(labels[side], tokenCount), contextBias);
    return {
      span: plus(weighted(cross, spanWeight), disagreement(logits[side], cross, "L", rDropWeight)),
      nullOdds: subtract(sum(multiply(logits[side], cls), { axes: [1] }), cross.logSum), // s₀ − log Σ exp sᵢ, [B]
      nullSlope: subtract(cls, cross.p),
    };
  };
  const [start, end] = [part("start"), part("end")];
  const odds = add(start.nullOdds, end.nullOdds);
  const kinds = stack([subtract(scalar(graph, 1), isNull), isNull], 1); // [B, 2]
  const twoLogits = stack([scale(odds, 0), odds], 1);
  const cross = crossEntropy(twoLogits, kinds);
  const binary = plus(cross, disagreement(twoLogits, cross, 2, rDropWeight));
  const [, slope] = unstack(binary.gradient, 2, 1); // σ(z) − isNull and what R-Drop adds, [B]
  const gradientOf = ({ span, nullSlope }: typeof start) =>
    add(span.gradient, multiply(nullSlope, column(scale(slope!, 2 * weight))));
  const spans = scale(add(start.span.losses, end.span.losses), 0.5);
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
