import type { BertConfig } from "@bertqa/core";
import {
  add,
  cast,
  cluster,
  erf,
  exp,
  fusedGelu,
  fusedGeluGradient,
  multiply,
  scalar,
  scale,
  square,
  subtract,
  tanh,
  usesFusedKernels,
  type FloatType,
  type Tensor,
} from "@bertqa/engine";

type F32 = Tensor<"float32">;
type Activation = BertConfig["activation"];

export interface ActivationSettings {
  readonly activation: Activation;
  readonly training: boolean;
}

/** activation(product + bias), [N, I] */
export function activate<T extends FloatType>(product: Tensor<T>, bias: F32, settings: ActivationSettings): Tensor<T> {
  const { activation, training } = settings;
  if (usesFusedKernels(product)) {
    return fusedGelu(product, bias, { approximate: activation === "gelu_new", training }) as Tensor<T>;
  }
  return cluster({ product, bias }, (t) => {
    const x = add(cast(t.product, "float32"), t.bias);
    return { output: cast(multiply(x, gate(x, activation).value), product.dtype) };
  }).output;
}

/**
 * @param gradient of `activate`'s output, [N, I]
 * @returns that of its product and bias, and the output, all [N, I]: the fused kernel has it at hand, so that it need not
 *   be kept
 */
export function activateBackward<T extends FloatType>(
  gradient: Tensor<T>,
  saved: { readonly product: Tensor<T>; readonly bias: F32; readonly output: Tensor<T> },
  activation: Activation,
): { readonly product: Tensor<T>; readonly output: Tensor<T> } {
  const { product, bias } = saved;
  if (usesFusedKernels(product)) {
    const fused = fusedGeluGradient(gradient as F32, product, bias, activation === "gelu_new");
    return { product: fused.product as Tensor<T>, output: fused.output as Tensor<T> };
  }
  const { total } = cluster({ gradient, product, bias }, (t) => {
    const x = add(cast(t.product, "float32"), t.bias);
    const { value, slope } = gate(x, activation);
    const total = multiply(cast(t.gradient, "float32"), add(value, multiply(x, slope())));
    return { total: cast(total, product.dtype) };
  });
  return { product: total, output: saved.output };
}

/** Both GELUs are x · gate(x): the normal distribution's Φ(x), or its approximation by tanh (Hendrycks, Gimpel 2016). */
function gate(x: F32, activation: Activation): { readonly value: F32; readonly slope: () => F32 } {
  const one = scalar(x.graph, 1);
  if (activation === "gelu") {
    const value = scale(add(erf(scale(x, Math.SQRT1_2)), one), 0.5);
    return { value, slope: () => scale(exp(scale(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)) };
  }
  const root = Math.sqrt(2 / Math.PI);
  const cubic = 0.044715;
  const inner = scale(multiply(x, add(one, scale(square(x), cubic))), root);
  const bend = tanh(inner);
  const value = scale(add(bend, one), 0.5);
  const innerSlope = scale(add(one, scale(square(x), 3 * cubic)), root);
  return { value, slope: () => scale(multiply(subtract(one, square(bend)), innerSlope), 0.5) };
}
