import type { Graph, Tensor } from "./graph.ts";
import { vector } from "./math.ts";

type F32 = Tensor<"float32">;
/** uint32 [2] from `randomKeys`; none for no dropout. */
type Keys = Tensor<"uint32"> | undefined;

/**
 * Whether the graph may hold the ops below: kernels of our own in float32 (`native/kernels.cc`), for CPUs. What
 * they compute is said where @bertqa/model does the same in clusters; their dropout masks are those of `randomBits`.
 */
export function usesFusedKernels(x: Tensor): x is F32 {
  return x.graph.main.options.fusedKernels === true;
}

/**
 * Attention of a fused projection [N, 3·H] (queries, keys, values) and its bias [3·H], scores scaled by 1/√D.
 *
 * @param maskBias [B, 1, 1, L]
 * @returns context [N, H], and in training the logarithms of the softmaxes' denominators, for `fusedAttentionGradient`
 */
export function fusedAttention(
  inputs: { readonly product: F32; readonly bias: F32; readonly maskBias: F32; readonly keys: Keys },
  attributes: { readonly headCount: number; readonly dropout: number; readonly training: boolean },
) {
  const { product, bias, maskBias, keys } = inputs;
  const { headCount, dropout, training } = attributes;
  const [context, logSums] = emit("BertqaAttention", [product, bias, maskBias, given(keys, product)], 2, {
    heads: { int: headCount },
    dropout: rate(keys, dropout),
    training: { bool: training },
  });
  return { context: context!, logSums: logSums! };
}

/** @param gradient of the context, [N, H] @returns that of product and bias, [N, 3·H] */
export function fusedAttentionGradient(
  gradient: F32,
  saved: Parameters<typeof fusedAttention>[0] & ReturnType<typeof fusedAttention>,
  { headCount, dropout }: { readonly headCount: number; readonly dropout: number },
): F32 {
  const { product, bias, maskBias, keys, context, logSums } = saved;
  const inputs = [gradient, product, bias, maskBias, given(keys, product), context, logSums];
  const attributes = { heads: { int: headCount }, dropout: rate(keys, dropout) };
  return emit("BertqaAttentionGradient", inputs, 1, attributes)[0]!;
}

/** LayerNorm(residual + dropout(product + bias)), [N, H]; `normalized` and `inverseDeviation` [N, 1] in training. */
export function fusedResidualNorm(
  inputs: {
    readonly residual: F32;
    readonly product: F32;
    readonly bias: F32;
    readonly gamma: F32;
    readonly beta: F32;
    readonly keys: Keys;
  },
  settings: { readonly epsilon: number; readonly dropout: number; readonly training: boolean },
) {
  const { residual, product, bias, gamma, beta, keys } = inputs;
  const outputs = emit("BertqaResidualNorm", [residual, product, bias, gamma, beta, given(keys, product)], 3, {
    dropout: rate(keys, settings.dropout),
    epsilon: { float: settings.epsilon },
    training: { bool: settings.training },
  });
  return { output: outputs[0]!, normalized: outputs[1]!, inverseDeviation: outputs[2]! };
}

/** Gradients of residual and product [N, H], gamma and beta [H], from that of the output, `direct` + `throughSublayer`. */
export function fusedResidualNormGradient(
  gradient: { readonly direct: F32; readonly throughSublayer: F32 | undefined },
  saved: { readonly normalized: F32; readonly inverseDeviation: F32; readonly gamma: F32; readonly keys: Keys },
  dropout: number,
) {
  const { direct, throughSublayer = vector(direct.graph, []) } = gradient;
  const { normalized, inverseDeviation, gamma, keys } = saved;
  const inputs = [direct, throughSublayer, normalized, inverseDeviation, gamma, given(keys, direct)];
  const outputs = emit("BertqaResidualNormGradient", inputs, 4, { dropout: rate(keys, dropout) });
  return { residual: outputs[0]!, product: outputs[1]!, gamma: outputs[2]!, beta: outputs[3]! };
}

/** x after dropout, [N, H]. */
export function fusedDropout(x: F32, keys: Keys, dropout: number): F32 {
  return keys ? emit("BertqaDropout", [x, keys], 1, { dropout: rate(keys, dropout) })[0]! : x;
}

/** GELU(product + bias), [N, I]; `approximate` by tanh. In training the product's memory is kept. */
export function fusedGelu(
  product: F32,
  bias: F32,
  { approximate, training }: { readonly approximate: boolean; readonly training: boolean },
): F32 {
  const attributes = { approximate: { bool: approximate }, training: { bool: training } };
  return emit("BertqaGelu", [product, bias], 1, attributes)[0]!;
}

/** The gradient of product and bias, and GELU's output again, [N, I] both. */
export function fusedGeluGradient(gradient: F32, product: F32, bias: F32, approximate: boolean) {
  const outputs = emit("BertqaGeluGradient", [gradient, product, bias], 2, { approximate: { bool: approximate } });
  return { product: outputs[0]!, output: outputs[1]! };
}

function emit(
  op: string,
  inputs: readonly Tensor[],
  count: number,
  attributes: Parameters<Graph["emit"]>[0]["attributes"],
) {
  const output = ["output", Array.from({ length: count }, () => "float32" as const)] as const;
  return inputs[0]!.graph.emit({ op, inputs, ...(attributes && { attributes }), output });
}

function given(keys: Keys, { graph }: Tensor): Tensor<"uint32"> {
  return keys ?? graph.constant({ dtype: "uint32", shape: [2], bytes: new Uint8Array(8) });
}

function rate(keys: Keys, dropout: number) {
  return { float: keys ? dropout : 0 };
}
