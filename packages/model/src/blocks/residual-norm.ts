import {
  add,
  cast,
  cluster,
  mean,
  multiply,
  rsqrt,
  scalar,
  square,
  subtract,
  sum,
  type FloatType,
  type Tensor,
} from "@bertqa/engine";
import { applyDropout, type DropoutKeys } from "./dropout.ts";

type F32 = Tensor<"float32">;

export interface NormSaved {
  /** [N, H], the input of the affine part: mean 0, variance 1 over H */
  readonly normalised: F32;
  /** [N, 1], 1 / √(variance + ε) */
  readonly inverseDeviation: F32;
}

/** Mean, variance and result in float32, over the last axis. Call it inside a cluster. */
export function layerNorm(x: F32, scale: F32, shift: F32, epsilon: number): NormSaved & { readonly output: F32 } {
  const centred = subtract(x, mean(x, { axes: [-1], keepDimensions: true }));
  const variance = mean(square(centred), { axes: [-1], keepDimensions: true });
  const inverseDeviation = rsqrt(add(variance, scalar(x.graph, epsilon)));
  const normalised = multiply(centred, inverseDeviation);
  return { normalised, inverseDeviation, output: add(multiply(normalised, scale), shift) };
}

/** Gradient with respect to layerNorm's x: r (g − mean(g) − n · mean(g n)), with g = gradient · scale. */
export function layerNormBackward(gradient: F32, { normalised, inverseDeviation }: NormSaved, scale: F32): F32 {
  const scaled = multiply(gradient, scale);
  const average = mean(scaled, { axes: [-1], keepDimensions: true });
  const projection = mean(multiply(scaled, normalised), { axes: [-1], keepDimensions: true });
  const centred = subtract(subtract(scaled, average), multiply(normalised, projection));
  return multiply(centred, inverseDeviation);
}

export interface ResidualNormInputs<T extends FloatType> {
  /** float32 [N, H]: the sublayer's input */
  readonly residual: F32;
  /** [N, H]: the sublayer's last product, without its bias */
  readonly product: Tensor<T>;
  readonly bias: F32;
  readonly scale: F32;
  readonly shift: F32;
  readonly keys: DropoutKeys;
}

export interface ResidualNormSettings {
  readonly epsilon: number;
  readonly dropout: number;
}

/** LayerNorm(residual + dropout(product + bias)), in float32; `outputLow` is the same for the next product. */
export function residualNorm<T extends FloatType>(inputs: ResidualNormInputs<T>, settings: ResidualNormSettings) {
  const { keys, ...tensors } = inputs;
  return cluster({ ...tensors, ...(keys && { keys }) }, (t) => {
    const dropped = applyDropout(add(cast(t.product, "float32"), t.bias), t.keys, settings.dropout);
    const { output, ...saved } = layerNorm(add(t.residual, dropped), t.scale, t.shift, settings.epsilon);
    return { output, outputLow: cast(output, inputs.product.dtype), ...saved };
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
  saved: NormSaved & { readonly scale: F32; readonly keys: DropoutKeys },
  dropout: number,
  low: T,
) {
  const { direct, throughSublayer } = gradient;
  const { keys, normalised, inverseDeviation, scale } = saved;
  const optional = { ...(throughSublayer && { throughSublayer }), ...(keys && { keys }) };
  return cluster({ direct, normalised, inverseDeviation, scale, ...optional }, (t) => {
    const total = t.throughSublayer ? add(t.direct, cast(t.throughSublayer, "float32")) : t.direct;
    const residual = layerNormBackward(total, t, t.scale);
    const product = applyDropout(residual, t.keys, dropout);
    return {
      residual,
      product: cast(product, low),
      scale: sum(multiply(total, t.normalised), { axes: [0] }),
      shift: sum(total, { axes: [0] }),
    };
  });
}
