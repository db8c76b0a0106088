import {
  add,
  cast,
  cluster,
  fusedResidualNorm,
  fusedResidualNormGradient,
  mean,
  multiply,
  rsqrt,
  scalar,
  square,
  subtract,
  sum,
  usesFusedKernels,
  type FloatType,
  type Tensor,
} from "@bertqa/engine";
import { applyDropout, type DropoutKeys } from "./dropout.ts";

type F32 = Tensor<"float32">;

export interface NormSaved {
  /** [N, H], the input of the affine part: mean 0, variance 1 over H */
  readonly normalized: F32;
  /** [N, 1], 1 / √(variance + ε) */
  readonly inverseDeviation: F32;
}

/** Mean, variance and result in float32, over the last axis. Call it inside a cluster. */
export function layerNorm(x: F32, gamma: F32, beta: F32, epsilon: number): NormSaved & { readonly output: F32 } {
  const centred = subtract(x, mean(x, { axes: [-1], keepDimensions: true }));
  const variance = mean(square(centred), { axes: [-1], keepDimensions: true });
  const inverseDeviation = rsqrt(add(variance, scalar(x.graph, epsilon)));
  const normalized = multiply(centred, inverseDeviation);
  return { normalized, inverseDeviation, output: add(multiply(normalized, gamma), beta) };
}

/** Gradient with respect to layerNorm's x: r (g − mean(g) − n · mean(g n)), with g = gradient · gamma. */
export function layerNormBackward(gradient: F32, { normalized, inverseDeviation }: NormSaved, gamma: F32): F32 {
  const scaled = multiply(gradient, gamma);
  const average = mean(scaled, { axes: [-1], keepDimensions: true });
  const projection = mean(multiply(scaled, normalized), { axes: [-1], keepDimensions: true });
  const centred = subtract(subtract(scaled, average), multiply(normalized, projection));
  return multiply(centred, inverseDeviation);
}

export interface ResidualNormInputs<T extends FloatType> {
  /** float32 [N, H]: the sublayer's input */
  readonly residual: F32;
  /** [N, H]: the sublayer's last product, without its bias */
  readonly product: Tensor<T>;
  readonly bias: F32;
  readonly gamma: F32;
  readonly beta: F32;
  readonly keys: DropoutKeys;
}

export interface ResidualNormSettings {
  readonly epsilon: number;
  readonly dropout: number;
  readonly training: boolean;
}

/** LayerNorm(residual + dropout(product + bias)), in float32; `operand` is the same in the compute dtype. */
export function residualNorm<T extends FloatType>(inputs: ResidualNormInputs<T>, settings: ResidualNormSettings) {
  const { keys, ...tensors } = inputs;
  if (usesFusedKernels(tensors.product)) {
    const fused = fusedResidualNorm({ ...tensors, product: tensors.product, keys }, settings);
    return { ...fused, operand: fused.output as Tensor<T> };
  }
  return cluster({ ...tensors, ...(keys && { keys }) }, (t) => {
    const dropped = applyDropout(add(cast(t.product, "float32"), t.bias), t.keys, settings.dropout);
    const { output, ...saved } = layerNorm(add(t.residual, dropped), t.gamma, t.beta, settings.epsilon);
    return { output, operand: cast(output, inputs.product.dtype), ...saved };
  });
}

export interface ResidualNormGradient<T extends FloatType> {
  /** float32 [N, H]: what came back through the next residual connection */
  readonly direct: F32;
  /** [N, H]: what came back through the next sublayer's first product; none behind the last layer */
  readonly throughSublayer: Tensor<T> | undefined;
}

/** @returns gradients: float32 `residual` [N, H]; `product` [N, H], that of the matrix product and its bias; vectors [H] */
export function residualNormBackward<T extends FloatType>(
  gradient: ResidualNormGradient<T>,
  saved: NormSaved & { readonly gamma: F32; readonly keys: DropoutKeys },
  dropout: number,
  computeDtype: T,
) {
  const { direct, throughSublayer } = gradient;
  const { keys, normalized, inverseDeviation, gamma } = saved;
  if (usesFusedKernels(direct)) {
    const fused = fusedResidualNormGradient(
      { direct, throughSublayer: throughSublayer as F32 | undefined },
      saved,
      dropout,
    );
    return { ...fused, product: fused.product as Tensor<T> };
  }
  const optional = { ...(throughSublayer && { throughSublayer }), ...(keys && { keys }) };
  return cluster({ direct, normalized, inverseDeviation, gamma, ...optional }, (t) => {
    const total = t.throughSublayer ? add(t.direct, cast(t.throughSublayer, "float32")) : t.direct;
    const residual = layerNormBackward(total, t, t.gamma);
    const product = applyDropout(residual, t.keys, dropout);
    return {
      residual,
      product: cast(product, computeDtype),
      gamma: sum(multiply(total, t.normalized), { axes: [0] }),
      beta: sum(total, { axes: [0] }),
    };
  });
}
